//! Batches: for sessions that agreed on 2025-03-26, and for nobody else.

use super::pipe::Pipe;
use crate::harness::{Answer, Gate, PERMIT_ALL, Site, Token, demo_servers};
use serde_json::{Value, json};

const ECHO_ONLY: &str = "@id(\"some\")\npermit(principal, action in Action::\"Mcp\", resource)\n\
                         unless { resource has name && resource.name == \"never\" };\n\
                         @id(\"not\")\nforbid(principal, action == Action::\"ops_failing_tool\", resource);\n";

fn gate(policies: &str) -> (Gate, Token) {
    let site = Site::new(&demo_servers(), "", policies);
    let token = site.token("alice", "employee");
    (site.start(), token)
}

async fn post(gate: &Gate, token: &Token, session: Option<&str>, batch: &Value) -> Answer {
    gate.legacy_raw(token, session, batch.to_string().into_bytes()).await
}

fn call(id: u64, tool: &str, arguments: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
}

/// The answers by id, however they came.
fn by_id(answer: &Answer) -> std::collections::BTreeMap<u64, Value> {
    let all = answer.events().into_iter().find(Value::is_array).unwrap_or_else(|| panic!("{}", answer.body));
    let all = all.as_array().cloned().unwrap_or_default();
    all.into_iter().map(|one| (one["id"].as_u64().expect("an id"), one)).collect()
}

#[tokio::test]
async fn each_element_is_judged_and_recorded_on_its_own() {
    let (gate, token) = gate(
        "@id(\"all\")\npermit(principal, action in Action::\"Mcp\", resource);\n@id(\"not\")\nforbid(principal, action == Action::\"ops_failing_tool\", resource);\n",
    );
    let session = gate.session(&token, "2025-03-26").await;
    let progress = json!({
        "jsonrpc": "2.0", "id": 5, "method": "tools/call",
        "params": {"name": "ops_long_report", "arguments": {"steps": 3, "delay_ms": 1}, "_meta": {"progressToken": "p"}},
    });
    let batch = json!([
        call(1, "ops_echo", &json!({"text": "one"})),
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 77}},
        call(2, "ops_failing_tool", &json!({})),
        call(3, "no_such_tool", &json!({})),
        {"jsonrpc": "2.0", "id": 4, "method": "initialize", "params": {}},
        progress,
        {"jsonrpc": "2.0", "id": 6, "method": "ping"},
    ]);
    let answer = post(&gate, &token, Some(&session), &batch).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answers = by_id(&answer);
    assert_eq!(answers.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert!(answers[&1]["result"].to_string().contains("one"));
    for refused in [2, 3] {
        assert_eq!(answers[&refused]["error"]["code"], 8001, "{}", answers[&refused]);
    }
    assert_eq!(answers[&4]["error"]["code"], -32601);
    assert!(answers[&5]["result"].is_object() && answers[&6]["result"] == json!({}));
    let steps: Vec<_> = answer.events().iter().filter_map(|m| m["params"]["progress"].as_i64()).collect();
    assert_eq!(steps, [1, 2, 3], "progress comes before the array");
    let records = gate.site.records();
    let intents = records.iter().filter(|r| r["kind"] == "call.intent").count();
    assert_eq!(intents, 2, "one intent for each call that was let through");
}

#[tokio::test]
async fn a_batch_without_requests_has_no_answer() {
    let (gate, token) = gate(PERMIT_ALL);
    let session = gate.session(&token, "2025-03-26").await;
    let batch = json!([{"jsonrpc": "2.0", "method": "notifications/initialized"}]);
    let answer = post(&gate, &token, Some(&session), &batch).await;
    assert_eq!((answer.status, answer.body.as_str()), (202, ""));
}

#[tokio::test]
async fn batches_are_refused_where_the_revision_has_none_and_bounded_where_it_has() {
    let (gate, token) = gate(ECHO_ONLY);
    let one = json!([call(1, "ops_echo", &json!({"text": "one"}))]);
    for version in ["2024-11-05", "2025-06-18", "2025-11-25"] {
        let session = gate.session(&token, version).await;
        let answer = post(&gate, &token, Some(&session), &one).await;
        assert_eq!((answer.status, answer.code()), (400, Some(-32600)), "{version}");
        assert!(answer.body.contains("batches are not accepted"), "{}", answer.body);
    }
    assert_eq!(post(&gate, &token, None, &one).await.status, 400);
    let session = gate.session(&token, "2025-03-26").await;
    let many: Vec<Value> = (0..51).map(|id| call(id, "ops_echo", &json!({"text": "x"}))).collect();
    for batch in [json!([]), json!(many)] {
        let answer = post(&gate, &token, Some(&session), &batch).await;
        assert_eq!((answer.status, answer.code()), (400, Some(-32600)), "{}", answer.body);
    }
    let nested = post(&gate, &token, Some(&session), &json!([[call(1, "ops_echo", &json!({}))], 5])).await;
    let answers = nested.events().into_iter().find(Value::is_array).expect("an array");
    assert!(answers.as_array().expect("an array").iter().all(|a| a["error"]["code"] == -32600), "{answers}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_take_batches_too() {
    let (gate, token) = gate(PERMIT_ALL);
    let mut pipe = Pipe::socket(&gate, &token).await;
    pipe.initialize("2025-03-26", json!({})).await;
    pipe.send(&json!([
        call(1, "ops_echo", &json!({"text": "one"})),
        call(2, "ops_echo", &json!({"text": "two"})),
    ]))
    .await;
    let answer = pipe.receive().await.expect("an answer");
    assert_eq!(answer.as_array().map(Vec::len), Some(2), "{answer}");
    assert!(answer[0].to_string().contains("one") && answer[1].to_string().contains("two"));
}
