//! What policies ask for besides yes or no, as agents, approvers, receivers and auditors see it.

use crate::harness::{Gate, Site, Token, demo_servers};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

/// Everything allowed, plus the policies of one test.
fn policies(more: &str) -> String {
    format!(
        "@id(\"all\")\npermit(principal, action in Action::\"Mcp\", resource);\n\
         @id(\"leads-approve\")\npermit(principal in Role::\"lead\", action == Action::\"ApproveCall\", resource);\n{more}"
    )
}

const ECHO: &str = "permit(principal, action == Action::\"ops_echo\", resource)";

fn last<'r>(records: &'r [Value], kind: &str) -> &'r Value {
    records.iter().rev().find(|record| record["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

async fn echo(gate: &Gate, token: &Token, text: &str) -> crate::harness::Answer {
    gate.call(token, "ops_echo", json!({"text": text})).await
}

#[tokio::test]
async fn a_rate_limit_holds_per_principal_and_is_told_and_recorded() {
    let site = Site::new(
        &demo_servers(),
        "",
        &policies(&format!("@id(\"few\") @oblige @rate_limit(\"2/h\")\n{ECHO};")),
    );
    let (alice, bob) = (site.token("alice", "employee"), site.token("bob", "employee"));
    let gate = site.start();
    for _ in 0..2 {
        assert_eq!(echo(&gate, &alice, "hi").await.code(), None);
    }
    let refused = echo(&gate, &alice, "hi").await;
    assert_eq!(refused.code(), Some(8008), "{}", refused.body);
    assert!(refused.body.contains("try again in"));
    assert_eq!(echo(&gate, &bob, "hi").await.code(), None, "another principal has a bucket of their own");
    let records = gate.site.records();
    let record = last(&records, "call.denied");
    assert_eq!(record["authz"]["reason"], "rate_limited");
    assert_eq!(record["authz"]["obligations"]["rate_limit"], json!(["few: 2/3600s"]));
    assert_eq!(record["authz"]["policies"], json!(["all"]));
}

#[tokio::test]
async fn size_justification_and_capture_are_enforced_and_recorded() {
    let more = format!(
        "@id(\"small\") @oblige @max_bytes(\"300\")\n{ECHO};\n\
         @id(\"why\") @oblige @require_justification @audit(\"metadata\")\n\
         permit(principal, action == Action::\"ops_list_incidents\", resource);\n\
         @id(\"whole\") @oblige @audit(\"request_response\")\n\
         permit(principal, action == Action::\"crm_get_customer\", resource);"
    );
    let site = Site::new(&demo_servers(), "audit: { payloads: { capture: request } }", &policies(&more));
    let token = site.token("alice", "employee");
    let gate = site.start();
    assert_eq!(echo(&gate, &token, &"x".repeat(400)).await.code(), Some(8002));
    // The parameters fit, the result does not.
    let params = json!({"name": "ops_echo", "arguments": {"text": "y".repeat(60)}});
    let small = gate.modern(&token, "tools/call", params).await;
    assert_eq!(small.code(), None, "{}", small.body);
    let incidents = |meta: Value| json!({"name": "ops_list_incidents", "arguments": {}, "_meta": meta});
    for meta in [json!({}), json!({"sealgate/justification": "why"}), json!({"sealgate/justification": 7})] {
        let refused = gate.modern(&token, "tools/call", incidents(meta)).await;
        assert_eq!(refused.code(), Some(-32602), "{}", refused.body);
        assert!(refused.body.contains("sealgate/justification"));
    }
    let said = json!({"sealgate/justification": "ticket 4711 of jane@example.com"});
    assert_eq!(gate.modern(&token, "tools/call", incidents(said)).await.code(), None);
    let got = gate.call(&token, "crm_get_customer", json!({"id": "c-001"})).await;
    assert_eq!(got.code(), None);
    let records = gate.site.records();
    let intent = |name: &str| {
        let found = records.iter().rev().find(|r| r["kind"] == "call.intent" && r["mcp"]["name"] == name);
        found.unwrap_or_else(|| panic!("no intent of {name}"))
    };
    let why = intent("ops_list_incidents");
    let said = why["authz"]["justification"].as_str().unwrap();
    assert!(said.starts_with("ticket 4711") && !said.contains("jane@example.com"), "{said}");
    assert!(why.get("request").is_none() && why["request_omitted"].as_u64().unwrap() > 0);
    let outcome = last(&records, "call.outcome");
    assert_eq!(outcome["call"], intent("crm_get_customer")["call"]);
    assert!(gate.site.said(outcome).to_string().contains("content"));
    assert!(
        records.iter().filter(|r| r["kind"] == "call.outcome").filter(|r| r.get("payload").is_some()).count()
            == 1
    );
}

#[tokio::test]
async fn findings_that_policy_blocks_stop_the_call_and_the_result() {
    let more = "@id(\"in\") @oblige @redact(\"email\") @redact_mode(\"block\")\n\
                permit(principal, action == Action::\"ops_echo\", resource);\n\
                @id(\"out\") @oblige @redact(\"email\") @redact_mode(\"block\")\n\
                permit(principal, action == Action::\"ReturnResult\", resource == Tool::\"crm_get_customer\");";
    let site = Site::new(&demo_servers(), "", &policies(more));
    let token = site.token("alice", "employee");
    let gate = site.start();
    assert_eq!(echo(&gate, &token, "write to jane@example.com").await.code(), Some(8002));
    assert_eq!(echo(&gate, &token, "write to nobody").await.code(), None);
    assert_eq!(gate.call(&token, "crm_get_customer", json!({"id": "c-001"})).await.code(), Some(8002));
    let records = gate.site.records();
    assert_eq!(last(&records, "call.outcome")["status"], "blocked");
    assert_eq!(last(&records, "call.denied")["authz"]["findings"], json!(["email"]));
}

#[tokio::test]
async fn a_forbid_says_why_to_those_only_who_see_the_tool() {
    let more = "@id(\"no-noise\") @reply(\"No noise, please.\")\n\
                forbid(principal, action == Action::\"ops_echo\", resource) when { context.args.text == \"noise\" };\n\
                @id(\"hidden\") @reply(\"This exists.\")\n\
                forbid(principal, action == Action::\"crm_delete_customer\", resource);";
    let site = Site::new(&demo_servers(), "", &policies(more));
    let token = site.token("alice", "employee");
    let gate = site.start();
    let said = echo(&gate, &token, "noise").await;
    assert_eq!(said.code(), Some(8001));
    assert!(said.body.contains("No noise, please."));
    let hidden = gate.call(&token, "crm_delete_customer", json!({"id": "c-001"})).await;
    assert_eq!(hidden.code(), Some(8001));
    assert!(!hidden.body.contains("exists"));
}

#[tokio::test]
async fn a_held_call_runs_once_after_somebody_else_approved_exactly_it() {
    let more =
        format!("@id(\"two\") @oblige @require_approval(\"Role::lead\") @approval_ttl(\"10m\")\n{ECHO};");
    let site = Site::new(&demo_servers(), "", &policies(&more));
    let (alice, lead, bob) =
        (site.token("alice", "lead"), site.token("lena", "lead"), site.token("bob", "employee"));
    let data = site.data().display().to_string();
    for (name, token) in [("alice", &alice), ("lena", &lead), ("bob", &bob)] {
        site.write(&format!("{name}.token"), &token.value);
    }
    let gate = site.start();
    let held = echo(&gate, &alice, "mail jane@example.com").await;
    assert_eq!(held.code(), Some(8007), "{}", held.body);
    let reference = held.message()["error"]["data"]["reference"].as_str().unwrap().to_owned();
    let again = echo(&gate, &alice, "mail jane@example.com").await.message();
    assert_eq!(again["error"]["data"]["reference"], json!(reference), "the same call waits once");

    let say = |verb: &str, who: &str| {
        let token = format!("{who}.token");
        gate.site.sealgate(&[
            "approval",
            verb,
            &reference,
            "--data-dir",
            &data,
            "--token-file",
            &token,
            "-o",
            "json",
        ])
    };
    assert_eq!(say("approve", "alice").status.code(), Some(1), "nobody approves their own call");
    assert_eq!(say("approve", "bob").status.code(), Some(1), "policy must let them approve");
    assert_eq!(echo(&gate, &alice, "mail jane@example.com").await.code(), Some(8007));
    let shown = gate.site.sealgate(&["approval", "show", &reference, "--data-dir", &data]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("alice") && shown.contains("mail ") && !shown.contains("jane@example.com"),
        "{shown}"
    );

    let out = say("approve", "lena");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(
        echo(&gate, &alice, "mail john@example.com").await.code(),
        Some(8007),
        "other arguments, other call"
    );
    assert_eq!(
        echo(&gate, &bob, "mail jane@example.com").await.code(),
        Some(8007),
        "another caller, another call"
    );
    assert_eq!(echo(&gate, &alice, "mail jane@example.com").await.code(), None);
    assert_eq!(
        echo(&gate, &alice, "mail jane@example.com").await.code(),
        Some(8007),
        "an approval is good once"
    );
    assert_eq!(say("reject", "lena").status.code(), Some(1), "what was used cannot be rejected");

    gate.site.until_recorded("approval.granted");
    let records = gate.site.records();
    let intent = last(&records, "call.intent");
    assert_eq!(intent["authz"]["approval"], json!({"approvers": ["lena"], "reference": reference}));
    let granted = last(&records, "approval.granted");
    assert_eq!(granted["approval"]["approver"]["id"], "lena");
    assert_eq!(granted["call"], json!(reference));
}

#[tokio::test]
async fn a_rejected_call_stays_rejected_and_a_broken_store_refuses() {
    let more = format!("@id(\"two\") @oblige @require_approval(\"Role::lead\")\n{ECHO};");
    let site = Site::new(&demo_servers(), "", &policies(&more));
    let (alice, lead) = (site.token("alice", "employee"), site.token("lena", "lead"));
    site.write("lena.token", &lead.value);
    let data = site.data().display().to_string();
    let gate = site.start();
    let held = echo(&gate, &alice, "one").await.message();
    let reference = held["error"]["data"]["reference"].as_str().unwrap().to_owned();
    let out = gate.site.sealgate(&[
        "approval",
        "reject",
        &reference,
        "--data-dir",
        &data,
        "--token-file",
        "lena.token",
        "--note",
        "not today",
    ]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let answer = echo(&gate, &alice, "one").await.message();
    assert_eq!(answer["error"]["data"]["kind"], "approval_rejected");
    gate.site.until_recorded("approval.rejected");
    // A store that another hand has ruined must not let anything through.
    let store = rusqlite::Connection::open(gate.site.data().join("approvals.db")).unwrap();
    store.execute_batch("DROP TABLE vote; DROP TABLE held;").unwrap();
    let down = echo(&gate, &alice, "two").await;
    assert_eq!(down.code(), Some(8005), "{}", down.body);
    assert_eq!(last(&gate.site.records(), "call.denied")["authz"]["reason"], "unhonoured");
}

/// Takes requests one by one: the first is answered with 500, the others with 204.
fn receiver() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (heard, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for (index, stream) in listener.incoming().take(2).enumerate() {
            let mut stream = stream.unwrap();
            let (mut all, mut chunk) = (Vec::new(), [0; 4096]);
            loop {
                let read = stream.read(&mut chunk).unwrap();
                all.extend_from_slice(&chunk[..read]);
                let text = String::from_utf8_lossy(&all).to_lowercase();
                let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
                let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
                let body = text.find("\r\n\r\n").map(|at| all.len() - at - 4);
                if read == 0 || body.is_some_and(|body| body >= length) {
                    break;
                }
            }
            let status = if index == 0 { "500 Internal Server Error" } else { "204 No Content" };
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
            heard.send(String::from_utf8(all).unwrap()).unwrap();
        }
    });
    (url, requests)
}

#[tokio::test]
async fn a_receiver_is_told_with_a_signature_and_again_after_a_failure() {
    use base64::Engine as _;
    let (url, requests) = receiver();
    let settings = format!(
        "policies: {{ folder: ./policies, notify: {{ secops: {{ url: \"{url}\", secretFile: ./hook.key }} }} }}"
    );
    let more = format!("@id(\"tell\") @oblige @notify(\"secops\")\n{ECHO};");
    let site = Site::with_settings(&demo_servers(), &settings, &policies(&more));
    site.write("hook.key", "0123456789abcdef0123456789abcdef\n");
    let token = site.token("alice", "employee");
    let gate = site.start();
    assert_eq!(echo(&gate, &token, "mail jane@example.com").await.code(), None);
    let wait = std::time::Duration::from_secs(30);
    let (first, second) = (requests.recv_timeout(wait).unwrap(), requests.recv_timeout(wait).unwrap());
    let header = |request: &str, name: &str| {
        let line = request.lines().find(|line| line.to_lowercase().starts_with(name)).unwrap();
        line.split_once(": ").unwrap().1.trim().to_owned()
    };
    assert_eq!(header(&first, "webhook-id"), header(&second, "webhook-id"), "one notice, one id");
    let body = second.split("\r\n\r\n").nth(1).unwrap();
    let (id, time) = (header(&second, "webhook-id"), header(&second, "webhook-timestamp"));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"0123456789abcdef0123456789abcdef");
    let signed = aws_lc_rs::hmac::sign(&key, format!("{id}.{time}.{body}").as_bytes());
    let expected = base64::engine::general_purpose::STANDARD.encode(signed.as_ref());
    assert_eq!(header(&second, "webhook-signature"), format!("v1,{expected}"));
    let told: Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        (told["data"]["name"].as_str(), told["data"]["principal"].as_str()),
        (Some("ops_echo"), Some("alice"))
    );
    assert!(!body.contains("jane"), "notices hold no content");
    gate.site.until_recorded("notify.sent");
    assert_eq!(last(&gate.site.records(), "notify.sent")["tries"], 2);
}

