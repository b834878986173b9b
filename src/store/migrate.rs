//! The schema, one numbered step after the other, each with its way back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::open;
use crate::domain::{Error, ErrorKind, Result};

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// From 1, without gaps; kept in `PRAGMA user_version`.
    pub number: u32,
    /// For people.
    pub name: &'static str,
    /// SQL that goes forward.
    pub up: &'static str,
    /// SQL that goes back.
    pub down: &'static str,
}

/// Every step that this binary knows, first to last.
pub static MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "foundation",
        up: include_str!("../../migrations/001_foundation.sql"),
        down: include_str!("../../migrations/001_foundation.down.sql"),
    },
    Migration {
        number: 2,
        name: "engines",
        up: include_str!("../../migrations/002_engines.sql"),
        down: include_str!("../../migrations/002_engines.down.sql"),
    },
    Migration {
        number: 3,
        name: "egress",
        up: include_str!("../../migrations/003_egress.sql"),
        down: include_str!("../../migrations/003_egress.down.sql"),
    },
];

/// How many copies are kept.
const COPIES: usize = 3;

/// The last step that this binary knows.
pub fn newest() -> u32 {
    MIGRATIONS.last().map_or(0, |m| m.number)
}

/// Carries out what is missing, each step in a transaction of its own. An existing file is copied first.
pub(super) fn up(db: &mut Connection, path: &Path, existed: bool, migrations: &[Migration]) -> Result<()> {
    let at = version(db)?;
    let newest = migrations.last().map_or(0, |m| m.number);
    if at > newest {
        return Err(newer(path, at, newest));
    }
    let missing: Vec<&Migration> = migrations.iter().filter(|m| m.number > at).collect();
    if let (Some(first), true) = (missing.first(), existed) {
        copy(db, path, first.number)?;
    }
    for migration in missing {
        step(db, migration.up, migration.number).map_err(|e| failed(path, migration, "applied", existed, e))?;
        tracing::info!(migration = migration.number, name = migration.name, "schema brought forward");
    }
    Ok(())
}

/// Takes the schema of a file that no daemon uses back to this number; 0 removes every table. A copy is made first.
///
/// # Errors
/// `Internal` as [`super::Store::open`]; `Invalid` for a number that is ahead of the file.
pub fn migrate_down(path: &Path, to: u32) -> Result<()> {
    let mut db = open::writer(path).map_err(|e| open::explain(path, e))?;
    let at = version(&db)?;
    if at > newest() {
        return Err(newer(path, at, newest()));
    }
    if to > at {
        return Err(Error::invalid("/to", format!("the schema is at {at}, which is before {to}")));
    }
    copy(&db, path, at)?;
    for migration in MIGRATIONS.iter().rev().filter(|m| m.number > to && m.number <= at) {
        step(&mut db, migration.down, migration.number - 1)
            .map_err(|e| failed(path, migration, "taken back", true, e))?;
    }
    Ok(())
}

/// Schema number of a connection's file.
fn version(db: &Connection) -> Result<u32> {
    Ok(db.pragma_query_value(None, "user_version", |r| r.get(0))?)
}

/// SQL and number together or not at all: `user_version` takes part in the transaction.
fn step(db: &mut Connection, sql: &str, number: u32) -> rusqlite::Result<()> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(sql)?;
    tx.pragma_update(None, "user_version", number)?;
    tx.commit()
}

/// A consistent copy of the live file, as it is before step `number`; only the newest few are kept.
fn copy(db: &Connection, path: &Path, number: u32) -> Result<()> {
    let target = suffixed(path, number);
    let partial = path.with_extension("before-partial");
    let make = || -> Result<()> {
        if partial.exists() {
            std::fs::remove_file(&partial).map_err(Error::internal)?;
        }
        open::private_file(&partial).map_err(Error::internal)?;
        let mut into = Connection::open_with_flags(&partial, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        Backup::new(db, &mut into)?.run_to_completion(1024, Duration::ZERO, None)?;
        into.pragma_update(None, "journal_mode", "DELETE")?;
        into.close().map_err(|(_, e)| e)?;
        std::fs::File::open(&partial).and_then(|f| f.sync_all()).map_err(Error::internal)?;
        std::fs::rename(&partial, &target).map_err(Error::internal)
    };
    make().map_err(|e| {
        Error::new(
            ErrorKind::Internal,
            "store_migration",
            format!(
                "The state could not be copied to {} before its schema is changed, so nothing was changed; free some \
                 disk space and start again.",
                target.display()
            ),
        )
        .caused_by(e)
    })?;
    let copies = copies(path);
    for (_, old) in copies.iter().rev().skip(COPIES) {
        if let Err(e) = std::fs::remove_file(old) {
            tracing::warn!(path = %old.display(), error = %e, "could not remove an old copy of the state");
        }
    }
    Ok(())
}

/// The newest copy beside the file.
pub(super) fn latest_copy(path: &Path) -> Option<PathBuf> {
    copies(path).pop().map(|(_, p)| p)
}

/// Copies beside the file, oldest first.
fn copies(path: &Path) -> Vec<(u32, PathBuf)> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str())) else {
        return Vec::new();
    };
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let prefix = format!("{name}.before-");
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix(&prefix)?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    found.sort();
    found
}

fn suffixed(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".before-{number:03}"));
    PathBuf::from(name)
}

fn newer(path: &Path, at: u32, newest: u32) -> Error {
    Error::new(
        ErrorKind::Internal,
        "store_newer",
        format!(
            "The state file {} has schema {at}, but this fluxdb knows schemas up to {newest} only; start the newer fluxdb \
             that wrote it, or put an older copy ({}) in its place.",
            path.display(),
            latest_copy(path).map_or_else(|| "there is none beside it".to_owned(), |p| p.display().to_string())
        ),
    )
}

fn failed(path: &Path, migration: &Migration, done: &str, existed: bool, e: rusqlite::Error) -> Error {
    let copy = match latest_copy(path) {
        Some(copy) if existed => format!(" A copy from before is {}.", copy.display()),
        _ => String::new(),
    };
    Error::new(
        ErrorKind::Internal,
        "store_migration",
        format!(
            "Step {:03} ({}) of the schema could not be {done}; the state is as it was before that step.{copy} Use the \
             fluxdb that worked before, and report this with the daemon's log.",
            migration.number, migration.name
        ),
    )
    .caused_by(e)
}
