//! The administrative API, over plain HTTP: each verb under its own action, each request a record.

use crate::harness::{Gate, Site, Token, binary, demo_servers};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

const ID: &str = "019a0000-0000-7000-8000-000000000000";

fn policies() -> String {
    format!(
        "@id(\"all\")\npermit(principal in Role::\"employee\", action in Action::\"Mcp\", resource);\n\
         @id(\"ask\") @oblige @require_approval(\"Role::lead\")\n\
         permit(principal, action == Action::\"ops_restart_service\", resource);\n\
         @id(\"leads\")\npermit(principal in Role::\"lead\", action == Action::\"ApproveCall\", resource);\n\
         @id(\"leads-look\")\npermit(principal in Role::\"lead\", action == Action::\"ReadApprovals\", resource);\n{}{}",
        include_str!("../../policies/40-auditors.cedar"),
        include_str!("../../policies/50-administrators.cedar"),
    )
}

struct People {
    employee: Token,
    lead: Token,
    admin: Token,
    auditor: Token,
}

fn gate() -> (Gate, People) {
    let site = Site::new(&demo_servers(), "", &policies());
    let people = People {
        employee: site.token("alice", "employee"),
        lead: site.token("lena", "lead"),
        admin: site.token("adam", "admin"),
        auditor: site.token("anna", "auditor"),
    };
    (site.start(), people)
}

fn checked_in() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/admin-api.openapi.json");
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn the_document_that_is_checked_in_is_the_one_that_is_served() {
    let out = std::process::Command::new(binary()).args(["config", "openapi", "admin"]).output().unwrap();
    assert!(
        String::from_utf8(out.stdout).unwrap() == checked_in(),
        "run `cargo run -- config openapi admin > schemas/admin-api.openapi.json`, and read what changed"
    );
}

/// Method, path, body, and whether an administrator, an auditor and a lead may.
fn operations() -> Vec<(&'static str, String, Option<Value>, [bool; 3])> {
    let files = json!({"a.cedar": "@id(\"a\") permit(principal, action, resource);"});
    let table = json!({"people": {}, "rows": []});
    let pin = json!({"server": "crm", "tool": "none", "digest": format!("sha256:{}", "0".repeat(64))});
    vec![
        ("GET", "/approvals".into(), None, [true, false, true]),
        ("GET", format!("/approvals/{ID}"), None, [true, false, true]),
        ("POST", format!("/approvals/{ID}/approve"), Some(json!({})), [true, false, true]),
        ("POST", format!("/approvals/{ID}/reject"), Some(json!({"note": "no"})), [true, false, true]),
        ("GET", "/policies".into(), None, [true, true, false]),
        ("POST", "/policies/check".into(), Some(json!({"files": files})), [true, true, false]),
        ("POST", "/policies/test".into(), Some(json!({"table": table})), [true, true, false]),
        ("POST", "/policies/explain".into(), Some(json!({"tool": "ops_echo"})), [false, true, false]),
        ("POST", "/policies/replay".into(), Some(json!({"files": files})), [false, true, false]),
        ("GET", "/policies/shadow".into(), None, [false, true, false]),
        ("GET", "/policies/coverage".into(), None, [false, true, false]),
        ("GET", "/pins?server=crm".into(), None, [true, false, false]),
        ("POST", "/pins/approve".into(), Some(pin.clone()), [true, false, false]),
        ("POST", "/pins/reject".into(), Some(pin), [true, false, false]),
        ("GET", "/status".into(), None, [true, false, false]),
        ("POST", "/reload".into(), None, [true, false, false]),
    ]
}

