//! Changing engine settings: at once where the engine can, by a restart where it cannot, and back when it will not start.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fluxdb_adapters::{Apply, Setting};
use serde::{Deserialize, Serialize};

use super::Core;
use super::converge::converge;
use super::drive::Op;
use crate::domain::container::Names;
use crate::domain::instance::InstanceRecord;
use crate::domain::{Error, Result};
use crate::runtime::ContainerState;

/// How long a server may take to change one setting.
const CHANGE_LIMIT: Duration = Duration::from_secs(30);

/// What has to be remembered to take a change back; the operation's parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigureParams {
    /// What the user had set before.
    pub previous: BTreeMap<String, String>,
    /// Whether the change needs a restart.
    pub restart: bool,
}

/// Brings the server to the settings that the record holds by now.
///
/// # Errors
/// The server's refusal of a value; a server that does not start with it. Both are taken back.
pub async fn configure(op: &Op) -> Result<()> {
    let id = op.instance()?;
    let params: ConfigureParams = serde_json::from_value(op.record.params.clone()).map_err(Error::internal)?;
    if !params.restart {
        op.step("settings", || async {
            let record = op.core.registry.record(id).ok_or_else(|| Error::not_found("instance"))?;
            change_running(&op.core, &record, &params.previous).await
        })
        .await?;
    }
    converge(op, id).await
}

/// Puts the settings from before back.
///
/// # Errors
/// As [`configure`].
pub async fn undo_configure(op: &Op) -> Result<()> {
    let id = op.instance()?;
    let params: ConfigureParams = serde_json::from_value(op.record.params.clone()).map_err(Error::internal)?;
    let Some(tried) = op.core.registry.record(id) else { return Ok(()) };
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
    if !params.restart {
        change_running(&op.core, &record, &tried.settings).await?;
    }
    converge(op, id).await
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
        core.talk(record, &cx.system, None, &calls, CHANGE_LIMIT).await?;
        changed.push(name);
    }
    Ok(changed.join(", "))
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
    let takes = |setting: &Setting| {
        setting.apply != Apply::Dynamic
            || settings.change(&cx, setting, record.settings.get(setting.name).map(String::as_str)).is_empty()
    };
    let changed = differing(before, &record.settings);
    Ok(settings.catalogue().iter().any(|s| changed.contains(s.name) && takes(s)))
}
