//! Instances: the database servers that we run.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use fluxdb_adapters::UriFormat;
use serde::Deserialize;
use utoipa::ToSchema;

use super::json;
use crate::api::{Accepted, ConnectionString, CreateInstance, DryRun, Instance, Page, PatchInstance};
use crate::app::App;
use crate::app::instances::InstanceQuery;
use crate::domain::InstanceId;
use crate::http::Http;
use crate::http::auth::{Reader, Writer};
use crate::http::changes::{ChangeQuery, Wait, change};
use crate::http::extract::{Id, IfMatch, Json, Query};
use crate::http::problem::Failure;

/// The instances that the caller may see, a page at a time.
#[utoipa::path(get, path = "/databases", tag = "Instances", security(("bearer" = ["databases:read"])),
    params(InstanceQuery),
    responses((status = 200, description = "A page", body = Page<Instance>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    reader: Reader,
    Query(query): Query<InstanceQuery>,
) -> Result<Response, Failure> {
    Ok(json(app.list_instances(&reader, query).await?))
}

/// One instance. Its `ETag` is for `If-Match`.
#[utoipa::path(get, path = "/databases/{id}", tag = "Instances", security(("bearer" = ["databases:read"])),
    params(("id" = InstanceId, Path)),
    responses((status = 200, description = "The instance", body = Instance,
        headers(("ETag" = String, description = "Version of what a user has set, for If-Match")))))]
pub async fn get(
    State(app): State<Arc<App>>,
    reader: Reader,
    Id(id): Id<InstanceId>,
) -> Result<impl IntoResponse, Failure> {
    let (version, body) = app.get_instance(&reader, id).await?;
    Ok(([(header::ETAG, format!("\"{version}\""))], json(body)))
}

/// Query of a create.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CreateQuery {
    wait: Wait,
    dry_run: bool,
}

/// Makes an instance. The answer is the only one that shows a password made for it.
#[utoipa::path(post, path = "/databases", tag = "Instances", security(("bearer" = ["databases:write"])),
    params(("dry_run" = Option<bool>, Query, description = "Make nothing: answer 200 with the rendered configuration, the container and whether there is room")),
    request_body(content = CreateInstance, examples(
        ("smallest" = (summary = "A PostgreSQL with defaults", value = json!({"name": "demo", "engine": "postgresql"}))),
        ("full" = (summary = "Everything said", value = json!({
            "name": "shop", "engine": "mariadb", "sku": "B2s", "storage_gib": 64, "project": "web", "region": "local",
            "labels": {"env": "production"}, "database": "shop", "username": "shop", "deletion_protection": true}))),
    )),
    responses(
        (status = 202, description = "Being made", body = Accepted),
        (status = 200, description = "Made within the wait, or what would be made (dry_run)", body = inline(Created)),
        (status = 507, description = "The host has no room for it"),
    ))]
pub async fn create(
    State(http): State<Http>,
    writer: Writer,
    Query(query): Query<CreateQuery>,
    Json(request): Json<CreateInstance>,
) -> Result<Response, Failure> {
    if query.dry_run {
        return Ok(axum::Json(http.app.dry_run_instance(&writer, request).await?).into_response());
    }
    change(&http, &writer, None, query.wait, |app, caller| async move { app.create_instance(&caller, request).await })
        .await
}

/// What a create answers with 200; for the reference only.
#[derive(serde::Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code)]
enum Created {
    Accepted(Box<Accepted>),
    DryRun(Box<DryRun>),
}

/// Changes an instance; what is absent stays. Another SKU restarts a running one; outgoing traffic is opened and closed without a restart.
#[utoipa::path(patch, path = "/databases/{id}", tag = "Instances", security(("bearer" = ["databases:write"])),
    params(("id" = InstanceId, Path), ("If-Match" = Option<String>, Header, min_length = 1, pattern = r#"^(\*|(W/)?"[!#-~]*")$"#, description = "ETag that was read; refused with 412 when it has changed since")),
    request_body(content = PatchInstance, examples(
        ("resize" = (summary = "Another SKU", value = json!({"sku": "B2s"}))),
        ("protect" = (summary = "Protect from deletion", value = json!({"deletion_protection": true}))),
        ("egress" = (summary = "Open outgoing traffic", value = json!({"egress": true}))),
    )),
    responses(
        (status = 202, description = "Being changed", body = Accepted),
        (status = 200, description = "Changed", body = Accepted),
        (status = 412, description = "It has changed since it was read"),
        (status = 507, description = "The host has no room for it"),
    ))]
pub async fn patch(
    State(http): State<Http>,
    writer: Writer,
    Id(id): Id<InstanceId>,
    IfMatch(version): IfMatch,
    Query(query): Query<ChangeQuery>,
    Json(request): Json<PatchInstance>,
) -> Result<Response, Failure> {
    let act =
        move |app: Arc<App>, caller: Arc<_>| async move { app.patch_instance(&caller, id, version, request).await };
    change(&http, &writer, Some(id), query.wait, act).await
}

