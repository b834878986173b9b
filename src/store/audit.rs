//! Who did what: one row in the same transaction as each change.

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::columns::{Columns, json, time};
use crate::api::AuditEntry;
use crate::domain::{InstanceId, Result};

/// Adds a line; `id` is ignored. Project for visibility, empty for none.
pub fn append(db: &Connection, project: &str, entry: &AuditEntry) -> Result<()> {
    db.prepare_cached(
        r#"INSERT INTO "620600_databases_audit"
             (at, actor, token_id, ip, user_agent, route, project, instance_id, operation_id, params, result)
           VALUES (:at, :actor, :token_id, :ip, :user_agent, :route, :project, :instance_id, :operation_id, :params,
             :result)"#,
    )?
    .execute(named_params! {
        ":at": entry.at,
        ":actor": entry.actor,
        ":token_id": entry.token_id.map(|id| id.to_string()),
        ":ip": entry.ip,
        ":user_agent": entry.user_agent,
        ":route": entry.route,
        ":project": project,
        ":instance_id": entry.instance_id.map(|id| id.to_string()),
        ":operation_id": entry.operation_id.map(|id| id.to_string()),
        ":params": json(&entry.params)?,
        ":result": entry.result,
    })?;
    Ok(())
}

/// Newest first, older than `before`, visible projects (`None` = all). A line without a project is visible only to
/// those who see all.
pub fn list(
    db: &Connection,
    instance: Option<InstanceId>,
    projects: Option<&[String]>,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<AuditEntry>> {
    let instance = instance.map(|id| id.to_string());
    let projects = projects.map(|p| json(&p)).transpose()?;
    let before = before.unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    // Two statements, because one that also takes "any instance" could not use the index.
    let sql = if instance.is_some() {
        r#"SELECT * FROM "620600_databases_audit"
           WHERE instance_id = ?1 AND id < ?3
             AND (?2 IS NULL OR project IN (SELECT value FROM json_each(?2))) ORDER BY id DESC LIMIT ?4"#
    } else {
        r#"SELECT * FROM "620600_databases_audit"
           WHERE ?1 IS NULL AND id < ?3
             AND (?2 IS NULL OR project IN (SELECT value FROM json_each(?2))) ORDER BY id DESC LIMIT ?4"#
    };
    db.prepare_cached(sql)?.query_and_then(params![instance, projects, before, limit], entry)?.collect()
}

/// Lines that are removed in one transaction: others wait for its end before they write.
pub const BATCH: usize = 1000;

/// Removes the oldest lines from before this time, at most [`BATCH`]; answers how many. Lines are written in the order of time,
/// so that only so many have to be looked at.
pub fn prune(db: &Connection, before: jiff::Timestamp) -> Result<usize> {
    let sql = r#"DELETE FROM "620600_databases_audit"
        WHERE at < ?1 AND id IN (SELECT id FROM "620600_databases_audit" ORDER BY id LIMIT ?2)"#;
    Ok(db.prepare_cached(sql)?.execute(params![time(before), i64::try_from(BATCH).unwrap_or(i64::MAX)])?)
}

/// When the oldest line was written.
pub fn oldest(db: &Connection) -> Result<Option<String>> {
    let sql = r#"SELECT at FROM "620600_databases_audit" ORDER BY id LIMIT 1"#;
    Ok(db.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?)
}

fn entry(row: &Row<'_>) -> Result<AuditEntry> {
    let c = Columns::new("620600_databases_audit", row);
    Ok(AuditEntry {
        id: c.get("id")?,
        at: c.get("at")?,
        actor: c.get("actor")?,
        token_id: c.parse_opt("token_id")?,
        ip: c.get("ip")?,
        user_agent: c.get("user_agent")?,
        route: c.get("route")?,
        instance_id: c.parse_opt("instance_id")?,
        operation_id: c.parse_opt("operation_id")?,
        params: c.json("params")?,
        result: c.get("result")?,
    })
}
