//! Real clients of each era against backends of each era over each transport, all behind one gateway: what works in
//! each cell.
//!
//! `matrix/expected.json` says of each cell `ok` or why not; a change for better or worse fails the test.
//! `SEALGATE_BLESS=1` writes what was found, and `docs/compatibility.md` from it.

mod page;
mod rmcp;

use crate::conformance::fixture::{Fixture, Speaks};
use crate::harness::{Gate, PERMIT_ALL, Site};
use crate::interop::script::{folder, python_program, require_installed};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The backends: transport and era.
const SERVERS: [&str; 7] = ["pipe-old", "pipe-new", "http-old", "http-new", "sse-old", "ws-old", "ws-new"];
/// What is tried in each cell.
const FEATURES: [&str; 9] = [
    "progress",
    "elicitation",
    "sampling",
    "read",
    "subscription",
    "prompt",
    "completion",
    "cancellation",
    "changes",
];

/// The gateway, its backends, and a token.
struct Rig {
    gate: Gate,
    token: String,
    _servers: [Fixture; 2],
}

fn rig() -> Rig {
    require_installed();
    let servers = [Fixture::start(Speaks::Legacy), Fixture::start(Speaks::Modern)];
    let at = |server: &Fixture, path: &str| server.url().replace("/mcp", path);
    let socket = |server: &Fixture| at(server, "/ws").replace("http://", "ws://");
    let list = [
        ("pipe-old", Fixture::command(Speaks::Legacy)),
        ("pipe-new", Fixture::command(Speaks::Modern)),
        ("http-old", json!({"url": servers[0].url()})),
        ("http-new", json!({"url": servers[1].url()})),
        ("sse-old", json!({"url": at(&servers[0], "/sse"), "type": "sse"})),
        ("ws-old", json!({"url": socket(&servers[0])})),
        ("ws-new", json!({"url": socket(&servers[1])})),
    ];
    let lines: Vec<String> = list.iter().map(|(id, entry)| format!("  {id}: {entry}\n")).collect();
    let yaml = lines.concat();
    let site = Site::new(&yaml, "", PERMIT_ALL);
    let token = site.token("alice", "employee").value;
    Rig { gate: site.start(), token, _servers: servers }
}

/// Runs one script in one era, and compares its cells.
fn script(client: &str, program: &str, file: &str, eras: &[&str]) {
    let rig = rig();
    for era in eras {
        let output = Command::new(program)
            .arg(folder().join("matrix").join(file))
            .args(["--url", &rig.gate.endpoint, "--token", &rig.token, "--era", era])
            .args(["--servers", &SERVERS.join(",")])
            .output()
            .expect("the client starts; run `tests/interop/setup.sh`");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
            panic!("{file} ended without a report:\n{}", String::from_utf8_lossy(&output.stderr))
        });
        compare(&format!("{client} {era}"), &report["cells"]);
    }
}

#[test]
fn typescript_sdk_1() {
    script("ts1", "node", "ts1.mjs", &["legacy"]);
}

#[test]
fn typescript_sdk_2() {
    script("ts2", "node", "ts2.mjs", &["legacy", "modern"]);
}

#[test]
fn python_sdk() {
    script("py_mcp", &python_program("python"), "py_mcp.py", &["legacy", "modern"]);
}

#[test]
fn fastmcp() {
    script("py_fastmcp", &python_program("python"), "py_fastmcp.py", &["legacy", "modern"]);
}

#[test]
fn rmcp_sdk() {
    let rig = rig();
    for era in ["legacy", "modern"] {
        compare(&format!("rmcp {era}"), &rmcp::run(&rig.gate.endpoint, &rig.token, era));
    }
}

#[test]
fn the_page_of_compatibility_is_true() {
    let page = page::render();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compatibility.md");
    if blessing() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page, "docs/compatibility.md differs from the cells: run with SEALGATE_BLESS=1");
}

fn blessing() -> bool {
    std::env::var_os("SEALGATE_BLESS").is_some()
}

/// One file a client, so that tests can write at the same time.
fn file(client: &str) -> PathBuf {
    let name = client.replace(' ', "-");
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/matrix/expected").join(format!("{name}.json"))
}

fn expected(client: &str) -> Value {
    std::fs::read(file(client)).map_or(json!({}), |text| serde_json::from_slice(&text).unwrap())
}

fn compare(client: &str, cells: &Value) {
    let written = expected(client);
    let mut now = Map::new();
    let mut said = Vec::new();
    for server in SERVERS {
        let mut row = Map::new();
        for feature in FEATURES {
            let cell = cells[server][feature].as_str().unwrap_or("was not tried");
            let known = written[server][feature].as_str().filter(|known| *known != "ok").unwrap_or_default();
            row.insert(feature.into(), json!(if cell == "ok" { "ok" } else { known }));
            if cell != "ok" {
                said.push(format!("{server} {feature}: {cell}"));
            }
        }
        now.insert(server.into(), Value::Object(row));
    }
    let now = Value::Object(now);
    if blessing() {
        std::fs::write(file(client), format!("{}\n", serde_json::to_string_pretty(&now).unwrap())).unwrap();
        // All eras are written before reasons are asked for.
        return;
    }
    let unexplained = now.to_string().contains("\"\"");
    assert!(
        written == now && !unexplained,
        "{client} differs from {} (write it with SEALGATE_BLESS=1, then give reasons); it said: {said:#?}",
        file(client).display()
    );
}
