//! The reference: `openapi.json`, and a page that draws it in the browser without anything from elsewhere.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;

use super::Http;

/// Where the page is.
pub const PATH: &str = "/api/modules/databases/docs";

const PAGE: &str = include_str!("docs/page.html");
const SCRIPT: &str = include_str!("docs/page.js");
const STYLE: &str = include_str!("docs/page.css");
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The document and the page. Neither needs a token.
pub fn routes(document: String) -> Router<Http> {
    let document = Bytes::from(document);
    Router::new()
        .route("/openapi.json", get(async move || file("application/json", document.clone())))
        .route("/docs", get(async || file("text/html; charset=utf-8", PAGE)))
        .route("/docs/page.js", get(async || file("text/javascript; charset=utf-8", SCRIPT)))
        .route("/docs/page.css", get(async || file("text/css; charset=utf-8", STYLE)))
}

fn file(kind: &'static str, body: impl Into<Bytes>) -> impl IntoResponse {
    let headers =
        [(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-cache")];
    (headers, body.into())
}
