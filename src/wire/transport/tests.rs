//! Every protocol over TLS: the right server is talked to, and no other is sent a password.

use std::sync::{Arc, Mutex};

use fluxdb_adapters::{Account, HttpAuth, Protocol, Secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::wire::session::open;
use crate::wire::testing::Authority;

const PASSWORD: &str = "canary-Pa55";

/// What each protocol says of itself with its first bytes, once the connection is encrypted.
const FIRST: [(Protocol, &[u8]); 4] = [
    (Protocol::Resp, b"*3\r\n$4\r\nAUTH\r\n"),
    (Protocol::Cql, &[4, 0, 0, 0, 1]),
    // SaslHandshake in its first version, after the length.
    (Protocol::Kafka, &[0, 17, 0, 1]),
    (Protocol::Mongo, b"isMaster\0"),
];

/// A greeting of MySQL 8.0 without the flag for TLS.
const MYSQL_WITHOUT_TLS: &[u8] =
    b"J\0\0\0\x0a8.0.40\0\x08\0\0\0abcdefgh\0\xff\xf7\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0\
    ijklmnopqrst\0caching_sha2_password\0";

fn target(protocol: Protocol, port: u16) -> Target {
    let account = Account { username: "admin".into(), password: Secret::new(PASSWORD) };
    let host = "127.0.0.1".into();
    Target { protocol, http_auth: HttpAuth::Basic, host, port, account, ours: false, database: None, tls: None }
}

/// A server that says `greeting` to whoever connects, and answers nothing; what it hears is kept.
async fn listens(greeting: &'static [u8]) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let kept = kept.clone();
            tokio::spawn(async move {
                let mut piece = [0; 4096];
                stream.write_all(greeting).await.expect("write");
                let n = stream.read(&mut piece).await.unwrap_or_default();
                kept.lock().expect("heard").extend_from_slice(&piece[..n]);
            });
        }
    });
    (port, heard)
}

fn holds(heard: &[u8], words: &[u8]) -> bool {
    heard.windows(words.len()).any(|window| window == words)
}

async fn refused(to: &Target) -> Error {
    let fault = open(to, std::time::Duration::from_secs(5)).await.err().expect("no session");
    assert!(!format!("{fault:?}").contains(PASSWORD), "{fault:?}");
    fault.at(to)
}

#[tokio::test]
async fn the_protocol_is_spoken_inside() {
    for (protocol, first) in FIRST {
        let (port, heard) = listens(b"").await;
        let to = Authority::of("127.0.0.1").in_front_of(&target(protocol, port)).await;
        assert_eq!(refused(&to).await.code, "endpoint_unreachable", "{protocol:?}: it never answers");
        let heard = heard.lock().expect("heard");
        assert!(holds(&heard, first), "{protocol:?}: {}", heard.escape_ascii());
    }
}

#[tokio::test]
async fn a_server_with_another_certificate_hears_nothing() {
    for (protocol, _) in FIRST {
        let (port, heard) = listens(b"").await;
        // By somebody whom nobody knows.
        let mut to = Authority::of("127.0.0.1").in_front_of(&target(protocol, port)).await;
        to.tls = Some(Authority::of("127.0.0.1").trust());
        assert_eq!(refused(&to).await.code, "server_not_trusted", "{protocol:?}: stranger");
        // Of another server by the right one.
        let to = Authority::of("db.example").in_front_of(&target(protocol, port)).await;
        assert_eq!(refused(&to).await.code, "server_not_trusted", "{protocol:?}: name");
        assert_eq!(heard.lock().expect("heard").escape_ascii().to_string(), "", "{protocol:?}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_nothing() {
    const SSL_REQUEST: &[u8] = &[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
    const CLIENT_HELLO: &[u8] = &[0x16, 3, 1];
    let (no, direct) = (b"N".as_slice(), b"".as_slice());
    for (protocol, greeting, hears) in [
        (Protocol::Postgres, no, SSL_REQUEST),
        (Protocol::Mysql, MYSQL_WITHOUT_TLS, b""),
        (Protocol::Resp, direct, CLIENT_HELLO),
        (Protocol::Cql, direct, CLIENT_HELLO),
        (Protocol::Kafka, direct, CLIENT_HELLO),
        (Protocol::Mongo, direct, CLIENT_HELLO),
    ] {
        let (port, heard) = listens(greeting).await;
        let to = Target { tls: Some(Authority::of("127.0.0.1").trust()), ..target(protocol, port) };
        assert_eq!(refused(&to).await.code, "endpoint_unreachable", "{protocol:?}");
        let heard = heard.lock().expect("heard").clone();
        assert!(heard.starts_with(hears) && !holds(&heard, b"admin"), "{protocol:?}: {}", heard.escape_ascii());
    }
    // It would have told who it is otherwise.
    let (port, heard) = listens(MYSQL_WITHOUT_TLS).await;
    refused(&target(Protocol::Mysql, port)).await;
    assert!(holds(&heard.lock().expect("heard"), b"admin"));
}

#[test]
fn authorities_are_read_once_and_must_be_some() {
    let dir = tempfile::tempdir().expect("directory");
    let load = |text: &str| {
        let file = dir.path().join("ca.pem");
        std::fs::write(&file, text).expect("write");
        Trust::load(&file)
    };
    let good = Authority::of("127.0.0.1").pem;
    assert!(load(&good).is_ok());
    assert!(load(&good.repeat(2)).is_ok());
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for bad in ["", "no certificate", nonsense, &format!("{good}{nonsense}")] {
        let error = load(bad).expect_err("unusable");
        assert_eq!((error.kind, error.code), (ErrorKind::Invalid, "certificates_unusable"), "{bad}");
    }
    assert_eq!(Trust::load(&dir.path().join("none")).expect_err("missing").code, "certificates_unusable");
}
