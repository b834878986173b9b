//! Operations and their steps as rows: the journal.

use rusqlite::{Connection, Row, named_params, params};

use super::columns::{Columns, integer, json, now, time};
use super::taken;
use crate::domain::instance::StoredError;
use crate::domain::operation::{OperationRecord, OperationState, Progress, StepRecord, StepState};
use crate::domain::{Error, InstanceId, OperationId, Result};

/// Filters for a list; newest first.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this instance.
    pub instance_id: Option<InstanceId>,
    /// In this state.
    pub state: Option<OperationState>,
    /// Visible projects; `None` = all. An operation without a project is visible to all.
    pub projects: Option<Vec<String>>,
    /// Older than this id.
    pub before: Option<OperationId>,
    /// At most so many.
    pub limit: usize,
}

/// Adds an operation. Another open one on the same instance is `Conflict` (`operation_in_progress`), `blocked_by` it,
/// with its kind in the text.
pub fn insert(db: &Connection, record: &OperationRecord) -> Result<()> {
    let inserted = db
        .prepare_cached(
            r#"INSERT INTO "620600_databases_operations" (
                 id, kind, instance_id, project, state, phase, progress_current, progress_max, progress_unit, params,
                 deadline_at, error, created_by, created_at, ended_at)
               VALUES (
                 :id, :kind, :instance_id, :project, :state, :phase, :progress_current, :progress_max, :progress_unit,
                 :params, :deadline_at, :error, :created_by, :created_at, :ended_at)"#,
        )?
        .execute(named_params! {
            ":id": record.id.to_string(),
            ":kind": record.kind.as_str(),
            ":instance_id": record.instance_id.map(|id| id.to_string()),
            ":project": record.project,
            ":state": record.state.as_str(),
            ":phase": record.phase,
            ":progress_current": integer(record.progress.current),
            ":progress_max": integer(record.progress.max),
            ":progress_unit": record.progress.unit,
            ":params": json(&record.params)?,
            ":deadline_at": time(record.deadline_at),
            ":error": record.error.as_ref().map(json).transpose()?,
            ":created_by": record.created_by,
            ":created_at": time(record.created_at),
            ":ended_at": record.ended_at.map(time),
        });
    match (inserted, record.instance_id) {
        (Ok(_), _) => Ok(()),
        (Err(e), Some(instance)) if taken(&e, "instance_id") => {
            ensure_free(db, instance)?;
            Err(e.into())
        }
        (Err(e), _) => Err(e.into()),
    }
}

/// Refuses as [`insert`] would while an operation holds the instance; for changes that need none of their own.
pub fn ensure_free(db: &Connection, instance: InstanceId) -> Result<()> {
    match open_of(db, instance)? {
        None => Ok(()),
        Some(open) => Err(busy(&open)),
    }
}

/// The conflict with this open operation.
pub fn busy(open: &OperationRecord) -> Error {
    let mut error = Error::conflict(
        "operation_in_progress",
        format!(
            "A {} operation holds this instance since {} ({}); wait for it to end, or cancel it where that is possible.",
            open.kind.as_str(),
            format_args!("{:.0}", open.created_at),
            open.state.as_str()
        ),
    )
    .blocked_by(open.id);
    error.retry_after_secs = Some(2);
    error
}

