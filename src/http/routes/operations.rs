//! Operations: long-running work, to follow and to cancel; and everything live.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use crate::api::{Accepted, Event, Operation, Page};
use crate::app::App;
use crate::app::operations::OperationQuery;
use crate::domain::OperationId;
use crate::http::Http;
use crate::http::auth::{Reader, Writer};
use crate::http::changes::{ChangeQuery, change};
use crate::http::extract::{Id, Query};
use crate::http::problem::Failure;
use crate::http::sse;

/// The operations that the caller may see, newest first.
#[utoipa::path(get, path = "/operations", tag = "Operations", security(("bearer" = ["databases:read"])),
    params(OperationQuery),
    responses((status = 200, description = "A page", body = Page<Operation>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    reader: Reader,
    Query(query): Query<OperationQuery>,
) -> Result<Json<Page<Operation>>, Failure> {
    Ok(Json(app.list_operations(&reader, query).await?))
}

/// One operation with its steps.
#[utoipa::path(get, path = "/operations/{id}", tag = "Operations", security(("bearer" = ["databases:read"])),
    params(("id" = OperationId, Path)),
    responses((status = 200, description = "The operation", body = Operation)))]
pub async fn get(
    State(app): State<Arc<App>>,
    reader: Reader,
    Id(id): Id<OperationId>,
) -> Result<Json<Operation>, Failure> {
    Ok(Json(app.get_operation(&reader, id).await?))
}

/// Asks an operation to stop and to take back what it did.
#[utoipa::path(post, path = "/operations/{id}/cancel", tag = "Operations", security(("bearer" = ["databases:write"])),
    params(("id" = OperationId, Path)),
    responses((status = 202, description = "Being taken back", body = Accepted)))]
pub async fn cancel(
    State(http): State<Http>,
    writer: Writer,
    Id(id): Id<OperationId>,
    Query(query): Query<ChangeQuery>,
) -> Result<Response, Failure> {
    let act = move |app: Arc<App>, caller: Arc<_>| async move {
        let operation = Some(app.cancel_operation(&caller, id).await?);
        Ok(Accepted { operation, instance: None, password: None })
    };
    change(&http, &writer, None, query.wait, act).await
}

/// Changes of instances and operations as they happen: Server-Sent Events.
///
/// The stream ends now and then; come back with `Last-Event-ID`. An event of the kind `reset` says that some were
/// missed: read all again.
#[utoipa::path(get, path = "/events", tag = "Operations", security(("bearer" = ["databases:read"])),
    params(("Last-Event-ID" = Option<u64>, Header, description = "Id of the last event seen")),
    responses((status = 200, description = "Each event's `data` is one Event", content_type = "text/event-stream", body = Event)))]
pub async fn events(
    State(http): State<Http>,
    reader: Reader,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Failure> {
    Ok(sse::stream(&http, http.app.events(&reader, sse::last_event_id(&headers)?)?))
}
