//! Where a real daemon lives: its data directory, configuration and Podman store. Outlives the daemons that die in it.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};

use fluxdb::api::BASE;
use rusqlite::{Connection, OpenFlags};

use crate::daemon::Daemon;
use crate::host::{Account, end_service};

/// Ports of each home, so that daemons of tests that run side by side do not choose the same.
const PORTS: u16 = 60;
static HOMES: AtomicU16 = AtomicU16::new(0);

pub struct Home {
    pub account: Account,
    pub program: PathBuf,
    root: tempfile::TempDir,
    owner: RefCell<String>,
}

impl Home {
    /// Of a daemon that runs as whoever runs the tests; `config` is appended to what all tests need.
    pub fn new(config: &str) -> Self {
        Self::of(Account::own(), std::env::temp_dir(), config)
    }

    /// Of a daemon that runs as the service's own user, on rootless Podman.
    pub fn rootless(config: &str) -> Self {
        let account = Account::service();
        let place = account.home.clone();
        let mut home = Self::of(account, place, config);
        // The build's own directory is not for everybody to read.
        let program = home.root.path().join("fluxdb");
        std::fs::copy(&home.program, &program).unwrap();
        home.program = program;
        home
    }

    fn of(account: Account, place: PathBuf, config: &str) -> Self {
        account.must("podman info > /dev/null");
        let root = tempfile::Builder::new().prefix("fluxdb-test-").tempdir_in(place).unwrap();
        let home = Self { account, program: env!("CARGO_BIN_EXE_fluxdb").into(), root, owner: RefCell::default() };
        let data = home.data();
        std::fs::create_dir(&data).unwrap();
        let number = HOMES.fetch_add(1, Ordering::Relaxed);
        let first = 15_000 + (std::process::id() % 20) as u16 * 300 + number % 5 * PORTS;
        let text = format!(
            "[endpoints]\nport_first = {first}\nport_last = {}\n[admission]\nmemory_overcommit = 100.0\ncpu_overcommit = 100.0\n{config}",
            first + PORTS - 1
        );
        std::fs::write(data.join("config.toml"), text).unwrap();
        for path in [home.root.path(), &data, &data.join("config.toml")] {
            home.account.own_path(path);
        }
        home
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    /// Where daemons write their log; not in the data directory.
    pub fn log(&self) -> PathBuf {
        self.root.path().join("daemon.log")
    }

    /// Starts a daemon and waits until it answers.
    pub fn start(&self) -> Daemon<'_> {
        self.start_with(&[])
    }

    /// Starts one that dies at this point of an operation.
    pub fn start_to_die_at(&self, point: &str) -> Daemon<'_> {
        self.start_with(&[("FLUXDB_TEST_FAULT", point)])
    }

    fn start_with(&self, env: &[(&str, &str)]) -> Daemon<'_> {
        let daemon = Daemon::start(self, env);
        let status = daemon.get("/status");
        *self.owner.borrow_mut() = status["installation"].as_str().unwrap().to_owned();
        daemon
    }

    /// The installation's id.
    pub fn owner(&self) -> String {
        self.owner.borrow().clone()
    }

    /// Name of an instance's container.
    pub fn container(&self, id: &str) -> String {
        format!("fluxdb-{}-{id}", self.owner())
    }

    /// Name of its volume.
    pub fn volume(&self, id: &str) -> String {
        format!("{}-data", self.container(id))
    }

    pub fn database(&self) -> Connection {
        let db = Connection::open_with_flags(self.data().join("fluxdb.sqlite"), OpenFlags::SQLITE_OPEN_READ_ONLY);
        let db = db.unwrap();
        db.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        db
    }

    fn column(&self, sql: &str) -> Vec<String> {
        let db = self.database();
        let mut statement = db.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// No container, volume (kept templates aside), secret, row, port or temporary file of an instance is left.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let unready = self.column(r#"SELECT id FROM "620600_databases_templates" WHERE ready = 0"#);
        assert_eq!(unready, [""; 0], "a half-made template is left");
        let templates = self.column(r#"SELECT id FROM "620600_databases_templates""#);
        let left = self.account.left_over(&self.owner(), &templates);
        assert_eq!(left, [""; 0], "left in Podman");
        for table in ["instances", "credentials", "users", "databases"] {
            let sql = format!(r#"SELECT CAST(count(*) AS TEXT) FROM "620600_databases_{table}""#);
            assert_eq!(self.column(&sql), ["0"], "rows left in {table}");
        }
        let open = r#"SELECT id FROM "620600_databases_operations"
            WHERE state NOT IN ('succeeded', 'failed', 'cancelled') OR ended_at IS NULL"#;
        assert_eq!(self.column(open), [""; 0], "operations that did not end");
        let steps = r#"SELECT s.name FROM "620600_databases_steps" s JOIN "620600_databases_operations" o
            ON o.id = s.operation_id WHERE o.state = 'succeeded' AND s.state = 'failed'"#;
        assert_eq!(self.column(steps), [""; 0], "failed steps in an operation that succeeded");
        const KNOWN: [&str; 9] = [
            "admin.token",
            "config.toml",
            "fluxdb.sqlite",
            "fluxdb.sqlite-shm",
            "fluxdb.sqlite-wal",
            "master.key",
            "podman-service.log",
            "podman.sock",
            "daemon.lock",
        ];
        let entries = std::fs::read_dir(self.data()).unwrap();
        let strange: Vec<String> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .filter(|name| !KNOWN.contains(&name.as_str()))
            .collect();
        assert_eq!(strange, [""; 0], "files left in the data directory");
    }

    /// The end of the log, for messages; without the questions that the tests themselves ask all the time.
    pub fn last_log(&self) -> String {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let asked = |line: &&str| line.contains("fluxdb::access") && line.contains("method=GET");
        let lines: Vec<&str> = text.lines().filter(|line| !asked(line)).collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    pub fn url(port: u16, path: &str) -> String {
        format!("http://127.0.0.1:{port}{BASE}{path}")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the daemon's last lines:\n{}", self.last_log());
        }
        let owner = self.owner();
        if !owner.is_empty() {
            self.account.sweep(&owner);
        }
        end_service(&self.data().join("podman.sock"));
    }
}
