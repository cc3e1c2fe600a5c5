//! Backends over HTTP+SSE and WebSocket: what is carried, and what a server that misbehaves can do.

use super::backend::{Backend, Fault};
use crate::harness::{Gate, PERMIT_ALL, Site, Token};
use serde_json::{Value, json};

/// `mcpServers` with the same server behind both transports.
fn servers(address: &str) -> String {
    let rest = "headers: { authorization: Bearer upstream-secret }, timeoutMs: 3000, startTimeoutMs: 5000, trust: 80";
    format!(
        "  sse: {{ type: sse, url: \"http://{address}/sse\", {rest} }}\n  ws: {{ url: \"ws://{address}/ws\", {rest} }}"
    )
}

fn gate(backend: &Backend) -> (Gate, Token) {
    let site = Site::new(&servers(&backend.address), "limits: { responseBytes: 65536 }", PERMIT_ALL);
    let token = site.token("alice", "employee");
    (site.start(), token)
}

fn state<'a>(page: &'a Value, server: &str) -> &'a Value {
    let backends = page["backends"].as_array().expect("backends");
    backends.iter().find(|b| b["server"] == server).expect("the backend")
}

async fn echo(gate: &Gate, token: &Token, server: &str) -> crate::harness::Answer {
    gate.call(token, &format!("{server}_echo"), json!({"text": "over there"})).await
}

/// Waits until the server's tools are listed again, in a bounded number of looks.
async fn comes_back(gate: &Gate, token: &Token, server: &str) {
    let path = format!("/servers/{server}/mcp");
    for _ in 0..400 {
        if gate.modern_at(&path, token, "tools/list", json!({})).await.body.contains("long_report") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("`{server}` did not come back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sse_and_websocket_carry_lists_calls_and_progress_in_both_eras() {
    let mut backend = Backend::start(Fault::Nothing).await;
    let (gate, token) = gate(&backend);
    let page = gate.until(|page| ["sse", "ws"].iter().all(|id| state(page, id)["state"] == "up")).await;
    assert_eq!(state(&page, "sse")["protocol"], "2025-11-25", "the old transport means the old era");
    assert_eq!(state(&page, "ws")["protocol"], "2026-07-28");
    backend.receives("upgrade with Some(\"Bearer upstream-secret\")").await;
    let session = gate.session(&token, "2025-06-18").await;
    for server in ["sse", "ws"] {
        let answer = echo(&gate, &token, server).await.message();
        assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
        assert!(answer.to_string().contains("over there"), "{answer}");
        let params = json!({
            "name": format!("{server}_long_report"),
            "arguments": {"steps": 5, "delay_ms": 1},
            "_meta": {"progressToken": "p"},
        });
        for answer in [
            gate.modern(&token, "tools/call", params.clone()).await,
            gate.legacy(&token, &session, "tools/call", params.clone()).await,
        ] {
            let events = answer.events();
            let steps: Vec<_> = events.iter().filter_map(|e| e["params"]["progress"].as_i64()).collect();
            assert_eq!(steps, [1, 2, 3, 4, 5], "{events:?}");
            assert!(events.last().expect("a last one")["result"].is_object());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_refuses_posts_is_tried_by_the_old_transport_unless_its_type_is_said() {
    let backend = Backend::start(Fault::Nothing).await;
    let url = format!("url: \"http://{}/sse\", startTimeoutMs: 5000, trust: 80", backend.address);
    let servers =
        format!("  open: {{ {url} }}\n  said: {{ type: http, {url} }}\n  modern: {{ era: modern, {url} }}");
    let site = Site::new(&servers, "", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    let told = |page: &Value| {
        state(page, "open")["state"] == "up"
            && ["said", "modern"].iter().all(|server| state(page, server)["state"] == "down")
    };
    let page = gate.until(told).await;
    assert_eq!(state(&page, "open")["protocol"], "2025-11-25");
    let reason = state(&page, "said")["reason"].as_str().unwrap();
    assert!(reason.contains("405"), "{reason}");
    let answer = echo(&gate, &token, "open").await.message();
    assert!(answer.to_string().contains("over there"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_call_is_cancelled_at_the_backend() {
    let mut backend = Backend::start(Fault::Nothing).await;
    let (gate, token) = gate(&backend);
    for server in ["sse", "ws"] {
        let params = json!({
            "name": format!("{server}_long_report"),
            "arguments": {"steps": 5000, "delay_ms": 5},
            "_meta": {"progressToken": 1},
        });
        let (headers, body) = crate::harness::modern_request("tools/call", params);
        let mut request = gate.http.post(&gate.endpoint).bearer_auth(&token.value).body(body.to_string());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut response = request.send().await.unwrap();
        assert!(response.chunk().await.unwrap().is_some(), "progress has begun");
        drop(response);
        let call = backend.receives("long_report").await;
        let cancelled = backend.receives("notifications/cancelled").await;
        let (call, cancelled): (Value, Value) =
            (serde_json::from_str(&call).unwrap(), serde_json::from_str(&cancelled).unwrap());
        assert_eq!(cancelled["params"]["requestId"], call["id"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_event_that_leads_elsewhere_gets_nothing() {
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: &'static str =
        Box::leak(format!("http://{}/messages", elsewhere.local_addr().unwrap()).into_boxed_str());
    for fault in [Fault::Endpoint(address), Fault::Endpoint("//evil.example/messages")] {
        let backend = Backend::start(fault).await;
        let (gate, token) = gate(&backend);
        let page = gate.until(|page| state(page, "sse")["state"] == "down").await;
        let reason = state(&page, "sse")["reason"].as_str().unwrap();
        assert!(reason.contains("points to another origin"), "{reason}");
        assert_eq!(state(&page, "ws")["state"], "up", "one backend takes no other with it");
        assert_eq!(echo(&gate, &token, "sse").await.code(), Some(8001));
    }
    let knocked = tokio::time::timeout(std::time::Duration::ZERO, elsewhere.accept()).await;
    assert!(knocked.is_err(), "somebody connected to the other origin");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_what_it_should_be_is_down_with_a_reason() {
    for (fault, server, words) in [
        (Fault::NoEndpoint, "sse", "does not begin with an `endpoint` event"),
        (Fault::NoSubprotocol, "ws", "does not agree on the WebSocket subprotocol"),
    ] {
        let backend = Backend::start(fault).await;
        let (gate, _) = gate(&backend);
        let page = gate.until(|page| state(page, server)["state"] == "down").await;
        assert!(state(&page, server)["reason"].as_str().unwrap().contains(words), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_goes_wrong_in_a_call_ends_that_call_and_the_backend_comes_back() {
    // The fault, and whether the call fails over SSE and over a WebSocket.
    for (fault, over_sse, over_ws) in [
        (Fault::HangsUp, true, true),
        (Fault::Huge(16 << 20), true, true),
        (Fault::Stops, true, true),
        (Fault::Refuses(500), true, false),
        (Fault::Refuses(404), true, false),
        (Fault::MovesAway, true, false),
        (Fault::Binary, false, true),
        (Fault::GarbageFirst, false, false),
    ] {
        let backend = Backend::start(fault).await;
        let (gate, token) = gate(&backend);
        for (server, fails) in [("sse", over_sse), ("ws", over_ws)] {
            let answer = echo(&gate, &token, server).await;
            assert_eq!(answer.code(), fails.then_some(8004), "{server}: {}", answer.body);
            comes_back(&gate, &token, server).await;
        }
    }
}
