//! Calls that wait for a person where their agent can open a URL, in both eras.

use crate::events::Events;
use crate::harness::{Answer, Gate, Site, Token, demo_servers};
use serde_json::{Value, json};

const ASKS: &str = "approval: { url: \"http://127.0.0.1:1/ops/\", waitMs: 600000 }";
const BRIEF: &str = "approval: { url: \"http://127.0.0.1:1\", waitMs: 100 }";

fn policies(ttl: &str) -> String {
    format!(
        "@id(\"all\")\npermit(principal, action in Action::\"Mcp\", resource);\n\
         @id(\"leads\")\npermit(principal in Role::\"lead\", action == Action::\"ApproveCall\", resource);\n\
         @id(\"two\") @oblige @require_approval(\"Role::lead\") @approval_ttl(\"{ttl}\")\n\
         permit(principal, action == Action::\"ops_echo\", resource);"
    )
}

/// A running gateway, an agent, and somebody who may approve.
pub struct Scene {
    pub gate: Gate,
    pub alice: Token,
    pub lena: Token,
}

impl Scene {
    pub fn new(settings: &str, ttl: &str) -> Self {
        Self::under(settings, &policies(ttl))
    }

    fn under(settings: &str, policies: &str) -> Self {
        let site = Site::new(&demo_servers(), settings, policies);
        let (alice, lena) = (site.token("alice", "lead"), site.token("lena", "lead"));
        Self { gate: site.start(), alice, lena }
    }

    /// What is waited for is asked about at a URL that ends with the reference.
    pub async fn vote(&self, url: &Value, verb: &str) -> Answer {
        let reference = url.as_str().unwrap().rsplit('/').next().unwrap();
        let path = format!("/approvals/{reference}/{verb}");
        self.gate.administer(&self.lena, "POST", &path, Some(json!({"note": "as agreed"}))).await
    }

    async fn session(&self) -> String {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {"url": {}}},
                            "clientInfo": {"name": "t", "version": "1"}});
        let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let answer = self.gate.legacy_raw(&self.alice, None, body.to_string().into_bytes()).await;
        answer.headers["mcp-session-id"].to_str().unwrap().to_owned()
    }

    /// Calls in a session. The answer is a stream that begins with the question.
    async fn ask(&self, session: &str, id: u64, text: &str) -> (Events, Value) {
        let bearer = format!("Bearer {}", self.alice.value);
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-session-id", session),
        ];
        let call = call(id, text).to_string();
        let mut events = Events::open(&self.gate, reqwest::Method::POST, &headers, call).await;
        let (_, question) = events.next().await;
        assert_eq!(question["method"], "elicitation/create", "{question}");
        (events, question)
    }

    async fn reply(&self, session: &str, question: &Value, outcome: Value) {
        let mut reply = json!({"jsonrpc": "2.0", "id": question["id"]});
        let (key, value) = outcome.as_object().unwrap().iter().next().unwrap();
        reply[key] = value.clone();
        let posted = self.gate.legacy_raw(&self.alice, Some(session), reply.to_string().into_bytes()).await;
        assert_eq!(posted.status, 202, "{}", posted.body);
    }

    async fn modern(&self, params: Value) -> Answer {
        self.gate.modern(&self.alice, "tools/call", params).await
    }

    fn kinds(&self) -> Vec<String> {
        let records = self.gate.site.records();
        let kinds = records.iter().map(|record| record["kind"].as_str().unwrap().to_owned());
        kinds
            .filter(|kind| kind.starts_with("call.") || kind.starts_with("approval."))
            .filter(|kind| kind != "call.answered")
            .collect()
    }

    /// Why the last wait ended.
    fn waited(&self) -> Value {
        last(&self.gate.site.records(), "approval.waited")["reason"].clone()
    }

    fn nothing_ran(&self) {
        assert!(!self.kinds().contains(&"call.intent".to_owned()));
    }
}

fn last(records: &[Value], kind: &str) -> Value {
    let found = records.iter().rev().find(|record| record["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind}")).clone()
}

fn call(id: u64, text: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
           "params": {"name": "ops_echo", "arguments": {"text": text}, "_meta": {"progressToken": "p"}}})
}

