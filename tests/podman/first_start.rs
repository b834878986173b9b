//! A first start that is cut short, or that can never work: an error that says why, and nothing left.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::daemon::text;
use crate::home::Home;
use crate::lifecycle::write_and_check;
use crate::world::{PASSWORD, sh};

#[test]
fn a_server_that_is_killed_while_it_initialises_leaves_an_error_and_nothing_else() {
    let home = Home::new("[images]\npull = false\nbuild = false\ntemplates = false\n");
    let daemon = home.start();
    let (write, check) = write_and_check("postgresql");
    let body = json!({"name": "demo", "engine": "postgresql", "sku": "B1s", "password": PASSWORD});
    let accepted = daemon.call("POST", "/databases", Some(&body)).expect(202);
    let container = home.container(text(&accepted["instance"]["id"]));
    daemon.until("the container runs", || {
        !home.account.sh(&format!("podman ps -q --filter name={container}")).is_empty()
    });
    home.account.must(&format!("podman kill {container}"));
    let ended = daemon.ended(text(&accepted["operation"]["id"]));
    assert_eq!(ended["state"], "failed", "{ended:#}");
    assert_eq!(ended["error"]["code"], "container_exited", "{ended:#}");
    assert!(text(&ended["error"]["detail"]).contains("exit code 137"), "{ended:#}");
    home.assert_nothing_left();
    // The name is free again, and the next try works.
    let instance = daemon.create("demo", "postgresql", "B1s", PASSWORD);
    daemon.query(&instance, PASSWORD, &write).unwrap();
    daemon.query(&instance, PASSWORD, &check).unwrap();
    daemon.delete(text(&instance["id"]));
    home.assert_nothing_left();
}

/// After the first start has been killed and the daemon with it, the next daemon brings the same container up: the
/// image begins its initialisation again where the volume holds a half-made one.
#[test]
fn a_half_initialised_volume_is_initialised_again() {
    let home = Home::new("[images]\npull = false\nbuild = false\ntemplates = false\n");
    for engine in ["postgresql", "mariadb"] {
        let (write, check) = write_and_check(engine);
        let daemon = home.start_to_die_at("create:ready:before");
        let body = json!({"name": "demo", "engine": engine, "sku": "B1s", "password": PASSWORD});
        daemon.dies_over("POST", "/databases", Some(&body));
        let container = home
            .account
            .must(&format!("podman ps --format '{{{{.Names}}}}' --filter label=fluxdb.owner={}", home.owner()));
        std::thread::sleep(std::time::Duration::from_millis(700)); // into the middle of the initialisation
        home.account.must(&format!("podman kill {container}"));
        let daemon = home.start();
        let made = daemon.newest_ended("create");
        assert_eq!(made["state"], "succeeded", "{made:#}");
        let instance = daemon.instance(text(&made["instance_id"]));
        daemon.query(&instance, PASSWORD, &write).unwrap();
        daemon.query(&instance, PASSWORD, &check).unwrap();
        daemon.delete(text(&instance["id"]));
        home.assert_nothing_left();
        daemon.terminate();
    }
}

/// An image whose server says something and ends.
struct BrokenImage(String);

impl BrokenImage {
    fn build(name: &str) -> Self {
        let image = format!("localhost/fluxdb-test/{name}:{}", std::process::id());
        let dir = tempfile::tempdir().unwrap();
        let server = dir.path().join("valkey-server");
        std::fs::write(&server, "#!/bin/sh\necho unknown directive frobnicate >&2\nexit 3\n").unwrap();
        std::fs::set_permissions(&server, std::fs::Permissions::from_mode(0o755)).unwrap();
        let recipe = "FROM localhost/fluxdb/valkey:8.1\nCOPY valkey-server /usr/bin/valkey-server\n";
        std::fs::write(dir.path().join("Containerfile"), recipe).unwrap();
        let built = sh(&format!("podman build -q -t {image} {}", dir.path().display()));
        assert_ne!(built, "", "the broken image could not be built");
        Self(image)
    }
}

impl Drop for BrokenImage {
    fn drop(&mut self) {
        sh(&format!("podman rmi -f {}", self.0));
    }
}

#[test]
fn a_server_that_ends_at_once_is_said_with_its_last_words_and_taken_back() {
    let image = BrokenImage::build("broken");
    let config =
        format!("[images]\npull = false\nbuild = false\n[images.overrides.valkey]\n\"8.1\" = \"{}\"\n", image.0);
    let home = Home::new(&config);
    let body = json!({"name": "demo", "engine": "valkey", "sku": "B1s", "password": PASSWORD});
    let assert_taken_back = |ended: &serde_json::Value| {
        assert_eq!(
            (&ended["state"], &ended["error"]["code"]),
            (&json!("failed"), &json!("container_exited")),
            "{ended:#}"
        );
        let detail = text(&ended["error"]["detail"]);
        assert!(detail.contains("exit code 3") && detail.contains("unknown directive frobnicate"), "{detail}");
        home.assert_nothing_left();
    };
    let daemon = home.start();
    let accepted = daemon.call("POST", "/databases", Some(&body)).expect(202);
    assert_taken_back(&daemon.ended(text(&accepted["operation"]["id"])));
    assert_eq!(daemon.get("/databases")["items"], json!([]));
    daemon.terminate();

    // The same when the daemon dies while it takes it back.
    home.start_to_die_at("create:undo:before").dies_over("POST", "/databases", Some(&body));
    let daemon = home.start();
    assert_taken_back(&daemon.newest_ended("create"));
}
