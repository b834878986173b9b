//! The account that fluxdb uses comes back after somebody changed it inside the server.

use fluxdb_adapters::{Account, Repair};

use super::rig::caller;
use super::{Rig, Verdict, failed, not_offered, tenant};
use crate::domain::conformance::Outcome;
use crate::domain::{Error, Result};
use crate::vault::passwords;

/// The system account's password is changed behind fluxdb's back; a restart with repair brings the known one back.
pub(super) async fn repair_account(rig: &mut Rig) -> Verdict {
    let cx = rig.cx().await?;
    if rig.engine.facts().single_account {
        return not_offered("the tenant's account is the only one");
    }
    if let Repair::Never(why) = rig.engine.repair(&cx).map_err(Error::internal)? {
        return not_offered(why);
    }
    let lost = Account { username: cx.system.username.clone(), password: passwords::generate() };
    let calls = rig.engine.set_password(&lost);
    if calls.is_empty() {
        return not_offered("the account stands in rendered files, which nothing inside the server changes");
    }
    rig.as_system(&calls).await?;
    let locked_out = locked_out(rig).await;
    let accepted = rig.app.repair_account(&caller(), rig.instance()?.id).await?;
    rig.ended(accepted).await?;
    tenant::in_control(rig, "after the repair").await?;
    locked_out.map(|()| Outcome::Passed)
}

/// The server refuses the password that fluxdb knows; some remember for a few seconds whom they let in.
async fn locked_out(rig: &Rig) -> Result<()> {
    for _ in 0..60 {
        match rig.as_system(&[rig.engine.ping()]).await {
            Err(e) if e.code == "login_refused" => return Ok(()),
            _ => tokio::time::sleep(std::time::Duration::from_millis(250)).await,
        }
    }
    failed("the old password of the system account still opens the server")
}
