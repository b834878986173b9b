//! State in SQLite: the only user of rusqlite. One thread writes, a few read; WAL, foreign keys on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use rusqlite::{Connection, Transaction};

use crate::domain::{Error, ErrorKind, Result};

pub mod audit;
mod columns;
pub mod credentials;
pub mod idempotency;
pub mod instances;
pub mod lock;
pub mod meta;
pub mod migrate;
mod open;
pub mod operations;
pub mod templates;
mod threads;
pub mod tokens;

use threads::Lane;

/// The open database. Cheap to clone; the last clone closes it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    writer: Lane,
    readers: Lane,
}

impl Store {
    /// Opens or makes the database: integrity check, a copy of the file before any migration, migrations up.
    ///
    /// The directory becomes 0700, the file 0600. `readers` below 1 counts as 1. Blocks: call it before serving.
    ///
    /// # Errors
    /// `Internal` (`store_corrupt`, `store_newer`, `store_migration`, `store_unreachable`) with what to do.
    pub fn open(path: &Path, readers: usize) -> Result<Self> {
        let writer = open::prepare(path, migrate::MIGRATIONS)?;
        let mut reading = Vec::new();
        for _ in 0..readers.max(1) {
            reading.push(open::reader(path)?);
        }
        Ok(Self {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                writer: Lane::writing(writer)?,
                readers: Lane::reading(reading)?,
            }),
        })
    }

    /// The file of the database.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Runs `f` in one IMMEDIATE transaction on the writing thread; committed when it answers `Ok`, else rolled back.
    ///
    /// Once begun it is carried out to the end, also when the caller goes away. On `Ok` it is on the disk.
    ///
    /// # Errors
    /// What `f` says; `Internal` from SQLite, and when `f` panics (rolled back).
    pub async fn write<T, F>(&self, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    {
        self.inner.writer.run(f).await
    }

    /// As [`Store::write`], but the disk is not waited for: a crash of the daemon loses nothing, a power cut may lose it
    /// together with everything after it, never before. Every later [`Store::write`] puts it on the disk too. For notes
    /// whose loss only means that something is done once more.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn write_soon<T, F>(&self, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    {
        self.inner.writer.run_synced(false, f).await
    }

    /// Runs `f` on a reading connection, in one snapshot.
    ///
    /// # Errors
    /// What `f` says; `Internal` from SQLite, and when `f` panics.
    pub async fn read<T, F>(&self, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.inner.readers.run(move |tx| f(tx)).await
    }
}

impl From<rusqlite::Error> for Error {
    fn from(e: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        // A full disk shows first where the shared index of the log has to grow, and that is an error of its own.
        let index_grows = e.sqlite_error().is_some_and(|e| e.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE);
        let code = e.sqlite_error_code();
        match code {
            Some(ErrorCode::SystemIoFailure) if !index_grows => return Error::internal(e),
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => Error::unavailable(
                "store_full",
                "The disk that holds the state is full; nothing was changed. Free some space and try again.",
            ),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::unavailable(
                "store_busy",
                "The state is locked by another program (a second daemon, a copy tool); nothing was changed. Try again.",
            ),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::new(
                ErrorKind::Internal,
                "store_corrupt",
                "The state is damaged; restart the daemon: it checks the file and says what can be done.",
            ),
            _ => return Error::internal(e),
        }
        .caused_by(e)
    }
}

/// Whether a UNIQUE constraint over this column refused the row.
fn taken(e: &rusqlite::Error, column: &str) -> bool {
    match e {
        rusqlite::Error::SqliteFailure(code, Some(text)) => {
            matches!(
                code.extended_code,
                rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            ) && text.split([' ', ',']).any(|name| name.rsplit('.').next() == Some(column))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
