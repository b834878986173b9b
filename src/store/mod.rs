//! State in SQLite: the only user of rusqlite. One thread writes, a few read; WAL, foreign keys on.
#![allow(unused_variables, clippy::unimplemented)]

use std::path::Path;

use rusqlite::{Connection, Transaction};

use crate::domain::Result;

pub mod audit;
pub mod credentials;
pub mod idempotency;
pub mod instances;
pub mod meta;
pub mod operations;
pub mod templates;
pub mod tokens;

/// The open database. Cheap to clone.
#[derive(Clone)]
pub struct Store {}

impl Store {
    /// Opens or makes the database: integrity check, a copy of the file before any migration, migrations up.
    ///
    /// # Errors
    /// `Internal` (`store_corrupt`, `store_newer`, ...) with what to do.
    pub fn open(path: &Path, readers: usize) -> Result<Self> {
        unimplemented!()
    }

    /// Runs `f` in one IMMEDIATE transaction on the writing thread; committed when it answers `Ok`, else rolled back.
    ///
    /// # Errors
    /// What `f` says; `Internal` from SQLite.
    pub async fn write<T, F>(&self, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    {
        unimplemented!()
    }

    /// Runs `f` on a reading connection.
    ///
    /// # Errors
    /// What `f` says; `Internal` from SQLite.
    pub async fn read<T, F>(&self, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        unimplemented!()
    }
}
