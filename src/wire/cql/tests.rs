//! Frames and values, and a login against a node in this process that answers as told.

use fluxdb_adapters::{HttpAuth, Protocol};
use tokio::net::TcpListener;

use super::show::{Kind, text};
use super::*;

const PASSWORD: &str = "canary-Pa55";

fn answer(flags: u8, operation: u8, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len()).expect("short").to_be_bytes();
    [&[0x84, flags, 0, 0, operation], &length[..], body].concat()
}

fn string(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).expect("short").to_be_bytes()[..], text.as_bytes()].concat()
}

fn value(bytes: &[u8]) -> Vec<u8> {
    [&i32::try_from(bytes.len()).expect("short").to_be_bytes()[..], bytes].concat()
}

fn error(code: i32, words: &str) -> Vec<u8> {
    answer(0, op::ERROR, &[&code.to_be_bytes()[..], &string(words)].concat())
}

fn asks_for_password() -> Vec<u8> {
    answer(0, op::AUTHENTICATE, &string("org.apache.cassandra.auth.PasswordAuthenticator"))
}

/// A node that answers one frame with each of these and keeps what it was sent.
async fn node(answers: Vec<Vec<u8>>) -> (Target, tokio::task::JoinHandle<Vec<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut seen = Vec::new();
        for answer in answers {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.expect("a frame");
            let length = u32::from_be_bytes(head[5..].try_into().expect("four bytes"));
            let mut body = vec![0; usize::try_from(length).expect("length")];
            stream.read_exact(&mut body).await.expect("a body");
            seen.push([&head[..], &body].concat());
            stream.write_all(&answer).await.expect("write");
        }
        seen
    });
    let account = Account { username: "admin".into(), password: Secret::new(PASSWORD) };
    let host = "127.0.0.1".into();
    (
        Target {
            protocol: Protocol::Cql,
            http_auth: HttpAuth::None,
            host,
            port,
            account,
            ours: false,
            database: None,
            tls: None,
        },
        task,
    )
}

async fn refused_by(answers: Vec<Vec<u8>>) -> Fault {
    let (target, _task) = node(answers).await;
    let fault = Cql::open(&target).await.err().expect("refused");
    assert!(!format!("{fault:?}").contains(PASSWORD), "{fault:?}");
    fault
}

#[tokio::test]
async fn it_logs_in_and_asks_in_the_right_keyspace() {
    let success = answer(0, op::AUTH_SUCCESS, &value(b""));
    let entered = answer(0, op::RESULT, &[&3_i32.to_be_bytes()[..], &string("shop")].concat());
    let warned = [&1_u16.to_be_bytes()[..], &string("beware"), &one_row()].concat();
    let (mut target, task) = node(vec![
        asks_for_password(),
        success,
        entered,
        answer(8, op::RESULT, &warned),
        answer(0, op::RESULT, &one_row()),
    ])
    .await;
    target.database = Some("shop".into());
    let mut session = Cql::open(&target).await.expect("a session");
    let expected = Answer::Rows(vec![vec![Some("one".into()), None]]);
    let bound = Call::bound("SELECT a, b FROM t WHERE a = ?", &["one"]).in_database("shop");
    assert_eq!(session.carry_out(&bound).await.expect("rows"), expected);
    assert_eq!(session.carry_out(&Call::sql("SELECT a")).await.expect("rows"), expected);
    assert!(matches!(session.carry_out(&Call::get("/")).await, Err(Fault::WrongProtocol)));

    let seen = task.await.expect("the node");
    assert_eq!(seen[0], [&[4, 0, 0, 0, 1, 0, 0, 0, 22, 0, 1][..], &string("CQL_VERSION"), &string("3.0.0")].concat());
    assert!(seen[1].ends_with(b"\0\0\0\x12\0admin\0canary-Pa55"), "{:?}", seen[1]);
    assert!(seen[2].ends_with(b"USE \"shop\"\0\x01\0"));
    assert!(seen[3].ends_with(b"a = ?\0\x01\x01\0\x01\0\0\0\x03one"));
    assert!(seen[4].ends_with(b"SELECT a\0\x01\0"));
}

/// Columns `a text, b text`; `one`, NULL.
fn one_row() -> Vec<u8> {
    let column = |name| [string(name), 0x0d_u16.to_be_bytes().to_vec()].concat();
    let int = |n: i32| n.to_be_bytes().to_vec();
    [int(2), int(1), int(2), string("shop"), string("t"), column("a"), column("b"), int(1), value(b"one"), int(-1)]
        .concat()
}

