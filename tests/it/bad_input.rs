//! Bad input at the agents' door and from backends: each case has its documented answer, and afterwards the
//! gateway still serves.

use crate::harness::{Answer, Gate, PERMIT_ALL, Site, Token, demo_servers, hostile_server, modern_request};
use serde_json::{Value, json};

type Header = (&'static str, String);

/// One case: what is changed about a good request, and what comes back.
struct Case {
    name: &'static str,
    headers: Vec<Header>,
    body: Vec<u8>,
    status: u16,
    code: Option<i64>,
}

fn good() -> (Vec<Header>, Value) {
    modern_request("tools/call", json!({"name": "ops_echo", "arguments": {"text": "hi"}}))
}

fn body(name: &'static str, body: impl Into<Vec<u8>>, status: u16, code: i64) -> Case {
    Case { name, headers: good().0, body: body.into(), status, code: Some(code) }
}

/// A good body under one changed header; `None` removes it.
fn header(name: &'static str, header: &'static str, value: Option<&str>, status: u16, code: i64) -> Case {
    let (mut headers, good) = good();
    headers.retain(|(k, _)| *k != header);
    if let Some(value) = value {
        headers.push((header, value.to_owned()));
    }
    Case { name, headers, body: good.to_string().into_bytes(), status, code: Some(code) }
}

/// A request of another method or other parameters, with headers that fit.
fn request(name: &'static str, method: &str, params: Value, status: u16, code: i64) -> Case {
    let (headers, body) = modern_request(method, params);
    Case { name, headers, body: body.to_string().into_bytes(), status, code: Some(code) }
}

fn edited(name: &'static str, edit: impl Fn(&mut Value), status: u16, code: i64) -> Case {
    let (headers, mut body) = good();
    edit(&mut body);
    Case { name, headers, body: body.to_string().into_bytes(), status, code: Some(code) }
}

fn door() -> Vec<Case> {
    let deep = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{}1{}}}",
        "[".repeat(100),
        "]".repeat(100)
    );
    let good_text = good().1.to_string();
    let version = "io.modelcontextprotocol/protocolVersion";
    vec![
        body("an empty body", "", 400, -32700),
        body("text", "hello", 400, -32700),
        body("cut JSON", &good_text.as_bytes()[..50], 400, -32700),
        body("trailing data", format!("{good_text} {{}}"), 400, -32700),
        body("a trailing comma", "{\"jsonrpc\":\"2.0\",}", 400, -32700),
        body("single quotes", "{'jsonrpc':'2.0'}", 400, -32700),
        body("a byte order mark", format!("\u{feff}{good_text}"), 400, -32700),
        body("not UTF-8", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}".to_vec(), 400, -32700),
        body("a lone surrogate", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\\ud800\"}", 400, -32700),
        body("NaN", "{\"jsonrpc\":\"2.0\",\"id\":NaN,\"method\":\"ping\"}", 400, -32700),
        body("a leading zero", "{\"jsonrpc\":\"2.0\",\"id\":01,\"method\":\"ping\"}", 400, -32700),
        body("a raw control character", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"p\ning\"}", 400, -32700),
        body("a duplicate key", "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}", 400, -32600),
        body(
            "a duplicate key, escaped",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"m\\u0065thod\":\"b\"}",
            400,
            -32600,
        ),
        body(
            "a duplicate name inside",
            good_text
                .replace("\"name\":\"ops_echo\"", "\"name\":\"ops_echo\",\"name\":\"crm_delete_customer\""),
            400,
            -32600,
        ),
        body("too deep", deep, 400, -32600),
        body(
            "a number of 1000 digits",
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}}", "9".repeat(1000)),
            400,
            -32600,
        ),
        body("an array", "[]", 400, -32600),
        body("a batch", format!("[{good_text}]"), 400, -32600),
        body("a string", "\"ping\"", 400, -32600),
        body("null", "null", 400, -32600),
        body("an empty object", "{}", 400, -32600),
        body("no version", "{\"id\":1,\"method\":\"ping\"}", 400, -32600),
        body("version 1.0", "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", 400, -32600),
        body("version as a number", "{\"jsonrpc\":2.0,\"id\":1,\"method\":\"ping\"}", 400, -32600),
        body("a fractional id", "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}", 400, -32600),
        body("an object as id", "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}", 400, -32600),
        body("null as id of a request", "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", 400, -32600),
        body("a number as method", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", 400, -32600),
        body(
            "an array as params",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":[]}",
            400,
            -32600,
        ),
        body(
            "method and result",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"result\":{}}",
            400,
            -32600,
        ),
        body("result and error", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{}}", 400, -32600),
        header("no content type", "content-type", None, 415, -32600),
        header("a form", "content-type", Some("application/x-www-form-urlencoded"), 415, -32600),
        header("accepts pictures only", "accept", Some("image/png"), 406, -32600),
        header("no version header", "mcp-protocol-version", None, 400, -32020),
        header("another version header", "mcp-protocol-version", Some("2025-11-25"), 400, -32020),
        header("no method header", "mcp-method", None, 400, -32020),
        header("another method header", "mcp-method", Some("tools/list"), 400, -32020),
        header("no name header", "mcp-name", None, 400, -32020),
        header("another name header", "mcp-name", Some("ops_list_incidents"), 400, -32020),
        header("a malformed sentinel", "mcp-name", Some("=?base64?%%%?="), 400, -32020),
        header("a foreign origin", "origin", Some("https://evil.example"), 403, -32600),
        header("the null origin", "origin", Some("null"), 403, -32600),
        header("a foreign host", "host", Some("evil.example"), 403, -32600),
        edited(
            "no capabilities",
            |b| {
                b["params"]["_meta"]
                    .as_object_mut()
                    .unwrap()
                    .remove("io.modelcontextprotocol/clientCapabilities");
            },
            400,
            -32602,
        ),
        edited(
            "capabilities of a wrong type",
            |b| b["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!(7),
            400,
            -32602,
        ),
        edited("a version of a wrong type", |b| b["params"]["_meta"][version] = json!(7), 400, -32602),
        Case {
            headers: {
                let mut h = good().0;
                h.retain(|(k, _)| *k != "mcp-protocol-version");
                h.push(("mcp-protocol-version", "2099-01-01".into()));
                h
            },
            ..edited(
                "an unknown version",
                |b| b["params"]["_meta"][version] = json!("2099-01-01"),
                400,
                -32022,
            )
        },
        request("an unknown method", "tools/destroy", json!({}), 404, -32601),
        request("a legacy method", "logging/setLevel", json!({"level": "info"}), 404, -32601),
        request("initialize as a stateless request", "initialize", json!({}), 404, -32601),
        request("no tool", "tools/call", json!({"arguments": {}}), 400, -32020),
        request("an unknown tool", "tools/call", json!({"name": "ops_nothing"}), 200, 8001),
        request("a tool without prefix", "tools/call", json!({"name": "echo"}), 200, 8001),
        request("a tool of another kind of name", "tools/call", json!({"name": "../echo"}), 200, 8001),
        request(
            "arguments as a list",
            "tools/call",
            json!({"name": "ops_echo", "arguments": []}),
            200,
            -32602,
        ),
        request(
            "an argument of a wrong type",
            "tools/call",
            json!({"name": "ops_echo", "arguments": {"text": 7}}),
            200,
            -32602,
        ),
        request("an unknown prompt", "prompts/get", json!({"name": "nothing"}), 200, 8001),
        request("an unknown resource", "resources/read", json!({"uri": "nobody+x://1"}), 200, 8001),
        request("a resource without server", "resources/read", json!({"uri": "x://1"}), 200, 8001),
        request("a bad cursor", "tools/list", json!({"cursor": "AAAA"}), 200, -32602),
        request("an empty cursor", "tools/list", json!({"cursor": ""}), 200, -32602),
        request("a cursor of a wrong type", "tools/list", json!({"cursor": 7}), 200, -32602),
        request(
            "a completion of nothing",
            "completion/complete",
            json!({"argument": {"name": "a", "value": ""}}),
            200,
            -32602,
        ),
        request(
            "a completion of an unknown kind",
            "completion/complete",
            json!({"ref": {"type": "ref/tool"}}),
            200,
            -32602,
        ),
        request(
            "a completion of an unknown prompt",
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "x"}}),
            200,
            8001,
        ),
    ]
}

