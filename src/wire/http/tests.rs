//! Against a small server in this process.

use std::sync::{Arc, Mutex};

use fluxdb_adapters::{Protocol, Secret};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::wire::fault::judge;
use crate::wire::testing::Authority;

const PASSWORD: &str = "canary-Pa55";

/// Answers `answer(head and body of the request)` to each, for ever; what came is kept.
async fn serve(answer: impl Fn(&str) -> String + Send + 'static) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !complete(&request) {
                let mut piece = [0; 4096];
                match stream.read(&mut piece).await {
                    Ok(n) if n > 0 => request.extend_from_slice(&piece[..n]),
                    _ => break,
                }
            }
            let request = String::from_utf8_lossy(&request).into_owned();
            let answer = answer(&request);
            kept.lock().expect("seen").push(request);
            // The client may have heard enough.
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (port, seen)
}

fn complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")).and_then(|n| n.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn says(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn session(port: u16, auth: HttpAuth, password: &str) -> Http {
    let account = Account { username: "admin".into(), password: Secret::new(password) };
    let host = "127.0.0.1".into();
    let target = Target {
        protocol: Protocol::Http,
        http_auth: auth,
        host,
        port,
        account,
        ours: false,
        database: None,
        tls: None,
    };
    Http::open(&target).expect("a session")
}

async fn told_by(
    status: &'static str,
    headers: &'static str,
    body: &'static str,
    call: &Call,
) -> Result<Answer, Fault> {
    let (port, _) = serve(move |_| says(status, headers, body)).await;
    let outcome = session(port, HttpAuth::Basic, PASSWORD).carry_out(call).await;
    assert!(!format!("{outcome:?}").contains(PASSWORD), "{outcome:?}");
    judge(call, outcome)
}

#[tokio::test]
async fn the_account_is_shown_as_the_engine_wants_it() {
    let (port, seen) = serve(|_| says("204 No Content", "", "")).await;
    let call = Call::get("/x?y=%2F").header("X-More", "1");
    for auth in [HttpAuth::Basic, HttpAuth::Bearer, HttpAuth::Header("X-Api-Key"), HttpAuth::None] {
        let answer = session(port, auth, PASSWORD).carry_out(&call).await.expect("204");
        assert_eq!(answer, Answer::Text(String::new()));
    }
    session(port, HttpAuth::Basic, PASSWORD).carry_out(&call.clone().anonymously()).await.expect("204");
    session(port, HttpAuth::Basic, "").carry_out(&call).await.expect("204");
    let seen = seen.lock().expect("seen");
    let of = |i: usize, name: &str| {
        let line = seen[i].lines().find(|l| l.to_lowercase().starts_with(&format!("{name}: ")));
        line.map(|l| l.split_once(": ").expect("a header").1.to_owned())
    };
    assert!(seen.iter().all(|s| s.starts_with("GET /x?y=%2F HTTP/1.1\r\n") && s.to_lowercase().contains("x-more: 1")));
    assert_eq!(of(0, "authorization").as_deref(), Some("Basic YWRtaW46Y2FuYXJ5LVBhNTU="));
    assert_eq!(of(1, "authorization").as_deref(), Some("Bearer canary-Pa55"));
    assert_eq!((of(2, "x-api-key").as_deref(), of(2, "authorization")), (Some(PASSWORD), None));
    assert_eq!((of(3, "authorization"), of(4, "authorization")), (None, None));
    assert_eq!(of(5, "authorization").as_deref(), Some("Basic YWRtaW46"));
}

