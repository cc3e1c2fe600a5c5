//! Sealgate.
pub mod clock;
pub mod identity;
pub mod mcp;
