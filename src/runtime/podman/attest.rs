//! The limits of a running container, as its cgroup files say.

use std::path::{Path, PathBuf};

use crate::domain::detail::ContainerDetail;
use crate::domain::host::HostLimits;
use crate::domain::sku::CPU_PERIOD_US;
use crate::runtime::Attested;

/// Reads the files. Where there are none of its own (rootless on cgroup v1: those of the whole login), or they are on
/// another machine, says so.
pub(super) fn attest(detail: &ContainerDetail, proc: &Path, cgroup: &Path) -> Attested {
    if detail.summary.pid <= 0 {
        return Attested::Unreadable("The container does not run.".into());
    }
    let process = proc.join(detail.summary.pid.to_string());
    let Ok(membership) = std::fs::read_to_string(process.join("cgroup")) else {
        return Attested::Unreadable("The container's process is not on this machine.".into());
    };
    let own = |path: &str| path.contains(detail.summary.id.as_str());
    let score = read(&process, "oom_score_adj").and_then(|t| t.parse().ok());
    if let Some(path) = member_of(&membership, "memory").filter(|p| own(p)) {
        let limits = v1(cgroup, &membership, path);
        return Attested::Read(HostLimits { oom_score_adj: score, ..limits });
    }
    if let Some(path) = member_of(&membership, "").filter(|p| own(p))
        && let Some(limits) = v2(cgroup, path, detail)
    {
        return Attested::Read(HostLimits { oom_score_adj: score, ..limits });
    }
    Attested::Unreadable("The container has no control group of its own, so nothing limits it.".into())
}

/// The path of a process in the hierarchy of `controller`; `""` = cgroup v2.
fn member_of<'a>(membership: &'a str, controller: &str) -> Option<&'a str> {
    membership.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let controllers = parts.nth(1)?;
        controllers.split(',').any(|c| c == controller).then(|| parts.next())?
    })
}

fn read(directory: &Path, file: &str) -> Option<String> {
    std::fs::read_to_string(directory.join(file)).ok().map(|t| t.trim().to_owned())
}

fn number(directory: &Path, file: &str) -> Option<u64> {
    read(directory, file)?.parse().ok()
}

fn v1(cgroup: &Path, membership: &str, memory_path: &str) -> HostLimits {
    let directory = |controller: &str| -> PathBuf {
        let path = member_of(membership, controller).unwrap_or(memory_path);
        cgroup.join(controller).join(path.trim_start_matches('/'))
    };
    let (memory, cpu, pids) = (directory("memory"), directory("cpu"), directory("pids"));
    // Without a limit the files hold the largest multiple of a page.
    let limited = |v: Option<u64>| v.filter(|v| *v < u64::MAX / 4);
    HostLimits {
        memory_bytes: limited(number(&memory, "memory.limit_in_bytes")),
        memory_swap_bytes: limited(number(&memory, "memory.memsw.limit_in_bytes")),
        swappiness: number(&memory, "memory.swappiness"),
        memory_reservation_bytes: limited(number(&memory, "memory.soft_limit_in_bytes")),
        // -1 = no limit, which is no u64.
        cpu_quota_us: number(&cpu, "cpu.cfs_quota_us")
            .map(|quota| quota * CPU_PERIOD_US / number(&cpu, "cpu.cfs_period_us").unwrap_or(CPU_PERIOD_US).max(1)),
        cpu_shares: number(&cpu, "cpu.shares"),
        pids: number(&pids, "pids.max"),
        oom_score_adj: None,
    }
}

/// Prints the limits as a container on cgroup v2 sees them itself: the only way to those of another machine.
pub(super) const PRINT_INSIDE: &str = "cd /sys/fs/cgroup && for f in memory.max memory.swap.max memory.low cpu.max cpu.weight pids.max; do \
     if [ -r $f ]; then echo $f $(cat $f); fi; done";