#[tokio::test]
async fn observe_mode_lets_calls_through_records_what_would_be_and_says_so_loudly() {
    let policy = "@id(\"only-echo\") permit(principal, action == Action::\"ops_echo\", resource);\n\
                  @id(\"never\") forbid(principal, action == Action::\"crm_delete_customer\", resource);";
    let site =
        Site::with_settings(&demo_servers(), "policies: { folder: ./policies, mode: observe }", policy);
    let token = site.token("alice", "employee");
    let gate = site.start();
    let list = gate.call(&token, "ops_list_incidents", json!({})).await;
    assert_eq!(list.code(), None, "{}", list.body);
    let records = gate.site.records();
    let intent = last(&records, "call.intent");
    assert_eq!(intent["authz"]["mode"], "observe");
    assert_eq!(
        (&intent["authz"]["reason"], &intent["authz"]["would"]),
        (&json!("observe"), &json!("no_permit"))
    );
    assert!(gate.page("/readyz").await.body.contains("POLICY IS NOT ENFORCED"));
    assert!(gate.page("/metrics").await.body.contains("sealgate_policy_observe 1"));
    assert!(gate.stderr().contains("POLICY IS NOT ENFORCED"));
}

#[tokio::test]
async fn what_a_session_has_read_stops_what_it_sends_in_both_eras() {
    let more = "@id(\"taint\") forbid(principal, action == Action::\"ops_echo\", resource)\n\
                when { context.session.taint.contains(\"confidential\") };";
    let labelled = "[demo-server, crm], tools: { get_customer: { labels: [confidential] } }";
    let servers = demo_servers().replace("[demo-server, crm]", labelled);
    assert!(servers.contains("confidential"), "{servers}");
    let site = Site::new(&servers, "", &policies(more));
    let (alice, bob) = (site.token("alice", "employee"), site.token("bob", "employee"));
    let gate = site.start();
    assert_eq!(echo(&gate, &alice, "before").await.code(), None);
    assert_eq!(gate.call(&alice, "crm_get_customer", json!({"id": "c-001"})).await.code(), None);
    assert_eq!(echo(&gate, &alice, "after").await.code(), Some(8001));
    assert_eq!(echo(&gate, &bob, "after").await.code(), None);
    let session = gate.session(&alice, "2025-06-18").await;
    let params = json!({"name": "ops_echo", "arguments": {"text": "fresh"}});
    assert_eq!(
        gate.legacy(&alice, &session, "tools/call", params.clone()).await.code(),
        None,
        "a new session"
    );
    let read = json!({"name": "crm_get_customer", "arguments": {"id": "c-001"}});
    assert_eq!(gate.legacy(&alice, &session, "tools/call", read).await.code(), None);
    assert_eq!(gate.legacy(&alice, &session, "tools/call", params).await.code(), Some(8001));
    let denied = last(&gate.site.records(), "call.denied")["mcp"].clone();
    assert!(denied["session_taint"].as_array().unwrap().contains(&json!("confidential")));
    assert!(denied["session_tools"].as_array().unwrap().contains(&json!("crm_get_customer")));
}

