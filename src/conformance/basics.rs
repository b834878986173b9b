//! Created, reachable, refusing strangers, held in, limited, measured.

use std::time::Duration;

use fluxdb_adapters::{Account, HttpAuth, Protocol, Secret};

use super::{Rig, Verdict, failed, not_offered};
use crate::domain::conformance::Outcome;
use crate::domain::detail::ContainerSummary;
use crate::domain::{Error, Result};

/// How long a server may settle before its idle memory is read.
const SETTLE: Duration = Duration::from_secs(5);

pub(super) async fn create(rig: &mut Rig) -> Verdict {
    rig.create().await?;
    rig.instance = Some(rig.shown()?);
    tokio::time::sleep(SETTLE).await;
    let detail = rig.app.core.runtime.inspect(&rig.container()?).await?;
    rig.idle_mib = detail.map_or(0, |d| memory_bytes(&d.summary) >> 20);
    Ok(Outcome::Passed)
}

pub(super) async fn query(rig: &mut Rig) -> Verdict {
    rig.as_user(&[rig.engine.ping()]).await?;
    Ok(Outcome::Passed)
}

pub(super) async fn wrong_password(rig: &mut Rig) -> Verdict {
    refused(rig, "Not-The-Pa55word-7c2e").await
}

pub(super) async fn empty_password(rig: &mut Rig) -> Verdict {
    refused(rig, "").await
}

async fn refused(rig: &Rig, password: &str) -> Verdict {
    let facts = rig.engine.facts();
    if facts.protocol == Protocol::Http && facts.http_auth == HttpAuth::None {
        return not_offered("the server asks nobody for a password; its port stays on loopback");
    }
    let cx = rig.cx().await?;
    for username in [&cx.user.username, &cx.system.username] {
        let account = Account { username: username.clone(), password: Secret::new(password) };
        match rig.as_account(&account, rig.record()?.database.clone(), &[rig.engine.ping()]).await {
            Ok(_) => return failed(format!("{username} got in")),
            Err(e) if e.code == "login_refused" => {}
            Err(e) => return failed(format!("not refused but: {}", e.story())),
        }
    }
    Ok(Outcome::Passed)
}

/// Identity, capabilities and file system of every process, as the kernel has them.
pub(super) async fn baseline(rig: &mut Rig) -> Verdict {
    let Some(detail) = rig.app.core.runtime.inspect(&rig.container()?).await? else {
        return failed("there is no container");
    };
    if !detail.read_only_root || !detail.no_new_privileges || !detail.effective_caps.is_empty() {
        return failed("Podman says that the baseline is not applied");
    }
    let host = rig.app.core.refresh_host_if_unknown().await?;
    if !host.local {
        return not_offered("the containers are on another machine: only what Podman says was compared");
    }
    let facts = rig.engine.facts();
    for pid in processes(&detail.summary)? {
        let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { continue };
        let field = |name: &str| {
            let line = status.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
            line.unwrap_or_default().trim().to_owned()
        };
        for set in ["CapEff", "CapPrm", "CapBnd"] {
            if field(set) != "0000000000000000" {
                return failed(format!("{set} of {} is {}", field("Name"), field(set)));
            }
        }
        if field("NoNewPrivs") != "1" {
            return failed(format!("{} could gain privileges", field("Name")));
        }
        // Under a user namespace the kernel shows the host's numbers.
        let same = |id: u32| format!("{id}\t{id}\t{id}\t{id}");
        if !host.rootless && (field("Uid"), field("Gid")) != (same(facts.user.uid), same(facts.user.gid)) {
            return failed(format!("{} runs as {}:{}", field("Name"), field("Uid"), field("Gid")));
        }
    }
    let mounts = std::fs::read_to_string(format!("/proc/{}/mounts", detail.summary.pid)).map_err(Error::internal)?;
    let root = mounts.lines().map(|l| l.split(' ').collect::<Vec<_>>()).rfind(|m| m.get(1) == Some(&"/"));
    if !root.is_some_and(|m| m.get(3).is_some_and(|o| o.split(',').any(|o| o == "ro"))) {
        return failed("the root file system can be written");
    }
    Ok(Outcome::Passed)
}

pub(super) async fn limits(rig: &mut Rig) -> Verdict {
    let limits = rig.shown()?.limits;
    if limits.enforced {
        return Ok(Outcome::Passed);
    }
    let why = limits.reason.unwrap_or_else(|| "no reason is given".into());
    if limits.effective == crate::domain::host::HostLimits::default() {
        return not_offered(format!("this host: {why}"));
    }
    failed(why)
}

pub(super) async fn metrics(rig: &mut Rig) -> Verdict {
    let Some(metrics) = rig.engine.metrics() else { return not_offered("the server says no numbers about itself") };
    let cx = rig.cx().await?;
    let found = metrics.parse(&rig.as_system(&metrics.calls(&cx)).await?);
    let usable = found.iter().filter(|m| m.value.is_finite()).count();
    if usable < 3 || usable < found.len() {
        let names: Vec<_> = found.iter().map(|m| format!("{}={}", m.name, m.value)).collect();
        return failed(format!("too few numbers: {}", names.join(" ")));
    }
    Ok(Outcome::Passed)
}

/// Every process in the control group of a container; where it has none of its own (rootless on cgroup v1), the first.
pub(super) fn processes(container: &ContainerSummary) -> Result<Vec<String>> {
    let pid = container.pid;
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).map_err(Error::internal)?;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        if !path.contains(&container.id) {
            continue;
        }
        let dir = match controllers {
            "" => format!("/sys/fs/cgroup{path}"),
            c if c.split(',').any(|c| c == "pids") => format!("/sys/fs/cgroup/{c}{path}"),
            _ => continue,
        };
        if let Ok(text) = std::fs::read_to_string(format!("{dir}/cgroup.procs")) {
            return Ok(text.lines().map(str::to_owned).collect());
        }
    }
    Ok(vec![pid.to_string()])
}

/// What the control group uses, page cache that could be dropped left out; 0 where it has none or it cannot be read.
fn memory_bytes(container: &ContainerSummary) -> u64 {
    let pid = container.pid;
    let Ok(groups) = std::fs::read_to_string(format!("/proc/{pid}/cgroup")) else { return 0 };
    let number = |path: String| std::fs::read_to_string(path).ok().and_then(|t| t.trim().parse::<u64>().ok());
    let stat = |path: String, key: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().find_map(|l| l.strip_prefix(key)?.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        if !path.contains(&container.id) {
            continue;
        }
        let (dir, file, key) = match controllers {
            "" => (format!("/sys/fs/cgroup{path}"), "memory.current", "inactive_file "),
            "memory" => (format!("/sys/fs/cgroup/memory{path}"), "memory.usage_in_bytes", "total_inactive_file "),
            _ => continue,
        };
        if let Some(used) = number(format!("{dir}/{file}")) {
            return used.saturating_sub(stat(format!("{dir}/memory.stat"), key));
        }
    }
    0
}
