//! Agents over WebSocket, HTTP+SSE and standard input and output, each with backends over all transports.

use super::backend::{Backend, Fault};
use super::pipe::{Pipe, bearer, modern, socket};
use crate::approval_wait::Scene;
use crate::conformance::fixture::{Fixture, Speaks};
use crate::harness::{Gate, PERMIT_ALL, Site, Token, demo_servers};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite;

fn demo() -> (Gate, Token) {
    let site = Site::new(&demo_servers(), "", PERMIT_ALL);
    let token = site.token("alice", "employee");
    (site.start(), token)
}

fn names(answer: &Value) -> Vec<&str> {
    let tools = answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("no tools in {answer}"));
    tools.iter().map(|tool| tool["name"].as_str().expect("a name")).collect()
}

/// What every pair of transports must carry, in one era.
async fn carries_all(pipe: &mut Pipe, backend: &str, of: impl Fn(Value) -> Value) {
    let tool = |name: &str| format!("{backend}_{name}");
    let listed = pipe.ask(1, "tools/list", of(json!({}))).await;
    assert!(names(&listed).contains(&&*tool("long_report")), "{listed}");
    let called = pipe
        .ask(2, "tools/call", of(json!({"name": tool("echo"), "arguments": {"text": "over there"}})))
        .await;
    assert!(called["result"].to_string().contains("over there"), "{called}");

    let report = |steps, token: Value| {
        of(json!({
            "name": tool("long_report"),
            "arguments": {"steps": steps, "delay_ms": 2},
            "_meta": {"progressToken": token},
        }))
    };
    let request =
        json!({"jsonrpc": "2.0", "id": "three", "method": "tools/call", "params": report(5, json!("p"))});
    pipe.send(&request).await;
    let answers = pipe.answers(&json!("three")).await;
    let steps: Vec<_> = answers.iter().filter_map(|m| m["params"]["progress"].as_i64()).collect();
    assert_eq!(steps, [1, 2, 3, 4, 5], "{answers:?}");
    assert!(answers.iter().take(5).all(|m| m["params"]["progressToken"] == "p"));

    let request =
        json!({"jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": report(10_000, json!(4))});
    pipe.send(&request).await;
    let begun = pipe.receive().await.expect("progress");
    assert_eq!(begun["params"]["progressToken"], 4, "{begun}");
    pipe.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 4}}))
        .await;
    // It is over: what comes after the next answer is silence on the cancelled call.
    let params = of(json!({"name": tool("echo"), "arguments": {"text": "after"}}));
    let after = pipe.ask(5, "tools/call", params.clone()).await;
    assert!(after["result"].to_string().contains("after"), "{after}");
    pipe.send(&json!({"jsonrpc": "2.0", "id": 6, "method": "tools/call", "params": params})).await;
    let last = pipe.answers(&json!(6)).await;
    assert_eq!(last.len(), 1, "a cancelled call went on: {last:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_front_transport_reaches_each_back_transport_in_both_eras() {
    let backend = Backend::start(Fault::Nothing).await;
    let behind = Site::new(&demo_servers(), "", PERMIT_ALL);
    let key = behind.token("gateway", "employee");
    let behind = behind.start();
    let servers = format!(
        "{}  sse: {{ type: sse, url: \"http://{address}/sse\" }}\n  ws: {{ url: \"ws://{address}/ws\" }}\n  \
         http: {{ url: \"{}\", headers: {{ Authorization: \"Bearer {}\" }} }}\n",
        demo_servers(),
        behind.endpoint.replace("/mcp", "/servers/ops/mcp"),
        key.value,
        address = backend.address,
    );
    let site = Site::new(&servers, "", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    for server in ["ops", "sse", "ws", "http"] {
        for front in ["websocket", "sse"] {
            for era in ["modern", "legacy"] {
                let mut pipe = match front {
                    "sse" => Pipe::events(&gate, &token).await,
                    _ => Pipe::socket(&gate, &token).await,
                };
                if era == "legacy" {
                    let answer = pipe.initialize("2025-06-18", json!({})).await;
                    assert_eq!(answer["result"]["protocolVersion"], "2025-06-18");
                    carries_all(&mut pipe, server, |params| params).await;
                } else {
                    let found = pipe.ask(0, "server/discover", modern(json!({}))).await;
                    assert!(found["result"]["supportedVersions"].to_string().contains("2026-07-28"));
                    carries_all(&mut pipe, server, modern).await;
                }
            }
        }
    }
    let records = gate.site.records();
    for front in ["websocket", "sse"] {
        assert!(records.iter().any(|record| record.to_string().contains(&format!("\"{front}\""))), "{front}");
    }
    drop(gate);

    // The same folder, now as a local server.
    let site = Site::new(&servers, "", PERMIT_ALL);
    let token = site.token("bob", "employee");
    site.write("token", &format!("{}\n", token.value));
    for era in ["modern", "legacy"] {
        let mut pipe = Pipe::process(&site, &["--config", "sealgate.yaml", "--token-file", "token"]);
        for server in ["ops", "sse", "ws", "http"] {
            if era == "modern" {
                carries_all(&mut pipe, server, modern).await;
            } else {
                if server == "ops" {
                    pipe.initialize("2025-11-25", json!({})).await;
                }
                carries_all(&mut pipe, server, |params| params).await;
            }
        }
        let (_, status) = pipe.finish().await;
        assert!(status.success());
    }
    assert!(site.verify().status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_of_backends_reach_agents_on_connections() {
    let servers = format!("  fix: {}\n", Fixture::command(Speaks::Legacy));
    let site = Site::new(&servers, "", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    for mut pipe in [Pipe::socket(&gate, &token).await, Pipe::events(&gate, &token).await] {
        pipe.initialize("2025-11-25", json!({"elicitation": {}})).await;
        let call = json!({"name": "fix_test_elicitation", "arguments": {"message": "who is there?"}});
        pipe.send(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call})).await;
        let question = pipe.receive().await.expect("a question");
        assert_eq!(question["method"], "elicitation/create", "{question}");
        assert!(question["params"]["message"].as_str().expect("a message").contains("who is there?"));
        // An answer to a question of nobody's has no effect.
        pipe.send(&json!({"jsonrpc": "2.0", "id": "guessed", "result": {"action": "decline"}})).await;
        let content = json!({"username": "octocat", "email": "x"});
        let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "content": content}});
        pipe.send(&answer).await;
        let last = pipe.answers(&json!(1)).await.pop().expect("an answer");
        assert!(last["result"].to_string().contains("octocat"), "{last}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_waits_for_its_approval_on_connections_and_not_beyond_them() {
    let scene = Scene::new("approval: { url: \"http://127.0.0.1:1\", waitMs: 600000 }", "10m");
    let (gate, alice) = (&scene.gate, &scene.alice);
    for (round, mut pipe) in
        [Pipe::socket(gate, alice).await, Pipe::events(gate, alice).await].into_iter().enumerate()
    {
        pipe.initialize("2025-11-25", json!({"elicitation": {"url": {}}})).await;
        for id in [1, 2] {
            let call = json!({"name": "ops_echo", "arguments": {"text": format!("{round} {id}")},
                              "_meta": {"progressToken": id}});
            pipe.send(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": call})).await;
            let question = pipe.receive().await.expect("a question");
            let accept = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept"}});
            pipe.send(&accept).await;
            let waiting = pipe.receive().await.expect("a sign of life");
            assert_eq!(waiting["params"]["progressToken"], id, "{waiting}");
            if id == 1 {
                assert_eq!(scene.vote(&question["params"]["url"], "approve").await.status, 200);
                let last = pipe.answers(&json!(1)).await.pop().expect("an answer");
                assert!(last["result"].to_string().contains(&format!("{round} 1")), "{last}");
            }
        }
        drop(pipe);
        let cancelled = |r: &&Value| r["kind"] == "approval.waited" && r["reason"] == "cancelled";
        for _ in 0..200 {
            if gate.site.records().iter().filter(cancelled).count() > round {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(gate.site.records().iter().filter(cancelled).count(), round + 1);
    }
    let ran = gate.site.records().iter().filter(|r| r["kind"] == "call.intent").count();
    assert_eq!(ran, 2);
}

fn status(error: &tungstenite::Error) -> u16 {
    match error {
        tungstenite::Error::Http(response) => response.status().as_u16(),
        other => panic!("not an HTTP answer: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_passes_the_same_checks_as_any_request() {
    let (gate, token) = demo();
    let good = bearer(&token);
    let protocol = ("sec-websocket-protocol", "mcp");
    for (path, headers, expected) in [
        ("/mcp", vec![protocol], 401),
        ("/mcp", vec![protocol, ("authorization", "Bearer nonsense")], 401),
        ("/mcp", vec![protocol, ("authorization", &good), ("origin", "https://evil.example")], 403),
        ("/mcp", vec![protocol, ("authorization", &good), ("host", "evil.example")], 403),
        ("/mcp", vec![("authorization", &good)], 400),
        ("/mcp", vec![("authorization", &good), ("sec-websocket-protocol", "soap")], 400),
        ("/elsewhere", vec![("authorization", &good), protocol], 404),
    ] {
        let refused = socket(&gate, path, &headers).await.expect_err("refused");
        assert_eq!(status(&refused), expected, "{headers:?}");
    }
    for (headers, expected) in [
        (vec![], 401),
        (vec![("authorization", &*good), ("origin", "https://evil.example")], 403),
        (vec![("authorization", &*good), ("accept", "application/json")], 406),
    ] {
        assert_eq!(gate.send("GET", "/sse", &headers, Vec::new()).await.status, expected, "{headers:?}");
    }
    let post = gate.send("POST", "/sse", &[("authorization", &good)], Vec::new()).await;
    assert_eq!(post.status, 405);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_stream_belongs_to_its_principal_and_ends_with_its_connection() {
    let site = Site::new(&demo_servers(), "", PERMIT_ALL);
    let (alice, mallory) = (site.token("alice", "employee"), site.token("mallory", "employee"));
    let gate = site.start();
    let mut pipe = Pipe::events(&gate, &alice).await;
    pipe.initialize("2024-11-05", json!({})).await;
    let Pipe::Events(events) = &pipe else { unreachable!() };
    let posts = events.posts.clone();
    let path = posts.split_once("/messages").map(|(_, query)| format!("/messages{query}")).expect("a path");
    let body = json!({"jsonrpc": "2.0", "id": 9, "method": "tools/list", "params": {}}).to_string();
    let headers = |token: &Token| {
        vec![
            ("authorization".to_owned(), bearer(token)),
            ("content-type".to_owned(), "application/json".to_owned()),
        ]
    };
    let post = async |path: &str, token: &Token| {
        let headers = headers(token);
        let headers: Vec<_> = headers.iter().map(|(k, v)| (&**k, &**v)).collect();
        gate.send("POST", path, &headers, body.clone().into_bytes()).await.status
    };
    assert_eq!(post(&path, &mallory).await, 404, "another principal's stream looks like none");
    assert_eq!(post("/messages?session_id=0123456789abcdef", &alice).await, 404);
    assert_eq!(post("/messages", &alice).await, 400);
    assert_eq!(post(&path.replace("/messages", "/servers/ops/messages"), &alice).await, 404);
    assert_eq!(post(&path, &alice).await, 202);
    assert!(names(&pipe.answers(&json!(9)).await[0]).len() > 3);
    drop(pipe);
    gate.until(|page| page["sessions"] == 0).await;
    assert_eq!(post(&path, &alice).await, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_closes_its_connections() {
    let (gate, token) = demo();
    let mut pipes = [Pipe::socket(&gate, &token).await, Pipe::events(&gate, &token).await];
    for pipe in &mut pipes {
        pipe.initialize("2025-06-18", json!({})).await;
    }
    let out = gate.site.sealgate(&["token", "revoke", "--config", "sealgate.yaml", &token.id]);
    assert!(out.status.success());
    for pipe in &mut pipes {
        assert_eq!(pipe.receive().await, None);
    }
    gate.until(|page| page["sessions"] == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_message_is_answered_and_what_is_too_large_ends_the_connection() {
    let (gate, token) = demo();
    for mut pipe in [Pipe::socket(&gate, &token).await, Pipe::events(&gate, &token).await] {
        for (text, code) in [
            ("not JSON", -32700),
            ("{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"tools/list\"}", -32600),
            ("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"tools/list\"}", -32600),
            ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}", -32600),
            ("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}]", -32600),
            ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\"}", -32602),
        ] {
            pipe.send_text(text).await;
            let answer = pipe.receive().await.expect("an answer");
            assert_eq!(answer["error"]["code"], code, "{text}: {answer}");
        }
        assert!(names(&pipe.ask(7, "tools/list", modern(json!({}))).await).len() > 3);
    }
    let Pipe::Socket(mut socket) = Pipe::socket(&gate, &token).await else { unreachable!() };
    let _ = socket.send(tungstenite::Message::text("x".repeat(16 << 20))).await;
    while let Some(Ok(message)) = socket.next().await {
        assert!(!message.is_text(), "a message that is too large was answered: {message}");
    }
    let Pipe::Events(events) = Pipe::events(&gate, &token).await else { unreachable!() };
    assert_eq!(events.post(&"x".repeat(5 << 20)).await, 413);
    drop(events);
    let mut after = Pipe::socket(&gate, &token).await;
    let params = modern(json!({"name": "ops_echo", "arguments": {"text": "still here"}}));
    assert!(after.ask(1, "tools/call", params).await["result"].to_string().contains("still here"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_closed_socket_ends_its_session_and_what_runs_in_it() {
    let (gate, token) = demo();
    let mut pipe = Pipe::socket(&gate, &token).await;
    pipe.initialize("2025-06-18", json!({})).await;
    let report = json!({
        "name": "ops_long_report", "arguments": {"steps": 10_000, "delay_ms": 5}, "_meta": {"progressToken": 1},
    });
    pipe.send(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": report})).await;
    assert_eq!(pipe.receive().await.expect("progress")["params"]["progressToken"], 1);
    let Pipe::Socket(mut socket) = pipe else { unreachable!() };
    // Our end says no more, and could still read.
    socket.get_mut().shutdown().await.expect("half closed");
    gate.until(|page| page["sessions"] == 0).await;
    for _ in 0..200 {
        let records = gate.site.records();
        if records.iter().any(|r| r["kind"] == "call.outcome" && r.to_string().contains("cancelled")) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the call went on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_does_not_read_holds_up_nobody_else() {
    let (gate, token) = demo();
    let slow = gate.site.token("slow", "employee");
    let Pipe::Socket(mut socket) = Pipe::socket(&gate, &slow).await else { unreachable!() };
    for id in 0..50 {
        let params = modern(json!({
            "name": "ops_long_report", "arguments": {"steps": 2000, "delay_ms": 0}, "_meta": {"progressToken": id},
        }));
        let request = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
        socket.send(tungstenite::Message::text(request.to_string())).await.expect("sent");
    }
    let mut other = Pipe::socket(&gate, &token).await;
    for id in 0..20 {
        let params = modern(json!({"name": "crm_get_customer", "arguments": {"id": "c-001"}}));
        let answer = other.ask(id, "tools/call", params).await;
        assert!(answer["result"].is_object(), "{answer}");
    }
    drop(socket);
    // What the slow one left is over, and recorded.
    drop(other);
    for _ in 0..200 {
        let records = gate.site.records();
        let kinds = |kind: &str| records.iter().filter(|record| record["kind"] == kind).count();
        if kinds("call.intent") > 20 && kinds("call.intent") == kinds("call.outcome") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("calls of a connection that has ended went on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_server_needs_a_caller_and_answers_what_was_asked_before_the_end() {
    let site = Site::new(&demo_servers(), "", PERMIT_ALL);
    let nobody = site.sealgate(&["stdio", "--config", "sealgate.yaml"]);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("say who calls"), "{nobody:?}");
    site.write("bad", "sgt_nonsense");
    let unknown = site.sealgate(&["stdio", "--config", "sealgate.yaml", "--token-file", "bad"]);
    assert!(!unknown.status.success() && unknown.stdout.is_empty());

    let named = ["--config", "sealgate.yaml", "--user", "carol", "--role", "employee", "--server", "ops"];
    let mut pipe = Pipe::process(&site, &named);
    pipe.send_text(&"x".repeat(5 << 20)).await;
    let long = pipe.receive().await.expect("an answer");
    assert_eq!(long["error"]["code"], -32600, "{long}");
    let params = modern(json!({"name": "echo", "arguments": {"text": "own name"}}));
    pipe.send(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})).await;
    let (said, status) = pipe.finish().await;
    assert!(status.success() && said.len() == 1 && said[0].to_string().contains("own name"), "{said:?}");
    let records = site.records();
    assert!(records.iter().any(|r| r.to_string().contains("carol") && r.to_string().contains("\"stdio\"")));
    assert!(site.verify().status.success());
}
