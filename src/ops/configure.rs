//! Changing engine settings: at once where the engine can, by a restart where it cannot, and back when it will not start.
//! And what the server may reach, which never takes a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fluxdb_adapters::{Apply, Cx, Setting, budget};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::Core;
use super::converge::{converge, last_lines};
use super::drive::Op;
use super::network;
use crate::domain::container::Names;
use crate::domain::instance::InstanceRecord;
use crate::domain::{Error, ErrorKind, InstanceId, Result, full};
use crate::runtime::ContainerState;

/// How long a server may take to change one setting.
const CHANGE_LIMIT: Duration = Duration::from_secs(30);

/// Lines of the log that may explain a refusal.
const LOG_LINES: u32 = 10;

/// When the log is read for the reason of a refusal: another process writes it, a moment after the server has answered.
const LOG_PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_millis(200), Duration::from_millis(800)];

/// What has to be remembered to take a change back; the operation's parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigureParams {
    /// What the user had set before.
    pub previous: BTreeMap<String, String>,
    /// Whether the change needs a restart.
    pub restart: bool,
    /// Whether outgoing traffic was open before, where that is what was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<bool>,
}

/// Brings the server to the settings that the record holds by now.
///
/// # Errors
/// The server's refusal of a value; a server that does not start with it. Both are taken back.
pub async fn configure(op: &Op) -> Result<()> {
    let id = op.instance()?;
    let params: ConfigureParams = serde_json::from_value(op.record.params.clone()).map_err(Error::internal)?;
    if params.egress.is_some() {
        // Without a look at the server: also of one that hangs it can be closed.
        return op.step("egress", || change_egress(&op.core, id)).await;
    }
    if !params.restart {
        op.step("settings", || async {
            let record = op.core.registry.record(id).ok_or_else(|| Error::not_found("instance"))?;
            change_running(&op.core, &record, &params.previous).await
        })
        .await?;
    }
    converge(op, id).await
}

/// Puts the settings from before back: in the running server, or by a restart where it does not take them.
///
/// # Errors
/// As [`configure`].
pub async fn undo_configure(op: &Op) -> Result<()> {
    let id = op.instance()?;
    let params: ConfigureParams = serde_json::from_value(op.record.params.clone()).map_err(Error::internal)?;
    let Some(tried) = op.core.registry.record(id) else { return Ok(()) };
    if let Some(before) = params.egress {
        op.core.change_record(id, move |r| r.egress = before).await?;
        return change_egress(&op.core, id).await.map(|_| ());
    }
    let record = if tried.settings == params.previous {
        tried.clone()
    } else {
        op.core
            .change_record(id, move |r| {
                r.settings = params.previous;
                r.revision += 1;
                if params.restart {
                    r.restart_revision = r.revision;
                }
            })
            .await?
    };
    let mut why = None;
    if !params.restart
        && let Err(refused) = change_running(&op.core, &record, &tried.settings).await
    {
        if refused.code == "podman_unavailable" {
            return Err(refused);
        }
        // A server that cannot take a value over (its disk is full, it hangs, it fell) may have the old one all the same;
        // if not, it reads it when it starts.
        if !has(&op.core, &record, &differing(&tried.settings, &record.settings)).await {
            warn!(instance.id = %id, error = %refused.story(), "the settings from before need a restart");
            op.core.change_record(id, |r| r.restart_revision = r.revision).await?;
            why = Some(refused);
        }
    }
    let come_back = converge(op, id).await;
    match (come_back, why) {
        (Err(e), Some(refused)) => Err(e.context(refused.story())),
        (other, _) => other,
    }
}

