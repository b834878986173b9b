//! The Podman implementation of [`ContainerRuntime`].
//!
//! Two clients: the crate `podman-api` where it is right, and a small raw one where it is wrong (see clippy.toml for what
//! of the crate may not be used and why). Which does what is nobody's business above this directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use fluxdb_adapters::Secret;
use futures_util::stream::BoxStream;
use podman_api::Podman;
use tokio::sync::OnceCell;

use super::{
    Attested, Confined, ContainerDetail, ContainerRuntime, ContainerSummary, ExecOutput, ImageSummary, ProgressSink,
    RuntimeEvent, Seeded,
};
use crate::config::PodmanConfig;
use crate::domain::container::ContainerSpec;
use crate::domain::egress::Egress;
use crate::domain::host::HostInfo;
use crate::domain::{Error, ErrorKind, Result};
use address::{Address, Wanted};
use create::HardLimits;
use fault::{Fault, bounded};
use helper::Helper;
use host::Place;
use raw::Raw;
use service::Service;

mod address;
mod attest;
mod build;
mod confine;
mod containers;
mod copy;
mod create;
mod events;
mod exec;
mod fault;
mod files;
pub mod helper;
mod host;
mod images;
mod inspect;
mod raw;
mod rules;
mod seed;
#[cfg(test)]
mod served;
mod service;
mod tools;
mod volumes;

/// Podman, over its socket.
#[derive(Debug)]
pub struct PodmanRuntime {
    owner: String,
    data_dir: PathBuf,
    raw: Raw,
    api: Podman,
    service: Option<Service>,
    helper: Helper,
    /// One of its own: a large copy keeps no container from being confined.
    network_helper: Helper,
    /// Volumes from which others were seeded: beside them the next copy may be in the making.
    templates: Mutex<BTreeSet<String>>,
    place: OnceCell<Place>,
    hard_limits: OnceCell<Option<HardLimits>>,
}

impl PodmanRuntime {
    /// Finds Podman: `[podman] url`, `CONTAINER_HOST`, the usual socket of this user; when nothing answers there, a
    /// service of our own where `manage_service` allows it. A Podman that does not answer yet is no error: every call
    /// says so until it does. Everything that is made bears `owner`; the own service's socket and log and unpacked
    /// recipes are in `data_dir`.
    ///
    /// # Errors
    /// `Invalid` (`podman_url`, `podman_socket_path`): what to set differently.
    pub async fn connect(config: &PodmanConfig, owner: &str, data_dir: &Path) -> Result<Self> {
        let timeout = Duration::from_secs(config.call_timeout_secs.max(1));
        let uid = rustix::process::geteuid().as_raw();
        let (raw, service) = match address::wanted(config, |key| std::env::var(key).ok(), uid)? {
            Wanted::Named(address) => (Raw { address, timeout }, None),
            Wanted::Usual(address) => {
                let usual = Raw { address, timeout };
                if !config.manage_service || usual.ping().await.is_ok() {
                    (usual, None)
                } else {
                    let socket = address::own_socket(data_dir)?;
                    let own = Raw { address: Address::Unix(socket.clone()), timeout };
                    let log = data_dir.join("podman-service.log");
                    (own.clone(), Some(Service::keep(own, socket, log).await))
                }
            }
        };
        let api = match &raw.address {
            Address::Unix(socket) => Podman::unix(socket),
            Address::Tcp(host) => Podman::new(format!("tcp://{host}")).map_err(|e| Error::from(Fault::from(e)))?,
        };
        let program = std::env::current_exe().map_err(Error::internal)?;
        Ok(Self {
            owner: owner.to_owned(),
            data_dir: data_dir.to_owned(),
            raw,
            api,
            service,
            helper: Helper::new(program.clone()),
            network_helper: Helper::new(program),
            templates: Mutex::default(),
            place: OnceCell::new(),
            hard_limits: OnceCell::new(),
        })
    }

    /// The binary that knows [`helper::SUBCOMMAND`]; this one unless a test says otherwise.
    #[must_use]
    pub fn with_helper(mut self, program: PathBuf) -> Self {
        self.helper = Helper::new(program.clone());
        self.network_helper = Helper::new(program);
        self
    }

    /// Ends the `podman system service` that we run ourselves, if there is one. Containers go on.
    pub async fn end_service(&self) {
        if let Some(service) = &self.service {
            service.end().await;
        }
    }

    fn limit(&self) -> Duration {
        self.raw.timeout
    }

    /// Our error; when the socket did not answer, the own service is looked after.
    fn error(&self, fault: Fault) -> Error {
        if let (Fault::Unavailable(_), Some(service)) = (&fault, &self.service) {
            service.poke();
        }
        fault.into()
    }

    fn ok<T>(&self, outcome: std::result::Result<T, Fault>) -> Result<T> {
        outcome.map_err(|fault| self.error(fault))
    }

