//! First answers by `Idempotency-Key`.
#![allow(unused_variables, clippy::unimplemented)]

use rusqlite::Connection;

use crate::domain::{OperationId, Result};

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
    unimplemented!()
}

/// Keeps the answer.
pub fn complete(db: &Connection, actor: &str, key: &str, status: u16, ciphertext: &[u8]) -> Result<()> {
    unimplemented!()
}

/// What is kept under a key (not older than 24 hours).
pub fn find(db: &Connection, actor: &str, key: &str) -> Result<Option<IdempotencyRow>> {
    unimplemented!()
}

/// Removes what is older than 24 hours.
pub fn prune(db: &Connection) -> Result<usize> {
    unimplemented!()
}
