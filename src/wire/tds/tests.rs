//! Values, codes, and servers that know no more than the way to the login.

use fluxdb_adapters::{HttpAuth, Protocol};
use rustls::{ServerConfig, ServerConnection};
use tiberius::numeric::Numeric;
use tiberius::time::{Date, DateTime, DateTime2, Time};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::wire::Trust;
use crate::wire::testing::Authority;

#[test]
fn values_are_text() {
    let of = |value: ColumnData<'_>| shown(&value);
    assert_eq!(of(ColumnData::String(Some("x".into()))).as_deref(), Some("x"));
    assert_eq!(of(ColumnData::String(None)), None);
    assert_eq!(of(ColumnData::I64(Some(-7))).as_deref(), Some("-7"));
    assert_eq!(of(ColumnData::Bit(Some(true))).as_deref(), Some("1"));
    assert_eq!(of(ColumnData::Binary(Some(vec![1, 0xab].into()))).as_deref(), Some("0x01AB"));
    let numeric = |value, scale| of(ColumnData::Numeric(Some(Numeric::new_with_scale(value, scale))));
    assert_eq!(numeric(-5, 2).as_deref(), Some("-0.05"));
    assert_eq!(numeric(1234, 2).as_deref(), Some("12.34"));
    assert_eq!(numeric(1234, 0).as_deref(), Some("1234"));
    let date = Date::new(738_885);
    assert_eq!(of(ColumnData::Date(Some(date))).as_deref(), Some("2024-01-01"));
    let at = DateTime2::new(date, Time::new(36_610, 1));
    assert_eq!(of(ColumnData::DateTime2(Some(at))).as_deref(), Some("2024-01-01T01:01:01"));
    assert_eq!(of(ColumnData::Time(Some(Time::new(36_610, 1)))).as_deref(), Some("01:01:01"));
    assert_eq!(of(ColumnData::DateTime(Some(DateTime::new(1, 300)))).as_deref(), Some("1900-01-02T00:00:01"));
}

#[test]
fn codes_are_decimal() {
    assert!(matches!(of_server(18456, String::new()), Fault::LoginRefused(_)));
    assert!(matches!(of_server(18452, String::new()), Fault::LoginRefused(_)));
    assert!(matches!(of_server(4060, String::new()), Fault::Refused(code, _) if code == "4060"));
    assert!(matches!(of_server(18401, String::new()), Fault::Unreachable(_)));
}

#[tokio::test]
async fn a_server_that_breaks_off_is_unreachable_and_no_password_is_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut greeting = [0; 64];
            // Whatever it is, the answer is not the protocol's.
            let _ = stream.read(&mut greeting).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let target = target(port, None);
    let fault = Tds::open(&target, std::time::Duration::from_secs(5)).await.err().expect("no server");
    assert!(matches!(fault, Fault::Unreachable(_)) && !format!("{fault:?}").contains("canary"), "{fault:?}");
}

fn target(port: u16, tls: Option<Trust>) -> Target {
    let account = Account { username: "sa".into(), password: Secret::new("canary-Pa55") };
    let host = "127.0.0.1".into();
    Target { protocol: Protocol::Tds, http_auth: HttpAuth::None, host, port, account, ours: true, database: None, tls }
}

/// A packet of this type: the only one of its message.
fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 8).expect("short").to_be_bytes();
    [&[kind, 1, length[0], length[1], 0, 0, 1, 0], body].concat()
}

async fn body(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = [0; 8];
    stream.read_exact(&mut head).await?;
    let mut body = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]])) - 8];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

/// Version and encryption: 0 for the login only, 2 not supported, 3 required.
fn greeting(encryption: u8) -> Vec<u8> {
    let options = [0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff];
    packet(4, &[&options[..], &[16, 0, 0, 0, 0, 0, encryption]].concat())
}

