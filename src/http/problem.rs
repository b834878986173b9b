//! How an error becomes an `application/problem+json` answer.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tracing::{error, warn};

use crate::api::{BASE, Operation, Problem, ProblemField};
use crate::domain::instance::StoredError;
use crate::domain::{Error, ErrorKind};

/// Content type of every refusal.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What the caller of a broken handler reads; the log has the story.
const GENERIC: &str = "An internal error occurred; the daemon's log says more under this request_id.";

/// A refusal on its way out. The body is written by [`render`], where id and path of the request are known.
#[derive(Clone, Debug)]
pub struct Failure {
    inner: std::sync::Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    error: Error,
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<StoredError>,
}

impl Failure {
    /// A refusal that only HTTP knows: method, size, content type.
    pub fn of_http(status: StatusCode, code: &'static str, public: impl Into<String>) -> Self {
        Self::build(Error::new(ErrorKind::Malformed, code, public), status, Vec::new())
    }

    /// The same refusal with one more header.
    pub fn with_header(error: Error, name: HeaderName, value: HeaderValue) -> Self {
        let status = status(error.kind);
        Self::build(error, status, vec![(name, value)])
    }

    /// An operation that was waited for and did not succeed.
    pub fn of_operation(operation: &Operation) -> Self {
        let cause = operation.error.clone();
        let (kind, state) = (operation.kind.as_str(), operation.state.as_str());
        let why = cause.as_ref().map_or("", |e| e.detail.as_str());
        let error =
            Error::conflict("operation_failed", format!("The {kind} ended as {state}. {why}").trim().to_owned());
        let error = error.blocked_by(operation.id);
        let inner = Inner { status: status(error.kind), error, headers: Vec::new(), cause };
        Self { inner: std::sync::Arc::new(inner) }
    }

    /// The error behind it.
    pub fn error(&self) -> &Error {
        &self.inner.error
    }

    fn build(error: Error, status: StatusCode, headers: Vec<(HeaderName, HeaderValue)>) -> Self {
        Self { inner: std::sync::Arc::new(Inner { error, status, headers, cause: None }) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = status(error.kind);
        Self::build(error, status, Vec::new())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.inner.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The status of each kind.
pub fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Malformed => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::AlreadyExists | ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        ErrorKind::Invalid | ErrorKind::Unsupported => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::Unavailable | ErrorKind::Timeout => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Capacity => StatusCode::INSUFFICIENT_STORAGE,
    }
}

/// Writes the answer of a refusal, and into the log what the caller must not read.
pub fn render(failure: &Failure, request_id: &str, path: &str) -> Response {
    let Inner { error, status, headers, cause } = &*failure.inner;
    tell_operator(error);
    let detail = if error.kind == ErrorKind::Internal { GENERIC.to_owned() } else { error.public.clone() };
    let problem = Problem {
        kind: format!("{BASE}/docs#problem-{}", error.code),
        title: title(error.code),
        status: status.as_u16(),
        detail,
        instance: path.to_owned(),
        code: error.code.to_owned(),
        request_id: request_id.to_owned(),
        retryable: error.retryable(),
        errors: error
            .fields
            .iter()
            .map(|f| ProblemField { pointer: f.pointer.clone(), detail: f.detail.clone() })
            .collect(),
        operation_id: error.operation,
        cause: cause.clone(),
    };
    let mut response = (*status, axum::Json(problem)).into_response();
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if let Some(seconds) = retry_after_secs(error) {
        out.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    for (name, value) in headers {
        out.insert(name.clone(), value.clone());
    }
    response
}

/// Seconds after which trying again makes sense; every 429 and 503 has some.
fn retry_after_secs(error: &Error) -> Option<u32> {
    error.retry_after_secs.or(match status(error.kind) {
        StatusCode::SERVICE_UNAVAILABLE => Some(5),
        StatusCode::TOO_MANY_REQUESTS => Some(60),
        _ => None,
    })
}

/// Depends on the code only, as RFC 9457 asks: `malformed_json` is "Malformed json".
fn title(code: &str) -> String {
    let words = code.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn tell_operator(error: &Error) {
    match error.kind {
        ErrorKind::Internal => error!(code = error.code, "a request failed: {}", error.story()),
        ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Capacity => {
            warn!(code = error.code, "a request was refused: {}", error.story());
        }
        ErrorKind::Invalid
        | ErrorKind::Malformed
        | ErrorKind::Unauthenticated
        | ErrorKind::Forbidden
        | ErrorKind::TooManyRequests
        | ErrorKind::NotFound
        | ErrorKind::AlreadyExists
        | ErrorKind::Conflict
        | ErrorKind::PreconditionFailed
        | ErrorKind::Unsupported => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn shown(error: Error) -> (Response, serde_json::Value) {
        let (parts, body) = render(&Failure::from(error), "req-1", "/x").into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        (Response::from_parts(parts, axum::body::Body::empty()), serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn an_internal_error_tells_the_caller_nothing() {
        let error = Error::new(ErrorKind::Internal, "spec_mismatch", "the container bears cap_sys_admin")
            .context("socket /run/secret");
        let (response, body) = shown(error).await;
        assert_eq!(response.status(), 500);
        assert_eq!(body["detail"], GENERIC);
        assert!(!body.to_string().contains("secret") && !body.to_string().contains("cap_sys_admin"));
    }

    #[tokio::test]
    async fn a_missing_part_says_when_to_try_again() {
        let (response, body) = shown(Error::unavailable("podman_unavailable", "Podman does not answer.")).await;
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "5");
        assert_eq!(response.headers()["content-type"], PROBLEM_JSON);
        assert_eq!(body["retryable"], true);
        assert_eq!(body["title"], "Podman unavailable");
        assert_eq!(body["request_id"], "req-1");
    }

    #[tokio::test]
    async fn a_conflict_names_the_operation_in_the_way() {
        let id = crate::domain::OperationId::generate();
        let (response, body) = shown(Error::conflict("operation_in_progress", "busy").blocked_by(id)).await;
        assert_eq!(response.status(), 409);
        assert_eq!(body["operation_id"], id.to_string());
    }
}
