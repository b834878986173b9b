//! Instances as rows.

use std::collections::BTreeSet;

use rusqlite::{Connection, Row, named_params};

use super::columns::{Columns, integer, json, time};
use super::taken;
use crate::domain::instance::{Desired, Grant, InstanceRecord};
use crate::domain::{Error, ErrorKind, InstanceId, Result, error::FieldError};

/// Adds an instance. A taken name is `AlreadyExists` (`name_taken`, pointer `/name`); a taken port is `Conflict` (`port_taken`, pointer `/port`).
pub fn insert(db: &Connection, record: &InstanceRecord) -> Result<()> {
    db.prepare_cached(
        r#"INSERT INTO "620600_databases_instances" (
             id, name, engine, version, project, region, sku, vcpu, memory_mib, storage_gib, image_reference,
             image_digest, desired, revision, restart_revision, username, database_name, host_ip, port, more_ports,
             settings, seeded_from, initialized_at, deletion_protection, egress, labels, last_error, row_version,
             created_at, updated_at)
           VALUES (
             :id, :name, :engine, :version, :project, :region, :sku, :vcpu, :memory_mib, :storage_gib, :image_reference,
             :image_digest, :desired, :revision, :restart_revision, :username, :database_name, :host_ip, :port,
             :more_ports, :settings, :seeded_from, :initialized_at, :deletion_protection, :egress, :labels, :last_error,
             :row_version, :created_at, :updated_at)"#,
    )?
    .execute(named_params! {
        ":id": record.id.to_string(),
        ":name": record.name,
        ":engine": record.engine,
        ":version": record.version,
        ":project": record.project,
        ":region": record.region,
        ":sku": record.sku,
        ":vcpu": record.size.vcpu,
        ":memory_mib": record.size.memory_mib,
        ":storage_gib": record.size.storage_gib,
        ":image_reference": record.image_reference,
        ":image_digest": record.image_digest,
        ":desired": desired(record.desired),
        ":revision": record.revision,
        ":restart_revision": record.restart_revision,
        ":username": record.username,
        ":database_name": record.database,
        ":host_ip": record.host_ip,
        ":port": record.port,
        ":more_ports": json(&record.more_ports)?,
        ":settings": json(&record.settings)?,
        ":seeded_from": record.seeded_from,
        ":initialized_at": record.initialized_at.map(time),
        ":deletion_protection": record.deletion_protection,
        ":egress": record.egress,
        ":labels": json(&record.labels)?,
        ":last_error": record.last_error.as_ref().map(json).transpose()?,
        ":row_version": integer(record.row_version),
        ":created_at": time(record.created_at),
        ":updated_at": time(record.updated_at),
    })
    .map_err(|e| refused(e, record))?;
    Ok(())
}

/// Writes every column back where `row_version` still is `record.row_version`; sets `row_version + 1` and `updated_at` in row and record.
/// Another version is `Conflict` (`concurrent_change`), a row that is gone `NotFound`; name and port as [`insert`].
pub fn update(db: &Connection, record: &mut InstanceRecord) -> Result<()> {
    let updated_at = jiff::Timestamp::now();
    let changed = db
        .prepare_cached(
            r#"UPDATE "620600_databases_instances" SET
             name = :name, engine = :engine, version = :version, project = :project, region = :region, sku = :sku,
             vcpu = :vcpu, memory_mib = :memory_mib, storage_gib = :storage_gib, image_reference = :image_reference,
             image_digest = :image_digest, desired = :desired, revision = :revision,
             restart_revision = :restart_revision, username = :username, database_name = :database_name,
             host_ip = :host_ip, port = :port, more_ports = :more_ports, settings = :settings, seeded_from = :seeded_from,
             initialized_at = :initialized_at, deletion_protection = :deletion_protection, egress = :egress,
             labels = :labels, last_error = :last_error, row_version = row_version + 1, updated_at = :updated_at
           WHERE id = :id AND row_version = :row_version"#,
        )?
        .execute(named_params! {
            ":id": record.id.to_string(),
            ":name": record.name,
            ":engine": record.engine,
            ":version": record.version,
            ":project": record.project,
            ":region": record.region,
            ":sku": record.sku,
            ":vcpu": record.size.vcpu,
            ":memory_mib": record.size.memory_mib,
            ":storage_gib": record.size.storage_gib,
            ":image_reference": record.image_reference,
            ":image_digest": record.image_digest,
            ":desired": desired(record.desired),
            ":revision": record.revision,
            ":restart_revision": record.restart_revision,
            ":username": record.username,
            ":database_name": record.database,
            ":host_ip": record.host_ip,
            ":port": record.port,
            ":more_ports": json(&record.more_ports)?,
            ":settings": json(&record.settings)?,
            ":seeded_from": record.seeded_from,
            ":initialized_at": record.initialized_at.map(time),
            ":deletion_protection": record.deletion_protection,
            ":egress": record.egress,
            ":labels": json(&record.labels)?,
            ":last_error": record.last_error.as_ref().map(json).transpose()?,
            ":row_version": integer(record.row_version),
            ":updated_at": time(updated_at),
        })
        .map_err(|e| refused(e, record))?;
    if changed == 0 {
        return Err(match find(db, record.id)? {
            None => Error::not_found("instance"),
            Some(_) => Error::conflict(
                "concurrent_change",
                format!("The instance {} was changed by someone else meanwhile; read it again and retry.", record.name),
            ),
        });
    }
    record.row_version += 1;
    record.updated_at = updated_at;
    Ok(())
}

