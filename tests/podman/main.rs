//! The real thing: real Podman, real servers, and a daemon that is really killed.
#![allow(clippy::unwrap_used, missing_docs)]

mod lifecycle;
mod world;
