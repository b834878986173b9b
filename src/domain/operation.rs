//! Operations: long-running work with steps, as kept in the store.

use serde::{Deserialize, Serialize};

use super::instance::StoredError;
use super::{InstanceId, OperationId};

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Makes an instance.
    Create,
    /// Starts a stopped instance.
    Start,
    /// Stops an instance.
    Stop,
    /// Stops and starts it.
    Restart,
    /// Gives it another SKU.
    Resize,
    /// Changes its engine settings.
    Configure,
    /// Removes it with its data.
    Delete,
    /// Brings an instance back to what was asked, after something changed behind our back.
    Repair,
    /// Pulls an image.
    ImagePull,
    /// Builds an image out of distribution packages.
    ImageBuild,
    /// Installs Podman through the distribution's package manager.
    PodmanInstall,
}

impl OperationKind {
    /// As it is spelled in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Resize => "resize",
            Self::Configure => "configure",
            Self::Delete => "delete",
            Self::Repair => "repair",
            Self::ImagePull => "image_pull",
            Self::ImageBuild => "image_build",
            Self::PodmanInstall => "podman_install",
        }
    }

    /// Whether a client may cancel it. A delete is only finished, never taken back.
    pub fn cancellable(self) -> bool {
        match self {
            Self::Create | Self::Resize | Self::Configure | Self::ImagePull | Self::ImageBuild => true,
            Self::Start | Self::Stop | Self::Restart | Self::Delete | Self::Repair | Self::PodmanInstall => false,
        }
    }
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    /// Accepted, not begun.
    Pending,
    /// Steps are being carried out.
    Running,
    /// All done.
    Succeeded,
    /// Given up; what it had done is taken back.
    Failed,
    /// Asked to stop; what it had done is being taken back.
    Cancelling,
    /// Stopped, and taken back.
    Cancelled,
}

impl OperationState {
    /// As it is spelled in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will happen.
    pub fn ended(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Cancelled => true,
            Self::Pending | Self::Running | Self::Cancelling => false,
        }
    }
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Begun; after a crash it is done again.
    Started,
    /// Done.
    Succeeded,
    /// Not to be done; what it may have done is taken back.
    Failed,
    /// Being taken back.
    Undoing,
    /// Taken back.
    Undone,
}

impl StepState {
    /// As it is spelled in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
        }
    }
}

/// How far the current step is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Progress {
    /// Done so far.
    pub current: u64,
    /// All there is; 0 = not known.
    pub max: u64,
    /// `steps`, `bytes`, `layers`.
    pub unit: String,
}

/// One step as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Its place, from 0.
    pub ordinal: u32,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: StepState,
    /// When it was begun (last).
    pub started_at: jiff::Timestamp,
    /// When it ended.
    pub ended_at: Option<jiff::Timestamp>,
    /// A line for people.
    pub detail: String,
}

/// One operation as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperationRecord {
    /// Its id.
    pub id: OperationId,
    /// What it does.
    pub kind: OperationKind,
    /// On which instance; `None` for images and the host.
    pub instance_id: Option<InstanceId>,
    /// Project of that instance, for visibility; empty for none.
    pub project: String,
    /// Where it stands.
    pub state: OperationState,
    /// The current step's name, or a line about it.
    pub phase: String,
    /// How far it is.
    pub progress: Progress,
    /// Arguments of the kind, JSON without secrets.
    pub params: serde_json::Value,
    /// After this it is given up.
    pub deadline_at: jiff::Timestamp,
    /// Why it failed.
    pub error: Option<StoredError>,
    /// Who asked: token name, `local`, `reconciler`.
    pub created_by: String,
    /// When.
    pub created_at: jiff::Timestamp,
    /// When it ended.
    pub ended_at: Option<jiff::Timestamp>,
}
