//! What is said about the hosts that there are.
#![allow(clippy::unwrap_used)]

use super::*;

fn good_host() -> HostInfo {
    HostInfo {
        podman_version: "4.9.3".into(),
        socket: "/run/user/1000/podman/podman.sock".into(),
        rootless: true,
        cgroup_version: 2,
        cgroup_controllers: ["cpu", "memory", "pids"].map(Into::into).into(),
        cgroup_manager: "systemd".into(),
        oci_runtime: "crun".into(),
        storage_driver: "overlay".into(),
        storage_total_bytes: 100 << 30,
        storage_free_bytes: 50 << 30,
        network_backend: "netavark".into(),
        local: true,
        ..HostInfo::default()
    }
}

fn good() -> Facts {
    Facts {
        podman: Ok("podman version 4.9.3".into()),
        host: Ok(good_host()),
        through_socket: true,
        in_container: false,
        uid: 1000,
        user: "alice".into(),
        subuids: 65_536,
        subgids: 65_536,
        id_mapping_tools: true,
        systemd: true,
        linger: true,
        tun: Ok(()),
        user_network: Some("pasta"),
        packet_filter: Ok("nft"),
        registry: Some(Ok(())),
        mmdebstrap: true,
        clock_synchronised: Some(true),
        now: EARLIEST_NOW + 1,
        hybrid_controllers: String::new(),
        data_disk: None,
        at_rest: AtRest::Yes("dm-0 is volumes (dm-crypt, LUKS2)".into()),
        taken_ports: [].into(),
        images: None,
    }
}

/// Names of the checks that are not met: (required, others).
fn not_met(facts: &Facts) -> (Vec<String>, Vec<String>) {
    let items = all(facts, &Config::default());
    for item in &items {
        assert_eq!(item.ok, item.fix.is_empty(), "{}: a fix is there exactly where it is needed", item.name);
        assert!(!item.detail.is_empty(), "{} says nothing", item.name);
    }
    let names = |required| items.iter().filter(|i| !i.ok && i.required == required).map(|i| i.name.clone()).collect();
    (names(true), names(false))
}

#[test]
fn a_well_prepared_host_has_nothing_to_do() {
    assert_eq!(not_met(&good()), (vec![], vec![]));
}

#[test]
fn a_host_that_cannot_close_outgoing_traffic_says_why_and_what_helps() {
    let elsewhere = Facts { host: Ok(HostInfo { local: false, ..good_host() }), ..good() };
    let rootful = Facts { host: Ok(HostInfo { rootless: false, ..good_host() }), ..good() };
    let no_tool = Facts { packet_filter: Err("neither nft nor iptables is installed".into()), ..good() };
    for (facts, detail, fix) in [
        (elsewhere, "Podman is elsewhere", "firewall"),
        (rootful, "as root and fluxdb does not", "same user"),
        (no_tool, "neither nft nor iptables", "apt-get install iptables"),
    ] {
        let item = all(&facts, &Config::default()).into_iter().find(|i| i.name == "egress").unwrap();
        assert!(!item.ok && !item.required, "{item:?}");
        assert!(item.detail.contains(detail) && item.fix.contains(fix), "{item:?}");
    }
}

#[test]
fn an_empty_machine_is_told_to_install_podman_first() {
    let facts = Facts {
        podman: Err("podman cannot be run: not found".into()),
        host: Err("Podman is not installed.".into()),
        ..good()
    };
    assert_eq!(not_met(&facts).0, ["podman", "podman_version", "podman_socket"]);
    assert!(all(&facts, &Config::default())[0].fix.contains("apt-get install podman"));
}

#[test]
fn a_rootless_host_without_preparation_lists_each_piece() {
    let facts = Facts {
        subuids: 0,
        subgids: 10,
        id_mapping_tools: false,
        tun: Err("Permission denied".into()),
        user_network: None,
        linger: false,
        ..good()
    };
    let (required, others) = not_met(&facts);
    assert_eq!(required, ["subuid", "subgid", "id_mapping", "network_backend", "tun"]);
    assert_eq!(others, ["linger"]);
}

