//! What the host is, from `podman info` and, where it is this machine, from the machine itself.

use podman_api::models::Info;

use super::address::Address;
use crate::domain::host::HostInfo;

/// What is needed to reach files of the host; found once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Podman's host is this machine.
    pub(super) local: bool,
    /// Podman runs as an ordinary user.
    pub(super) rootless: bool,
}

pub(super) fn place(info: &Info) -> Place {
    let host = info.host.as_ref();
    let rootless = host.and_then(|h| h.security.as_ref()).and_then(|s| s.rootless).unwrap_or(true);
    // A forwarded socket looks like a local one, so the machines are compared.
    let here = rustix::system::uname();
    let local = host.is_some_and(|h| {
        h.hostname.as_deref() == here.nodename().to_str().ok()
            && h.kernel.as_deref() == here.release().to_str().ok()
            && h.mem_total == memory_total()
    });
    Place { local, rootless }
}

/// `None` when Podman says nothing about its host.
pub(super) fn host_info(info: Info, address: &Address) -> Option<HostInfo> {
    let place = place(&info);
    let host = info.host?;
    let store = info.store;
    let distribution = host.distribution.as_ref();
    let graph_root = store.as_ref().and_then(|s| s.graph_root.clone()).unwrap_or_default();
    let volume_path =
        store.as_ref().and_then(|s| s.volume_path.clone()).unwrap_or_else(|| format!("{graph_root}/volumes"));
    let total = store.as_ref().and_then(|s| s.graph_root_allocated).unwrap_or_default();
    let used = store.as_ref().and_then(|s| s.graph_root_used).unwrap_or_default();
    // Podman counts blocks that are reserved for root as free.
    let free = place.local.then(|| rustix::fs::statvfs(graph_root.as_str()).ok()).flatten();
    let positive = |v: Option<i64>| v.and_then(|v| u64::try_from(v).ok()).unwrap_or_default();
    Some(HostInfo {
        podman_version: info.version.and_then(|v| v.version).unwrap_or_default(),
        socket: address.to_string(),
        rootless: place.rootless,
        cgroup_version: if host.cgroup_version.as_deref() == Some("v2") { 2 } else { 1 },
        cgroup_controllers: host.cgroup_controllers.unwrap_or_default(),
        cgroup_manager: host.cgroup_manager.unwrap_or_default(),
        oci_runtime: host.oci_runtime.and_then(|r| r.name).unwrap_or_default(),
        storage_driver: store.and_then(|s| s.graph_driver_name).unwrap_or_default(),
        storage_total_bytes: total,
        storage_free_bytes: free.map_or(total.saturating_sub(used), |f| f.f_bavail * f.f_frsize),
        graph_root,
        volume_path,
        network_backend: host.network_backend.unwrap_or_default(),
        cpus: host.cpus.and_then(|c| u32::try_from(c).ok()).unwrap_or_default(),
        memory_bytes: positive(host.mem_total),
        swap_bytes: positive(host.swap_total),
        kernel: host.kernel.unwrap_or_default(),
        distribution: distribution
            .map(|d| format!("{} {}", d.distribution.as_deref().unwrap_or(""), d.version.as_deref().unwrap_or("")))
            .unwrap_or_default()
            .trim()
            .to_owned(),
        arch: host.arch.unwrap_or_default(),
        local: place.local,
    })
}

/// `MemTotal` of this machine in bytes.
fn memory_total() -> Option<i64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<i64>().ok().map(|kib| kib * 1024)
}
