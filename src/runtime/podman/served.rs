//! Tests without Podman: a socket that answers as Podman does when it is odd.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fluxdb_adapters::{Exec, Secret};
use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use super::PodmanRuntime;
use crate::config::PodmanConfig;
use crate::domain::egress::Egress;
use crate::domain::{ErrorKind, InstanceId};
use crate::runtime::{Confined, ContainerRuntime, ExecOutput, RuntimeEvent};

/// What is sent, piece by piece; the connection is closed after the last one.
type Script = Vec<String>;

/// A request as it came: first line and body.
type Seen = Arc<Mutex<Vec<(String, String)>>>;

struct Server {
    runtime: PodmanRuntime,
    seen: Seen,
    _dir: tempfile::TempDir,
}

/// Answers each request with what `script` says for its first line; nothing at all where that is `None`.
async fn serve(script: impl Fn(&str) -> Option<Script> + Send + Sync + 'static) -> Server {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("podman.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let seen = Seen::default();
    let (script, log) = (Arc::new(script), Arc::clone(&seen));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, Arc::clone(&script), Arc::clone(&log)));
        }
    });
    let url = Some(format!("unix://{}", path.display()));
    let config = PodmanConfig { url, call_timeout_secs: 1, ..PodmanConfig::default() };
    let runtime = PodmanRuntime::connect(&config, "me", dir.path()).await.expect("connect");
    Server { runtime, seen, _dir: dir }
}

async fn answer(mut stream: UnixStream, script: Arc<impl Fn(&str) -> Option<Script>>, seen: Seen) {
    let mut request = Vec::new();
    let (head, length) = loop {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            break (head.to_owned(), length.unwrap_or(0));
        }
    };
    while request.len() < head.len() + 4 + length {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let body = String::from_utf8_lossy(&request[head.len() + 4..]).into_owned();
    let line = head.lines().next().unwrap_or_default().to_owned();
    seen.lock().expect("seen").push((head.clone(), body));
    let Some(pieces) = script(&line) else {
        std::future::pending::<()>().await;
        return;
    };
    for piece in pieces {
        let taken_over = piece.starts_with("HTTP/1.1 101");
        if stream.write_all(piece.as_bytes()).await.is_err() {
            return;
        }
        if taken_over {
            let mut input = String::new();
            // The client closes its half.
            let _ = stream.read_to_string(&mut input).await;
            seen.lock().expect("seen").push(("input".into(), input));
        }
        // Apart from each other, so that the client sees the borders.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn json(status: &str, body: &str) -> Option<Script> {
    Some(vec![format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())])
}

/// A stream without a length, in these pieces.
fn stream(pieces: &[&str]) -> Option<Script> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n".to_owned();
    Some(std::iter::once(head).chain(pieces.iter().map(|p| (*p).to_owned())).collect())
}

/// `podman info` of a host that is not this machine.
const ELSEWHERE: &str = r#"{"host":{"hostname":"elsewhere","kernel":"1","memTotal":1,"security":{"rootless":true}}}"#;

/// A container that runs.
const INSPECTED: &str = r#"{"Id":"abc","Name":"c","Image":"i","Path":"p","State":{"Status":"running","Pid":7},"Config":{},"HostConfig":{},"Mounts":[]}"#;

#[tokio::test]
async fn already_started_and_already_stopped_are_success() {
    let server = serve(|line| match line {
        l if l.contains("/info") => json("200 OK", ELSEWHERE),
        l if l.starts_with("GET") => json("200 OK", INSPECTED),
        _ => Some(vec!["HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".into()]),
    })
    .await;
    server.runtime.start("c", Egress::Closed).await.expect("start");
    server.runtime.stop("c", Duration::from_secs(7)).await.expect("stop");
    let seen = server.seen.lock().expect("seen");
    let asked: Vec<&str> =
        seen.iter().filter_map(|(head, _)| head.split(' ').nth(1)?.strip_prefix("/v4.3.1/libpod")).collect();
    assert_eq!(asked.first(), Some(&"/containers/c/init"), "the network is there before anything runs: {asked:?}");
    assert_eq!(asked.last(), Some(&"/containers/c/stop?timeout=7"), "{asked:?}");
}