/// "Login failed", and the end.
fn login_failed() -> Vec<u8> {
    let words: Vec<u8> = "Login failed for user 'sa'.".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let count = u16::try_from(words.len() / 2).expect("short").to_le_bytes();
    let error = [&18456_u32.to_le_bytes()[..], &[1, 14], &count, &words, &[0, 0], &1_u32.to_le_bytes()].concat();
    let length = u16::try_from(error.len()).expect("short").to_le_bytes();
    packet(4, &[&[0xaa][..], &length, &error, &[0xfd, 2, 0, 0, 0], &[0; 8]].concat())
}

/// Greets, agrees on keys in packets of the protocol, and refuses the login; what it then heard.
async fn serve(listener: tokio::net::TcpListener, config: ServerConfig) -> std::io::Result<Vec<u8>> {
    let (mut stream, _) = listener.accept().await?;
    body(&mut stream).await?;
    stream.write_all(&greeting(3)).await?;
    let mut tls = ServerConnection::new(config.into()).expect("configuration");
    while tls.is_handshaking() {
        let sent = body(&mut stream).await?;
        tls.read_tls(&mut sent.as_slice())?;
        tls.process_new_packets().map_err(std::io::Error::other)?;
        let mut answer = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut answer)?;
        }
        stream.write_all(&packet(0x12, &answer)).await?;
    }
    let (mut heard, mut piece) = (Vec::new(), [0; 4096]);
    while heard.is_empty() {
        let n = stream.read(&mut piece).await?;
        assert!(n > 0, "it went away");
        tls.read_tls(&mut &piece[..n])?;
        let state = tls.process_new_packets().map_err(std::io::Error::other)?;
        heard.resize(state.plaintext_bytes_to_read(), 0);
        std::io::Read::read_exact(&mut tls.reader(), &mut heard)?;
    }
    std::io::Write::write_all(&mut tls.writer(), &login_failed())?;
    let mut answer = Vec::new();
    tls.write_tls(&mut answer)?;
    stream.write_all(&answer).await?;
    Ok(heard)
}

/// As far as SQL Server goes within the older protocol.
fn tls_1_2(authority: &Authority) -> ServerConfig {
    let (chain, key) = authority.pair();
    let builder = ServerConfig::builder_with_provider(crate::tls::provider());
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS12]).expect("versions");
    builder.with_no_client_auth().with_single_cert(chain, key).expect("configuration")
}

#[tokio::test]
async fn the_login_is_inside_tls_and_only_for_the_right_server() {
    let authority = Authority::of("127.0.0.1");
    for (trust, known) in [(authority.trust(), true), (Authority::of("127.0.0.1").trust(), false)] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = listener.local_addr().expect("address").port();
        let server = tokio::spawn(serve(listener, tls_1_2(&authority)));
        let to = target(port, Some(trust));
        let fault = Tds::open(&to, std::time::Duration::from_secs(5)).await.err().expect("refused");
        assert!(!format!("{fault:?}").contains("canary"), "{fault:?}");
        assert_eq!(fault.at(&to).code, if known { "login_refused" } else { "server_not_trusted" });
        let heard = server.await.expect("the server");
        let name: Vec<u8> = "fluxdb".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let login = heard.is_ok_and(|heard| heard.windows(name.len()).any(|w| w == name));
        assert_eq!(login, known, "whether a login was heard");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_it_is_wanted() {
    for encryption in [0, 2] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = listener.local_addr().expect("address").port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            body(&mut stream).await.expect("a greeting");
            stream.write_all(&greeting(encryption)).await.expect("write");
            let mut kind = [0];
            // Packets of the type 0x10 are logins.
            stream.read_exact(&mut kind).await.is_ok_and(|_| kind == [0x10])
        });
        let to = target(port, Some(Authority::of("127.0.0.1").trust()));
        let opened =
            tokio::time::timeout(std::time::Duration::from_secs(5), Tds::open(&to, std::time::Duration::from_secs(5)))
                .await;
        assert!(opened.is_err() || opened.is_ok_and(|o| o.is_err()), "no session");
        assert!(!server.await.expect("the server"), "{encryption}: a login in the clear");
    }
}
