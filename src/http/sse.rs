//! How changes are told live: Server-Sent Events.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{Event as Frame, KeepAlive, Sse};
use futures_util::{Stream, StreamExt};

use super::Http;
use super::extract::{bad_header, text_header};
use super::problem::Failure;
use crate::api::Event;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A stream ends after this, so that a deleted token does not listen for ever; clients come back by themselves with
/// `Last-Event-ID`.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// The id of the last event that the client has seen.
///
/// # Errors
/// 400 for what is no number.
pub fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let Some(text) = text_header(headers, &LAST_EVENT_ID)?.filter(|t| !t.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| bad_header(&LAST_EVENT_ID, "the id of an event"))
}

/// Sends events until the client goes, the daemon goes down, or the stream is old.
pub fn stream<S: Stream<Item = Event> + Send + 'static>(
    http: &Http,
    events: S,
) -> Sse<impl Stream<Item = Result<Frame, Infallible>> + Send + 'static + use<S>> {
    let shutdown = http.shutdown.clone();
    let end = async move {
        tokio::select! {
            () = shutdown.cancelled_owned() => {}
            () = tokio::time::sleep(LIFETIME) => {}
        }
    };
    let frames = events.filter_map(|event| async move { frame(&event) }).map(Ok).take_until(Box::pin(end));
    Sse::new(frames).keep_alive(KeepAlive::new().interval(KEEP_ALIVE).text("still here"))
}

fn frame(event: &Event) -> Option<Frame> {
    match Frame::default().id(event.id.to_string()).event(&event.kind).json_data(event) {
        Ok(frame) => Some(frame),
        Err(e) => {
            tracing::error!("an event could not be written: {e}");
            None
        }
    }
}
