//! Instances as rows.
#![allow(unused_variables, clippy::unimplemented)]

use rusqlite::Connection;

use crate::domain::instance::InstanceRecord;
use crate::domain::{InstanceId, Result};

/// Adds an instance. A taken name is `AlreadyExists` (`name_taken`, pointer `/name`); a taken port is `Conflict` (`port_taken`, pointer `/port`).
pub fn insert(db: &Connection, record: &InstanceRecord) -> Result<()> {
    unimplemented!()
}

/// Writes every column back where `row_version` still is `record.row_version`; sets `row_version + 1` and `updated_at` in row and record.
/// Another version is `Conflict` (`concurrent_change`).
pub fn update(db: &Connection, record: &mut InstanceRecord) -> Result<()> {
    unimplemented!()
}

/// Removes the row and, by cascade, credentials, users, databases, metrics and health of it. A missing one is fine.
pub fn delete(db: &Connection, id: InstanceId) -> Result<()> {
    unimplemented!()
}

/// One instance.
pub fn find(db: &Connection, id: InstanceId) -> Result<Option<InstanceRecord>> {
    unimplemented!()
}

/// One instance by name.
pub fn find_by_name(db: &Connection, project: &str, name: &str) -> Result<Option<InstanceRecord>> {
    unimplemented!()
}

/// Every instance, oldest first.
pub fn all(db: &Connection) -> Result<Vec<InstanceRecord>> {
    unimplemented!()
}

/// Ports taken on this address.
pub fn ports(db: &Connection, host_ip: &str) -> Result<std::collections::BTreeSet<u16>> {
    unimplemented!()
}

/// (vCPUs, MiB) promised to instances that should run, one left out.
pub fn allocated(db: &Connection, except: Option<InstanceId>) -> Result<(u64, u64)> {
    unimplemented!()
}
