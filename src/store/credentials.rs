//! Passwords of instances: argon2id hash and ciphertext.
#![allow(unused_variables, clippy::unimplemented)]

use rusqlite::Connection;

use crate::domain::{InstanceId, Result};

/// Whose password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The account that fluxdb itself uses.
    System,
    /// The account of the user that came with the instance.
    User,
}

/// A row.
#[derive(Clone, Debug)]
pub struct CredentialRow {
    /// Account name.
    pub username: String,
    /// argon2id, PHC string.
    pub hash: String,
    /// AES-256-GCM under the master key.
    pub ciphertext: Vec<u8>,
}

/// Sets the password of an account.
pub fn put(db: &Connection, instance: InstanceId, role: Role, row: &CredentialRow) -> Result<()> {
    unimplemented!()
}

/// The password of an account.
pub fn find(db: &Connection, instance: InstanceId, role: Role, username: &str) -> Result<Option<CredentialRow>> {
    unimplemented!()
}
