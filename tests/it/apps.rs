//! MCP Apps: a tool's user interface is a `ui://` resource, which keeps its scheme wherever it is shown.

use crate::harness::{PERMIT_ALL, Site};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

async fn answer(Json(request): Json<Value>) -> Json<Value> {
    let listed = |key: &str, item: Value| json!({"resultType": "complete", "ttlMs": 0, "cacheScope": "private", key: [item]});
    let result = match request["method"].as_str().unwrap_or_default() {
        "server/discover" => json!({"resultType": "complete", "supportedVersions": ["2026-07-28"],
            "capabilities": {"tools": {}, "resources": {}}, "ttlMs": 0, "cacheScope": "private"}),
        "tools/list" => listed(
            "tools",
            json!({"name": "show", "inputSchema": {"type": "object"},
                "_meta": {"ui": {"resourceUri": "ui://map/view.html", "visibility": ["model", "app"]}}}),
        ),
        "resources/list" => listed(
            "resources",
            json!({"uri": "ui://map/view.html", "name": "map", "mimeType": "text/html;profile=mcp-app"}),
        ),
        "resources/templates/list" => json!({"resultType": "complete", "ttlMs": 0, "cacheScope": "private",
            "resourceTemplates": []}),
        "resources/read" => {
            json!({"resultType": "complete", "ttlMs": 0, "cacheScope": "private", "contents": [
            {"uri": request["params"]["uri"], "mimeType": "text/html;profile=mcp-app", "text": "<p>map</p>"}]})
        }
        _ => json!({"resultType": "complete", "content": []}),
    };
    Json(json!({"jsonrpc": "2.0", "id": request["id"], "result": result}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_interface_is_found_under_its_own_scheme() {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(socket, Router::new().route("/mcp", post(answer))).await });
    let site = Site::new(&format!("  gis: {{ url: \"http://{address}/mcp\" }}\n"), "", PERMIT_ALL);
    let alice = site.token("alice", "employee");
    let gate = site.start();
    gate.until(|page| page["backends"][0]["state"] == "up").await;
    for (path, uri) in [("/mcp", "ui://gis+map/view.html"), ("/servers/gis/mcp", "ui://map/view.html")] {
        let tools = gate.modern_at(path, &alice, "tools/list", json!({})).await.message();
        let interface = &tools["result"]["tools"][0]["_meta"]["ui"];
        assert_eq!(*interface, json!({"resourceUri": uri, "visibility": ["model", "app"]}), "{path}");
        let resources = gate.modern_at(path, &alice, "resources/list", json!({})).await.message();
        assert_eq!(resources["result"]["resources"][0]["uri"], uri, "{path}");
        let read = gate.modern_at(path, &alice, "resources/read", json!({"uri": uri})).await.message();
        assert_eq!(read["result"]["contents"][0]["uri"], uri, "{path}: {read}");
        assert_eq!(read["result"]["contents"][0]["text"], "<p>map</p>");
        let session = gate.session(&alice, "2025-11-25").await;
        if path == "/mcp" {
            let read = gate.legacy(&alice, &session, "resources/read", json!({"uri": uri})).await.message();
            assert_eq!(read["result"]["contents"][0]["uri"], uri, "{read}");
        }
    }
}
