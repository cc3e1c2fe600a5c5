//! Sealgate.
pub mod clock;
pub mod identity;
