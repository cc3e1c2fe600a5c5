//! What servers ask of agents, in all four combinations of eras.

use crate::events::Events;
use crate::harness::{Answer, Gate, PERMIT_ALL, Site, Token, asking_server};
use serde_json::{Value, json};

/// What an agent that can be asked everything declares.
fn able() -> Value {
    json!({"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}})
}

fn gate(era: &str, policies: &str) -> (Gate, Token) {
    let site = Site::new(&asking_server(era, ""), "", policies);
    let alice = site.token("alice", "employee");
    (site.start(), alice)
}

fn params(tool: &str) -> Value {
    json!({"name": tool, "arguments": {"n": 1}, "_meta": {"io.modelcontextprotocol/clientCapabilities": able()}})
}

fn retry(tool: &str, first: &Answer, responses: Value) -> Value {
    let mut params = params(tool);
    params["inputResponses"] = responses;
    params["requestState"] = first.message()["result"]["requestState"].clone();
    params
}

/// The JSON that a tool of the fixture answers with.
fn told(message: &Value) -> Value {
    let text = message["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{message}"));
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

async fn able_session(gate: &Gate, token: &Token) -> String {
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": able(), "clientInfo": {"name": "t", "version": "1"}});
    let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    let answer = gate.legacy_raw(token, None, body.to_string().into_bytes()).await;
    answer.headers["mcp-session-id"].to_str().unwrap().to_owned()
}

/// Calls a tool in a session, answers every question with `reply`, and returns the questions and the last message.
async fn converse(gate: &Gate, token: &Token, tool: &str, reply: Value) -> (Vec<Value>, Value) {
    let session = able_session(gate, token).await;
    let bearer = format!("Bearer {}", token.value);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-session-id", session.as_str()),
    ];
    let call =
        json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": {}}});
    let mut events = Events::open(gate, reqwest::Method::POST, &headers, call.to_string()).await;
    let mut questions = Vec::new();
    loop {
        let (_, message) = events.next().await;
        if message["id"] == json!(7) {
            return (questions, message);
        }
        let mut answer = json!({"jsonrpc": "2.0", "id": message["id"]});
        for (key, value) in reply.as_object().expect("a reply") {
            answer[key] = value.clone();
        }
        questions.push(message);
        let posted = gate.legacy_raw(token, Some(&session), answer.to_string().into_bytes()).await;
        assert_eq!(posted.status, 202, "{}", posted.body);
    }
}

fn kinds(gate: &Gate) -> Vec<String> {
    let records = gate.site.records();
    records
        .iter()
        .map(|r| r["kind"].as_str().unwrap().to_owned())
        .filter(|kind| kind.starts_with("call.") && kind != "call.answered")
        .collect()
}

#[tokio::test]
async fn a_question_is_recorded_with_the_signs_in_it() {
    let (gate, alice) = gate("modern", PERMIT_ALL);
    let first = gate.modern(&alice, "tools/call", params("ask_form")).await;
    assert_eq!(first.message()["result"]["resultType"], "input_required");
    let records = gate.site.records();
    let question = records.iter().find(|record| record["kind"] == "call.question").unwrap();
    let findings = question["redact"]["findings"].as_array().unwrap();
    assert!(findings.iter().any(|one| one["type"] == "HIDDEN_UNICODE"), "{question}");
}

#[tokio::test]
async fn stateless_agents_answer_stateless_servers() {
    let (gate, alice) = gate("modern", PERMIT_ALL);
    let first = gate.modern(&alice, "tools/call", params("ask_form")).await;
    let result = &first.message()["result"];
    assert_eq!(result["resultType"], "input_required");
    let question = &result["inputRequests"]["colour"];
    assert_eq!(question["method"], "elicitation/create");
    assert_eq!(question["params"]["message"], "[ask] Which colour?");
    assert_eq!(question["params"]["_meta"]["sealgate/server"], "ask");
    assert!(!result["requestState"].as_str().unwrap().contains("inner"));
    let colour =
        json!({"colour": {"action": "accept", "content": {"colour": "red", "mail": "ana@example.org"}}});
    let second = gate.modern(&alice, "tools/call", retry("ask_form", &first, colour)).await;
    let heard = told(&second.message());
    assert_eq!(heard["state"], "inner-state");
    assert_eq!(heard["given"]["colour"]["content"], json!({"colour": "red", "mail": "[EMAIL]"}));
    assert_eq!(kinds(&gate), ["call.intent", "call.question", "call.outcome", "call.intent", "call.outcome"]);
}

#[tokio::test]
async fn a_state_is_good_for_its_request_and_principal_only() {
    let (gate, alice) = gate("modern", PERMIT_ALL);
    let bob = gate.site.token("bob", "employee");
    let first = gate.modern(&alice, "tools/call", params("ask_form")).await;
    let answer = json!({"colour": {"action": "decline"}});
    let good = retry("ask_form", &first, answer);
    let mut altered = good.clone();
    let state = good["requestState"].as_str().unwrap();
    let other = if state.starts_with('A') { 'B' } else { 'A' };
    altered["requestState"] = json!(format!("{other}{}", &state[1..]));
    let mut other_arguments = good.clone();
    other_arguments["arguments"] = json!({"n": 2});
    let mut other_tool = good.clone();
    other_tool["name"] = json!("ask_sample");
    let mut invented = good.clone();
    invented["requestState"] = json!("inner-state");
    for (who, params) in [
        (&alice, altered),
        (&alice, other_arguments),
        (&alice, other_tool),
        (&alice, invented),
        (&bob, good.clone()),
    ] {
        let answer = gate.modern(who, "tools/call", params).await;
        assert_eq!(answer.code(), Some(-32602), "{}", answer.body);
    }
    assert_eq!(gate.modern(&alice, "tools/call", good).await.message()["result"]["resultType"], "complete");
}

#[tokio::test]
async fn stateless_agents_answer_servers_of_the_session_era() {
    let (gate, alice) = gate("legacy", PERMIT_ALL);
    let first = gate.modern(&alice, "tools/call", params("ask_form")).await;
    assert_eq!(first.message()["result"]["inputRequests"]["input"]["method"], "elicitation/create");
    let without = gate.modern(&alice, "tools/call", retry("ask_form", &first, json!({}))).await;
    assert_eq!(without.code(), Some(-32602));
    let colour = json!({"input": {"action": "accept", "content": {"colour": "red"}}});
    let again = retry("ask_form", &first, colour);
    let second = gate.modern(&alice, "tools/call", again.clone()).await;
    assert_eq!(told(&second.message())["heard"]["content"]["colour"], "red");
    // A parked call is come back for once.
    assert_eq!(gate.modern(&alice, "tools/call", again).await.code(), Some(-32602));

    let url = gate.modern(&alice, "tools/call", params("ask_url")).await;
    let question = &url.message()["result"]["inputRequests"]["url-0"]["params"];
    assert_eq!(question["url"], "https://login.example/");
    assert!(question.get("elicitationId").is_none());
    let mut mute = params("ask_url");
    mute["_meta"] = json!({"io.modelcontextprotocol/clientCapabilities": {}});
    let refused = gate.modern(&alice, "tools/call", mute).await;
    assert_eq!((refused.status, refused.code()), (400, Some(-32021)));
}

#[tokio::test]
async fn agents_in_sessions_answer_servers_of_both_eras() {
    for era in ["legacy", "modern"] {
        let (gate, alice) = gate(era, PERMIT_ALL);
        let accept = json!({"result": {"action": "accept", "content": {"colour": "blue"}}});
        let (questions, last) = converse(&gate, &alice, "ask_form", accept.clone()).await;
        assert_eq!(questions[0]["method"], "elicitation/create", "{era}");
        assert_eq!(questions[0]["params"]["message"], "[ask] Which colour?", "{era}");
        let id = questions[0]["id"].as_str().unwrap();
        assert_eq!(id.len(), 32, "an id that nobody can guess: {id}");
        assert!(told(&last).to_string().contains("blue"), "{era}: {last}");

        let sampled = json!({"result": {"role": "assistant", "model": "m", "content": {"type": "text", "text": "done"}}});
        let (questions, last) = converse(&gate, &alice, "ask_sample", sampled).await;
        let shown = questions[0]["params"]["messages"][0]["content"]["text"].as_str().unwrap();
        assert_eq!(shown, "write to [EMAIL]");
        assert!(told(&last).to_string().contains("done"), "{era}");

        let (_, last) = converse(&gate, &alice, "ask_roots", json!({"result": {"roots": []}})).await;
        assert!(told(&last).to_string().contains("roots"), "{era}");
        let kinds = kinds(&gate);
        let one = ["call.intent", "call.question", "call.reply", "call.outcome"];
        assert_eq!(kinds, [one, one, one].concat(), "{era}");
    }
    let (gate, alice) = gate("modern", PERMIT_ALL);
    let accept = json!({"result": {"action": "accept", "content": {"colour": "blue"}}});
    let (questions, last) = converse(&gate, &alice, "ask_rounds", accept.clone()).await;
    assert_eq!((questions.len(), told(&last)["state"].as_str()), (3, Some("3")));
    let (questions, last) = converse(&gate, &alice, "ask_never_enough", accept).await;
    assert_eq!((questions.len(), last["error"]["code"].as_i64()), (10, Some(8004)));
}

#[tokio::test]
async fn a_question_that_policy_denies_is_declined_for_the_agent() {
    let policies = "@id(\"calls\")\npermit(principal is User, action in Action::\"Mcp\", resource);\n";
    for era in ["legacy", "modern"] {
        let (gate, alice) = gate(era, policies);
        let answer = gate.modern(&alice, "tools/call", params("ask_form")).await;
        let heard = told(&answer.message()).to_string();
        assert!(heard.contains("decline"), "{era}: {heard}");
        let denied = gate.site.records().into_iter().find(|r| r["kind"] == "call.question_denied").unwrap();
        assert_eq!((&denied["reason"], &denied["authz"]["decision"]), (&json!("denied"), &json!("deny")));
        // What was found in it stands in its record, as it would if it had been put.
        let found = denied["redact"]["findings"].as_array().unwrap_or_else(|| panic!("{denied}"));
        assert!(found.iter().any(|one| one["operator"] != "mask"), "{denied}");
        // An agent that declared nothing is not asked either.
        let mut mute = params("ask_form");
        mute["_meta"] = json!({});
        let answer = gate.modern(&alice, "tools/call", mute).await;
        let heard = told(&answer.message()).to_string();
        assert!(heard.contains("decline") || heard.contains("-32601"), "{era}: {heard}");
    }
}

#[tokio::test]
async fn a_question_that_could_concern_several_principals_is_refused() {
    let (gate, alice) = gate("legacy", PERMIT_ALL);
    let bob = gate.site.token("bob", "employee");
    let first = gate.modern(&alice, "tools/call", params("ask_form")).await;
    assert_eq!(first.message()["result"]["resultType"], "input_required");
    // Alice's call waits at the process, so the next question may be hers or Bob's.
    let second = gate.modern(&bob, "tools/call", params("ask_form")).await;
    assert_eq!(told(&second.message())["error"], -32601);
}

#[tokio::test]
async fn each_session_mode_declares_what_its_agents_declared() {
    for (mode, expected) in [
        ("shared", json!(["elicitation", "roots", "sampling"])),
        ("perPrincipal", json!(["roots"])),
        ("perRequest", json!(["roots"])),
    ] {
        let site = Site::new(&asking_server("legacy", &format!("session: {mode}")), "", PERMIT_ALL);
        let alice = site.token("alice", "employee");
        let gate = site.start();
        let mut call = params("ask_capabilities");
        call["_meta"] = json!({"io.modelcontextprotocol/clientCapabilities": {"roots": {}}});
        let answer = gate.modern(&alice, "tools/call", call).await;
        let mut declared: Vec<_> = told(&answer.message()).as_object().unwrap().keys().cloned().collect();
        declared.sort_unstable();
        assert_eq!(json!(declared), expected, "{mode}");
    }
}

#[tokio::test]
async fn parked_calls_lapse_and_that_is_recorded() {
    let site = Site::new(&asking_server("legacy", ""), "limits: { questionTimeoutMs: 1000 }", PERMIT_ALL);
    let alice = site.token("alice", "employee");
    let gate = site.start();
    let first = gate.modern(&alice, "tools/call", params("ask_form")).await;
    for _ in 0..400 {
        if kinds(&gate).contains(&"call.lapsed".to_owned()) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert_eq!(kinds(&gate), ["call.intent", "call.question", "call.outcome", "call.lapsed"]);
    let late = retry("ask_form", &first, json!({"input": {"action": "decline"}}));
    assert_eq!(gate.modern(&alice, "tools/call", late).await.code(), Some(-32602));
}

#[tokio::test]
async fn resources_are_followed_in_every_combination_of_eras() {
    for era in ["legacy", "modern"] {
        let (gate, alice) = gate(era, PERMIT_ALL);
        let bearer = format!("Bearer {}", alice.value);
        let wanted = json!({"notifications": {"toolsListChanged": true, "resourceSubscriptions": ["ask+note://1", "nobody+x://1"]}});
        let (headers, body) = crate::harness::modern_request("subscriptions/listen", wanted);
        let mut all: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
        all.push(("authorization", &bearer));
        let mut listen = Events::open(&gate, reqwest::Method::POST, &all, body.to_string()).await;
        let (_, acknowledged) = listen.next().await;
        assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
        assert_eq!(
            acknowledged["params"],
            json!({"notifications": {"toolsListChanged": true, "resourceSubscriptions": ["ask+note://1"]},
                   "_meta": {"io.modelcontextprotocol/subscriptionId": 1}})
        );
        let session = gate.session(&alice, "2025-11-25").await;
        let subscribed =
            gate.legacy(&alice, &session, "resources/subscribe", json!({"uri": "ask+note://1"})).await;
        assert_eq!(subscribed.message()["result"], json!({}), "{}", subscribed.body);
        let stream = [
            ("authorization", bearer.as_str()),
            ("accept", "text/event-stream"),
            ("mcp-session-id", session.as_str()),
        ];
        let mut standing = Events::open(&gate, reqwest::Method::GET, &stream, String::new()).await;
        gate.call(&alice, "ask_touch", json!({})).await;
        let (_, notice) = listen.next().await;
        assert_eq!(notice["params"]["uri"], "ask+note://1", "{era}: {notice}");
        let (id, notice) = standing.next().await;
        assert_eq!(notice["method"], "notifications/resources/updated");
        assert_eq!(notice["params"], json!({"uri": "ask+note://1"}));
        // What was missed is had by coming back.
        drop(standing);
        gate.call(&alice, "ask_touch", json!({})).await;
        let mut resumed = stream.to_vec();
        resumed.push(("last-event-id", id.as_str()));
        drop(Events::open(&gate, reqwest::Method::GET, &resumed, String::new()).await);
        let gone =
            gate.legacy(&alice, &session, "resources/unsubscribe", json!({"uri": "ask+note://1"})).await;
        assert_eq!(gone.message()["result"], json!({}));
    }
}

#[tokio::test]
async fn a_lost_stream_is_come_back_to() {
    let (gate, alice) = gate("legacy", PERMIT_ALL);
    let bob = gate.site.token("bob", "employee");
    let session = able_session(&gate, &alice).await;
    let bearer = format!("Bearer {}", alice.value);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-session-id", session.as_str()),
    ];
    let call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "ask_form", "arguments": {}}});
    let mut events = Events::open(&gate, reqwest::Method::POST, &headers, call.to_string()).await;
    let (id, question) = events.next().await;
    drop(events);
    let reply = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}});
    // Somebody else's answer, and one to a guessed id, change nothing.
    let foreign = gate.legacy_raw(&bob, Some(&session), reply.to_string().into_bytes()).await;
    assert_eq!(foreign.status, 404);
    let guessed = json!({"jsonrpc": "2.0", "id": 1, "result": {"action": "accept"}});
    assert_eq!(gate.legacy_raw(&alice, Some(&session), guessed.to_string().into_bytes()).await.status, 202);
    assert_eq!(gate.legacy_raw(&alice, Some(&session), reply.to_string().into_bytes()).await.status, 202);
    let resumed = [
        ("authorization", bearer.as_str()),
        ("accept", "text/event-stream"),
        ("mcp-session-id", session.as_str()),
        ("last-event-id", id.as_str()),
    ];
    let mut events = Events::open(&gate, reqwest::Method::GET, &resumed, String::new()).await;
    let (_, last) = events.next().await;
    assert_eq!((&last["id"], &told(&last)["heard"]["action"]), (&json!(7), &json!("decline")));
}
