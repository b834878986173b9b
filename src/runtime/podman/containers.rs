//! Containers on Podman: made and stopped by the raw client, listed, started and removed by the crate.

use std::time::Duration;

use futures_util::TryStreamExt;
use podman_api::opts::{ContainerDeleteOpts, ContainerListFilter, ContainerListOpts, ContainerLogsOpts};

use super::PodmanRuntime;
use super::create::{self, HardLimits};
use super::fault::{Fault, bounded};
use super::inspect::{self, Inspected};
use super::raw::{Body, escape};
use crate::domain::container::{ContainerSpec, LABEL_OWNER, LABEL_SPEC};
use crate::domain::detail::{ContainerDetail, ContainerState, ContainerSummary};
use crate::domain::egress::Egress;
use crate::domain::{Error, Result};
use crate::runtime::{Confined, errors};

/// Beyond the grace, for the runtime's own work.
const STOP_MARGIN: Duration = Duration::from_secs(20);

impl PodmanRuntime {
    pub(super) async fn list(&self) -> Result<Vec<ContainerSummary>> {
        let filter = ContainerListFilter::LabelKeyVal(LABEL_OWNER.into(), self.owner.clone());
        let opts = ContainerListOpts::builder().all(true).filter([filter]).build();
        let containers = self.api.containers();
        let all = self.ok(bounded("list", self.limit(), containers.list(&opts)).await)?;
        let summary = |c: podman_api::models::ListContainer| ContainerSummary {
            name: c.names.and_then(|n| n.into_iter().next()).unwrap_or_default(),
            id: c.id.unwrap_or_default(),
            state: c.state.as_deref().map_or(ContainerState::Other, inspect::state),
            pid: c.pid.and_then(|pid| i32::try_from(pid).ok()).unwrap_or(0),
            labels: c.labels.unwrap_or_default().into_iter().collect(),
        };
        Ok(all.into_iter().map(summary).collect())
    }

    pub(super) async fn look(&self, name: &str) -> Result<Option<ContainerDetail>> {
        match self.raw.get::<Inspected>("inspect", &format!("/containers/{}/json", escape(name))).await {
            Ok(seen) => Ok(Some(seen.into())),
            Err(fault) if fault.says("no such container") => Ok(None),
            Err(fault) => Err(self.error(fault)),
        }
    }

    pub(super) async fn make(&self, spec: &ContainerSpec) -> Result<ContainerDetail> {
        // Podman would make an empty volume in passing.
        if !self.ok(self.raw.exists("volume", &format!("/volumes/{}/exists", escape(&spec.volume))).await)? {
            return Err(errors::volume_missing(&spec.volume));
        }
        let local = self.place().await?.local;
        let hard = *self.hard_limits.get_or_init(|| HardLimits::of_service(&self.raw.address, local)).await;
        let body = Body::Json(create::body(spec, hard));
        let found = match self.raw.post("create", "/containers/create", body).await {
            Ok(_) => false,
            Err(fault) if fault.says("is already in use") => true,
            Err(fault) if fault.says("image not known") || fault.says("no such image") => {
                return Err(errors::image_missing(&spec.image).context(fault.text()));
            }
            Err(fault) if fault.says("no such secret") => {
                return Err(errors::secret_missing(&spec.name).context(fault.text()));
            }
            Err(fault) => return Err(self.error(fault)),
        };
        let detail = self.look(&spec.name).await?.ok_or_else(|| errors::container_missing(&spec.name))?;
        if found && detail.summary.labels.get(LABEL_SPEC) != spec.labels.get(LABEL_SPEC) {
            return Err(errors::container_exists(&spec.name));
        }
        Ok(detail)
    }

