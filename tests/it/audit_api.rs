//! The auditors' API, over plain HTTP: who may ask what, what is told, and that every request is itself a record.

mod contract;
mod evidence;
mod payloads;
mod searching;
mod story;
mod tenants;

use crate::harness::{Gate, Site, Token, demo_servers};
use serde_json::{Value, json};

/// The shipped policies of auditors, and everything else allowed to employees.
pub fn policies() -> String {
    let shipped = include_str!("../../policies/40-auditors.cedar");
    format!("@id(\"all\")\npermit(principal, action in Action::\"Mcp\", resource);\n{shipped}")
}

/// People of two tenants.
pub struct People {
    pub employee: Token,
    pub auditor: Token,
    pub second: Token,
    pub admin: Token,
    pub foreign: Token,
}

/// A gateway with the demo servers.
pub fn gate(settings: &str) -> (Gate, People) {
    let site = Site::new(&demo_servers(), settings, &policies());
    let people = People {
        employee: site.token("alice", "employee"),
        auditor: site.token("anna", "auditor"),
        second: site.token("ben", "auditor"),
        admin: site.token("adam", "admin"),
        foreign: site.token_of("globex", "gina", "auditor"),
    };
    (site.start(), people)
}

/// A record of the log by its sequence number.
pub fn record(gate: &Gate, seq: u64) -> Value {
    gate.site.records().into_iter().find(|record| record["seq"] == json!(seq)).expect("a record")
}

/// Every operation, with a path and a body that make sense.
pub fn operations(call: &str) -> Vec<(&'static str, String, Option<Value>)> {
    let id = "019a0000-0000-7000-8000-000000000000";
    let selector = json!({"calls": [call]});
    let get = |path: &str| ("GET", path.to_owned(), None);
    vec![
        get("/search?q=kind:call.intent&mode=scan"),
        (
            "POST",
            "/aggregate".into(),
            Some(json!({"mode": "scan", "aggregations": {"n": {"cardinality": {"field": "actor"}}}})),
        ),
        get("/records?limit=2"),
        get("/records/0"),
        get(&format!("/calls/{call}")),
        get("/records/0/payload"),
        get("/proofs/0"),
        get("/consistency?old=0"),
        get("/checkpoint"),
        get("/checkpoints/1"),
        get("/keys"),
        get("/tile/0/000.p/1"),
        get("/tile/entries/000.p/1"),
        get("/status"),
        ("POST", "/hash".into(), Some(json!({"value": "ada@example.org"}))),
        ("POST", "/exports".into(), Some(json!({"form": "ndjson", "select": {"seqs": [0]}}))),
        get("/holds"),
        ("POST", "/holds".into(), Some(json!({"selector": selector, "reason": "a lawsuit"}))),
        ("DELETE", format!("/holds/{id}"), None),
        get("/erasures"),
        ("POST", "/erasures".into(), Some(json!({"selector": selector, "reason": "asked for"}))),
        ("POST", format!("/erasures/{id}/approve"), None),
        ("DELETE", format!("/erasures/{id}"), None),
    ]
}

/// Makes one call, and tells its id once a checkpoint covers it.
pub async fn called(gate: &Gate, who: &Token, tool: &str, arguments: Value) -> String {
    let answer = gate.call(who, tool, arguments).await;
    assert_eq!(answer.code(), None, "{}", answer.body);
    let records = gate.site.records();
    let intent = records.iter().rev().find(|record| record["kind"] == "call.intent").expect("an intent");
    let outcome = intent["seq"].as_u64().expect("a number") + 2;
    gate.until(|ready| ready["log"]["checkpoint"].as_u64().is_some_and(|size| size >= outcome)).await;
    intent["call"].as_str().expect("an id").to_owned()
}