    async fn info(&self) -> Result<podman_api::models::Info> {
        self.ok(bounded("info", self.limit(), self.api.info()).await)
    }

    async fn place(&self) -> Result<Place> {
        let look = || async { Ok::<_, Error>(host::place(&self.info().await?)) };
        self.place.get_or_try_init(look).await.cloned()
    }
}

#[async_trait]
impl ContainerRuntime for PodmanRuntime {
    async fn ping(&self) -> Result<()> {
        self.ok(self.raw.ping().await)
    }

    async fn host(&self) -> Result<HostInfo> {
        let info = self.info().await?;
        let host = host::host_info(info, &self.raw.address);
        host.ok_or_else(|| Fault::Garbled("info says nothing about the host".into()).into())
    }

    async fn containers(&self) -> Result<Vec<ContainerSummary>> {
        self.list().await
    }

    async fn volumes(&self) -> Result<Vec<(String, BTreeMap<String, String>)>> {
        self.list_volumes().await
    }

    async fn secrets(&self, prefix: &str) -> Result<Vec<String>> {
        self.list_secrets(prefix).await
    }

    async fn inspect(&self, name: &str) -> Result<Option<ContainerDetail>> {
        self.look(name).await
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<ContainerDetail> {
        self.make(spec).await
    }

    async fn start(&self, name: &str, egress: Egress) -> Result<()> {
        self.run(name, egress).await
    }

    async fn confine(&self, detail: &ContainerDetail, egress: Egress) -> Result<Confined> {
        self.settle(detail, egress, false).await
    }

    async fn stop(&self, name: &str, grace: Duration) -> Result<()> {
        self.halt(name, grace).await
    }

    async fn remove(&self, name: &str) -> Result<()> {
        self.drop_container(name).await
    }

    async fn logs(&self, name: &str, lines: u32) -> Result<Vec<String>> {
        self.tail(name, lines).await
    }

    async fn exec(&self, name: &str, exec: &fluxdb_adapters::Exec, limit: Duration) -> Result<ExecOutput> {
        self.execute(name, exec, limit).await
    }

    async fn create_volume(&self, name: &str, labels: &BTreeMap<String, String>, uid: u32, gid: u32) -> Result<()> {
        self.make_volume(name, labels, uid, gid).await
    }

    async fn volume_exists(&self, name: &str) -> Result<bool> {
        self.has_volume(name).await
    }

    async fn remove_volume(&self, name: &str) -> Result<()> {
        self.drop_volume(name).await
    }

    async fn seed_volume(&self, from: &str, to: &str, engine: &'static str, unique: u64) -> Result<Seeded> {
        self.seed(from, to, engine, unique).await
    }

    async fn put_secret(&self, name: &str, content: &Secret) -> Result<()> {
        self.store_secret(name, content).await
    }

    async fn remove_secret(&self, name: &str) -> Result<()> {
        self.drop_secret(name).await
    }

    async fn find_image(&self, reference: &str) -> Result<Option<ImageSummary>> {
        self.image(reference).await
    }

    async fn images(&self) -> Result<Vec<ImageSummary>> {
        self.list_images().await
    }

    async fn pull_image(&self, reference: &str, progress: ProgressSink) -> Result<ImageSummary> {
        self.pull(reference, progress).await
    }

    async fn build_image(
        &self,
        engine: &str,
        version: &str,
        reference: &str,
        progress: ProgressSink,
    ) -> Result<ImageSummary> {
        self.build(engine, version, reference, progress).await
    }

    async fn remove_image(&self, reference: &str) -> Result<()> {
        self.drop_image(reference).await
    }

    async fn attest(&self, detail: &ContainerDetail) -> Result<Attested> {
        if self.place().await?.local {
            return Ok(attest::attest(detail, Path::new("/proc"), Path::new("/sys/fs/cgroup")));
        }
        let print = fluxdb_adapters::Exec {
            argv: ["sh", "-c", attest::PRINT_INSIDE].map(Into::into).into(),
            env: Vec::new(),
            login: false,
            stdin: fluxdb_adapters::Secret::new(""),
            refused_when: "",
        };
        match self.execute(&detail.summary.name, &print, self.limit()).await {
            Ok(said) => Ok(attest::inside(&said.stdout, detail)),
            Err(e) if e.kind == ErrorKind::Unavailable => Err(e),
            // An image may have no shell. Its server is as well as any.
            Err(e) => Ok(Attested::Unreadable(format!(
                "Podman runs on another machine, and the container could not be asked for its limits: {}",
                e.public
            ))),
        }
    }

    fn events(&self) -> BoxStream<'static, RuntimeEvent> {
        events::stream(self.api.clone(), self.raw.clone(), self.owner.clone())
    }
}
