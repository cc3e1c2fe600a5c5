//! Nothing leaks: planted values come out nowhere, in any form that a reader would recognise.

use crate::harness::{Gate, PERMIT_ALL, Site, Token, demo_servers, hostile_server, modern_request};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use serde_json::json;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Values that no real text holds, built so that no scanner takes this file for a leak.
fn canaries() -> Vec<(&'static str, String)> {
    vec![
        ("email", format!("canary.person{}canary-corp.com", '@')),
        ("card", format!("4929{}", "126473928461")),
        ("iban", format!("DE{}", "89370400440532013000")),
        ("ssn", format!("{}-{}-{}", 536, 22, 8726)),
        ("aws", format!("AKIA{}", "Q3EGRIVCANARY234")),
        ("github", format!("ghp_{}", "Ab3dEfGh1jKlMnOpQr5tUvWxYz0123456789")),
        ("stripe", format!("sk_live_{}", "51HCanaryAbCdEfGhIjKlMnOp")),
    ]
    .into_iter()
    .map(|(name, value)| (name, if name == "card" { luhn(&value) } else { value }))
    .collect()
}

/// The card number with the last digit that makes it valid (ISO/IEC 7812-1).
fn luhn(digits: &str) -> String {
    let stem = &digits[..15];
    let sum: u32 = stem
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| {
            let d = u32::from(b - b'0');
            if i % 2 == 0 { if d > 4 { d * 2 - 9 } else { d * 2 } } else { d }
        })
        .sum();
    format!("{stem}{}", (10 - sum % 10) % 10)
}

pub fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

fn holds(bytes: &[u8], value: &str) -> bool {
    bytes.windows(value.len()).any(|window| window == value.as_bytes())
}

pub type Traces = Arc<Mutex<Vec<u8>>>;

/// A collector that keeps all that it is sent.
pub async fn collector() -> (String, Traces) {
    let traces = Traces::default();
    let take = |State(traces): State<Traces>, body: Bytes| async move {
        traces.lock().unwrap().extend_from_slice(&body);
        ([("content-type", "application/x-protobuf")], Bytes::new())
    };
    let routes = Router::new().route("/v1/traces", post(take)).with_state(traces.clone());
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(socket, routes).await });
    (format!("http://{address}"), traces)
}

/// A call with a value in each header that an agent may send.
async fn with_headers(gate: &Gate, token: &Token, value: &str) -> String {
    let arguments = json!({"text": "x"});
    let (headers, mut body) =
        modern_request("tools/call", json!({"name": "ops_echo", "arguments": arguments}));
    body["params"]["_meta"]["progressToken"] = json!(1);
    let bearer = format!("Bearer {}", token.value);
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut answers = String::new();
    for state in [format!("vendor={value}"), "kept=1".to_owned()] {
        let later = format!("cc{}-{value}", &parent[2..]);
        for parent in [parent, &later] {
            let mut all: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
            all.extend([
                ("authorization", bearer.as_str()),
                ("traceparent", parent),
                ("tracestate", &state),
                ("user-agent", value),
                ("cookie", value),
                ("x-forwarded-for", value),
                ("baggage", value),
                ("x-canary", value),
            ]);
            answers += &gate.send("POST", "/mcp", &all, body.to_string().into_bytes()).await.body;
        }
    }
    answers
}

/// Answers of every kind from the server that puts an address into each place that it can.
async fn what_the_backend_leaks(gate: &Gate, token: &Token, session: &str) -> Vec<String> {
    let call = |tool: &str| json!({"name": format!("bad_{tool}"), "arguments": {}, "_meta": {"progressToken": "mine"}});
    let mut answers = Vec::new();
    for (method, params) in [
        ("tools/call", call("leaks_underway")),
        ("tools/call", call("leaks_result")),
        ("tools/call", call("described")),
        ("tools/list", json!({})),
        ("prompts/list", json!({})),
        ("prompts/get", json!({"name": "bad_p"})),
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("resources/read", json!({"uri": "bad+a://1"})),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "bad_p"}, "argument": {"name": "who", "value": ""}}),
        ),
    ] {
        for path in ["/mcp", "/servers/bad/mcp"] {
            let mut params = params.clone();
            if path != "/mcp" {
                for key in ["name", "uri"] {
                    if let Some(text) = params[key].as_str() {
                        params[key] = json!(text.trim_start_matches("bad_").trim_start_matches("bad+"));
                    }
                }
                if let Some(name) = params["ref"]["name"].as_str() {
                    params["ref"]["name"] = json!(name.trim_start_matches("bad_"));
                }
            }
            let answer = gate.modern_at(path, token, method, params).await;
            assert_eq!(answer.status, 200, "{method}: {}", answer.body);
            answers.push(answer.body);
        }
        answers.push(gate.legacy(token, session, method, params).await.body);
    }
    answers.push(gate.modern(token, "server/discover", json!({})).await.body);
    let seen = answers.concat();
    assert!(seen.contains("writing to [EMAIL]") && seen.contains("Ask [EMAIL] first."), "{seen}");
    answers
}

