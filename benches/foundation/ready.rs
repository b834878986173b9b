//! Every engine that has an image here: from the request to the first authenticated query, against `podman run` of the
//! same image with the same rendered files by hand.

use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fluxdb::domain::sku::SKUS;
use fluxdb::wire::Target;
use fluxdb_adapters::{Account, Advertised, Cx, Engine, FILES_DIR, Facts, Secret, Size, Version};
use serde_json::json;

use crate::create::{self, PASSWORD};
use crate::daemon::Daemon;
use crate::http::Client;
use crate::stats::{median, ms};

pub async fn run(rounds: usize, engines: &[String]) {
    let daemon = Daemon::start(0).await;
    let mut client = Client::connect(&daemon).await;
    println!("| engine | `podman run` | the same, limited as the SKU | fluxdb | ratio | ratio to the limited one |");
    println!("|---|---|---|---|---|---|");
    for id in engines {
        let engine = fluxdb_adapters::find(id).unwrap();
        let facts = engine.facts();
        let Some((version, image)) = here(facts) else {
            println!("| {id} | no image here | | | | |");
            continue;
        };
        // A template, where the engine has one, is made by the first.
        ours(&mut client, engine, version).await;
        let (mut plain, mut limited, mut quick) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            plain.push(by_hand(engine, version, &image, false).await);
            limited.push(by_hand(engine, version, &image, true).await);
            quick.push(ours(&mut client, engine, version).await);
        }
        let (p, l, q) = (median(&plain), median(&limited), median(&quick));
        let to = |other: Duration| q.as_secs_f64() / other.as_secs_f64();
        println!("| {id} {} | {} | {} | {} | {:.2} | {:.2} |", version.id, ms(p), ms(l), ms(q), to(p), to(l));
    }
}

/// The default version, or another, whose image was built here.
fn here(facts: &'static Facts) -> Option<(&'static Version, String)> {
    let mut versions: Vec<&Version> = facts.versions.iter().collect();
    versions.sort_by_key(|v| v.id != facts.default_version);
    let named = |v: &'static Version| (v, format!("localhost/fluxdb/{}:{}", facts.id, v.id));
    let exists = |image: &str| Command::new("podman").args(["image", "exists", image]).status().unwrap().success();
    versions.into_iter().map(named).find(|(_, image)| exists(image))
}

async fn ours(client: &mut Client, engine: &dyn Engine, version: &Version) -> Duration {
    let (id, sku) = (engine.facts().id, sku(engine).0);
    let name = format!("ready-{id}");
    let body = json!({ "name": name, "engine": id, "version": version.id, "password": PASSWORD, "sku": sku });
    create::ours(client, engine, body).await.ready
}

/// The smallest size that the engine fits in with room to spare.
fn sku(engine: &dyn Engine) -> (&'static str, Size) {
    let floor = engine.facts().floor.memory_mib.max(1024);
    SKUS.iter().find(|s| s.size.memory_mib >= floor).map(|s| (s.id, s.size)).unwrap()
}

async fn by_hand(engine: &dyn Engine, version: &'static Version, image: &str, limited: bool) -> Duration {
    let facts = engine.facts();
    let name = format!("fluxdb-bench-hand-{}", facts.id);
    let ports: Vec<u16> = facts.ports.iter().map(|_| free_port()).collect();
    let account = |name: &str| Account { username: name.into(), password: Secret::new(PASSWORD) };
    let user = account(facts.default_username);
    let cx = Cx {
        version,
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
    if limited {
        command.arg(format!("--cpus={}", cx.size.vcpu)).arg(format!("--memory={}m", cx.size.memory_mib));
    }
    command.arg("-v").arg(format!("{name}:{}:U", facts.volume_path));
    command.arg("-v").arg(format!("{}:{FILES_DIR}:ro", files.path().display()));
    for tmpfs in facts.tmpfs {
        let exec = if tmpfs.exec { "exec" } else { "noexec" };
        command.arg("--mount").arg(format!("type=tmpfs,destination={},{exec},U=true", tmpfs.path));
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
    // Left by a run that broke off.
    podman(&["rm", "-f", "-v", "-t", "0", &name]);
    podman(&["volume", "rm", "-f", &name]);
    let started = Instant::now();
    assert!(command.status().unwrap().success());
    let target = Target {
        protocol: facts.protocol,
        http_auth: facts.http_auth,
        host: "127.0.0.1".into(),
        port: ports[facts.control_port],
        account: cx.system.clone(),
        database: None,
        tls: None,
        ours: false,
    };
    // Who does it by hand makes the first administrator too, where the image does not.
    if let Some(account) = engine.first_login() {
        let (first, claim) = (Target { account, ..target.clone() }, engine.claim(&cx));
        create::until(engine, &first, &claim, started).await;
    }
    create::first_query(engine, &target, started).await;
    let took = started.elapsed();
    podman(&["rm", "-f", "-v", "-t", "10", &name]);
    podman(&["volume", "rm", "-f", &name]);
    took
}

fn podman(arguments: &[&str]) {
    assert!(Command::new("podman").args(arguments).stdout(Stdio::null()).status().unwrap().success(), "{arguments:?}");
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
