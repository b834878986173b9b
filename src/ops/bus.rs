//! What changed, for those who watch: a ring of recent events and a broadcast of new ones.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::broadcast;

use crate::api::Event;
use crate::domain::{InstanceId, OperationId};

/// Events that a reconnecting client can still catch up on.
const KEPT: usize = 1024;

/// The event bus.
pub struct Bus {
    inner: Mutex<Inner>,
    sender: broadcast::Sender<Event>,
}

struct Inner {
    next_id: u64,
    recent: VecDeque<Event>,
}

impl Bus {
    /// An empty bus. Ids start at the time, so that they grow over restarts and an old `Last-Event-ID` is noticed.
    pub fn new() -> Self {
        let next_id = u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or(1);
        Self { inner: Mutex::new(Inner { next_id, recent: VecDeque::new() }), sender: broadcast::channel(256).0 }
    }

    /// Tells everyone.
    pub fn publish(&self, what: Change<'_>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let event = Event {
            id: inner.next_id,
            kind: what.kind.to_owned(),
            at: jiff::Timestamp::now().to_string(),
            project: what.project.to_owned(),
            instance_id: what.instance_id,
            operation_id: what.operation_id,
            state: what.state.to_owned(),
            detail: what.detail.to_owned(),
        };
        inner.next_id += 1;
        if inner.recent.len() == KEPT {
            inner.recent.pop_front();
        }
        inner.recent.push_back(event.clone());
        // Nobody listening is fine.
        let _ = self.sender.send(event);
    }

    /// Events after `last`, then new ones. `Err` when some were already forgotten, or `last` is not ours: the caller
    /// has to read everything again. Without `last`, only new ones.
    pub fn subscribe(&self, last: Option<u64>) -> (Result<Vec<Event>, Missed>, broadcast::Receiver<Event>) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = self.sender.subscribe();
        let Some(last) = last else { return (Ok(Vec::new()), receiver) };
        let known = last.checked_add(1) == Some(inner.next_id) || inner.recent.iter().any(|e| e.id == last);
        if !known {
            return (Err(Missed { next_id: inner.next_id }), receiver);
        }
        (Ok(inner.recent.iter().filter(|e| e.id > last).cloned().collect()), receiver)
    }
}

impl Default for Bus {
    fn default() -> Self {
        Self::new()
    }
}

/// Some events are forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The id that the next event will have.
    pub next_id: u64,
}

/// What to publish.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// `instance` or `operation`.
    pub kind: &'a str,
    /// For visibility.
    pub project: &'a str,
    /// Which instance.
    pub instance_id: Option<InstanceId>,
    /// Which operation.
    pub operation_id: Option<OperationId>,
    /// The new state.
    pub state: &'a str,
    /// A line for people.
    pub detail: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(state: &str) -> Change<'_> {
        Change { kind: "instance", project: "p", instance_id: None, operation_id: None, state, detail: "" }
    }

    #[test]
    fn a_reconnecting_client_gets_what_it_missed() {
        let bus = Bus::new();
        bus.publish(change("a"));
        bus.publish(change("b"));
        let id = bus.inner.lock().expect("lock").recent[0].id;
        let (missed, _) = bus.subscribe(Some(id));
        assert_eq!(missed.expect("known").iter().map(|e| e.state.as_str()).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn what_is_forgotten_is_said() {
        let bus = Bus::new();
        for _ in 0..=KEPT + 1 {
            bus.publish(change("x"));
        }
        assert!(bus.subscribe(Some(1)).0.is_err());
    }
}
