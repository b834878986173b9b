//! What runs in the background: timer and poke share one path, and each run leaves a status that an operator can read.

pub mod health;
pub mod housekeeping;
pub mod reconcile;
