//! API tokens as rows.
#![allow(unused_variables, clippy::unimplemented)]

use rusqlite::Connection;

use crate::api::Token;
use crate::domain::{Result, TokenId};

/// A token with its argon2id hash.
#[derive(Clone, Debug)]
pub struct TokenRow {
    /// What users see.
    pub token: Token,
    /// Public part that finds the row.
    pub lookup: String,
    /// argon2id, PHC string.
    pub hash: String,
}

/// Adds a token. A taken name is `AlreadyExists` (`name_taken`).
pub fn insert(db: &Connection, row: &TokenRow) -> Result<()> {
    unimplemented!()
}

/// By its public part.
pub fn find(db: &Connection, lookup: &str) -> Result<Option<TokenRow>> {
    unimplemented!()
}

/// All, oldest first.
pub fn all(db: &Connection) -> Result<Vec<Token>> {
    unimplemented!()
}

/// Removes one; answers whether it was there.
pub fn delete(db: &Connection, id: TokenId) -> Result<bool> {
    unimplemented!()
}

/// Notes the use.
pub fn touch(db: &Connection, id: TokenId, at: jiff::Timestamp) -> Result<()> {
    unimplemented!()
}
