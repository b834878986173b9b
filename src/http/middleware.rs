//! What every request goes through: an id, limits of size and time, a net for panics, the form of refusals, the access log.

use std::panic::AssertUnwindSafe;
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

use super::Http;
use super::changes::Wait;
use super::extract::too_large;
use super::problem::{Failure, render};
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
pub async fn around(State(http): State<Http>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let span = info_span!("request", id = %id);
    let mut response = guarded(&http, request, next).instrument(span.clone()).await;
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
async fn guarded(http: &Http, request: Request, next: Next) -> Response {
    let limit = http.server.body_limit_bytes;
    if declared_bytes(request.headers()).is_some_and(|n| n > limit as u64) {
        return too_large().into_response();
    }
    // The handlers bound their own waiting; this bounds all else that they do.
    let time = Duration::from_secs(http.server.request_timeout_secs) + Wait::of(request.uri().query()).time();
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
