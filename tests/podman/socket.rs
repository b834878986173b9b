//! Podman goes away and comes back: reading goes on, changing is refused for a while, and nothing needs a restart.

use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::json;

use crate::daemon::text;
use crate::home::Home;
use crate::host::Account;
use crate::lifecycle::write_and_check;
use crate::world::PASSWORD;

/// A Podman service that the test can take away.
struct Service(Child);

impl Service {
    fn start(socket: &Path) -> Self {
        let mut command = Account::own().command("podman");
        command.args(["system", "service", "--time=0", &format!("unix://{}", socket.display())]);
        let service = Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let deadline = std::time::Instant::now() + crate::daemon::PATIENCE;
        while std::os::unix::net::UnixStream::connect(socket).is_err() {
            assert!(std::time::Instant::now() < deadline, "podman system service does not start");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        service
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn podman_may_go_away_and_come_back() {
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("podman.sock");
    let service = Service::start(&socket);
    let home =
        Home::new(&format!("[images]\npull = false\nbuild = false\n[podman]\nurl = \"unix://{}\"\n", socket.display()));
    let daemon = home.start();
    let instance = daemon.create("demo", "valkey", "B1s", PASSWORD);
    let (write, check) = write_and_check("valkey");
    daemon.query(&instance, PASSWORD, &write).unwrap();
    let id = text(&instance["id"]);
    std::thread::sleep(std::time::Duration::from_millis(1100)); // appendfsync everysec

    drop(service);
    daemon.until("it is said that Podman is away", || daemon.get("/status")["podman_reachable"] == false);
    let status = daemon.get("/status");
    assert_eq!(status["status"], "degraded", "{status:#}");
    // Reading works, and the server itself goes on.
    assert_eq!(daemon.get("/databases")["items"].as_array().unwrap().len(), 1);
    assert_eq!(daemon.instance(id)["name"], "demo");
    daemon.query(&instance, PASSWORD, &check).unwrap();
    // Changing does not.
    let body = json!({"name": "other", "engine": "valkey", "sku": "B1s"});
    for (method, path, body) in [
        ("POST", "/databases".to_owned(), Some(&body)),
        ("POST", format!("/databases/{id}/restart"), None),
        ("DELETE", format!("/databases/{id}"), None),
    ] {
        let refused = daemon.call(method, &path, body);
        assert_eq!(refused.status, 503, "{method} {path}: {}", refused.text);
        assert!(refused.retry_after.as_ref().is_some_and(|v| v.parse::<u32>().is_ok_and(|s| s > 0)), "{refused:?}");
        assert_eq!(refused.json()["code"], "podman_unavailable");
    }
    // What happens meanwhile is found out afterwards.
    home.account.must(&format!("podman kill {}", home.container(id)));

    let _service = Service::start(&socket);
    daemon.until("the instance runs again", || {
        let now = daemon.instance(id);
        now["state"] == "RUNNING"
            && now["health"] == "UP"
            && now["current_operation"].is_null()
            && daemon.query(&instance, PASSWORD, &check).is_ok()
    });
    let status = daemon.get("/status");
    assert_eq!((&status["podman_reachable"], &status["status"]), (&json!(true), &json!("ok")), "{status:#}");
    daemon.delete(id);
    home.assert_nothing_left();
}
