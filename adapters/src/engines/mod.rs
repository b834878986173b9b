//! The registry of engines. A new engine is one file, its templates, and two lines here.

use crate::Engine;

mod cockroachdb;
mod mariadb;
mod mssql;
mod mysql;
mod mysqlfamily;
mod oracle;
mod postgresql;
mod redis;
mod sql;
mod timescaledb;
mod valkey;

static ALL: &[&dyn Engine] = &[
    &postgresql::ENGINE, //
    &mariadb::ENGINE,
    &mysql::ENGINE,
    &timescaledb::ENGINE,
    &cockroachdb::ENGINE,
    &mssql::ENGINE,
    &oracle::ENGINE,
    &redis::ENGINE,
    &valkey::ENGINE,
];

/// Every engine, in the order of the catalogue.
pub fn all() -> &'static [&'static dyn Engine] {
    ALL
}

/// The engine with this id.
pub fn find(id: &str) -> Option<&'static dyn Engine> {
    ALL.iter().copied().find(|e| e.facts().id == id)
}
