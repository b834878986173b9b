//! The JSON that asks Podman for a container, and the limits of this process that it must stay below.

use serde_json::{Map, Value, json};

use super::address::Address;
use crate::domain::container::ContainerSpec;
use crate::domain::host::HostLimits;
use crate::domain::sku::CPU_PERIOD_US;

/// What a container may get from the process that starts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HardLimits {
    pub(super) nofile: u64,
    pub(super) nproc: u64,
    /// Whether it may be less likely to be killed than others: that takes CAP_SYS_RESOURCE, which root in a container
    /// often lacks. Asked for without it, the runtime fails at start.
    pub(super) lower_oom_score: bool,
}

/// Number of CAP_SYS_RESOURCE.
const CAP_SYS_RESOURCE: u32 = 24;

/// As many as Podman gives by itself. Not our way to limit processes: it counts over all containers of a uid.
const MOST_NPROC: u64 = 1_048_576;

impl HardLimits {
    /// Of a service on this machine: those of the process that listens on the socket, which runtimes inherit; of this
    /// process where that is hidden. `None` on another machine, where whoever forwards the socket would be asked instead.
    pub(super) async fn of_service(address: &Address, local: bool) -> Option<Self> {
        let Address::Unix(socket) = address else { return None };
        if !local {
            return None;
        }
        let pid = match super::raw::connect_unix(socket).await {
            Ok(stream) => stream.peer_cred().ok().and_then(|c| c.pid()),
            Err(_) => None,
        };
        let read = |file: &str| {
            let of = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
            pid.and_then(|p| of(&p.to_string())).or_else(|| of("self")).unwrap_or_default()
        };
        let text = read("limits");
        // Podman lowers its own limit to this when it starts, and a socket-activated one has not started yet.
        let pid_max = std::fs::read_to_string("/proc/sys/kernel/pid_max").ok().and_then(|t| t.trim().parse().ok());
        Some(Self {
            nofile: hard_limit(&text, "Max open files").unwrap_or(u64::MAX),
            nproc: hard_limit(&text, "Max processes")
                .unwrap_or(u64::MAX)
                .min(pid_max.unwrap_or(u64::MAX))
                .min(MOST_NPROC),
            lower_oom_score: has_capability(&read("status"), CAP_SYS_RESOURCE),
        })
    }
}

