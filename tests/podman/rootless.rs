//! The daemon as an ordinary user, on rootless Podman: everything works, and what cannot is said.

use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use crate::daemon::{Daemon, text};
use crate::home::Home;
use crate::lifecycle::write_and_check;
use crate::world::PASSWORD;

const CONFIG: &str = "[images]\npull = false\nbuild = false\n";

/// First number of the user's range, from /etc/subuid.
fn first_subordinate(name: &str) -> u32 {
    let text = std::fs::read_to_string("/etc/subuid").unwrap();
    let line = text.lines().find(|l| l.split(':').next() == Some(name)).expect("the user has subordinate ids");
    line.split(':').nth(1).unwrap().parse().unwrap()
}

fn assert_limits_are_said_not_to_be_enforced(instance: &Value) {
    let limits = &instance["limits"];
    if std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        return; // cgroup v2: it depends on what was delegated
    }
    assert_eq!(limits["enforced"], false, "{limits:#}");
    assert!(text(&limits["reason"]).contains("cgroup"), "{limits:#}");
    assert!(instance["badges"].as_array().unwrap().iter().any(|b| b == "LIMITS_NOT_ENFORCED"), "{instance:#}");
}

fn assert_owned_by_mapped_uid(home: &Home, id: &str) {
    let format = "--format '{{.Mountpoint}}'";
    let place = home.account.must(&format!("podman volume inspect {format} {}", home.volume(id)));
    let meta = std::fs::metadata(&place).unwrap();
    // Number 1 inside is the first of the range, so 999 is the 999th.
    let mapped = first_subordinate("fluxdb") + 999 - 1;
    assert_eq!((meta.uid(), meta.gid()), (mapped, mapped), "{place}");
}

fn whole_life(engine: &str) {
    let home = Home::rootless(CONFIG);
    let (write, check) = write_and_check(engine);
    let daemon = home.start();
    assert_eq!(daemon.get("/podman/status")["rootless"], true);
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    assert!(status.lines().any(|l| l == "CapEff:\t0000000000000000"), "the daemon has rights of root:\n{status}");

    // The second one is a copy of the template that the first one made.
    let first = daemon.create("first", engine, "B1s", PASSWORD);
    let instance = daemon.create("demo", engine, "B1s", PASSWORD);
    let id = text(&instance["id"]);
    if engine == "postgresql" {
        assert_seeded(&daemon);
    }
    // Podman's late word of the start makes the daemon look once more before it says UP again.
    daemon.until("the instance is up", || daemon.instance(id)["health"] == "UP");
    assert_eq!(instance["state"], "RUNNING");
    assert_limits_are_said_not_to_be_enforced(&instance);
    assert_owned_by_mapped_uid(&home, id);
    daemon.query(&instance, PASSWORD, &write).unwrap();
    assert_eq!(daemon.query(&instance, "wrong-password", &check).unwrap_err().code, "login_refused");
    daemon.delete(text(&first["id"]));

    daemon.change("POST", &format!("/databases/{id}/restart"), None);
    daemon.query(&instance, PASSWORD, &check).unwrap();

    let container = home.container(id);
    let started =
        |home: &Home| home.account.must(&format!("podman inspect --format '{{{{.State.StartedAt}}}}' {container}"));
    let before = started(&home);
    daemon.kill();
    let daemon = home.start();
    let after = daemon.settles(id, "RUNNING");
    assert_eq!(after["health"], "UP");
    assert_eq!(started(&home), before, "the server was restarted with the daemon");
    daemon.query(&after, PASSWORD, &check).unwrap();

    daemon.delete(id);
    home.assert_nothing_left();
    daemon.terminate();
}

fn assert_seeded(daemon: &Daemon<'_>) {
    let made = daemon.newest_ended("create");
    let steps = made["steps"].as_array().unwrap();
    let volume = steps.iter().find(|s| s["name"] == "volume").unwrap();
    let detail = text(&volume["detail"]);
    assert!(detail.contains("template") && !detail.contains("empty"), "{made:#}");
}

#[test]
fn postgresql_lives_and_dies_without_root() {
    whole_life("postgresql");
}

#[test]
fn valkey_lives_and_dies_without_root() {
    whole_life("valkey");
}
