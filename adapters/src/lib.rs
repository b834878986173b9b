//! Engine adapters: what fluxdb knows about each database engine, as data and pure functions.
//!
//! This crate does no I/O. It says which image to run, as whom, with which files and limits, what to ask
//! the server, and what to edit in a copied data directory; `fluxdb` carries it out.

pub mod budget;
pub mod contract;
pub mod engines;
pub mod quote;
pub mod render;

pub use contract::*;
pub use engines::{all, find};
