//! What an agent, a backend and an auditor see of a governed call.

use crate::harness::{PERMIT_ALL, Site, demo_servers};
use serde_json::{Value, json};

fn names(answer: &Value) -> Vec<String> {
    let tools = answer["result"]["tools"].as_array().expect("tools");
    tools.iter().map(|t| t["name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn both_eras_see_the_same_tools_under_their_servers_names() {
    let site = Site::new(&demo_servers(), "", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    let modern = names(&gate.modern(&token, "tools/list", json!({})).await.message());
    let session = gate.session(&token, "2025-03-26").await;
    let legacy = names(&gate.legacy(&token, &session, "tools/list", json!({})).await.message());
    assert_eq!(modern, legacy);
    assert!(
        modern.contains(&"crm_search_customers".into()) && modern.contains(&"ops_echo".into()),
        "{modern:?}"
    );
    let own = gate.modern_at("/servers/ops/mcp", &token, "tools/list", json!({})).await.message();
    assert!(names(&own).contains(&"echo".into()));
    let called = gate.modern_at(
        "/servers/ops/mcp",
        &token,
        "tools/call",
        json!({"name": "echo", "arguments": {"text": "own"}}),
    );
    assert!(called.await.body.contains("own"));
}

#[tokio::test]
async fn lists_come_in_pages_with_cursors_of_our_own() {
    let site = Site::new(&demo_servers(), "limits: { pageSize: 4 }", PERMIT_ALL);
    let (token, other) = (site.token("alice", "employee"), site.token("bob", "employee"));
    let gate = site.start();
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..10 {
        let params = cursor.as_ref().map_or_else(|| json!({}), |c| json!({"cursor": c}));
        let page = gate.modern(&token, "tools/list", params).await.message();
        let page_names = names(&page);
        assert!(page_names.len() <= 4);
        all.extend(page_names);
        cursor = page["result"]["nextCursor"].as_str().map(str::to_owned);
        let Some(next) = &cursor else { break };
        let stolen = gate.modern(&other, "tools/list", json!({"cursor": next})).await;
        assert_eq!(stolen.code(), Some(-32602), "a cursor is good for its caller only");
    }
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
    assert!(all.len() > 8);
}

#[tokio::test]
async fn a_denied_call_looks_like_an_unknown_one_and_is_never_sent() {
    let policy = "@id(\"echo-only\")\npermit(principal, action == Action::\"ops_echo\", resource);\n\
                  @id(\"back\")\npermit(principal, action == Action::\"ReturnResult\", resource);\n";
    let site = Site::new(&demo_servers(), "", policy);
    let token = site.token("alice", "employee");
    let gate = site.start();
    assert_eq!(names(&gate.modern(&token, "tools/list", json!({})).await.message()), ["ops_echo"]);
    let strip = |mut message: Value| {
        message["error"]["message"] = json!(null);
        message["error"]["data"]["reference"] = json!(null);
        message
    };
    let denied = gate.call(&token, "crm_delete_customer", json!({"id": "c-001"})).await.message();
    let unknown = gate.call(&token, "crm_no_such_tool", json!({"id": "c-001"})).await.message();
    let reference = denied["error"]["data"]["reference"].as_str().unwrap().to_owned();
    assert_eq!(strip(denied), strip(unknown));
    assert!(gate.call(&token, "ops_echo", json!({"text": "yes"})).await.body.contains("yes"));
    let records = gate.site.records();
    let record =
        records.iter().find(|r| r["call"] == json!(reference)).expect("the reference is the record's");
    assert_eq!(
        (record["kind"].as_str(), record["authz"]["decision"].as_str()),
        (Some("call.denied"), Some("deny"))
    );
    assert_eq!(record["mcp"]["name"], json!("crm_delete_customer"));
    assert!(
        !records
            .iter()
            .any(|r| r["kind"] == "call.intent" && r["mcp"]["name"] == json!("crm_delete_customer"))
    );
}

#[tokio::test]
async fn progress_comes_in_order_before_the_result_under_the_agents_own_token() {
    let site = Site::new(&demo_servers(), "", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    let params = json!({"name": "ops_long_report", "arguments": {"steps": 20, "delay_ms": 1}, "_meta": {"progressToken": "mine"}});
    let events = gate.modern(&token, "tools/call", params).await.events();
    let (last, progress) = events.split_last().expect("frames");
    assert!(last["result"].is_object(), "{last}");
    let seen: Vec<f64> =
        progress.iter().map(|e| e["params"]["progress"].as_f64().expect("progress")).collect();
    assert_eq!(seen.len(), 20, "{events:?}");
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
    assert!(progress.iter().all(|e| e["params"]["progressToken"] == json!("mine")));
    // Unasked, none comes.
    let silent = gate.call(&token, "ops_long_report", json!({"steps": 3, "delay_ms": 1})).await.events();
    assert_eq!(silent.len(), 1);
}

#[tokio::test]
async fn personal_data_is_masked_both_ways_and_the_log_says_so() {
    let site = Site::new(&demo_servers(), "", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    let mail = format!("jane.roe{}corp.example.com", '@');
    let echoed = gate.call(&token, "ops_echo", json!({"text": format!("write to {mail}")})).await;
    assert!(!echoed.body.contains(&mail) && echoed.body.contains("[EMAIL]"), "{}", echoed.body);
    let read = gate.call(&token, "crm_get_customer", json!({"id": "c-001"})).await;
    assert!(read.body.contains("[EMAIL]") && !read.body.contains('@'), "{}", read.body);
    let records = gate.site.records();
    let intent = records.iter().find(|r| r["kind"] == "call.intent").expect("an intent");
    assert_eq!(intent["redact"]["findings"][0]["type"], json!("email"));
    assert!(gate.site.said(intent).to_string().contains("[EMAIL]"));
    let outcome = records.iter().rfind(|r| r["kind"] == "call.outcome").expect("an outcome");
    assert!(outcome["redact"]["findings"].as_array().is_some_and(|f| !f.is_empty()));
    assert!(gate.site.said(outcome).to_string().contains("[EMAIL]"));
}

#[tokio::test]
async fn a_revoked_token_ends_at_once_for_running_calls_too() {
    let site = Site::new(&demo_servers(), "", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    let slow = gate.modern(
        &token,
        "tools/call",
        json!({"name": "ops_long_report", "arguments": {"steps": 2000, "delay_ms": 50}, "_meta": {"progressToken": 1}}),
    );
    let revoke = async {
        // The call is running once its intent is in the log.
        for _ in 0..400 {
            if gate.site.records().iter().any(|r| r["kind"] == "call.intent") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let out = gate.site.sealgate(&["token", "revoke", "--config", "sealgate.yaml", &token.id]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    };
    let (cut, ()) = tokio::join!(slow, revoke);
    assert!(!cut.events().iter().any(|e| e["result"].is_object()), "the call was cut");
    assert_eq!(gate.call(&token, "ops_echo", json!({"text": "x"})).await.status, 401);
    // Nobody waits for the record of a call that was cut, so it may come a moment later.
    let outcome = || gate.site.records().into_iter().rfind(|r| r["kind"] == "call.outcome");
    for _ in 0..100 {
        if outcome().is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(outcome().expect("an outcome")["status"], json!("cancelled"));
}

#[tokio::test]
async fn a_bad_change_changes_nothing_and_a_good_one_is_recorded() {
    let site = Site::new(&demo_servers(), "", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    gate.site.write("policies/test.cedar", "@id(\"broken\") permit(principal, action, resource");
    let page = gate.until(|page| page["rejected_change"].is_string()).await;
    assert!(page["rejected_change"].as_str().unwrap().contains("test.cedar"), "{page}");
    assert!(gate.call(&token, "ops_echo", json!({"text": "as before"})).await.body.contains("as before"));
    let only =
        "@id(\"nothing\")\npermit(principal == User::\"nobody\", action in Action::\"Mcp\", resource);\n";
    gate.site.write("policies/test.cedar", only);
    gate.until(|page| page["rejected_change"].is_null()).await;
    assert_eq!(gate.call(&token, "ops_echo", json!({"text": "x"})).await.code(), Some(8001));
    let records = gate.site.records();
    let change = records.iter().rfind(|r| r["kind"] == "policy.change").expect("a record of the change");
    assert_ne!(change["before"]["policy_set"], change["after"]["policy_set"]);
}

#[test]
fn a_backend_that_starts_slowly_is_found_to_speak_the_newest_revision() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/slow_modern.py");
    let site = Site::new(&format!("  slow: {{ command: python3, args: [\"{script}\"] }}\n"), "", PERMIT_ALL);
    let out = site.sealgate(&["check", "-o", "json"]);
    let report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let backend = &report["trial"]["backends"][0];
    assert_eq!((&backend["state"], &backend["protocol"]), (&json!("up"), &json!("2026-07-28")), "{report}");
    assert_eq!(backend["tools"], json!(1));
}

#[test]
fn settings_of_a_tool_that_is_not_there_are_told() {
    let servers =
        demo_servers().replacen("trust: 80 }", "trust: 80, tools: { get_customr: { pinned: true } } }", 1);
    let site = Site::new(&servers, "", PERMIT_ALL);
    let out = site.sealgate(&["check", "-o", "json"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let note = "`mcpServers.crm.tools.get_customr` does nothing: `crm` lists no such tool";
    assert!(report["trial"]["notes"].as_array().unwrap().contains(&json!(note)), "{report}");
}

/// A policy that permits one tool.
fn permits(tool: &str) -> String {
    format!("@id(\"only\")\npermit(principal, action == Action::\"{tool}\", resource);\n")
}

#[tokio::test]
async fn a_reload_follows_new_places_and_says_what_waits_for_a_restart() {
    let site = Site::new(&demo_servers(), "", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    let tools = || async { names(&gate.modern(&token, "tools/list", json!({})).await.message()) };
    let until = |wanted: &'static str| async move {
        for _ in 0..400 {
            if tools().await == [wanted] {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("`{wanted}` is not the only tool: {:?}", tools().await);
    };
    // A whole folder takes another's place, as a deployment does it; then a file in it changes.
    gate.site.write("next/a.cedar", &permits("ops_echo"));
    let (policies, next) = (gate.site.path().join("policies"), gate.site.path().join("next"));
    std::fs::rename(&policies, gate.site.path().join("old")).unwrap();
    std::fs::rename(&next, &policies).unwrap();
    until("ops_echo").await;
    gate.site.write("policies/a.cedar", &permits("ops_list_incidents"));
    until("ops_list_incidents").await;
    // The configuration names another folder; then a file in that one changes.
    gate.site.write("elsewhere/a.cedar", &permits("crm_get_customer"));
    let file = std::fs::read_to_string(gate.site.path().join("sealgate.yaml")).unwrap();
    let file = file.replace("folder: ./policies", "folder: ./elsewhere");
    gate.site.write("sealgate.yaml", &format!("{file}limits: {{ concurrentCalls: 7, pageSize: 50 }}\n"));
    until("crm_get_customer").await;
    let page = gate.until(|page| page["notes"].as_array().is_some_and(|notes| !notes.is_empty())).await;
    assert_eq!(page["notes"], json!(["changed in the file, in force from the next start on: limits"]));
    gate.site.write("elsewhere/a.cedar", &permits("crm_search_customers"));
    until("crm_search_customers").await;
    gate.site.write("sealgate.yaml", &file);
    gate.until(|page| page["notes"] == json!([])).await;
}

#[tokio::test]
async fn one_backend_that_is_down_does_not_take_the_others_with_it() {
    let servers = format!("{}  gone: {{ command: /nonexistent/server }}\n", demo_servers());
    let site = Site::new(&servers, "", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    let list = gate.modern(&token, "tools/list", json!({})).await.message();
    assert!(names(&list).contains(&"ops_echo".into()));
    assert_eq!(list["result"]["_meta"]["sealgate/missing"][0]["server"], json!("gone"));
    assert_eq!(gate.page("/readyz").await.status, 200);
}

#[tokio::test]
async fn a_hangup_reads_again_what_no_watch_can_see_change() {
    let site = Site::new(&demo_servers(), "", &permits("ops_echo"));
    let token = site.token("alice", "employee");
    // A second name elsewhere: what is written under it is no event of the folder that is watched.
    site.write("elsewhere/keep", "");
    let unseen = site.path().join("elsewhere/a.cedar");
    std::fs::hard_link(site.path().join("policies/test.cedar"), &unseen).unwrap();
    let gate = site.start();
    let hangup = || rustix::process::kill_process(gate.pid(), rustix::process::Signal::HUP).unwrap();
    let tools = || async { names(&gate.modern(&token, "tools/list", json!({})).await.message()) };
    assert_eq!(tools().await, ["ops_echo"]);
    std::fs::write(&unseen, permits("ops_list_incidents")).unwrap();
    hangup();
    for _ in 0..400 {
        if tools().await == ["ops_list_incidents"] {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert_eq!(tools().await, ["ops_list_incidents"]);
    std::fs::write(&unseen, "permit (").unwrap();
    hangup();
    gate.until(|page| page["rejected_change"].as_str().is_some_and(|why| why.contains("test.cedar"))).await;
    assert_eq!(tools().await, ["ops_list_incidents"]);
    assert!(gate.site.records().iter().any(|record| record["kind"] == "policy.change"));
}

#[tokio::test]
async fn settings_that_let_everything_of_a_server_pass_are_loud_everywhere() {
    let settings = "inspect: { operators: [{ servers: [crm], direction: response, operator: allow }] }";
    let site = Site::new(&demo_servers(), settings, PERMIT_ALL);
    let out = site.sealgate(&["check", "--config", "sealgate.yaml"]);
    let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    let loud = "FINDINGS PASS in responses of server `crm`";
    assert!(said.contains(loud), "{said}");
    let gate = site.start();
    let out = gate.site.sealgate(&["status", "--url", &gate.admin]);
    let status = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(status.contains(loud), "{status}");
    assert!(gate.stderr().contains(loud));
    assert!(gate.page("/metrics").await.body.contains("sealgate_inspect_open 1"));
    gate.site.configure(&demo_servers(), "");
    gate.until(|page| !page.to_string().contains(loud)).await;
    assert!(gate.page("/metrics").await.body.contains("sealgate_inspect_open 0"));
}
