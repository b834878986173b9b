//! Every engine that has an image here: from the request to the first authenticated query, against `podman run` of the
//! same image with the same rendered files by hand.

use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fluxdb::domain::sku::SKUS;
use fluxdb::wire::live::LiveWire;
use fluxdb::wire::{Target, Wire};
use fluxdb_adapters::{Account, Advertised, Cx, Engine, FILES_DIR, Secret, Size};
use hyper::Method;
use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::http::Client;
use crate::stats::{median, ms};

const PASSWORD: &str = "Bench0Password1";
const DEADLINE: Duration = Duration::from_secs(240);

pub async fn run(rounds: usize, engines: &[String]) {
    let daemon = Daemon::start(0).await;
    let mut client = Client::connect(&daemon).await;
    println!("| engine | `podman run` | fluxdb | ratio |");
    println!("|---|---|---|---|");
    for id in engines {
        let engine = fluxdb_adapters::find(id).unwrap();
        let facts = engine.facts();
        let image = format!("localhost/fluxdb/{id}:{}", facts.default_version);
        if !Command::new("podman").args(["image", "exists", &image]).status().unwrap().success() {
            println!("| {id} {} | no image here | | |", facts.default_version);
            continue;
        }
        // A template, where the engine has one, is made by the first.
        ours(&mut client, engine).await;
        let (mut plain, mut quick) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            plain.push(by_hand(engine, &image).await);
            quick.push(ours(&mut client, engine).await);
        }
        let (p, q) = (median(&plain), median(&quick));
        println!(
            "| {id} {} | {} | {} | {:.2} |",
            facts.default_version,
            ms(p),
            ms(q),
            q.as_secs_f64() / p.as_secs_f64()
        );
    }
}

async fn ours(client: &mut Client, engine: &dyn Engine) -> Duration {
    let facts = engine.facts();
    let body = json!({ "name": format!("ready-{}", facts.id), "engine": facts.id, "password": PASSWORD, "sku": sku(engine).0 });
    let started = Instant::now();
    let (status, answer) = client.send(Method::POST, "/databases", &body.to_string()).await;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(status, 202, "{answer:#}");
    let id = answer["instance"]["id"].as_str().unwrap().to_owned();
    // The operation succeeds when the user's query was answered and the limits are read back.
    let operation = answer["operation"]["id"].as_str().unwrap().to_owned();
    loop {
        let (_, op) = client.send(Method::GET, &format!("/operations/{operation}"), "").await;
        let op: Value = serde_json::from_slice(&op).unwrap();
        match op["state"].as_str().unwrap() {
            "succeeded" => break,
            "failed" | "cancelled" => panic!("{op:#}"),
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
        assert!(started.elapsed() < DEADLINE, "{op:#}");
    }
    let took = started.elapsed();
    let (status, gone) = client.send(Method::DELETE, &format!("/databases/{id}?wait=90"), "").await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&gone));
    took
}

/// The smallest size that the engine fits in with room to spare.
fn sku(engine: &dyn Engine) -> (&'static str, Size) {
    let floor = engine.facts().floor.memory_mib.max(1024);
    SKUS.iter().find(|s| s.size.memory_mib >= floor).map(|s| (s.id, s.size)).unwrap()
}

async fn by_hand(engine: &dyn Engine, image: &str) -> Duration {
    let facts = engine.facts();
    let name = format!("fluxdb-bench-hand-{}", facts.id);
    let ports: Vec<u16> = facts.ports.iter().map(|_| free_port()).collect();
    let account = |name: &str| Account { username: name.into(), password: Secret::new(PASSWORD) };
    let user = account(facts.default_username);
    let cx = Cx {
        version: facts.version(facts.default_version).unwrap(),
        size: sku(engine).1,
        system: if facts.single_account { user.clone() } else { account(facts.system_user) },
        user,
        database: facts.default_database.map(Into::into),
        settings: Default::default(),
        advertised: Advertised { host: "127.0.0.1".into(), ports: ports.clone() },
        unique: 7,
    };
    let launch = engine.launch(&cx).unwrap();
    let files = tempfile::tempdir().unwrap();
    std::fs::set_permissions(files.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let (uid, gid) = (facts.user.uid, facts.user.gid);
    for file in &launch.files {
        let path = files.path().join(file.name);
        std::fs::write(&path, file.content.expose()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        chown(&path, Some(uid), Some(gid)).unwrap();
    }
    let mut command = Command::new("podman");
    command.args([
        "run",
        "-d",
        "--pull=never",
        "--label=fluxdb.test=1",
        "--name",
        &name,
        "--user",
        &format!("{uid}:{gid}"),
    ]);
    command.arg("-v").arg(format!("{name}:{}:U", facts.volume_path));
    command.arg("-v").arg(format!("{}:{FILES_DIR}:ro", files.path().display()));
    for tmpfs in facts.tmpfs {
        let exec = if tmpfs.exec { "exec" } else { "noexec" };
        command.arg("--mount").arg(format!("type=tmpfs,destination={},{exec},tmpfs-mode=1777", tmpfs.path));
    }
    for (port, published) in facts.ports.iter().zip(&ports) {
        command.arg("-p").arg(format!("127.0.0.1:{published}:{}", port.number));
    }
    for (key, value) in &launch.env {
        command.arg("-e").arg(format!("{key}={value}"));
    }
    if let Some(entrypoint) = &launch.entrypoint {
        command.arg("--entrypoint").arg(serde_json::to_string(entrypoint).unwrap());
    }
    command.arg(image).args(&launch.argv).stdout(Stdio::null());
    let started = Instant::now();
    assert!(command.status().unwrap().success());
    let target = Target {
        protocol: facts.protocol,
        http_auth: facts.http_auth,
        host: "127.0.0.1".into(),
        port: ports[facts.control_port],
        account: engine.first_login().unwrap_or(cx.system),
        database: None,
        tls: None,
    };
    while LiveWire::default().run(&target, &[engine.ping()], Duration::from_secs(5)).await.is_err() {
        assert!(started.elapsed() < DEADLINE, "{} did not answer", facts.id);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = started.elapsed();
    for arguments in [vec!["rm", "-f", "-v", "-t", "10", &name], vec!["volume", "rm", "-f", &name]] {
        assert!(Command::new("podman").args(arguments).stdout(Stdio::null()).status().unwrap().success());
    }
    took
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
