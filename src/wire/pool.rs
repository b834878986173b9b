//! Connections that are kept between two polls: one for each endpoint and account.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Target;
use super::session::Session;

/// A connection that was not used for so long is dropped; polls come every 10 s.
const KEEP: Duration = Duration::from_secs(60);

/// Host, port, account, database, whether it is encrypted.
type Key = (String, u16, String, Option<String>, bool);

struct Kept {
    session: Box<dyn Session>,
    /// A session made with another password proves nothing about this one.
    password: fluxdb_adapters::Secret,
    since: Instant,
}

/// The kept connections.
#[derive(Default)]
pub(super) struct Pool {
    kept: Mutex<HashMap<Key, Kept>>,
}

impl Pool {
    /// The connection kept for this target, which is the caller's until it is put back.
    pub(super) fn take(&self, to: &Target) -> Option<Box<dyn Session>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.remove(&key(to))?;
        (found.password == to.account.password && found.since.elapsed() < KEEP).then_some(found.session)
    }

    /// Keeps a connection for the next poll, and drops those that nobody asked for again.
    pub(super) fn put(&self, to: &Target, session: Box<dyn Session>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, k| k.since.elapsed() < KEEP);
        let entry = Kept { session, password: to.account.password.clone(), since: Instant::now() };
        kept.insert(key(to), entry);
    }
}

fn key(to: &Target) -> Key {
    (to.host.clone(), to.port, to.account.username.clone(), to.database.clone(), to.tls.is_some())
}
