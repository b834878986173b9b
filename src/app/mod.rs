//! Use cases, one file a resource: the thick layer. HTTP, command line and workers call these and nothing below.

pub mod caller;

pub use caller::{Caller, Identity, Permission};
