//! The registry of engines. A new engine is one file, its templates, and two lines here.

use crate::Engine;

mod clickhouse;
mod duckdb;
mod influxdb;
mod m3db;
mod mariadb;
mod meilisearch;
mod postgresql;
mod redis;
mod sql;
mod typesense;
mod valkey;

static ALL: &[&dyn Engine] = &[
    &postgresql::ENGINE, //
    &mariadb::ENGINE,
    &redis::ENGINE,
    &valkey::ENGINE,
    &clickhouse::ENGINE,
    &influxdb::ENGINE,
    &m3db::ENGINE,
    &duckdb::ENGINE,
    &meilisearch::ENGINE,
    &typesense::ENGINE,
];

/// Every engine, in the order of the catalogue.
pub fn all() -> &'static [&'static dyn Engine] {
    ALL
}

/// The engine with this id.
pub fn find(id: &str) -> Option<&'static dyn Engine> {
    ALL.iter().copied().find(|e| e.facts().id == id)
}
