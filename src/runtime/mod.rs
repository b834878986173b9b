//! What runs containers, as everything above sees it. Podman is one implementation; the in-memory fake is the other.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use fluxdb_adapters::Secret;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;

use crate::domain::container::ContainerSpec;
use crate::domain::egress::Egress;
use crate::domain::host::{HostInfo, HostLimits};
use crate::domain::{InstanceId, Result};

pub(crate) mod errors;
pub mod fake;
pub mod podman;

pub use crate::domain::detail::{ContainerDetail, ContainerState, ContainerSummary};

/// An image in the runtime's store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSummary {
    /// Image id (digest of its configuration): what a template belongs to.
    pub id: String,
    /// Names.
    pub references: Vec<String>,
    /// Bytes.
    pub size_bytes: u64,
    /// When it was made.
    pub created_at: Option<jiff::Timestamp>,
    /// Processors that it is for, `amd64`; listings do not say.
    pub arch: Option<String>,
}

/// How far a pull or build is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageProgress {
    /// Done so far.
    pub current: u64,
    /// All there is; 0 = not known.
    pub max: u64,
    /// A line for people.
    pub text: String,
}

/// Where progress goes; a full channel drops.
pub type ProgressSink = mpsc::Sender<ImageProgress>;

/// Something that happened to a thing of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuntimeEvent {
    /// The container of this instance started, died or was removed: look at it.
    Container {
        /// Whose container.
        instance: InstanceId,
        /// `start`, `died`, `remove`, ...
        action: String,
    },
    /// The stream was cut and is back, or the runtime was away: look at everything.
    Lost,
}

/// What came of asking for a copy of a template volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seeded {
    /// Copied and made its own.
    Copied {
        /// Bytes copied.
        bytes: u64,
        /// Whether the file system shared the blocks.
        reflinked: bool,
    },
    /// Not possible on this host; initialise in the ordinary way. Says why.
    Unsupported(String),
}

/// What a program inside a container wrote and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecOutput {
    /// Exit code; 127 where there is no such program, 128 and the signal's number where a signal ended it.
    pub code: i64,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Whether a running container reaches what it may reach, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confined {
    /// As asked, read back from the kernel.
    AsAsked,
    /// Not so. Says why, and what to do.
    NotEnforced(String),
}

/// What the cgroup files of a running container say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attested {
    /// Read back.
    Read(HostLimits),
    /// Cannot be read on this host. Says why.
    Unreadable(String),
}

/// Runs containers. All calls are bounded in time by the implementation; all errors say in `public` what to do.
///
/// Repeating is safe: creating what is there with the same content, starting what runs, stopping what is stopped
/// and removing what is gone all succeed.
///
/// # Errors
/// Every call: `Unavailable` (code `podman_unavailable`) when the runtime does not answer; `Internal` with the
/// runtime's own words in the context otherwise, unless a code is named.
#[async_trait]
pub trait ContainerRuntime: Send + Sync {
    /// Cheap proof of life (well under a millisecond when all is well).
    async fn ping(&self) -> Result<()>;

    /// What the host is; forks tools, so not for polling.
    async fn host(&self) -> Result<HostInfo>;

    /// Every container of this installation (label [`crate::domain::container::LABEL_OWNER`]), in one call.
    async fn containers(&self) -> Result<Vec<ContainerSummary>>;

    /// Names of every volume of this installation, with labels.
    async fn volumes(&self) -> Result<Vec<(String, BTreeMap<String, String>)>>;

    /// Names of every secret that starts with `prefix`.
    async fn secrets(&self, prefix: &str) -> Result<Vec<String>>;

    /// One container; `None` when there is none of that name.
    async fn inspect(&self, name: &str) -> Result<Option<ContainerDetail>>;

    /// Makes a container and answers its detail, read back. One with the same name and the same spec label is left and
    /// answered; the same name with another spec label is a `Conflict` (`container_exists`).
    /// Codes: `image_missing`, `volume_missing`, `secret_missing`.
    async fn create(&self, spec: &ContainerSpec) -> Result<ContainerDetail>;

