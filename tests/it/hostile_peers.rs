//! Handles, ids and events that belong to somebody else, or are used twice.

use crate::conformance::fixture::{Fixture, Speaks};
use crate::harness::{Gate, PERMIT_ALL, Site, Token, demo_servers};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_belongs_to_whoever_started_it() {
    let fixture = Fixture::start(Speaks::Modern);
    let site = Site::new(&format!("  fix: {{ url: \"{}\", trust: 90 }}\n", fixture.url()), "", PERMIT_ALL);
    let (alice, bob) = (site.token("alice", "employee"), site.token("bob", "employee"));
    let gate = site.start();
    gate.until(|page| page["backends"][0]["state"] == "up").await;
    let able = json!({"io.modelcontextprotocol/clientCapabilities":
        {"extensions": {"io.modelcontextprotocol/tasks": {}}}});
    let call =
        json!({"name": "fix_slow_compute", "arguments": {"seconds": 600, "label": "x"}, "_meta": able});
    let begun = gate.modern(&alice, "tools/call", call).await.message();
    let handle = begun["result"]["taskId"].as_str().unwrap_or_else(|| panic!("{begun}"));
    let ask = |who: &'static str, handle: String| {
        let (token, params) =
            (if who == "alice" { &alice } else { &bob }, json!({"taskId": handle, "_meta": able}));
        let gate = &gate;
        async move { gate.modern(token, "tasks/get", params).await }
    };
    let own = ask("alice", handle.to_owned()).await.message();
    assert_eq!(own["result"]["status"], "working", "{own}");
    let mut altered = handle.to_owned();
    let last = if altered.ends_with('A') { 'B' } else { 'A' };
    altered.pop();
    altered.push(last);
    for (who, handle) in [("bob", handle), ("alice", "task-1"), ("alice", &altered), ("alice", "")] {
        let answer = ask(who, handle.to_owned()).await;
        // Nothing tells a task of somebody else from none.
        assert_eq!(answer.code(), Some(-32602), "{who} {handle}: {}", answer.body);
        assert_eq!(answer.message()["error"]["data"]["kind"], "unknown_task", "{}", answer.body);
    }
    // Without the extension there are no tasks, whoever asks.
    for handle in [handle, "task-1"] {
        let message = gate.modern(&alice, "tasks/get", json!({"taskId": handle})).await.message();
        assert_eq!(message["error"]["code"], -32021, "{message}");
        let needed = &message["error"]["data"]["requiredCapabilities"];
        assert_eq!(*needed, able["io.modelcontextprotocol/clientCapabilities"], "{message}");
    }
    // Nor can it be cancelled by others.
    let cancel = gate.modern(&bob, "tasks/cancel", json!({"taskId": handle, "_meta": able})).await;
    assert_eq!(cancel.code(), Some(-32602), "{}", cancel.body);
    assert_eq!(ask("alice", handle.to_owned()).await.message()["result"]["status"], "working");
}

/// A call of a session that goes on until it is cancelled, and its first event.
async fn long_call(gate: &Gate, token: &Token, session: &str) -> (reqwest::Response, String) {
    let params = json!({"name": "ops_long_report", "arguments": {"steps": 9999, "delay_ms": 20},
        "_meta": {"progressToken": "of-alice"}});
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
    let request = gate.http.post(&gate.endpoint).bearer_auth(&token.value).body(body.to_string());
    let request = request.header("content-type", "application/json").header("mcp-session-id", session);
    let mut response = request.header("accept", "application/json, text/event-stream").send().await.unwrap();
    let mut text = String::new();
    while !text.contains("of-alice") {
        let bytes = response.chunk().await.unwrap().expect("progress");
        text.push_str(std::str::from_utf8(&bytes).unwrap());
    }
    (response, text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_id_leads_to_events_of_ones_own_session_only() {
    let site = Site::new(&demo_servers(), "", PERMIT_ALL);
    let (alice, bob) = (site.token("alice", "employee"), site.token("bob", "employee"));
    let gate = site.start();
    let hers = gate.session(&alice, "2025-11-25").await;
    let (call, events) = long_call(&gate, &alice, &hers).await;
    let id = events.lines().find_map(|line| line.strip_prefix("id: ")).expect("an event id").to_owned();
    // Bob knows the id, and even the session; Alice herself comes from another session.
    let another = gate.session(&alice, "2025-11-25").await;
    let bobs = gate.session(&bob, "2025-11-25").await;
    for (who, session) in [(&bob, &bobs), (&alice, &another)] {
        let request = gate.http.get(&gate.endpoint).bearer_auth(&who.value).header("mcp-session-id", session);
        let request = request.header("accept", "text/event-stream").header("last-event-id", &id);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let end = gate.http.delete(&gate.endpoint).bearer_auth(&who.value).header("mcp-session-id", session);
        assert_eq!(end.send().await.unwrap().status(), 204);
        let all: Vec<u8> = response.bytes_stream().map(|bytes| bytes.unwrap().to_vec()).concat().await;
        let all = String::from_utf8(all).unwrap();
        assert!(!all.contains("of-alice"), "{all}");
    }
    let foreign = gate.http.get(&gate.endpoint).bearer_auth(&bob.value).header("mcp-session-id", &hers);
    let foreign = foreign.header("accept", "text/event-stream").header("last-event-id", &id);
    assert_eq!(foreign.send().await.unwrap().status(), 404);
    drop(call);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_under_way_is_not_taken_twice() {
    let site = Site::new(&demo_servers(), "", PERMIT_ALL);
    let alice = site.token("alice", "employee");
    let gate = site.start();
    let session = gate.session(&alice, "2025-06-18").await;
    let (mut call, mut events) = long_call(&gate, &alice, &session).await;
    let ping = |id: u64| {
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
        "params": {"name": "ops_echo", "arguments": {"text": "hi"}}})
    };
    let send = |body: Value| gate.legacy_raw(&alice, Some(&session), body.to_string().into_bytes());
    let twice = send(ping(7)).await;
    assert_eq!((twice.status, twice.code()), (400, Some(-32600)), "{}", twice.body);
    assert_eq!(send(ping(8)).await.code(), None);
    // The first is still the one that a cancellation means.
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}});
    assert_eq!(send(cancel).await.status, 202);
    while let Some(bytes) = call.chunk().await.unwrap() {
        events.push_str(std::str::from_utf8(&bytes).unwrap());
    }
    assert!(!events.contains("\"result\""), "a cancelled request has no answer");
    assert_eq!(send(ping(7)).await.code(), None, "and its id is free");
}
