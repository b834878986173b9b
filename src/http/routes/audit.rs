//! The audit log: who did what.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use crate::api::{AuditEntry, Page};
use crate::app::App;
use crate::domain::InstanceId;
use crate::http::auth::Writer;
use crate::http::extract::Query;
use crate::http::problem::Failure;

/// Query of the audit log.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditQuery {
    instance: Option<InstanceId>,
    limit: Option<u32>,
    page_token: Option<String>,
}

/// Changes, asked for and refused, newest first, without secrets.
#[utoipa::path(get, path = "/audit", tag = "Audit", security(("bearer" = ["databases:write"])),
    params(
        ("instance" = Option<InstanceId>, Query, description = "On this instance"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "At most so many"),
        ("page_token" = Option<String>, Query, description = "From `next_page_token`"),
    ),
    responses((status = 200, description = "A page", body = Page<AuditEntry>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    writer: Writer,
    Query(query): Query<AuditQuery>,
) -> Result<Json<Page<AuditEntry>>, Failure> {
    Ok(Json(app.list_audit(&writer, query.instance, query.page_token.as_deref(), query.limit).await?))
}
