//! Conversations with a demo server over an in-memory pipe.

use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
};
use tokio_util::task::TaskTracker;

use super::{Era, Options, Profile, serve};

struct Client {
    requests: WriteHalf<DuplexStream>,
    replies: Lines<BufReader<ReadHalf<DuplexStream>>>,
    server: TaskTracker,
    modern: bool,
    next: u64,
}

impl Client {
    fn start(profile: Profile, era: Era, journal: Option<std::path::PathBuf>) -> Self {
        let (near, far) = tokio::io::duplex(1 << 16);
        let (stdin, stdout) = tokio::io::split(far);
        let server = TaskTracker::new();
        server.spawn(async move { serve(Options { profile, era, journal }, stdin, stdout).await.unwrap() });
        server.close();
        let (replies, requests) = tokio::io::split(near);
        Self { requests, replies: BufReader::new(replies).lines(), server, modern: false, next: 0 }
    }

    async fn legacy(profile: Profile, version: &str) -> Self {
        let mut client = Self::start(profile, Era::Dual, None);
        let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let greeting = client.ask("initialize", params).await;
        assert_eq!(greeting["result"]["protocolVersion"], version);
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        client
    }

    fn modern(profile: Profile) -> Self {
        Self { modern: true, ..Self::start(profile, Era::Dual, None) }
    }

    async fn send(&mut self, message: &Value) {
        self.send_line(&message.to_string()).await;
    }

    async fn send_line(&mut self, line: &str) {
        self.requests.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn receive(&mut self) -> Value {
        serde_json::from_str(&self.replies.next_line().await.unwrap().expect("the server still speaks"))
            .unwrap()
    }

    async fn begin(&mut self, method: &str, mut params: Value) -> u64 {
        self.next += 1;
        if self.modern {
            let meta = params.as_object_mut().unwrap().entry("_meta").or_insert_with(|| json!({}));
            let meta = meta.as_object_mut().unwrap();
            meta.insert("io.modelcontextprotocol/protocolVersion".to_owned(), "2026-07-28".into());
            meta.insert("io.modelcontextprotocol/clientCapabilities".to_owned(), json!({}));
        }
        self.send(&json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params})).await;
        self.next
    }

    /// Asks and skips notifications until the answer.
    async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params).await;
        loop {
            let reply = self.receive().await;
            if reply.get("id") == Some(&json!(id)) {
                return reply;
            }
        }
    }

    async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// All items of a list, page by page.
    async fn list(&mut self, method: &str, member: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut params = json!({});
        loop {
            let result = self.ask(method, params).await["result"].take();
            items.extend(result[member].as_array().unwrap().iter().cloned());
            match result.get("nextCursor") {
                Some(cursor) => params = json!({"cursor": cursor}),
                None => return items,
            }
        }
    }

    async fn end(mut self) {
        self.requests.shutdown().await.unwrap();
        drop(self.requests);
        drop(self.replies);
        self.server.wait().await;
    }
}

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn both_profiles_page_their_tools_in_both_eras() {
    let crm = ["search_customers", "get_customer", "update_customer", "delete_customer", "export_customers"];
    let ops = ["list_incidents", "restart_service", "long_report", "echo", "fetch_runbook", "failing_tool"];
    for (profile, expected) in [(Profile::Crm, &crm[..]), (Profile::Ops, &ops[..])] {
        for mut client in [Client::legacy(profile, "2025-11-25").await, Client::modern(profile)] {
            let tools = client.list("tools/list", "tools").await;
            assert_eq!(names(&tools), expected);
            for tool in &tools {
                assert_eq!(tool["inputSchema"]["properties"]["marker"]["type"], "string");
                assert!(tool["annotations"]["destructiveHint"].is_boolean());
            }
            client.end().await;
        }
    }
}

