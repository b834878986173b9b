//! The registry of engines. A new engine is one file, its templates, and two lines here.

use crate::Engine;

mod h2;
mod mariadb;
mod neo4j;
mod postgresql;
mod questdb;
mod redis;
mod sql;
mod valkey;

static ALL: &[&dyn Engine] = &[
    &postgresql::ENGINE, //
    &mariadb::ENGINE,
    &redis::ENGINE,
    &valkey::ENGINE,
    &h2::ENGINE,
    &questdb::ENGINE,
    &neo4j::ENGINE,
];

/// Every engine, in the order of the catalogue.
pub fn all() -> &'static [&'static dyn Engine] {
    ALL
}

/// The engine with this id.
pub fn find(id: &str) -> Option<&'static dyn Engine> {
    ALL.iter().copied().find(|e| e.facts().id == id)
}
