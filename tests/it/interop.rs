//! Real clients and real servers, at the versions pinned in tests/interop, through the gateway: what each client
//! is to do and to find stands in tests/interop/profiles and is the same for all of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as it should be"
)]

mod backends;
mod event_streams;
mod gateway;
mod rmcp_client;
mod rmcp_server;
pub mod script;

use std::path::Path;

use gateway::Gateway;
use script::{Client, Era, Target};

const SEALGATE: &str = env!("CARGO_BIN_EXE_sealgate");

/// One client in one era against the quickstart, as the employee's agent.
fn quickstart(client: Client, era: Era) {
    script::require_installed();
    let gateway = Gateway::quickstart();
    let endpoint = Target::Http { url: gateway.endpoint(), token: gateway.token("employee") };
    gateway.explain(|| script::run(client, era, &endpoint, &script::profile("quickstart")));
}

#[test]
fn typescript_sdk_1_works_with_the_quickstart() {
    quickstart(Client::TypeScript1, Era::Legacy);
}

#[test]
fn typescript_sdk_2_works_with_the_quickstart_in_a_session() {
    quickstart(Client::TypeScript2, Era::Legacy);
}

#[test]
fn typescript_sdk_2_finds_the_newest_revision_of_the_quickstart() {
    quickstart(Client::TypeScript2, Era::Auto);
}

#[test]
fn typescript_sdk_2_works_with_the_quickstart_without_a_session() {
    quickstart(Client::TypeScript2, Era::Modern);
}

#[test]
fn python_sdk_works_with_the_quickstart_in_a_session() {
    quickstart(Client::Python, Era::Legacy);
}

#[test]
fn python_sdk_finds_the_newest_revision_of_the_quickstart() {
    quickstart(Client::Python, Era::Auto);
}

#[test]
fn python_sdk_works_with_the_quickstart_without_a_session() {
    quickstart(Client::Python, Era::Modern);
}

#[test]
fn fastmcp_works_with_the_quickstart_in_a_session() {
    quickstart(Client::FastMcp, Era::Legacy);
}

#[test]
fn fastmcp_finds_the_newest_revision_of_the_quickstart() {
    quickstart(Client::FastMcp, Era::Auto);
}

#[test]
fn fastmcp_works_with_the_quickstart_without_a_session() {
    quickstart(Client::FastMcp, Era::Modern);
}

#[test]
fn rmcp_works_with_the_quickstart_in_both_eras() {
    let gateway = Gateway::quickstart();
    let endpoint = Target::Http { url: gateway.endpoint(), token: gateway.token("employee") };
    for era in [Era::Legacy, Era::Auto, Era::Modern] {
        gateway.explain(|| rmcp_client::run(era, &endpoint, &script::profile("quickstart")));
    }
}

/// One client in a session, over one of the old ways in.
fn connected(clients: &[Client], scheme: &str, path: &str) {
    script::require_installed();
    let gateway = Gateway::quickstart();
    let url = gateway.endpoint().replace("http:", scheme).replace("/mcp", path);
    let endpoint = Target::Http { url, token: gateway.token("employee") };
    for client in clients {
        gateway.explain(|| script::run(*client, Era::Legacy, &endpoint, &script::profile("quickstart")));
    }
}

#[test]
fn real_clients_connect_over_http_with_events() {
    connected(&[Client::TypeScript1, Client::Python, Client::FastMcp], "http:", "/sse");
}

#[test]
fn the_one_real_client_with_websockets_connects_over_them() {
    connected(&[Client::TypeScript1], "ws:", "/mcp");
}

#[test]
fn real_servers_over_http_with_events_are_reached() {
    script::require_installed();
    let (typescript, python) = (event_streams::typescript(), event_streams::python());
    let gateway = Gateway::serve(&serde_json::json!({
        "everything": {"type": "sse", "url": typescript.url()},
        "py": {"type": "sse", "url": python.url()},
    }));
    let endpoint = Target::Http { url: gateway.endpoint(), token: gateway.token("alice") };
    let folder = tempfile::tempdir().unwrap();
    let expect = folder.path().join("expect.json");
    std::fs::write(&expect, event_streams::profile().to_string()).unwrap();
    gateway.explain(|| {
        script::run(Client::TypeScript1, Era::Legacy, &endpoint, &expect);
        script::run(Client::Python, Era::Modern, &endpoint, &expect);
    });
}

/// Clients that start `sealgate stdio` as a local server, which carries everything to a running gateway.
fn bridged(work: impl FnOnce(&Target, &Path)) {
    script::require_installed();
    let gateway = Gateway::quickstart();
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, gateway.token("employee")).unwrap();
    let command = [SEALGATE, "stdio", "--url", &gateway.endpoint(), "--token-file", token.to_str().unwrap()];
    let target = Target::Stdio(command.map(str::to_owned).into());
    gateway.explain(|| work(&target, &script::profile("quickstart")));
}

#[test]
fn clients_with_sessions_reach_a_gateway_through_standard_input_and_output() {
    bridged(|target, expect| {
        for client in [Client::TypeScript1, Client::TypeScript2, Client::Python, Client::FastMcp] {
            script::run(client, Era::Legacy, target, expect);
        }
        rmcp_client::run(Era::Legacy, target, expect);
    });
}

