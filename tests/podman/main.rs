//! The real thing: real Podman, real servers, and a daemon that is really killed.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod baseline;
mod daemon;
mod drift;
mod egress;
mod first_start;
mod full_disk;
mod hash_join;
mod home;
mod host;
mod kill;
mod lifecycle;
mod rootless;
mod secrets;
mod socket;
mod tls;
mod trouble;
mod watch;
mod world;
