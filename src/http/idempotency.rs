//! `Idempotency-Key` on POST and DELETE: the same key with the same request gets the first answer again.

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Http;
use super::auth::Writer;
use super::changes::{Wait, answer_within};
use super::extract::{bad_header, read_body, text_header};
use super::problem::Failure;
use crate::api::Accepted;
use crate::app::caller::IdempotencyKey;
use crate::app::idempotency::fingerprint;
use crate::domain::Error;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const MAX_KEY_CHARS: usize = 255;

/// Answers a repeated request from what was kept; hands a new one its key, which the change reserves in its transaction
/// and under which [`super::changes`] keeps the answer.
pub async fn replay(State(http): State<Http>, request: Request, next: Next) -> Result<Response, Failure> {
    if !matches!(*request.method(), Method::POST | Method::DELETE) {
        return Ok(next.run(request).await);
    }
    // A key that is none is refused also where it is not needed.
    let Some(key) = key(&request)?.filter(|_| !is_dry_run(&request)) else { return Ok(next.run(request).await) };

    let (mut parts, body) = request.into_parts();
    let writer = Writer::from_request_parts(&mut parts, &http).await?;
    let body = read_body(Request::new(body)).await?;
    let print = fingerprint(parts.uri.path(), parts.uri.query(), &body);
    if let Some((status, kept)) = http.app.idempotent_answer(&writer, &key, &print).await? {
        return again(&http, &writer, Wait::of(parts.uri.query()), status, kept).await;
    }
    parts.extensions.insert(writer.with_key(IdempotencyKey { key, body_sha256: print }));
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}

fn key(request: &Request) -> Result<Option<String>, Failure> {
    let Some(text) = text_header(request.headers(), &KEY)? else { return Ok(None) };
    if (1..=MAX_KEY_CHARS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(Some(text.to_owned()));
    }
    Err(bad_header(&KEY, "1 to 255 visible ASCII characters, such as a UUID"))
}

/// A dry run changes nothing, so it may be asked for again as it is.
fn is_dry_run(request: &Request) -> bool {
    let query = request.uri().query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).any(|(name, value)| name == "dry_run" && value == "true")
}

/// The kept answer, marked as such. An operation that it started can be waited for like the first time.
async fn again(http: &Http, writer: &Writer, wait: Wait, status: u16, kept: Vec<u8>) -> Result<Response, Failure> {
    let followed = serde_json::from_slice::<Accepted>(&kept).ok().filter(|kept| kept.operation.is_some());
    let mut response = match (followed, StatusCode::from_u16(status).map_err(Error::internal)?) {
        (Some(accepted), _) => answer_within(http, writer, wait, accepted).await?,
        (None, StatusCode::NO_CONTENT) => StatusCode::NO_CONTENT.into_response(),
        (None, status) => (status, [(header::CONTENT_TYPE, "application/json")], kept).into_response(),
    };
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}