/// One operation.
pub fn find(db: &Connection, id: OperationId) -> Result<Option<OperationRecord>> {
    db.prepare_cached(r#"SELECT * FROM "620600_databases_operations" WHERE id = ?1"#)?
        .query_and_then([id.to_string()], record)?
        .next()
        .transpose()
}

/// The open operation of an instance.
pub fn open_of(db: &Connection, instance: InstanceId) -> Result<Option<OperationRecord>> {
    db.prepare_cached(
        r#"SELECT * FROM "620600_databases_operations"
           WHERE instance_id = ?1 AND state IN ('pending', 'running', 'cancelling')"#,
    )?
    .query_and_then([instance.to_string()], record)?
    .next()
    .transpose()
}

/// Every open operation, oldest first: what a start has to resume.
pub fn open(db: &Connection) -> Result<Vec<OperationRecord>> {
    db.prepare_cached(
        r#"SELECT * FROM "620600_databases_operations"
           WHERE state IN ('pending', 'running', 'cancelling') ORDER BY id"#,
    )?
    .query_and_then([], record)?
    .collect()
}

/// A page of operations.
pub fn list(db: &Connection, filter: &Filter) -> Result<Vec<OperationRecord>> {
    let instance = filter.instance_id.map(|id| id.to_string());
    let state = filter.state.map(OperationState::as_str);
    let projects = filter.projects.as_ref().map(json).transpose()?;
    let before = filter.before.map(|id| id.to_string());
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
    // Two statements, because one that also takes "any instance" could not use the index.
    let sql = if instance.is_some() {
        r#"SELECT * FROM "620600_databases_operations"
           WHERE instance_id = ?1 AND (?2 IS NULL OR state = ?2) AND id < coalesce(?4, 'z')
             AND (?3 IS NULL OR project = '' OR project IN (SELECT value FROM json_each(?3)))
           ORDER BY id DESC LIMIT ?5"#
    } else {
        r#"SELECT * FROM "620600_databases_operations"
           WHERE ?1 IS NULL AND (?2 IS NULL OR state = ?2) AND id < coalesce(?4, 'z')
             AND (?3 IS NULL OR project = '' OR project IN (SELECT value FROM json_each(?3)))
           ORDER BY id DESC LIMIT ?5"#
    };
    db.prepare_cached(sql)?.query_and_then(params![instance, state, projects, before, limit], record)?.collect()
}

/// Steps of an operation, in order.
pub fn steps(db: &Connection, id: OperationId) -> Result<Vec<StepRecord>> {
    db.prepare_cached(
        r#"SELECT ordinal, name, state, started_at, ended_at, detail FROM "620600_databases_steps"
           WHERE operation_id = ?1 ORDER BY ordinal"#,
    )?
    .query_and_then([id.to_string()], step)?
    .collect()
}

/// Begins or repeats a step: state `started`, `ended_at` cleared, also sets the operation's phase to its name, its progress to none and its state to `running` where it was `pending`.
///
/// # Errors
/// `NotFound` for an operation that is gone.
pub fn begin_step(db: &Connection, id: OperationId, ordinal: u32, name: &str) -> Result<()> {
    let touched = db
        .prepare_cached(
            r#"UPDATE "620600_databases_operations"
               SET phase = ?2, progress_current = 0, progress_max = 0, progress_unit = '',
                   state = CASE state WHEN 'pending' THEN 'running' ELSE state END
               WHERE id = ?1"#,
        )?
        .execute(params![id.to_string(), name])?;
    if touched == 0 {
        return Err(Error::not_found("operation"));
    }
    db.prepare_cached(
        r#"INSERT INTO "620600_databases_steps" (operation_id, ordinal, name, state, started_at)
           VALUES (?1, ?2, ?3, 'started', ?4)
           ON CONFLICT (operation_id, ordinal) DO UPDATE
           SET name = excluded.name, state = 'started', started_at = excluded.started_at, ended_at = NULL"#,
    )?
    .execute(params![id.to_string(), ordinal, name, now()])?;
    Ok(())
}

/// Changes a step's state; sets `ended_at` unless the state is `started` or `undoing`. An empty detail keeps the old one.
///
/// # Errors
/// `Internal` for a step that was never begun.
pub fn set_step(db: &Connection, id: OperationId, ordinal: u32, state: StepState, detail: &str) -> Result<()> {
    let ended_at = match state {
        StepState::Started | StepState::Undoing => None,
        StepState::Succeeded | StepState::Failed | StepState::Undone => Some(now()),
    };
    let changed = db
        .prepare_cached(
            r#"UPDATE "620600_databases_steps"
               SET state = ?3, ended_at = coalesce(?4, ended_at), detail = CASE ?5 WHEN '' THEN detail ELSE ?5 END
               WHERE operation_id = ?1 AND ordinal = ?2"#,
        )?
        .execute(params![id.to_string(), ordinal, state.as_str(), ended_at, detail])?;
    if changed == 0 {
        return Err(Error::internal(format!("operation {id} has no step {ordinal}")));
    }
    Ok(())
}

/// Changes phase text and progress. A missing operation is fine.
pub fn set_progress(db: &Connection, id: OperationId, phase: &str, progress: &Progress) -> Result<()> {
    db.prepare_cached(
        r#"UPDATE "620600_databases_operations"
           SET phase = ?2, progress_current = ?3, progress_max = ?4, progress_unit = ?5 WHERE id = ?1"#,
    )?
    .execute(params![id.to_string(), phase, integer(progress.current), integer(progress.max), progress.unit])?;
    Ok(())
}

/// Changes the state; an ended one gets `ended_at`. A state that has ended is never left again (answers false).
/// An error of `None` keeps the one that is there.
pub fn set_state(db: &Connection, id: OperationId, state: OperationState, error: Option<&StoredError>) -> Result<bool> {
    let ended_at = state.ended().then(now);
    let changed = db
        .prepare_cached(
            r#"UPDATE "620600_databases_operations" SET state = ?2, error = coalesce(?3, error), ended_at = ?4
               WHERE id = ?1 AND state NOT IN ('succeeded', 'failed', 'cancelled')"#,
        )?
        .execute(params![id.to_string(), state.as_str(), error.map(json).transpose()?, ended_at])?;
    Ok(changed == 1)
}

/// Removes operations that ended before this time; answers how many.
pub fn prune(db: &Connection, before: jiff::Timestamp) -> Result<usize> {
    Ok(db
        .prepare_cached(r#"DELETE FROM "620600_databases_operations" WHERE ended_at < ?1"#)?
        .execute([time(before)])?)
}

fn record(row: &Row<'_>) -> Result<OperationRecord> {
    let c = Columns::new("620600_databases_operations", row);
    Ok(OperationRecord {
        id: c.parse("id")?,
        kind: c.word("kind")?,
        instance_id: c.parse_opt("instance_id")?,
        project: c.get("project")?,
        state: c.word("state")?,
        phase: c.get("phase")?,
        progress: Progress {
            current: c.count("progress_current")?,
            max: c.count("progress_max")?,
            unit: c.get("progress_unit")?,
        },
        params: c.json("params")?,
        deadline_at: c.parse("deadline_at")?,
        error: c.json_opt("error")?,
        created_by: c.get("created_by")?,
        created_at: c.parse("created_at")?,
        ended_at: c.parse_opt("ended_at")?,
    })
}

fn step(row: &Row<'_>) -> Result<StepRecord> {
    let c = Columns::new("620600_databases_steps", row);
    Ok(StepRecord {
        ordinal: c.get("ordinal")?,
        name: c.get("name")?,
        state: c.word("state")?,
        started_at: c.parse("started_at")?,
        ended_at: c.parse_opt("ended_at")?,
        detail: c.get("detail")?,
    })
}
