//! The registry of engines. A new engine is one file, its templates, and two lines here.

use crate::Engine;

mod arangodb;
mod couchdb;
mod keydb;
mod kafka;
mod h2;
mod clickhouse;
mod influxdb;
mod mariadb;
mod mysql;
mod mysqlfamily;
mod mongodb;
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
    &redis::ENGINE,
    &valkey::ENGINE,
    &keydb::ENGINE,
    &mongodb::ENGINE,
    &couchdb::ENGINE,
    &arangodb::ENGINE,
    &kafka::ENGINE,
    &h2::ENGINE,
    &clickhouse::ENGINE,
    &influxdb::ENGINE,
];

/// Every engine, in the order of the catalogue.
pub fn all() -> &'static [&'static dyn Engine] {
    ALL
}

/// The engine with this id.
pub fn find(id: &str) -> Option<&'static dyn Engine> {
    ALL.iter().copied().find(|e| e.facts().id == id)
}
