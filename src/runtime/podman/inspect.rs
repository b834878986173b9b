//! What Podman says about one container, as our own detail.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::domain::detail::{ContainerDetail, ContainerState, ContainerSummary};
use crate::domain::host::HostLimits;

/// Only what is used; the rest changes its type between versions.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Inspected {
    id: String,
    name: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    args: Option<Vec<String>>,
    image: String,
    state: State,
    #[serde(default)]
    effective_caps: Option<Vec<String>>,
    #[serde(default)]
    mounts: Option<Vec<Mount>>,
    config: Config,
    host_config: HostConfig,
    #[serde(default)]
    network_settings: Option<NetworkSettings>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    #[serde(default)]
    sandbox_key: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: String,
    #[serde(default, rename = "OOMKilled")]
    oom_killed: bool,
    #[serde(default)]
    pid: i32,
    #[serde(default)]
    exit_code: i32,
    #[serde(default)]
    error: String,
    #[serde(default)]
    started_at: String,
    #[serde(default)]
    finished_at: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mount {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    source: String,
    destination: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    #[serde(default)]
    user: String,
    #[serde(default)]
    env: Option<Vec<String>>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HostConfig {
    #[serde(default)]
    port_bindings: Option<BTreeMap<String, Option<Vec<Binding>>>>,
    #[serde(default)]
    log_config: LogConfig,
    #[serde(default)]
    security_opt: Option<Vec<String>>,
    #[serde(default)]
    readonly_rootfs: bool,
    #[serde(default)]
    tmpfs: Option<BTreeMap<String, String>>,
    #[serde(default)]
    cpu_shares: u64,
    #[serde(default)]
    cpu_quota: i64,
    #[serde(default)]
    memory: i64,
    #[serde(default)]
    memory_swap: i64,
    #[serde(default)]
    memory_reservation: i64,
    /// -1 = not set.
    #[serde(default)]
    memory_swappiness: Option<i64>,
    #[serde(default)]
    pids_limit: Option<i64>,
    #[serde(default)]
    oom_score_adj: i32,
    #[serde(default)]
    privileged: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LogConfig {
    #[serde(default)]
    size: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Binding {
    #[serde(default)]
    host_ip: String,
    #[serde(default)]
    host_port: String,
}

/// Podman's word for a state.
pub(super) fn state(word: &str) -> ContainerState {
    match word {
        "created" | "configured" | "initialized" => ContainerState::Created,
        "running" => ContainerState::Running,
        "exited" | "stopped" => ContainerState::Exited,
        _ => ContainerState::Other,
    }
}

impl From<Inspected> for ContainerDetail {
    fn from(seen: Inspected) -> Self {
        let host = seen.host_config;
        let positive = |v: i64| u64::try_from(v).ok().filter(|v| *v > 0);
        let mut mounts: Vec<_> = seen
            .mounts
            .unwrap_or_default()
            .into_iter()
            .map(|m| {
                let source = if m.kind == "volume" { m.name } else { m.source };
                (m.kind, source, m.destination)
            })
            .collect();
        mounts.extend(host.tmpfs.unwrap_or_default().into_keys().map(|path| ("tmpfs".into(), "tmpfs".into(), path)));
        let mut argv = vec![seen.path];
        argv.extend(seen.args.unwrap_or_default());
        let mut effective_caps = seen.effective_caps.unwrap_or_default();
        if host.privileged {
            effective_caps.push("ALL".into());
        }
        Self {
            summary: ContainerSummary {
                name: seen.name.trim_start_matches('/').to_owned(),
                id: seen.id,
                state: state(&seen.state.status),
                pid: seen.state.pid,
                labels: seen.config.labels.unwrap_or_default(),
            },
            image_id: seen.image,
            exit_code: seen.state.exit_code,
            oom_killed: seen.state.oom_killed,
            error: seen.state.error,
            started_at: time(&seen.state.started_at),
            finished_at: time(&seen.state.finished_at),
            user: seen.config.user,
            effective_caps,
            no_new_privileges: host
                .security_opt
                .unwrap_or_default()
                .iter()
                .any(|o| o == "no-new-privileges" || o == "no-new-privileges:true"),
            read_only_root: host.readonly_rootfs,
            limits: HostLimits {
                memory_bytes: positive(host.memory),
                memory_swap_bytes: positive(host.memory_swap),
                // Without any memory limit it is shown as 0, which is not what holds.
                swappiness: host.memory_swappiness.filter(|_| host.memory > 0).and_then(|v| u64::try_from(v).ok()),
                memory_reservation_bytes: positive(host.memory_reservation),
                cpu_quota_us: positive(host.cpu_quota),
                cpu_shares: (host.cpu_shares > 0).then_some(host.cpu_shares),
                pids: host.pids_limit.and_then(positive),
                oom_score_adj: (host.oom_score_adj != 0).then_some(host.oom_score_adj),
            },
            log_size_bytes: size(&host.log_config.size),
            ports: ports(host.port_bindings.unwrap_or_default()),
            env: seen.config.env.unwrap_or_default(),
            argv,
            network_namespace: seen.network_settings.map(|n| n.sandbox_key).unwrap_or_default(),
            mounts,
        }
    }
}

fn ports(bindings: BTreeMap<String, Option<Vec<Binding>>>) -> Vec<(String, u16, u16)> {
    let mut ports = Vec::new();
    for (container, bound) in bindings {
        let container = container.split('/').next().and_then(|p| p.parse().ok()).unwrap_or_default();
        for binding in bound.unwrap_or_default() {
            // Published on every address: Podman leaves the field empty.
            let ip = if binding.host_ip.is_empty() { "0.0.0.0".into() } else { binding.host_ip };
            ports.push((ip, binding.host_port.parse().unwrap_or_default(), container));
        }
    }
    ports
}

/// `0001-01-01T00:00:00Z` = never.
fn time(text: &str) -> Option<jiff::Timestamp> {
    text.parse::<jiff::Timestamp>().ok().filter(|t| t.as_second() > 0)
}

/// Podman shows `10MB`, four digits and decimal units; a number in later versions. 0 = unlimited.
fn size(value: &Value) -> i64 {
    if let Some(number) = value.as_i64() {
        return number;
    }
    let text = value.as_str().unwrap_or_default();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        _ => 1.0,
    };
    digits.parse::<f64>().map(|n| (n * factor).round() as i64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn smallest(host_config: Value) -> ContainerDetail {
        let text = json!({
            "Id": "1", "Name": "/c", "Image": "i", "State": {"Status": "exited", "StartedAt": "0001-01-01T00:00:00Z"},
            "Config": {"StopSignal": "SIGTERM", "Entrypoint": ["changes", "type"]}, "HostConfig": host_config,
        });
        serde_json::from_value::<Inspected>(text).expect("understood").into()
    }

    #[test]
    fn what_was_never_set_is_absent() {
        assert_eq!(smallest(json!({"MemorySwappiness": 0})).limits, HostLimits::default());
        let seen = smallest(
            json!({"MemorySwappiness": -1, "Memory": 0, "CpuQuota": 0, "PidsLimit": null, "SecurityOpt": null}),
        );
        assert_eq!(seen.limits, HostLimits::default());
        assert!(!seen.no_new_privileges && !seen.read_only_root);
        assert_eq!((seen.started_at, seen.summary.name.as_str()), (None, "c"));
    }

    #[test]
    fn sizes_are_read_in_both_spellings() {
        assert_eq!(size(&json!("10MB")), 10_000_000);
        assert_eq!(size(&json!("1.5kB")), 1500);
        assert_eq!(size(&json!("0B")), 0);
        assert_eq!(size(&json!(5)), 5);
    }

    #[test]
    fn a_port_on_every_address_is_said_to_be_so() {
        let seen = smallest(json!({"PortBindings": {"5432/tcp": [{"HostIp": "", "HostPort": "21000"}]}}));
        assert_eq!(seen.ports, [("0.0.0.0".to_owned(), 21000, 5432)]);
    }
}