#[tokio::test]
async fn errors_are_told_apart() {
    let refused = refused_by(vec![asks_for_password(), error(0x0100, "canary-Pa55 is wrong")]).await;
    assert!(matches!(refused, Fault::LoginRefused(words) if words == "*** is wrong"));
    assert!(matches!(refused_by(vec![error(0x1002, "bootstrapping")]).await, Fault::Unreachable(_)));
    assert!(matches!(refused_by(vec![error(0x000a, "version")]).await, Fault::Refused(code, _) if code == "000a"));
    assert!(matches!(refused_by(vec![answer(0, op::READY, b"")]).await, Fault::Unreachable(_)));
    assert!(matches!(refused_by(vec![b"HTTP/1.1 400 Bad Request".to_vec()]).await, Fault::Unreachable(_)));
    assert!(matches!(refused_by(vec![]).await, Fault::Unreachable(_)));
    assert!(matches!(classify(0x2400, String::new()), Fault::Refused(code, _) if code == "2400"));
}

#[test]
fn an_answer_that_is_cut_anywhere_is_no_answer_and_no_panic() {
    let whole = one_row();
    assert!(rows(&whole).is_some());
    for end in 0..whole.len() {
        assert!(rows(&whole[..end]).is_none(), "{end}");
    }
    assert_eq!(rows(&1_i32.to_be_bytes()), Some(Vec::new()));
    // A type within itself, for ever.
    let deep = [2_i32.to_be_bytes(), 0_i32.to_be_bytes(), 1_i32.to_be_bytes()].concat();
    let deep = [deep, string("k"), string("t"), string("c"), 0x0020_u16.to_be_bytes().repeat(10_000)].concat();
    assert!(rows(&deep).is_none());
    assert!(frame::without_extras(1, Vec::new()).is_none());
    assert!(frame::without_extras(8, vec![0]).is_none());
}

#[test]
fn values_are_shown() {
    let plain = |number: u16, bytes: &[u8]| text(&Kind::Plain(number), bytes);
    assert_eq!(plain(0x0d, b"x\"y"), "x\"y");
    assert_eq!(plain(0x09, &(-7_i32).to_be_bytes()), "-7");
    assert_eq!(plain(0x02, &(1_i64 << 40).to_be_bytes()), "1099511627776");
    assert_eq!(plain(0x04, &[1]), "true");
    assert_eq!(plain(0x07, &1.5_f64.to_be_bytes()), "1.5");
    assert_eq!(plain(0x08, &0.1_f32.to_be_bytes()), "0.1");
    assert_eq!(plain(0x0b, &1_700_000_000_000_i64.to_be_bytes()), "2023-11-14T22:13:20Z");
    assert_eq!(plain(0x0c, &[0; 16]), "00000000-0000-0000-0000-000000000000");
    assert_eq!(plain(0x0e, &[0xff, 0x00]), "-256");
    assert_eq!(plain(0x10, &[127, 0, 0, 1]), "127.0.0.1");
    assert_eq!(plain(0x11, &(0x8000_0000_u32 + 31).to_be_bytes()), "1970-02-01");
    assert_eq!((plain(0x13, &[0xff, 0xfe]), plain(0x14, &[5])), ("-2".into(), "5".into()));
    // Unknown, and not as long as it should be.
    assert_eq!(
        (plain(0x03, &[1, 0xab]), plain(0x09, &[1]), plain(0x0e, &[1; 9])),
        ("0x01ab".into(), "0x01".into(), format!("0x{}", "01".repeat(9)))
    );

    let words = Box::new(Kind::Plain(0x0d));
    let list = [2_i32.to_be_bytes().to_vec(), value(b"a"), value(b"b")].concat();
    assert_eq!(text(&Kind::List(words.clone()), &list), r#"["a","b"]"#);
    let map = [1_i32.to_be_bytes().to_vec(), value(b"k"), value(&7_i32.to_be_bytes())].concat();
    assert_eq!(text(&Kind::Map(words.clone(), Box::new(Kind::Plain(9))), &map), r#"{"k":7}"#);
    let tuple = [value(b"x"), (-1_i32).to_be_bytes().to_vec()].concat();
    assert_eq!(text(&Kind::Tuple(vec![*words.clone(), *words.clone()]), &tuple), r#"["x",null]"#);
    let udt = Kind::Udt(vec![("f".into(), *words.clone()), ("g".into(), *words)]);
    assert_eq!(text(&udt, &value(b"x")), r#"{"f":"x","g":null}"#);
}
