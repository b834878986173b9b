//! What the facts of a host mean for fluxdb, and what to do where one is wrong. Pure.

use super::at_rest::AtRest;
use super::gather::Facts;
use super::{PACKAGES, parse};
use crate::api::Requirement;
use crate::config::Config;
use crate::domain::host::{HostClass, HostInfo, missing_controllers};

/// Secrets with targets, `:U` on tmpfs and the network stack are right from here on.
const LEAST_PODMAN: (u32, u32) = (4, 3);
/// A container's root is mapped together with this many further ids.
const LEAST_IDS: u64 = 65_536;
/// Free space below which no image should be pulled.
const LEAST_FREE_BYTES: u64 = 5 * 1024 * 1024 * 1024;
/// 2026-01-01: earlier than that, the clock was never set.
const EARLIEST_NOW: i64 = 1_767_225_600;

/// Every check, in the order in which to go about it.
pub(super) fn all(facts: &Facts, config: &Config) -> Vec<Requirement> {
    let mut out = vec![podman(facts, config)];
    out.push(version(facts));
    out.push(socket(facts, config));
    out.push(rootless(facts));
    out.extend(id_ranges(facts));
    if let Ok(host) = &facts.host {
        out.push(cgroup(host));
        out.push(delegation(host));
        out.push(oci_runtime(facts, host));
        out.push(storage_driver(host));
        out.push(network_backend(facts, host));
    }
    out.push(egress(facts));
    out.push(tun(facts));
    out.push(linger(facts));
    out.push(disk(facts));
    out.push(at_rest(facts));
    out.push(ports(facts, config));
    out.push(image_sources(facts, config));
    out.push(clock(facts));
    out
}

fn met(name: &str, required: bool, detail: impl Into<String>) -> Requirement {
    Requirement { name: name.into(), ok: true, required, detail: detail.into(), fix: String::new() }
}

fn missing(name: &str, required: bool, detail: impl Into<String>, fix: impl Into<String>) -> Requirement {
    Requirement { name: name.into(), ok: false, required, detail: detail.into(), fix: fix.into() }
}

fn install() -> String {
    format!(
        "Debian, Ubuntu: apt-get install {}. Fedora: dnf install podman. Or let fluxdb do it: fluxdb enable --install-podman.",
        PACKAGES.join(" ")
    )
}

fn is_rootless(facts: &Facts) -> bool {
    facts.host.as_ref().map_or(facts.uid != 0, |host| host.rootless)
}

fn is_local(facts: &Facts) -> bool {
    !facts.in_container && facts.host.as_ref().map_or(true, |host| host.local)
}

fn podman(facts: &Facts, config: &Config) -> Requirement {
    match (&facts.podman, &facts.host) {
        (Ok(text), _) => met("podman", true, text.clone()),
        // A remote or forwarded socket needs no Podman here.
        (Err(_), Ok(host)) => met("podman", true, format!("version {} at {}", host.podman_version, host.socket)),
        (Err(why), Err(_)) if config.podman.url.is_some() => {
            met("podman", false, format!("not on this machine ({why}); podman.url names another"))
        }
        (Err(why), Err(_)) => missing("podman", true, why.clone(), install()),
    }
}

fn version(facts: &Facts) -> Requirement {
    let text =
        facts.host.as_ref().map_or_else(|_| facts.podman.clone().unwrap_or_default(), |h| h.podman_version.clone());
    let (major, minor) = LEAST_PODMAN;
    let fix = || format!("Install Podman {major}.{minor} or later; older ones lack what the security baseline needs.");
    match parse::version(&text) {
        Some(found) if found >= LEAST_PODMAN => met("podman_version", true, text),
        Some(_) => missing("podman_version", true, format!("{text} is older than {major}.{minor}"), fix()),
        None => missing("podman_version", true, "not known", fix()),
    }
}

