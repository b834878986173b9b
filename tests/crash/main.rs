//! Every operation survives being failed, killed and repeated at every step: on the in-memory runtime, all points.
#![allow(clippy::unwrap_used, missing_docs)]

mod drift;
mod points;
mod world;
