//! What an instance's container may reach: settled at its start, read back before it is called ready, changed while it runs.

use super::Core;
use crate::api::Network;
use crate::domain::Result;
use crate::domain::container::Names;
use crate::domain::detail::ContainerRun;
use crate::domain::egress::Egress;
use crate::domain::instance::InstanceRecord;
use crate::runtime::{Confined, ContainerState};

/// Settles what the record says in the running container, and says in which run. Nothing is settled in one that does not
/// run: its start will.
///
/// # Errors
/// `Unavailable` while the runtime is away.
pub(super) async fn settle(core: &Core, record: &InstanceRecord) -> Result<(Option<ContainerRun>, Network)> {
    let egress = record.egress();
    let name = Names::new(&core.owner, record.id).container();
    let detail = core.runtime.inspect(&name).await?.filter(|d| d.summary.state == ContainerState::Running);
    let Some(detail) = detail else { return Ok((None, Network { egress, ..Network::default() })) };
    let network = match core.runtime.confine(&detail, egress).await? {
        Confined::AsAsked => Network { egress, enforced: true, reason: None },
        Confined::NotEnforced(why) => Network { egress, enforced: false, reason: Some(why) },
    };
    Ok((detail.summary.run(), network))
}

/// Settles what the record says, for readers too. A container that somebody has just started by hand has rules of nobody.
///
/// # Errors
/// As [`settle`].
pub async fn apply(core: &Core, record: &InstanceRecord) -> Result<String> {
    let (run, network) = settle(core, record).await?;
    let said = if run.is_some() { word(&network) } else { "settled at the next start" };
    core.registry.update(record.id, |e| e.network = network);
    Ok(said.to_owned())
}

/// For a line of the journal.
pub(super) fn word(network: &Network) -> &'static str {
    match (network.egress, network.enforced) {
        (Egress::Open, _) => "egress open",
        (Egress::Closed, true) => "egress closed",
        (Egress::Closed, false) => "egress not closed",
    }
}
