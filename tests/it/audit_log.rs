//! The log through its own API: what is acknowledged is there, and nobody else writes.

use sealgate::audit::{Config, Draft, Kind, Log, OpenError, Reader, Unrecorded, verify};
use sealgate::clock::Clock;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

fn open(folder: &Path, config: &Config) -> Result<Log, OpenError> {
    Log::open(folder, "test/audit", config, Clock::system())
}

async fn close(log: Log) {
    tokio::task::spawn_blocking(move || log.close()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_appenders_get_places_without_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path(), &Config::default()).unwrap();
    let tasks: Vec<_> = (0..64_u64)
        .map(|caller| {
            let log = log.clone();
            tokio::spawn(async move {
                let mut seqs = Vec::new();
                for n in 0..20_u64 {
                    let draft = Draft::new(Kind::AuthFailed).member("caller", &caller).member("n", &n);
                    seqs.push(log.append(draft).await.unwrap().seq());
                }
                seqs
            })
        })
        .collect();
    let mut all = BTreeSet::new();
    for task in tasks {
        let seqs = task.await.unwrap();
        assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "a caller's own order is kept");
        all.extend(seqs);
    }
    assert_eq!(all.len(), 64 * 20);
    assert_eq!(all.last().unwrap() - all.first().unwrap() + 1, 64 * 20);
    let status = log.status();
    assert!(status.commits < status.records, "records share commits: {status:?}");
    close(log).await;
    let verdict = verify(folder.path(), &mut |_, _| {}).unwrap();
    assert!(verdict.ok, "{verdict}");
}

#[tokio::test]
async fn a_second_writer_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path(), &Config::default()).unwrap();
    assert!(matches!(open(folder.path(), &Config::default()), Err(OpenError::Locked(_))));
    close(log).await;
    close(open(folder.path(), &Config::default()).unwrap()).await;
}

#[tokio::test]
async fn a_log_that_was_tampered_with_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path(), &Config::default()).unwrap();
    log.append(Draft::new(Kind::AuthFailed).member("reason", "original")).await.unwrap();
    close(log).await;
    let store = rusqlite::Connection::open(folder.path().join("audit.db")).unwrap();
    let guard: String = store
        .query_row("SELECT sql FROM sqlite_schema WHERE name = 'entry_no_update'", [], |row| row.get(0))
        .unwrap();
    store
        .execute_batch("DROP TRIGGER entry_no_update; UPDATE entry SET rec = CAST(replace(CAST(rec AS TEXT), 'original', 'replaced') AS BLOB)")
        .unwrap();
    store.execute_batch(&guard).unwrap();
    drop(store);
    assert!(matches!(open(folder.path(), &Config::default()), Err(OpenError::Tampered { seq: 3, .. })));
}

#[tokio::test]
async fn a_full_store_keeps_room_for_the_ends_of_calls() {
    let folder = tempfile::tempdir().unwrap();
    let small = Config { max_size_mb: Some(1), retry_ms: 20, ..Config::default() };
    let log = open(folder.path(), &small).unwrap();
    let text = "x".repeat(2000);
    let mut begun = Vec::new();
    let refused = loop {
        let call = uuid::Uuid::now_v7();
        match log.append(Draft::new(Kind::CallIntent).call(call).member("request", &text)).await {
            Ok(_) => begun.push(call),
            Err(why) => break why,
        }
        assert!(begun.len() < 5000);
    };
    assert_eq!(refused, Unrecorded::NoRoom);
    assert!(!log.status().writable);
    for call in begun.iter().rev().take(50) {
        log.append(Draft::new(Kind::CallOutcome).call(*call).member("status", "ok")).await.unwrap();
    }
    close(log).await;
    let log = open(folder.path(), &Config::default()).unwrap();
    log.append(Draft::new(Kind::CallIntent).call(uuid::Uuid::now_v7())).await.unwrap();
    close(log).await;
    assert!(verify(folder.path(), &mut |_, _| {}).unwrap().ok);
}

#[tokio::test]
async fn a_log_that_fails_refuses_everything_until_it_has_recovered_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { retry_ms: 20, ..Config::default() };
    let log = open(folder.path(), &config).unwrap();
    let call = uuid::Uuid::now_v7();
    log.append(Draft::new(Kind::CallIntent).call(call)).await.unwrap();
    // A trigger that refuses every insert stands for a disk that does.
    let store = rusqlite::Connection::open(folder.path().join("audit.db")).unwrap();
    store
        .execute_batch("CREATE TRIGGER broken BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'no'); END")
        .unwrap();
    let lost = log.append(Draft::new(Kind::CallOutcome).call(call).member("status", "ok")).await;
    assert_eq!(lost.unwrap_err(), Unrecorded::Latched);
    assert_eq!(log.append(Draft::new(Kind::CallDenied)).await.unwrap_err(), Unrecorded::Latched);
    assert!(log.status().latched.is_some());
    store.execute_batch("DROP TRIGGER broken").unwrap();
    let mut tries = 0;
    while log.append(Draft::new(Kind::AuthFailed)).await.is_err() {
        tries += 1;
        assert!(tries < 1000, "it did not recover");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    close(log).await;
    let all = Reader::open(folder.path()).unwrap().since(0, 1000).unwrap();
    let all: Vec<Value> = all.iter().map(|entry| serde_json::from_slice(&entry.record).unwrap()).collect();
    let kinds: Vec<&str> = all.iter().map(|r| r["kind"].as_str().unwrap()).collect();
    let failure = kinds.iter().position(|kind| *kind == "audit.failure").expect("the gap is told");
    assert_eq!(kinds[failure + 1..failure + 3], ["audit.recovered", "call.indeterminate"]);
    assert!(all[failure]["refused"].as_u64().unwrap() >= 2);
    assert_eq!(all[failure + 2]["call"].as_str(), Some(call.to_string().as_str()));
    assert!(verify(folder.path(), &mut |_, _| {}).unwrap().ok);
}
