//! Who did what: one row in the same transaction as each change.
#![allow(unused_variables, clippy::unimplemented)]

use rusqlite::Connection;

use crate::api::AuditEntry;
use crate::domain::{InstanceId, Result};

/// Adds a line; `id` is ignored. Project for visibility, empty for none.
pub fn append(db: &Connection, project: &str, entry: &AuditEntry) -> Result<()> {
    unimplemented!()
}

/// Newest first, older than `before`, visible projects (`None` = all).
pub fn list(
    db: &Connection,
    instance: Option<InstanceId>,
    projects: Option<&[String]>,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<AuditEntry>> {
    unimplemented!()
}