/// The hard limit in a line of `/proc/PID/limits`; `None` = unlimited or not there.
fn hard_limit(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|l| l.strip_prefix(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Whether the effective set in `/proc/PID/status` has this capability.
fn has_capability(status: &str, number: u32) -> bool {
    let set = status.lines().find_map(|l| l.strip_prefix("CapEff:"));
    set.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).is_some_and(|set| set >> number & 1 == 1)
}

/// The body of `POST /containers/create`. Keys that Podman does not know it drops without a word, so what comes of this
/// is read back and compared ([`crate::domain::verify`]).
pub(super) fn body(spec: &ContainerSpec, hard: Option<HardLimits>) -> Value {
    let (uid, gid) = ids(&spec.user);
    let tmpfs = spec.tmpfs.iter().map(|t| {
        let mut options = vec![format!("size={}m", t.size_mib), format!("mode={}", t.mode)];
        options.extend(["nosuid", "nodev", if t.exec { "exec" } else { "noexec" }].map(String::from));
        if t.owned {
            options.push("U".into());
        }
        json!({"type": "tmpfs", "source": "tmpfs", "destination": t.path, "options": options})
    });
    let secrets = spec.secrets.iter().map(|s| {
        // 256 = 0400.
        json!({"Source": s.source, "Target": s.target, "UID": uid, "GID": gid, "Mode": 256})
    });
    let ports = spec.ports.iter().map(|p| {
        json!({"host_ip": p.host_ip, "host_port": p.host_port, "container_port": p.container_port, "protocol": "tcp"})
    });
    let mut body = json!({
        "name": spec.name,
        "image": spec.image,
        "command": spec.argv,
        "env": spec.env,
        "user": spec.user,
        "labels": spec.labels,
        "volumes": [{"Name": spec.volume, "Dest": spec.volume_path, "Options": ["nosuid", "nodev"]}],
        "mounts": tmpfs.collect::<Vec<_>>(),
        "secrets": secrets.collect::<Vec<_>>(),
        "portmappings": ports.collect::<Vec<_>>(),
        "cap_drop": spec.cap_drop,
        "no_new_privileges": spec.no_new_privileges,
        "read_only_filesystem": spec.read_only_root,
        // From 4.4 on; without it newer versions make /dev/shm read-only too. 4.3 ignores it.
        "read_write_tmpfs": true,
        // Volumes that the image declares elsewhere would be made, nameless, and left over.
        "image_volume_mode": "ignore",
        "shm_size": spec.shm_bytes,
        "log_configuration": {"driver": "k8s-file", "size": spec.log_size_bytes},
        "stop_signal": spec.stop_signal,
        "stop_timeout": spec.stop_grace_secs,
        // The daemon brings things up, in its own order and with its own records.
        "restart_policy": "no",
    });
    if let Value::Object(map) = &mut body {
        if let Some(entrypoint) = &spec.entrypoint {
            map.insert("entrypoint".into(), json!(entrypoint));
        }
        // Where it is not known what may be asked for, Podman gives as much as it may have itself.
        if let Some(hard) = hard {
            let nofile = spec.nofile.min(hard.nofile);
            // nproc has to be given with any other, or Podman asks for more than it may have.
            let limits = json!([
                {"type": "nofile", "soft": nofile, "hard": nofile},
                {"type": "nproc", "soft": hard.nproc, "hard": hard.nproc},
                // A server that crashes would leave its whole memory as a file in its volume.
                {"type": "core", "soft": 0, "hard": 0},
            ]);
            map.insert("r_limits".into(), limits);
        }
        if !spec.extra_caps.is_empty() {
            map.insert("cap_add".into(), json!(spec.extra_caps));
        }
        if let Some(score) =
            spec.limits.oom_score_adj.filter(|score| *score >= 0 || hard.is_none_or(|h| h.lower_oom_score))
        {
            map.insert("oom_score_adj".into(), json!(score));
        }
        if let Some(limits) = resources(&spec.limits) {
            map.insert("resource_limits".into(), limits);
        }
    }
    body
}

fn resources(limits: &HostLimits) -> Option<Value> {
    let mut memory = Map::new();
    let mut put = |key: &str, value: Option<u64>| {
        if let Some(value) = value {
            memory.insert(key.into(), json!(value));
        }
    };
    put("limit", limits.memory_bytes);
    put("swap", limits.memory_swap_bytes);
    put("swappiness", limits.swappiness);
    put("reservation", limits.memory_reservation_bytes);
    let mut cpu = Map::new();
    if let Some(quota) = limits.cpu_quota_us {
        cpu.insert("quota".into(), json!(quota));
        cpu.insert("period".into(), json!(CPU_PERIOD_US));
    }
    if let Some(shares) = limits.cpu_shares {
        cpu.insert("shares".into(), json!(shares));
    }
    let mut all = Map::new();
    if !memory.is_empty() {
        all.insert("memory".into(), Value::Object(memory));
    }
    if !cpu.is_empty() {
        all.insert("cpu".into(), Value::Object(cpu));
    }
    if let Some(pids) = limits.pids {
        all.insert("pids".into(), json!({"limit": pids}));
    }
    (!all.is_empty()).then_some(Value::Object(all))
}

/// The numbers of `uid:gid`. What is no number belongs to nobody, never to root.
fn ids(user: &str) -> (u32, u32) {
    const NOBODY: u32 = 65534;
    let (uid, gid) = user.split_once(':').unwrap_or((user, user));
    (uid.parse().unwrap_or(NOBODY), gid.parse().unwrap_or(NOBODY))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: &str = "Limit                     Soft Limit           Hard Limit           Units\n\
         Max processes             32768                32768                processes\n\
         Max open files            1024                 unlimited            files\n";

    #[test]
    fn hard_limits_are_read_from_proc() {
        assert_eq!(hard_limit(LIMITS, "Max processes"), Some(32768));
        assert_eq!(hard_limit(LIMITS, "Max open files"), None);
    }

    #[test]
    fn the_capability_to_lower_an_oom_score_is_read_from_proc() {
        assert!(has_capability("Name:\tx\nCapEff:\t000001ffffffffff\n", CAP_SYS_RESOURCE));
        assert!(!has_capability("Name:\tx\nCapEff:\t000001fffeffffff\n", CAP_SYS_RESOURCE));
        assert!(!has_capability("", CAP_SYS_RESOURCE));
    }

    #[test]
    fn no_limit_is_asked_where_none_can_be_enforced() {
        assert_eq!(resources(&HostLimits::default()), None);
        let some = HostLimits { cpu_quota_us: Some(50_000), swappiness: Some(0), ..HostLimits::default() };
        let asked = json!({"cpu": {"quota": 50_000, "period": 100_000}, "memory": {"swappiness": 0}});
        assert_eq!(resources(&some), Some(asked));
    }

    #[test]
    fn a_user_that_is_no_number_is_not_root() {
        assert_eq!((ids("999:998"), ids("postgres")), ((999, 998), (65534, 65534)));
    }
}
