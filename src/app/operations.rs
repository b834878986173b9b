//! Reading, awaiting and cancelling operations.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use utoipa::IntoParams;

use super::caller::Caller;
use super::instances::{page_limit, page_token};
use super::{App, Permission};
use crate::api::{Operation, OperationStep, Page};
use crate::domain::operation::{OperationRecord, OperationState, StepRecord};
use crate::domain::{Error, ErrorKind, InstanceId, OperationId, Result};
use crate::store::{audit, operations};

/// Events may be missed by a slow listener; so the store is read now and then anyway.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Filters of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct OperationQuery {
    /// Of this instance.
    pub instance: Option<InstanceId>,
    /// In this state.
    pub state: Option<OperationState>,
    /// Operations on the page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// From the page before.
    pub page_token: Option<String>,
}

/// An operation as the API shows it. `instance_name` of an instance that still exists.
fn view(record: &OperationRecord, steps: Vec<StepRecord>, instance_name: Option<String>) -> Operation {
    Operation {
        id: record.id,
        kind: record.kind,
        instance_id: record.instance_id,
        instance_name,
        state: record.state,
        phase: record.phase.clone(),
        steps: steps
            .into_iter()
            .map(|s| OperationStep {
                name: s.name,
                state: s.state,
                started_at: s.started_at.to_string(),
                ended_at: s.ended_at.map(|t| t.to_string()),
                detail: s.detail,
            })
            .collect(),
        progress: record.progress.clone(),
        deadline_at: record.deadline_at.to_string(),
        cancellable: record.kind.cancellable()
            && matches!(record.state, OperationState::Pending | OperationState::Running)
            && record.error.is_none(),
        error: record.error.clone(),
        created_by: record.created_by.clone(),
        created_at: record.created_at.to_string(),
        ended_at: record.ended_at.map(|t| t.to_string()),
    }
}

impl App {
    /// An operation as the API shows it.
    pub(super) fn operation_view(&self, record: &OperationRecord, steps: Vec<StepRecord>) -> Operation {
        let instance = record.instance_id.and_then(|id| self.core.registry.record(id));
        view(record, steps, instance.map(|r| r.name.clone()))
    }

    async fn read_operation(&self, id: OperationId) -> Result<(OperationRecord, Vec<StepRecord>)> {
        self.core
            .store
            .read(move |db| {
                let record = operations::find(db, id)?.ok_or_else(|| Error::not_found("operation"))?;
                Ok((record, operations::steps(db, id)?))
            })
            .await
    }

    /// One operation with its steps.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get_operation(&self, caller: &Caller, id: OperationId) -> Result<Operation> {
        caller.require(Permission::Read)?;
        let (record, steps) = self.read_operation(id).await?;
        if !record.project.is_empty() && !caller.sees(&record.project) {
            return Err(Error::not_found("operation"));
        }
        Ok(self.operation_view(&record, steps))
    }

    /// A page of operations without their steps, newest first.
    ///
    /// # Errors
    /// `Invalid` for a query that makes no sense.
    pub async fn list_operations(&self, caller: &Caller, query: OperationQuery) -> Result<Page<Operation>> {
        caller.require(Permission::Read)?;
        let limit = page_limit(query.limit)?;
        let filter = operations::Filter {
            instance_id: query.instance,
            state: query.state,
            projects: caller.identity.projects.clone(),
            before: page_token(query.page_token.as_deref())?,
            limit: limit + 1,
        };
        let mut found = self.core.store.read(move |db| operations::list(db, &filter)).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|o| o.id.to_string());
        Ok(Page { items: found.iter().map(|o| self.operation_view(o, Vec::new())).collect(), next_page_token: next })
    }

    /// Waits until an operation ends or the time is up; answers it as it is then.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn wait_operation(&self, id: OperationId, time: Duration) -> Result<Operation> {
        let until = Instant::now() + time;
        let (_, mut events) = self.core.bus.subscribe(None);
        loop {
            let (record, steps) = self.read_operation(id).await?;
            if record.state.ended() {
                self.until_released(&record).await;
                return Ok(self.operation_view(&record, steps));
            }
            if Instant::now() >= until || self.core.shutdown.is_cancelled() {
                return Ok(self.operation_view(&record, steps));
            }
            let look_again = (Instant::now() + LOOK_EVERY).min(until);
            // Steps are not worth reading it again; only an end is.
            let ended = async {
                loop {
                    match events.recv().await {
                        Ok(e)
                            if e.operation_id == Some(id)
                                && ["succeeded", "failed", "cancelled"].contains(&e.state.as_str()) =>
                        {
                            return;
                        }
                        Ok(_) => {}
                        Err(_) => std::future::pending::<()>().await,
                    }
                }
            };
            tokio::select! {
                () = ended => {}
                () = tokio::time::sleep_until(look_again) => {}
                () = self.core.shutdown.cancelled() => {}
            }
        }
    }

    /// Waits the moment between the end in the store and the release in memory, so that whoever waited for an
    /// operation can begin the next one.
    async fn until_released(&self, record: &OperationRecord) {
        let Some(id) = record.instance_id else { return };
        for _ in 0..100 {
            if self.core.registry.with(id, |e| e.operation.is_none_or(|(op, _)| op != record.id)).unwrap_or(true) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Asks an operation to stop and take back what it did.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` (`not_cancellable`) when it ended or cannot be taken back.
    pub async fn cancel_operation(&self, caller: &Caller, id: OperationId) -> Result<Operation> {
        self.require_writable(caller).await?;
        let shown = self.get_operation(caller, id).await?;
        if !shown.cancellable {
            return Err(Error::new(
                ErrorKind::Conflict,
                "not_cancellable",
                format!("This {} is {} and cannot be cancelled.", shown.kind.as_str(), shown.state.as_str()),
            ));
        }
        let entry = caller.audit(shown.instance_id, Some(id), json!({}), "accepted");
        let instance = shown.instance_id;
        let project =
            instance.and_then(|i| self.core.registry.record(i)).map(|r| r.project.clone()).unwrap_or_default();
        self.core
            .store
            .write(move |tx| {
                audit::append(tx, &project, &entry)?;
                operations::set_state(tx, id, OperationState::Cancelling, None)
            })
            .await?;
        self.core.cancel(id);
        let (record, steps) = self.read_operation(id).await?;
        Ok(self.operation_view(&record, steps))
    }
}
