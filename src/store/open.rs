//! Whether the file may be used: where it lies, who may read it, whether it is whole and ours.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::migrate::{self, Migration};
use crate::domain::{Error, ErrorKind, Result};

/// Beyond this the quick check has to do: the full one also compares every index entry with its row.
const FULL_CHECK_BYTES: u64 = 64 * 1024 * 1024;
/// Statements that each connection keeps compiled.
const STATEMENTS: usize = 64;

/// The writing connection of a checked and migrated file.
pub(super) fn prepare(path: &Path, migrations: &[Migration]) -> Result<Connection> {
    let existed = make_private(path).map_err(|e| unreachable_file(path, e))?;
    let mut db = writer(path).map_err(|e| explain(path, e))?;
    if existed {
        check(&db, path).map_err(|e| explain(path, e))?;
    }
    migrate::up(&mut db, path, existed, migrations)?;
    Ok(db)
}

/// A connection that writes.
pub(super) fn writer(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(Duration::from_secs(5))?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: what was answered as accepted survives a power failure.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", "ON")?;
    db.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)?;
    db.pragma_update(None, "trusted_schema", "OFF")?;
    Ok(db)
}

/// A connection that only reads.
pub(super) fn reader(path: &Path) -> Result<Connection> {
    let open = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(Duration::from_secs(5))?;
        db.set_prepared_statement_cache_capacity(STATEMENTS);
        db.pragma_update(None, "query_only", "ON")?;
        db.pragma_update(None, "trusted_schema", "OFF")?;
        // KiB; the operating system's cache holds the rest.
        db.pragma_update(None, "cache_size", -1024)?;
        Ok(db)
    };
    open().map_err(|e| explain(path, e))
}

/// Makes directory and file readable for us alone; answers whether the file had anything in it.
fn make_private(path: &Path) -> io::Result<bool> {
    if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let meta = dir.metadata()?;
        let sticky = meta.mode() & 0o1000 != 0; // a shared directory such as /tmp is not ours to close
        if meta.uid() == rustix::process::geteuid().as_raw() && !sticky && meta.mode() & 0o077 != 0 {
            tracing::info!(path = %dir.display(), "closing the data directory to others (mode 0700)");
            std::fs::set_permissions(dir, Permissions::from_mode(0o700))?;
        }
    }
    // SQLite gives its -wal and -shm files the mode of this one.
    Ok(private_file(path)? > 0)
}

/// Makes the file, or takes it as it is, with mode 0600; answers its length.
pub(super) fn private_file(path: &Path) -> io::Result<u64> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    let meta = file.metadata()?;
    if meta.mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(meta.len())
}

/// Reads the whole file; damage is an error of SQLite or lines that are not `ok`.
fn check(db: &Connection, path: &Path) -> rusqlite::Result<()> {
    let large = path.metadata().map_or(0, |m| m.len()) > FULL_CHECK_BYTES;
    let pragma = if large { "PRAGMA quick_check(3)" } else { "PRAGMA integrity_check(3)" };
    let lines: Vec<String> = db.prepare(pragma)?.query_map([], |r| r.get(0))?.collect::<Result<_, _>>()?;
    if lines == ["ok"] {
        return Ok(());
    }
    let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    Err(rusqlite::Error::SqliteFailure(corrupt, Some(lines.join("; "))))
}

/// Damage gets a text that says what to do; the rest passes through.
pub(super) fn explain(path: &Path, e: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode;
    match e.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            let copy = match migrate::latest_copy(path) {
                Some(copy) => format!("or move it away and put the copy {} in its place", copy.display()),
                None => "there is no automatic copy beside it; restore it from your own backup of the data directory"
                    .to_owned(),
            };
            Error::new(
                ErrorKind::Internal,
                "store_corrupt",
                format!(
                    "The state file {} is damaged or not a database, so nothing was started. The instances and their \
                     data are not touched. Try `sqlite3 FILE .recover`, {copy}.",
                    path.display()
                ),
            )
            .caused_by(e)
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => unreachable_file(path, e),
        _ => Error::from(e).context(format!("opening {}", path.display())),
    }
}

fn unreachable_file(path: &Path, e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(
        ErrorKind::Internal,
        "store_unreachable",
        format!(
            "The state file {} cannot be opened for writing; check that its directory belongs to the user that runs \
             fluxdb and that the disk is not read-only.",
            path.display()
        ),
    )
    .caused_by(e)
}
