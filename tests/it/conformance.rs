//! The official conformance suite (`@modelcontextprotocol/conformance`, pinned in tests/interop/conformance) through
//! the gateway: one cell a kind of backend, each with the requirements of both eras.
//!
//! What each scenario does stands in `conformance/expected/{cell}.json`, with a reason for each that does not pass,
//! and the tests fail when anything changes, for better or worse. `SEALGATE_BLESS=1` writes what was found.

mod client;
pub mod expected;
pub mod fixture;
mod proxy;
mod suite;

use crate::harness::{PERMIT_ALL, Site};
use fixture::{Fixture, Speaks};
use serde_json::{Value, json};

/// Both sets of requirements against `/servers/{cell}/mcp`, where `backend` stands behind.
fn cell(name: &str, backend: &Value) {
    suite::require_installed();
    let site = Site::new(&format!("  {name}: {backend}\n"), "", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    let endpoint = gate.endpoint.replace("/mcp", &format!("/servers/{name}/mcp"));
    let proxy = proxy::start(&endpoint, &token.value);
    let found = suite::REVISIONS.map(|revision| (revision, suite::run(proxy.url(), revision)));
    expected::compare(name, &found);
}

#[test]
fn a_server_of_both_eras_over_http_conforms() {
    let fixture = Fixture::start(Speaks::Both);
    cell("dual-http", &json!({"url": fixture.url()}));
}

#[test]
fn a_server_of_both_eras_over_stdio_conforms() {
    cell("dual-stdio", &Fixture::command(Speaks::Both));
}

#[test]
fn a_server_with_sessions_only_conforms_as_far_as_it_can() {
    let fixture = Fixture::start(Speaks::Legacy);
    cell("legacy-http", &json!({"url": fixture.url()}));
}

#[test]
fn a_server_without_sessions_conforms_as_far_as_it_can() {
    let fixture = Fixture::start(Speaks::Modern);
    cell("modern-http", &json!({"url": fixture.url()}));
}

/// The fixture alone, so that a failure above is not its own.
#[test]
fn the_fixture_itself_conforms() {
    suite::require_installed();
    let fixture = Fixture::start(Speaks::Both);
    for revision in suite::REVISIONS {
        let found = suite::run(fixture.url(), revision);
        let wrong: Vec<_> = found.iter().filter(|(_, s)| s.scored && !s.failing.is_empty()).collect();
        assert!(wrong.is_empty(), "{revision}: {wrong:#?}");
    }
}
