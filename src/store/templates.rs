//! Initialised data directories that are kept for quick creation.

use rusqlite::{Connection, Row, params};

use super::columns::{Columns, now};
use crate::domain::Result;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateRow {
    /// Name of its volume.
    pub id: String,
    /// Engine id.
    pub engine: String,
    /// Version id.
    pub version: String,
    /// Image that initialised it.
    pub image_digest: String,
    /// Whether it was finished and cleanly stopped.
    pub ready: bool,
    /// Its system password under the master key.
    pub ciphertext: Vec<u8>,
}

/// Adds or replaces a template: the one with this id, and any other of the same engine, version and image.
pub fn put(db: &Connection, row: &TemplateRow) -> Result<()> {
    db.prepare_cached(
        r#"INSERT OR REPLACE INTO "620600_databases_templates"
             (id, engine, version, image_digest, ready, ciphertext, created_at)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"#,
    )?
    .execute(params![row.id, row.engine, row.version, row.image_digest, row.ready, row.ciphertext, now()])?;
    Ok(())
}

/// By engine, version and image.
pub fn find(db: &Connection, engine: &str, version: &str, image_digest: &str) -> Result<Option<TemplateRow>> {
    db.prepare_cached(
        r#"SELECT * FROM "620600_databases_templates" WHERE engine = ?1 AND version = ?2 AND image_digest = ?3"#,
    )?
    .query_and_then([engine, version, image_digest], template)?
    .next()
    .transpose()
}

/// By the name of its volume.
pub fn get(db: &Connection, id: &str) -> Result<Option<TemplateRow>> {
    db.prepare_cached(r#"SELECT * FROM "620600_databases_templates" WHERE id = ?1"#)?
        .query_and_then([id], template)?
        .next()
        .transpose()
}

/// All.
pub fn all(db: &Connection) -> Result<Vec<TemplateRow>> {
    db.prepare_cached(r#"SELECT * FROM "620600_databases_templates" ORDER BY engine, version, id"#)?
        .query_and_then([], template)?
        .collect()
}

/// Removes one. A missing one is fine.
pub fn delete(db: &Connection, id: &str) -> Result<()> {
    db.prepare_cached(r#"DELETE FROM "620600_databases_templates" WHERE id = ?1"#)?.execute([id])?;
    Ok(())
}

fn template(row: &Row<'_>) -> Result<TemplateRow> {
    let c = Columns::new("620600_databases_templates", row);
    Ok(TemplateRow {
        id: c.get("id")?,
        engine: c.get("engine")?,
        version: c.get("version")?,
        image_digest: c.get("image_digest")?,
        ready: c.get("ready")?,
        ciphertext: c.get("ciphertext")?,
    })
}
