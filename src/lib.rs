//! fluxdb: a self-hosted Database-as-a-Service control plane for rootless Podman.
//!
//! Who may import whom: `http, cli, workers -> app -> ops -> store, runtime, wire -> domain -> adapters`.
//! See docs/ARCHITECTURE.md.

pub mod api;
pub mod app;
pub mod cli;
pub mod config;
pub mod conformance;
pub mod daemon;
pub mod domain;
pub mod http;
pub mod module;
pub mod ops;
pub mod runtime;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod vault;
pub mod wire;
pub mod workers;
