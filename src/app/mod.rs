//! Use cases, one file a resource: the thick layer. HTTP, command line and workers call these and nothing below.

pub mod caller;
pub(crate) mod files;
mod hashing;
pub mod passwords;
pub mod requirements;
pub mod vault;

pub use caller::{Caller, Identity, Permission};
