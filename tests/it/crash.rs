//! Nothing runs unlogged: whatever happens to the process or the disk.

use crate::harness::{Gate, PERMIT_ALL, Site, Token, binary, demo_servers};
use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const ROUNDS: u64 = 12;
const CALLERS: u64 = 8;

fn journalled(journal: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(journal).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines.filter_map(|line| line["marker"].as_str().map(str::to_owned)).collect()
}

/// Calls without pause until told to stop; collects the markers that were answered.
async fn load(gate: Arc<Caller>, round: u64, caller: u64) -> Vec<String> {
    let mut answered = Vec::new();
    let mut n = 0;
    while !gate.stop.load(Ordering::Relaxed) && n < 5000 {
        let marker = format!("r{round}-c{caller}-{n}");
        n += 1;
        let (headers, body) = crate::harness::modern_request(
            "tools/call",
            json!({"name": "ops_echo", "arguments": {"text": "x", "marker": marker}}),
        );
        let mut request = gate.http.post(&gate.endpoint).bearer_auth(&gate.token).body(body.to_string());
        for (name, value) in &headers {
            request = request.header(*name, value);
        }
        let Ok(response) = request.send().await else { break };
        let Ok(text) = response.text().await else { break };
        if text.contains("\"result\"") {
            answered.push(marker);
            gate.done.fetch_add(1, Ordering::Relaxed);
        }
    }
    answered
}

