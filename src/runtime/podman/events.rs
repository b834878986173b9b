//! What happens to our containers, for ever: the stream of Podman, joined again after each cut.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use podman_api::Podman;
use podman_api::opts::EventsOpts;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::debug;

use super::raw::Raw;
use crate::domain::InstanceId;
use crate::domain::container::{LABEL_INSTANCE, LABEL_OWNER};
use crate::runtime::RuntimeEvent;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Ends the task when the listener goes.
struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) fn stream(api: Podman, raw: Raw, owner: String) -> BoxStream<'static, RuntimeEvent> {
    let (sender, receiver) = mpsc::channel(256);
    let listening = Listening(tokio::spawn(listen(api, raw, owner, sender)));
    let state = (receiver, listening);
    futures_util::stream::unfold(state, |(mut receiver, listening)| async move {
        let event = receiver.recv().await?;
        Some((event, (receiver, listening)))
    })
    .boxed()
}

async fn listen(api: Podman, raw: Raw, owner: String, sender: mpsc::Sender<RuntimeEvent>) {
    let mut since = jiff::Timestamp::now();
    let mut first = true;
    loop {
        wait_for_podman(&raw).await;
        if !first && sender.send(RuntimeEvent::Lost).await.is_err() {
            return;
        }
        first = false;
        // From the moment of the cut, so that nothing is missed between the look at everything and the first event.
        let filters = [
            ("type".to_owned(), vec!["container".to_owned()]),
            ("label".to_owned(), vec![format!("{LABEL_OWNER}={owner}")]),
        ];
        let opts = EventsOpts::builder().stream(true).since(since.as_second().to_string()).filters(filters).build();
        let mut events = api.events(&opts);
        while let Some(event) = events.next().await {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    debug!(%error, "the event stream was cut");
                    break;
                }
            };
            let instance = event.actor.attributes.get(LABEL_INSTANCE).and_then(|id| id.parse::<InstanceId>().ok());
            if let Some(instance) = instance {
                let event = RuntimeEvent::Container { instance, action: event.action };
                if sender.send(event).await.is_err() {
                    return;
                }
            }
        }
        since = jiff::Timestamp::now();
        // A service that takes the request and ends it at once must not keep a processor busy.
        tokio::time::sleep(FIRST_PAUSE).await;
    }
}

async fn wait_for_podman(raw: &Raw) {
    let mut pause = FIRST_PAUSE;
    while raw.ping().await.is_err() {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
