//! HTTP: turns requests into calls of the use cases in `app`, and their results into answers. Nothing is decided here.

mod auth;
mod changes;
mod docs;
mod extract;
mod idempotency;
mod middleware;
pub mod openapi;
mod problem;
mod router;
mod routes;
mod server;
mod sse;

use std::sync::Arc;

use axum::extract::FromRef;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::ServerConfig;

pub use openapi::document;
pub use server::serve;

/// What the handlers share.
#[derive(Clone)]
struct Http {
    app: Arc<App>,
    server: Arc<ServerConfig>,
    /// Cancelled when the daemon goes down: waits answer at once, event streams end.
    shutdown: CancellationToken,
}

impl FromRef<Http> for Arc<App> {
    fn from_ref(http: &Http) -> Self {
        Arc::clone(&http.app)
    }
}
