//! First answers by `Idempotency-Key`.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Row, params};

use super::columns::{Columns, now, time};
use super::taken;
use crate::domain::{Error, OperationId, Result};

/// How long an answer is kept.
pub const KEEP: SignedDuration = SignedDuration::from_hours(24);

/// A kept answer, or the promise of one.
#[derive(Clone, Debug)]
pub struct IdempotencyRow {
    /// Who.
    pub actor: String,
    /// The client's key.
    pub key: String,
    /// Method and path.
    pub route: String,
    /// SHA-256 of the body, hexadecimal.
    pub body_sha256: String,
    /// The operation that came of it.
    pub operation_id: Option<OperationId>,
    /// Status of the answer, once known.
    pub status: Option<u16>,
    /// Body of the answer under the master key, once known.
    pub ciphertext: Option<Vec<u8>>,
}

/// Reserves a key, in the transaction of the change. A taken one is `Conflict` (`idempotency_key_in_use`).
pub fn reserve(db: &Connection, row: &IdempotencyRow) -> Result<()> {
    db.prepare_cached(
        r#"DELETE FROM "620600_databases_idempotency" WHERE actor = ?1 AND key = ?2 AND created_at < ?3"#,
    )?
    .execute(params![row.actor, row.key, oldest()])?;
    let inserted = db
        .prepare_cached(
            r#"INSERT INTO "620600_databases_idempotency"
             (actor, key, route, body_sha256, operation_id, status, ciphertext, created_at)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"#,
        )?
        .execute(params![
            row.actor,
            row.key,
            row.route,
            row.body_sha256,
            row.operation_id.map(|id| id.to_string()),
            row.status,
            row.ciphertext,
            now()
        ]);
    match inserted {
        Ok(_) => Ok(()),
        Err(e) if taken(&e, "key") => Err(in_use(find(db, &row.actor, &row.key)?.and_then(|first| first.operation_id))),
        Err(e) => Err(e.into()),
    }
}

/// The conflict with a first request that has no answer yet.
pub fn in_use(operation: Option<OperationId>) -> Error {
    let error = Error::conflict(
        "idempotency_key_in_use",
        "A request with this Idempotency-Key was accepted, and its answer is not known (yet): follow its operation, or \
         ask again in a moment.",
    );
    match operation {
        Some(id) => error.blocked_by(id),
        None => error,
    }
}

/// Keeps the answer. Without a reservation there is nothing to keep, which is fine.
pub fn complete(db: &Connection, actor: &str, key: &str, status: u16, ciphertext: &[u8]) -> Result<()> {
    db.prepare_cached(
        r#"UPDATE "620600_databases_idempotency" SET status = ?3, ciphertext = ?4
           WHERE actor = ?1 AND key = ?2 AND status IS NULL"#,
    )?
    .execute(params![actor, key, status, ciphertext])?;
    Ok(())
}

/// What is kept under a key (not older than 24 hours).
pub fn find(db: &Connection, actor: &str, key: &str) -> Result<Option<IdempotencyRow>> {
    db.prepare_cached(
        r#"SELECT * FROM "620600_databases_idempotency" WHERE actor = ?1 AND key = ?2 AND created_at >= ?3"#,
    )?
    .query_and_then(params![actor, key, oldest()], kept)?
    .next()
    .transpose()
}

/// Removes what is older than 24 hours.
pub fn prune(db: &Connection) -> Result<usize> {
    Ok(db.prepare_cached(r#"DELETE FROM "620600_databases_idempotency" WHERE created_at < ?1"#)?.execute([oldest()])?)
}

fn oldest() -> String {
    time(Timestamp::now() - KEEP)
}

fn kept(row: &Row<'_>) -> Result<IdempotencyRow> {
    let c = Columns::new("620600_databases_idempotency", row);
    Ok(IdempotencyRow {
        actor: c.get("actor")?,
        key: c.get("key")?,
        route: c.get("route")?,
        body_sha256: c.get("body_sha256")?,
        operation_id: c.parse_opt("operation_id")?,
        status: c.get("status")?,
        ciphertext: c.get("ciphertext")?,
    })
}
