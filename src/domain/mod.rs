//! Pure rules: no I/O, no clock of their own, nothing that knows Podman, SQLite or HTTP.

pub mod admission;
pub mod bootstrap;
pub mod conformance;
pub mod container;
pub mod detail;
pub mod egress;
pub mod error;
pub mod full;
pub mod host;
pub mod ids;
pub mod instance;
pub mod operation;
pub mod sku;
pub mod verify;

pub use error::{Error, ErrorKind, Result};
pub use ids::{InstanceId, OperationId, TokenId};
