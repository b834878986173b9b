//! Images of the engines: which are here, and getting more.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;

use super::whole;
use crate::api::{Accepted, ImageRequest, ImageView, Page};
use crate::app::App;
use crate::http::Http;
use crate::http::auth::{Reader, Writer};
use crate::http::changes::{ChangeQuery, change};
use crate::http::extract::{self, Query};
use crate::http::problem::Failure;

/// Each engine's and version's image: whether it is present, and whether it can be built here.
#[utoipa::path(get, path = "/images", tag = "Images", security(("bearer" = ["databases:read"])),
    responses((status = 200, description = "The images", body = Page<ImageView>)))]
pub async fn list(State(app): State<Arc<App>>, reader: Reader) -> Result<Json<Page<ImageView>>, Failure> {
    Ok(Json(whole(app.list_images(&reader).await?)))
}

/// Pulls an image from its registry.
#[utoipa::path(post, path = "/images/pull", tag = "Images", security(("bearer" = ["databases:write"])),
    request_body(content = ImageRequest, examples(("postgresql" = (value = json!({"engine": "postgresql"}))))),
    responses((status = 202, description = "Being pulled", body = Accepted)))]
pub async fn pull(
    State(http): State<Http>,
    writer: Writer,
    Query(query): Query<ChangeQuery>,
    extract::Json(request): extract::Json<ImageRequest>,
) -> Result<Response, Failure> {
    let act = |app: Arc<App>, caller: Arc<_>| async move { app.pull_image(&caller, request).await };
    change(&http, &writer, None, query.wait, act).await
}

/// Builds an image out of the distribution's packages.
#[utoipa::path(post, path = "/images/build", tag = "Images", security(("bearer" = ["databases:write"])),
    request_body(content = ImageRequest, examples(("postgresql" = (value = json!({"engine": "postgresql", "version": "15"}))))),
    responses((status = 202, description = "Being built", body = Accepted)))]
pub async fn build(
    State(http): State<Http>,
    writer: Writer,
    Query(query): Query<ChangeQuery>,
    extract::Json(request): extract::Json<ImageRequest>,
) -> Result<Response, Failure> {
    let act = |app: Arc<App>, caller: Arc<_>| async move { app.build_image(&caller, request).await };
    change(&http, &writer, None, query.wait, act).await
}
