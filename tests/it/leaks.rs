//! Nothing leaks: planted values come out nowhere, in any form that a reader would recognise.

use crate::harness::{PERMIT_ALL, Site, demo_servers, hostile_server};
use serde_json::json;
use std::path::Path;

/// Values that no real text holds, built so that no scanner takes this file for a leak.
fn canaries() -> Vec<(&'static str, String)> {
    vec![
        ("email", format!("canary.person{}canary-corp.com", '@')),
        ("card", format!("4929{}", "126473928461")),
        ("iban", format!("DE{}", "89370400440532013000")),
        ("ssn", format!("{}-{}-{}", 536, 22, 8726)),
        ("aws", format!("AKIA{}", "Q3EGRIVCANARY234")),
        ("github", format!("ghp_{}", "Ab3dEfGh1jKlMnOpQr5tUvWxYz0123456789")),
        ("stripe", format!("sk_live_{}", "51HCanaryAbCdEfGhIjKlMnOp")),
    ]
    .into_iter()
    .map(|(name, value)| (name, if name == "card" { luhn(&value) } else { value }))
    .collect()
}

/// The card number with the last digit that makes it valid (ISO/IEC 7812-1).
fn luhn(digits: &str) -> String {
    let stem = &digits[..15];
    let sum: u32 = stem
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| {
            let d = u32::from(b - b'0');
            if i % 2 == 0 { if d > 4 { d * 2 - 9 } else { d * 2 } } else { d }
        })
        .sum();
    format!("{stem}{}", (10 - sum % 10) % 10)
}

fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

fn holds(bytes: &[u8], value: &str) -> bool {
    bytes.windows(value.len()).any(|window| window == value.as_bytes())
}

#[tokio::test]
async fn planted_values_come_out_nowhere() {
    let servers = format!("{}{}", demo_servers(), hostile_server());
    let settings = "telemetry: { log: { level: debug } }";
    let site = Site::new(&servers, settings, PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    let session = gate.session(&token, "2025-11-25").await;
    let mut answers = Vec::new();
    for (_, value) in canaries() {
        let inside = json!({"note": format!("please use {value} now")}).to_string();
        for text in [value.clone(), format!("contact: {value}, thanks"), inside] {
            answers.push(gate.call(&token, "ops_echo", json!({"text": text})).await.body);
            let params = json!({"name": "ops_echo", "arguments": {"text": text}});
            answers.push(gate.legacy(&token, &session, "tools/call", params).await.body);
        }
        // As a name, a key, an unknown method, a URI, a client's name, a request id, a trace header.
        answers.push(gate.call(&token, &value, json!({})).await.body);
        answers.push(gate.call(&token, "ops_echo", json!({"text": "x", value.clone(): 1})).await.body);
        answers.push(
            gate.modern(&token, "resources/read", json!({"uri": format!("ops+runbook://by?who={value}")}))
                .await
                .body,
        );
        let body = json!({"jsonrpc": "2.0", "id": 7, "method": value, "params": {}}).to_string();
        gate.legacy_raw(&token, Some(&session), body.into_bytes()).await;
        let body = json!({"jsonrpc": "2.0", "id": value, "method": "tools/list", "params": {}}).to_string();
        gate.legacy_raw(&token, Some(&session), body.into_bytes()).await;
        let broken = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{value}");
        gate.legacy_raw(&token, Some(&session), broken.into_bytes()).await;
    }
    answers.push(gate.call(&token, "bad_leaks_error", json!({})).await.body);
    answers.push(gate.call(&token, "bad_stderr", json!({})).await.body);
    answers.push(gate.call(&token, "crm_search_customers", json!({"query": "a"})).await.body);
    answers.push(gate.page("/metrics").await.body);
    answers.push(gate.page("/readyz").await.body);
    let mut everywhere: Vec<(String, Vec<u8>)> =
        answers.into_iter().enumerate().map(|(i, body)| (format!("answer {i}"), body.into_bytes())).collect();
    files(&gate.site.data(), &mut everywhere);
    everywhere.push(("standard error".into(), gate.stderr().into_bytes()));
    for (place, bytes) in &everywhere {
        for (name, value) in canaries() {
            assert!(!holds(bytes, &value), "the planted {name} is in {place}");
        }
        assert!(!holds(bytes, &token.value), "the token is in {place}");
        assert!(!holds(bytes, &format!("leak{}example.com", '@')), "an error's address is in {place}");
    }
}
