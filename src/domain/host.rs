//! What a host can enforce, from what Podman says about it once.

use serde::{Deserialize, Serialize};

/// What Podman and the kernel say about the host; read at start and after each reconnect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostInfo {
    /// Podman's version, `4.3.1`.
    pub podman_version: String,
    /// Where Podman is reached.
    pub socket: String,
    /// Whether Podman runs as an ordinary user.
    pub rootless: bool,
    /// 1 or 2.
    pub cgroup_version: u8,
    /// Controllers that containers may use (`cpu`, `memory`, `pids`, ...).
    pub cgroup_controllers: Vec<String>,
    /// `systemd` or `cgroupfs`.
    pub cgroup_manager: String,
    /// `crun`, `runc`.
    pub oci_runtime: String,
    /// `overlay`, `vfs`.
    pub storage_driver: String,
    /// Where images and volumes are.
    pub graph_root: String,
    /// Where volumes are.
    pub volume_path: String,
    /// Bytes on that file system.
    pub storage_total_bytes: u64,
    /// Bytes free there.
    pub storage_free_bytes: u64,
    /// `netavark`, `cni`.
    pub network_backend: String,
    /// Processors.
    pub cpus: u32,
    /// Physical memory in bytes.
    pub memory_bytes: u64,
    /// Swap in bytes.
    pub swap_bytes: u64,
    /// Kernel release.
    pub kernel: String,
    /// Distribution and version.
    pub distribution: String,
    /// `amd64`, `arm64`.
    pub arch: String,
    /// Whether this machine is where the daemon runs too (false behind `podman machine` or a forwarded socket).
    pub local: bool,
}

/// The classes of host that differ in what they can limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostClass {
    /// Root on cgroup v1: every limit, swappiness and negative OOM scores too.
    RootfulV1,
    /// Root on cgroup v2.
    RootfulV2,
    /// An ordinary user on cgroup v2 with cpu, memory and pids delegated.
    RootlessV2,
    /// The same without cpu, as older versions of systemd delegate by themselves: memory and processes are limited.
    RootlessV2NoCpu,
    /// An ordinary user without delegation, or on cgroup v1: nothing can be enforced.
    RootlessPlain,
}

/// Controllers without which limits are not real.
pub const NEEDED_CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];

impl HostClass {
    /// The class of this host.
    pub fn of(host: &HostInfo) -> Self {
        match (host.rootless, host.cgroup_version) {
            (false, 1) => Self::RootfulV1,
            (false, _) => Self::RootfulV2,
            // With the cgroupfs manager a rootless Podman shows limits in inspect that have no effect (podman#21575).
            (true, 2) if host.cgroup_manager == "systemd" => match missing_controllers(host)[..] {
                [] => Self::RootlessV2,
                ["cpu"] => Self::RootlessV2NoCpu,
                _ => Self::RootlessPlain,
            },
            (true, _) => Self::RootlessPlain,
        }
    }

    /// Whether every limit can be enforced.
    pub fn enforces(self) -> bool {
        match self {
            Self::RootfulV1 | Self::RootfulV2 | Self::RootlessV2 => true,
            Self::RootlessV2NoCpu | Self::RootlessPlain => false,
        }
    }

    /// Whether memory and processes can be limited at least.
    pub fn limits_memory(self) -> bool {
        self.enforces() || self == Self::RootlessV2NoCpu
    }

    /// Whether Podman runs as root.
    pub fn rootful(self) -> bool {
        matches!(self, Self::RootfulV1 | Self::RootfulV2)
    }

    /// Why limits are not enforced on this host, and what to do; `None` where they are.
    pub fn reason(self, host: &HostInfo) -> Option<String> {
        if self.enforces() {
            return None;
        }
        Some(if host.cgroup_version != 2 {
            "An ordinary user cannot limit containers on cgroup v1. Boot with cgroup v2 (systemd.unified_cgroup_hierarchy=1), or run Podman as root.".into()
        } else if host.cgroup_manager != "systemd" {
            "Rootless Podman uses the cgroupfs manager, under which limits have no effect. Run it inside a systemd user session (loginctl enable-linger) with cgroup_manager = \"systemd\".".into()
        } else {
            let rest = if self.limits_memory() { " (memory and processes are limited all the same)" } else { "" };
            format!(
                "Not delegated to this user: {}{rest}. Add a drop-in for user@.service with Delegate=cpu cpuset io memory pids, then log in again.",
                missing_controllers(host).join(", ")
            )
        })
    }
}

/// Which of [`NEEDED_CONTROLLERS`] the host lacks.
pub fn missing_controllers(host: &HostInfo) -> Vec<&'static str> {
    NEEDED_CONTROLLERS.into_iter().filter(|c| !host.cgroup_controllers.iter().any(|h| h == c)).collect()
}

/// Limits in the host's own units; `None` = not asked or not enforced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HostLimits {
    /// Memory, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Memory and swap together, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_swap_bytes: Option<u64>,
    /// 0 to 100; cgroup v1 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swappiness: Option<u64>,
    /// Memory that is reclaimed last, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_reservation_bytes: Option<u64>,
    /// CPU time in each 100 ms, microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_quota_us: Option<u64>,
    /// Weight under contention; 1024 is one share (on v2 converted to cpu.weight).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_shares: Option<u64>,
    /// Processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<u64>,
    /// Adjustment of the OOM killer's choice, -1000 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_user_is_limited_by_what_is_delegated() {
        let class = |controllers: &[&str], manager: &str| {
            let cgroup_controllers = controllers.iter().map(|c| (*c).to_owned()).collect();
            let cgroup_manager = manager.to_owned();
            let host = HostInfo {
                rootless: true,
                cgroup_version: 2,
                cgroup_controllers,
                cgroup_manager,
                ..HostInfo::default()
            };
            let class = HostClass::of(&host);
            assert_eq!(class.reason(&host).is_none(), class.enforces());
            (class, class.reason(&host).unwrap_or_default())
        };
        assert_eq!(class(&["cpu", "io", "memory", "pids"], "systemd").0, HostClass::RootlessV2);
        let (no_cpu, reason) = class(&["memory", "pids"], "systemd");
        assert_eq!(no_cpu, HostClass::RootlessV2NoCpu);
        assert!(reason.starts_with("Not delegated to this user: cpu (memory and processes are limited"), "{reason}");
        let (nothing, reason) = class(&["pids"], "systemd");
        assert_eq!(nothing, HostClass::RootlessPlain);
        assert!(reason.starts_with("Not delegated to this user: cpu, memory. "), "{reason}");
        assert_eq!(class(&["cpu", "memory", "pids"], "cgroupfs").0, HostClass::RootlessPlain);
    }
}
