//! `docs/compatibility.md`, from what the tests are held to.

use super::{FEATURES, SERVERS, expected};
use crate::conformance::expected as conformance;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const CLIENTS: [(&str, &str); 9] = [
    ("ts1 legacy", "TypeScript SDK 1.32, sessions"),
    ("ts2 legacy", "TypeScript SDK 2.4, sessions"),
    ("ts2 modern", "TypeScript SDK 2.4, 2026-07-28"),
    ("py_mcp legacy", "Python SDK 2.3, sessions"),
    ("py_mcp modern", "Python SDK 2.3, 2026-07-28"),
    ("py_fastmcp legacy", "fastmcp 4.1, sessions"),
    ("py_fastmcp modern", "fastmcp 4.1, 2026-07-28"),
    ("rmcp legacy", "rmcp 3.9, sessions"),
    ("rmcp modern", "rmcp 3.9, 2026-07-28"),
];

const CELLS: [(&str, &str); 4] = [
    ("dual-http", "a server of both eras over Streamable HTTP"),
    ("dual-stdio", "a server of both eras over stdio"),
    ("legacy-http", "a server with sessions only (up to 2025-11-25)"),
    ("modern-http", "a server without sessions (2026-07-28)"),
];

pub fn render() -> String {
    let mut out = String::from(
        "# Compatibility\n\n\
         Written from what the tests `matrix` and `conformance` are held to: a cell that changes, for better or worse, \
         fails them.\n\n\
         ## Clients, backends, features\n\n\
         Each client calls through one gateway; the columns are backends by transport (`pipe` is stdio, `http` \
         Streamable HTTP, `sse` HTTP+SSE of 2024-11-05, `ws` a WebSocket) and era (`old` has sessions, `new` speaks \
         2026-07-28). In each cell: a tool with progress, elicitation, sampling, reading a resource, a subscription to \
         it, a prompt, completion, cancellation, and a change of the list of tools. A full cell says `9/9`; the number \
         behind names the reason for what is missing.\n\n",
    );
    let mut reasons = Vec::new();
    let _ = writeln!(out, "| client | {} |", SERVERS.join(" | "));
    let _ = writeln!(out, "|---|{}", "--:|".repeat(SERVERS.len()));
    for (client, name) in CLIENTS {
        let written = expected(client);
        let cells: Vec<String> = SERVERS.iter().map(|server| cell(&written[*server], &mut reasons)).collect();
        let _ = writeln!(out, "| {name} | {} |", cells.join(" | "));
    }
    for (at, reason) in reasons.iter().enumerate() {
        let _ = write!(out, "\n{}. {reason}", at + 1);
    }
    out.push_str(
        "\n\n## The official conformance suite\n\n\
         `@modelcontextprotocol/conformance` 0.2.0-alpha.12, through `/servers/{id}/mcp`. *Scored* are the scenarios that \
         a revision requires; the others run and are listed.\n\n",
    );
    out.push_str("| backend | revision | scored | not scored |\n|---|---|--:|--:|\n");
    let mut rest = String::new();
    for (cell, name) in CELLS {
        for (revision, scenarios) in conformance::read(cell).as_object().into_iter().flatten() {
            let count = |scored: bool| {
                let all = scenarios.as_object().into_iter().flatten().filter(|(_, s)| s["scored"] == scored);
                let (passed, failed): (Vec<_>, Vec<_>) = all.partition(|(_, s)| s["failing"].is_null());
                format!("{} of {}", passed.len(), passed.len() + failed.len())
            };
            let _ = writeln!(out, "| {name} | {revision} | {} | {} |", count(true), count(false));
            for (reason, names) in by_reason(scenarios) {
                let _ = write!(rest, "\n- {name}, {revision}: {reason} ({})", names.join(", "));
            }
        }
    }
    if !rest.is_empty() {
        let _ = writeln!(out, "\nWhat does not pass, and why:\n{rest}");
    }
    out
}

fn cell(row: &Value, reasons: &mut Vec<String>) -> String {
    let mut missing: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for feature in FEATURES {
        let said = row[feature].as_str().unwrap_or_default();
        if said != "ok" {
            let known = reasons.iter().position(|reason| reason == said);
            let at = known.unwrap_or_else(|| {
                reasons.push(said.to_owned());
                reasons.len() - 1
            });
            missing.entry(at + 1).or_default().push(feature);
        }
    }
    let lacking: usize = missing.values().map(Vec::len).sum();
    let notes: Vec<String> =
        missing.iter().map(|(at, features)| format!("no {} ({at})", features.join(", "))).collect();
    let full = format!("{}/{}", FEATURES.len() - lacking, FEATURES.len());
    if notes.is_empty() { full } else { format!("{full}: {}", notes.join("; ")) }
}

fn by_reason(scenarios: &Value) -> BTreeMap<&str, Vec<&str>> {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, scenario) in scenarios.as_object().into_iter().flatten() {
        if let Some(reason) = scenario["reason"].as_str() {
            all.entry(reason).or_default().push(name);
        }
    }
    all
}
