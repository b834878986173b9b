//! What this daemon and its host are and can do. All but the installation of Podman need no token.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;

use super::whole;
use crate::api::{Accepted, EngineView, Page, PodmanStatus, Requirements, SkuView, Status, SystemInfo};
use crate::app::App;
use crate::http::Http;
use crate::http::auth::Writer;
use crate::http::changes::{ChangeQuery, change};
use crate::http::extract::{Query, Word};
use crate::http::problem::Failure;

/// Module, version, uptime, whether Podman answers, and how many instances are in each state.
#[utoipa::path(get, path = "/status", tag = "System", responses((status = 200, description = "How it goes", body = Status)))]
pub async fn status(State(app): State<Arc<App>>) -> Json<Status> {
    Json(app.status().await)
}

/// Each check of the host, with what to do where it is not met.
#[utoipa::path(get, path = "/requirements", tag = "System", responses((status = 200, description = "The checks", body = Requirements)))]
pub async fn requirements(State(app): State<Arc<App>>) -> Json<Requirements> {
    Json(app.requirements().await)
}

/// Processors, memory and disk of the host: what there is and what is promised.
#[utoipa::path(get, path = "/system-info", tag = "System", responses((status = 200, description = "The host", body = SystemInfo)))]
pub async fn system_info(State(app): State<Arc<App>>) -> Result<Json<SystemInfo>, Failure> {
    Ok(Json(app.system_info().await?))
}

/// Version, socket, storage, cgroup and network of Podman, or why it does not answer.
#[utoipa::path(get, path = "/podman/status", tag = "System", responses((status = 200, description = "Podman", body = PodmanStatus)))]
pub async fn podman_status(State(app): State<Arc<App>>) -> Json<PodmanStatus> {
    Json(app.podman_status().await)
}

/// Installs Podman through the distribution's package manager. Refused where the configuration does not allow it.
#[utoipa::path(post, path = "/podman/install", tag = "System", security(("bearer" = ["databases:write"])),
    responses((status = 202, description = "Being installed", body = Accepted)))]
pub async fn podman_install(
    State(http): State<Http>,
    writer: Writer,
    Query(query): Query<ChangeQuery>,
) -> Result<Response, Failure> {
    change(&http, &writer, None, query.wait, |app, caller| async move { app.podman_install(&caller).await }).await
}

/// The engines that can be created.
#[utoipa::path(get, path = "/engines", tag = "System", responses((status = 200, description = "The catalogue", body = Page<EngineView>)))]
pub async fn engines(State(app): State<Arc<App>>) -> Json<Page<EngineView>> {
    Json(whole(app.engines().await))
}

/// One engine.
#[utoipa::path(get, path = "/engines/{engine}", tag = "System", params(("engine" = String, Path, description = "Engine id", example = "postgresql")),
    responses((status = 200, description = "The engine", body = EngineView)))]
pub async fn engine(State(app): State<Arc<App>>, Word(engine): Word) -> Result<Json<EngineView>, Failure> {
    Ok(Json(app.engine(&engine).await?))
}

/// The SKUs, and what each becomes on this host.
#[utoipa::path(get, path = "/skus", tag = "System", responses((status = 200, description = "The SKUs", body = Page<SkuView>)))]
pub async fn skus(State(app): State<Arc<App>>) -> Json<Page<SkuView>> {
    Json(whole(app.skus().await))
}
