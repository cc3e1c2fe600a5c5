//! Who may ask what, what refusals say, and that all of it is recorded.

use super::{gate, operations};
use crate::harness::{Answer, Token, binary};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::path::Path;

fn checked_in() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/audit-api.openapi.json");
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn the_document_that_is_checked_in_is_the_one_that_is_served() {
    let out = std::process::Command::new(binary()).args(["config", "openapi"]).output().unwrap();
    let current = String::from_utf8(out.stdout).unwrap();
    assert!(
        current == checked_in(),
        "run `cargo run -- config openapi > schemas/audit-api.openapi.json`, and read what changed"
    );
    let document: Value = serde_json::from_str(&current).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
}

#[tokio::test]
async fn each_operation_is_documented_decided_and_recorded() {
    let (gate, people) = gate("");
    let call = super::called(&gate, &people.employee, "ops_echo", json!({"text": "hi"})).await;
    let document = gate.http.get(format!("{}/openapi.json", gate.auditors)).send().await.unwrap();
    assert!(document.text().await.unwrap() == checked_in());
    let document: Value = serde_json::from_str(&checked_in()).unwrap();
    let mut documented = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let methods = methods.as_object().unwrap().keys();
        documented.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let before = gate.site.records().len();
    let mut expected = Vec::new();
    for (method, path, body) in operations(&call) {
        for (role, who) in [
            ("auditor", &people.auditor),
            ("employee", &people.employee),
            ("admin", &people.admin),
            ("foreign", &people.foreign),
        ] {
            let answer = gate.audit(who, method, &path, body.clone()).await;
            match role {
                "auditor" => assert!(answer.status < 500 && answer.status != 403, "{path}: {}", answer.body),
                // Whoever audits another tenant sees nothing of this one's.
                "foreign" => assert!(answer.status < 500, "{path}: {}", answer.body),
                _ => {
                    assert_eq!(answer.status, 403, "{role} {method} {path}: {}", answer.body);
                    is_problem(&answer, "forbidden");
                }
            }
            assert_eq!(answer.headers["cache-control"], "no-store");
            expected.push((role, method, path.clone(), answer.status));
        }
    }
    let records = gate.site.records();
    let kinds = ["audit.query", "audit.export", "payload.read"];
    let told: Vec<&Value> = records[before..]
        .iter()
        .filter(|record| kinds.contains(&record["kind"].as_str().unwrap()) && record.get("answer").is_some())
        .collect();
    assert_eq!(told.len(), expected.len(), "one record a request");
    let mut operations = BTreeSet::new();
    for (record, (role, method, path, status)) in told.iter().zip(&expected) {
        assert_eq!(record["answer"]["status"], json!(status), "{role} {method} {path}: {record:#}");
        assert_eq!(record["request"]["method"], json!(method));
        let denied = *status == 403 && record["authz"]["decision"] == "deny";
        assert_eq!(denied, *role == "employee" || *role == "admin", "{record:#}");
        assert_eq!(record["actor"]["roles"][0], if *role == "foreign" { "auditor" } else { role });
        let named = record["request"]["path"].as_str().unwrap().replace("{*tile}", "{tile}");
        operations.insert(format!("{method} {named}"));
    }
    assert_eq!(operations, documented, "the document names every operation, and no other");
}

fn is_problem(answer: &Answer, word: &str) -> Value {
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{}", answer.body);
    let problem = answer.json();
    assert_eq!(problem["type"], format!("urn:sealgate:problem:{word}"), "{}", answer.body);
    assert_eq!(problem["status"], json!(answer.status));
    assert!(problem["title"].is_string() && problem["detail"].is_string());
    problem
}

#[tokio::test]
async fn whoever_is_not_known_hears_nothing_and_is_counted() {
    let (gate, people) = gate("");
    let made_up = Token { value: format!("sgt_{}", "0".repeat(49)), id: String::new() };
    for (method, path, body) in operations("019a0000-0000-7000-8000-000000000000") {
        let answer = gate.audit(&made_up, method, &path, body.clone()).await;
        assert_eq!(answer.status, 401, "{path}");
        is_problem(&answer, "unauthenticated");
        assert!(answer.headers["www-authenticate"].to_str().unwrap().contains("invalid_token"));
    }
    let bare = gate.http.get(format!("{}/records", gate.auditors)).send().await.unwrap();
    assert_eq!(
        (bare.status().as_u16(), bare.headers()["www-authenticate"].to_str().unwrap()),
        (401, "Bearer realm=\"sealgate\"")
    );
    gate.site.until_recorded("auth.failed");
    // A token in the query is not looked at.
    let path = format!("{}/records?access_token={}", gate.auditors, people.auditor.value);
    assert_eq!(gate.http.get(path).send().await.unwrap().status(), 401);
    // A token that is revoked is refused from the next request on.
    assert_eq!(gate.audit(&people.second, "GET", "/status", None).await.status, 200);
    let out = gate.site.sealgate(&["token", "revoke", "--config", "sealgate.yaml", &people.second.id]);
    assert!(out.status.success());
    assert_eq!(gate.audit(&people.second, "GET", "/status", None).await.status, 401);
}