#[tokio::test]
async fn each_operation_is_documented_decided_and_recorded() {
    let (gate, people) = gate();
    let url = format!("{}/admin/v1/openapi.json", gate.admin);
    assert!(gate.http.get(url).send().await.unwrap().text().await.unwrap() == checked_in());
    let document: Value = serde_json::from_str(&checked_in()).unwrap();
    let mut documented = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        documented
            .extend(methods.as_object().unwrap().keys().map(|m| format!("{} {path}", m.to_uppercase())));
    }
    let before = gate.site.records().len();
    let nobody = Token { value: "none".into(), id: String::new() };
    let mut expected = Vec::new();
    for (method, path, body, may) in operations() {
        let roles = [
            (&people.admin, may[0]),
            (&people.auditor, may[1]),
            (&people.lead, may[2]),
            (&people.employee, false),
        ];
        for (who, may) in roles {
            let answer = gate.administer(who, method, &path, body.clone()).await;
            assert_eq!(answer.status != 403, may, "{method} {path}: {} {}", answer.status, answer.body);
            assert!(answer.status < 500, "{method} {path}: {}", answer.body);
            expected.push((method, answer.status));
        }
        assert_eq!(gate.administer(&nobody, method, &path, body).await.status, 401, "{method} {path}");
    }
    let records = gate.site.records();
    let told: Vec<&Value> = records[before..]
        .iter()
        .filter(|record| record["kind"] == "admin.request" && record.get("answer").is_some())
        .collect();
    assert_eq!(told.len(), expected.len(), "one record a request");
    let mut operations = BTreeSet::new();
    for (record, (method, status)) in told.iter().zip(&expected) {
        assert_eq!(
            (&record["answer"]["status"], &record["request"]["method"]),
            (&json!(status), &json!(method)),
            "{record}"
        );
        operations.insert(format!("{method} {}", record["request"]["path"].as_str().unwrap()));
    }
    assert_eq!(operations, documented, "the document names every operation, and no other");
    let host = gate.http.get(format!("{}/admin/v1/status", gate.admin)).header("host", "evil.example");
    assert_eq!(host.bearer_auth(&people.admin.value).send().await.unwrap().status(), 403);
    for open in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(gate.page(open).await.status, 200, "{open} stays as it was");
    }
    assert_eq!(gate.page("/admin/v1/nothing").await.status, 404);
}

#[tokio::test]
async fn a_call_is_approved_over_http_by_somebody_else_and_once() {
    let (gate, people) = gate();
    let restart = json!({"service": "checkout", "environment": "staging"});
    let waits = gate.call(&people.employee, "ops_restart_service", restart.clone()).await;
    assert_eq!(waits.code(), Some(8007), "{}", waits.body);
    let listed = gate.administer(&people.lead, "GET", "/approvals", None).await.json();
    let reference = listed["approvals"][0]["reference"].as_str().unwrap().to_owned();
    assert_eq!(listed["approvals"][0]["requester"]["id"], "alice");
    let path = format!("/approvals/{reference}/approve");
    // An administrator sees that it waits, and decides nothing.
    assert_eq!(gate.administer(&people.admin, "POST", &path, Some(json!({}))).await.status, 403);
    assert_eq!(gate.administer(&people.employee, "POST", &path, Some(json!({}))).await.status, 403);
    let done = gate.administer(&people.lead, "POST", &path, Some(json!({"note": "ticket 4711"}))).await;
    assert_eq!((done.status, &done.json()["state"]), (200, &json!("approved")), "{}", done.body);
    assert_eq!(gate.administer(&people.lead, "POST", &path, Some(json!({}))).await.status, 409);
    assert_eq!(gate.call(&people.employee, "ops_restart_service", restart.clone()).await.code(), None);
    gate.site.until_recorded("approval.granted");
    let records = gate.site.records();
    let asked = records.iter().find(|r| {
        r["kind"] == "admin.request" && r["actor"]["id"] == "lena" && r["authz"]["action"] == "ApproveCall"
    });
    let asked = asked.unwrap();
    assert!(asked.get("answer").is_none() && asked["authz"]["policies"] == json!(["leads"]), "{asked}");
    let again = gate.call(&people.employee, "ops_restart_service", restart).await;
    assert_eq!(again.code(), Some(8007), "it was good once");
    let reference =
        gate.administer(&people.lead, "GET", "/approvals", None).await.json()["approvals"][0]["reference"]
            .clone();
    let path = format!("/approvals/{}/reject", reference.as_str().unwrap());
    let no = gate.administer(&people.lead, "POST", &path, Some(json!({"note": "not now"}))).await;
    assert_eq!(no.json()["state"], "rejected", "{}", no.body);
}

