//! The HTTP API as a client sees it: real HTTP, the real application, the in-memory runtime.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod audit;
mod bad_input;
mod budget;
mod command_line;
mod concurrency;
mod connection;
mod contract;
mod edge;
mod idempotency;
mod lifecycle;
mod listing;
mod permissions;
mod runtime_away;
mod settings;
mod support;
mod tokens;