/// Whether these settings are in the running server what the record says.
async fn has(core: &Core, record: &InstanceRecord, names: &BTreeSet<String>) -> bool {
    let seen = async {
        let engine = record.engine()?;
        let Some(settings) = engine.settings() else { return Ok(false) };
        let cx = core.cx(record).await?;
        let answers = core.talk(record, &cx.system, None, &settings.read(&cx), CHANGE_LIMIT).await?;
        let seen = settings.parse(&cx, &answers);
        Ok::<bool, Error>(names.iter().all(|name| {
            let Some(setting) = settings.catalogue().iter().find(|s| s.name == name) else { return true };
            let want = record.settings.get(name).cloned().unwrap_or_else(|| settings.usual(&cx, setting));
            seen.get(name).is_some_and(|seen| same(seen, &want))
        }))
    };
    seen.await.unwrap_or(false)
}

/// Whether two values are the same: `0.50` is `0.5`.
pub fn same(a: &str, b: &str) -> bool {
    a == b || matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if (a - b).abs() < 1e-9)
}

async fn change_egress(core: &Core, id: InstanceId) -> Result<String> {
    let record = core.registry.record(id).ok_or_else(|| Error::not_found("instance"))?;
    network::apply(core, &record).await
}

/// Sets what differs from `before` in the running server. A server that does not run reads it when it starts.
async fn change_running(core: &Core, record: &InstanceRecord, before: &BTreeMap<String, String>) -> Result<String> {
    // Looked at here: what was last seen may be unknown at the moment, and a running server must not be left out.
    let name = Names::new(&core.owner, record.id).container();
    let detail = core.runtime.inspect(&name).await?;
    if !detail.is_some_and(|d| d.summary.state == ContainerState::Running) {
        return Ok("read at the next start".into());
    }
    let engine = record.engine()?;
    let Some(settings) = engine.settings() else { return Ok(String::new()) };
    let cx = core.cx(record).await?;
    let mut changed = Vec::new();
    for name in differing(before, &record.settings) {
        let Some(setting) = settings.catalogue().iter().find(|s| s.name == name) else { continue };
        let calls = settings.change(&cx, setting, record.settings.get(&name).map(String::as_str));
        if let Err(refused) = core.talk(record, &cx.system, None, &calls, CHANGE_LIMIT).await {
            return Err(explained(core, record, refused).await);
        }
        changed.push(name);
    }
    Ok(changed.join(", "))
}

/// The error, with what the log says of a full disk: MariaDB's answer is "Failed to create specific handler file".
async fn explained(core: &Core, record: &InstanceRecord, mut error: Error) -> Error {
    if error.kind != ErrorKind::Unavailable && !full::says_so(&error.public) {
        let name = Names::new(&core.owner, record.id).container();
        for pause in LOG_PAUSES {
            tokio::time::sleep(pause).await;
            let lines = last_lines(core, &name, LOG_LINES).await;
            if let Some(line) = lines.lines().rev().find(|line| full::says_so(line)) {
                error.public =
                    format!("{}. Its log says: {line}\n{}", error.public.trim_end_matches('.'), full::ADVICE);
                break;
            }
        }
    }
    error
}

/// Names whose values are not the same.
pub fn differing(a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) -> BTreeSet<String> {
    a.keys().chain(b.keys()).filter(|name| a.get(*name) != b.get(*name)).cloned().collect()
}

/// Whether a change from `before` to what the record holds takes a restart.
///
/// # Errors
/// As [`InstanceRecord::engine`].
pub async fn needs_restart(core: &Core, record: &InstanceRecord, before: &BTreeMap<String, String>) -> Result<bool> {
    let engine = record.engine()?;
    let Some(settings) = engine.settings() else { return Ok(false) };
    let cx = core.cx(record).await?;
    // A container's limits are set when it is made.
    let earlier = Cx { settings: before.clone(), ..cx.clone() };
    if !budget::host_share(engine, &cx).within(&budget::host_share(engine, &earlier)) {
        return Ok(true);
    }
    let takes = |setting: &Setting| {
        setting.apply != Apply::Dynamic
            || settings.change(&cx, setting, record.settings.get(setting.name).map(String::as_str)).is_empty()
    };
    let changed = differing(before, &record.settings);
    Ok(settings.catalogue().iter().any(|s| changed.contains(s.name) && takes(s)))
}
