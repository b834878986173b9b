//! Frames, batches and the login, against a broker in this process that knows as much as it must.

use bytes::{Bytes, BytesMut};
use fluxdb_adapters::{Account, HttpAuth, Protocol, Secret};
use kafka_protocol::messages::{ApiKey, MetadataRequest, SaslHandshakeRequest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const PASSWORD: &str = "canary-Pa55";

async fn target(answer: impl Fn(ApiKey) -> Option<BytesMut> + Send + 'static) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            while let Ok(length) = stream.read_i32().await {
                let mut frame = vec![0; usize::try_from(length).expect("length")];
                stream.read_exact(&mut frame).await.expect("a whole frame");
                // Key, version, number: the beginning of every header.
                let key = ApiKey::try_from(i16::from_be_bytes([frame[0], frame[1]])).expect("key");
                let Some(body) = answer(key) else { break };
                let mut whole = BytesMut::from(&frame[4..8]);
                // The header of a newer kind of answer ends with further fields: none.
                if key == ApiKey::SaslAuthenticate {
                    whole.extend_from_slice(&[0]);
                }
                whole.extend_from_slice(&body);
                stream.write_i32(i32::try_from(whole.len()).expect("length")).await.expect("write");
                stream.write_all(&whole).await.expect("write");
            }
        }
    });
    let account = Account { username: "admin".into(), password: Secret::new(PASSWORD) };
    let host = "127.0.0.1".into();
    Target {
        protocol: Protocol::Kafka,
        http_auth: HttpAuth::None,
        host,
        port,
        account,
        ours: false,
        database: None,
        tls: None,
    }
}

/// Version 1: the code, no mechanisms.
fn shaken(code: i16) -> Option<BytesMut> {
    Some(BytesMut::from_iter([&code.to_be_bytes()[..], &[0; 4]].concat()))
}

/// Version 2: the code, words, the server's message, a lifetime, no further fields. Lengths are one more than they are.
fn authenticated(code: i16, words: &str, message: &str) -> Option<BytesMut> {
    let short = |text: &str| [&[u8::try_from(text.len()).expect("short") + 1][..], text.as_bytes()].concat();
    Some(BytesMut::from_iter([&code.to_be_bytes()[..], &short(words), &short(message), &[0; 9]].concat()))
}

async fn refused_by(answer: impl Fn(ApiKey) -> Option<BytesMut> + Send + 'static) -> Fault {
    let fault = Kafka::open(&target(answer).await).await.err().expect("refused");
    assert!(!format!("{fault:?}").contains(PASSWORD), "{fault:?}");
    fault
}

#[tokio::test]
async fn a_wrong_password_is_told_from_a_server_that_is_not_ready() {
    let refusing = |code: i16| {
        move |key| match key {
            ApiKey::SaslHandshake => shaken(0),
            _ => authenticated(code, "invalid credentials", ""),
        }
    };
    assert!(matches!(refused_by(refusing(58)).await, Fault::LoginRefused(w) if w == "invalid credentials"));
    assert!(matches!(refused_by(refusing(34)).await, Fault::Refused(code, _) if code == "34"));
    // UNSUPPORTED_SASL_MECHANISM.
    assert!(matches!(refused_by(|_| shaken(33)).await, Fault::Refused(code, _) if code == "33"));
    assert!(matches!(refused_by(|_| None).await, Fault::Unreachable(_)));
    let nonsense = |key| match key {
        ApiKey::SaslHandshake => shaken(0),
        _ => authenticated(0, "", "r=other,s=,i=1"),
    };
    assert!(matches!(refused_by(nonsense).await, Fault::Unreachable(_)));
}

#[test]
fn requests_and_answers_are_framed() {
    let frame = connection::encode(7, 9, &MetadataRequest::default()).expect("a frame");
    assert_eq!(usize::try_from(i32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]])), Ok(frame.len() - 4));
    assert_eq!(frame[4..12], [0, 3, 0, 9, 0, 0, 0, 7]);

    type Handshake = SaslHandshakeRequest;
    let answer = |number: i32| {
        let mut answer = BytesMut::from_iter(number.to_be_bytes());
        answer.extend_from_slice(&shaken(33).expect("an answer"));
        answer
    };
    assert_eq!(connection::decode::<Handshake>(7, 1, answer(7).freeze()).expect("an answer").error_code, 33);
    assert!(connection::decode::<Handshake>(7, 1, answer(8).freeze()).is_err());
    assert!(connection::decode::<Handshake>(7, 1, answer(7).freeze().slice(..6)).is_err());
    let mut longer = answer(7);
    longer.extend_from_slice(b"more");
    assert!(connection::decode::<Handshake>(7, 1, longer.freeze()).is_err());
}

#[test]
fn messages_survive_the_batch_and_a_cut_one_is_left_out() {
    let (one, two) = (log::encode("one", 1).expect("batch"), log::encode("zw\u{f6}lf", 2).expect("batch"));
    let both = Bytes::from([one.clone(), two.clone()].concat());
    let row = |text: &str| vec![Some(text.to_owned())];
    assert_eq!(log::decode(both.clone()).expect("rows"), [row("one"), row("zw\u{f6}lf")]);
    assert_eq!(log::decode(both.slice(..both.len() - 1)).expect("rows"), [row("one")]);
    assert!(log::decode(Bytes::new()).expect("rows").is_empty());
    assert!(log::decode(one.slice(..5)).expect("rows").is_empty());
}

#[test]
fn codes_are_decimal_and_have_words() {
    assert!(matches!(refused(36, None), Fault::Refused(code, words) if code == "36" && words.contains("Exists")));
    assert!(
        matches!(refused(91, Some("no such user")), Fault::Refused(code, w) if code == "91" && w == "no such user")
    );
    assert!(matches!(refused(31, Some("salt")), Fault::Refused(_, w) if w == "ClusterAuthorizationFailed"));
    assert!(matches!(refused(58, None), Fault::LoginRefused(_)));
    assert!(matches!(refused(-1, None), Fault::Refused(code, _) if code == "-1"));
}
