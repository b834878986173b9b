//! Initialised data directories that are kept for quick creation.
#![allow(unused_variables, clippy::unimplemented)]

use rusqlite::Connection;

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

/// Adds or replaces a template.
pub fn put(db: &Connection, row: &TemplateRow) -> Result<()> {
    unimplemented!()
}

/// By engine, version and image.
pub fn find(db: &Connection, engine: &str, version: &str, image_digest: &str) -> Result<Option<TemplateRow>> {
    unimplemented!()
}

/// By the name of its volume.
pub fn get(db: &Connection, id: &str) -> Result<Option<TemplateRow>> {
    unimplemented!()
}

/// All.
pub fn all(db: &Connection) -> Result<Vec<TemplateRow>> {
    unimplemented!()
}

/// Removes one. A missing one is fine.
pub fn delete(db: &Connection, id: &str) -> Result<()> {
    unimplemented!()
}
