//! The fluxdb binary.

fn main() {}
