//! What it costs to look after servers: many idle ones watched by the daemon, and one round of questions by itself.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fluxdb::wire::live::LiveWire;
use fluxdb::wire::{Target, Wire};
use fluxdb_adapters::{Account, Advertised, Call, Cx, Engine, Secret, Size};
use hyper::Method;
use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::http::Client;

const PASSWORD: &str = "Bench0Password1";
const INSTANCES: usize = 200;
const WATCHED_FOR: Duration = Duration::from_secs(60);
const ROUNDS: u32 = 50;

/// 200 small, idle servers, asked every 10 s and compared with the store every 15 s.
pub async fn run() {
    let daemon = Daemon::start(0).await;
    let mut client = Client::connect(&daemon).await;
    let mut ids = Vec::new();
    for n in 0..INSTANCES {
        ids.push(made(&mut client, "valkey", n).await["id"].as_str().unwrap().to_owned());
    }
    // Until the last one's first minute of work for the daemon is over.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let (before, service, started) = (daemon.cpu_ms(), daemon.service_cpu_ms(), Instant::now());
    tokio::time::sleep(WATCHED_FOR).await;
    let wall = started.elapsed().as_secs_f64() * 10.0;
    let share = |ms: u64| ms as f64 / wall;
    println!(
        "{INSTANCES} idle instances: daemon {:.2} % of one core, podman system service {:.2} %, resident {} MiB",
        share(daemon.cpu_ms() - before),
        share(daemon.service_cpu_ms() - service),
        daemon.rss_kib() / 1024,
    );
    let (_, listed) = client.send(Method::GET, "/databases?limit=1000", "").await;
    let listed: Value = serde_json::from_slice(&listed).unwrap();
    let up = listed["items"].as_array().unwrap().iter().filter(|i| i["health"] == "UP").count();
    assert_eq!(up, INSTANCES, "all of them answer");
    for id in ids {
        removed(&mut client, &id).await;
    }
}

/// CPU of one round, of everything on this machine (ours, Podman's, the server's): over a kept connection, over a new
/// one, and by a program in the container.
pub async fn rounds(engines: &[String]) {
    let daemon = Daemon::start(0).await;
    let mut client = Client::connect(&daemon).await;
    println!("| engine | health + metrics, kept connection | new connection | `podman exec`, health alone |");
    println!("|---|---|---|---|");
    for id in engines {
        let engine = fluxdb_adapters::find(id).unwrap();
        let instance = made(&mut client, id, 0).await;
        let target = target(engine, &instance);
        let mut calls = vec![engine.ping()];
        calls.extend(metrics(engine, &target));
        let wire = LiveWire::default();
        let limit = Duration::from_secs(10);
        wire.poll(&target, &calls, limit).await.unwrap();
        let kept = cpu(async || {
            wire.poll(&target, &calls, limit).await.unwrap();
        });
        let kept = kept.await;
        let fresh = cpu(async || {
            wire.run(&target, &calls, limit).await.unwrap();
        });
        let fresh = fresh.await;
        let program = cpu(async || exec(engine, &instance, &target)).await;
        println!("| {id} | {kept:.2} ms | {fresh:.2} ms | {program:.1} ms |");
        removed(&mut client, instance["id"].as_str().unwrap()).await;
    }
}

fn metrics(engine: &dyn Engine, target: &Target) -> Vec<Call> {
    let Some(metrics) = engine.metrics() else { return Vec::new() };
    let facts = engine.facts();
    metrics.calls(&Cx {
        version: facts.version(facts.default_version).unwrap(),
        size: Size { vcpu: 1, memory_mib: 2048, storage_gib: 8 },
        system: target.account.clone(),
        user: target.account.clone(),
        database: target.database.clone(),
        settings: Default::default(),
        advertised: Advertised { host: target.host.clone(), ports: vec![target.port] },
        unique: 1,
    })
}

fn target(engine: &dyn Engine, instance: &Value) -> Target {
    let facts = engine.facts();
    Target {
        protocol: facts.protocol,
        http_auth: facts.http_auth,
        host: "127.0.0.1".into(),
        port: u16::try_from(instance["endpoint"]["port"].as_u64().unwrap()).unwrap(),
        account: Account { username: instance["username"].as_str().unwrap().into(), password: Secret::new(PASSWORD) },
        database: instance["database"].as_str().map(Into::into),
        tls: None,
        ours: false,
    }
}

/// Milliseconds of CPU that one of [`ROUNDS`] rounds takes on the whole machine, less what it takes when idle.
async fn cpu(mut round: impl AsyncFnMut()) -> f64 {
    let (before, started) = (busy_ms(), Instant::now());
    for _ in 0..ROUNDS {
        round().await;
    }
    let (worked, took) = (busy_ms() - before, started.elapsed());
    let before = busy_ms();
    tokio::time::sleep(took).await;
    (worked.saturating_sub(busy_ms() - before)) as f64 / f64::from(ROUNDS)
}

/// User, nice, system and interrupt time of all processors.
fn busy_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let fields: Vec<u64> =
        stat.lines().next().unwrap().split_whitespace().skip(1).map(|n| n.parse().unwrap()).collect();
    (fields[0] + fields[1] + fields[2] + fields[5] + fields[6]) * 10
}

fn exec(engine: &dyn Engine, instance: &Value, target: &Target) {
    let container = containers().into_iter().find(|name| name.ends_with(instance["id"].as_str().unwrap())).unwrap();
    let shell = engine.shell(&target.account.username, target.database.as_deref());
    let mut child = Command::new("podman")
        .args(["exec", "-i", "-e", &format!("{}={PASSWORD}", shell.password_env), &container])
        .args(&shell.argv)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ask = if engine.facts().id == "redis" || engine.facts().id == "valkey" { "PING\n" } else { "SELECT 1;\n" };
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), ask.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

fn containers() -> Vec<String> {
    let out = Command::new("podman").args(["ps", "--format", "{{.Names}}"]).output().unwrap();
    String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect()
}

async fn made(client: &mut Client, engine: &str, n: usize) -> Value {
    let body = json!({ "name": format!("watch-{engine}-{n}"), "engine": engine, "password": PASSWORD, "sku": "B1ls" });
    let (status, answer) = client.send(Method::POST, "/databases?wait=60", &body.to_string()).await;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert!(status == 200 || status == 201, "{status}: {answer:#}");
    assert_eq!(answer["operation"]["state"], "succeeded", "{answer:#}");
    answer["instance"].clone()
}

async fn removed(client: &mut Client, id: &str) {
    let (status, gone) = client.send(Method::DELETE, &format!("/databases/{id}?wait=60"), "").await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&gone));
}
