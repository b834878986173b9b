//! Which action is possible now, and why not: one table, for the answer 409 and for buttons alike.

use crate::api::{AllowedAction, Health, State};
use crate::domain::instance::{Desired, Observed};
use crate::domain::operation::OperationKind;
use crate::domain::{Error, Result};
use crate::ops::registry::{DOWN_AFTER, Entry};

/// What a user can do with an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Stop and start it.
    Restart,
    /// Another SKU.
    Resize,
    /// Other engine settings.
    Configure,
    /// Remove it.
    Delete,
}

impl Action {
    /// Every action.
    pub const ALL: [Action; 6] = [Self::Start, Self::Stop, Self::Restart, Self::Resize, Self::Configure, Self::Delete];

    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Start => "start",
            Action::Stop => "stop",
            Action::Restart => "restart",
            Action::Resize => "resize",
            Action::Configure => "configure",
            Action::Delete => "delete",
        }
    }
}

/// Where an instance stands, from intent, observation and the operation that holds it.
pub fn state(entry: &Entry) -> State {
    match entry.operation.map(|(_, kind)| kind) {
        Some(OperationKind::Create) => return State::Creating,
        Some(OperationKind::Delete) => return State::Deleting,
        Some(
            OperationKind::Start
            | OperationKind::Stop
            | OperationKind::Restart
            | OperationKind::Resize
            | OperationKind::Configure,
        ) => return State::Updating,
        Some(
            OperationKind::Repair | OperationKind::ImagePull | OperationKind::ImageBuild | OperationKind::PodmanInstall,
        )
        | None => {}
    }
    let failed = entry.record.last_error.is_some();
    match (entry.record.desired, &entry.observed) {
        (Desired::Deleted, _) => State::Deleting,
        (_, Observed::Unknown) if failed => State::Error,
        // Podman is away: what was asked is the best guess, and `health` says that it is one.
        (Desired::Running, Observed::Unknown) => State::Running,
        (Desired::Stopped, Observed::Unknown) => State::Stopped,
        (Desired::Running, Observed::Present { running: true, ready: true, .. }) => State::Running,
        (Desired::Stopped, Observed::Absent | Observed::Present { running: false, .. }) => State::Stopped,
        (Desired::Running | Desired::Stopped, _) if failed => State::Error,
        (Desired::Running | Desired::Stopped, _) => State::Updating,
    }
}

/// Whether the server answers.
pub fn health(entry: &Entry) -> Health {
    match (entry.record.desired, &entry.observed) {
        (Desired::Running, Observed::Present { running: true, ready: true, .. }) => match entry.missed {
            0 => Health::Up,
            1..DOWN_AFTER => Health::Degraded,
            DOWN_AFTER.. => Health::Down,
        },
        (Desired::Running, Observed::Absent | Observed::Present { running: false, .. })
            if entry.operation.is_none() =>
        {
            Health::Down
        }
        // What runs and was not asked yet may be up or down.
        (Desired::Running | Desired::Stopped | Desired::Deleted, _) => Health::Unknown,
    }
}

/// Why an action is not possible now; `None` when it is.
pub fn refusal(entry: &Entry, action: Action) -> Option<Error> {
    if let Some((op, kind)) = entry.operation
        && kind != OperationKind::Repair
    {
        let text = format!("A {} is in progress; wait for it, or cancel it where that is possible.", kind.as_str());
        return Some(Error::conflict("operation_in_progress", text).blocked_by(op));
    }
    let no = |text: &str| Some(Error::conflict("not_in_this_state", text));
    match (action, entry.record.desired) {
        (Action::Delete, _) if entry.record.deletion_protection => Some(Error::conflict(
            "deletion_protected",
            "The instance is protected from deletion; switch deletion_protection off first.",
        )),
        // A deletion that failed may be asked for again.
        (Action::Delete, Desired::Deleted) => None,
        (_, Desired::Deleted) => no("The instance is being deleted."),
        (Action::Start, Desired::Running) if state(entry) == State::Running => no("The instance runs already."),
        (Action::Stop, Desired::Stopped) => no("The instance is stopped already."),
        (Action::Restart, Desired::Stopped) => no("The instance is stopped; start it instead."),
        (Action::Start | Action::Stop | Action::Restart | Action::Resize | Action::Configure | Action::Delete, _) => {
            None
        }
    }
}

/// Refuses what is not possible now.
///
/// # Errors
/// As [`refusal`].
pub fn require(entry: &Entry, action: Action) -> Result<()> {
    refusal(entry, action).map_or(Ok(()), Err)
}

/// The whole table for one instance.
pub fn allowed(entry: &Entry) -> Vec<AllowedAction> {
    Action::ALL
        .into_iter()
        .map(|action| {
            let reason = refusal(entry, action).map(|e| e.public);
            AllowedAction { name: action.as_str().to_owned(), enabled: reason.is_none(), reason }
        })
        .collect()
}
