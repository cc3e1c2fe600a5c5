//! An agent that asks for a stream and never reads it: its call is given up, and its place is free for others. A
//! stream without end that is read ends with the call's time.

use crate::harness::{Gate, PERMIT_ALL, Site, Token, modern_request};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::stream::unfold;
use serde_json::{Value, json};
use std::convert::Infallible;
use tokio::time::Duration;

/// A server that answers each call with progress without end, and `done` at once.
async fn answer(Json(request): Json<Value>) -> Response {
    let result = match request["method"].as_str().unwrap_or_default() {
        "server/discover" => json!({"resultType": "complete", "supportedVersions": ["2026-07-28"],
            "capabilities": {"tools": {}}, "ttlMs": 0, "cacheScope": "private"}),
        "tools/list" => json!({"resultType": "complete", "ttlMs": 0, "cacheScope": "private",
            "tools": [{"name": "talk", "inputSchema": {"type": "object"}},
                {"name": "done", "inputSchema": {"type": "object"}}]}),
        _ if request["params"]["name"] == "done" => {
            json!({"resultType": "complete", "content": [{"type": "text", "text": "done"}]})
        }
        _ => return talk(&request["params"]["_meta"]["progressToken"]),
    };
    Json(json!({"jsonrpc": "2.0", "id": request["id"], "result": result})).into_response()
}

fn talk(token: &Value) -> Response {
    let token = token.clone();
    let events = unfold(1, move |step| {
        let params = json!({"progressToken": token, "progress": step, "message": "la ".repeat(5_000)});
        let event = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params});
        async move { Some((Ok::<_, Infallible>(format!("data: {event}\n\n")), step + 1)) }
    });
    let body = axum::body::Body::from_stream(events);
    ([("content-type", "text/event-stream")], body).into_response()
}

async fn start(unread_ms: u32, timeout_ms: u32) -> (Gate, Token) {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(socket, Router::new().route("/mcp", post(answer))).await });
    let limits = format!("limits: {{ callsPerPrincipal: 1, unreadMs: {unread_ms}, callTimeoutMs: 600000 }}");
    let servers = format!("  radio: {{ url: \"http://{address}/mcp\", timeoutMs: {timeout_ms} }}\n");
    let site = Site::new(&servers, &limits, PERMIT_ALL);
    let token = site.token("alice", "employee");
    (site.start(), token)
}

/// Waits until as many calls have been recorded as cancelled, in a bounded number of looks.
async fn cancelled(gate: &Gate, calls: usize) {
    for _ in 0..1200 {
        let records = gate.site.records();
        let ends = records.iter().filter(|r| r["kind"] == "call.outcome" && r["status"] == "cancelled");
        if ends.count() == calls {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the call goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_stream_nobody_reads_is_given_up_in_both_eras() {
    let (gate, token) = start(300, 600_000).await;
    let call = json!({"name": "radio_talk", "arguments": {}, "_meta": {"progressToken": "p"}});

    let (headers, body) = modern_request("tools/call", call.clone());
    let mut request = gate.http.post(&gate.endpoint).bearer_auth(&token.value).body(body.to_string());
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let unread = request.send().await.unwrap();
    assert_eq!(unread.status(), 200);
    cancelled(&gate, 1).await;
    // Its place was the only one that this principal has.
    let answer = gate.call(&token, "radio_done", json!({})).await;
    assert!(answer.body.contains("done"), "{}", answer.body);

    let session = gate.session(&token, "2025-06-18").await;
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": call});
    let request = gate.http.post(&gate.endpoint).bearer_auth(&token.value).body(body.to_string());
    let request = request.header("content-type", "application/json").header("mcp-session-id", &session);
    let also = request.header("accept", "application/json, text/event-stream").send().await.unwrap();
    assert_eq!(also.status(), 200);
    cancelled(&gate, 2).await;
    let answer = gate.legacy(&token, &session, "tools/call", json!({"name": "radio_done"})).await;
    assert!(answer.body.contains("done"), "{}", answer.body);
    drop((unread, also));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_without_end_ends_with_the_calls_time() {
    let (gate, token) = start(600_000, 1500).await;
    let call = json!({"name": "radio_talk", "arguments": {}, "_meta": {"progressToken": "p"}});
    let answer = gate.modern(&token, "tools/call", call).await;
    let events = answer.events();
    assert!(events.len() > 1, "progress came");
    assert_eq!(events.last().expect("a last one")["error"]["code"], 8004);
    assert_eq!(gate.call(&token, "radio_done", json!({})).await.code(), None);
}
