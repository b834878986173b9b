//! The registry of engines. A new engine is one file, its templates, and two lines here.

use crate::Engine;

mod cassandra;
mod elasticsearch;
mod kafka;
mod lucene;
mod mariadb;
mod opensearch;
mod postgresql;
mod redis;
mod scylladb;
mod sql;
mod valkey;

static ALL: &[&dyn Engine] = &[
    &postgresql::ENGINE, //
    &mariadb::ENGINE,
    &redis::ENGINE,
    &valkey::ENGINE,
    &kafka::ENGINE,
    &cassandra::ENGINE,
    &opensearch::ENGINE,
    &elasticsearch::ENGINE,
    &scylladb::ENGINE,
];

/// Every engine, in the order of the catalogue.
pub fn all() -> &'static [&'static dyn Engine] {
    ALL
}

/// The engine with this id.
pub fn find(id: &str) -> Option<&'static dyn Engine> {
    ALL.iter().copied().find(|e| e.facts().id == id)
}
