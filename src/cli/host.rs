//! How daemon and host are: status, doctor.

use super::args::DoctorArgs;
use super::client::{self, typed};
use super::exit::{CliError, Exit, Result};
use super::local::block_on;
use super::output::{Rows, duration};
use super::session::Session;
use crate::api::{PodmanStatus, Requirements, Status};
use crate::app::requirements;

/// `fluxdb status`
///
/// # Errors
/// As the API says; `TryLater` when the daemon is degraded, so that scripts notice.
pub fn status(session: &Session) -> Result {
    let client = session.client()?;
    let answer = client.get("/status", &[])?;
    let status: Status = typed(answer.body.clone())?;
    if session.out.json {
        session.out.value(&answer.body)?;
        return verdict(&status);
    }
    let counts: Vec<_> = status.instances.iter().map(|(state, n)| format!("{n} {state}")).collect();
    session.out.pairs(&[
        ("Daemon", format!("fluxdb {} at {}", status.version, client.address())),
        ("Module", format!("{} ({}){}", status.name, status.module, if status.enabled { "" } else { ", disabled" })),
        ("Up for", duration(status.uptime_secs as f64)),
        ("Status", status.status.clone()),
        ("Podman", if status.podman_reachable { "answers" } else { "does not answer (fluxdb doctor)" }.into()),
        ("Instances", if counts.is_empty() { "none".into() } else { counts.join(", ") }),
    ])?;
    if !status.workers.is_empty() {
        let mut rows = Rows::new(&["worker", "last run", "took", "result", "detail"]);
        for w in &status.workers {
            let last =
                w.last_run_at.as_deref().map_or("not yet".into(), |at| format!("{} ago", super::output::age(at)));
            let result = if w.ok { "ok" } else { "failed" };
            rows.push([w.name.clone(), last, format!("{} ms", w.last_duration_ms), result.into(), w.detail.clone()]);
        }
        session.out.line("")?;
        session.out.table(&rows)?;
    }
    verdict(&status)
}

fn verdict(status: &Status) -> Result {
    if status.problems.is_empty() && status.status == "ok" {
        return Ok(());
    }
    let mut error = CliError::new(Exit::TryLater, "The daemon is degraded:");
    error.notes.clone_from(&status.problems);
    Err(error)
}

/// `fluxdb doctor`
///
/// # Errors
/// `Failed` when something required is missing.
pub fn doctor(session: &Session, args: &DoctorArgs) -> Result {
    let (found, podman) = if args.local { (look(session)?, None) } else { ask(session)? };
    if session.out.json {
        session.out.value(&client::json(&found)?)?;
    } else {
        report(session, &found, podman.as_ref())?;
    }
    if found.ok {
        return Ok(());
    }
    Err(CliError::failed("This host cannot run instances yet; what is MISSING above has to be done."))
}

fn ask(session: &Session) -> Result<(Requirements, Option<PodmanStatus>)> {
    let client = session.client()?;
    match client.read("/requirements", &[]) {
        Ok(found) => Ok((found, client.read("/podman/status", &[]).ok())),
        Err(e) if e.exit == Exit::Unreachable && session.global.url.is_none() => {
            session.out.remark(format!("{}\nLooking at this host without it:\n", e.message));
            Ok((look(session)?, None))
        }
        Err(e) => Err(e),
    }
}

fn look(session: &Session) -> Result<Requirements> {
    let config = session.config(&[])?.config;
    block_on(requirements::check(None, &config))
}

fn report(session: &Session, found: &Requirements, podman: Option<&PodmanStatus>) -> Result {
    let width = found.items.iter().map(|item| item.name.len()).max().unwrap_or(0);
    for item in &found.items {
        let word = match (item.ok, item.required) {
            (true, _) => "ok",
            (false, true) => "MISSING",
            (false, false) => "advice",
        };
        let pad = " ".repeat(7usize.saturating_sub(word.len()));
        session.out.line(format!("{}{pad}  {:width$}  {}", session.out.paint(word), item.name, item.detail))?;
        if !item.ok {
            session.out.line(format!("{:9}{:width$}  -> {}", "", "", item.fix))?;
        }
    }
    if let Some(podman) = podman.filter(|p| p.reachable) {
        session.out.line("")?;
        session.out.pairs(&[
            ("Podman", format!("{} at {}", podman.version, podman.socket)),
            ("Storage", format!("{}, {} free", podman.storage_driver, super::output::bytes(podman.storage_free_bytes))),
            ("Controllers", podman.cgroup_controllers.join(" ")),
        ])?;
    }
    Ok(())
}
