//! A backend of the session era that forgets its sessions: calls that cannot have run are sent again, others are not.

use crate::harness::{Gate, PERMIT_ALL, Site, Token};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use axum::{Json, Router, body};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct World {
    sessions: u32,
    /// The only session that it knows.
    current: Option<String>,
    /// The next call ends without an answer.
    breaks_off: bool,
    /// Sessions in which a call ran.
    ran: Vec<String>,
}

async fn answer(
    State(world): State<Arc<Mutex<World>>>,
    method: axum::http::Method,
    headers: HeaderMap,
    body: body::Bytes,
) -> Response {
    if method != axum::http::Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let request: Value = serde_json::from_slice(&body).unwrap();
    let id = request["id"].clone();
    let said = move |result: Value| Json(json!({"jsonrpc": "2.0", "id": id, "result": result}));
    let mut world = world.lock().unwrap();
    let method = request["method"].as_str().unwrap_or_default();
    if method == "initialize" {
        world.sessions += 1;
        let session = format!("session-{}", world.sessions);
        world.current = Some(session.clone());
        let result = json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
            "serverInfo": {"name": "forgetful", "version": "1"}});
        return ([("mcp-session-id", session)], said(result)).into_response();
    }
    let given = headers.get("mcp-session-id").and_then(|v| v.to_str().ok()).map(str::to_owned);
    if given.is_none() || given != world.current {
        return if given.is_some() { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST }.into_response();
    }
    match method {
        "tools/list" => {
            said(json!({"tools": [{"name": "count", "inputSchema": {"type": "object"}}]})).into_response()
        }
        "tools/call" => {
            world.ran.extend(given);
            if std::mem::take(&mut world.breaks_off) {
                world.current = None;
                // A stream that begins and then ends: nobody can tell what became of the call.
                let cut = futures_util::stream::iter([Ok::<_, Infallible>(":\n\n")]);
                let body = body::Body::from_stream(cut);
                return ([("content-type", "text/event-stream")], body).into_response();
            }
            let count = world.ran.len().to_string();
            said(json!({"content": [{"type": "text", "text": count}]})).into_response()
        }
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

async fn start(mode: &str) -> (Arc<Mutex<World>>, Gate, Token) {
    let world = Arc::<Mutex<World>>::default();
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let routes = Router::new().route("/mcp", any(answer)).with_state(world.clone());
    tokio::spawn(async move { axum::serve(socket, routes).await });
    let server = format!("  old: {{ url: \"http://{address}/mcp\", session: {mode}, timeoutMs: 5000 }}\n");
    let site = Site::new(&server, "", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    gate.until(|page| page["backends"][0]["state"] == "up").await;
    (world, gate, token)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_session_is_renewed_when_nothing_has_run_and_reported_when_that_is_not_known() {
    for mode in ["shared", "perPrincipal"] {
        let (world, gate, alice) = start(mode).await;
        // The agent's own session lives through all of it.
        let session = gate.session(&alice, "2025-06-18").await;
        let call = || gate.legacy(&alice, &session, "tools/call", json!({"name": "old_count"}));
        assert!(call().await.body.contains("\"1\""), "{mode}");
        let before = world.lock().unwrap().sessions;
        // Forgotten between two calls: 404 says that nothing ran, so it is sent once more in a session of its own.
        world.lock().unwrap().current = None;
        let renewed = call().await;
        assert!(renewed.body.contains("\"2\""), "{mode}: {}", renewed.body);
        assert_eq!(world.lock().unwrap().sessions, before + 1, "{mode}");
        // Forgotten in the middle of one: it may have run, so it is not sent again.
        world.lock().unwrap().breaks_off = true;
        let unknown = call().await;
        assert_eq!(unknown.code(), Some(8004), "{mode}: {}", unknown.body);
        assert_eq!(world.lock().unwrap().ran.len(), 3, "{mode}");
        let after = call().await;
        assert!(after.body.contains("\"4\""), "{mode}: {}", after.body);
    }
}
