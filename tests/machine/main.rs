//! Rootless Podman on cgroup v2, where most users have it: a Debian machine with systemd under qemu. `scripts/test
//! machine` makes it and runs these; a plain `cargo test` leaves them out.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod delegated;
mod forwarded;
mod guest;
mod plain;

/// Made by images/build.sh; `scripts/test` does it.
const POSTGRESQL: &str = "localhost/fluxdb/postgresql:17";
const VALKEY: &str = "localhost/fluxdb/valkey:8.1";