    /// `init` makes the network and everything else of a container but runs nothing of it, so no program of the image ever
    /// runs with another network than it may have. A crash in between leaves a container that does not run.
    pub(super) async fn run(&self, name: &str, egress: Egress) -> Result<()> {
        // 304 for one that was made ready before, or runs.
        let init = format!("/containers/{}/init", escape(name));
        let made = self.raw.post("init", &init, Body::None).await;
        made.map_err(|fault| self.not_started(name, fault))?;
        let detail = self.look(name).await?.ok_or_else(|| errors::container_missing(name))?;
        let fresh = detail.summary.state != ContainerState::Running;
        if let Confined::NotEnforced(why) = self.settle(&detail, egress, fresh).await? {
            tracing::warn!(container = name, "{why}");
        }
        let container = self.api.containers().get(name);
        match bounded("start", self.limit(), container.start(None)).await {
            Ok(()) => Ok(()),
            Err(fault) if fault.not_modified() => Ok(()),
            Err(fault) => Err(self.not_started(name, fault)),
        }
    }

    fn not_started(&self, name: &str, fault: Fault) -> Error {
        match fault {
            fault if fault.says("no such container") => errors::container_missing(name),
            Fault::Refused(_, text) if port_taken(&text) => errors::port_taken(&port_in(&text)).context(text),
            Fault::Refused(_, text) => errors::start_failed(name, &text),
            fault => self.error(fault),
        }
    }

    pub(super) async fn halt(&self, name: &str, grace: Duration) -> Result<()> {
        // The crate spells this parameter `Timeout`, which Podman ignores: the container's own stop timeout would count.
        let path = format!("/containers/{}/stop?timeout={}", escape(name), grace.as_secs());
        match self.raw.post_within("stop", &path, Body::None, grace + STOP_MARGIN).await {
            Ok(_) => Ok(()),
            Err(fault) if fault.says("no such container") => Ok(()),
            Err(fault) => Err(self.error(fault)),
        }
    }

    pub(super) async fn drop_container(&self, name: &str) -> Result<()> {
        let container = self.api.containers().get(name);
        // Without timeout=0 a forced removal waits for the stop timeout.
        let opts = ContainerDeleteOpts::builder().force(true).timeout(0).build();
        match bounded("remove", self.limit(), container.delete(&opts)).await {
            Ok(()) => Ok(()),
            Err(fault) if fault.says("no such container") => Ok(()),
            Err(fault) => Err(self.error(fault)),
        }
    }

    pub(super) async fn tail(&self, name: &str, lines: u32) -> Result<Vec<String>> {
        // Asked first: of a refused stream only words are left.
        if !self.ok(self.raw.exists("logs", &format!("/containers/{}/exists", escape(name))).await)? {
            return Err(errors::container_missing(name));
        }
        let container = self.api.containers().get(name);
        let opts = ContainerLogsOpts::builder().stdout(true).stderr(true).tail(lines.to_string()).build();
        let chunks = container.logs(&opts).map_ok(Vec::from).try_collect::<Vec<_>>();
        let text = self.ok(bounded("logs", self.limit(), chunks).await)?.concat();
        let mut out: Vec<String> = String::from_utf8_lossy(&text).lines().map(str::to_owned).collect();
        out.drain(..out.len().saturating_sub(lines as usize));
        Ok(out)
    }
}

/// Every network back end says it in the words of the C library.
fn port_taken(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("address already in use") || text.contains("port is already allocated")
}

/// `127.0.0.1:21000: bind` -> `127.0.0.1:21000`; for people, so nothing where the words differ.
fn port_in(text: &str) -> String {
    text.split_whitespace()
        .map(|w| w.trim_end_matches([':', ',']))
        .find(|w| w.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()))
        .unwrap_or("of the instance")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_back_end_is_understood_when_a_port_is_taken() {
        let go = "cannot listen on the TCP port: listen tcp4 127.0.0.1:21999: bind: address already in use";
        let pasta =
            "pasta failed with exit code 1:\nFailed to bind port 21999 (Address already in use) for option '-t'";
        assert!(port_taken(go) && port_taken(pasta) && !port_taken("OCI permission denied"));
        assert_eq!(port_in(go), "127.0.0.1:21999");
        assert_eq!(port_in(pasta), "of the instance");
    }
}
