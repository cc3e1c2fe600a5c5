//! What the gateway does not judge arrives byte for byte, both ways, and in order.

use crate::conformance::fixture::{Fixture, Speaks};
use crate::harness::{Answer, Gate, PERMIT_ALL, Site, Token, modern_request};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinSet;

const RESULTS: &str = include_str!("fidelity/results.jsonl");
const ARGUMENTS: &str = include_str!("fidelity/arguments.jsonl");

/// A result as a server of 2026-07-28 writes it.
fn modern_form(line: &str) -> String {
    line.replacen('{', "{\"resultType\":\"complete\",", 1)
}

struct Rig {
    gate: Gate,
    token: Token,
    session: String,
    _servers: [Fixture; 2],
    _corpora: tempfile::TempDir,
}

/// One gateway before a server of each era, over HTTP and over stdio.
async fn rig() -> Rig {
    let corpora = tempfile::tempdir().unwrap();
    let file = |name: &str, lines: Vec<String>| {
        let path = corpora.path().join(name);
        std::fs::write(&path, lines.join("\n")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let old = file("old", RESULTS.lines().map(str::to_owned).collect());
    let new = file("new", RESULTS.lines().map(modern_form).collect());
    let servers = [
        Fixture::with(Speaks::Legacy, &["--corpus", &old]),
        Fixture::with(Speaks::Modern, &["--corpus", &new]),
    ];
    let stdio = |speaks: Speaks, corpus: &str| {
        let mut command = Fixture::command(speaks);
        command["args"].as_array_mut().unwrap().extend([json!("--corpus"), json!(corpus)]);
        command
    };
    let site = Site::new(
        &format!(
            "  old: {}\n  new: {}\n  old-pipe: {}\n  new-pipe: {}\n",
            json!({"url": servers[0].url()}),
            json!({"url": servers[1].url()}),
            stdio(Speaks::Legacy, &old),
            stdio(Speaks::Modern, &new),
        ),
        // The receipt is what the gateway itself adds to a result; control characters are among what must arrive here.
        "audit: { receipts: none }\nsanitize: { results: { hidden: off } }",
        PERMIT_ALL,
    );
    let token = site.token("alice", "employee");
    let gate = site.start();
    let session = gate.session(&token, "2025-11-25").await;
    Rig { gate, token, session, _servers: servers, _corpora: corpora }
}

impl Rig {
    /// Calls a tool with raw parameters beside its name, in a session.
    async fn legacy(&self, id: &str, tool: &str, more: &str) -> Answer {
        let params = format!("{{\"name\":\"{tool}\",{more}}}");
        let body =
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{params}}}");
        self.gate.legacy_raw(&self.token, Some(&self.session), body.into_bytes()).await
    }

    /// The same without a session. `more` has no `_meta`.
    async fn modern(&self, id: &str, tool: &str, more: &str) -> Answer {
        let (mut headers, whole) = modern_request("tools/call", json!({"name": tool}));
        headers.push(("authorization", format!("Bearer {}", self.token.value)));
        let meta = &whole["params"]["_meta"];
        let params = format!("{{\"name\":\"{tool}\",{more},\"_meta\":{meta}}}");
        let body =
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{params}}}");
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.gate.send("POST", "/mcp", &headers, body.into_bytes()).await
    }
}

/// The last message as it was sent.
fn last(answer: &Answer) -> &str {
    answer
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .rfind(|data| !data.is_empty())
        .unwrap_or(&answer.body)
}

