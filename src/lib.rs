//! Sealgate.
pub mod api;
pub mod app;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod gateway;
pub mod http;
pub mod identity;
pub mod inspect;
pub mod mcp;
pub mod policy;
pub mod route;
pub mod secret;
pub mod telemetry;
pub mod upstream;
