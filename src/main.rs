//! Sealgate.
fn main() {}
