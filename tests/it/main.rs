//! One binary for all integration tests: each more costs seconds of linking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::too_many_lines,
    missing_docs,
    reason = "tests fail by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "tests own their runtime and environment")]

mod admin_api;
mod approval_page;
mod approval_wait;
mod apps;
mod architecture;
mod audit_anchor;
mod audit_api;
mod audit_bundle;
mod audit_log;
mod audit_matrix;
mod audit_payload;
mod audit_power;
mod audit_proofs;
mod audit_segments;
mod audit_tamper;
mod bad_input;
mod canaries;
mod changes;
mod claims;
mod config_load;
mod config_watch;
mod conformance;
mod crash;
mod definitions;
mod events;
mod extensions;
mod fail_closed;
mod fidelity;
mod gateway;
mod harness;
mod hostile_peers;
mod identity_tokens;
mod inspect_cli;
mod inspect_corpus;
mod interop;
mod leaks;
mod matrix;
mod obligations;
mod policy_desk;
mod policy_replay;
mod policy_scenarios;
mod questions;
mod quickstart;
mod raw_http;
mod recognizer;
mod refusals;
mod sanitize;
mod search;
mod silent_backend;
mod telemetry_export;
mod tokens;
mod transports;
mod unread;
mod upstream_sessions;