#[tokio::test]
async fn a_candidate_is_checked_tested_explained_and_replayed_and_puts_nothing_in_force() {
    let (gate, people) = gate();
    assert_eq!(gate.call(&people.employee, "ops_echo", json!({"text": "hi"})).await.code(), None);
    let before = gate.administer(&people.auditor, "GET", "/policies", None).await.json();
    assert!(before["files"].as_object().unwrap().contains_key("test.cedar"), "{before}");
    let ask =
        async |path: &str, body: Value| gate.administer(&people.auditor, "POST", path, Some(body)).await;
    let broken =
        ask("/policies/check", json!({"files": {"x.cedar": "@id(\"x\")\npermit(principal"}})).await.json();
    assert_eq!(
        (&broken["ok"], &broken["problems"][0]["file"]),
        (&json!(false), &json!("x.cedar")),
        "{broken}"
    );
    let nobody = json!({"none.cedar": "@id(\"none\") permit(principal in Role::\"nobody\", action in Action::\"Mcp\", resource);"});
    assert_eq!(ask("/policies/check", json!({"files": nobody})).await.json()["ok"], true);
    let row =
        json!({"who": "erin", "tool": "ops_echo", "args": {"text": "hi"}, "expect": "allow", "by": ["all"]});
    let table = json!({"people": {"erin": {"roles": ["employee"], "tenant": "default"}}, "rows": [row]});
    assert_eq!(ask("/policies/test", json!({"table": table})).await.json()["ok"], true);
    let failed = ask("/policies/test", json!({"table": table, "files": nobody})).await.json();
    assert_eq!((&failed["ok"], &failed["failed"][0]["row"]), (&json!(false), &json!(1)));
    let replayed = ask("/policies/replay", json!({"files": nobody})).await.json();
    assert_eq!(
        (&replayed["newly_denied"], &replayed["flips"][0]["name"]),
        (&json!(1), &json!("ops_echo")),
        "{replayed}"
    );
    let call = replayed["flips"][0]["call"].clone();
    let why = ask("/policies/explain", json!({"call": call})).await.json();
    assert_eq!(
        (&why["decision"], &why["decided_by"][0]["policy"]),
        (&json!("allow"), &json!("all")),
        "{why}"
    );
    let why = ask(
        "/policies/explain",
        json!({"tool": "ops_echo", "args": {"text": "x"}, "person": {"roles": ["guest"]}}),
    )
    .await
    .json();
    assert_eq!(
        (&why["decision"], &why["near_misses"][0]["policy"]),
        (&json!("deny"), &json!("all")),
        "{why}"
    );
    let coverage = gate.administer(&people.auditor, "GET", "/policies/coverage", None).await.json();
    assert!(
        coverage["matched"]["all"] == 2
            && coverage["never_matched"].as_array().unwrap().contains(&json!("leads")),
        "{coverage}"
    );
    let shadow = gate
        .administer(&people.auditor, "GET", "/policies/shadow?since=2026-01-01T00:00:00Z", None)
        .await
        .json();
    assert_eq!((&shadow["decisions"], &shadow["shadow"]), (&json!(2), &json!({})));
    let end = shadow["looked_at"]["next"].as_u64().unwrap();
    assert_eq!(shadow["looked_at"]["from"], 0, "{shadow}");
    let rest = format!("/policies/shadow?from={end}");
    let rest = gate.administer(&people.auditor, "GET", &rest, None).await.json();
    assert_eq!((&rest["decisions"], &rest["looked_at"]["from"]), (&json!(0), &json!(end)), "{rest}");
    let after = gate.administer(&people.auditor, "GET", "/policies", None).await.json();
    assert_eq!(before["policy_set"], after["policy_set"]);
    // Calls of another tenant are not looked at.
    let foreign = gate.site.token_of("globex", "gina", "auditor");
    let none = gate.administer(&foreign, "POST", "/policies/explain", Some(json!({"call": call}))).await;
    assert_eq!(none.status, 404, "{}", none.body);
}

#[tokio::test]
async fn pins_are_listed_and_only_what_was_looked_at_is_decided_about() {
    let (gate, people) = gate();
    let pins = gate.administer(&people.admin, "GET", "/pins?server=crm", None).await.json();
    let pin = &pins["pins"][0];
    assert_eq!((&pin["server"], &pin["state"]), (&json!("crm"), &json!("pinned")), "{pins}");
    assert!(pin["approved"]["text"].as_str().unwrap().contains("inputSchema"), "{pin}");
    let other = format!("sha256:{}", "f".repeat(64));
    for (tool, digest, status) in
        [(&pin["tool"], &*other, 409), (&json!("nothing"), &*other, 404), (&pin["tool"], "sha256:", 400)]
    {
        let body = json!({"server": "crm", "tool": tool, "digest": digest});
        let refused = gate.administer(&people.admin, "POST", "/pins/approve", Some(body)).await;
        assert_eq!(refused.status, status, "{}", refused.body);
    }
    let digest = json!({"server": "crm", "tool": pin["tool"], "digest": pin["approved"]["digest"]});
    let rejected = gate.administer(&people.admin, "POST", "/pins/reject", Some(digest)).await;
    assert_eq!((rejected.status, &rejected.json()["state"]), (200, &json!("rejected")), "{}", rejected.body);
    gate.site.until_recorded("definition.reject");
    let status = gate.administer(&people.admin, "GET", "/status", None).await.json();
    assert!(status["ready"] == true && status["backends"].is_array(), "{status}");
}
