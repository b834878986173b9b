//! Single values.

use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::Result;

/// Installation id: 8 hexadecimal characters, in the names and labels of all that this installation makes.
pub const INSTALLATION: &str = "installation";
/// `true` or `false`: whether the module is enabled in Flux.
pub const ENABLED: &str = "enabled";
/// A known text under the master key, hexadecimal: tells at start whether the key is the right one.
pub const MASTER_KEY_CHECK: &str = "master_key_check";

/// A value.
pub fn get(db: &Connection, key: &str) -> Result<Option<String>> {
    let mut statement = db.prepare_cached(r#"SELECT value FROM "620600_databases_meta" WHERE key = ?1"#)?;
    Ok(statement.query_row([key], |r| r.get(0)).optional()?)
}

/// Sets a value.
pub fn set(db: &Connection, key: &str, value: &str) -> Result<()> {
    db.prepare_cached(
        r#"INSERT INTO "620600_databases_meta" (key, value) VALUES (?1, ?2)
           ON CONFLICT (key) DO UPDATE SET value = excluded.value"#,
    )?
    .execute(params![key, value])?;
    Ok(())
}
