//! Published without a password: every port is asked for what is known to answer anybody, in every protocol we know.

use std::net::IpAddr;
use std::time::Duration;

use fluxdb_adapters::{Account, HttpAuth, OpenPath, Protocol, Secret};
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::rig::CALL_LIMIT;
use super::{Rig, Verdict, failed, not_offered};
use crate::domain::conformance::Outcome;
use crate::domain::detail::ContainerRun;
use crate::domain::{Error, Result};

mod anonymous;
mod known;

use known::{DEFAULTS, PATHS};

/// How long a server may take to answer one request of a stranger.
const LIMIT: Duration = Duration::from_secs(5);
/// After its first bytes a server that says no more has said what it has to say.
const QUIET: Duration = Duration::from_millis(400);
/// No more is read of an answer: its beginning shows what it is.
const MOST: usize = 16 << 10;

/// A server that answers whatever is asked is named once, not sixty times.
const SHOWN: usize = 8;

/// Nothing answers a stranger but what the adapter lists, and what it lists does answer.
pub(super) async fn no_password(rig: &mut Rig) -> Verdict {
    let facts = rig.engine.facts();
    if facts.protocol == Protocol::Http && facts.http_auth == HttpAuth::None {
        return not_offered("the server asks nobody for a password; its port stays on loopback");
    }
    let record = rig.record()?;
    let cx = rig.cx().await?;
    let host = rig.app.core.target(&record, &cx.user, None)?.host;
    let host: IpAddr = host.parse().map_err(Error::internal)?;
    let listed = rig.engine.open_paths(&record.version);
    let before = run(rig).await?;
    let mut wrong = Vec::new();
    for (at, port) in record.ports().enumerate() {
        let listed: Vec<&OpenPath> = listed.iter().filter(|p| p.port == at).collect();
        let number = facts.ports.get(at).map_or(port, |p| p.number);
        let mut open = anonymous::found(host, port, &cx).await;
        if speaks_http(host, port).await {
            open.extend(answering(host, port, rig.engine.sensitive_paths(&record.version), &listed).await);
        }
        wrong.extend(differences(number, &open, &listed));
    }
    wrong.extend(default_accounts(rig).await?);
    // What strangers send must not hurt either: H2 ended of a `GET /` at its PostgreSQL port.
    if run(rig).await? != before {
        wrong.insert(0, "the server ended of what a stranger sent, and was started again".to_owned());
    }
    rig.as_user(&[rig.engine.ping()]).await.map_err(|e| e.context("after strangers had asked, the user's account"))?;
    if wrong.is_empty() { Ok(Outcome::Passed) } else { failed(wrong.join("; ")) }
}

/// The process that serves now.
async fn run(rig: &Rig) -> Result<Option<ContainerRun>> {
    Ok(rig.app.core.runtime.inspect(&rig.container()?).await?.and_then(|d| d.summary.run()))
}

/// Something that a stranger was told.
struct Told {
    /// Path without its query, or what was asked in another protocol.
    path: String,
    /// Beginning of the answer.
    what: String,
}

fn covers(listed: &OpenPath, path: &str) -> bool {
    listed.path.strip_suffix('*').map_or(listed.path == path, |start| path.starts_with(start))
}

/// What is open and not listed, and what is listed and not open.
fn differences(port: u16, open: &[Told], listed: &[&OpenPath]) -> Vec<String> {
    let more: Vec<&Told> = open.iter().filter(|t| !listed.iter().any(|l| covers(l, &t.path))).collect();
    // What is below a path may be missing in an image.
    let less = listed.iter().filter(|l| !l.path.ends_with('*') && !open.iter().any(|t| covers(l, &t.path)));
    let rest = more.len().saturating_sub(SHOWN);
    more.iter()
        .take(SHOWN)
        .map(|t| format!("port {port} answers {} without a password: {}", t.path, t.what))
        .chain((rest > 0).then(|| format!("port {port}: and {rest} more")))
        .chain(less.map(|l| format!("port {port}: {} is listed as open and is closed", l.path)))
        .collect()
}

/// Asks for the paths of the table, those of the adapter, and where the answers lead to.
async fn answering(host: IpAddr, port: u16, sensitive: &[&str], listed: &[&OpenPath]) -> Vec<Told> {
    let exact =
        listed.iter().map(|l| l.path).filter(|p| (p.starts_with('/') || p.starts_with("POST ")) && !p.ends_with('*'));
    let mut paths: Vec<String> = Vec::new();
    for path in PATHS.iter().chain(sensitive).copied().chain(exact) {
        if !paths.iter().any(|p| p == path) {
            paths.push(path.to_owned());
        }
    }
    let (mut told, mut at) = (Vec::new(), 0);
    while let Some(path) = paths.get(at).cloned() {
        at += 1;
        let Some(answer) = ask(host, port, &path).await else { continue };
        let Some(status) = status(&answer) else { continue };
        match status {
            // A refusal, or nothing there.
            400 | 401 | 403..=405 | 500.. => {}
            300..=399 => {
                let next = location(&answer);
                paths.extend(next.filter(|n| paths.len() < 200 && !paths.contains(n)));
            }
            _ => {
                let plain = path.split('?').next().unwrap_or_default().to_owned();
                told.push(Told { path: plain, what: format!("{status} {}", beginning(&answer)) });
            }
        }
    }
    told
}