#[tokio::test]
async fn planted_values_come_out_nowhere() {
    let servers = format!("{}{}", demo_servers(), hostile_server());
    let (collector, traces) = collector().await;
    let settings = format!("telemetry: {{ log: {{ level: debug }}, otlp: {{ endpoint: \"{collector}\" }} }}");
    let site = Site::new(&servers, &settings, PERMIT_ALL);
    let token = site.token("alice", "employee");
    let mut gate = site.start();
    let session = gate.session(&token, "2025-11-25").await;
    let mut answers = Vec::new();
    for (_, value) in canaries() {
        let inside = json!({"note": format!("please use {value} now")}).to_string();
        for text in [value.clone(), format!("contact: {value}, thanks"), inside] {
            answers.push(gate.call(&token, "ops_echo", json!({"text": text})).await.body);
            let params = json!({"name": "ops_echo", "arguments": {"text": text}});
            answers.push(gate.legacy(&token, &session, "tools/call", params).await.body);
        }
        // As a name, a key, an unknown method, a URI, a client's name, a request id, a trace header.
        answers.push(gate.call(&token, &value, json!({})).await.body);
        answers.push(gate.call(&token, "ops_echo", json!({"text": "x", value.clone(): 1})).await.body);
        answers.push(
            gate.modern(&token, "resources/read", json!({"uri": format!("ops+runbook://by?who={value}")}))
                .await
                .body,
        );
        let body = json!({"jsonrpc": "2.0", "id": 7, "method": value, "params": {}}).to_string();
        gate.legacy_raw(&token, Some(&session), body.into_bytes()).await;
        let body = json!({"jsonrpc": "2.0", "id": value, "method": "tools/list", "params": {}}).to_string();
        gate.legacy_raw(&token, Some(&session), body.into_bytes()).await;
        let broken = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{value}");
        gate.legacy_raw(&token, Some(&session), broken.into_bytes()).await;
        answers.push(with_headers(&gate, &token, &value).await);
    }
    answers.extend(what_the_backend_leaks(&gate, &token, &session).await);
    answers.push(gate.call(&token, "bad_leaks_error", json!({})).await.body);
    answers.push(gate.call(&token, "bad_stderr", json!({})).await.body);
    answers.push(gate.call(&token, "crm_search_customers", json!({"query": "a"})).await.body);
    answers.push(gate.page("/metrics").await.body);
    answers.push(gate.page("/readyz").await.body);
    let mut everywhere: Vec<(String, Vec<u8>)> =
        answers.into_iter().enumerate().map(|(i, body)| (format!("answer {i}"), body.into_bytes())).collect();
    // The last spans leave when the process ends.
    assert!(gate.stop());
    files(&gate.site.data(), &mut everywhere);
    everywhere.push(("standard error".into(), gate.stderr().into_bytes()));
    let traces = std::mem::take(&mut *traces.lock().unwrap());
    for text in ["tools/call ops_echo", "kept=1"] {
        assert!(holds(&traces, text), "`{text}` is missing in {} bytes of traces", traces.len());
    }
    everywhere.push(("the traces".into(), traces));
    for (place, bytes) in &everywhere {
        for (name, value) in canaries() {
            assert!(!holds(bytes, &value), "the planted {name} is in {place}");
        }
        assert!(!holds(bytes, &token.value), "the token is in {place}");
        assert!(!holds(bytes, &format!("leak{}example.com", '@')), "an error's address is in {place}");
    }
}