/// Starts a stopped instance.
#[utoipa::path(post, path = "/databases/{id}/start", tag = "Instances", security(("bearer" = ["databases:write"])),
    params(("id" = InstanceId, Path)),
    responses((status = 202, description = "Being started", body = Accepted), (status = 507, description = "The host has no room for it")))]
pub async fn start(
    State(http): State<Http>,
    writer: Writer,
    Id(id): Id<InstanceId>,
    Query(query): Query<ChangeQuery>,
) -> Result<Response, Failure> {
    let act = move |app: Arc<App>, caller: Arc<_>| async move { app.start_instance(&caller, id).await };
    change(&http, &writer, Some(id), query.wait, act).await
}

/// Stops an instance; its data stays.
#[utoipa::path(post, path = "/databases/{id}/stop", tag = "Instances", security(("bearer" = ["databases:write"])),
    params(("id" = InstanceId, Path)),
    responses((status = 202, description = "Being stopped", body = Accepted)))]
pub async fn stop(
    State(http): State<Http>,
    writer: Writer,
    Id(id): Id<InstanceId>,
    Query(query): Query<ChangeQuery>,
) -> Result<Response, Failure> {
    let act = move |app: Arc<App>, caller: Arc<_>| async move { app.stop_instance(&caller, id).await };
    change(&http, &writer, Some(id), query.wait, act).await
}

/// Query of a restart.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RestartQuery {
    wait: Wait,
    repair_account: bool,
}

/// Stops and starts an instance. With `repair_account` the server is first given the account again with which fluxdb logs in:
/// for when it refuses fluxdb (`login_refused`), whatever was done inside. The users' accounts and data stay as they are.
#[utoipa::path(post, path = "/databases/{id}/restart", tag = "Instances", security(("bearer" = ["databases:write"])),
    params(
        ("id" = InstanceId, Path),
        ("repair_account" = Option<bool>, Query, description = "Restore the account that fluxdb uses"),
    ),
    responses(
        (status = 202, description = "Being restarted", body = Accepted),
        (status = 409, description = "`no_account_repair`: this engine has no way"),
    ))]
pub async fn restart(
    State(http): State<Http>,
    writer: Writer,
    Id(id): Id<InstanceId>,
    Query(query): Query<RestartQuery>,
) -> Result<Response, Failure> {
    let act = move |app: Arc<App>, caller: Arc<_>| async move {
        match query.repair_account {
            true => app.repair_account(&caller, id).await,
            false => app.restart_instance(&caller, id).await,
        }
    };
    change(&http, &writer, Some(id), query.wait, act).await
}

/// Removes an instance with its data. Refused while it is protected.
#[utoipa::path(delete, path = "/databases/{id}", tag = "Instances", security(("bearer" = ["databases:write"])),
    params(("id" = InstanceId, Path)),
    responses((status = 202, description = "Being removed", body = Accepted)))]
pub async fn delete(
    State(http): State<Http>,
    writer: Writer,
    Id(id): Id<InstanceId>,
    Query(query): Query<ChangeQuery>,
) -> Result<Response, Failure> {
    let act = move |app: Arc<App>, caller: Arc<_>| async move { app.delete_instance(&caller, id).await };
    change(&http, &writer, Some(id), query.wait, act).await
}

/// Query of a connection string.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectionQuery {
    format: Format,
    database: Option<String>,
    reveal: bool,
}

/// The spellings of a connection string.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The engine's URI.
    #[default]
    Uri,
    /// A JDBC URL.
    Jdbc,
    /// Shell variables, a line each.
    Env,
    /// A command line for the engine's own client.
    Cli,
    /// A YAML mapping.
    Yaml,
    /// A .NET connection string.
    Dotnet,
}

impl From<Format> for UriFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Uri => Self::Uri,
            Format::Jdbc => Self::Jdbc,
            Format::Env => Self::Env,
            Format::Cli => Self::Cli,
            Format::Yaml => Self::Yaml,
            Format::Dotnet => Self::Dotnet,
        }
    }
}

/// How clients connect. The password is `***`; showing it needs `databases:write` and is audited.
#[utoipa::path(get, path = "/databases/{id}/connection-string", tag = "Instances", security(("bearer" = ["databases:read"])),
    params(
        ("id" = InstanceId, Path),
        ("format" = Option<Format>, Query, description = "Spelling; `uri` when absent"),
        ("database" = Option<String>, Query, description = "Another database than the instance's own"),
        ("reveal" = Option<bool>, Query, description = "Show the password; needs databases:write"),
    ),
    responses((status = 200, description = "The connection string", body = ConnectionString)))]
pub async fn connection_string(
    State(app): State<Arc<App>>,
    reader: Reader,
    Id(id): Id<InstanceId>,
    Query(query): Query<ConnectionQuery>,
) -> Result<axum::Json<ConnectionString>, Failure> {
    let ConnectionQuery { format, database, reveal } = query;
    Ok(axum::Json(app.connection_string(&reader, id, format.into(), database, reveal).await?))
}
