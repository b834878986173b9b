//! Engine settings of an instance.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::api::{Accepted, SettingsView, UpdateSettings};
use crate::app::App;
use crate::domain::InstanceId;
use crate::http::Http;
use crate::http::auth::{Reader, Writer};
use crate::http::changes::{ChangeQuery, change};
use crate::http::extract::{Id, Json, Query};
use crate::http::problem::Failure;

/// What can be changed, what is set, and what counts in the running server.
#[utoipa::path(get, path = "/databases/{id}/settings", tag = "Instances", security(("bearer" = ["databases:read"])),
    params(("id" = InstanceId, Path)),
    responses((status = 200, description = "The settings", body = SettingsView)))]
pub async fn settings(
    State(app): State<Arc<App>>,
    reader: Reader,
    Id(id): Id<InstanceId>,
) -> Result<axum::Json<SettingsView>, Failure> {
    Ok(axum::Json(app.settings(&reader, id).await?))
}

/// Replaces what is set; what is absent goes back to the default. Settings with `apply: restart` restart a running server.
#[utoipa::path(put, path = "/databases/{id}/settings", tag = "Instances", security(("bearer" = ["databases:write"])),
    params(("id" = InstanceId, Path)),
    request_body(content = UpdateSettings, examples(
        ("memory" = (summary = "More memory for sorts", value = json!({"settings": {"work_mem": "8192"}}))),
        ("defaults" = (summary = "Back to the defaults", value = json!({"settings": {}}))),
    )),
    responses(
        (status = 202, description = "Being changed", body = Accepted),
        (status = 200, description = "Nothing to change, or changed within the wait", body = Accepted),
    ))]
pub async fn update_settings(
    State(http): State<Http>,
    writer: Writer,
    Id(id): Id<InstanceId>,
    Query(query): Query<ChangeQuery>,
    Json(request): Json<UpdateSettings>,
) -> Result<Response, Failure> {
    let act = move |app: Arc<App>, caller: Arc<_>| async move { app.update_settings(&caller, id, request).await };
    change(&http, &writer, Some(id), query.wait, act).await
}
