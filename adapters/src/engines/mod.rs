//! The registry of engines. A new engine is one file, its templates, and two lines here.

use crate::Engine;

mod arangodb;
mod cassandra;
mod clickhouse;
mod cockroachdb;
mod couchdb;
mod duckdb;
mod elasticsearch;
mod h2;
mod influxdb;
mod janusgraph;
mod kafka;
mod keydb;
mod lucene;
mod m3db;
mod mariadb;
mod meilisearch;
mod mongodb;
mod mssql;
mod mysql;
mod mysqlfamily;
mod neo4j;
mod opensearch;
mod oracle;
mod postgresql;
mod questdb;
mod redis;
mod scylladb;
mod sql;
mod timescaledb;
mod typesense;
mod valkey;

static ALL: &[&dyn Engine] = &[
    &postgresql::ENGINE, //
    &mysql::ENGINE,
    &mariadb::ENGINE,
    &mssql::ENGINE,
    &oracle::ENGINE,
    &cockroachdb::ENGINE,
    &mongodb::ENGINE,
    &couchdb::ENGINE,
    &arangodb::ENGINE,
    &redis::ENGINE,
    &keydb::ENGINE,
    &valkey::ENGINE,
    &cassandra::ENGINE,
    &scylladb::ENGINE,
    &influxdb::ENGINE,
    &timescaledb::ENGINE,
    &questdb::ENGINE,
    &elasticsearch::ENGINE,
    &opensearch::ENGINE,
    &meilisearch::ENGINE,
    &typesense::ENGINE,
    &neo4j::ENGINE,
    &janusgraph::ENGINE,
    &clickhouse::ENGINE,
    &duckdb::ENGINE,
    &h2::ENGINE,
    &kafka::ENGINE,
    &m3db::ENGINE,
];

/// Every engine, in the order of the catalogue.
pub fn all() -> &'static [&'static dyn Engine] {
    ALL
}

/// The engine with this id.
pub fn find(id: &str) -> Option<&'static dyn Engine> {
    ALL.iter().copied().find(|e| e.facts().id == id)
}
