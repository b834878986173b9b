//! API tokens as rows.

use rusqlite::{Connection, Row, params};

use super::columns::{Columns, json, time};
use super::taken;
use crate::api::Token;
use crate::domain::error::FieldError;
use crate::domain::{Error, ErrorKind, Result, TokenId};

/// A token with its argon2id hash.
#[derive(Clone)]
pub struct TokenRow {
    /// What users see.
    pub token: Token,
    /// Public part that finds the row.
    pub lookup: String,
    /// argon2id, PHC string.
    pub hash: String,
}

impl std::fmt::Debug for TokenRow {
    /// Without the hash, which has no place in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenRow").field("token", &self.token).finish_non_exhaustive()
    }
}

/// Adds a token. A taken name is `AlreadyExists` (`name_taken`, pointer `/name`).
pub fn insert(db: &Connection, row: &TokenRow) -> Result<()> {
    let t = &row.token;
    db.prepare_cached(
        r#"INSERT INTO "620600_databases_tokens"
             (id, name, lookup, hash, permissions, projects, expires_at, last_used_at, created_at)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"#,
    )?
    .execute(params![
        t.id.to_string(),
        t.name,
        row.lookup,
        row.hash,
        json(&t.permissions)?,
        json(&t.projects)?,
        t.expires_at,
        t.last_used_at,
        t.created_at
    ])
    .map_err(|e| match taken(&e, "name") {
        false => e.into(),
        true => {
            let text = format!("There is already a token named {}; choose another name or delete that one.", t.name);
            let mut error = Error::new(ErrorKind::AlreadyExists, "name_taken", text);
            error.fields.push(FieldError { pointer: "/name".to_owned(), detail: "is taken".to_owned() });
            error
        }
    })?;
    Ok(())
}

/// By its public part.
pub fn find(db: &Connection, lookup: &str) -> Result<Option<TokenRow>> {
    db.prepare_cached(r#"SELECT * FROM "620600_databases_tokens" WHERE lookup = ?1"#)?
        .query_and_then([lookup], |row| {
            let c = Columns::new(TABLE, row);
            Ok(TokenRow { token: token(row)?, lookup: c.get("lookup")?, hash: c.get("hash")? })
        })?
        .next()
        .transpose()
}

/// All, oldest first.
pub fn all(db: &Connection) -> Result<Vec<Token>> {
    db.prepare_cached(r#"SELECT * FROM "620600_databases_tokens" ORDER BY id"#)?.query_and_then([], token)?.collect()
}

/// Removes one; answers whether it was there.
pub fn delete(db: &Connection, id: TokenId) -> Result<bool> {
    let removed =
        db.prepare_cached(r#"DELETE FROM "620600_databases_tokens" WHERE id = ?1"#)?.execute([id.to_string()])?;
    Ok(removed == 1)
}

/// Notes the use. A token that is gone is fine.
pub fn touch(db: &Connection, id: TokenId, at: jiff::Timestamp) -> Result<()> {
    db.prepare_cached(r#"UPDATE "620600_databases_tokens" SET last_used_at = ?2 WHERE id = ?1"#)?
        .execute([id.to_string(), time(at)])?;
    Ok(())
}

const TABLE: &str = "620600_databases_tokens";

fn token(row: &Row<'_>) -> Result<Token> {
    let c = Columns::new(TABLE, row);
    Ok(Token {
        id: c.parse("id")?,
        name: c.get("name")?,
        permissions: c.json("permissions")?,
        projects: c.json("projects")?,
        expires_at: c.get("expires_at")?,
        last_used_at: c.get("last_used_at")?,
        created_at: c.get("created_at")?,
    })
}