#[tokio::test]
async fn results_arrive_as_the_server_wrote_them() {
    let rig = rig().await;
    // Ids come back as they were written, too.
    for (line, (result, id)) in
        RESULTS.lines().zip(["7", "\"a\\u0062c\"", "-1", "9007199254740993"].iter().cycle()).enumerate()
    {
        let arguments = format!("\"arguments\":{{\"line\":{line}}}");
        // At `/mcp` the URIs of a server bear its name; all else stays.
        let body = |server: &str, result: &str| {
            let shown = result.replace("\"test://", &format!("\"{server}+test://"));
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{shown}}}")
        };
        for server in ["old", "old-pipe"] {
            let answer = rig.legacy(id, &format!("{server}_wire_reply"), &arguments).await;
            assert_eq!(last(&answer), body(server, result), "legacy to {server}");
        }
        for server in ["new", "new-pipe"] {
            let answer = rig.modern(id, &format!("{server}_wire_reply"), &arguments).await;
            assert_eq!(last(&answer), body(server, &modern_form(result)), "modern to {server}");
        }
        // Between the eras one member comes or goes, and nothing else changes.
        let answer = rig.modern(id, "old_wire_reply", &arguments).await;
        let upgraded = format!("{},\"resultType\":\"complete\"}}", result.strip_suffix('}').unwrap());
        assert_eq!(last(&answer), body("old", &upgraded), "modern to old");
        let answer = rig.legacy(id, "new_wire_reply", &arguments).await;
        assert_eq!(last(&answer), body("new", result), "legacy to new");
    }
}

#[tokio::test]
async fn arguments_reach_the_server_as_the_agent_wrote_them() {
    let rig = rig().await;
    for arguments in ARGUMENTS.lines() {
        let more = format!("\"arguments\":{arguments},\"x-unknown\":{{\"n\":1.0,\"list\":[ 1 ]}}");
        for server in ["old", "old-pipe", "new", "new-pipe"] {
            let tool = format!("{server}_wire_echo");
            for answer in [rig.legacy("1", &tool, &more).await, rig.modern("1", &tool, &more).await] {
                let message: Value = serde_json::from_str(last(&answer)).unwrap();
                let came =
                    message["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{message}"));
                assert!(came.contains(&more), "{server}: sent {more}, came {came}");
            }
        }
    }
}

const CALLS: u64 = 10_000;
const STEPS: u64 = 3;
const AT_ONCE: u64 = 32;

/// Progress arrives in order and before the result, over either transport and in either era, under load.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_keeps_its_order_in_ten_thousand_calls() {
    let rig = Arc::new(rig().await);
    let mut workers = JoinSet::new();
    for worker in 0..AT_ONCE {
        let rig = rig.clone();
        workers.spawn(async move {
            for call in (worker..CALLS).step_by(usize::try_from(AT_ONCE).unwrap()) {
                let server = ["old", "old-pipe", "new", "new-pipe"][usize::try_from(call % 4).unwrap()];
                let answer = counted(&rig, &format!("{server}_count"), call).await;
                let events = answer.events();
                let told: Vec<u64> =
                    events.iter().filter_map(|event| event["params"]["progress"].as_u64()).collect();
                assert_eq!(told, (1..=STEPS).collect::<Vec<_>>(), "{server}, call {call}: {events:?}");
                let tokens = events.iter().filter_map(|event| event["params"].get("progressToken"));
                assert!(tokens.into_iter().all(|token| *token == json!(format!("t{call}"))), "{events:?}");
                assert_eq!(events.last().unwrap()["id"], json!(call), "the result is last");
                assert!(events.last().unwrap()["result"]["content"].is_array(), "{events:?}");
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.unwrap();
    }
}

/// Half of the calls in a session, half without.
async fn counted(rig: &Rig, tool: &str, call: u64) -> Answer {
    let params = json!({
        "name": tool,
        "arguments": {"steps": STEPS},
        "_meta": {"progressToken": format!("t{call}")},
    });
    if (call / 4).is_multiple_of(2) {
        let body = json!({"jsonrpc": "2.0", "id": call, "method": "tools/call", "params": params});
        return rig.gate.legacy_raw(&rig.token, Some(&rig.session), body.to_string().into_bytes()).await;
    }
    let (mut headers, mut body) = modern_request("tools/call", params);
    body["id"] = json!(call);
    headers.push(("authorization", format!("Bearer {}", rig.token.value)));
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    rig.gate.send("POST", "/mcp", &headers, body.to_string().into_bytes()).await
}
