//! Data stays through restarts, a removed container, a stop; deleting leaves nothing.

use std::time::{Duration, Instant};

use super::rig::caller;
use super::{Rig, Verdict, failed};
use crate::api::State;
use crate::domain::Result;
use crate::domain::conformance::Outcome;
use crate::domain::container::Names;

/// How long the reconciler may take to make a removed container again.
const REPAIR_LIMIT: Duration = Duration::from_secs(300);
/// Lines of the log in which the clean shutdown must be.
const LOG_LINES: u32 = 400;

/// Writes a value and proves that it can be read.
pub(super) async fn write(rig: &Rig, value: &str) -> Result<()> {
    let cx = rig.cx().await?;
    rig.as_user(&rig.engine.marker(&cx, value).write).await?;
    read(rig, value).await
}

/// Reads a value back. Search engines may take a moment to show what was written.
pub(super) async fn read(rig: &Rig, value: &str) -> Result<()> {
    let cx = rig.cx().await?;
    let call = rig.engine.marker(&cx, value).read;
    let mut last = String::new();
    for _ in 0..20 {
        match rig.as_user(std::slice::from_ref(&call)).await {
            Ok(answers) if answers.iter().any(|a| a.text().contains(value)) => return Ok(()),
            Ok(answers) => last = answers.iter().map(fluxdb_adapters::Answer::text).collect(),
            Err(e) => last = e.story(),
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    failed(format!("{value} is not there; the server says {:?}", last.chars().take(300).collect::<String>()))
}

pub(super) async fn restart(rig: &mut Rig) -> Verdict {
    write(rig, "before-restart").await?;
    let accepted = rig.app.restart_instance(&caller(), rig.instance()?.id).await?;
    rig.ended(accepted).await?;
    read(rig, "before-restart").await?;
    Ok(Outcome::Passed)
}

/// The container is removed behind the daemon's back; the reconciler makes it again on its volume.
pub(super) async fn recreate(rig: &mut Rig) -> Verdict {
    write(rig, "before-removal").await?;
    let before = rig.app.core.runtime.inspect(&rig.container()?).await?.map(|d| d.summary.id);
    rig.app.core.runtime.remove(&rig.container()?).await?;
    let started = Instant::now();
    loop {
        let now = rig.app.core.runtime.inspect(&rig.container()?).await?.map(|d| d.summary.id);
        if now.is_some() && now != before && rig.shown()?.state == State::Running {
            break;
        }
        if started.elapsed() > REPAIR_LIMIT {
            return failed(format!("it was not made again: {:?}", rig.shown()?.last_error));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    read(rig, "before-removal").await?;
    Ok(Outcome::Passed)
}

pub(super) async fn stop(rig: &mut Rig) -> Verdict {
    write(rig, "before-stop").await?;
    let facts = rig.engine.facts();
    let started = Instant::now();
    let accepted = rig.app.stop_instance(&caller(), rig.instance()?.id).await?;
    rig.ended(accepted).await?;
    let took = started.elapsed();
    let Some(detail) = rig.app.core.runtime.inspect(&rig.container()?).await? else {
        return failed("its container is gone");
    };
    // 137 = killed by SIGKILL: the grace was over, or memory.
    if detail.exit_code == 137 || took >= Duration::from_secs(u64::from(facts.stop.grace_secs)) {
        return failed(format!("it had to be killed after {} s (exit code {})", took.as_secs(), detail.exit_code));
    }
    let Some(says) = facts.stop.says else { return Ok(Outcome::Passed) };
    let log = rig.app.core.runtime.logs(&rig.container()?, LOG_LINES).await?;
    if log.iter().any(|line| line.contains(says)) {
        return Ok(Outcome::Passed);
    }
    failed(format!("the log does not say {says:?}; its end: {}", log[log.len().saturating_sub(5)..].join(" | ")))
}

pub(super) async fn start(rig: &mut Rig) -> Verdict {
    let accepted = rig.app.start_instance(&caller(), rig.instance()?.id).await?;
    rig.ended(accepted).await?;
    for value in ["before-restart", "before-removal", "before-stop"] {
        read(rig, value).await?;
    }
    Ok(Outcome::Passed)
}

pub(super) async fn delete(rig: &mut Rig) -> Verdict {
    let id = rig.instance()?.id;
    let names = Names::new(&rig.app.core.owner, id);
    let accepted = rig.app.delete_instance(&caller(), id).await?;
    rig.ended(accepted).await?;
    let runtime = &rig.app.core.runtime;
    if runtime.inspect(&names.container()).await?.is_some() {
        return failed("the container is left");
    }
    if runtime.volume_exists(&names.volume()).await? {
        return failed("the volume is left");
    }
    let secrets = runtime.secrets(&names.secret_prefix()).await?;
    if !secrets.is_empty() {
        return failed(format!("files are left: {}", secrets.join(", ")));
    }
    Ok(Outcome::Passed)
}