#[tokio::test]
async fn policies_choose_what_becomes_of_findings_and_the_strictest_holds_for_each_kind() {
    let more = "@id(\"in\") @oblige @redact(\"email,us_ssn\") @redact_mode(\"pseudonymise\")\n\
                permit(principal, action == Action::\"ops_echo\", resource);\n\
                @id(\"in-too\") @oblige @redact(\"us_ssn\") @redact_mode(\"drop\")\n\
                permit(principal, action == Action::\"ops_echo\", resource);\n\
                @id(\"out\") @oblige @redact(\"email\")\n\
                permit(principal == User::\"bob\", action == Action::\"ReturnResult\", resource);";
    let partly = "inspect: { request: { operator: partial }, response: { operator: partial } }";
    let site = Site::new(&demo_servers(), partly, &policies(more));
    let (alice, bob) = (site.token("alice", "employee"), site.token("bob", "employee"));
    let gate = site.start();
    let text = "mail jane@example.com, SSN 536-22-8726, IBAN GB82WEST12345698765432";
    let said = |answer: crate::harness::Answer| {
        answer.message()["result"]["content"][0]["text"]
            .as_str()
            .unwrap_or_else(|| panic!("{}", answer.body))
            .to_owned()
    };
    let first = said(echo(&gate, &alice, text).await);
    assert!(
        first.contains("mail [EMAIL_") && first.contains("SSN , ") && first.contains("****5432"),
        "{first}"
    );
    assert_eq!(first, said(echo(&gate, &alice, text).await), "equal values have equal names");
    // The configuration shows a part of a customer's address; to bob, policy shows none of it.
    let get = json!({"id": "c-001"});
    let to_alice = gate.call(&alice, "crm_get_customer", get.clone()).await.body;
    let to_bob = gate.call(&bob, "crm_get_customer", get).await.body;
    assert!(to_alice.contains("***@***.") && !to_alice.contains("[EMAIL]"), "{to_alice}");
    assert!(!to_bob.contains("***@***.") && to_bob.contains("[EMAIL]"), "{to_bob}");
    let records = gate.site.records();
    let intent = records.iter().find(|r| r["kind"] == "call.intent").unwrap();
    assert_eq!(intent["authz"]["obligations"]["redact"], json!({"email": "pseudonymise", "us_ssn": "drop"}));
    let done: Vec<_> = intent["redact"]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (&f["type"], &f["operator"]))
        .collect();
    assert!(done.contains(&(&json!("email"), &json!("pseudonymise"))), "{done:?}");
    assert!(
        done.contains(&(&json!("us_ssn"), &json!("drop")))
            && done.contains(&(&json!("iban"), &json!("partial"))),
        "{done:?}"
    );
    assert!(!gate.site.said(intent).to_string().contains("jane"), "what is recorded is what went on");
    assert!(
        last(&records, "call.outcome")["redact"]["findings"]
            .as_array()
            .unwrap()
            .iter()
            .all(|f| f["operator"] != "allow")
    );
}
