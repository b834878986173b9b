//! What an operator gets wrong: each ends as an error that says what it is, with nothing left, and a clean retry.

use serde_json::{Value, json};

use crate::daemon::{Daemon, text};
use crate::home::Home;
use crate::lifecycle::write_and_check;
use crate::world::{PASSWORD, sh};

/// An image that is made of another by some lines of a recipe.
struct Altered(String);

impl Altered {
    fn build(name: &str, base: &str, options: &str, lines: &str) -> Self {
        let image = format!("localhost/fluxdb-test/{name}:{}", std::process::id());
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("Containerfile"), format!("FROM {base}\n{lines}\n")).unwrap();
        let built = sh(&format!("podman build -q {options} --isolation=chroot -t {image} {}", dir.path().display()));
        assert_ne!(built, "", "{image} could not be built");
        Self(image)
    }
}

impl Drop for Altered {
    fn drop(&mut self) {
        sh(&format!("podman rmi -f {}", self.0));
    }
}

/// How a create with this image ends.
fn create(daemon: &Daemon<'_>, engine: &str) -> Value {
    let body = json!({"name": "demo", "engine": engine, "sku": "B1s", "password": PASSWORD});
    let accepted = daemon.call("POST", "/databases", Some(&body)).expect(202);
    daemon.ended(text(&accepted["operation"]["id"]))
}

fn with_image(engine: &str, version: &str, image: &str) -> Home {
    let own = format!("[images.overrides.{engine}]\n\"{version}\" = \"{image}\"\n");
    Home::new(&format!("[images]\npull = false\nbuild = false\n{own}"))
}

#[test]
fn an_image_for_other_processors_is_not_started() {
    let other = if cfg!(target_arch = "x86_64") { "arm64" } else { "amd64" };
    let image = Altered::build("foreign", "scratch", &format!("--arch {other}"), "LABEL a=b");
    let home = with_image("valkey", "8.1", &image.0);
    let daemon = home.start();
    let ended = create(&daemon, "valkey");
    assert_eq!(ended["error"]["code"], "image_wrong_architecture", "{ended:#}");
    let detail = text(&ended["error"]["detail"]);
    assert!(detail.contains(other) && detail.contains(&image.0) && detail.contains("podman rmi"), "{detail}");
    home.assert_nothing_left();
    daemon.terminate();
}

/// Containers run under a number, to which Podman gives a name where the image has none: servers that ask for it start.
#[test]
fn an_image_without_the_expected_user_serves_all_the_same() {
    let recipe = "USER 0\nRUN sed -i '/^postgres:/d' /etc/passwd";
    let image = Altered::build("userless", "localhost/fluxdb/postgresql:17", "", recipe);
    let home = with_image("postgresql", "17", &image.0);
    let daemon = home.start();
    let (write, check) = write_and_check("postgresql");
    let instance = daemon.create("demo", "postgresql", "B1s", PASSWORD);
    daemon.query(&instance, PASSWORD, &write).unwrap();
    daemon.query(&instance, PASSWORD, &check).unwrap();
    daemon.delete(text(&instance["id"]));
    home.assert_nothing_left();
    daemon.terminate();
}

/// PostgreSQL refuses the files of another major; they stay as they are, and the way back is open.
#[test]
fn data_of_another_major_version_are_refused_and_left_alone() {
    let home = Home::new("[images]\npull = false\nbuild = false\n");
    let daemon = home.start();
    let (write, check) = write_and_check("postgresql");
    let instance = daemon.create("demo", "postgresql", "B1s", PASSWORD);
    let id = text(&instance["id"]);
    daemon.query(&instance, PASSWORD, &write).unwrap();
    daemon.change("POST", &format!("/databases/{id}/stop"), None);
    let volume =
        home.account.must(&format!("podman volume inspect --format '{{{{.Mountpoint}}}}' {}", home.volume(id)));
    let major = std::path::Path::new(&volume).join("17/docker/PG_VERSION");
    std::fs::write(&major, "15\n").unwrap();

    let accepted = daemon.call("POST", &format!("/databases/{id}/start"), None).expect(202);
    let ended = daemon.ended(text(&accepted["operation"]["id"]));
    assert_eq!((&ended["state"], &ended["error"]["code"]), (&json!("failed"), &json!("container_exited")), "{ended:#}");
    let detail = text(&ended["error"]["detail"]);
    assert!(detail.contains("incompatible") && detail.contains("15"), "{detail}");
    assert_eq!(std::fs::read_to_string(&major).unwrap(), "15\n", "nothing was written over it");

    std::fs::write(&major, "17\n").unwrap();
    daemon.change("POST", &format!("/databases/{id}/restart"), None);
    let instance = daemon.settles(id, "RUNNING");
    daemon.query(&instance, PASSWORD, &check).unwrap();
    daemon.delete(id);
    home.assert_nothing_left();
    daemon.terminate();
}

/// The strictest limits for the users' sessions, from the first start on: fluxdb's own sessions are not under them.
#[test]
fn limits_of_sessions_do_not_lock_fluxdb_out() {
    let home = Home::new("[images]\npull = false\nbuild = false\n");
    let daemon = home.start();
    let settings = json!({"statement_timeout": "20", "lock_timeout": "1", "default_transaction_read_only": "true"});
    let body =
        json!({"name": "demo", "engine": "postgresql", "sku": "B1s", "password": PASSWORD, "settings": settings});
    let accepted = daemon.call("POST", "/databases", Some(&body)).expect(202);
    let ended = daemon.ended(text(&accepted["operation"]["id"]));
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    let id = text(&accepted["instance"]["id"]);
    let (write, check) = write_and_check("postgresql");
    let made = daemon.instance(id);
    let (port, user) = (&made["endpoint"]["port"], text(&made["username"]));
    let output = std::process::Command::new("psql")
        .args(["-XAt", "-h", "127.0.0.1", "-p", &port.to_string(), "-U", user, "-d", "defaultdb"])
        .args(["-c", "SHOW default_transaction_read_only"])
        .env("PGPASSWORD", PASSWORD)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "on", "the users' sessions are under them: {output:?}");
    daemon.change("POST", &format!("/databases/{id}/restart"), None);
    daemon.change("PUT", &format!("/databases/{id}/settings"), Some(&json!({"settings": {}})));
    let instance = daemon.settles(id, "RUNNING");
    daemon.query(&instance, PASSWORD, &write).unwrap();
    daemon.query(&instance, PASSWORD, &check).unwrap();
    daemon.delete(id);
    home.assert_nothing_left();
    daemon.terminate();
}
