//! What HTTP itself brings: unknown routes and methods, headers, ids of requests, shutdown.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::Method;
use serde_json::json;

use crate::support::{Call, TestApp};

#[tokio::test]
async fn an_unknown_route_is_a_problem() {
    let app = TestApp::start().await;
    for path in ["/nope", "/databases/", "//nope", "//api", "/databases/x/y/z", "/%2e%2e/databases"] {
        app.get(path).send().await.refused(404, "route_not_found");
    }
}

#[tokio::test]
async fn a_method_that_a_route_does_not_have_is_refused_with_those_it_has() {
    let app = TestApp::start().await;
    for (method, path, allow) in [
        (Method::PUT, "/databases", "GET,HEAD,POST"),
        (Method::TRACE, "/databases", "GET,HEAD,POST"),
        (Method::POST, "/status", "GET,HEAD"),
        (Method::OPTIONS, "/tokens", "GET,HEAD,POST"),
        (Method::GET, "/images/pull", "POST"),
    ] {
        let answer = app.call(method, path).send().await;
        answer.refused(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), allow, "{path}");
    }
}

#[tokio::test]
async fn every_answer_has_headers_that_keep_browsers_out() {
    let app = TestApp::start().await;
    for call in [app.get("/status"), app.get("/nope"), app.get("/databases").anonymous()] {
        let answer = call.send().await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"));
    }
}

#[tokio::test]
async fn a_request_keeps_the_id_that_its_client_gave_when_it_is_harmless() {
    let app = TestApp::start().await;
    let given = app.get("/status").header("x-request-id", "trace-1.a_B").send().await;
    assert_eq!(given.header("x-request-id"), "trace-1.a_B");
    for bad in ["", "two words", "quote\"", &"x".repeat(65)] {
        let made = app.get("/status").header("x-request-id", bad).send().await;
        assert_ne!(made.header("x-request-id"), bad);
    }
}

#[tokio::test]
async fn the_reference_needs_no_token_and_nothing_from_elsewhere() {
    let app = TestApp::start().await;
    let document = app.get("/openapi.json").anonymous().send().await;
    assert_eq!(document.expect(200)["openapi"], "3.1.0");
    for file in ["/docs", "/docs/page.js", "/docs/page.css"] {
        let answer = app.get(file).anonymous().send().await;
        assert_eq!(answer.status, 200, "{file}");
        let text = answer.text();
        assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("src=\"//"), "{file}");
        assert!(answer.header("content-security-policy").contains("script-src 'self'"));
    }
    let root = Call::new(app.address(), Method::GET, "//").send().await;
    assert_eq!((root.status.as_u16(), root.header("location")), (307, "/api/modules/databases/docs"));
}

#[tokio::test]
async fn a_shutdown_ends_streams_and_waits_and_lets_requests_finish() {
    let app = TestApp::start().await;
    let events = app.get("/events").open().await;
    app.runtime.delay("start", Duration::from_secs(2));
    let body = json!({"name": "demo", "engine": "redis", "sku": "B1ls"});
    let waiting = tokio::spawn(app.post("/databases?wait=60").json(&body).send());
    while app.get("/operations").send().await.expect(200)["items"] == json!([]) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let server = app.shut_down();
    tokio::time::timeout(Duration::from_secs(10), server).await.expect("the server did not end").unwrap();
    let answer = waiting.await.unwrap();
    assert!(matches!(answer.status.as_u16(), 200 | 202), "{}", answer.text());
    tokio::time::timeout(Duration::from_secs(5), events.into_body().collect())
        .await
        .expect("the stream did not end")
        .unwrap();
}
