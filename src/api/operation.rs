//! Long work that a client can follow.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::instance::StoredError;
use crate::domain::operation::{OperationKind, OperationState, Progress, StepState};
use crate::domain::{InstanceId, OperationId};

/// Long-running work.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// What it does.
    pub kind: OperationKind,
    /// On which instance.
    pub instance_id: Option<InstanceId>,
    /// That instance's name now; null when it is gone.
    #[serde(default)]
    pub instance_name: Option<String>,
    /// Where it stands.
    pub state: OperationState,
    /// The current step, or a line about it.
    pub phase: String,
    /// Its steps so far.
    pub steps: Vec<OperationStep>,
    /// How far the current step is.
    pub progress: Progress,
    /// After this it is given up.
    pub deadline_at: String,
    /// Whether it may be cancelled now.
    pub cancellable: bool,
    /// Why it failed.
    pub error: Option<StoredError>,
    /// Who asked.
    pub created_by: String,
    /// When.
    pub created_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
}

/// A step of an operation.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OperationStep {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: StepState,
    /// When it was begun.
    pub started_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// A line for people.
    pub detail: String,
}

/// Something changed (Server-Sent Events; the SSE `event` is `kind`, its `id` is `id`).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Grows; give the last one as `Last-Event-ID`.
    pub id: u64,
    /// `instance`, `operation`, or `reset` (events were missed: read all again).
    pub kind: String,
    /// When.
    pub at: String,
    /// Project, for visibility.
    pub project: String,
    /// Which instance.
    pub instance_id: Option<InstanceId>,
    /// Which operation.
    pub operation_id: Option<OperationId>,
    /// The new state.
    pub state: String,
    /// A line for people.
    pub detail: String,
}
