//! Reading what the system says: version numbers, id ranges, `podman info`, tables of sockets.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use crate::domain::host::HostInfo;

/// `podman version 4.3.1` or `5.4.2-dev` as (4, 3).
pub(super) fn version(text: &str) -> Option<(u32, u32)> {
    let word = text.split_whitespace().find(|w| w.starts_with(|c: char| c.is_ascii_digit()))?;
    let mut parts = word.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()?;
    Some((major, minor))
}

/// How many ids /etc/subuid or /etc/subgid grants to a user, by name or by number.
pub(super) fn granted_ids(text: &str, name: &str, uid: u32) -> u64 {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.trim().split(':');
            let (who, _first, count) = (fields.next()?, fields.next()?, fields.next()?);
            (who == name || who.parse() == Ok(uid)).then(|| count.parse::<u64>().ok()).flatten()
        })
        .sum()
}

/// Name of a user in /etc/passwd.
pub(super) fn user_name(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// Ports of a /proc/net/tcp or tcp6 table that are taken on `bind`, or on every address.
pub(super) fn taken_ports(table: &str, bind: IpAddr) -> BTreeSet<u16> {
    const LISTEN: &str = "0A";
    table
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let (address, port) = fields.nth(1)?.split_once(':')?;
            if fields.nth(1)? != LISTEN {
                return None;
            }
            let address = socket_address(address)?;
            let clash = address == bind || address.is_unspecified() || bind.is_unspecified();
            clash.then(|| u16::from_str_radix(port, 16).ok()).flatten()
        })
        .collect()
}

/// The kernel prints addresses as 32-bit words in the machine's byte order.
fn socket_address(hex: &str) -> Option<IpAddr> {
    let words: Option<Vec<u32>> =
        (0..hex.len()).step_by(8).map(|i| u32::from_str_radix(hex.get(i..i + 8)?, 16).ok()).collect();
    let bytes: Vec<u8> = words?.into_iter().flat_map(u32::to_ne_bytes).collect();
    match bytes.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_canonical()),
        _ => None,
    }
}

/// `podman info --format json`, as far as the checks need it.
pub(super) fn podman_info(json: &str) -> Option<HostInfo> {
    let info: Value = serde_json::from_str(json).ok()?;
    let text = |pointer: &str| info.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |pointer: &str| info.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    let total = number("/store/graphRootAllocated");
    let controllers = info.pointer("/host/cgroupControllers").and_then(Value::as_array);
    // Not said before Podman 4.
    let volumes = match text("/store/volumePath") {
        path if path.is_empty() => format!("{}/volumes", text("/store/graphRoot")),
        path => path,
    };
    Some(HostInfo {
        podman_version: text("/version/Version"),
        socket: text("/host/remoteSocket/path"),
        rootless: info.pointer("/host/security/rootless")?.as_bool()?,
        cgroup_version: if text("/host/cgroupVersion") == "v2" { 2 } else { 1 },
        cgroup_controllers: controllers.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        cgroup_manager: text("/host/cgroupManager"),
        oci_runtime: text("/host/ociRuntime/name"),
        storage_driver: text("/store/graphDriverName"),
        graph_root: text("/store/graphRoot"),
        volume_path: volumes,
        storage_total_bytes: total,
        storage_free_bytes: total.saturating_sub(number("/store/graphRootUsed")),
        network_backend: text("/host/networkBackend"),
        cpus: u32::try_from(number("/host/cpus")).unwrap_or(u32::MAX),
        memory_bytes: number("/host/memTotal"),
        swap_bytes: number("/host/swapTotal"),
        kernel: text("/host/kernel"),
        distribution: format!("{} {}", text("/host/distribution/distribution"), text("/host/distribution/version")),
        arch: text("/host/arch"),
        local: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_podman_prints() {
        assert_eq!(version("podman version 4.3.1"), Some((4, 3)));
        assert_eq!(version("5.8.6"), Some((5, 8)));
        assert_eq!(version("podman version 5.0.0-rc1"), Some((5, 0)));
        assert_eq!(version("4.9-dev"), Some((4, 9)));
        assert_eq!(version("podman: not found"), None);
    }

    #[test]
    fn id_ranges_count_by_name_and_by_number() {
        let text = "root:1:2\nalice:100000:65536\n# alice:1:1\n1000:300000:10\nbad\nalice:x\n";
        assert_eq!(granted_ids(text, "alice", 1000), 65_546);
        assert_eq!(granted_ids(text, "bob", 1001), 0);
        assert_eq!(granted_ids("alice:1:99999999999999999999", "alice", 1), 0);
    }

    #[test]
    fn a_user_is_found_by_number() {
        let passwd = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n";
        assert_eq!(user_name(passwd, 1000).as_deref(), Some("alice"));
        assert_eq!(user_name(passwd, 7), None);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn taken_ports_are_those_of_the_address_and_of_all_addresses() {
        let table = "  sl  local_address rem_address   st tx_queue\n\
             0: 0100007F:5208 00000000:0000 0A 00000000:00000000\n\
             1: 00000000:5209 00000000:0000 0A 00000000:00000000\n\
             2: 0200007F:520A 00000000:0000 0A 00000000:00000000\n\
             3: 0100007F:520B 0100007F:1111 01 00000000:00000000\n";
        let loopback = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(taken_ports(table, loopback), BTreeSet::from([21_000, 21_001]));
        assert_eq!(taken_ports(table, IpAddr::from([0, 0, 0, 0])).len(), 3);
        let six =
            "  0: 00000000000000000000000001000000:5208 0:0 0A\n  1: 0000000000000000FFFF00000100007F:5210 0:0 0A\n";
        assert_eq!(taken_ports(six, Ipv6Addr::LOCALHOST.into()), BTreeSet::from([21_000]));
        assert_eq!(taken_ports(six, loopback), BTreeSet::from([21_008]));
    }

    #[test]
    fn podman_info_is_read() {
        let json = r#"{"host":{"arch":"amd64","cgroupManager":"systemd","cgroupVersion":"v2","cgroupControllers":["cpu","memory","pids"],
            "cpus":4,"networkBackend":"netavark","ociRuntime":{"name":"crun"},"security":{"rootless":true},
            "remoteSocket":{"path":"/run/user/1000/podman/podman.sock"},"distribution":{"distribution":"debian","version":"12"}},
            "store":{"graphDriverName":"overlay","graphRoot":"/x","graphRootAllocated":1000,"graphRootUsed":400},"version":{"Version":"4.9.3"}}"#;
        let host = podman_info(json).expect("readable");
        assert_eq!((host.podman_version.as_str(), host.rootless, host.cgroup_version), ("4.9.3", true, 2));
        assert_eq!((host.storage_free_bytes, host.volume_path.as_str()), (600, "/x/volumes"));
        assert_eq!(host.cgroup_controllers.len(), 3);
        assert!(podman_info("{}").is_none() && podman_info("x").is_none());
    }
}