/// The limits from what [`PRINT_INSIDE`] printed.
pub(super) fn inside(printed: &str, detail: &ContainerDetail) -> Attested {
    let text = |file: &str| printed.lines().find_map(|l| l.strip_prefix(file)?.strip_prefix(' ')).map(str::trim);
    let number = |file: &str| text(file).and_then(|t| t.parse::<u64>().ok());
    // Older runtimes limit the group above, which cannot be seen from inside.
    let Some(memory) = number("memory.max") else {
        return Attested::Unreadable(
            "Podman runs on another machine, and its containers do not see their limits.".into(),
        );
    };
    Attested::Read(HostLimits {
        memory_bytes: Some(memory),
        memory_swap_bytes: number("memory.swap.max").map(|swap| memory + swap),
        swappiness: None,
        memory_reservation_bytes: number("memory.low").filter(|v| *v > 0),
        cpu_quota_us: text("cpu.max").and_then(cpu_max),
        cpu_shares: number("cpu.weight").map(|w| shares(w, detail.limits.cpu_shares)),
        pids: number("pids.max"),
        oom_score_adj: None,
    })
}

fn v2(cgroup: &Path, path: &str, detail: &ContainerDetail) -> Option<HostLimits> {
    // crun puts the processes into a child of the group that bears the limits; both hold the container's id in their path.
    let leaf = cgroup.join(path.trim_start_matches('/'));
    let groups: Vec<&Path> = leaf
        .ancestors()
        .take_while(|p| p.to_string_lossy().contains(detail.summary.id.as_str()) && p.starts_with(cgroup))
        .collect();
    groups.iter().find(|g| g.join("memory.max").exists())?;
    // "max" is no number. The tightest counts.
    let tightest = |file: &str| groups.iter().filter_map(|g| number(g, file)).min();
    let memory = tightest("memory.max");
    let quota = groups.iter().filter_map(|g| cpu_max(&read(g, "cpu.max")?)).min();
    let weight = groups.iter().rev().find_map(|g| number(g, "cpu.weight"));
    Some(HostLimits {
        memory_bytes: memory,
        memory_swap_bytes: memory.and_then(|m| Some(m + tightest("memory.swap.max")?)),
        swappiness: None,
        memory_reservation_bytes: groups.iter().filter_map(|g| number(g, "memory.low")).max().filter(|v| *v > 0),
        cpu_quota_us: quota,
        cpu_shares: weight.map(|w| shares(w, detail.limits.cpu_shares)),
        pids: tightest("pids.max"),
        oom_score_adj: None,
    })
}

/// `QUOTA PERIOD`, as a quota for our own period.
fn cpu_max(text: &str) -> Option<u64> {
    let (quota, period) = text.split_once(' ')?;
    Some(quota.parse::<u64>().ok()? * CPU_PERIOD_US / period.parse::<u64>().ok()?.max(1))
}