fn params(text: &str) -> Value {
    json!({"name": "ops_echo", "arguments": {"text": text},
           "_meta": {"progressToken": 5, "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"url": {}}}}})
}

fn retry(text: &str, first: &Value, action: &str) -> Value {
    let mut params = params(text);
    params["inputResponses"] = json!({"approval": {"action": action}});
    params["requestState"] = first["result"]["requestState"].clone();
    params
}

fn kind_of(message: &Value) -> (&Value, &Value) {
    (&message["error"]["code"], &message["error"]["data"]["kind"])
}

#[tokio::test]
async fn in_a_session_the_call_waits_and_runs_once() {
    let limited = policies("10m").replace("@id(\"two\")", "@id(\"two\") @rate_limit(\"2/h\")");
    let scene = Scene::under(ASKS, &limited);
    let session = scene.session().await;
    let (mut events, question) = scene.ask(&session, 7, "mail jane@example.com").await;
    let asked = &question["params"];
    assert_eq!(asked["mode"], "url");
    assert!(question["id"].as_str().is_some_and(|id| id.len() == 32), "an id that nobody can guess");
    let url = asked["url"].as_str().unwrap();
    assert!(url.starts_with("http://127.0.0.1:1/ops/approvals/0"), "{url}");
    assert!(asked["message"].as_str().unwrap().contains("ops_echo"));
    scene.reply(&session, &question, json!({"result": {"action": "accept"}})).await;
    let (_, waiting) = events.next().await;
    assert_eq!(waiting["method"], "notifications/progress", "{waiting}");
    assert_eq!(waiting["params"]["progressToken"], "p");
    assert!(waiting["params"]["progress"].as_i64().unwrap() < 0, "what the backend says begins at zero");
    scene.nothing_ran();

    let voted = scene.vote(&asked["url"], "approve").await;
    assert_eq!(voted.status, 200, "{}", voted.body);
    let (_, complete) = events.next().await;
    assert_eq!(complete["method"], "notifications/elicitation/complete");
    assert_eq!(complete["params"], json!({"elicitationId": asked["elicitationId"]}));
    let (_, result) = events.next().await;
    assert_eq!(result["id"], 7);
    assert!(result["result"]["content"][0]["text"].as_str().unwrap().contains("mail "), "{result}");
    let kinds = [
        "call.denied",
        "call.question",
        "call.reply",
        "approval.granted",
        "approval.waited",
        "call.intent",
        "call.outcome",
    ];
    assert_eq!(scene.kinds(), kinds);
    let records = scene.gate.site.records();
    let (denied, intent) = (last(&records, "call.denied"), last(&records, "call.intent"));
    assert_eq!(denied["authz"]["reason"], "approval_required");
    assert_eq!(last(&records, "call.question")["approval"], json!({"reference": denied["call"]}));
    assert_eq!(scene.gate.site.said(&last(&records, "call.question"))["url"], asked["url"]);
    assert_eq!(intent["authz"]["approval"], json!({"approvers": ["lena"], "reference": denied["call"]}));
    let waited = last(&records, "approval.waited");
    assert_eq!((&waited["reason"], &waited["call"]), (&json!("approved"), &denied["call"]));
    assert_eq!(waited["approval"], json!({"next": intent["call"], "reference": denied["call"]}));

    // The approval is used up: the same call is asked about anew. The one before it, though judged twice, was counted
    // once against its rate.
    let (_events, again) = scene.ask(&session, 8, "mail jane@example.com").await;
    assert_ne!(again["params"]["url"], asked["url"]);
}

#[tokio::test]
async fn a_stateless_agent_comes_back_and_waits() {
    let scene = Scene::new(ASKS, "10m");
    let first = scene.modern(params("hello")).await.message();
    assert_eq!(first["result"]["resultType"], "input_required", "{first}");
    let question = &first["result"]["inputRequests"]["approval"];
    assert_eq!(
        (&question["method"], &question["params"]["mode"]),
        (&json!("elicitation/create"), &json!("url"))
    );
    assert!(question["params"].get("elicitationId").is_none(), "this era has none");
    let came_back = retry("hello", &first, "accept");
    let mut events = Events::modern(&scene.gate, &scene.alice, "tools/call", came_back.clone()).await;
    let (_, waiting) = events.next().await;
    assert_eq!(
        (&waiting["method"], &waiting["params"]["progressToken"]),
        (&json!("notifications/progress"), &json!(5))
    );
    scene.nothing_ran();
    assert_eq!(scene.vote(&question["params"]["url"], "approve").await.status, 200);
    let (_, result) = events.next().await;
    assert_eq!(result["result"]["resultType"], "complete", "{result}");
    let kinds = [
        "call.denied",
        "call.question",
        "call.denied",
        "approval.granted",
        "approval.waited",
        "call.intent",
        "call.outcome",
    ];
    assert_eq!(scene.kinds(), kinds);
    // The state is no second approval.
    let again = scene.modern(came_back).await.message();
    assert_eq!(kind_of(&again), (&json!(8007), &json!("approval_expired")), "{again}");
    let reference = last(&scene.gate.site.records(), "approval.waited")["approval"]["reference"].clone();
    assert_eq!(again["error"]["data"]["reference"], reference);
}

#[tokio::test]
async fn a_state_opens_nothing_for_others_or_for_another_call() {
    let scene = Scene::new(ASKS, "10m");
    let first = scene.modern(params("one")).await.message();
    let url = &first["result"]["inputRequests"]["approval"]["params"]["url"];
    assert_eq!(scene.vote(url, "approve").await.status, 200);
    let other = scene.modern(retry("two", &first, "accept")).await;
    assert_eq!(other.code(), Some(-32602), "{}", other.body);
    let foreign = scene.gate.modern(&scene.lena, "tools/call", retry("one", &first, "accept")).await;
    assert_eq!(foreign.code(), Some(-32602), "{}", foreign.body);
    let mut silent = retry("one", &first, "accept");
    silent["inputResponses"] = json!({});
    assert_eq!(scene.modern(silent).await.code(), Some(-32602));
    scene.nothing_ran();
}

#[tokio::test]
async fn what_the_agent_declines_does_not_run_even_if_it_was_approved() {
    let scene = Scene::new(ASKS, "10m");
    let first = scene.modern(params("hello")).await.message();
    let url = &first["result"]["inputRequests"]["approval"]["params"]["url"];
    assert_eq!(scene.vote(url, "approve").await.status, 200);
    for action in ["decline", "cancel", "approve"] {
        let declined = scene.modern(retry("hello", &first, action)).await.message();
        assert_eq!(kind_of(&declined), (&json!(8007), &json!("approval_declined")));
    }
    scene.nothing_ran();
    // The approval was not used.
    assert_eq!(scene.modern(retry("hello", &first, "accept")).await.code(), None);

    let session = scene.session().await;
    for (id, outcome, result) in [
        (1, json!({"result": {"action": "decline"}}), "ok"),
        (2, json!({"error": {"code": -32603, "message": "no"}}), "error"),
    ] {
        let (mut events, question) = scene.ask(&session, id, &format!("no {id}")).await;
        scene.reply(&session, &question, outcome).await;
        let (_, refused) = events.next().await;
        assert_eq!(kind_of(&refused), (&json!(8007), &json!("approval_declined")), "{refused}");
        assert_eq!(scene.waited(), "declined");
        assert_eq!(last(&scene.gate.site.records(), "call.reply")["result"], result);
    }
}

#[tokio::test]
async fn a_rejected_call_is_refused_with_its_reference() {
    let scene = Scene::new(ASKS, "10m");
    let session = scene.session().await;
    let (mut events, question) = scene.ask(&session, 7, "one").await;
    scene.reply(&session, &question, json!({"result": {"action": "accept"}})).await;
    let (_, _progress) = events.next().await;
    let voted = scene.vote(&question["params"]["url"], "reject").await;
    assert_eq!(voted.json()["state"], "rejected");
    let (_, complete) = events.next().await;
    assert_eq!(complete["method"], "notifications/elicitation/complete");
    let (_, refused) = events.next().await;
    assert_eq!(kind_of(&refused), (&json!(8007), &json!("approval_rejected")));
    assert_eq!(refused["error"]["data"]["reference"], voted.json()["reference"]);

    let first = scene.modern(params("two")).await.message();
    let mut events =
        Events::modern(&scene.gate, &scene.alice, "tools/call", retry("two", &first, "accept")).await;
    let (_, _progress) = events.next().await;
    // Another process says so, which the gateway finds out by looking.
    let url = first["result"]["inputRequests"]["approval"]["params"]["url"].as_str().unwrap();
    scene.gate.site.write("lena.token", &scene.lena.value);
    let reference = url.rsplit('/').next().unwrap();
    let rejected = ["approval", "reject", reference, "--data-dir", "data", "--token-file", "lena.token"];
    assert!(scene.gate.site.sealgate(&rejected).status.success());
    let (_, refused) = events.next().await;
    assert_eq!(kind_of(&refused), (&json!(8007), &json!("approval_rejected")));
    assert_eq!(scene.waited(), "rejected");
    scene.nothing_ran();
}

#[tokio::test]
async fn a_wait_ends_with_the_time_of_the_approval() {
    let scene = Scene::new(ASKS, "1s");
    let first = scene.modern(params("two")).await.message();
    let refused = scene.modern(retry("two", &first, "accept")).await.message();
    assert_eq!(kind_of(&refused), (&json!(8007), &json!("approval_expired")), "{refused}");
    let session = scene.session().await;
    let (mut events, question) = scene.ask(&session, 7, "one").await;
    scene.reply(&session, &question, json!({"result": {"action": "accept"}})).await;
    let (_, _progress) = events.next().await;
    let (_, refused) = events.next().await;
    assert_eq!(kind_of(&refused), (&json!(8007), &json!("approval_expired")), "{refused}");
    assert_eq!(scene.waited(), "expired");
    let late = scene.vote(&question["params"]["url"], "approve").await;
    assert_eq!(late.status, 409, "{}", late.body);
    scene.nothing_ran();
}

#[tokio::test]
async fn a_wait_that_nobody_ends_is_asked_about_again_and_not_for_ever() {
    let scene = Scene::new(BRIEF, "10m");
    let mut message = scene.modern(params("two")).await.message();
    let url = message["result"]["inputRequests"]["approval"]["params"]["url"].clone();
    let mut asked = 1;
    loop {
        let next = scene.modern(retry("two", &message, "accept")).await.message();
        if next.get("error").is_some() {
            assert_eq!(kind_of(&next), (&json!(8007), &json!("approval_required")), "{next}");
            break;
        }
        assert_eq!(
            next["result"]["inputRequests"]["approval"]["params"]["url"], url,
            "one call, one reference"
        );
        (message, asked) = (next, asked + 1);
    }
    assert_eq!(asked, 10);
    // Asked last, the state is still good: what is approved meanwhile runs.
    assert_eq!(scene.vote(&url, "approve").await.status, 200);
    assert_eq!(scene.modern(retry("two", &message, "accept")).await.code(), None);

    let session = scene.session().await;
    let (mut events, question) = scene.ask(&session, 7, "one").await;
    scene.reply(&session, &question, json!({"result": {"action": "accept"}})).await;
    let (_, _progress) = events.next().await;
    let (_, refused) = events.next().await;
    assert_eq!(kind_of(&refused), (&json!(8007), &json!("approval_required")));
    assert_eq!(scene.waited(), "undecided");
}

#[tokio::test]
async fn a_question_that_nobody_answers_ends_the_wait() {
    let settings = format!("{ASKS}\nlimits: {{ questionTimeoutMs: 1000 }}");
    let scene = Scene::new(&settings, "10m");
    let session = scene.session().await;
    let (mut events, _question) = scene.ask(&session, 7, "one").await;
    let (_, refused) = events.next().await;
    assert_eq!(kind_of(&refused), (&json!(8007), &json!("approval_required")), "{refused}");
    assert_eq!(scene.waited(), "unanswered");
    scene.nothing_ran();
}

#[tokio::test]
async fn nothing_runs_for_an_agent_that_is_gone() {
    let scene = Scene::new(ASKS, "10m");
    let session = scene.session().await;
    let (mut events, question) = scene.ask(&session, 7, "one").await;
    scene.reply(&session, &question, json!({"result": {"action": "accept"}})).await;
    let (_, _progress) = events.next().await;
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}});
    scene.gate.legacy_raw(&scene.alice, Some(&session), cancel.to_string().into_bytes()).await;
    scene.gate.site.until_recorded("approval.waited");
    assert_eq!(scene.waited(), "cancelled");

    let first = scene.modern(params("two")).await.message();
    let mut events =
        Events::modern(&scene.gate, &scene.alice, "tools/call", retry("two", &first, "accept")).await;
    let (_, _progress) = events.next().await;
    drop(events);
    let ends = || scene.kinds().iter().filter(|kind| *kind == "approval.waited").count();
    for _ in 0..200 {
        if ends() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!((ends(), scene.waited()), (2, json!("cancelled")));
    for url in [&question["params"]["url"], &first["result"]["inputRequests"]["approval"]["params"]["url"]] {
        assert_eq!(scene.vote(url, "approve").await.status, 200);
    }
    scene.gate.site.until_recorded("approval.granted");
    scene.nothing_ran();
}

#[tokio::test]
async fn a_ruined_store_ends_the_wait() {
    let scene = Scene::new(ASKS, "10m");
    let session = scene.session().await;
    let (mut events, question) = scene.ask(&session, 7, "one").await;
    scene.reply(&session, &question, json!({"result": {"action": "accept"}})).await;
    let (_, _progress) = events.next().await;
    let store = rusqlite::Connection::open(scene.gate.site.data().join("approvals.db")).unwrap();
    store.execute_batch("DROP TABLE vote; DROP TABLE held;").unwrap();
    let (_, refused) = events.next().await;
    assert_eq!(kind_of(&refused), (&json!(8005), &json!("unhonoured")), "{refused}");
    assert_eq!(scene.waited(), "unavailable");
    scene.nothing_ran();
}

#[tokio::test]
async fn a_gateway_that_stops_holds_nobody_up() {
    let mut scene = Scene::new(ASKS, "10m");
    let session = scene.session().await;
    let (mut events, question) = scene.ask(&session, 7, "one").await;
    scene.reply(&session, &question, json!({"result": {"action": "accept"}})).await;
    let (_, _progress) = events.next().await;
    rustix::process::kill_process(scene.gate.pid(), rustix::process::Signal::TERM).unwrap();
    let (_, refused) = events.next().await;
    assert_eq!(kind_of(&refused), (&json!(8007), &json!("approval_required")), "{refused}");
    assert!(scene.gate.stop(), "it ends well");
    assert_eq!(scene.waited(), "undecided");
    scene.nothing_ran();
}

#[tokio::test]
async fn without_the_ability_or_the_setting_it_is_refused_as_ever() {
    let scene = Scene::new(ASKS, "10m");
    let plain = json!({"name": "ops_echo", "arguments": {"text": "one"}});
    assert_eq!(scene.modern(plain.clone()).await.code(), Some(8007));
    let session = scene.gate.session(&scene.alice, "2025-11-25").await;
    assert_eq!(scene.gate.legacy(&scene.alice, &session, "tools/call", plain).await.code(), Some(8007));
    assert_eq!(scene.kinds(), ["call.denied", "call.denied"]);
    let scene = Scene::new("", "10m");
    assert_eq!(scene.modern(params("one")).await.code(), Some(8007));
    assert_eq!(scene.kinds(), ["call.denied"]);
    assert_eq!(scene.gate.page("/approvals/019a0000-0000-7000-8000-000000000000").await.status, 404);
}

#[tokio::test]
async fn one_principal_cannot_take_all_places() {
    let scene = Scene::new(ASKS, "10m");
    let session = scene.session().await;
    let mut open = Vec::new();
    for id in 0..16 {
        open.push(scene.ask(&session, id, &format!("call {id}")).await);
    }
    let more =
        scene.gate.legacy_raw(&scene.alice, Some(&session), call(16, "more").to_string().into_bytes()).await;
    assert_eq!(more.code(), Some(8007), "{}", more.body);
    let (mut events, question) = open.pop().unwrap();
    scene.reply(&session, &question, json!({"result": {"action": "decline"}})).await;
    let (_, refused) = events.next().await;
    assert_eq!(refused["error"]["data"]["kind"], "approval_declined");
    scene.ask(&session, 17, "more").await;
}
