//! The real daemon on a directory of its own, with as many stopped instances in its store as asked.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fluxdb::domain::InstanceId;
use fluxdb::domain::instance::{Desired, Grant, InstanceRecord};
use fluxdb::store::{Store, instances};
use hyper::Method;
use serde_json::Value;

use crate::http::Client;

pub struct Daemon {
    pub address: SocketAddr,
    pub token: String,
    pub ids: Vec<InstanceId>,
    child: Child,
    service: Child,
    dir: tempfile::TempDir,
    /// What its containers and volumes are labelled with.
    owner: String,
}

pub fn record(n: usize, desired: Desired) -> InstanceRecord {
    let now = jiff::Timestamp::now();
    InstanceRecord {
        id: InstanceId::generate(),
        name: format!("bench-{n}"),
        engine: "postgresql".into(),
        version: "17".into(),
        image_reference: "localhost/fluxdb/postgresql:17".into(),
        image_digest: "sha256:0".into(),
        sku: "B1ls".into(),
        size: Grant { vcpu: 1, memory_mib: 512, storage_gib: 8 },
        project: "default".into(),
        region: "local".into(),
        labels: [("team".to_owned(), format!("t{}", n % 7))].into(),
        desired,
        revision: 1,
        restart_revision: 1,
        more_ports: vec![],
        settings: std::collections::BTreeMap::new(),
        username: "admin".into(),
        database: Some("defaultdb".into()),
        host_ip: "127.0.0.1".into(),
        port: 30_000 + u16::try_from(n).unwrap(),
        seeded_from: None,
        initialized_at: Some(now),
        deletion_protection: false,
        egress: false,
        last_error: None,
        created_at: now,
        updated_at: now,
        row_version: 1,
    }
}

impl Daemon {
    pub async fn start(stopped: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut ids = Vec::new();
        {
            let store = Store::open(&dir.path().join(fluxdb::daemon::STATE_FILE), 1).unwrap();
            let records: Vec<_> = (0..stopped).map(|n| record(n, Desired::Stopped)).collect();
            ids.extend(records.iter().map(|r| r.id));
            store.write(move |tx| records.iter().try_for_each(|r| instances::insert(tx, r))).await.unwrap();
        }
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let roomy = "[admission]\nmemory_overcommit = 100.0\ncpu_overcommit = 100.0\n";
        std::fs::write(dir.path().join("config.toml"), roomy).unwrap();
        let log = std::fs::File::create(dir.path().join("daemon.log")).unwrap();
        // A service of our own, so that it ends with the benchmark.
        let url = format!("unix://{}", dir.path().join("podman.sock").display());
        let service = Command::new("podman").args(["system", "service", "--time=0", &url]).spawn().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_fluxdb"))
            .args(["serve", "--listen", &address.to_string(), "--data-dir"])
            .arg(dir.path())
            .args(["--podman-url", &url])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut daemon = Self { address, token: String::new(), ids, child, service, dir, owner: String::new() };
        let started = Instant::now();
        loop {
            if let Ok(token) = std::fs::read_to_string(daemon.dir.path().join("admin.token"))
                && tokio::net::TcpStream::connect(address).await.is_ok()
            {
                daemon.token = token.trim().to_owned();
                break;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "the daemon did not start:\n{}", daemon.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (_, status) = Client::connect(&daemon).await.send(Method::GET, "/status", "").await;
        let status: Value = serde_json::from_slice(&status).unwrap();
        daemon.owner = status["installation"].as_str().unwrap().to_owned();
        daemon
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("daemon.log")).unwrap_or_default()
    }

    /// CPU that the daemon has taken, milliseconds.
    pub fn cpu_ms(&self) -> u64 {
        cpu_ms(self.child.id())
    }

    /// CPU that its Podman service has taken.
    pub fn service_cpu_ms(&self) -> u64 {
        cpu_ms(self.service.id())
    }

    /// Resident memory in KiB.
    pub fn rss_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

/// User and system time of a process and of its children that ended.
fn cpu_ms(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // After the name, which may hold anything but a closing parenthesis.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11..15].iter().map(|n| n.parse::<u64>().unwrap()).sum::<u64>() * 10
}

impl Drop for Daemon {
    fn drop(&mut self) {
        for child in [&mut self.child, &mut self.service] {
            if let Some(pid) = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            }
            let _ = child.wait();
        }
        let label = format!("label=fluxdb.owner={}", self.owner);
        // Left by a part that broke off.
        let containers = Command::new("podman").args(["ps", "-aq", "--filter", &label]).output();
        for container in String::from_utf8_lossy(&containers.map(|o| o.stdout).unwrap_or_default()).lines() {
            let _ = Command::new("podman").args(["rm", "-f", "-t", "0", container]).stdout(Stdio::null()).status();
        }
        // Templates outlive their daemon; this one's are of no use to anybody.
        let volumes = Command::new("podman").args(["volume", "ls", "-q", "--filter", &label]).output();
        for volume in String::from_utf8_lossy(&volumes.map(|o| o.stdout).unwrap_or_default()).lines() {
            let _ = Command::new("podman").args(["volume", "rm", volume]).stdout(Stdio::null()).status();
        }
    }
}
