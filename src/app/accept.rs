//! How a change is accepted: intent, operation, audit row and idempotency key in one transaction, then a poke.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::caller::Caller;
use super::{App, Permission};
use crate::api::Accepted;
use crate::domain::instance::InstanceRecord;
use crate::domain::operation::{OperationKind, OperationRecord, OperationState, Progress};
use crate::domain::{Error, ErrorKind, InstanceId, OperationId, Result};
use crate::ops::drive;
use crate::store::{Transaction, audit, idempotency, operations};

/// How long a change waits for a repair that is in its way.
const PREEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// How many repairs one change may end; there is never more than one at a time.
const MOST_ATTEMPTS: u32 = 3;

/// What a change is about.
pub(super) struct Asked {
    pub(super) kind: OperationKind,
    pub(super) instance: Option<InstanceId>,
    pub(super) project: String,
    /// For the operation; no secrets.
    pub(super) params: serde_json::Value,
    /// For the audit log; no secrets.
    pub(super) audit: serde_json::Value,
}

impl App {
    /// Refuses changes while they cannot be carried out.
    pub(super) async fn require_writable(&self, caller: &Caller) -> Result<()> {
        caller.require(Permission::Write)?;
        if !self.enabled {
            return Err(Error::unavailable(
                "module_disabled",
                "The Databases module is disabled; run `fluxdb enable` and start the daemon again.",
            ));
        }
        if self.core.shutdown.is_cancelled() {
            return Err(Error::unavailable("shutting_down", "The daemon is shutting down; try again in a moment."));
        }
        Ok(())
    }

    /// Commits the change with all that belongs to it, and starts the operation.
    pub(super) async fn accept<F>(
        self: &Arc<Self>,
        caller: &Caller,
        asked: Asked,
        change: F,
    ) -> Result<(OperationRecord, Option<Arc<InstanceRecord>>)>
    where
        F: FnOnce(&Transaction<'_>) -> Result<Option<InstanceRecord>> + Send + 'static,
    {
        // Accepting what cannot be begun would only move the error to where nobody looks.
        self.core.runtime.ping().await?;
        self.accept_anyway(caller, asked, change).await
    }

    /// As [`App::accept`], for the one change that brings the runtime in the first place.
    pub(super) async fn accept_without_runtime(
        self: &Arc<Self>,
        caller: &Caller,
        asked: Asked,
    ) -> Result<(OperationRecord, Option<Arc<InstanceRecord>>)> {
        self.accept_anyway(caller, asked, |_| Ok(None)).await
    }

    async fn accept_anyway<F>(
        self: &Arc<Self>,
        caller: &Caller,
        asked: Asked,
        change: F,
    ) -> Result<(OperationRecord, Option<Arc<InstanceRecord>>)>
    where
        F: FnOnce(&Transaction<'_>) -> Result<Option<InstanceRecord>> + Send + 'static,
    {
        let now = jiff::Timestamp::now();
        let limits = &self.core.config.operations;
        let seconds = match asked.kind {
            OperationKind::Create => limits.image_deadline_secs + limits.instance_deadline_secs,
            OperationKind::ImagePull | OperationKind::ImageBuild | OperationKind::PodmanInstall => {
                limits.image_deadline_secs
            }
            OperationKind::Start
            | OperationKind::Stop
            | OperationKind::Restart
            | OperationKind::Resize
            | OperationKind::Configure
            | OperationKind::Delete
            | OperationKind::Repair => limits.instance_deadline_secs,
        };
        let operation = OperationRecord {
            id: OperationId::generate(),
            kind: asked.kind,
            instance_id: asked.instance,
            project: asked.project,
            state: OperationState::Pending,
            phase: String::new(),
            progress: Progress::default(),
            params: asked.params,
            deadline_at: now + jiff::SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)),
            error: None,
            created_by: caller.identity.actor.clone(),
            created_at: now,
            ended_at: None,
        };
        let entry = caller.audit(asked.instance, Some(operation.id), asked.audit, "accepted");
        let key = super::idempotency::row(caller, Some(operation.id));
        // Taken by the attempt that gets the lock; an attempt that finds a repair in its way leaves it for the next.
        let change = Arc::new(Mutex::new(Some(change)));
        let mut attempts = 0;
        let record = loop {
            let (operation, entry, key, change) = (operation.clone(), entry.clone(), key.clone(), change.clone());
            let result = self
                .core
                .store
                .write(move |tx| {
                    // The lock first: a busy instance is refused before anything else is looked at.
                    operations::insert(tx, &operation)?;
                    let change = change.lock().unwrap_or_else(PoisonError::into_inner).take();
                    let record = change.ok_or_else(|| Error::internal("a change was made twice"))?(tx)?;
                    audit::append(tx, &operation.project, &entry)?;
                    if let Some(row) = &key {
                        idempotency::reserve(tx, row)?;
                    }
                    Ok(record)
                })
                .await;
            match result {
                Ok(record) => break record,
                Err(e) => {
                    attempts += 1;
                    if attempts > MOST_ATTEMPTS || !self.preempt_repair(&e).await? {
                        return Err(e);
                    }
                }
            }
        };
        let record = record.map(|r| self.core.registry.put(r));
        drive::spawn(&self.core, operation.clone());
        Ok((operation, record))
    }

    /// The answer to an accepted change.
    pub(super) async fn accepted(&self, operation: OperationRecord, id: Option<InstanceId>) -> Accepted {
        Accepted {
            operation: Some(self.operation_view(&operation, Vec::new())),
            instance: id.and_then(|id| self.instance_view(id)),
            password: None,
        }
    }

    /// A user's wish goes before a repair that the reconciler began by itself: ends it, and answers whether it did.
    async fn preempt_repair(&self, refused: &Error) -> Result<bool> {
        let Some(op) = refused.operation else { return Ok(false) };
        let found = self.core.store.read(move |db| operations::find(db, op)).await?;
        if found.is_none_or(|f| f.kind != OperationKind::Repair) {
            return Ok(false);
        }
        self.core.store.write(move |tx| operations::set_state(tx, op, OperationState::Cancelling, None)).await?;
        self.core.cancel(op);
        self.wait_operation(op, PREEMPT_TIMEOUT).await?;
        Ok(true)
    }
}

/// The error for an instance that is not there, or not the caller's to see.
pub(super) fn no_instance() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "instance_not_found",
        "There is no such instance, or this token may not see it. `fluxdb list` shows those it may.",
    )
}