/// Removes the row and, by cascade, credentials, users, databases, metrics and health of it. A missing one is fine.
pub fn delete(db: &Connection, id: InstanceId) -> Result<()> {
    db.prepare_cached(r#"DELETE FROM "620600_databases_instances" WHERE id = ?1"#)?.execute([id.to_string()])?;
    Ok(())
}

/// One instance.
pub fn find(db: &Connection, id: InstanceId) -> Result<Option<InstanceRecord>> {
    db.prepare_cached(r#"SELECT * FROM "620600_databases_instances" WHERE id = ?1"#)?
        .query_and_then([id.to_string()], record)?
        .next()
        .transpose()
}

/// One instance by name.
pub fn find_by_name(db: &Connection, project: &str, name: &str) -> Result<Option<InstanceRecord>> {
    db.prepare_cached(r#"SELECT * FROM "620600_databases_instances" WHERE project = ?1 AND name = ?2"#)?
        .query_and_then([project, name], record)?
        .next()
        .transpose()
}

/// Every instance, oldest first.
pub fn all(db: &Connection) -> Result<Vec<InstanceRecord>> {
    db.prepare_cached(r#"SELECT * FROM "620600_databases_instances" ORDER BY id"#)?
        .query_and_then([], record)?
        .collect()
}

/// How many there are.
pub fn count(db: &Connection) -> Result<u64> {
    db.prepare_cached(r#"SELECT count(*) AS n FROM "620600_databases_instances""#)?
        .query_row([], |row| Ok(Columns::new(TABLE, row).count("n")))?
}

/// Ports taken on this address.
pub fn ports(db: &Connection, host_ip: &str) -> Result<BTreeSet<u16>> {
    Ok(db
        .prepare_cached(
            r#"SELECT port FROM "620600_databases_instances" WHERE host_ip = ?1
               UNION SELECT more.value FROM "620600_databases_instances", json_each(more_ports) AS more WHERE host_ip = ?1"#,
        )?
        .query_map([host_ip], |r| r.get(0))?
        .collect::<rusqlite::Result<_>>()?)
}

/// (vCPUs, MiB) promised to instances that should run, one left out.
pub fn allocated(db: &Connection, except: Option<InstanceId>) -> Result<(u64, u64)> {
    db.prepare_cached(
        r#"SELECT coalesce(sum(vcpu), 0) AS vcpu, coalesce(sum(memory_mib), 0) AS memory_mib
           FROM "620600_databases_instances" WHERE desired = 'running' AND id IS NOT ?1"#,
    )?
    .query_row([except.map(|id| id.to_string())], |row| {
        let c = Columns::new(TABLE, row);
        Ok(c.count("vcpu").and_then(|vcpu| Ok((vcpu, c.count("memory_mib")?))))
    })?
}

const TABLE: &str = "620600_databases_instances";

fn record(row: &Row<'_>) -> Result<InstanceRecord> {
    let c = Columns::new(TABLE, row);
    Ok(InstanceRecord {
        id: c.parse("id")?,
        name: c.get("name")?,
        engine: c.get("engine")?,
        version: c.get("version")?,
        project: c.get("project")?,
        region: c.get("region")?,
        sku: c.get("sku")?,
        size: Grant { vcpu: c.get("vcpu")?, memory_mib: c.get("memory_mib")?, storage_gib: c.get("storage_gib")? },
        image_reference: c.get("image_reference")?,
        image_digest: c.get("image_digest")?,
        desired: c.word("desired")?,
        revision: c.get("revision")?,
        restart_revision: c.get("restart_revision")?,
        username: c.get("username")?,
        database: c.get("database_name")?,
        host_ip: c.get("host_ip")?,
        port: c.get("port")?,
        more_ports: c.json("more_ports")?,
        settings: c.json("settings")?,
        seeded_from: c.get("seeded_from")?,
        initialized_at: c.parse_opt("initialized_at")?,
        deletion_protection: c.get("deletion_protection")?,
        egress: c.get("egress")?,
        labels: c.json("labels")?,
        last_error: c.json_opt("last_error")?,
        row_version: c.count("row_version")?,
        created_at: c.parse("created_at")?,
        updated_at: c.parse("updated_at")?,
    })
}

fn desired(desired: Desired) -> &'static str {
    match desired {
        Desired::Running => "running",
        Desired::Stopped => "stopped",
        Desired::Deleted => "deleted",
    }
}

fn refused(e: rusqlite::Error, record: &InstanceRecord) -> Error {
    let (mut error, pointer, detail) = if taken(&e, "name") {
        let text = format!(
            "There is already an instance named {} in the project {}; choose another name.",
            record.name, record.project
        );
        (Error::new(ErrorKind::AlreadyExists, "name_taken", text), "/name", "is taken")
    } else if taken(&e, "port") {
        let text = format!(
            "The port {} on {} belongs to another instance; choose another or leave it out.",
            record.port, record.host_ip
        );
        (Error::conflict("port_taken", text), "/port", "is taken")
    } else {
        return e.into();
    };
    error.fields.push(FieldError { pointer: pointer.to_owned(), detail: detail.to_owned() });
    error
}
