//! The handlers, grouped as the reference groups them. Each reads like a sentence; rules live in `app`.

pub mod audit;
pub mod images;
pub mod instances;
pub mod operations;
pub mod settings;
pub mod system;
pub mod tokens;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::api::Page;

/// A list that always fits one page.
fn whole<T>(items: Vec<T>) -> Page<T> {
    Page { items, next_page_token: None }
}

/// An answer that `app` has ready as JSON.
fn json(body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
