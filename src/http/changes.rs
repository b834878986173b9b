//! How a change is carried out and answered: to its end even when the client goes away, `202`, or `200` within `?wait=`.
//!
//! An accepted change answers `202` with the operation to follow. With `?wait=SECONDS` the answer is held until the
//! operation has ended, and is then `200` with the operation and the instance as they are, or `409` (`operation_failed`, with the
//! operation's own error as `cause`) when it did not succeed; when the time is up first, it is `202` all the same.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::Http;
use super::auth::Writer;
use super::problem::Failure;
use crate::api::{Accepted, BASE, Instance, Operation};
use crate::app::{App, Caller};
use crate::domain::operation::OperationState;
use crate::domain::{Error, ErrorKind, InstanceId, OperationId, Result};

/// The longest `?wait=`.
pub const MAX_WAIT_SECS: u16 = 600;

/// `?wait=SECONDS`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(try_from = "u16")]
pub struct Wait(u16);

impl TryFrom<u16> for Wait {
    type Error = String;

    fn try_from(seconds: u16) -> Result<Self, String> {
        if seconds > MAX_WAIT_SECS { Err(format!("at most {MAX_WAIT_SECS} seconds")) } else { Ok(Self(seconds)) }
    }
}

impl Wait {
    /// As far as a query can be read; whether it may be so is said where it is read in full.
    pub fn of(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let asked = pairs.filter(|(name, _)| name == "wait").find_map(|(_, value)| value.parse().ok());
        Self(asked.unwrap_or(0).min(MAX_WAIT_SECS))
    }

    /// How long.
    pub fn time(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}

/// Query of a change that has nothing else to say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChangeQuery {
    /// How long to hold the answer.
    pub wait: Wait,
}

/// Carries out a change that ends in an operation, and answers as this file's head says.
///
/// # Errors
/// What `act` refuses; the refusal is in the audit log.
pub async fn change<F, Fut>(
    http: &Http,
    writer: &Writer,
    about: Option<InstanceId>,
    wait: Wait,
    act: F,
) -> Result<Response, Failure>
where
    F: FnOnce(Arc<App>, Arc<Caller>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Accepted>> + Send + 'static,
{
    let accepted = to_the_end(http, writer, about, status_of, act).await?;
    answer_within(http, writer, wait, accepted).await
}

/// Answers a change that was accepted, now or under a key before: holds the answer as long as the wait says.
///
/// # Errors
/// From reading the operation or the instance.
pub async fn answer_within(http: &Http, caller: &Caller, wait: Wait, accepted: Accepted) -> Result<Response, Failure> {
    let Some(operation) = accepted.operation.as_ref().filter(|_| wait.0 > 0) else { return Ok(answer(&accepted)) };
    // Whoever asked for a cancel wants to see it cancelled.
    let cancel = matches!(operation.state, OperationState::Cancelling | OperationState::Cancelled);
    let Some(operation) = ended(http, operation.id, wait).await? else { return Ok(answer(&accepted)) };
    if operation.state != OperationState::Succeeded && !cancel {
        return Err(Failure::of_operation(&operation));
    }
    let instance = instance_now(http, caller, &accepted).await?;
    Ok(answer(&Accepted { operation: Some(operation), instance, password: accepted.password }))
}

/// Carries out a change in a task of its own, so that a client that goes away leaves nothing half told: its audit row
/// and the answer under its `Idempotency-Key` are written all the same.
///
/// # Errors
/// What `act` refuses.
pub async fn to_the_end<T, F, Fut>(
    http: &Http,
    writer: &Writer,
    about: Option<InstanceId>,
    status: fn(&T) -> StatusCode,
    act: F,
) -> Result<T, Failure>
where
    T: Serialize + Send + Sync + 'static,
    F: FnOnce(Arc<App>, Arc<Caller>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<T>> + Send + 'static,
{
    let (app, writer) = (Arc::clone(&http.app), writer.clone());
    let task = tokio::spawn(async move {
        let outcome = act(Arc::clone(&app), writer.caller()).await;
        match &outcome {
            Ok(done) => keep(&app, &writer, status(done), done).await,
            Err(refusal) => app.audit_refusal(&writer, about, refusal).await,
        }
        outcome
    });
    let outcome = task.await.map_err(|e| Error::internal(e).context("a change ended without an answer"))?;
    outcome.map_err(Failure::from)
}

/// Keeps the answer under the caller's `Idempotency-Key`, if there is one. The change stands whether or not this goes
/// well, so a failure is logged, not answered.
async fn keep<T: Serialize>(app: &App, caller: &Caller, status: StatusCode, answer: &T) {
    if caller.idempotency.is_none() {
        return;
    }
    let kept = match serde_json::to_vec(answer) {
        Ok(body) => app.keep_answer(caller, status.as_u16(), &body).await,
        Err(e) => Err(Error::internal(e)),
    };
    if let Err(e) = kept {
        tracing::error!("the answer under an Idempotency-Key could not be kept: {}", e.story());
    }
}

/// The operation, if it ends within the wait and before the daemon goes down; `None` while it goes on.
async fn ended(http: &Http, id: OperationId, wait: Wait) -> Result<Option<Operation>> {
    let waiting = http.app.wait_operation(id, wait.time());
    let operation = tokio::select! {
        operation = waiting => operation?,
        () = http.shutdown.cancelled() => return Ok(None),
    };
    Ok(operation.state.ended().then_some(operation))
}

/// The instance after the operation; `None` when it is gone or the change was not about one.
async fn instance_now(http: &Http, caller: &Caller, accepted: &Accepted) -> Result<Option<Instance>> {
    let Some(instance) = &accepted.instance else { return Ok(None) };
    match http.app.get_instance(caller, instance.id).await {
        Ok((_, json)) => serde_json::from_slice(&json).map(Some).map_err(Error::internal),
        Err(gone) if gone.kind == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// 202 while there is something to follow.
fn status_of(accepted: &Accepted) -> StatusCode {
    match &accepted.operation {
        Some(operation) if !operation.state.ended() => StatusCode::ACCEPTED,
        Some(_) | None => StatusCode::OK,
    }
}

fn answer(accepted: &Accepted) -> Response {
    let mut response = (status_of(accepted), axum::Json(accepted)).into_response();
    if let Some(operation) = &accepted.operation
        && let Ok(location) = HeaderValue::from_str(&format!("{BASE}/operations/{}", operation.id))
    {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
