//! Passwords of instances: argon2id hash and ciphertext.

use rusqlite::{Connection, Row, params};

use super::columns::{Columns, now};
use crate::domain::{InstanceId, Result};

/// Whose password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The account that fluxdb itself uses.
    System,
    /// The account of the user that came with the instance.
    User,
}

impl Role {
    /// As it is spelled in SQL and in the context of the ciphertext.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
        }
    }
}

/// A row.
#[derive(Clone)]
pub struct CredentialRow {
    /// Account name.
    pub username: String,
    /// argon2id, PHC string.
    pub hash: String,
    /// AES-256-GCM under the master key.
    pub ciphertext: Vec<u8>,
}

impl std::fmt::Debug for CredentialRow {
    /// The account only: hash and ciphertext have no place in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialRow").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Sets the password of an account; the second time it replaces it and counts the revision up.
pub fn put(db: &Connection, instance: InstanceId, role: Role, row: &CredentialRow) -> Result<()> {
    db.prepare_cached(
        r#"INSERT INTO "620600_databases_credentials" (instance_id, role, username, hash, ciphertext, created_at)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6)
           ON CONFLICT (instance_id, role, username) DO UPDATE
           SET hash = excluded.hash, ciphertext = excluded.ciphertext, revision = revision + 1,
               created_at = excluded.created_at"#,
    )?
    .execute(params![instance.to_string(), role.as_str(), row.username, row.hash, row.ciphertext, now()])?;
    Ok(())
}

/// The password of an account.
pub fn find(db: &Connection, instance: InstanceId, role: Role, username: &str) -> Result<Option<CredentialRow>> {
    db.prepare_cached(
        r#"SELECT username, hash, ciphertext FROM "620600_databases_credentials"
           WHERE instance_id = ?1 AND role = ?2 AND username = ?3"#,
    )?
    .query_and_then(params![instance.to_string(), role.as_str(), username], credential)?
    .next()
    .transpose()
}

fn credential(row: &Row<'_>) -> Result<CredentialRow> {
    let c = Columns::new("620600_databases_credentials", row);
    Ok(CredentialRow { username: c.get("username")?, hash: c.get("hash")?, ciphertext: c.get("ciphertext")? })
}
