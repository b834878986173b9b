//! Canaries: known passwords are looked for everywhere that passwords have no business to be.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fluxdb::domain::InstanceId;
use fluxdb::ops::core::credential_context;
use fluxdb::store::Store;
use fluxdb::store::credentials::{self, Role};
use fluxdb::vault::Vault;
use fluxdb_adapters::quote::{mysql_literal, percent, pg_literal};
use serde_json::{Value, json};

use crate::daemon::{Daemon, text};
use crate::home::Home;
use crate::host::processes;

/// Spellings under which a password would still be readable.
struct Needles(Vec<(String, String)>);

impl Needles {
    fn of(what: &str, password: &str) -> Self {
        let json = serde_json::to_string(password).unwrap();
        let json = json.trim_matches('"').to_owned();
        let twice = serde_json::to_string(&json).unwrap();
        let spellings = [
            ("raw", password.to_owned()),
            ("in a URL", percent(password)),
            ("in a form", percent(password).replace("%20", "+")),
            ("in JSON", json),
            ("in JSON in JSON", twice.trim_matches('"').to_owned()),
            ("in PostgreSQL", pg_literal(password).trim_start_matches('E').trim_matches('\'').trim().to_owned()),
            ("in MariaDB", mysql_literal(password).trim_matches('\'').to_owned()),
            ("debug", format!("{password:?}").trim_matches('"').to_owned()),
            ("base64", base64(password.as_bytes())),
            ("hexadecimal", password.bytes().map(|b| format!("{b:02x}")).collect()),
        ];
        let different: BTreeSet<_> =
            spellings.into_iter().map(|(how, s)| (s, format!("the {what} password {how}"))).collect();
        Self(different.into_iter().collect())
    }

    fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    #[track_caller]
    fn assert_absent(&self, place: &str, bytes: &[u8]) {
        if let Some(found) = self.find(bytes) {
            panic!("{found} is in {place}");
        }
    }

    fn find(&self, bytes: &[u8]) -> Option<&str> {
        let found = self.0.iter().find(|(needle, _)| contains(bytes, needle.as_bytes()));
        found.map(|(_, what)| what.as_str())
    }
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|b| *b == needle[0]) {
        rest = &rest[at..];
        if rest.starts_with(needle) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let sextets = |chunk: &[u8]| {
        let word = chunk.iter().fold(0u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        (0..=chunk.len()).map(|i| char::from(ALPHABET[(word >> (18 - 6 * i) & 63) as usize])).collect::<String>()
    };
    // The unpadded end differs with what comes after it, so it is left out.
    bytes.chunks_exact(3).map(sextets).collect()
}

/// Looks at every process all the time, so that one that lives for a moment is seen too.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<Option<String>>>,
}

impl Watch {
    fn start(needles: Arc<Needles>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ends = stop.clone();
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                if let Some(found) = look_at_processes(&needles) {
                    return Some(found);
                }
                std::thread::sleep(Duration::from_millis(15));
            }
            None
        });
        Self { stop, thread: Some(thread) }
    }

    #[track_caller]
    fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let found = self.thread.take().unwrap().join().unwrap();
        assert_eq!(found, None, "while it was made");
    }
}

fn look_at_processes(needles: &Needles) -> Option<String> {
    for pid in processes() {
        for file in ["cmdline", "environ"] {
            // Processes come and go.
            let mut bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let found = needles.find(&bytes).map(str::to_owned);
            if let Some(what) = found {
                bytes.truncate(200);
                let program = String::from_utf8_lossy(&bytes).split('\0').next().unwrap_or_default().to_owned();
                return Some(format!("{what} is in {file} of process {pid} ({program})"));
            }
        }
    }
    None
}

#[track_caller]
fn assert_absent_below(needles: &Needles, directory: &Path) -> usize {
    let mut looked = 0;
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let entry = entry.unwrap();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            looked += assert_absent_below(needles, &entry.path());
        } else if kind.is_file() {
            looked += 1;
            // Files of a running server come and go.
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            needles.assert_absent(&entry.path().display().to_string(), &bytes);
        }
    }
    looked
}

/// Every answer to a GET that the API's document lists, for both kinds of token.
fn assert_absent_from_api(needles: &Needles, daemon: &Daemon<'_>, home: &Home, made: &Value) {
    let admin = std::fs::read_to_string(home.data().join("admin.token")).unwrap();
    let body = json!({"name": "reader", "permissions": ["databases:read"]});
    let reader = daemon.call("POST", "/tokens", Some(&body)).expect(201);
    let (id, engine) = (text(&made["instance"]["id"]), text(&made["instance"]["engine"]));
    let document: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
    let mut answered = 0;
    for (route, item) in document["paths"].as_object().unwrap() {
        if item.get("get").is_none() || route == "/events" {
            continue;
        }
        let of = if route.starts_with("/operations") { text(&made["operation"]["id"]) } else { id };
        let path = route.replace("{id}", of).replace("{engine}", engine);
        let mut paths = vec![path.clone()];
        if route.ends_with("connection-string") {
            paths.extend(["uri", "jdbc", "env", "cli", "yaml", "dotnet"].map(|f| format!("{path}?format={f}")));
        }
        for path in paths {
            for token in [admin.trim(), text(&reader["secret"])] {
                let answer = daemon.call_as(token, "GET", &path, None).unwrap();
                answered += usize::from(answer.status == 200);
                needles.assert_absent(&format!("GET {path}"), answer.text.as_bytes());
            }
        }
    }
    assert!(answered > 25, "only {answered} answers");
    // The one place where it is given back, to those who may write and say that they want it.
    let path = format!("/databases/{id}/connection-string?reveal=true");
    let refused = daemon.call_as(text(&reader["secret"]), "GET", &path, None).unwrap();
    assert_eq!(refused.status, 403, "{}", refused.text);
    let revealed = daemon.get(&path);
    assert!(needles.find(text(&revealed["password"]).as_bytes()).is_some(), "{}", revealed["format"]);
    needles.assert_absent("GET /audit", daemon.call("GET", "/audit?limit=1000", None).text.as_bytes());
}

