//! A container as it really is: what a runtime answers, and what the baseline is compared with.

use std::collections::BTreeMap;

use super::host::HostLimits;

/// Whether a container runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// Made, never started.
    Created,
    /// Its main process runs.
    Running,
    /// It ended or was stopped.
    Exited,
    /// Between states, paused, or a word that we do not know: look again.
    Other,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerSummary {
    /// Name without a slash.
    pub name: String,
    /// Full id.
    pub id: String,
    /// State.
    pub state: ContainerState,
    /// Process id on the host of the main process; 0 when it does not run.
    pub pid: i32,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// One run of a container, from a start to the next end: a restart has another process, a container that was made
/// again another id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerRun {
    id: String,
    pid: i32,
}

impl ContainerSummary {
    /// The run that is going on; `None` when it does not run.
    pub fn run(&self) -> Option<ContainerRun> {
        let running = self.state == ContainerState::Running && self.pid > 0;
        running.then(|| ContainerRun { id: self.id.clone(), pid: self.pid })
    }
}

/// One container as it really is, with nothing secret. Everything that the security baseline is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerDetail {
    /// Name, id, state, labels.
    pub summary: ContainerSummary,
    /// Image id.
    pub image_id: String,
    /// Exit code of the last run.
    pub exit_code: i32,
    /// Whether the kernel killed it for memory, as far as the runtime noticed.
    pub oom_killed: bool,
    /// Error of the last start.
    pub error: String,
    /// When it was last started.
    pub started_at: Option<jiff::Timestamp>,
    /// When it last ended.
    pub finished_at: Option<jiff::Timestamp>,
    /// `uid:gid`.
    pub user: String,
    /// Capabilities that it starts with.
    pub effective_caps: Vec<String>,
    /// no-new-privileges is set.
    pub no_new_privileges: bool,
    /// Root file system is read-only.
    pub read_only_root: bool,
    /// Limits as the runtime recorded them (0 or absent = `None`).
    pub limits: HostLimits,
    /// Largest log, bytes; 0 = unlimited.
    pub log_size_bytes: i64,
    /// Published ports: (address, host port, container port).
    pub ports: Vec<(String, u16, u16)>,
    /// Environment; no secret may be in it.
    pub env: Vec<String>,
    /// Entrypoint and arguments; no secret may be in it.
    pub argv: Vec<String>,
    /// The file that stands for its network namespace where the runtime is; empty while it has none.
    pub network_namespace: String,
    /// Mounts: (kind, source, destination).
    pub mounts: Vec<(String, String, String)>,
}
