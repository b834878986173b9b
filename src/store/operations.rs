//! Operations and their steps as rows: the journal.
#![allow(unused_variables, clippy::unimplemented)]

use rusqlite::Connection;

use crate::domain::instance::StoredError;
use crate::domain::operation::{OperationRecord, OperationState, Progress, StepRecord, StepState};
use crate::domain::{InstanceId, OperationId, Result};

/// Filters for a list; newest first.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this instance.
    pub instance_id: Option<InstanceId>,
    /// In this state.
    pub state: Option<OperationState>,
    /// Visible projects; `None` = all. An operation without a project is visible to all.
    pub projects: Option<Vec<String>>,
    /// Older than this id.
    pub before: Option<OperationId>,
    /// At most so many.
    pub limit: usize,
}

/// Adds an operation. Another open one on the same instance is `Conflict` (`operation_in_progress`), `blocked_by` it,
/// with its kind in the text.
pub fn insert(db: &Connection, record: &OperationRecord) -> Result<()> {
    unimplemented!()
}

/// One operation.
pub fn find(db: &Connection, id: OperationId) -> Result<Option<OperationRecord>> {
    unimplemented!()
}

/// The open operation of an instance.
pub fn open_of(db: &Connection, instance: InstanceId) -> Result<Option<OperationRecord>> {
    unimplemented!()
}

/// Every open operation, oldest first: what a start has to resume.
pub fn open(db: &Connection) -> Result<Vec<OperationRecord>> {
    unimplemented!()
}

/// A page of operations.
pub fn list(db: &Connection, filter: &Filter) -> Result<Vec<OperationRecord>> {
    unimplemented!()
}

/// Steps of an operation, in order.
pub fn steps(db: &Connection, id: OperationId) -> Result<Vec<StepRecord>> {
    unimplemented!()
}

/// Begins or repeats a step: state `started`, `ended_at` cleared, also sets the operation's phase to its name, its progress to none and its state to `running` where it was `pending`.
pub fn begin_step(db: &Connection, id: OperationId, ordinal: u32, name: &str) -> Result<()> {
    unimplemented!()
}

/// Changes a step's state; sets `ended_at` unless the state is `started` or `undoing`. An empty detail keeps the old one.
pub fn set_step(db: &Connection, id: OperationId, ordinal: u32, state: StepState, detail: &str) -> Result<()> {
    unimplemented!()
}

/// Changes phase text and progress.
pub fn set_progress(db: &Connection, id: OperationId, phase: &str, progress: &Progress) -> Result<()> {
    unimplemented!()
}

/// Changes the state; an ended one gets `ended_at`. A state that has ended is never left again (answers false).
pub fn set_state(db: &Connection, id: OperationId, state: OperationState, error: Option<&StoredError>) -> Result<bool> {
    unimplemented!()
}

/// Removes operations that ended before this time; answers how many.
pub fn prune(db: &Connection, before: jiff::Timestamp) -> Result<usize> {
    unimplemented!()
}
