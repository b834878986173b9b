//! Every instance in memory: its record, what was last seen of it, and which operation holds it.
//!
//! The store is the truth for records; this is a copy that is replaced after each commit, so that reading costs no
//! SQL. What was seen lives only here: after a crash everything is `Unknown`, and is looked at before anything is done.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;

use crate::api::{Limits, Network};
use crate::domain::detail::ContainerRun;
use crate::domain::instance::{InstanceRecord, Observed};
use crate::domain::operation::OperationKind;
use crate::domain::{InstanceId, OperationId};

/// Health checks in a row without an answer after which a server counts as down. One alone may be a moment of load.
pub const DOWN_AFTER: u32 = 3;

/// One instance in memory.
#[derive(Debug)]
pub struct Entry {
    /// As it was last committed.
    pub record: Arc<InstanceRecord>,
    /// As it was last seen.
    pub observed: Observed,
    /// The run of its container in which an authenticated query was last answered.
    pub answered: Option<ContainerRun>,
    /// Health checks in a row that were not answered since.
    pub missed: u32,
    /// Why the last of them was not.
    pub complaint: Option<String>,
    /// As last attested.
    pub limits: Limits,
    /// As last settled and read back.
    pub network: Network,
    /// The open operation.
    pub operation: Option<(OperationId, OperationKind)>,
    /// The JSON that readers get, until something changes.
    json: Mutex<Option<Bytes>>,
}

impl Entry {
    /// An instance of which nothing was seen yet.
    pub fn new(record: Arc<InstanceRecord>) -> Self {
        Self {
            record,
            observed: Observed::Unknown,
            answered: None,
            missed: 0,
            complaint: None,
            limits: Limits::default(),
            network: Network::default(),
            operation: None,
            json: Mutex::new(None),
        }
    }

    /// The JSON that readers get; made by `make` when something changed since the last time.
    pub fn json(&self, make: impl FnOnce(&Entry) -> Bytes) -> Bytes {
        let mut json = self.json.lock().unwrap_or_else(PoisonError::into_inner);
        json.get_or_insert_with(|| make(self)).clone()
    }
}

/// The instances.
#[derive(Default)]
pub struct Registry {
    entries: RwLock<BTreeMap<InstanceId, Entry>>,
}

impl Registry {
    /// Takes over a record that was just committed.
    pub fn put(&self, record: InstanceRecord) -> Arc<InstanceRecord> {
        let record = Arc::new(record);
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        match entries.get_mut(&record.id) {
            // Two commits may be announced in either order; the newer one stays.
            Some(entry) if entry.record.row_version > record.row_version => return entry.record.clone(),
            Some(entry) => {
                entry.record = record.clone();
                entry.json = Mutex::new(None);
            }
            None => {
                entries.insert(record.id, Entry::new(record.clone()));
            }
        }
        record
    }

    /// Forgets an instance whose row is gone.
    pub fn remove(&self, id: InstanceId) {
        self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Changes what is known besides the record. Answers false when there is no such instance.
    pub fn update(&self, id: InstanceId, change: impl FnOnce(&mut Entry)) -> bool {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = entries.get_mut(&id) else { return false };
        change(entry);
        entry.json = Mutex::new(None);
        true
    }

    /// Drops every cached JSON, because something that all of them show has changed (the host, the day).
    pub fn invalidate(&self) {
        for entry in self.entries.write().unwrap_or_else(PoisonError::into_inner).values_mut() {
            entry.json = Mutex::new(None);
        }
    }

    /// Looks at one instance.
    pub fn with<T>(&self, id: InstanceId, look: impl FnOnce(&Entry) -> T) -> Option<T> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(&id).map(look)
    }

    /// Looks at all, oldest first.
    pub fn with_all<T>(&self, look: impl FnOnce(&mut dyn Iterator<Item = &Entry>) -> T) -> T {
        look(&mut self.entries.read().unwrap_or_else(PoisonError::into_inner).values())
    }

    /// The record.
    pub fn record(&self, id: InstanceId) -> Option<Arc<InstanceRecord>> {
        self.with(id, |e| e.record.clone())
    }

    /// What was last seen; `Unknown` for what is not here.
    pub fn observed(&self, id: InstanceId) -> Observed {
        self.with(id, |e| e.observed.clone()).unwrap_or(Observed::Unknown)
    }

    /// Notes what was seen; keeps the cached JSON when nothing is new.
    pub fn see(&self, id: InstanceId, seen: Observed) {
        if self.observed(id) != seen {
            self.update(id, |e| e.observed = seen);
        }
    }
}
