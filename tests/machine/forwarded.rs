//! The daemon is here and Podman there, behind a socket that ssh forwards: what `podman machine` does on other systems.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::VALKEY;
use crate::guest::{Guest, on_a_sound_machine};

const USER: &str = "limited";

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Here {
    data: PathBuf,
    url: String,
}

impl Here {
    #[track_caller]
    fn fluxdb(&self, arguments: &[&str]) -> String {
        let output = Command::new("timeout")
            .args(["200", env!("CARGO_BIN_EXE_fluxdb"), "--url", &self.url, "--data-dir"])
            .arg(&self.data)
            .args(arguments)
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {out}\n{err}");
        out.into_owned()
    }
}

fn control(guest: &Guest, path: &Path, arguments: &[&str]) -> bool {
    let mut ssh = guest.ssh(20);
    ssh.arg("-S").arg(path).args(arguments).arg(format!("{USER}@127.0.0.1")).stderr(Stdio::null());
    ssh.status().unwrap().success()
}

#[test]
fn podman_on_another_machine_is_used_through_its_socket() {
    on_a_sound_machine(used_through_its_socket);
}

fn used_through_its_socket() {
    let guest = Guest::boot(&[VALKEY]);
    guest.run(USER, "podman load -q -i /srv/valkey-8.1.tar");
    let (socket, master) = (guest.place.path().join("podman.sock"), guest.place.path().join("master"));
    let mut ssh = guest.ssh(900);
    ssh.args(["-N", "-M", "-S"]).arg(&master).arg("-L");
    ssh.arg(format!("{}:/run/user/1000/podman/podman.sock", socket.display())).arg(format!("{USER}@127.0.0.1"));
    let _forwarded = Running(ssh.spawn().unwrap());
    until("the socket is forwarded", || socket.exists() && control(&guest, &master, &["-O", "check"]));

    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let here = Here { data: guest.place.path().join("data"), url: format!("http://127.0.0.1:{port}") };
    std::fs::create_dir(&here.data).unwrap();
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\n[podman]\nurl = \"unix://{}\"\n[images]\npull = false\nbuild = false\n",
        socket.display()
    );
    std::fs::write(here.data.join("config.toml"), config).unwrap();
    let log = std::fs::File::create(guest.place.path().join("daemon.log")).unwrap();
    let mut serve = Command::new(env!("CARGO_BIN_EXE_fluxdb"));
    serve
        .arg("--data-dir")
        .arg(&here.data)
        .arg("serve")
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    let _daemon = Running(serve.spawn().unwrap());
    until("the daemon answers", || {
        let ask = Command::new(env!("CARGO_BIN_EXE_fluxdb"))
            .args(["--url", &here.url, "--data-dir"])
            .arg(&here.data)
            .arg("status")
            .output();
        ask.unwrap().status.success()
    });

    // `podman machine` forwards what is published by itself; here it is done as soon as the port is known.
    here.fluxdb(&["create", "demo", "--engine", "valkey", "--sku", "B1s", "--no-wait"]);
    let show = || serde_json::from_str::<Value>(&here.fluxdb(&["--json", "show", "demo"])).unwrap();
    let port = show()["endpoint"]["port"].as_u64().unwrap();
    assert!(control(&guest, &master, &["-O", "forward", "-L", &format!("{port}:127.0.0.1:{port}")]));
    until("the instance runs", || {
        let operations = here.fluxdb(&["--json", "operations", "list"]);
        assert!(!operations.contains("\"failed\""), "{operations}");
        let instance = show();
        instance["state"] == "RUNNING" && instance["health"] == "UP"
    });
    // Its files are out of reach from here; the container itself says what limits it.
    let instance = show();
    let limits = &instance["limits"];
    assert_eq!(limits["enforced"], true, "{instance:#}");
    assert_eq!(limits["effective"]["memory_bytes"], 1024_u64 << 20, "{limits:#}");
    assert_eq!(limits["effective"]["cpu_quota_us"], 100_000, "{limits:#}");
    // Its network namespace is out of reach too, and that is said.
    assert_eq!(instance["network"]["enforced"], false, "{instance:#}");
    assert!(instance["network"]["reason"].as_str().unwrap().contains("another machine"), "{instance:#}");
    assert_eq!(instance["badges"], serde_json::json!(["EGRESS_NOT_ENFORCED"]), "{instance:#}");
    assert_eq!(guest.run(USER, "podman ps -q").lines().count(), 1);
    here.fluxdb(&["delete", "demo", "--yes"]);
    assert_eq!(guest.run(USER, "podman ps -aq; podman volume ls -q; podman secret ls -q"), "");
}

#[track_caller]
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(120), "it never came to this: {what}");
        std::thread::sleep(Duration::from_millis(300));
    }
}