/// The password that fluxdb made for itself, out of its own state.
fn system_password(home: &Home, engine: &str, id: &str) -> String {
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let id: InstanceId = id.parse().unwrap();
    let user = fluxdb_adapters::find(engine).unwrap().facts().system_user;
    threads.block_on(async {
        let store = Store::open(&home.data().join("fluxdb.sqlite"), 1).unwrap();
        let vault = Vault::open(&store, &home.data(), None).await.unwrap();
        let row = store.read(move |db| credentials::find(db, id, Role::System, user)).await.unwrap().unwrap();
        vault.open_sealed(&credential_context(id, Role::System, user), &row.ciphertext).unwrap().expose().to_owned()
    })
}

fn keeps_its_secrets(engine: &str) {
    // Everything that any library of ours may say.
    let home = Home::new("[images]\npull = false\nbuild = false\n[log]\nfilter = \"trace\"\n");
    let daemon = home.start();
    let password = format!("Canary{:08x}'\"`$\\ %&+/?#:@;{{}}", rand::random::<u32>());
    let mine = Arc::new(Needles::of("user's", &password));
    let watch = Watch::start(mine.clone());
    let body = json!({"name": "demo", "engine": engine, "sku": "B1s", "password": password});
    let answer = daemon.call("POST", "/databases", Some(&body));
    mine.assert_absent("the answer to a create with an own password", answer.text.as_bytes());
    let accepted = answer.expect(202);
    let ended = daemon.ended(text(&accepted["operation"]["id"]));
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    let id = text(&accepted["instance"]["id"]).to_owned();
    watch.end();

    let system = system_password(&home, engine, &id);
    let container = home.container(&id);
    if fluxdb_adapters::find(engine).unwrap().facts().system_user != "fluxdb" {
        let file = home.account.must(&format!("podman exec {container} cat /fluxdb/system-password"));
        // What the first start read opens nothing any more.
        assert!(!file.is_empty() && file != system);
    }
    let needles = Needles::of("user's", &password).and(Needles::of("system", &system));
    // Once more with both known: a restart and a resize take them in hand again.
    let watch = Watch::start(Arc::new(Needles::of("user's", &password).and(Needles::of("system", &system))));
    daemon.change("POST", &format!("/databases/{id}/restart"), None);
    daemon.change("PATCH", &format!("/databases/{id}"), Some(&json!({"sku": "B1ms"})));
    watch.end();
    assert_eq!(look_at_processes(&needles), None);

    let volume = home.volume(&id);
    let image = text(&accepted["instance"]["image"]["reference"]).to_owned();
    for command in [
        format!("podman inspect {container}"),
        format!("podman volume inspect {volume}"),
        "podman images -q | xargs podman image inspect".to_owned(),
        format!("podman logs {container} 2>&1"),
        "podman secret ls -q | xargs -r podman secret inspect".to_owned(),
        format!("podman top {container} args"),
        format!("podman exec {container} env"),
        "podman events --stream=false --since 10m".to_owned(),
    ] {
        let said = home.account.sh(&command);
        assert!(!said.is_empty() || command.contains("logs"), "{command} says nothing (image {image})");
        needles.assert_absent(&command, said.as_bytes());
    }
    let log = std::fs::read(home.log()).unwrap();
    assert!(!log.is_empty());
    needles.assert_absent("the daemon's log", &log);
    let made = json!({"instance": daemon.instance(&id), "operation": ended});
    assert_absent_from_api(&needles, &daemon, &home, &made);
    // SQLite, its write-ahead log, the log of Podman's service, sockets aside.
    assert!(assert_absent_below(&needles, &home.data()) >= 5);
    // The server keeps verifiers, not passwords.
    let place = home.account.must(&format!("podman volume inspect --format '{{{{.Mountpoint}}}}' {volume}"));
    assert!(assert_absent_below(&needles, Path::new(&place)) > 0);
    needles.assert_absent("the daemon's log", &std::fs::read(home.log()).unwrap());
    daemon.delete(&id);
    home.assert_nothing_left();
}

#[test]
fn postgresql_keeps_its_secrets() {
    keeps_its_secrets("postgresql");
}

#[test]
fn mariadb_keeps_its_secrets() {
    keeps_its_secrets("mariadb");
}

#[test]
fn redis_keeps_its_secrets() {
    keeps_its_secrets("redis");
}

#[test]
fn valkey_keeps_its_secrets() {
    keeps_its_secrets("valkey");
}

#[test]
fn a_password_that_was_made_is_in_the_answer_alone() {
    let home = Home::new("[images]\npull = false\nbuild = false\n[log]\nfilter = \"trace\"\n");
    let daemon = home.start();
    let body = json!({"name": "demo", "engine": "valkey", "sku": "B1s"});
    let accepted = daemon.call("POST", "/databases", Some(&body)).expect(202);
    let password = text(&accepted["password"]).to_owned();
    let needles = Needles::of("made", &password);
    daemon.ended(text(&accepted["operation"]["id"]));
    assert_eq!(look_at_processes(&needles), None);
    needles.assert_absent("the daemon's log", &std::fs::read(home.log()).unwrap());
    assert_absent_below(&needles, &home.data());
    daemon.query(&accepted["instance"], &password, &[fluxdb_adapters::Call::resp(&["PING"])]).unwrap();
}