#[tokio::test]
async fn every_revision_gets_results_in_its_own_form() {
    for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut client = Client::legacy(Profile::Crm, version).await;
        let result = client.call("get_customer", json!({"id": "c-001"})).await["result"].take();
        assert_eq!(result.get("structuredContent").is_some(), version > "2025-03-26");
        assert!(result.get("resultType").is_none());
    }
    let mut client = Client::modern(Profile::Crm);
    let found = client.ask("server/discover", json!({})).await["result"].take();
    assert_eq!(found["supportedVersions"], json!(["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]));
    assert_eq!((&found["resultType"], &found["cacheScope"]), (&json!("complete"), &json!("public")));
    let result = client.call("get_customer", json!({"id": "c-001"})).await["result"].take();
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "sealgate-demo-crm");
    assert!(result.get("ttlMs").is_none());
}

#[tokio::test]
async fn each_era_refuses_the_other_as_the_specification_says() {
    let mut legacy = Client { modern: true, ..Client::start(Profile::Ops, Era::Legacy, None) };
    assert_eq!(legacy.ask("server/discover", json!({})).await["error"]["code"], -32601);
    let mut modern = Client::start(Profile::Ops, Era::Modern, None);
    let refused = modern.ask("initialize", json!({"protocolVersion": "2025-11-25"})).await;
    assert_eq!(refused["error"]["code"], -32022);
    assert_eq!(refused["error"]["data"]["supported"], json!(["2026-07-28"]));
    assert_eq!(modern.ask("tools/list", json!({})).await["error"]["code"], -32602);
    let mut dual = Client::start(Profile::Ops, Era::Dual, None);
    assert_eq!(dual.ask("tools/list", json!({})).await["error"]["code"], -32600);
}

#[tokio::test]
async fn changes_and_deletions_last_and_an_export_becomes_a_resource() {
    let mut client = Client::legacy(Profile::Crm, "2025-11-25").await;
    let fields = json!({"email": "new@example.org"});
    client.call("update_customer", json!({"id": "c-002", "fields": fields})).await;
    let record = client.call("get_customer", json!({"id": "c-002"})).await;
    assert_eq!(record["result"]["structuredContent"]["email"], "new@example.org");
    client.call("delete_customer", json!({"id": "c-002"})).await;
    assert_eq!(client.call("get_customer", json!({"id": "c-002"})).await["result"]["isError"], true);
    assert_eq!(client.list("resources/list", "resources").await.len(), 1);
    let exported = client.call("export_customers", json!({"format": "json", "include_pii": true})).await;
    let text = exported["result"]["content"][1]["resource"]["text"].as_str().unwrap();
    assert!(!text.contains("new@example.org"), "the deleted customer is not exported");
    assert_eq!(client.receive().await["method"], "notifications/resources/list_changed");
    let read = client.ask("resources/read", json!({"uri": "crm://exports/latest"})).await;
    let by_email: Value =
        serde_json::from_str(read["result"]["contents"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(by_email.as_object().unwrap().len(), 39);
    assert!(by_email.get("amara.osei@example.org").is_some());
}

#[tokio::test]
async fn a_listener_is_told_of_changes_under_its_own_id() {
    let mut client = Client::modern(Profile::Crm);
    let asked = json!({"notifications": {"resourcesListChanged": true, "taskIds": ["t"]}});
    let id = client.begin("subscriptions/listen", asked).await;
    let acknowledged = client.receive().await;
    assert_eq!(acknowledged["params"]["notifications"], json!({"resourcesListChanged": true}));
    client.call("export_customers", json!({"format": "csv"})).await;
    let change = client.receive().await;
    assert_eq!(change["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], id);
}

#[tokio::test]
async fn a_report_tells_its_progress_in_order_and_before_its_result() {
    for mut client in [Client::legacy(Profile::Ops, "2025-03-26").await, Client::modern(Profile::Ops)] {
        let arguments = json!({"steps": 3, "delay_ms": 0});
        let params =
            json!({"name": "long_report", "arguments": arguments, "_meta": {"progressToken": "p-7"}});
        let id = client.begin("tools/call", params).await;
        for step in 1..=3 {
            let progress = client.receive().await;
            assert_eq!(progress["params"]["progressToken"], "p-7");
            assert_eq!(
                (&progress["params"]["progress"], &progress["params"]["total"]),
                (&json!(step), &json!(3))
            );
        }
        assert_eq!(client.receive().await["id"], id);
    }
}

#[tokio::test]
async fn a_cancelled_report_gets_no_answer_and_other_calls_go_on() {
    let mut client = Client::legacy(Profile::Ops, "2025-11-25").await;
    let params = json!({"name": "long_report", "arguments": {"steps": 9999, "delay_ms": 60_000}});
    let id = client.begin("tools/call", params).await;
    assert_eq!(
        client.call("echo", json!({"text": "meanwhile"})).await["result"]["content"][0]["text"],
        "meanwhile"
    );
    let params = json!({"requestId": id});
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})).await;
    let next = client.begin("ping", json!({})).await;
    assert_eq!(client.receive().await["id"], next);
    client.end().await;
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_tool_errors_and_unknown_names_are_faults() {
    let mut client = Client::modern(Profile::Crm);
    for (tool, arguments) in [
        ("search_customers", json!({})),
        ("search_customers", json!({"query": 7})),
        ("get_customer", json!({"id": "c-001", "extra": 1})),
        ("export_customers", json!({"format": "xml"})),
        ("get_customer", json!({"id": "c-999"})),
    ] {
        assert_eq!(client.call(tool, arguments).await["result"]["isError"], true, "{tool}");
    }
    assert_eq!(client.call("no_such_tool", json!({})).await["error"]["code"], -32602);
    assert_eq!(client.ask("no/such", json!({})).await["error"]["code"], -32601);
    assert_eq!(client.ask("tools/list", json!({"cursor": "after-99"})).await["error"]["code"], -32602);
    assert_eq!(client.ask("ping", json!({})).await["error"]["code"], -32601);
    assert_eq!(client.ask("resources/read", json!({"uri": "crm://no"})).await["error"]["code"], -32602);
    let mut legacy = Client::legacy(Profile::Crm, "2025-11-25").await;
    assert_eq!(legacy.ask("resources/read", json!({"uri": "crm://no"})).await["error"]["code"], -32002);
}

#[tokio::test]
async fn broken_lines_are_answered_and_survived() {
    let mut client = Client::legacy(Profile::Ops, "2025-11-25").await;
    for (line, code) in [
        ("{", -32700),
        ("[]", -32600),
        ("7", -32600),
        (r#"{"jsonrpc":"2.0","id":1}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600),
    ] {
        client.send_line(line).await;
        assert_eq!(client.receive().await["error"]["code"], code, "{line}");
    }
    client.send_line("").await;
    assert_eq!(client.ask("ping", json!({})).await["result"], json!({}));
}

#[tokio::test]
async fn a_batch_is_answered_in_the_one_revision_that_has_batches() {
    let mut client = Client::legacy(Profile::Ops, "2025-03-26").await;
    client
        .send_line(
            r#"[{"jsonrpc":"2.0","id":8,"method":"ping"},{"jsonrpc":"2.0","id":9,"method":"tools/list"}]"#,
        )
        .await;
    let answers = client.receive().await;
    assert_eq!((&answers[0]["id"], &answers[1]["id"]), (&json!(8), &json!(9)));
}

#[tokio::test]
async fn prompts_resources_and_completions_are_there() {
    let mut client = Client::legacy(Profile::Crm, "2025-11-25").await;
    assert_eq!(names(&client.list("prompts/list", "prompts").await), ["draft_reply"]);
    let templates = client.list("resources/templates/list", "resourceTemplates").await;
    assert_eq!(templates[0]["uriTemplate"], "crm://customers/{id}");
    let arguments = json!({"customer_id": "c-004", "tone": "formal"});
    let prompt = client.ask("prompts/get", json!({"name": "draft_reply", "arguments": arguments})).await;
    assert_eq!(prompt["result"]["messages"][1]["content"]["resource"]["uri"], "crm://customers/c-004");
    let reference = json!({"type": "ref/resource", "uri": "crm://customers/{id}"});
    let params = json!({"ref": reference, "argument": {"name": "id", "value": "c-01"}});
    let completion = client.ask("completion/complete", params).await;
    assert_eq!(completion["result"]["completion"]["total"], 10);

    let mut client = Client::modern(Profile::Ops);
    let reference = json!({"type": "ref/prompt", "name": "incident_summary"});
    let params = json!({"ref": reference, "argument": {"name": "incident", "value": "INC-30"}});
    let completion = client.ask("completion/complete", params).await;
    assert_eq!(completion["result"]["completion"]["values"][0], "INC-301");
    let read = client.ask("resources/read", json!({"uri": "runbook://restart-checkout"})).await;
    assert_eq!(read["result"]["cacheScope"], "private");
    let prompt = client.ask("prompts/get", json!({"name": "incident_summary", "arguments": {}})).await;
    assert_eq!(prompt["error"]["code"], -32602);
}

#[tokio::test]
async fn log_messages_come_only_when_asked_for() {
    let mut client = Client::legacy(Profile::Ops, "2025-11-25").await;
    let echo = json!({"name": "echo", "arguments": {"text": "x"}});
    let id = client.begin("tools/call", echo.clone()).await;
    assert_eq!(client.receive().await["id"], id);
    client.ask("logging/setLevel", json!({"level": "info"})).await;
    client.begin("tools/call", echo.clone()).await;
    assert_eq!(client.receive().await["params"]["level"], "info");

    let mut client = Client::modern(Profile::Ops);
    let mut wanted = echo;
    wanted["_meta"] = json!({"io.modelcontextprotocol/logLevel": "debug"});
    client.begin("tools/call", wanted).await;
    assert_eq!(client.receive().await["params"]["data"]["arguments"]["text"], "x");
}

#[tokio::test]
async fn the_journal_has_each_call_that_ran() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let mut client = Client { modern: true, ..Client::start(Profile::Ops, Era::Modern, Some(path.clone())) };
    client.call("echo", json!({"text": "x", "marker": "m-1"})).await;
    client.call("failing_tool", json!({})).await;
    client.call("no_such_tool", json!({"marker": "m-2"})).await;
    let journal = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines,
        [json!({"tool": "echo", "marker": "m-1"}), json!({"tool": "failing_tool", "marker": null})]
    );
}

#[test]
fn the_customers_hold_what_detectors_look_for() {
    let customers: Vec<Value> = serde_json::from_str(include_str!("customers.json")).unwrap();
    assert_eq!(customers.len(), 40);
    let all = include_str!("customers.json");
    assert!(all.matches("@example.").count() > 40);
    for holder in ["\"card\"", "\"iban\"", "\"ssn\"", "import_raw", "SSN"] {
        assert!(all.contains(holder), "{holder}");
    }
    let cards = customers.iter().filter_map(|customer| customer["payment"]["card"].as_str());
    for card in cards {
        let digits: Vec<u32> = card.chars().filter_map(|digit| digit.to_digit(10)).rev().collect();
        let luhn = |(place, digit): (usize, &u32)| {
            if place % 2 == 0 { *digit } else { digit * 2 / 10 + digit * 2 % 10 }
        };
        assert_eq!(digits.iter().enumerate().map(luhn).sum::<u32>() % 10, 0, "{card}");
    }
}
