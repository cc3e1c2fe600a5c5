//! Sealgate.
pub mod audit;
pub mod clock;
pub mod identity;
pub mod inspect;
pub mod mcp;
pub mod policy;
pub mod route;
pub mod upstream;
