//! A backend over HTTP that sends not even headers: its calls can be cancelled and revoked all the same.

use crate::harness::{Gate, PERMIT_ALL, Site, Token};
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::time::{Duration, timeout};

/// Ends a wait that would hang; no test passes or fails by how long something takes.
const FOREVER: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Seen {
    called: Notify,
    given_up: Notify,
}

struct Guard(Arc<Seen>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.given_up.notify_one();
    }
}

async fn answer(State(seen): State<Arc<Seen>>, Json(request): Json<Value>) -> Json<Value> {
    let result = match request["method"].as_str().unwrap_or_default() {
        "server/discover" => json!({"resultType": "complete", "supportedVersions": ["2026-07-28"],
            "capabilities": {"tools": {}}, "ttlMs": 0, "cacheScope": "private"}),
        "tools/list" => json!({"resultType": "complete", "ttlMs": 0, "cacheScope": "private",
            "tools": [{"name": "wait", "inputSchema": {"type": "object"}}]}),
        _ => {
            let _guard = Guard(seen.clone());
            seen.called.notify_one();
            std::future::pending().await
        }
    };
    Json(json!({"jsonrpc": "2.0", "id": request["id"], "result": result}))
}

async fn start() -> (Arc<Seen>, Gate, Token) {
    let seen = Arc::<Seen>::default();
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let routes = Router::new().route("/mcp", post(answer)).with_state(seen.clone());
    tokio::spawn(async move { axum::serve(socket, routes).await });
    let site = Site::new(&format!("  slow: {{ url: \"http://{address}/mcp\" }}\n"), "", PERMIT_ALL);
    let token = site.token("alice", "employee");
    (seen, site.start(), token)
}

/// The outcomes in the log, once there is one.
async fn outcome(gate: &Gate) -> String {
    for _ in 0..400 {
        let records = gate.site.records();
        if let Some(end) = records.iter().find(|r| r["kind"] == "call.outcome") {
            return end["status"].as_str().unwrap_or_default().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the call has no outcome");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_ends_a_call_whose_backend_is_silent() {
    let (seen, gate, token) = start().await;
    let call = gate.call(&token, "slow_wait", json!({}));
    let revoke = async {
        timeout(FOREVER, seen.called.notified()).await.expect("the backend is called");
        let out = gate.site.sealgate(&["token", "revoke", "--config", "sealgate.yaml", &token.id]);
        assert!(out.status.success());
    };
    let (answer, ()) = timeout(FOREVER, async { tokio::join!(call, revoke) }).await.expect("it ends");
    assert_eq!(answer.status, 401, "{}", answer.body);
    assert!(answer.headers["www-authenticate"].to_str().unwrap().contains("invalid_token"));
    timeout(FOREVER, seen.given_up.notified()).await.expect("the backend is told");
    assert_eq!(outcome(&gate).await, "cancelled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_cancels_a_call_whose_backend_is_silent() {
    let (seen, gate, token) = start().await;
    let session = gate.session(&token, "2025-11-25").await;
    let call = gate.legacy(&token, &session, "tools/call", json!({"name": "slow_wait", "arguments": {}}));
    let cancel = async {
        timeout(FOREVER, seen.called.notified()).await.expect("the backend is called");
        let note = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
        let told = gate.legacy_raw(&token, Some(&session), note.to_string().into_bytes()).await;
        assert_eq!(told.status, 202);
    };
    let (answer, ()) = timeout(FOREVER, async { tokio::join!(call, cancel) }).await.expect("it ends");
    assert_eq!((answer.status, answer.code()), (200, Some(8007)), "{}", answer.body);
    timeout(FOREVER, seen.given_up.notified()).await.expect("the backend is told");
    assert_eq!(outcome(&gate).await, "cancelled");
}

async fn serve(address: &str) -> (std::net::SocketAddr, tokio::task::JoinHandle<()>) {
    let socket = tokio::net::TcpListener::bind(address).await.unwrap();
    let address = socket.local_addr().unwrap();
    let routes = Router::new().route("/mcp", post(answer)).with_state(Arc::<Seen>::default());
    let serving = tokio::spawn(async move {
        // Connections that are kept open end with their runtime only, so each answer closes its own.
        let routes =
            routes.layer(axum::middleware::map_response(|mut response: axum::response::Response| async {
                response.headers_mut().insert("connection", axum::http::HeaderValue::from_static("close"));
                response
            }));
        let _ = axum::serve(socket, routes).await;
    });
    (address, serving)
}

#[tokio::test]
async fn a_backend_that_has_gone_is_down_until_it_is_back() {
    let (address, serving) = serve("127.0.0.1:0").await;
    let site = Site::new(&format!("  slow: {{ url: \"http://{address}/mcp\" }}\n"), "", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    // Up, and its tool among the rules in force.
    for _ in 0..400 {
        if gate.modern(&token, "tools/list", json!({})).await.body.contains("slow_wait") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    serving.abort();
    let _ = serving.await;
    let answer = gate.call(&token, "slow_wait", json!({})).await;
    assert_eq!(answer.code(), Some(8004), "{}", answer.body);
    gate.until(|page| page["backends"][0]["state"] == "down").await;
    let (_, serving) = serve(&address.to_string()).await;
    gate.until(|page| page["backends"][0]["state"] == "up").await;
    serving.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_answer_becomes_a_stream_that_shows_that_it_lives() {
    let (seen, gate, token) = start().await;
    let (headers, body) = crate::harness::modern_request("tools/call", json!({"name": "slow_wait"}));
    let mut request = gate.http.post(&gate.endpoint).bearer_auth(&token.value).body(body.to_string());
    for (name, value) in headers {
        request = request.header(name, value);
    }
    // Both come by themselves; how soon is not what is tested.
    let mut response = timeout(FOREVER, request.send()).await.expect("a stream begins").unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    for _ in 0..2 {
        let comment = timeout(FOREVER, response.chunk()).await.expect("a sign of life").unwrap();
        assert_eq!(comment.as_deref(), Some(&b":\n\n"[..]));
    }
    drop(response);
    timeout(FOREVER, seen.given_up.notified()).await.expect("the backend is told");
    assert_eq!(outcome(&gate).await, "cancelled");
}
