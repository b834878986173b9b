//! A daemon on the in-memory runtime, served over real HTTP on a port of its own, and a client for it.

mod app;
mod client;
pub mod contract;

pub use app::TestApp;
pub use client::{Answer, Call};