#[test]
fn root_needs_no_id_ranges_but_is_advised_against() {
    let host = HostInfo {
        rootless: false,
        cgroup_version: 1,
        cgroup_manager: "cgroupfs".into(),
        oci_runtime: "runc".into(),
        ..good_host()
    };
    let facts = Facts {
        uid: 0,
        user: "root".into(),
        subuids: 0,
        subgids: 0,
        host: Ok(host),
        hybrid_controllers: "hugetlb".into(),
        ..good()
    };
    assert_eq!(not_met(&facts), (vec![], vec!["rootless".into(), "cgroup_version".into()]));
}

#[test]
fn crun_on_a_hybrid_host_is_refused() {
    let host = HostInfo { rootless: false, cgroup_version: 1, ..good_host() };
    let facts = Facts { host: Ok(host), hybrid_controllers: "hugetlb".into(), ..good() };
    assert_eq!(not_met(&facts).0, ["oci_runtime"]);
}

#[test]
fn missing_delegation_names_the_controllers() {
    let host = HostInfo { cgroup_controllers: vec!["memory".into(), "pids".into()], ..good_host() };
    let items = all(&Facts { host: Ok(host), ..good() }, &Config::default());
    let limits = items.iter().find(|i| i.name == "limits").unwrap();
    assert!(
        !limits.ok
            && !limits.required
            && limits.detail.contains("cpu not delegated")
            && limits.fix.contains("Delegate=")
    );
}

#[test]
fn no_way_to_an_image_is_told_with_the_reasons() {
    let facts = Facts { registry: Some(Err("docker.io:443 does not answer".into())), mmdebstrap: false, ..good() };
    assert_eq!(not_met(&facts), (vec![], vec!["image_sources".into()]));
    let only_build = Facts { registry: Some(Err("away".into())), ..good() };
    assert_eq!(not_met(&only_build), (vec![], vec![]));
}

#[test]
fn old_podman_little_space_and_a_dead_clock_are_found() {
    let host =
        HostInfo { podman_version: "3.4.4".into(), storage_free_bytes: 1, storage_driver: "vfs".into(), ..good_host() };
    let (required, others) = not_met(&Facts { host: Ok(host), now: 0, ..good() });
    assert_eq!(required, ["podman_version", "disk", "clock"]);
    assert_eq!(others, ["storage_driver"]);
}

#[test]
fn a_remote_podman_needs_nothing_of_this_machine() {
    let host = HostInfo { local: false, socket: "tcp://10.0.0.1:8888".into(), ..good_host() };
    let facts = Facts {
        podman: Err("not found".into()),
        host: Ok(host),
        subuids: 0,
        subgids: 0,
        tun: Err("x".into()),
        user_network: None,
        linger: false,
        ..good()
    };
    assert_eq!(not_met(&facts), (vec![], vec!["egress".to_owned()]), "its network namespaces are out of reach");
}

#[test]
fn a_full_port_range_is_found() {
    let mut config = Config::default();
    (config.endpoints.port_first, config.endpoints.port_last) = (21_000, 21_001);
    let facts = Facts { taken_ports: [21_000, 21_001].into(), ..good() };
    assert!(all(&facts, &config).iter().any(|i| i.name == "ports" && !i.ok && i.required));
}

#[test]
fn a_daemon_in_a_container_does_not_judge_the_host_by_its_own_files() {
    let facts = Facts {
        in_container: true,
        subuids: 0,
        subgids: 0,
        id_mapping_tools: false,
        tun: Err("x".into()),
        user_network: None,
        linger: false,
        ..good()
    };
    assert_eq!(not_met(&facts), (vec![], vec![]));
}

#[test]
fn volumes_that_are_not_encrypted_are_told_with_a_way_and_what_is_not_known_is_no_advice() {
    let at_rest = AtRest::No("sda is a disk that this host does not encrypt".into());
    assert_eq!(not_met(&Facts { at_rest, ..good() }), (vec![], vec!["storage_encrypted_at_rest".into()]));
    let at_rest = AtRest::Unknown("the volumes are on another machine".into());
    let items = all(&Facts { at_rest, ..good() }, &Config::default());
    let item = items.iter().find(|i| i.name == "storage_encrypted_at_rest").unwrap();
    assert!(item.ok && item.detail.starts_with("unknown: "), "{item:?}");
}
