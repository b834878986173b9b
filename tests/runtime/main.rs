//! Do the fake runtime and Podman keep the same promises?
#![allow(clippy::unwrap_used)]

mod contract;
mod fake;
mod podman;
mod support;