    /// Starts it. What it may reach is settled before its first process runs; where this host cannot do that it is
    /// started all the same, and [`ContainerRuntime::confine`] says why.
    /// Codes: `container_missing`, `port_taken`, `container_start_failed`.
    async fn start(&self, name: &str, egress: Egress) -> Result<()>;

    /// Settles what a running container may reach, and reads it back. Every start begins anew, also one by hand.
    async fn confine(&self, detail: &ContainerDetail, egress: Egress) -> Result<Confined>;

    /// Stops it with its own signal, killing it after `grace`. A missing one is fine.
    async fn stop(&self, name: &str, grace: Duration) -> Result<()>;

    /// Removes it, killing it if it runs; never its named volume. A missing one is fine.
    async fn remove(&self, name: &str) -> Result<()>;

    /// The last lines of its output, both streams, at most `lines`. Code: `container_missing`.
    async fn logs(&self, name: &str, lines: u32) -> Result<Vec<String>>;

    /// Runs a program inside a running container, as the container's user, and waits for its end; after `limit` it is
    /// killed where that is possible. At most 16 MiB of output.
    /// Codes: `container_missing`, `container_not_running`, `exec_timeout`, `exec_output_too_large`.
    async fn exec(&self, name: &str, exec: &fluxdb_adapters::Exec, limit: Duration) -> Result<ExecOutput>;

    /// Makes a volume owned by `uid:gid`. One that is there is fine.
    async fn create_volume(&self, name: &str, labels: &BTreeMap<String, String>, uid: u32, gid: u32) -> Result<()>;

    /// Whether the volume is there.
    async fn volume_exists(&self, name: &str) -> Result<bool>;

    /// Removes a volume. A missing one is fine. In use: `Conflict` (`volume_in_use`).
    async fn remove_volume(&self, name: &str) -> Result<()>;

    /// Copies a stopped template's volume into `to` (made by [`ContainerRuntime::create_volume`]; whatever is in it is
    /// replaced), keeping owners and modes, and lets the engine make the copy its own
    /// ([`fluxdb_adapters::Seed::personalise`]).
    async fn seed_volume(&self, from: &str, to: &str, engine: &'static str, unique: u64) -> Result<Seeded>;

    /// Puts a secret. One of that name is fine (contents never change under a name).
    async fn put_secret(&self, name: &str, content: &Secret) -> Result<()>;

    /// Removes a secret. A missing one is fine.
    async fn remove_secret(&self, name: &str) -> Result<()>;

    /// The image of this name, if it is in the store.
    async fn find_image(&self, reference: &str) -> Result<Option<ImageSummary>>;

    /// Every image in the store that fluxdb could use.
    async fn images(&self) -> Result<Vec<ImageSummary>>;

    /// Pulls an image. Codes: `image_pull_failed` (no such image, refused), `registry_unreachable`.
    async fn pull_image(&self, reference: &str, progress: ProgressSink) -> Result<ImageSummary>;

    /// Builds `engine` `version` out of distribution packages under the name `reference`.
    /// Codes: `image_build_failed` (with the last lines), `image_build_unsupported`.
    async fn build_image(
        &self,
        engine: &str,
        version: &str,
        reference: &str,
        progress: ProgressSink,
    ) -> Result<ImageSummary>;

    /// Removes an image by name. A missing one is fine. In use: `Conflict` (`image_in_use`).
    async fn remove_image(&self, reference: &str) -> Result<()>;

    /// Limits of a running container, from its cgroup files.
    async fn attest(&self, detail: &ContainerDetail) -> Result<Attested>;

    /// What happens to this installation's containers, for ever: reconnects by itself and then says
    /// [`RuntimeEvent::Lost`].
    fn events(&self) -> BoxStream<'static, RuntimeEvent>;
}