struct Caller {
    http: reqwest::Client,
    endpoint: String,
    token: String,
    stop: AtomicBool,
    done: AtomicU64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_nothing_ran_unlogged_and_nothing_acknowledged_is_lost() {
    let journal = tempfile::NamedTempFile::new().unwrap();
    let servers = format!(
        "  ops: {{ command: {}, args: [demo-server, ops, --journal, {}], trust: 80 }}\n",
        serde_json::to_string(binary()).unwrap(),
        serde_json::to_string(journal.path()).unwrap()
    );
    let site = Site::new(&servers, "", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let mut gate = site.start();
    let mut answered = BTreeSet::new();
    for round in 0..ROUNDS {
        let caller = Arc::new(Caller {
            http: gate.http.clone(),
            endpoint: gate.endpoint.clone(),
            token: token.value.clone(),
            stop: AtomicBool::new(false),
            done: AtomicU64::new(0),
        });
        let callers: Vec<_> = (0..CALLERS).map(|c| tokio::spawn(load(caller.clone(), round, c))).collect();
        // The moment of the kill is a count of answers that differs in each round.
        let target = 20 + (round * 37) % 90;
        let mut looks = 0;
        while caller.done.load(Ordering::Relaxed) < target && looks < 20_000 {
            looks += 1;
            tokio::task::yield_now().await;
            tokio::time::sleep(std::time::Duration::from_micros(500)).await;
        }
        gate.kill();
        caller.stop.store(true, Ordering::Relaxed);
        for task in callers {
            answered.extend(task.await.unwrap());
        }
        let verdict = gate.site.verify();
        assert!(verdict.status.success(), "{}", String::from_utf8_lossy(&verdict.stdout));
        gate.crash_and_restart();
    }
    drop_and_compare(&gate, &journalled(journal.path()), &answered);
}

/// From now on no file of the process may grow beyond `bytes`; `None` lifts that.
pub fn limit_files(gate: &Gate, bytes: Option<u64>) {
    let limit = Rlimit { current: bytes, maximum: None };
    prlimit(Some(gate.pid()), Resource::Fsize, limit).unwrap();
}

#[tokio::test]
async fn a_full_file_system_refuses_calls_loses_nothing_and_service_comes_back_with_the_room() {
    let site = Site::new(&demo_servers(), "audit: { retryMs: 50 }", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    let mut answered = 0;
    for round in 0..3 {
        assert_eq!(echo(&gate, &token, round).await.code(), None);
        let wal = std::fs::metadata(gate.site.data().join("audit.db-wal")).unwrap().len();
        limit_files(&gate, Some(wal + 60_000));
        let mut refused = false;
        for n in 0..1000 {
            let answer = echo(&gate, &token, n).await;
            match answer.code() {
                None => answered += 1,
                Some(8006) => {
                    refused = true;
                    break;
                }
                other => panic!("{other:?}: {}", answer.body),
            }
        }
        assert!(refused, "the file system filled up");
        assert_eq!(echo(&gate, &token, 1).await.code(), Some(8006), "nothing runs while it is full");
        assert_eq!(gate.page("/readyz").await.status, 503);
        limit_files(&gate, None);
        gate.until(|page| page["ready"] == json!(true)).await;
    }
    assert_eq!(echo(&gate, &token, 7).await.code(), None, "service is back without a restart");
    let records = gate.site.records();
    let count = |kind: &str| records.iter().filter(|r| r["kind"] == kind).count();
    assert!(count("call.outcome") > answered, "each answer has its outcome");
    assert_eq!((count("audit.failure"), count("audit.recovered")), (3, 3));
    let mut ends: BTreeMap<&str, u32> = BTreeMap::new();
    for record in &records {
        let call = record["call"].as_str().unwrap_or_default();
        match record["kind"].as_str().unwrap_or_default() {
            "call.intent" => drop(ends.insert(call, 0)),
            "call.outcome" | "call.indeterminate" => {
                *ends.get_mut(call).expect("an intent before its end") += 1;
            }
            _ => {}
        }
    }
    assert!(ends.values().all(|ends| *ends == 1), "each intent has exactly one end");
}

fn drop_and_compare(gate: &Gate, executed: &[String], answered: &BTreeSet<String>) {
    let mut intents: BTreeMap<String, String> = BTreeMap::new();
    let mut ends: BTreeMap<String, u32> = BTreeMap::new();
    for record in gate.site.records() {
        let call = record["call"].as_str().unwrap_or_default().to_owned();
        match record["kind"].as_str().unwrap_or_default() {
            "call.intent" => {
                let request = gate.site.said(&record);
                let marker = request["arguments"]["marker"].as_str().unwrap_or_default();
                intents.insert(marker.to_owned(), call);
            }
            "call.outcome" | "call.indeterminate" => *ends.entry(call).or_default() += 1,
            _ => {}
        }
    }
    assert!(answered.len() > 100, "the load was real: {} answers", answered.len());
    for marker in executed {
        assert!(intents.contains_key(marker), "`{marker}` ran without an intent");
    }
    for marker in answered {
        assert!(intents.contains_key(marker), "`{marker}` was answered and is not in the log");
    }
    for (marker, call) in &intents {
        assert_eq!(ends.get(call), Some(&1), "`{marker}` has not exactly one end");
    }
}

#[tokio::test]
async fn a_full_store_refuses_calls_loses_nothing_and_recovers() {
    let small = "audit: { maxSizeMb: 1, retryMs: 100 }";
    let site = Site::new(&demo_servers(), small, PERMIT_ALL);
    let token = site.token("alice", "employee");
    let mut gate = site.start();
    let mut answered = 0u64;
    let mut refused = None;
    for n in 0..4000 {
        let answer = echo(&gate, &token, n).await;
        if answer.code() == Some(8006) {
            assert_eq!(answer.status, 503);
            refused = Some(n);
            break;
        }
        assert_eq!(answer.code(), None, "{}", answer.body);
        answered += 1;
    }
    let refused = refused.expect("the store filled up");
    assert!(answered > 50, "{answered}");
    let page = gate.page("/readyz").await;
    assert_eq!(page.status, 503, "{}", page.body);
    // While it is full, nothing runs.
    for n in 0..5 {
        assert_eq!(echo(&gate, &token, refused + n).await.code(), Some(8006));
    }
    let kept = gate.site.records();
    let outcomes = kept.iter().filter(|r| r["kind"] == "call.outcome").count() as u64;
    assert!(outcomes >= answered, "{outcomes} outcomes of {answered} answers");
    // The repair: more room.
    gate.site.configure(&demo_servers(), "audit: { maxSizeMb: 64, retryMs: 100 }");
    gate.crash_and_restart();
    assert_eq!(echo(&gate, &token, 9999).await.code(), None);
    let after = gate.site.records();
    assert!(after.len() > kept.len());
    assert_eq!(&after[..kept.len()], &kept[..], "nothing that was there has changed");
}

async fn echo(gate: &Gate, token: &Token, n: u64) -> crate::harness::Answer {
    gate.call(token, "ops_echo", json!({"text": format!("{n} {}", "x".repeat(2000))})).await
}
