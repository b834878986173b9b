//! cpu, memory and pids are delegated, as systemd does it by itself: every limit of every series is in the kernel.

use serde_json::Value;

use crate::guest::{Guest, on_a_sound_machine};
use crate::{POSTGRESQL, VALKEY};

const USER: &str = "limited";

/// What the kernel says of a container, read by hand: the group that bears its id, whatever is below it.
fn kernel(guest: &Guest, id: &str) -> impl Fn(&str) -> String {
    let script = format!(
        "set -e; c=$(podman ps -q --no-trunc --filter name={id}); pid=$(podman inspect -f '{{{{.State.Pid}}}}' $c)\n\
         group=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/$pid/cgroup); scope=${{group%%$c.scope*}}$c.scope\n\
         for f in memory.max cpu.max cpu.weight pids.max memory.low; do echo $f $(cat $scope/$f); done\n\
         echo swap $(cat $group/memory.swap.max); grep -E '^(CapEff|NoNewPrivs|Uid):' /proc/$pid/status"
    );
    let printed = guest.run(USER, &script);
    move |name| {
        let line =
            printed.lines().find_map(|l| l.strip_prefix(name)?.trim_start_matches(':').strip_prefix([' ', '\t']));
        line.unwrap_or_else(|| panic!("no {name} in {printed}")).trim().to_owned()
    }
}

fn assert_limited(guest: &Guest, instance: &Value) {
    let limits = &instance["limits"];
    assert_eq!(limits["enforced"], true, "{instance:#}");
    assert_eq!(instance["badges"], serde_json::json!([]), "{instance:#}");
    let (sku, size) = (instance["sku"].as_str().unwrap(), &instance["size"]);
    let memory = size["memory_mib"].as_u64().unwrap() << 20;
    let says = kernel(guest, instance["id"].as_str().unwrap());
    assert_eq!(says("memory.max"), memory.to_string(), "{sku}");
    assert_eq!(says("cpu.max"), format!("{} 100000", size["vcpu"].as_u64().unwrap() * 100_000), "{sku}");
    assert_eq!(says("pids.max"), limits["asked"]["pids"].to_string(), "{sku}");
    // E and F do not swap; B and D may swap as much again.
    let swap = if sku.starts_with(['E', 'F']) { 0 } else { memory };
    assert_eq!(says("swap"), swap.to_string(), "{sku}");
    let kept = if sku.starts_with('E') { ((memory / 10 * 9) >> 20) << 20 } else { 0 };
    let low: u64 = says("memory.low").parse().unwrap();
    assert!(low.abs_diff(kept) <= 1 << 20, "{sku}: memory.low is {low}, not {kept}");
    // Nothing of root's, inside or outside.
    assert_eq!((says("CapEff").as_str(), says("NoNewPrivs").as_str()), ("0000000000000000", "1"));
    assert!(says("Uid").split_whitespace().all(|uid| uid.parse::<u32>().unwrap() >= 100_000), "{}", says("Uid"));
}

/// Outgoing traffic through pasta is closed, opened and closed again; the machine's gateway takes the datagram.
fn assert_confined(guest: &Guest, name: &str) {
    let id = guest.json(USER, &format!("show {name}"))["id"].as_str().unwrap().to_owned();
    let sent = || {
        let script = "exec 3<>/dev/udp/10.0.2.2/9 && echo -n x >&3";
        let container = format!("$(podman ps -q --filter name={id})");
        guest
            .run(USER, &format!("podman exec {container} bash -c '{script}' 2> /dev/null && echo sent || echo refused"))
    };
    let network = || guest.json(USER, &format!("show {name}"))["network"].clone();
    assert_eq!((network()["egress"].clone(), network()["enforced"].clone()), ("closed".into(), true.into()));
    assert_eq!(sent(), "refused");
    guest.fluxdb(USER, &format!("update {name} --egress"));
    assert_eq!(sent(), "sent");
    guest.fluxdb(USER, &format!("update {name} --no-egress"));
    assert_eq!(sent(), "refused");
}

/// Weight of CPU under contention, from a small share to a large one.
fn weight(guest: &Guest, instance: &Value) -> u32 {
    kernel(guest, instance["id"].as_str().unwrap())("cpu.weight").parse().unwrap()
}

fn every_series(engine: &str, image: &str) {
    let guest = Guest::boot(&[image]);
    guest.serve(USER, &[image]);
    let mut weights = Vec::new();
    for sku in ["B1s", "D1s", "E1s", "F1s"] {
        let name = sku.to_lowercase();
        guest.fluxdb(USER, &format!("create {name} --engine {engine} --sku {sku}"));
        let instance = guest.json(USER, &format!("show {name}"));
        assert_eq!((&instance["state"], &instance["health"]), (&"RUNNING".into(), &"UP".into()), "{instance:#}");
        assert_limited(&guest, &instance);
        if sku == "B1s" {
            assert_confined(&guest, &name);
        }
        weights.push(weight(&guest, &instance));
        if sku != "B1s" {
            guest.fluxdb(USER, &format!("delete {name} --yes"));
        }
    }
    assert!(weights[0] < weights[1] && weights[1] == weights[2] && weights[2] < weights[3], "{weights:?}");

    // A resize counts in the kernel, too; and a new daemon sees what the one before it made.
    guest.fluxdb(USER, "resize b1s --sku B1ms");
    assert_limited(&guest, &guest.json(USER, "show b1s"));
    guest.run(USER, "systemctl --user stop fluxdb");
    guest.serve(USER, &[]);
    assert_limited(&guest, &guest.settled(USER, "b1s"));
    guest.fluxdb(USER, "delete b1s --yes");
    assert_eq!(guest.run(USER, "podman ps -aq; podman secret ls -q"), "");
}

#[test]
fn postgresql_of_every_series_is_limited() {
    on_a_sound_machine(|| every_series("postgresql", POSTGRESQL));
}

#[test]
fn valkey_of_every_series_is_limited() {
    on_a_sound_machine(|| every_series("valkey", VALKEY));
}
