//! From the request to the first authenticated query, against a plain `podman run` of the same image, in turn.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fluxdb::wire::live::LiveWire;
use fluxdb::wire::{Target, Wire};
use fluxdb_adapters::{Account, Call, Engine, Protocol, Secret};
use hyper::Method;
use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::http::Client;
use crate::stats::{median, ms};

pub const PASSWORD: &str = "Bench0Password1";
const DEADLINE: Duration = Duration::from_secs(240);

pub async fn run(rounds: usize, engines: &[String]) {
    let daemon = Daemon::start(0).await;
    let mut client = Client::connect(&daemon).await;
    println!("| engine | plain `podman run` | fluxdb | ratio | accepted after |");
    println!("|---|---|---|---|---|");
    for id in engines {
        let engine = fluxdb_adapters::find(id).unwrap();
        // The image is there for both; the template is made once, by this first create.
        let body =
            |round| json!({ "name": format!("bench-{id}-{round}"), "engine": id, "password": PASSWORD, "sku": "B1ms" });
        let image = ours(&mut client, engine, body(0)).await.image;
        let (mut plain, mut quick, mut accepted) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=rounds {
            plain.push(plain_run(engine, &image).await);
            let made = ours(&mut client, engine, body(round)).await;
            quick.push(made.ready);
            accepted.push(made.accepted);
        }
        let (p, q) = (median(&plain), median(&quick));
        println!(
            "| {id} | {} | {} | {:.2} | {} |",
            ms(p),
            ms(q),
            q.as_secs_f64() / p.as_secs_f64(),
            ms(median(&accepted))
        );
    }
}

pub struct Made {
    pub image: String,
    pub accepted: Duration,
    pub ready: Duration,
}

/// Creates what the body says, asks it as its user, and deletes it.
pub async fn ours(client: &mut Client, engine: &dyn Engine, body: Value) -> Made {
    let facts = engine.facts();
    let started = Instant::now();
    let (status, answer) = client.send(Method::POST, "/databases", &body.to_string()).await;
    let accepted = started.elapsed();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(status, 202, "{answer}");
    let instance = &answer["instance"];
    let id = instance["id"].as_str().unwrap().to_owned();
    let target = Target {
        protocol: facts.protocol,
        http_auth: facts.http_auth,
        host: "127.0.0.1".into(),
        port: port(instance, facts.control_port),
        account: Account { username: instance["username"].as_str().unwrap().into(), password: Secret::new(PASSWORD) },
        database: instance["database"].as_str().map(Into::into),
        tls: None,
        ours: false,
    };
    first_query(engine, &target, started).await;
    let ready = started.elapsed();
    // The operation ends a moment later: limits are read back.
    let operation = answer["operation"]["id"].as_str().unwrap().to_owned();
    loop {
        let (_, op) = client.send(Method::GET, &format!("/operations/{operation}"), "").await;
        let op: Value = serde_json::from_slice(&op).unwrap();
        match op["state"].as_str().unwrap() {
            "succeeded" => break,
            "failed" | "cancelled" => panic!("{op:#}"),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    let (_, shown) = client.send(Method::GET, &format!("/databases/{id}"), "").await;
    let shown: Value = serde_json::from_slice(&shown).unwrap();
    let (status, gone) = client.send(Method::DELETE, &format!("/databases/{id}?wait=60"), "").await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&gone));
    Made { image: shown["image"]["reference"].as_str().unwrap().to_owned(), accepted, ready }
}

/// What somebody types who has no fluxdb: the password by the image's own environment, a volume, a published port.
async fn plain_run(engine: &dyn Engine, image: &str) -> Duration {
    let facts = engine.facts();
    let name = format!("fluxdb-bench-plain-{}", facts.id);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (user, environment, arguments): (&str, &[&str], &[&str]) = match facts.protocol {
        Protocol::Postgres => ("postgres", &["POSTGRES_PASSWORD"], &[]),
        Protocol::Mysql => ("root", &["MARIADB_ROOT_PASSWORD"], &[]),
        Protocol::Resp => ("default", &[], &["--requirepass", PASSWORD]),
        other => panic!("no plain run for {other:?} is known here"),
    };
    let mut command = Command::new("podman");
    command.args(["run", "-d", "--pull=never", "--label=fluxdb.test=1", "--name", &name]);
    command.arg("-v").arg(format!("{name}:{}", facts.volume_path));
    command.arg("-p").arg(format!("127.0.0.1:{port}:{}", facts.port().number));
    for variable in environment {
        command.arg("-e").arg(format!("{variable}={PASSWORD}"));
    }
    command.arg(image).args(arguments).stdout(Stdio::null());
    let started = Instant::now();
    assert!(command.status().unwrap().success());
    let target = Target {
        protocol: facts.protocol,
        http_auth: facts.http_auth,
        host: "127.0.0.1".into(),
        port,
        account: Account { username: user.into(), password: Secret::new(PASSWORD) },
        database: None,
        tls: None,
        ours: false,
    };
    first_query(engine, &target, started).await;
    let took = started.elapsed();
    for arguments in [vec!["rm", "-f", "-v", "-t", "10", &name], vec!["volume", "rm", "-f", &name]] {
        assert!(Command::new("podman").args(arguments).stdout(Stdio::null()).status().unwrap().success());
    }
    took
}

fn port(instance: &Value, number: usize) -> u16 {
    u16::try_from(instance["endpoints"][number]["port"].as_u64().unwrap()).unwrap()
}

/// Asks every 5 ms, the same way for both.
pub async fn first_query(engine: &dyn Engine, target: &Target, started: Instant) {
    until(engine, target, &[engine.ping()], started).await;
}

/// Calls until they are all answered.
pub async fn until(engine: &dyn Engine, target: &Target, calls: &[Call], started: Instant) {
    while LiveWire::default().run(target, calls, Duration::from_secs(5)).await.is_err() {
        assert!(started.elapsed() < DEADLINE, "{} did not answer", engine.facts().id);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
