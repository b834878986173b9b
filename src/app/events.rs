//! What changes, as it happens, for those who may see it.

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio_stream::wrappers::BroadcastStream;

use super::caller::Caller;
use super::{App, Permission};
use crate::api::Event;
use crate::domain::Result;

impl App {
    /// Events after `last_event_id`, then new ones until the daemon ends. A `reset` event says that some are lost and
    /// everything has to be read again.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn events(&self, caller: &Caller, last_event_id: Option<u64>) -> Result<BoxStream<'static, Event>> {
        caller.require(Permission::Read)?;
        let caller = caller.clone();
        let (missed, receiver) = self.core.bus.subscribe(last_event_id);
        let first = match missed {
            Ok(events) => events,
            Err(missed) => vec![reset(missed.next_id.saturating_sub(1))],
        };
        let live = BroadcastStream::new(receiver).map(|event| match event {
            Ok(event) => event,
            // The listener was too slow; its next Last-Event-ID is unknown, so everything has to be read again.
            Err(_) => reset(0),
        });
        let shutdown = self.core.shutdown.clone();
        Ok(stream::iter(first)
            .chain(live)
            .filter(move |event| {
                let visible = event.project.is_empty() || caller.sees(&event.project);
                std::future::ready(visible)
            })
            .take_until(async move { shutdown.cancelled().await })
            .boxed())
    }
}

fn reset(id: u64) -> Event {
    Event {
        id,
        kind: "reset".into(),
        at: jiff::Timestamp::now().to_string(),
        project: String::new(),
        instance_id: None,
        operation_id: None,
        state: String::new(),
        detail: "Events were missed; read everything again.".into(),
    }
}