/// The answer to bytes as they are, and its status.
fn raw(gate: &crate::harness::Gate, request: &str) -> (u16, String) {
    let address = gate.auditors.trim_start_matches("http://").trim_end_matches("/audit/v1").to_owned();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    // A body that is too large is not read to its end: the connection is closed under it.
    let _ = stream.write_all(request.as_bytes());
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        bytes.extend_from_slice(&piece[..read]);
    }
    let answer = String::from_utf8(bytes).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no status in `{answer}` to `{request:.120}`")), answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_hosts_and_malformed_requests_are_refused_without_repeating_them() {
    let (gate, people) = gate("");
    let token = &people.auditor.value;
    let canary = "canary-4111111111111111-ada@example.org";
    let sent = |line: &str, more: &str, body: &str| {
        let length = body.len();
        raw(
            &gate,
            &format!(
                "{line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n{more}Content-Length: {length}\r\n\r\n{body}"
            ),
        )
    };
    let json = "Content-Type: application/json\r\n";
    let twice = format!("{{\"value\":\"a\",\"value\":\"{canary}\"}}");
    let unknown = format!("{{\"{canary}\":1}}");
    let wrong = format!("{{\"value\":[\"{canary}\"]}}");
    let hold = format!("{{\"selector\":{{\"{canary}\":[]}},\"reason\":\"x\"}}");
    let long = format!("{{\"value\":\"{}\"}}", "x".repeat((1 << 20) + 8000));
    for (line, more, body, status, word) in [
        (&*format!("GET /audit/v1/records?{canary}=1"), "", "", 400, "malformed"),
        (&*format!("GET /audit/v1/records?limit={canary}"), "", "", 400, "malformed"),
        ("GET /audit/v1/records?limit=1&limit=2", "", "", 400, "malformed"),
        (&*format!("GET /audit/v1/records?kind={canary}"), "", "", 400, "malformed"),
        (&*format!("GET /audit/v1/records/{canary}"), "", "", 400, "malformed"),
        ("GET /audit/v1/records/-1", "", "", 400, "malformed"),
        ("GET /audit/v1/records/18446744073709551615", "", "", 404, "not-found"),
        ("GET /audit/v1/records?cursor=18446744073709551615", "", "", 200, ""),
        ("GET /audit/v1/records?order=asc&cursor=18446744073709551615", "", "", 200, ""),
        ("GET /audit/v1/proofs/9223372036854775808", "", "", 404, "not-found"),
        ("GET /audit/v1/consistency?old=9&new=18446744073709551615", "", "", 400, "malformed"),
        ("GET /audit/v1/checkpoints/18446744073709551615", "", "", 404, "not-found"),
        (&*format!("GET /audit/v1/calls/{canary}"), "", "", 400, "malformed"),
        (&*format!("GET /audit/v1/tile/{canary}"), "", "", 404, "not-found"),
        ("GET /audit/v1/tile/0/x999/x999/x999/x999/999", "", "", 404, "not-found"),
        ("GET /audit/v1/tile/9/000", "", "", 404, "not-found"),
        (&*format!("GET /audit/v1/{canary}"), "", "", 404, "not-found"),
        ("GET /", "", "", 404, "not-found"),
        ("PUT /audit/v1/records", "", "", 405, "method"),
        ("POST /audit/v1/hash", "", "{}", 415, "media-type"),
        ("POST /audit/v1/hash", json, "", 400, "malformed"),
        ("POST /audit/v1/hash", json, "{\"value\":\"\"}", 400, "malformed"),
        ("POST /audit/v1/hash", json, &twice, 400, "malformed"),
        ("POST /audit/v1/hash", json, &unknown, 400, "malformed"),
        ("POST /audit/v1/hash", json, &wrong, 400, "malformed"),
        ("POST /audit/v1/hash", json, &long, 413, "too-large"),
        ("POST /audit/v1/holds", json, &hold, 400, "malformed"),
        ("POST /audit/v1/holds", json, "{\"selector\":{\"calls\":[]},\"reason\":\"x\"}", 400, "malformed"),
        (
            "POST /audit/v1/holds",
            json,
            "{\"selector\":{\"commitment\":\"zz\"},\"reason\":\"x\"}",
            400,
            "malformed",
        ),
        (
            "POST /audit/v1/holds",
            json,
            "{\"selector\":{\"subject\":\"a\"},\"reason\":\" \"}",
            400,
            "malformed",
        ),
        (
            "POST /audit/v1/exports",
            json,
            "{\"form\":\"bundle\",\"select\":{\"range\":{\"first\":2,\"last\":1}}}",
            400,
            "malformed",
        ),
        (
            "POST /audit/v1/exports",
            json,
            "{\"form\":\"bundle\",\"select\":{\"range\":{\"first\":0,\"last\":18446744073709551615}}}",
            422,
            "too-much",
        ),
        ("POST /audit/v1/exports", json, "{\"form\":\"csv!\",\"select\":{\"seqs\":[1]}}", 400, "malformed"),
        ("POST /audit/v1/exports", json, "{\"form\":\"ndjson\",\"select\":{\"seqs\":[]}}", 400, "malformed"),
        (
            "POST /audit/v1/exports",
            json,
            "{\"form\":\"ndjson\",\"select\":{\"seqs\":[987654321]}}",
            404,
            "not-found",
        ),
    ] {
        let (got, answer) = sent(line, more, body);
        assert_eq!(got, status, "{line} {body:.80}: {answer}");
        assert!(
            word.is_empty() || answer.contains(&format!("urn:sealgate:problem:{word}\"")),
            "{line}: {answer}"
        );
        assert!(!answer.contains("canary") && !answer.contains("example.org"), "{line}: {answer}");
    }
    let foreign = |host: &str| {
        format!(
            "GET /audit/v1/status HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        )
    };
    assert_eq!(raw(&gate, &foreign("evil.example")).0, 403);
    assert_eq!(raw(&gate, &foreign("localhost")).0, 200);
    let origin =
        foreign("localhost").replace("\r\nConnection", "\r\nOrigin: https://evil.example\r\nConnection");
    assert_eq!(raw(&gate, &origin).0, 403);
    // Nothing of what was sent is in the log either.
    let log = std::fs::read(gate.site.data().join("audit.db")).unwrap();
    let wal = std::fs::read(gate.site.data().join("audit.db-wal")).unwrap_or_default();
    for bytes in [log, wal] {
        assert!(!bytes.windows(16).any(|window| window == b"4111111111111111"), "a canary is in the log");
    }
}

