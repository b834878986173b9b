//! The JSON of the HTTP API: what goes in and out. Shared by the server and the command line.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::OperationId;
use crate::domain::instance::StoredError;

mod access;
mod catalog;
mod change;
mod instance;
mod masked;
mod operation;
mod settings;
mod system;

pub use access::*;
pub use catalog::*;
pub use change::*;
pub use instance::*;
pub use operation::*;
pub use settings::*;
pub use system::*;

/// Path below which every route lives.
pub const BASE: &str = "/api/modules/databases";

/// RFC 9457 problem details.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// URI reference of the problem's documentation.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short text that depends on the code only.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened here and what to do.
    pub detail: String,
    /// Path of the request.
    pub instance: String,
    /// Stable slug for programs.
    pub code: String,
    /// Finds the request in the daemon's log.
    pub request_id: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Places in the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemField>,
    /// The operation in the way, or (`operation_failed`) the one that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<OperationId>,
    /// Why the operation failed that was waited for (`operation_failed`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<StoredError>,
}

/// A place in the request and what is wrong there.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProblemField {
    /// JSON pointer into the body, or `?name` for a query parameter.
    pub pointer: String,
    /// What is wrong.
    pub detail: String,
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The things.
    pub items: Vec<T>,
    /// Give it as `page_token` for the next page; null on the last.
    pub next_page_token: Option<String>,
}
