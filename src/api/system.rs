//! The daemon and the host below it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /status`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Module id and name, from module.json.
    pub module: String,
    /// Name.
    pub name: String,
    /// Version of fluxdb.
    pub version: String,
    /// Installation id: in the names and labels of all that this daemon makes.
    pub installation: String,
    /// Whether the module is enabled.
    pub enabled: bool,
    /// Seconds since start.
    pub uptime_secs: u64,
    /// `ok`, or `degraded` with `problems`.
    pub status: String,
    /// Whether the runtime answers.
    pub podman_reachable: bool,
    /// How many instances are in each state.
    pub instances: BTreeMap<String, u64>,
    /// What is wrong, in sentences: orphans found, workers that fail, a runtime that is away.
    pub problems: Vec<String>,
    /// The background workers.
    pub workers: Vec<WorkerStatus>,
}

/// One background worker.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct WorkerStatus {
    /// Its name.
    pub name: String,
    /// When it last ran.
    pub last_run_at: Option<String>,
    /// How long that took, ms.
    pub last_duration_ms: u64,
    /// What it did or why it failed.
    pub detail: String,
    /// Whether the last run went well.
    pub ok: bool,
}

/// One check of the host.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Requirement {
    /// Stable name.
    pub name: String,
    /// Whether it is met.
    pub ok: bool,
    /// Whether instances cannot run without it.
    pub required: bool,
    /// What was found.
    pub detail: String,
    /// What to do; empty when it is met.
    pub fix: String,
}

/// `GET /requirements`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Requirements {
    /// Whether all that is required is met.
    pub ok: bool,
    /// The checks.
    pub items: Vec<Requirement>,
}

/// `GET /system-info`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SystemInfo {
    /// Processors.
    pub cpus: u32,
    /// Memory, MiB.
    pub memory_mib: u64,
    /// Memory that the daemon leaves alone, MiB.
    pub memory_reserve_mib: u64,
    /// Swap, MiB.
    pub swap_mib: u64,
    /// Disk of the runtime's store, bytes.
    pub disk_total_bytes: u64,
    /// Free there, bytes.
    pub disk_free_bytes: u64,
    /// Kernel release.
    pub kernel: String,
    /// Distribution.
    pub distribution: String,
    /// `amd64`, `arm64`.
    pub arch: String,
    /// vCPUs that may be promised in all.
    pub vcpu_allocatable: u64,
    /// vCPUs promised.
    pub vcpu_allocated: u64,
    /// Memory that may be promised in all, MiB.
    pub memory_mib_allocatable: u64,
    /// Memory promised, MiB.
    pub memory_mib_allocated: u64,
    /// Where the data of instances lies.
    pub storage: StorageInfo,
    /// How much of the audit log there is.
    pub audit: AuditInfo,
}

/// Where the data of instances lies.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct StorageInfo {
    /// Podman's directory of volumes, on its own machine.
    pub volumes: String,
    /// Whether what lies there is encrypted on the disk, by this host: `yes`, `no` or `unknown`.
    pub encrypted_at_rest: String,
    /// By what, or why not.
    pub detail: String,
}

/// How much of the audit log there is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct AuditInfo {
    /// Days that its lines are kept; 0 = for ever.
    pub keep_days: u32,
    /// When its oldest line was written.
    pub oldest_at: Option<String>,
}

/// `GET /podman/status`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PodmanStatus {
    /// Whether it answers.
    pub reachable: bool,
    /// Why not.
    pub error: Option<String>,
    /// Version.
    pub version: String,
    /// Where.
    pub socket: String,
    /// As an ordinary user.
    pub rootless: bool,
    /// Storage driver.
    pub storage_driver: String,
    /// Bytes in all.
    pub storage_total_bytes: u64,
    /// Bytes free.
    pub storage_free_bytes: u64,
    /// 1 or 2.
    pub cgroup_version: u8,
    /// Controllers that containers may use.
    pub cgroup_controllers: Vec<String>,
    /// `systemd` or `cgroupfs`.
    pub cgroup_manager: String,
    /// `crun`, `runc`.
    pub oci_runtime: String,
    /// `netavark`, `cni`.
    pub network_backend: String,
    /// Whether limits can be enforced.
    pub limits_enforced: bool,
    /// Why not, and what to do.
    pub limits_reason: Option<String>,
}