#[tokio::test]
async fn too_many_requests_are_told_to_wait_and_folded() {
    let (gate, people) = gate("auditApi: { listen: \"127.0.0.1:0\", requestsPerMinute: 10 }");
    for _ in 0..10 {
        assert_eq!(gate.audit(&people.auditor, "GET", "/status", None).await.status, 200);
    }
    let before = gate.site.records().len();
    for _ in 0..5 {
        let refused = gate.audit(&people.auditor, "GET", "/status", None).await;
        assert_eq!(refused.status, 429);
        is_problem(&refused, "too-many-requests");
        let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
    }
    assert_eq!(gate.audit(&people.second, "GET", "/status", None).await.status, 200, "another one's bucket");
    gate.site.until_recorded("request.refused");
    let after = gate.site.records();
    let refused = after[before..].iter().filter(|record| record["kind"] == "request.refused");
    let refused: Vec<&serde_json::Value> = refused.collect();
    assert_eq!((refused.len(), &refused[0]["reason"]), (1, &json!("too_many")), "a flood is one record");
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_answered() {
    let (gate, people) = gate("auditApi: { listen: \"127.0.0.1:0\", requestsPerMinute: 1000000 }");
    assert_eq!(gate.audit(&people.auditor, "GET", "/records/0", None).await.status, 200);
    // From now on every write of a file that grows fails, as on a full disk.
    let wal = std::fs::metadata(gate.site.data().join("audit.db-wal")).unwrap().len();
    crate::crash::limit_files(&gate, Some(wal + 20_000));
    let mut refused = 0;
    for _ in 0..600 {
        let answer = gate.audit(&people.auditor, "GET", "/records/0", None).await;
        if answer.status == 503 {
            is_problem(&answer, "audit-unavailable");
            assert!(!answer.body.contains("log.genesis"));
            refused += 1;
            break;
        }
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    assert_eq!(refused, 1, "the log never became full");
    crate::crash::limit_files(&gate, None);
    gate.until(|ready| ready["ready"] == true).await;
    assert_eq!(gate.audit(&people.auditor, "GET", "/records/0", None).await.status, 200);
}

#[tokio::test]
async fn an_address_that_is_named_is_that_one_and_one_that_is_not_is_free() {
    // Whoever has the usual port, both start: no port was asked for.
    let (first, people) = gate("auditApi: { operatorTenant: default }");
    let (second, others) = gate("auditApi: { operatorTenant: default }");
    assert_ne!(first.auditors, second.auditors);
    assert_eq!(first.audit(&people.auditor, "GET", "/status", None).await.status, 200);
    assert_eq!(second.audit(&others.auditor, "GET", "/status", None).await.status, 200);
    let taken = first.auditors.trim_start_matches("http://").trim_end_matches("/audit/v1");
    let settings = format!("auditApi: {{ listen: \"{taken}\" }}");
    let site = crate::harness::Site::new(&crate::harness::demo_servers(), &settings, &super::policies());
    let out = site.sealgate(&["serve", "--config", "sealgate.yaml"]);
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success() && text.contains(&format!("cannot listen on {taken}")), "{text}");
}
