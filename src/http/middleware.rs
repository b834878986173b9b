//! What every request goes through: an id, limits of size and time, a net for panics, the form of refusals, the access log.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http_body_util::Limited;
use tracing::{Instrument, info, info_span};
use uuid::Uuid;

use super::changes::Wait;
use super::extract::too_large;
use super::problem::{Failure, render};
use crate::config::ServerConfig;
use crate::domain::{Error, ErrorKind};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_REQUEST_ID_CHARS: usize = 64;

/// Headers of every answer that does not set its own.
const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::CACHE_CONTROL, "no-store"),
];

/// The outermost layer.
pub async fn around(State(server): State<Arc<ServerConfig>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let span = info_span!("request", id = %id);
    let mut response = guarded(&server, request, next).instrument(span.clone()).await;
    let mut code = "";
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        code = failure.error().code;
        let allow = response.headers_mut().remove(header::ALLOW);
        response = span.in_scope(|| render(&failure, &id, &path));
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    finish(response.headers_mut(), &id);
    let (status, duration_ms) = (response.status().as_u16(), started.elapsed().as_secs_f64() * 1000.0);
    info!(target: "fluxdb::access", request_id = %id, %method, path, status, code, duration_ms, "request");
    response
}

/// Runs the handler within the server's limits.
async fn guarded(server: &ServerConfig, request: Request, next: Next) -> Response {
    let limit = server.body_limit_bytes;
    if declared_bytes(request.headers()).is_some_and(|n| n > limit as u64) {
        return too_large().into_response();
    }
    // The handlers bound their own waiting; this bounds all else that they do.
    let time = Duration::from_secs(server.request_timeout_secs) + Wait::of(request.uri().query()).time();
    let request = request.map(|body| Body::new(Limited::new(body, limit)));
    match tokio::time::timeout(time, AssertUnwindSafe(next.run(request)).catch_unwind()).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            Failure::from(Error::internal("a handler panicked").context(panic_text(&*panic))).into_response()
        }
        Err(_) => Failure::from(Error::unavailable(
            "timeout",
            "The request took too long and was given up; what it began goes on. Look at the operations, then try again.",
        ))
        .into_response(),
    }
}

/// A route that does not exist.
pub async fn not_found() -> Failure {
    Error::new(ErrorKind::NotFound, "route_not_found", "There is no such route; see the reference at docs.").into()
}

/// A method that the route does not have; axum adds `Allow`.
pub async fn method_not_allowed() -> Failure {
    Failure::of_http(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "This route does not have that method; the header Allow names those it has.",
    )
}

/// The client's own id where it is harmless in a log, a new one otherwise.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|v| v.to_str().ok()).filter(|id| {
        (1..=MAX_REQUEST_ID_CHARS).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    });
    given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

fn declared_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn finish(headers: &mut HeaderMap, id: &str) {
    for (name, value) in SECURITY_HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a text".into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::{get, post};
    use serde_json::Value;
    use tower::ServiceExt;

    use super::*;
    use crate::http::extract::Json;

    fn service() -> Router {
        let server = ServerConfig { request_timeout_secs: 1, body_limit_bytes: 64, ..ServerConfig::default() };
        Router::new()
            .route("/panics", get(async || -> String { panic!("the password is hunter2") }))
            .route("/hangs", get(async || std::future::pending::<String>().await))
            .route("/waits", get(async || tokio::time::sleep(Duration::from_millis(1300)).await))
            .route("/takes", post(async |Json(_): Json<Value>| ()))
            .layer(from_fn_with_state(Arc::new(server), around))
    }

    async fn answer(request: axum::http::request::Builder, body: Body) -> (Response, Value) {
        let (parts, body) = service().oneshot(request.body(body).unwrap()).await.unwrap().into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let problem = serde_json::from_slice(&body).unwrap_or_default();
        (Response::from_parts(parts, Body::empty()), problem)
    }

    #[tokio::test]
    async fn a_panic_is_a_500_that_tells_nothing() {
        let (response, problem) = answer(Request::get("/panics"), Body::empty()).await;
        assert_eq!(
            (response.status(), &problem["code"]),
            (StatusCode::INTERNAL_SERVER_ERROR, &Value::from("internal"))
        );
        assert!(!problem.to_string().contains("hunter2"));
        assert_eq!(problem["request_id"], response.headers()[REQUEST_ID].to_str().unwrap());
    }

    #[tokio::test]
    async fn a_request_that_takes_too_long_is_given_up() {
        let (response, problem) = answer(Request::get("/hangs"), Body::empty()).await;
        assert_eq!((response.status(), &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &Value::from("timeout")));
        assert!(response.headers().contains_key("retry-after"));
    }

    #[tokio::test]
    async fn a_wait_that_was_asked_for_is_not_too_long() {
        assert_eq!(answer(Request::get("/waits"), Body::empty()).await.0.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer(Request::get("/waits?wait=10"), Body::empty()).await.0.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_even_when_its_size_was_not_said() {
        let json = || Request::post("/takes").header("content-type", "application/json");
        let pieces = (0..10).map(|_| Ok::<_, std::io::Error>(" ".repeat(10)));
        let unsaid = Body::from_stream(futures_util::stream::iter(pieces));
        assert_eq!(answer(json(), unsaid).await.1["code"], "body_too_large");
        assert_eq!(answer(json().header("content-length", "65"), Body::empty()).await.1["code"], "body_too_large");
        assert_eq!(answer(json(), Body::from("{}")).await.0.status(), StatusCode::OK);
    }
}
