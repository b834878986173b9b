//! Single values.
#![allow(unused_variables, clippy::unimplemented)]

use rusqlite::Connection;

use crate::domain::Result;

/// Installation id: 8 hexadecimal characters, in the names and labels of all that this installation makes.
pub const INSTALLATION: &str = "installation";
/// `true` or `false`: whether the module is enabled in Flux.
pub const ENABLED: &str = "enabled";

/// A value.
pub fn get(db: &Connection, key: &str) -> Result<Option<String>> {
    unimplemented!()
}

/// Sets a value.
pub fn set(db: &Connection, key: &str, value: &str) -> Result<()> {
    unimplemented!()
}