/// Shares from a weight. Runtimes convert in two ways, so what was asked is recognised by either of them; otherwise by
/// the older, linear one.
fn shares(weight: u64, asked: Option<u64>) -> u64 {
    let linear = |shares: u64| 1 + (shares.saturating_sub(2) * 9999) / 262_142;
    // runc 1.3 and crun 1.23: 1024 shares = weight 100.
    let curved = |shares: u64| {
        let l = (shares.max(2) as f64).log2();
        10f64.powf((l * l + 125.0 * l) / 612.0 - 7.0 / 34.0).ceil() as u64
    };
    match asked {
        Some(asked) if linear(asked) == weight || curved(asked) == weight => asked,
        _ => 2 + (weight.saturating_sub(1) * 262_142) / 9999,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::detail::{ContainerState, ContainerSummary};
    use std::fs;

    fn running(id: &str, shares: Option<u64>) -> ContainerDetail {
        ContainerDetail {
            summary: ContainerSummary {
                name: "c".into(),
                id: id.into(),
                state: ContainerState::Running,
                pid: 7,
                labels: Default::default(),
            },
            image_id: String::new(),
            exit_code: 0,
            oom_killed: false,
            error: String::new(),
            started_at: None,
            finished_at: None,
            user: String::new(),
            effective_caps: vec![],
            no_new_privileges: true,
            read_only_root: true,
            limits: HostLimits { cpu_shares: shares, ..HostLimits::default() },
            log_size_bytes: 0,
            ports: vec![],
            env: vec![],
            argv: vec![],
            network_namespace: String::new(),
            mounts: vec![],
        }
    }

    fn tree(membership: &str, files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a directory");
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("parent")).expect("directory");
            fs::write(path, text).expect("file");
        };
        put("proc/7/cgroup", membership);
        put("proc/7/oom_score_adj", "-500\n");
        for (path, text) in files {
            put(&format!("cgroup/{path}"), text);
        }
        root
    }

    fn look(root: &tempfile::TempDir, detail: &ContainerDetail) -> Attested {
        attest(detail, &root.path().join("proc"), &root.path().join("cgroup"))
    }

    #[test]
    fn version_1_is_read_controller_by_controller() {
        let root = tree(
            "4:memory:/p/libpod-abc\n1:cpu,cpuacct:/p/libpod-abc\n8:pids:/p/libpod-abc\n0::/\n",
            &[
                ("memory/p/libpod-abc/memory.limit_in_bytes", "1024\n"),
                ("memory/p/libpod-abc/memory.memsw.limit_in_bytes", "9223372036854771712\n"),
                ("memory/p/libpod-abc/memory.swappiness", "0\n"),
                ("cpu/p/libpod-abc/cpu.cfs_quota_us", "50000\n"),
                ("cpu/p/libpod-abc/cpu.cfs_period_us", "100000\n"),
                ("cpu/p/libpod-abc/cpu.shares", "512\n"),
                ("pids/p/libpod-abc/pids.max", "123\n"),
            ],
        );
        let limits = HostLimits {
            memory_bytes: Some(1024),
            swappiness: Some(0),
            cpu_quota_us: Some(50_000),
            cpu_shares: Some(512),
            pids: Some(123),
            oom_score_adj: Some(-500),
            ..HostLimits::default()
        };
        assert_eq!(look(&root, &running("abc", None)), Attested::Read(limits));
    }

    #[test]
    fn version_2_is_read_from_the_scope_when_the_process_is_below_it() {
        let root = tree(
            "0::/u/libpod-abc.scope/container\n",
            &[
                ("u/memory.max", "5"),
                ("u/libpod-abc.scope/container/memory.max", "max"),
                ("u/libpod-abc.scope/memory.max", "2048"),
                ("u/libpod-abc.scope/memory.swap.max", "0"),
                ("u/libpod-abc.scope/memory.low", "1024"),
                ("u/libpod-abc.scope/cpu.max", "100000 50000"),
                ("u/libpod-abc.scope/cpu.weight", "39"),
                ("u/libpod-abc.scope/pids.max", "max"),
            ],
        );
        let limits = HostLimits {
            memory_bytes: Some(2048),
            memory_swap_bytes: Some(2048),
            memory_reservation_bytes: Some(1024),
            cpu_quota_us: Some(200_000),
            cpu_shares: Some(1024),
            oom_score_adj: Some(-500),
            ..HostLimits::default()
        };
        assert_eq!(look(&root, &running("abc", Some(1024))), Attested::Read(limits));
    }

    #[test]
    fn a_group_that_is_not_its_own_is_not_taken_for_its_own() {
        let root = tree("4:memory:/user.slice\n0::/\n", &[("memory/user.slice/memory.limit_in_bytes", "1024")]);
        assert!(matches!(look(&root, &running("abc", None)), Attested::Unreadable(_)));
        let mut stopped = running("abc", None);
        stopped.summary.pid = 0;
        assert!(matches!(look(&root, &stopped), Attested::Unreadable(_)));
    }

    #[test]
    fn what_a_container_of_another_machine_prints_is_read() {
        let printed =
            "memory.max 2048\nmemory.swap.max 0\nmemory.low 1024\ncpu.max 100000 50000\ncpu.weight 39\npids.max max\n";
        let limits = HostLimits {
            memory_bytes: Some(2048),
            memory_swap_bytes: Some(2048),
            memory_reservation_bytes: Some(1024),
            cpu_quota_us: Some(200_000),
            cpu_shares: Some(1024),
            ..HostLimits::default()
        };
        assert_eq!(inside(printed, &running("abc", Some(1024))), Attested::Read(limits));
        let unseen = printed.replace("memory.max 2048", "memory.max max");
        assert!(matches!(inside(&unseen, &running("abc", None)), Attested::Unreadable(_)));
        assert!(matches!(inside("", &running("abc", None)), Attested::Unreadable(_)));
    }

    #[test]
    fn both_conversions_of_shares_are_known() {
        assert_eq!(shares(39, Some(1024)), 1024);
        assert_eq!(shares(100, Some(1024)), 1024);
        assert_eq!(shares(100, None), 2597);
    }
}