#[tokio::test]
async fn a_body_goes_with_its_media_type_and_json_comes_back_as_json() {
    let (port, seen) = serve(|_| says("200 OK", "Content-Type: application/json\r\n", r#"{"ok":true}"#)).await;
    let mut session = session(port, HttpAuth::Basic, PASSWORD);
    let call = Call::http("POST", "/q", Some(Secret::new("SELECT 1"))).media("text/plain");
    assert_eq!(session.carry_out(&call).await.expect("200"), Answer::Json(json!({"ok": true})));
    // The server has closed the connection meanwhile.
    session.carry_out(&Call::json("PUT", "/q", &json!({"a": 1}))).await.expect("200");
    let seen = seen.lock().expect("seen");
    assert!(seen[0].to_lowercase().contains("content-type: text/plain") && seen[0].ends_with("SELECT 1"));
    assert!(seen[1].to_lowercase().contains("content-type: application/json") && seen[1].ends_with(r#"{"a":1}"#));
}

#[test]
fn what_is_json_and_what_is_text() {
    let of = |json: bool, body: &str| answer(json, body.as_bytes().to_vec());
    assert_eq!(of(false, "{\"a\":1}\n"), Answer::Json(json!({"a": 1})));
    assert_eq!(of(true, "\"x\""), Answer::Json(json!("x")));
    assert_eq!(of(false, "17"), Answer::Text("17".into()));
    assert_eq!(of(true, "{\"a\":1}\n{\"a\":2}\n"), Answer::Text("{\"a\":1}\n{\"a\":2}\n".into()));
    assert_eq!(answer(false, vec![b'a', 0xff]), Answer::Text("a\u{fffd}".into()));
    assert_eq!(of(true, ""), Answer::Text(String::new()));
}

#[tokio::test]
async fn errors_are_told_apart() {
    let plain = Call::get("/");
    let fault = |status, headers, call: &Call| {
        let call = call.clone();
        async move { told_by(status, headers, "words canary-Pa55 words", &call).await.expect_err("an error") }
    };
    assert!(matches!(fault("401 Unauthorized", "", &plain).await, Fault::LoginRefused(w) if w == "words *** words"));
    let clickhouse = "X-ClickHouse-Exception-Code: 516\r\n";
    assert!(matches!(fault("403 Forbidden", clickhouse, &plain).await, Fault::LoginRefused(_)));
    assert!(matches!(fault("403 Forbidden", "", &plain).await, Fault::Refused(code, _) if code == "403"));
    for busy in ["429 Too Many Requests", "502 Bad Gateway", "503 Service Unavailable"] {
        assert!(matches!(fault(busy, "", &plain).await, Fault::Unreachable(_)));
    }
    assert!(
        matches!(fault("307 Temporary Redirect", "Location: /x\r\n", &plain).await, Fault::Refused(c, _) if c == "307")
    );
    let not_yet = plain.clone().not_yet(&["404"]);
    assert!(matches!(fault("404 Not Found", "", &not_yet).await, Fault::Unreachable(_)));
    // An administrator that is there already: asked without the account.
    let anonymous = plain.clone().anonymously();
    assert!(matches!(fault("401 Unauthorized", "", &anonymous).await, Fault::Refused(c, _) if c == "401"));
    for (status, code) in [("503 Service Unavailable", "503"), ("401 Unauthorized", "401"), ("409 Conflict", "409")] {
        let codes: &'static [&'static str] = Vec::leak(vec![code]);
        let call = plain.clone().tolerating(codes);
        assert!(told_by(status, "", "words", &call).await.is_ok(), "{status}");
    }
    let exists = plain.clone().tolerating(&["57"]);
    assert!(told_by("500 X", "X-ClickHouse-Exception-Code: 57\r\n", "there", &exists).await.is_ok());
}

#[tokio::test]
async fn a_server_that_is_not_there_or_goes_away_is_unreachable() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("bind").local_addr().expect("address").port();
    let gone = session(closed, HttpAuth::Basic, PASSWORD).carry_out(&Call::get("/")).await;
    assert!(matches!(gone, Err(Fault::Unreachable(_))), "{gone:?}");
    let (port, _) = serve(|_| "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort".into()).await;
    let cut = session(port, HttpAuth::Basic, PASSWORD).carry_out(&Call::get("/")).await;
    assert!(matches!(cut, Err(Fault::Unreachable(_))), "{cut:?}");
}

#[tokio::test]
async fn an_answer_without_end_is_not_taken_in() {
    let (port, _) = serve(|_| says("200 OK", "", &"x".repeat(LARGEST_ANSWER + 1))).await;
    let large = session(port, HttpAuth::Basic, PASSWORD).carry_out(&Call::get("/")).await;
    assert!(matches!(&large, Err(Fault::Refused(code, _)) if code == "answer_too_large"), "not refused");
}

#[tokio::test]
async fn names_that_would_lead_elsewhere_are_not_sent() {
    let (port, seen) = serve(|_| says("200 OK", "", "")).await;
    for path in ["/a/../b", "/a/%2E%2e", "/a/.", "/a#b", "/a\\b", "a", ""] {
        let refused = session(port, HttpAuth::Basic, PASSWORD).carry_out(&Call::get(path)).await;
        assert!(matches!(&refused, Err(Fault::Refused(code, _)) if code == "path"), "{path}: {refused:?}");
    }
    let odd = session(port, HttpAuth::Header("X-Key"), "line\nbreak-Pa55").carry_out(&Call::get("/")).await;
    assert!(matches!(&odd, Err(Fault::Refused(code, words)) if code == "header" && !words.contains("Pa55")), "{odd:?}");
    assert!(seen.lock().expect("seen").is_empty());
    let mut other = session(port, HttpAuth::Basic, PASSWORD);
    assert!(matches!(other.carry_out(&Call::sql("SELECT 1")).await, Err(Fault::WrongProtocol)));
}

#[tokio::test]
async fn over_tls_the_account_is_shown_to_the_right_server_only() {
    let (port, seen) = serve(|_| says("200 OK", "", "inside")).await;
    let account = Account { username: "admin".into(), password: Secret::new(PASSWORD) };
    let host = "127.0.0.1".into();
    let (protocol, http_auth) = (Protocol::Http, HttpAuth::Basic);
    let plain = Target { protocol, http_auth, host, port, account, ours: false, database: None, tls: None };
    let mut to = Authority::of("127.0.0.1").in_front_of(&plain).await;
    let answer = Http::open(&to).expect("a session").carry_out(&Call::get("/x")).await;
    assert_eq!(answer.expect("200"), Answer::Text("inside".into()));
    assert!(seen.lock().expect("seen").remove(0).contains("Basic "));

    to.tls = Some(Authority::of("127.0.0.1").trust());
    let fault = Http::open(&to).expect("a session").carry_out(&Call::get("/x")).await.expect_err("a stranger");
    assert_eq!(fault.at(&to).code, "server_not_trusted");
    // The port of the server itself, where nothing is encrypted.
    let mut to = to.clone();
    to.port = port;
    let fault = Http::open(&to).expect("a session").carry_out(&Call::get("/x")).await.expect_err("no TLS");
    assert!(matches!(fault, Fault::Unreachable(_)), "{fault:?}");
    assert!(seen.lock().expect("seen").iter().all(|heard| !heard.contains("Basic ")));
}
