//! Long work: the journal that makes it survive a crash, and one file an operation.

pub mod bus;
pub mod configure;
pub mod converge;
pub mod core;
pub mod create;
pub mod drive;
pub mod fault;
pub mod host_work;
pub mod image;
pub mod network;
pub mod ready;
pub mod registry;
pub mod restart;
mod talk;
pub mod template;

pub use bus::Bus;
pub use core::Core;
pub use registry::Registry;