fn socket(facts: &Facts, config: &Config) -> Requirement {
    match &facts.host {
        Ok(host) if facts.through_socket => met("podman_socket", true, format!("answers at {}", host.socket)),
        Ok(host) if config.podman.manage_service => {
            met("podman_socket", true, format!("Podman answers; the daemon uses {} or serves one itself", host.socket))
        }
        Ok(host) => met("podman_socket", true, format!("Podman answers; the daemon will look for {}", host.socket)),
        Err(why) => missing(
            "podman_socket",
            true,
            why.clone(),
            match &config.podman.url {
                Some(url) => format!("Nothing usable answers at podman.url = {url}. Is the machine or the forwarding up?"),
                None => "Try `podman info` as this user, and `systemctl --user enable --now podman.socket` where systemd runs."
                    .into(),
            },
        ),
    }
}

fn rootless(facts: &Facts) -> Requirement {
    if is_rootless(facts) {
        let who =
            if is_local(facts) { format!("the ordinary user {}", facts.user) } else { "an ordinary user there".into() };
        return met("rootless", false, format!("Podman runs as {who}"));
    }
    missing(
        "rootless",
        false,
        "Podman runs as root",
        "It works, but a break-out from a container would be one to root. Run fluxdb as an ordinary user where you can.",
    )
}

fn id_ranges(facts: &Facts) -> Vec<Requirement> {
    if !is_rootless(facts) || !is_local(facts) {
        return vec![met("subuid", false, "not needed: Podman runs as root or elsewhere")];
    }
    let user = &facts.user;
    let one = |name: &'static str, flag: &str, granted: u64| {
        if granted >= LEAST_IDS {
            return met(name, true, format!("{granted} ids for {user} in /etc/{name}"));
        }
        let fix = format!(
            "As root: usermod --add-{flag} 100000-165535 {user} (a range nobody else has), then `podman system migrate` as {user}."
        );
        missing(name, true, format!("{granted} ids for {user} in /etc/{name}, {LEAST_IDS} are needed"), fix)
    };
    let mut out = vec![one("subuid", "subuids", facts.subuids), one("subgid", "subgids", facts.subgids)];
    out.push(if facts.id_mapping_tools {
        met("id_mapping", true, "newuidmap and newgidmap are there")
    } else {
        missing(
            "id_mapping",
            true,
            "newuidmap or newgidmap is missing",
            "Debian, Ubuntu: apt-get install uidmap. Fedora: dnf install shadow-utils.",
        )
    });
    out
}

fn cgroup(host: &HostInfo) -> Requirement {
    let detail = format!("cgroup v{} with the {} manager", host.cgroup_version, host.cgroup_manager);
    if host.cgroup_version == 2 {
        return met("cgroup_version", false, detail);
    }
    missing(
        "cgroup_version",
        false,
        detail,
        "Works, with older limits. For cgroup v2 boot with systemd.unified_cgroup_hierarchy=1; distributions since 2021 do so by themselves.",
    )
}

fn delegation(host: &HostInfo) -> Requirement {
    let class = HostClass::of(host);
    match class.reason(host) {
        None => met("limits", false, format!("CPU, memory and process limits are enforced ({})", word(class))),
        Some(reason) => {
            let lacking = missing_controllers(host);
            let what = if class.limits_memory() {
                "memory and processes are limited; cpu not delegated".into()
            } else if host.cgroup_version == 2 && !lacking.is_empty() {
                format!("limits are not enforced: {} not delegated", lacking.join(", "))
            } else {
                "limits are not enforced".into()
            };
            missing("limits", false, what, reason)
        }
    }
}

fn word(class: HostClass) -> &'static str {
    match class {
        HostClass::RootfulV1 => "root, cgroup v1",
        HostClass::RootfulV2 => "root, cgroup v2",
        HostClass::RootlessV2 => "rootless, cgroup v2, delegated",
        HostClass::RootlessV2NoCpu => "rootless, cgroup v2, without cpu",
        HostClass::RootlessPlain => "rootless, nothing delegated",
    }
}

