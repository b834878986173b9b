//! One question at a time to each server: what was asked keeps its place until the server has ended it.
//!
//! A session that is dropped because its answer is late is not gone: the server goes on with the statement, and the next one
//! would be opened beside it. In a server that hangs that ends at its limit of connections, with nothing but our own.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Turns, OwnedMutexGuard};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::domain::{Error, ErrorKind, Result};

/// A server that does not even log us in within this time is asked again later, however long the question may take.
const LOGIN: Duration = Duration::from_millis(if cfg!(test) { 200 } else { 10_000 });

/// What to do while the place is taken by a question that is overdue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Wait for it as long as the new question may take.
    Wait,
    /// Do not ask.
    Skip,
}

/// The places, one for each key.
pub(crate) struct Lanes<K, S> {
    lanes: Mutex<HashMap<K, Arc<Lane<S>>>>,
}

struct Lane<S> {
    turns: Arc<Turns<S>>,
    /// When the question that has the place was asked, and how long it may take.
    asked: Mutex<Option<(Instant, Duration)>>,
}

/// The place of one question, with what is kept there between two of them.
pub(crate) struct Place<S> {
    kept: OwnedMutexGuard<S>,
    lane: Arc<Lane<S>>,
}

/// Until when a question is of use to who asked it.
pub(crate) struct Until {
    deadline: Instant,
    gone: CancellationToken,
    opened: Arc<AtomicBool>,
}

impl Until {
    /// Returns once the time is over or nobody waits for the answer any more.
    pub(crate) async fn over(&self) {
        tokio::select! {
            () = tokio::time::sleep_until(self.deadline) => {}
            () = self.gone.cancelled() => {}
        }
    }

    /// Whether that is so now.
    pub(crate) fn is_over(&self) -> bool {
        self.gone.is_cancelled() || Instant::now() >= self.deadline
    }

    /// The login is done.
    pub(crate) fn opened(&self) {
        self.opened.store(true, Ordering::Relaxed);
    }
}

impl<K: Eq + Hash, S: Default + Send + 'static> Lanes<K, S> {
    /// Carries `work` out at this key's place, alone. When it takes longer than `limit`, or who asks goes away, it still has the
    /// place, until it ends.
    ///
    /// # Errors
    /// As `work`; `Timeout` (`query_timeout`) when it is not done in time; `Timeout` (`server_busy`) when the place stays taken.
    pub(crate) async fn ask<T, F>(
        &self,
        key: K,
        turn: Turn,
        limit: Duration,
        work: impl FnOnce(Place<S>, Arc<Until>) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        let lane = self.lane(key);
        if turn == Turn::Skip && lane.overdue() {
            return Err(lane.busy());
        }
        let asked = Instant::now();
        let deadline = asked + limit;
        let place = match timeout_at(deadline, lane.turns.clone().lock_owned()).await {
            Ok(kept) => Place::take(lane, kept, limit),
            Err(_) => return Err(lane.busy()),
        };
        let (until, _leaves) = until(deadline);
        let mut task = tokio::spawn(work(place, until.clone()));
        let first = deadline.min(Instant::now() + LOGIN);
        let outcome = match timeout_at(first, &mut task).await {
            Err(_) if until.opened.load(Ordering::Relaxed) => timeout_at(deadline, &mut task).await,
            outcome => outcome,
        };
        match outcome {
            Ok(ended) => ended.map_err(Error::internal)?,
            Err(_) => Err(Error::new(
                ErrorKind::Timeout,
                "query_timeout",
                format!("The server did not answer within {} s.", asked.elapsed().as_secs().max(1)),
            )),
        }
    }

    /// Lets `keep` look at what is kept at each place that nobody has.
    pub(crate) fn tidy(&self, mut keep: impl FnMut(&mut S) -> bool) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|_, lane| match lane.turns.try_lock() {
            Ok(mut kept) => keep(&mut kept) || Arc::strong_count(lane) > 1,
            Err(_) => true,
        });
    }

    fn lane(&self, key: K) -> Arc<Lane<S>> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Lane { turns: Arc::default(), asked: Mutex::new(None) });
        lanes.entry(key).or_insert_with(new).clone()
    }
}

impl<K, S> Default for Lanes<K, S> {
    fn default() -> Self {
        Self { lanes: Mutex::default() }
    }
}

fn until(deadline: Instant) -> (Arc<Until>, DropGuard) {
    let gone = CancellationToken::new();
    let leaves = gone.clone().drop_guard();
    (Arc::new(Until { deadline, gone, opened: Arc::default() }), leaves)
}

impl<S> Lane<S> {
    fn asked(&self) -> Option<(Instant, Duration)> {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn overdue(&self) -> bool {
        self.asked().is_some_and(|(at, limit)| at.elapsed() > limit)
    }

    fn busy(&self) -> Error {
        let since = self.asked().map_or(0, |(at, _)| at.elapsed().as_secs());
        let words = format!(
            "The server has not answered what fluxdb asked it {since} s ago. It is asked nothing more until it does, or the connection ends."
        );
        Error::new(ErrorKind::Timeout, "server_busy", words)
    }
}

impl<S> Place<S> {
    fn take(lane: Arc<Lane<S>>, kept: OwnedMutexGuard<S>, limit: Duration) -> Self {
        *lane.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), limit));
        Self { kept, lane }
    }
}

impl<S> Drop for Place<S> {
    fn drop(&mut self) {
        *self.lane.asked.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl<S> Deref for Place<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.kept
    }
}

impl<S> DerefMut for Place<S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.kept
    }
}

#[cfg(test)]
mod tests;
