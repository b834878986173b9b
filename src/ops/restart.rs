//! Restarting an instance, on request with a repair start that gives the server fluxdb's own account back.

use std::time::Duration;

use fluxdb_adapters::{Launch, Repair};
use serde::{Deserialize, Serialize};

use super::converge::{self, converge};
use super::drive::Op;
use super::ready;
use crate::domain::container::{LABEL_KIND, LABEL_SPEC, Names, plan_launch};
use crate::domain::egress::Egress;
use crate::domain::instance::Observed;
use crate::domain::{Error, InstanceId, Result};

/// The revision in the names of a repair start's files; an instance's own begin at 1.
const REPAIR_REVISION: u32 = 0;

/// What the labels on the container of a repair start say.
const REPAIR_KIND: &str = "repair";

/// The operation's parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RestartParams {
    /// Whether the system account is restored before the server serves again.
    pub repair_account: bool,
}

/// Stops the server and brings it up again, with a container as this fluxdb would make it.
///
/// # Errors
/// As [`converge`]; `login_refused` when a repair start did not help.
pub async fn restart(op: &Op) -> Result<()> {
    let id = op.instance()?;
    let params: RestartParams = serde_json::from_value(op.record.params.clone()).map_err(Error::internal)?;
    op.step_once("stop", || async move { stop(op, id).await.map(|()| String::new()) }).await?;
    if params.repair_account {
        op.step_once("repair_account", || repair_account(op, id)).await?;
    }
    converge(op, id).await
}

/// Leaves nothing of a repair start behind; the reconciler brings the server up again.
///
/// # Errors
/// `Unavailable` while the runtime is away.
pub async fn undo_restart(op: &Op) -> Result<()> {
    let id = op.instance()?;
    let params: RestartParams = serde_json::from_value(op.record.params.clone()).map_err(Error::internal)?;
    if !params.repair_account {
        return Ok(());
    }
    let names = Names::new(&op.core.owner, id);
    op.core.registry.see(id, Observed::Unknown);
    let found = op.core.runtime.inspect(&names.container()).await?;
    if found.is_some_and(|d| d.summary.labels.get(LABEL_KIND).is_some_and(|k| k == REPAIR_KIND)) {
        op.core.runtime.remove(&names.container()).await?;
    }
    remove_files(op, &names).await
}

async fn stop(op: &Op, id: InstanceId) -> Result<()> {
    let Some(record) = op.core.registry.record(id) else { return Err(Error::not_found("instance")) };
    let name = Names::new(&op.core.owner, id).container();
    let grace = Duration::from_secs(u64::from(record.engine()?.facts().stop.grace_secs));
    op.core.runtime.stop(&name, grace).await
}

/// Restores the system account; nothing of it is left afterwards, whatever came of it.
async fn repair_account(op: &Op, id: InstanceId) -> Result<String> {
    let core = &op.core;
    let record = core.registry.record(id).ok_or_else(|| Error::not_found("instance"))?;
    let names = Names::new(&core.owner, id);
    let cx = core.cx(&record).await?;
    core.registry.see(id, Observed::Unknown);
    match record.engine()?.repair(&cx).map_err(Error::internal)? {
        Repair::Never(why) => Err(no_repair(why)),
        Repair::Restart => {
            core.runtime.remove(&names.container()).await?;
            Ok("the account stands in the files of the new container".into())
        }
        Repair::Start(launch) => {
            let outcome = repair_start(op, id, launch).await;
            // Its files hold the password, so they go also when it failed.
            core.runtime.remove(&names.container()).await?;
            remove_files(op, &names).await?;
            outcome
        }
    }
}

/// Starts the server in the adapter's way for it, and waits until the system account can log in.
async fn repair_start(op: &Op, id: InstanceId, launch: Launch) -> Result<String> {
    let core = &op.core;
    let record = core.registry.record(id).ok_or_else(|| Error::not_found("instance"))?;
    let cx = core.cx(&record).await?;
    let names = Names::new(&core.owner, id);
    core.runtime.remove(&names.container()).await?;
    remove_files(op, &names).await?;
    let mut plan = plan_launch(&core.owner, &record, &cx, core.class().await?, launch, REPAIR_REVISION)?;
    plan.spec.labels.insert(LABEL_KIND.into(), REPAIR_KIND.into());
    // No revision's label: whatever finds it after a crash replaces it.
    plan.spec.labels.insert(LABEL_SPEC.into(), REPAIR_KIND.into());
    converge::put_files(core, &plan).await?;
    converge::create_verified(core, &plan).await?;
    core.runtime.start(&plan.spec.name, Egress::Closed).await?;
    ready::await_login(core, &record, &cx.system).await?;
    stop(op, id).await?;
    Ok(format!("{} has the password that fluxdb knows", cx.system.username))
}

async fn remove_files(op: &Op, names: &Names) -> Result<()> {
    for secret in op.core.runtime.secrets(&names.secret("", REPAIR_REVISION)).await? {
        op.core.runtime.remove_secret(&secret).await?;
    }
    Ok(())
}

/// The engine has no repair start.
pub fn no_repair(why: &str) -> Error {
    Error::conflict(
        "no_account_repair",
        format!("The account that fluxdb uses cannot be restored in this server: {why}."),
    )
}