fn oci_runtime(facts: &Facts, host: &HostInfo) -> Requirement {
    let hybrid = host.cgroup_version == 1 && !facts.hybrid_controllers.is_empty();
    if is_local(facts) && hybrid && host.oci_runtime == "crun" {
        return missing(
            "oci_runtime",
            true,
            format!("crun refuses this hybrid of cgroup v1 and v2 (v2 holds {})", facts.hybrid_controllers),
            "Install runc and set runtime = \"runc\" under [engine] in containers.conf.",
        );
    }
    met("oci_runtime", true, host.oci_runtime.clone())
}

fn storage_driver(host: &HostInfo) -> Requirement {
    if host.storage_driver != "vfs" {
        return met("storage_driver", false, host.storage_driver.clone());
    }
    missing(
        "storage_driver",
        false,
        "vfs: every container copies its whole image",
        "In a fresh store set driver = \"overlay\" under [storage] in storage.conf (~/.config/containers/ as an ordinary user). An existing store must be reset first: podman system reset removes all containers and images.",
    )
}

fn network_backend(facts: &Facts, host: &HostInfo) -> Requirement {
    let name = "network_backend";
    if host.rootless && is_local(facts) && facts.user_network.is_none() {
        return missing(
            name,
            true,
            "neither pasta nor slirp4netns is installed",
            "Debian, Ubuntu: apt-get install slirp4netns (or passt).",
        );
    }
    let tool = facts.user_network.filter(|_| host.rootless).map(|t| format!(", {t}")).unwrap_or_default();
    let backend = if host.network_backend.is_empty() { "default" } else { &host.network_backend };
    met(name, true, format!("{backend}{tool}"))
}

/// Whether instances can be kept from reaching anything but their clients.
fn egress(facts: &Facts) -> Requirement {
    let name = "egress";
    if facts.host.as_ref().is_ok_and(|host| !host.local) {
        return missing(
            name,
            false,
            "outgoing traffic of instances is not closed: Podman is elsewhere",
            "Run fluxdb on the machine where Podman runs and outside of a container, or close outgoing traffic with a firewall there.",
        );
    }
    if facts.uid != 0 && !is_rootless(facts) {
        return missing(
            name,
            false,
            "outgoing traffic of instances is not closed: Podman runs as root and fluxdb does not",
            "Run both as the same user.",
        );
    }
    match &facts.packet_filter {
        Ok(tool) => {
            met(name, false, format!("outgoing traffic of instances is closed, with {tool}, unless it is opened"))
        }
        Err(why) => missing(
            name,
            false,
            format!("outgoing traffic of instances is not closed: {why}"),
            "Debian, Ubuntu: apt-get install iptables. Fedora: dnf install nftables. Then start the daemon again. The kernel needs nf_tables or ip_tables with IPv6.",
        ),
    }
}

fn tun(facts: &Facts) -> Requirement {
    if !is_rootless(facts) || !is_local(facts) {
        return met("tun", false, "not needed: Podman runs as root or elsewhere");
    }
    match &facts.tun {
        Ok(()) => met("tun", true, "/dev/net/tun can be opened"),
        Err(why) => missing(
            "tun",
            true,
            format!("/dev/net/tun cannot be opened: {why}"),
            "As root: modprobe tun && chmod 666 /dev/net/tun. Networks of an ordinary user's containers go through it.",
        ),
    }
}

fn linger(facts: &Facts) -> Requirement {
    if !is_rootless(facts) || !is_local(facts) {
        return met("linger", false, "not needed: Podman runs as root or elsewhere");
    }
    match (facts.systemd, facts.linger) {
        (true, true) => met("linger", false, format!("services of {} run without a login", facts.user)),
        (true, false) => missing(
            "linger",
            false,
            format!("services of {} end with the last login, and do not start at boot", facts.user),
            format!("loginctl enable-linger {}", facts.user),
        ),
        (false, _) => missing(
            "linger",
            false,
            "systemd does not run here",
            "Let your own service manager start `fluxdb serve` at boot; it brings the instances back.",
        ),
    }
}

