//! Is a container as it was asked? The security baseline and the limits, read back.

use super::container::ContainerSpec;
use super::detail::ContainerDetail;
use super::host::HostClass;

/// Compares a container with what was asked, on a host of this class. A runtime may drop a key without a word, so this
/// is called after each create, and what differs is not started. Swap, swappiness and scores are not compared here:
/// kernels differ in what they offer, and [`crate::runtime::ContainerRuntime::attest`] publishes what is in force.
///
/// # Errors
/// Every difference, a sentence each.
pub fn verify(spec: &ContainerSpec, seen: &ContainerDetail, class: HostClass) -> Result<(), Vec<String>> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, asked: String, got: String| {
        if asked != got {
            differences.push(format!("{what} is {got}, not {asked}"));
        }
    };
    compare("no-new-privileges", spec.no_new_privileges.to_string(), seen.no_new_privileges.to_string());
    compare("the read-only root file system", spec.read_only_root.to_string(), seen.read_only_root.to_string());
    compare("the user", spec.user.clone(), seen.user.clone());
    compare("the set of capabilities", caps(&spec.extra_caps), caps(&seen.effective_caps));
    compare("the largest log", spec.log_size_bytes.to_string(), seen.log_size_bytes.to_string());
    compare("the set of published ports", ports(spec), seen_ports(seen));
    compare("what is mounted from the host", spec_volume(spec), host_mounts(seen));
    for (key, value) in &spec.labels {
        let got = seen.summary.labels.get(key);
        compare(&format!("the label {key}"), value.clone(), got.cloned().unwrap_or_default());
    }
    if class.limits_memory() {
        let (asked, got) = (&spec.limits, &seen.limits);
        for (what, asked, got) in [
            ("the memory limit", asked.memory_bytes, got.memory_bytes),
            ("the CPU quota", asked.cpu_quota_us, got.cpu_quota_us),
            ("the CPU shares", asked.cpu_shares, got.cpu_shares),
            ("the limit of processes", asked.pids, got.pids),
        ] {
            compare(what, number(asked), number(got));
        }
    }
    if differences.is_empty() { Ok(()) } else { Err(differences) }
}

fn number(value: Option<u64>) -> String {
    value.map_or_else(|| "unlimited".into(), |v| v.to_string())
}

fn caps(names: &[String]) -> String {
    let mut names: Vec<String> = names.iter().map(|n| n.to_uppercase().trim_start_matches("CAP_").to_owned()).collect();
    names.sort();
    if names.is_empty() { "none".into() } else { names.join(" ") }
}

fn ports(spec: &ContainerSpec) -> String {
    joined(spec.ports.iter().map(|p| format!("{}:{}->{}", p.host_ip, p.host_port, p.container_port)))
}

fn seen_ports(seen: &ContainerDetail) -> String {
    joined(seen.ports.iter().map(|(ip, host, container)| format!("{ip}:{host}->{container}")))
}

fn spec_volume(spec: &ContainerSpec) -> String {
    format!("{} at {}", spec.volume, spec.volume_path)
}

fn host_mounts(seen: &ContainerDetail) -> String {
    joined(seen.mounts.iter().filter(|(kind, ..)| kind != "tmpfs").map(|(_, from, to)| format!("{from} at {to}")))
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    let mut parts: Vec<String> = parts.collect();
    parts.sort();
    if parts.is_empty() { "nothing".into() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::detail::{ContainerState, ContainerSummary};
    use crate::domain::host::HostLimits;

    fn spec() -> ContainerSpec {
        serde_json::from_value(serde_json::json!({
            "name": "c", "image": "i", "argv": [], "env": {}, "user": "999:999", "volume": "v", "volume_path": "/data",
            "tmpfs": [], "secrets": [],
            "ports": [{"host_ip": "127.0.0.1", "host_port": 21000, "container_port": 5432}], "shm_bytes": 0,
            "limits": {"memory_bytes": 1024, "cpu_quota_us": 100_000, "cpu_shares": 512, "pids": 100}, "nofile": 1024,
            "stop_signal": 2, "stop_grace_secs": 1, "extra_caps": [], "log_size_bytes": 10, "labels": {"a": "b"},
            "read_only_root": true, "no_new_privileges": true, "cap_drop": ["ALL"]
        }))
        .expect("a specification")
    }

    fn as_asked() -> ContainerDetail {
        let spec = spec();
        ContainerDetail {
            summary: ContainerSummary {
                name: spec.name,
                id: "1".into(),
                state: ContainerState::Created,
                pid: 0,
                labels: spec.labels,
            },
            image_id: "i".into(),
            exit_code: 0,
            oom_killed: false,
            error: String::new(),
            started_at: None,
            finished_at: None,
            user: spec.user,
            effective_caps: vec![],
            no_new_privileges: true,
            read_only_root: true,
            limits: spec.limits,
            log_size_bytes: 10,
            ports: vec![("127.0.0.1".into(), 21000, 5432)],
            env: vec![],
            argv: vec![],
            network_namespace: String::new(),
            mounts: vec![("volume".into(), "v".into(), "/data".into())],
        }
    }

    #[test]
    fn what_is_as_asked_passes() {
        assert_eq!(verify(&spec(), &as_asked(), HostClass::RootfulV1), Ok(()));
    }

    #[test]
    fn each_weakness_is_named() {
        type Weaken = fn(&mut ContainerDetail);
        let cases: [(&str, Weaken); 13] = [
            ("no-new-privileges is false", |d| d.no_new_privileges = false),
            ("root file system is false", |d| d.read_only_root = false),
            ("the user is 0:0", |d| d.user = "0:0".into()),
            ("capabilities is CHOWN", |d| d.effective_caps = vec!["CAP_CHOWN".into()]),
            ("the largest log is 0", |d| d.log_size_bytes = 0),
            ("0.0.0.0:21000", |d| d.ports[0].0 = "0.0.0.0".into()),
            ("ports is nothing", |d| d.ports.clear()),
            ("/ at /host", |d| d.mounts.push(("bind".into(), "/".into(), "/host".into()))),
            ("the label a is ", |d| d.summary.labels.clear()),
            ("memory limit is unlimited", |d| d.limits.memory_bytes = None),
            ("CPU quota is 1,", |d| d.limits.cpu_quota_us = Some(1)),
            ("CPU shares is 2,", |d| d.limits.cpu_shares = Some(2)),
            ("processes is 2048", |d| d.limits.pids = Some(2048)),
        ];
        for (text, weaken) in cases {
            let mut seen = as_asked();
            weaken(&mut seen);
            let differences = verify(&spec(), &seen, HostClass::RootfulV1).expect_err(text);
            assert_eq!(differences.len(), 1, "{differences:?}");
            assert!(differences[0].contains(text), "{differences:?} should say {text}");
        }
    }

    #[test]
    fn limits_are_not_asked_of_a_host_that_has_none() {
        let mut seen = as_asked();
        seen.limits = HostLimits { pids: Some(2048), ..HostLimits::default() };
        assert_eq!(verify(&spec(), &seen, HostClass::RootlessPlain), Ok(()));
    }
}