async fn is_serving(gate: &Gate, token: &Token) {
    let answer = gate.call(token, "ops_echo", json!({"text": "still here"})).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("still here"), "{}", answer.body);
}

#[tokio::test]
async fn every_bad_request_has_its_documented_answer() {
    let site = Site::new(&demo_servers(), "", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    let bearer = format!("Bearer {}", token.value);
    let cases = door();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    for case in cases {
        let mut headers: Vec<(&str, &str)> = case.headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
        headers.push(("authorization", &bearer));
        let answer = gate.send("POST", "/mcp", &headers, case.body).await;
        assert_eq!(
            (answer.status, answer.code()),
            (case.status, case.code),
            "{}: {}",
            case.name,
            answer.body
        );
    }
    is_serving(&gate, &token).await;
}

#[tokio::test]
async fn credentials_methods_and_sizes_are_checked_first() {
    let site = Site::new(&demo_servers(), "limits: { requestBytes: 2000 }", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    let bearer = format!("Bearer {}", token.value);
    let (headers, good) = good();
    let base: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let with = |extra: &'static str, value: &str| {
        let mut all: Vec<(String, String)> = base.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        all.push((extra.into(), value.into()));
        all
    };
    // Another last character, whatever it was.
    let other = if token.value.ends_with('x') { 'y' } else { 'x' };
    let forged = format!("{}{other}", &token.value[..token.value.len() - 1]);
    for (authorization, status) in [
        ("", 401),
        ("Basic YTpi", 401),
        ("Bearer", 401),
        ("Bearer nonsense", 401),
        (&format!("Bearer {forged}"), 401),
    ] {
        let all = with("authorization", authorization);
        let all: Vec<(&str, &str)> = all.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let answer = gate.send("POST", "/mcp", &all, good.to_string().into_bytes()).await;
        assert_eq!(answer.status, status, "{authorization}");
        let challenge = answer.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Bearer"), "{challenge}");
        assert!(!answer.body.contains(&forged));
    }
    let all = with("authorization", &bearer);
    let all: Vec<(&str, &str)> = all.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let huge = gate.send("POST", "/mcp", &all, vec![b' '; 3000]).await;
    assert_eq!((huge.status, huge.code()), (413, Some(-32600)));
    for method in ["PUT", "PATCH", "OPTIONS", "GET", "DELETE"] {
        let answer = gate.send(method, "/mcp", &all, Vec::new()).await;
        assert_eq!(answer.status, 405, "{method}");
        assert!(answer.headers.contains_key("allow"));
    }
    assert_eq!(gate.send("POST", "/nowhere", &all, Vec::new()).await.status, 404);
    let unknown = gate.send("POST", "/servers/nobody/mcp", &all, good.to_string().into_bytes()).await;
    assert_eq!((unknown.status, unknown.code()), (404, Some(8001)));
    let long = "x".repeat(100_000);
    let mut long_header = all.clone();
    long_header.push(("x-long", &long));
    assert_eq!(gate.send("POST", "/mcp", &long_header, Vec::new()).await.status, 431);
    is_serving(&gate, &token).await;
    let reasons: Vec<String> = gate
        .site
        .records()
        .iter()
        .filter(|r| r["kind"] == "auth.failed")
        .map(|r| r["reason"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert!(reasons.contains(&"bad_credential".to_owned()), "{reasons:?}");
}

#[tokio::test]
async fn sessions_are_bound_to_their_principal_and_end() {
    let site = Site::new(&demo_servers(), "", PERMIT_ALL);
    let (alice, bob) = (site.token("alice", "employee"), site.token("bob", "employee"));
    let again = site.token("alice", "employee");
    let gate = site.start();
    let session = gate.session(&alice, "2025-06-18").await;
    let list = |answer: Answer| answer.message()["result"]["tools"].as_array().map(Vec::len);
    assert!(list(gate.legacy(&alice, &session, "tools/list", json!({})).await) > Some(5));
    // Another token of the same principal and agent may go on; another principal may not.
    assert!(list(gate.legacy(&again, &session, "tools/list", json!({})).await) > Some(5));
    let foreign = gate.legacy(&bob, &session, "tools/list", json!({})).await;
    assert_eq!((foreign.status, foreign.code()), (404, Some(-32600)));
    let unknown = gate.legacy(&alice, "0123", "tools/list", json!({})).await;
    assert_eq!((unknown.status, unknown.code()), (404, Some(-32600)));
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string().into_bytes();
    let without = gate.legacy_raw(&alice, None, body.clone()).await;
    assert_eq!((without.status, without.code()), (400, Some(-32600)));
    let bearer = format!("Bearer {}", alice.value);
    let odd = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("mcp-session-id", session.as_str()),
        ("mcp-protocol-version", "1999-01-01"),
    ];
    assert_eq!(gate.send("POST", "/mcp", &odd, body).await.status, 400);
    for (method, params, code) in [
        ("tools/destroy", json!({}), -32601),
        ("server/discover", json!({}), -32601),
        ("initialize", json!({}), -32602),
        ("logging/setLevel", json!({"level": "loud"}), -32602),
        ("resources/subscribe", json!({"uri": "x"}), 8001),
        ("resources/subscribe", json!({}), -32602),
        ("subscriptions/listen", json!({}), -32601),
    ] {
        let answer = gate.legacy(&alice, &session, method, params).await;
        assert_eq!((answer.status, answer.code()), (200, Some(code)), "{method}");
    }
    let here = [("authorization", bearer.as_str()), ("mcp-session-id", session.as_str())];
    let foreign_bearer = format!("Bearer {}", bob.value);
    let foreign = [("authorization", foreign_bearer.as_str()), ("mcp-session-id", session.as_str())];
    assert_eq!(gate.send("DELETE", "/mcp", &foreign, Vec::new()).await.status, 404);
    assert_eq!(gate.send("DELETE", "/mcp", &here, Vec::new()).await.status, 204);
    assert_eq!(gate.legacy(&alice, &session, "tools/list", json!({})).await.status, 404);
}

#[tokio::test]
async fn every_bad_answer_of_a_backend_is_contained() {
    let servers = format!("{}{}", demo_servers(), hostile_server());
    let site = Site::new(&servers, "limits: { responseBytes: 2000000 }", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    // What ends the process comes last; the others follow each other on one connection.
    for (tool, code) in [
        ("ok", None),
        ("garbage_then_ok", None),
        ("twice", None),
        ("late", None),
        ("asks_sampling", None),
        ("progress_unasked", None),
        ("progress_after", None),
        ("other_progress", None),
        ("stderr", None),
        ("crlf", None),
        ("garbage", Some(8004)),
        ("never", Some(8004)),
        ("other_id", Some(8004)),
        ("no_code", Some(8004)),
        ("no_message", Some(8004)),
        ("not_an_object", Some(8004)),
        ("duplicate_keys", Some(8004)),
        ("deep", Some(8004)),
        ("null_result", Some(8004)),
        ("string_result", Some(8004)),
        ("both", Some(8004)),
        ("input_required", Some(8004)),
        ("unknown_result_type", Some(8004)),
        ("reserved_error", Some(8004)),
        ("bad_utf8", Some(8004)),
        ("leaks_error", Some(5)),
        ("ok", None),
        ("huge", Some(8004)),
    ] {
        let answer = gate.call(&token, &format!("bad_{tool}"), json!({})).await;
        assert_eq!((answer.status, answer.code()), (200, code), "{tool}: {}", answer.body);
        assert_eq!(answer.events().len(), 1, "{tool}: one frame and no stray one");
        assert!(!answer.body.contains("leak@example.com"), "{tool}");
    }
    gate.until(|page| page["backends"][2]["state"] == "up").await;
    let exits = gate.call(&token, "bad_exits", json!({})).await;
    assert_eq!(exits.code(), Some(8004), "{}", exits.body);
    is_serving(&gate, &token).await;
    // The backend comes back by itself.
    gate.until(|page| page["backends"][2]["state"] == "up").await;
    assert_eq!(gate.call(&token, "bad_ok", json!({})).await.code(), None);
    assert!(!gate.stderr().contains("secret-on-stderr"));
    let mut open = std::collections::HashMap::new();
    for record in gate.site.records() {
        let call = record["call"].as_str().unwrap_or_default().to_owned();
        match record["kind"].as_str() {
            Some("call.intent") => drop(open.insert(call, 0)),
            Some("call.outcome") => *open.get_mut(&call).expect("an intent before the outcome") += 1,
            _ => {}
        }
    }
    assert!(open.len() > 25 && open.values().all(|ends| *ends == 1), "each intent has one outcome: {open:?}");
}