fn disk(facts: &Facts) -> Requirement {
    let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30));
    let store =
        facts.host.as_ref().ok().map(|h| (h.storage_free_bytes, h.storage_total_bytes)).filter(|(_, all)| *all > 0);
    let Some((free, total)) = store.or(facts.data_disk) else {
        return missing("disk", false, "free space is not known", "Look at `df` for the place of Podman's store.");
    };
    let detail = format!("{} of {} free where images and volumes are", gib(free), gib(total));
    if free >= LEAST_FREE_BYTES {
        return met("disk", true, detail);
    }
    let fix = format!(
        "Free some space ({} or more): podman image prune, or move Podman's store to a larger disk.",
        gib(LEAST_FREE_BYTES)
    );
    missing("disk", true, detail, fix)
}

fn ports(facts: &Facts, config: &Config) -> Requirement {
    let (first, last) = (config.endpoints.port_first, config.endpoints.port_last);
    let all = usize::from(last.saturating_sub(first)) + 1;
    let free = all.saturating_sub(facts.taken_ports.len());
    let detail = format!("{free} of {all} ports are free ({first} to {last} on {})", config.endpoints.bind);
    if free > 0 {
        return met("ports", true, detail);
    }
    missing("ports", true, detail, "Set another range: endpoints.port_first and port_last.")
}

/// Advice only: whoever carries the disk away reads what is on it, also without this host.
fn at_rest(facts: &Facts) -> Requirement {
    const NAME: &str = "storage_encrypted_at_rest";
    match &facts.at_rest {
        AtRest::Yes(how) => met(NAME, false, format!("yes: {how}")),
        AtRest::Unknown(why) | AtRest::Zfs(why) => met(NAME, false, format!("unknown: {why}")),
        AtRest::No(why) => missing(
            NAME,
            false,
            format!("no: {why}"),
            "Put Podman's volumes on an encrypted disk: cryptsetup luksFormat DEVICE, open and mount it, set volume_path in \
             containers.conf to it before the first instance. A virtual disk may be encrypted by whoever provides it, which cannot be seen here.",
        ),
    }
}

fn image_sources(facts: &Facts, config: &Config) -> Requirement {
    let mut ways = Vec::new();
    let mut obstacles = Vec::new();
    match &facts.registry {
        Some(Ok(())) => ways.push(format!("pull from {}", config.images.registry)),
        Some(Err(why)) => obstacles.push(format!("no pulling ({why})")),
        None => obstacles.push("no pulling (images.pull is off)".into()),
    }
    match (config.images.build, facts.mmdebstrap) {
        (true, true) => ways.push("build from distribution packages".into()),
        (true, false) => obstacles.push("no building (mmdebstrap is not installed)".into()),
        (false, _) => obstacles.push("no building (images.build is off)".into()),
    }
    let present = facts.images.map(|n| format!("{n} images are here; ")).unwrap_or_default();
    if !ways.is_empty() {
        let but = if obstacles.is_empty() { String::new() } else { format!("; {}", obstacles.join(", ")) };
        return met("image_sources", false, format!("{present}{}{but}", ways.join(", ")));
    }
    missing(
        "image_sources",
        false,
        format!("{present}{}", obstacles.join(", ")),
        "Install mmdebstrap, open the way to the registry, set images.registry to a mirror, or load images with `podman load`.",
    )
}

fn clock(facts: &Facts) -> Requirement {
    let fix =
        "Set the clock and keep it: timedatectl set-ntp true (or chrony). Tokens, certificates and backups go by it.";
    match facts.clock_synchronised {
        _ if facts.now < EARLIEST_NOW => missing("clock", true, "the clock was never set", fix),
        Some(true) => met("clock", false, "kept in time"),
        Some(false) => missing("clock", false, "not synchronised", fix),
        None => met("clock", false, "set; whether it is kept in time is not known"),
    }
}

#[cfg(test)]
mod tests;