#[test]
fn clients_without_sessions_reach_a_gateway_through_standard_input_and_output() {
    bridged(|target, expect| {
        script::run(Client::TypeScript2, Era::Modern, target, expect);
        script::run(Client::Python, Era::Auto, target, expect);
        script::run(Client::FastMcp, Era::Modern, target, expect);
        rmcp_client::run(Era::Modern, target, expect);
    });
}

/// Clients that start the whole gateway as a local server, in the name of one person.
#[test]
fn real_clients_start_a_gateway_of_their_own() {
    script::require_installed();
    let folder = tempfile::tempdir().unwrap();
    let file = Gateway::prepare(
        folder.path(),
        &serde_json::json!({"ops": {"command": SEALGATE, "args": ["demo-server", "ops"]}}),
    );
    let command =
        [SEALGATE, "stdio", "--config", &file, "--user", "alice", "--role", "employee", "--server", "ops"];
    let target = Target::Stdio(command.map(str::to_owned).into());
    let expect = script::profile("demo-ops");
    script::run(Client::TypeScript1, Era::Legacy, &target, &expect);
    script::run(Client::Python, Era::Modern, &target, &expect);
    script::run(Client::FastMcp, Era::Auto, &target, &expect);
    rmcp_client::run(Era::Legacy, &target, &expect);
}

/// A client in its eras against the demo servers alone: what fails here is no fault of the gateway.
fn demo(client: Client, eras: &[Era]) {
    script::require_installed();
    for profile in ["crm", "ops"] {
        for era in eras {
            let target = Target::demo_server(profile);
            script::run(client, *era, &target, &script::profile(&format!("demo-{profile}")));
        }
    }
}

#[test]
fn typescript_sdk_1_works_with_the_demo_servers() {
    demo(Client::TypeScript1, &[Era::Legacy]);
}

#[test]
fn typescript_sdk_2_works_with_the_demo_servers() {
    demo(Client::TypeScript2, &[Era::Legacy, Era::Modern]);
}

#[test]
fn python_sdk_works_with_the_demo_servers() {
    demo(Client::Python, &[Era::Legacy, Era::Modern]);
}

#[test]
fn fastmcp_works_with_the_demo_servers() {
    demo(Client::FastMcp, &[Era::Legacy, Era::Modern]);
}

#[test]
fn rmcp_works_with_the_demo_servers() {
    for profile in ["crm", "ops"] {
        for era in [Era::Legacy, Era::Modern] {
            let expect = script::profile(&format!("demo-{profile}"));
            rmcp_client::run(era, &Target::demo_server(profile), &expect);
        }
    }
}

/// The real servers behind one gateway, and what a client is to find there.
fn with_real_servers(work: impl FnOnce(&Target, &Path)) {
    script::require_installed();
    let files = tempfile::tempdir().unwrap();
    let legacy = rmcp_server::start(rmcp_server::Speaks::Legacy);
    let modern = rmcp_server::start(rmcp_server::Speaks::Modern);
    let backends = backends::prepare(files.path(), legacy.url(), modern.url());
    let gateway = Gateway::serve(&backends.servers);
    let endpoint = Target::Http { url: gateway.endpoint(), token: gateway.token("alice") };
    gateway.explain(|| work(&endpoint, &backends.expect));
}

#[test]
fn real_servers_are_reached_from_sessions() {
    with_real_servers(|endpoint, expect| {
        script::run(Client::Python, Era::Legacy, endpoint, expect);
        script::run(Client::TypeScript1, Era::Legacy, endpoint, expect);
        rmcp_client::run(Era::Legacy, endpoint, expect);
    });
}

#[test]
fn real_servers_are_reached_without_sessions() {
    with_real_servers(|endpoint, expect| {
        script::run(Client::Python, Era::Modern, endpoint, expect);
        script::run(Client::TypeScript2, Era::Modern, endpoint, expect);
        rmcp_client::run(Era::Modern, endpoint, expect);
    });
}

/// The rmcp servers alone, so that a failure above is not theirs.
#[test]
fn the_rmcp_servers_speak_one_era_each() {
    let expect = serde_json::json!({
        "tools": ["add", "count"],
        "calls": [{"name": "add", "arguments": {"a": 19, "b": 23}, "contains": "42"}],
        "progress": {"name": "count", "arguments": {"steps": 4}, "steps": 4},
    });
    let folder = tempfile::tempdir().unwrap();
    let expect_file = folder.path().join("expect.json");
    std::fs::write(&expect_file, expect.to_string()).unwrap();
    for (speaks, era) in
        [(rmcp_server::Speaks::Legacy, Era::Legacy), (rmcp_server::Speaks::Modern, Era::Modern)]
    {
        let server = rmcp_server::start(speaks);
        let target = Target::Http { url: server.url().to_owned(), token: String::new() };
        rmcp_client::run(era, &target, &expect_file);
        if era == Era::Modern {
            script::run(Client::Python, era, &target, &expect_file);
        }
    }
}
