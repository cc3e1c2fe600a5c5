//! Changes of a server's lists: a burst is one change, and only those hear of it whose own view is another.

use crate::events::Events;
use crate::harness::{Gate, Site, Token};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::broadcast;

/// A stateless server whose list of tools the test changes.
struct Changing {
    tools: Mutex<Vec<String>>,
    lists: AtomicUsize,
    notices: broadcast::Sender<()>,
}

impl Changing {
    /// Adds a tool, and says so that many times at once.
    fn add(&self, tool: &str, notices: usize) {
        self.tools.lock().unwrap().push(tool.to_owned());
        for _ in 0..notices {
            self.notices.send(()).expect("somebody listens");
        }
    }
}

async fn answer(State(server): State<Arc<Changing>>, Json(request): Json<Value>) -> Response {
    let id = request["id"].clone();
    let result = match request["method"].as_str().unwrap_or_default() {
        "server/discover" => json!({"resultType": "complete", "supportedVersions": ["2026-07-28"],
            "capabilities": {"tools": {"listChanged": true}}, "ttlMs": 0, "cacheScope": "private"}),
        "tools/list" => {
            server.lists.fetch_add(1, Ordering::SeqCst);
            let tools = server.tools.lock().unwrap();
            let tools: Vec<Value> =
                tools.iter().map(|name| json!({"name": name, "inputSchema": {"type": "object"}})).collect();
            json!({"resultType": "complete", "ttlMs": 0, "cacheScope": "private", "tools": tools})
        }
        "subscriptions/listen" => return listen(&server, id),
        method => panic!("not asked here: {method}"),
    };
    Json(json!({"jsonrpc": "2.0", "id": id, "result": result})).into_response()
}

fn listen(server: &Changing, id: Value) -> Response {
    let meta = json!({"io.modelcontextprotocol/subscriptionId": id});
    let event = |message: Value| Ok::<_, Infallible>(format!("data: {message}\n\n"));
    let acknowledged = event(json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
        "params": {"_meta": meta, "notifications": {"toolsListChanged": true}}}));
    let changed =
        json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": {"_meta": meta}});
    let notices = tokio_stream::wrappers::BroadcastStream::new(server.notices.subscribe());
    let events =
        futures_util::stream::iter([acknowledged]).chain(notices.map(move |_| event(changed.clone())));
    ([("content-type", "text/event-stream")], axum::body::Body::from_stream(events)).into_response()
}

const OWN_TOOLS: &str = r#"
@id("alice") permit(principal == User::"alice", action in Action::"Mcp", resource)
unless { resource is Tool && resource.name like "b*" };
@id("bob") permit(principal == User::"bob", action in Action::"Mcp", resource)
unless { resource is Tool && resource.name like "a*" };
"#;

async fn tools(gate: &Gate, token: &Token) -> Vec<Value> {
    let list = gate.modern(token, "tools/list", json!({})).await.message();
    list["result"]["tools"].as_array().expect("tools").iter().map(|tool| tool["name"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_is_one_change_for_those_who_see_it() {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let server = Arc::new(Changing {
        tools: Mutex::new(vec!["a0".into(), "b0".into()]),
        lists: AtomicUsize::new(0),
        notices: broadcast::channel(1024).0,
    });
    let router = Router::new().route("/mcp", post(answer)).with_state(server.clone());
    tokio::spawn(async move { axum::serve(socket, router).await });
    let site = Site::new(&format!("  x: {{ url: \"http://{address}/mcp\" }}\n"), "", OWN_TOOLS);
    let (alice, bob) = (site.token("alice", "employee"), site.token("bob", "employee"));
    let gate = site.start();
    gate.until(|page| page["backends"][0]["state"] == "up").await;
    assert_eq!(tools(&gate, &alice).await, ["x_a0"]);

    let wanted = json!({"notifications": {"toolsListChanged": true}});
    let mut hers = Events::modern(&gate, &alice, "subscriptions/listen", wanted).await;
    assert_eq!(hers.next().await.1["method"], "notifications/subscriptions/acknowledged");
    let session = gate.session(&bob, "2025-06-18").await;
    let mut his = Events::standing(&gate, &bob, &session).await;
    while server.notices.receiver_count() == 0 {
        tokio::task::yield_now().await;
    }

    let before = server.lists.load(Ordering::SeqCst);
    server.add("b1", 60);
    assert_eq!(his.next().await.1["method"], "notifications/tools/list_changed");
    assert_eq!(tools(&gate, &bob).await, ["x_b0", "x_b1"]);
    server.add("a1", 1);
    assert_eq!(hers.next().await.1["method"], "notifications/tools/list_changed");
    // The first that she heard: of `b1` nobody told her.
    assert_eq!(tools(&gate, &alice).await, ["x_a0", "x_a1"]);
    server.add("b2", 1);
    assert_eq!(his.next().await.1["method"], "notifications/tools/list_changed");
    // So was his second of `b2`, and not of `a1`.
    assert_eq!(tools(&gate, &bob).await, ["x_b0", "x_b1", "x_b2"]);
    let asked = server.lists.load(Ordering::SeqCst) - before;
    assert!(asked <= 6, "62 notices of three changes made the gateway list {asked} times");
}