#[tokio::test]
async fn what_a_remote_container_reaches_is_not_settled_and_that_is_said() {
    let server =
        serve(|line| if line.contains("/info") { json("200 OK", ELSEWHERE) } else { json("200 OK", INSPECTED) }).await;
    let detail = server.runtime.inspect("c").await.expect("inspect").expect("a container");
    let confined = server.runtime.confine(&detail, Egress::Closed).await.expect("an answer");
    let Confined::NotEnforced(why) = confined else { panic!("a process of this number is not that one") };
    assert!(why.contains("another machine"), "{why}");
}

#[tokio::test]
async fn a_status_that_lies_is_overruled_by_the_words() {
    let server = serve(|line| match line {
        l if l.contains("/exists") => json("204 No Content", ""),
        l if l.contains("/info") => json("200 OK", ELSEWHERE),
        l if l.starts_with("POST") && l.contains("/create") => {
            json("500 Internal Server Error", r#"{"cause":"image not known","message":"x: image not known"}"#)
        }
        _ => json("500 Internal Server Error", r#"{"cause":"no such container","message":"c","response":500}"#),
    })
    .await;
    assert_eq!(server.runtime.inspect("c").await.expect("inspect"), None);
    server.runtime.remove("c").await.expect("remove");
    let spec = serde_json::from_value(serde_json::json!({
        "name": "c", "image": "x", "argv": [], "env": {}, "user": "999:999", "volume": "v", "volume_path": "/data",
        "tmpfs": [], "secrets": [], "ports": [], "shm_bytes": 0, "limits": {}, "nofile": 1024, "stop_signal": 2,
        "stop_grace_secs": 1, "extra_caps": [], "log_size_bytes": 10, "labels": {}, "read_only_root": true,
        "no_new_privileges": true, "cap_drop": ["ALL"]
    }))
    .expect("a specification");
    assert_eq!(server.runtime.create(&spec).await.expect_err("no image").code, "image_missing");
    let seen = server.seen.lock().expect("seen");
    let body = &seen.iter().find(|(head, _)| head.contains("/containers/create")).expect("create").1;
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    for key in ["no_new_privileges", "read_only_filesystem", "read_write_tmpfs"] {
        assert_eq!(body[key], true, "{key}");
    }
    assert_eq!(body["image_volume_mode"], "ignore");
    assert_eq!(body["log_configuration"]["size"], 10);
    // This host's limits of processes are not those of the machine behind a forwarded socket, which may have lower ones.
    assert_eq!(body.get("r_limits"), None);
}

#[tokio::test]
async fn a_pull_that_fails_within_a_200_is_an_error_wherever_the_pieces_are_cut() {
    let pieces =
        ["{\"stream\":\"Trying to pu", "ll x...\\n\"}\n{\"er", "ror\":\"reading manifest: manifest unknown\"}\n"];
    let server = serve(move |_| stream(&pieces)).await;
    let (progress, mut lines) = mpsc::channel(4);
    let error = server.runtime.pull_image("r/x:1", progress).await.expect_err("failed");
    assert_eq!(error.code, "image_pull_failed");
    assert_eq!(lines.recv().await.expect("a line").text, "Trying to pull x...");
}

#[tokio::test]
async fn a_pull_that_is_refused_outright_is_no_lost_connection() {
    let server = serve(|_| json("400 Bad Request", r#"{"cause":"invalid reference format","message":"X"}"#)).await;
    let (progress, _lines) = mpsc::channel(4);
    assert_eq!(server.runtime.pull_image("X", progress).await.expect_err("refused").code, "image_pull_failed");
}

#[tokio::test]
async fn events_are_put_together_and_a_cut_is_told() {
    let id = InstanceId::generate();
    let event = |action: &str| {
        format!(
            r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"1","Attributes":{{"fluxdb.instance":"{id}"}}}},"time":1,"timeNano":1}}"#
        )
    };
    let (start, died) = (event("start"), event("died"));
    let (a, b) = start.split_at(40);
    let pieces = [a.to_owned(), format!("{b}\n{died}"), "\n".to_owned()];
    let server = serve(move |line| match line {
        l if l.contains("/_ping") => json("200 OK", "OK"),
        _ => stream(&pieces.each_ref().map(String::as_str)),
    })
    .await;
    let mut events = server.runtime.events();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let next = tokio::time::timeout(Duration::from_secs(5), events.next()).await;
        seen.push(next.expect("in time").expect("it never ends"));
    }
    let told = |action: &str| RuntimeEvent::Container { instance: id, action: action.into() };
    assert_eq!(seen, [told("start"), told("died"), RuntimeEvent::Lost, told("start")]);
}