/// Whether an HTTP server listens there.
async fn speaks_http(host: IpAddr, port: u16) -> bool {
    for path in ["/", "/ping"] {
        if ask(host, port, path).await.as_deref().and_then(status).is_some() {
            return true;
        }
    }
    false
}

async fn ask(host: IpAddr, port: u16, path: &str) -> Option<Vec<u8>> {
    let (method, path) = path.strip_prefix("POST ").map_or(("GET", path), |p| ("POST", p));
    let body = if method == "POST" { "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}" } else { "\r\n" };
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: localhost:{port}\r\nconnection: close\r\naccept: */*\r\n{body}");
    exchange(host, port, request.as_bytes()).await
}

/// Sends, and reads until the server has no more to say; `None` where nobody listens or it says nothing.
async fn exchange(host: IpAddr, port: u16, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut answer = Vec::new();
    let talk = async {
        let mut stream = TcpStream::connect((host, port)).await.ok()?;
        stream.write_all(bytes).await.ok()?;
        let mut part = [0; 4096];
        while answer.len() < MOST {
            let wait = if answer.is_empty() { LIMIT } else { QUIET };
            match tokio::time::timeout(wait, stream.read(&mut part)).await {
                Ok(Ok(n)) if n > 0 => answer.extend_from_slice(part.get(..n)?),
                _ => break,
            }
        }
        Some(())
    };
    let _ = tokio::time::timeout(LIMIT, talk).await;
    (!answer.is_empty()).then_some(answer)
}

fn status(answer: &[u8]) -> Option<u16> {
    let line = String::from_utf8_lossy(answer.get(..answer.len().min(64))?).into_owned();
    line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

/// Where a redirection leads to, on the same server.
fn location(answer: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(answer);
    let head = text.split("\r\n\r\n").next()?;
    let line = head.lines().find(|l| l.get(..9).is_some_and(|n| n.eq_ignore_ascii_case("location:")))?;
    let target = line.get(9..)?.trim();
    let path = target.split_once("://").map_or(target, |(_, rest)| rest.find('/').map_or("/", |i| &rest[i..]));
    path.starts_with('/').then(|| path.to_owned())
}

/// The first words of a body, or the headers where there is none.
fn beginning(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body).trim();
    let shown = if body.is_empty() { text.as_ref() } else { body };
    shown.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(80).collect()
}

/// Logs in with well-known names and passwords, over the driver that fluxdb itself uses.
async fn default_accounts(rig: &Rig) -> Result<Vec<String>> {
    let record = rig.record()?;
    let facts = rig.engine.facts();
    let known = DEFAULTS.iter().filter(|(p, _)| *p == facts.protocol).flat_map(|(_, accounts)| accounts.iter());
    let ping = [rig.engine.ping()];
    // Some servers lock an account after a few refusals; that of fluxdb itself is asked in `empty_password`.
    let tries = known.filter(|(name, _)| *name != facts.system_user).map(|(name, password)| {
        let account = Account { username: (*name).into(), password: Secret::new(*password) };
        let (record, ping) = (&record, &ping);
        async move {
            let in_there = rig.app.core.talk(record, &account, None, ping, CALL_LIMIT).await.is_ok();
            in_there.then(|| format!("{name:?} logs in with the password {password:?}"))
        }
    });
    Ok(join_all(tries).await.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str) -> Told {
        Told { path: path.into(), what: String::new() }
    }

    #[test]
    fn what_is_open_and_what_is_listed_are_the_same() {
        let ping = OpenPath { port: 0, path: "/ping", tells: "" };
        let console = OpenPath { port: 0, path: "/console/*", tells: "" };
        let listed = [&ping, &console];
        let open = [told("/ping"), told("/console/index.html")];
        assert!(differences(1, &open, &listed).is_empty());
        assert!(differences(1, &open[..1], &listed).is_empty(), "an image without a console");
        assert!(differences(1, &open[1..], &listed)[0].contains("/ping is listed as open and is closed"));
        assert!(differences(1, &open, &listed[..1])[0].contains("answers /console/index.html"));
        assert!(differences(1, &[told("/ping2")], &[])[0].contains("/ping2"));
    }

    #[test]
    fn answers_are_read() {
        let answer = b"HTTP/1.1 303 See Other\r\nLocation: http://h:1/browser/?a=1\r\n\r\n";
        assert_eq!(status(answer), Some(303));
        assert_eq!(location(answer).as_deref(), Some("/browser/?a=1"));
        assert_eq!(beginning(b"HTTP/1.1 200 OK\r\na: b\r\n\r\n{ \"x\":\n 1}"), "{ \"x\": 1}");
        assert_eq!(status(b"-NOAUTH Authentication required.\r\n"), None);
    }
}