#[tokio::test]
async fn a_socket_that_takes_the_request_and_says_nothing_is_unavailable_in_time() {
    let server = serve(|_| None).await;
    let begun = Instant::now();
    for error in [
        server.runtime.ping().await.expect_err("silent"),
        server.runtime.containers().await.expect_err("silent"),
        server.runtime.logs("c", 1).await.expect_err("silent"),
    ] {
        assert_eq!((error.kind, error.code), (ErrorKind::Unavailable, "podman_unavailable"));
        assert!(error.retry_after_secs.is_some());
    }
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_answer_that_is_cut_is_not_taken_for_a_whole_one() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"Id\":".to_owned();
    let server = serve(move |_| Some(vec![head.clone()])).await;
    assert_eq!(server.runtime.inspect("c").await.expect_err("cut").code, "podman_unavailable");
    assert_eq!(server.runtime.containers().await.expect_err("cut").code, "podman_unavailable");
}

#[tokio::test]
async fn a_secret_is_sent_as_it_is_and_is_in_no_error() {
    let server = serve(|_| json("500 Internal Server Error", r#"{"cause":"disk full","message":"m"}"#)).await;
    let odd = "p@ss\"w\\ord\n";
    let error = server.runtime.put_secret("s", &Secret::new(odd)).await.expect_err("full");
    assert!(!format!("{error:?}").contains("p@ss"));
    let seen = server.seen.lock().expect("seen");
    assert_eq!(seen[0].1, odd);
    assert!(seen[0].0.to_lowercase().contains("content-type: text/plain"), "{}", seen[0].0);
}

#[tokio::test]
async fn a_volume_that_is_there_is_fine_and_names_are_escaped() {
    let server = serve(|line| match line {
        l if l.contains("/volumes/create") => {
            json("500 Internal Server Error", r#"{"cause":"volume already exists","message":"v"}"#)
        }
        _ => json("404 Not Found", r#"{"cause":"no such volume","message":"v"}"#),
    })
    .await;
    server.runtime.create_volume("v", &BTreeMap::new(), 999, 999).await.expect("there");
    assert!(!server.runtime.volume_exists("a/../b?c").await.expect("exists"));
    let seen = server.seen.lock().expect("seen");
    assert!(seen[0].1.contains("uid=999,gid=999"), "{}", seen[0].1);
    assert!(seen[1].0.starts_with("GET /v4.3.1/libpod/volumes/a%2F..%2Fb%3Fc/exists "), "{}", seen[1].0);
}

#[tokio::test]
async fn limits_of_a_remote_container_without_a_shell_are_unreadable_and_no_error() {
    let server = serve(move |line| match line {
        l if l.contains("/info") => json("200 OK", ELSEWHERE),
        l if l.starts_with("POST") => json(
            "500 Internal Server Error",
            r#"{"cause":"no sh","message":"exec: \"sh\": executable file not found"}"#,
        ),
        _ => json("200 OK", INSPECTED),
    })
    .await;
    let detail = server.runtime.inspect("c").await.expect("inspect").expect("a container");
    let attested = server.runtime.attest(&detail).await.expect("an answer");
    assert!(matches!(attested, crate::runtime::Attested::Unreadable(_)), "{attested:?}");
}

#[tokio::test]
async fn a_remote_podman_copies_and_builds_nothing_and_says_why() {
    let server = serve(|_| json("200 OK", ELSEWHERE)).await;
    let seeded = server.runtime.seed_volume("a", "b", "postgresql", 1).await.expect("an answer");
    assert!(matches!(seeded, crate::runtime::Seeded::Unsupported(_)), "{seeded:?}");
    let (progress, _lines) = mpsc::channel(4);
    let error = server.runtime.build_image("postgresql", "17", "x", progress).await.expect_err("remote");
    assert_eq!((error.kind, error.code), (ErrorKind::Unsupported, "image_build_unsupported"));
    assert!(!server.runtime.host().await.expect("host").local);
}

#[tokio::test]
async fn a_program_is_run_with_its_input_and_asked_until_it_has_ended() {
    let asked = Arc::new(Mutex::new(0));
    let server = serve(move |line| match line {
        l if l.contains("/start") => {
            let head = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".to_owned();
            // Cut within the head of a frame and within its text.
            let frames = ["\u{1}\0\0\0\0\0", "\0\u{5}hel", "lo\u{2}\0\0\0\0\0\0\u{2}oh"].map(str::to_owned);
            Some(std::iter::once(head).chain(frames).collect())
        }
        l if l.contains("/json") => {
            let mut asked = asked.lock().expect("asked");
            *asked += 1;
            let running = *asked < 3;
            json("200 OK", &format!(r#"{{"Running":{running},"ExitCode":7,"Pid":0,"ContainerID":"x"}}"#))
        }
        _ => json("201 Created", r#"{"Id":"e1"}"#),
    })
    .await;
    let exec = Exec {
        argv: vec!["sh".into(), "-c".into(), "cat".into()],
        env: vec![("HOME", "/tmp".into())],
        login: false,
        stdin: Secret::new("canary-Pa55"),
        refused_when: "",
    };
    let limit = Duration::from_secs(5);
    let output = server.runtime.exec("c", &exec, limit).await.expect("an output");
    assert_eq!(output, ExecOutput { code: 7, stdout: "hello".into(), stderr: "oh".into() });
    let seen = server.seen.lock().expect("seen");
    assert!(seen[0].0.starts_with("POST /v4.3.1/libpod/containers/c/exec "), "{}", seen[0].0);
    let body: serde_json::Value = serde_json::from_str(&seen[0].1).expect("JSON");
    assert_eq!((&body["Cmd"][2], &body["Env"][0]), (&"cat".into(), &"HOME=/tmp".into()));
    assert!(seen[1].0.to_lowercase().contains("upgrade: tcp"), "{}", seen[1].0);
    assert_eq!(seen[2], ("input".into(), "canary-Pa55".into()));
    assert!(!seen[0].1.contains("canary") && !seen[1].1.contains("canary"));
}

#[tokio::test]
async fn a_program_that_does_not_end_or_start_is_an_error_in_time() {
    let exec = Exec {
        argv: vec!["x".into()],
        env: Vec::new(),
        login: false,
        stdin: Secret::new("canary-Pa55"),
        refused_when: "",
    };
    let limit = Duration::from_millis(300);
    let hangs = serve(|line| match line {
        l if l.contains("/start") => None,
        l if l.contains("/json") => json("404 Not Found", r#"{"cause":"no such exec session","message":"e1"}"#),
        _ => json("201 Created", r#"{"Id":"e1"}"#),
    })
    .await;
    let error = hangs.runtime.exec("c", &exec, limit).await.expect_err("in vain");
    assert_eq!((error.kind, error.code), (ErrorKind::Timeout, "exec_timeout"));
    assert!(!format!("{error:?}").contains("canary"));

    let stopped =
        r#"{"cause":"container state improper","message":"can only create exec sessions on running containers"}"#;
    let server = serve(move |_| json("409 Conflict", stopped)).await;
    assert_eq!(server.runtime.exec("c", &exec, limit).await.expect_err("stopped").code, "container_not_running");
    let server = serve(|line| match line {
        l if l.contains("/start") => json("500 Internal Server Error", r#"{"cause":"crun: x","message":"m"}"#),
        _ => json("201 Created", r#"{"Id":"e1"}"#),
    })
    .await;
    assert_eq!(server.runtime.exec("c", &exec, limit).await.expect_err("no start").kind, ErrorKind::Internal);
}
