//! Payloads: kept encrypted, erased for good, held against everything; and nothing of it touches the proofs.

use crate::harness::{Gate, PERMIT_ALL, Site, Token, demo_servers};
use sealgate::audit::payload::{Capture, Profile, Retention};
use sealgate::audit::tree::Prover;
use sealgate::audit::{
    Config, Draft, Erasure, Kind, Log, Order, Payload, Payloads, Receipt, Refused, Role, Selector, verify,
};
use sealgate::clock::Clock;
use serde_json::{Value, json};
use std::path::Path;
use uuid::Uuid;

const NOV_2026: i64 = 1_795_000_000_000_000;
const DAY: i64 = 86_400_000_000;

fn open(folder: &Path, config: &Config, clock: Clock) -> Log {
    Log::open(folder, "test/audit", config, clock).unwrap()
}

async fn close(log: Log) {
    tokio::task::spawn_blocking(move || log.close()).await.unwrap().unwrap();
}

/// A call of `subject` that said `text`, and in which a value with this commitment was found.
async fn say(log: &Log, subject: &str, text: &str, commitment: &str) -> (Uuid, Receipt) {
    let call = Uuid::now_v7();
    let redact = json!({"findings": [{"commitment": commitment}]});
    let body = Some(log.captured(Role::Request, (subject, "crm"), text, None));
    let draft = Draft::new(Kind::CallDenied).call(call).member("redact", &redact).payload(body);
    (call, log.append(draft).await.unwrap())
}

fn read(folder: &Path, seq: u64) -> Payload {
    let record = Prover::open(folder).unwrap().record(seq).unwrap().record;
    Payloads::open(folder).unwrap().read(&record).unwrap()
}

/// Whether any file of the folder holds these bytes.
fn lies_around(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        path.is_file() && std::fs::read(path).unwrap().windows(bytes.len()).any(|window| window == bytes)
    })
}

fn erasure(selector: Selector, approvers: &[&str]) -> Order {
    let approvers = approvers.iter().map(|name| (*name).to_owned()).collect();
    Order::Erase(Erasure { selector, approvers, reason: "asked for".into() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erased_text_is_gone_from_every_file_and_every_proof_still_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let log = open(path, &Config::default(), Clock::held_at(NOV_2026));
    let canary = "the customer's mother is called Rosalind";
    let mut said = Vec::new();
    for (subject, commitment) in
        [("alice", "aa11"), ("alice", "bb22"), ("bob", "aa11"), ("bob", "cc33"), ("eve", "dd44")]
    {
        said.push(say(&log, subject, canary, commitment).await);
    }
    for (_, receipt) in &said {
        assert_eq!(read(path, receipt.seq()), Payload::Text(canary.into()));
    }
    assert!(!lies_around(path, canary.as_bytes()), "what is kept is kept encrypted");
    close(log).await;
    let proof = Prover::open(path).unwrap().inclusion(said[0].1.seq(), None).unwrap();
    let root = Prover::open(path).unwrap().root(proof.size).unwrap();
    // What the files hold of the payloads that will be erased.
    let stored = |sql: &str| -> Vec<Vec<u8>> {
        let store = rusqlite::Connection::open(path.join("payloads.db")).unwrap();
        let mut rows = store.prepare(sql).unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let secrets = [stored("SELECT body FROM payload"), stored("SELECT wrapped FROM payload")].concat();
    let keys: Vec<Vec<u8>> = {
        let store = rusqlite::Connection::open(path.join("payload-keys.db")).unwrap();
        let mut rows = store.prepare("SELECT wrapped FROM kek WHERE subject = 'alice'").unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    assert!(secrets.iter().chain(&keys).all(|bytes| lies_around(path, bytes)) && keys.len() == 1);

    let log = open(path, &Config::default(), Clock::held_at(NOV_2026 + 1));
    let one = log.perform(erasure(Selector::Subject("alice".into()), &["anna"])).await;
    assert!(matches!(one, Err(Refused::Approvers)), "{one:?}");
    let same = log.perform(erasure(Selector::Subject("alice".into()), &["anna", "anna"])).await;
    assert!(matches!(same, Err(Refused::Approvers)), "{same:?}");
    let two = ["anna", "ben"];
    assert_eq!(log.perform(erasure(Selector::Subject("alice".into()), &two)).await.unwrap()["payloads"], 2);
    assert_eq!(log.perform(erasure(Selector::Commitment("aa11".into()), &two)).await.unwrap()["payloads"], 1);
    assert_eq!(log.perform(erasure(Selector::Calls(vec![said[3].0]), &two)).await.unwrap()["payloads"], 1);
    let again = log.perform(erasure(Selector::Subject("alice".into()), &two)).await;
    assert!(matches!(again, Err(Refused::Nothing)), "{again:?}");
    let after = say(&log, "alice", "a new word", "ee55").await;
    close(log).await;

    for (n, (_, receipt)) in said.iter().enumerate() {
        let wanted = if n == 4 { Payload::Text(canary.into()) } else { Payload::Erased };
        assert_eq!(read(path, receipt.seq()), wanted, "payload {n}");
    }
    assert_eq!(read(path, after.1.seq()), Payload::Text("a new word".into()), "a subject may speak again");
    let gone = |n: &usize| n % 5 != 4;
    for (n, bytes) in secrets.iter().enumerate().filter(|(n, _)| gone(n)) {
        assert!(!lies_around(path, bytes), "ciphertext or data key {n} is still in a file");
    }
    assert!(keys.iter().all(|bytes| !lies_around(path, bytes)), "the key is still in a file");
    let verdict = verify(path, &mut |_, _| {}).unwrap();
    assert!(verdict.ok, "{verdict}");
    let prover = Prover::open(path).unwrap();
    assert_eq!(prover.root(proof.size).unwrap(), root);
    assert_eq!(prover.inclusion(proof.seq, Some(proof.size)).unwrap(), proof);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_beats_erasure_and_retention() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let retention =
        Retention { days: Some(10), servers: [("mail".to_owned(), 2)].into(), ..Retention::default() };
    let mut config = Config { checkpoint_ms: 50, ..Config::default() };
    config.payloads.retention = retention;
    let clock = Clock::held_at(NOV_2026);
    let log = open(path, &config, clock.clone());
    let held = say(&log, "alice", "kept", "aa").await;
    let free = say(&log, "bob", "not kept", "bb").await;
    let selector = Selector::Calls(vec![held.0]);
    let set = Order::Hold { selector: selector.clone(), reason: "a lawsuit".into(), by: "anna".into() };
    let id = log.perform(set).await.unwrap()["hold"].as_str().unwrap().to_owned();
    for refused in [Selector::Subject("alice".into()), Selector::Commitment("aa".into()), selector] {
        let outcome = log.perform(erasure(refused, &["anna", "ben"])).await;
        assert!(matches!(&outcome, Err(Refused::Held { id: by, .. }) if *by == id), "{outcome:?}");
    }
    close(log).await;
    // Eleven days later, a start takes away what is over its time, and keeps what is held.
    clock.advance_us(11 * DAY);
    let log = open(path, &config, clock.clone());
    let mut looks = 0;
    while read(path, free.1.seq()) != Payload::Expired {
        looks += 1;
        assert!(looks < 1000, "nothing expired");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(read(path, held.1.seq()), Payload::Text("kept".into()));
    let none = log.perform(Order::Lift { id: "other".into(), by: "anna".into() }).await;
    assert!(matches!(none, Err(Refused::NoHold(_))));
    log.perform(Order::Lift { id, by: "anna".into() }).await.unwrap();
    log.perform(erasure(Selector::Subject("alice".into()), &["anna", "ben"])).await.unwrap();
    assert_eq!(read(path, held.1.seq()), Payload::Erased);
    close(log).await;
    assert!(verify(path, &mut |_, _| {}).unwrap().ok);
}

#[test]
fn no_retention_undercuts_its_profile() {
    for (profile, floor) in
        [(Profile::Pci, 366), (Profile::Hipaa, 2192), (Profile::Sox, 2557), (Profile::EuAiAct, 184)]
    {
        let with = |days| Retention { profile, days: Some(days), ..Retention::default() };
        assert!(with(floor - 1).problem().is_some() && with(floor).problem().is_none());
        let server =
            Retention { profile, servers: [("crm".to_owned(), floor - 1)].into(), ..Retention::default() };
        assert!(server.problem().is_some_and(|problem| problem.contains("servers.crm")));
    }
    assert!(Retention { days: Some(0), ..Retention::default() }.problem().is_some());
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.payloads.retention = Retention { profile: Profile::Pci, days: Some(30), ..Retention::default() };
    assert!(Log::open(folder.path(), "test/audit", &config, Clock::system()).is_err());
}

#[tokio::test]
async fn capture_levels_and_the_size_limit_are_kept_and_an_exchanged_payload_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mut config = Config::default();
    config.payloads.capture = Capture::Request;
    config.payloads.max_bytes = 10;
    let log = open(path, &config, Clock::held_at(NOV_2026));
    assert_eq!(log.captured(Role::Response, ("a", "s"), "no", None).text, "");
    assert_eq!(log.captured(Role::Response, ("a", "s"), "yes", Some(true)).text, "yes");
    let first = say(&log, "alice", "short", "aa").await.1.seq();
    let second = say(&log, "alice", "other", "aa").await.1.seq();
    let long = say(&log, "alice", "longer than ten", "aa").await.1.seq();
    close(log).await;
    assert_eq!(read(path, long), Payload::None);
    let record: Value =
        serde_json::from_slice(&Prover::open(path).unwrap().record(long).unwrap().record).unwrap();
    assert_eq!(record["request_omitted"], 15);
    let store = rusqlite::Connection::open(path.join("payloads.db")).unwrap();
    store
        .execute(
            "UPDATE payload SET (ct, nonce, wrapped, body) = (SELECT ct, nonce, wrapped, body FROM payload WHERE seq = ?1) WHERE seq = ?2",
            [first, second],
        )
        .unwrap();
    assert_eq!((read(path, first), read(path, second)), (Payload::Text("short".into()), Payload::Altered));
    store.execute("DELETE FROM payload WHERE seq = ?", [first]).unwrap();
    assert_eq!(read(path, first), Payload::Missing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_that_a_crash_interrupted_is_finished_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let log = open(path, &Config::default(), Clock::held_at(NOV_2026));
    let said = say(&log, "alice", "word", "aa").await;
    close(log).await;
    let order =
        json!({"selector": {"subject": "alice"}, "approvers": ["anna", "ben"], "reason": "asked for"});
    let keys = rusqlite::Connection::open(path.join("payload-keys.db")).unwrap();
    keys.execute("INSERT INTO pending (erasure) VALUES (?)", [order.to_string()]).unwrap();
    drop(keys);
    let log = open(path, &Config::default(), Clock::held_at(NOV_2026));
    let mut looks = 0;
    while read(path, said.1.seq()) != Payload::Erased {
        looks += 1;
        assert!(looks < 1000, "it was not finished");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    close(log).await;
}

fn key_file(site: &Site, token: &Token, name: &str) {
    site.write(name, &token.value);
}

#[tokio::test]
async fn people_hold_and_erase_beside_a_running_gateway() {
    let site = Site::new(&demo_servers(), "audit: { checkpointMs: 50 }", PERMIT_ALL);
    let token = site.token("alice", "employee");
    for (name, role) in [("anna", "auditor"), ("ben", "auditor"), ("carl", "employee")] {
        key_file(&site, &site.token(name, role), name);
    }
    let gate = site.start();
    let answer = gate.call(&token, "ops_echo", json!({"text": "a word that patterns miss"})).await;
    let receipt = &answer.message()["result"]["_meta"]["io.sealgate/receipt"];
    let outcome = receipt["seq"].as_u64().expect("a receipt");
    let show = |gate: &Gate| -> Value {
        let seq = outcome.to_string();
        let out = gate.site.sealgate(&[
            "audit",
            "show",
            "--config",
            "sealgate.yaml",
            "--payload",
            "-o",
            "json",
            &seq,
        ]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice::<Value>(&out.stdout).expect("JSON")["hits"][0].clone()
    };
    assert!(show(&gate)["payload"].as_str().expect("a payload").contains("a word that patterns miss"));
    let run = |arguments: &[&str]| {
        let fixed =
            ["audit"].iter().chain(arguments).chain(&["--config", "sealgate.yaml", "-o", "json"]).copied();
        gate.site.sealgate(&fixed.collect::<Vec<_>>())
    };
    let erase = ["erase", "--subject", "alice", "--reason", "asked for", "--approver", "anna", "--approver"];
    let with = |last: &'static str| run(&[&erase[..], &[last]].concat());
    let held = run(&["hold", "set", "--subject", "alice", "--reason", "a lawsuit", "--approver", "ben"]);
    assert!(held.status.success(), "{}", String::from_utf8_lossy(&held.stderr));
    let held: Value = serde_json::from_slice(&held.stdout).expect("JSON");
    assert_eq!(with("ben").status.code(), Some(1), "it is held");
    let id = held["hold"].as_str().expect("an id");
    assert!(run(&["hold", "release", id, "--approver", "anna"]).status.success());
    assert_eq!(with("anna").status.code(), Some(1), "the same person twice");
    assert_eq!(with("carl").status.code(), Some(2), "somebody without the role");
    assert_eq!(with("missing").status.code(), Some(2), "no token");
    let erased = with("ben");
    assert!(erased.status.success(), "{}", String::from_utf8_lossy(&erased.stderr));
    assert_eq!(show(&gate)["payload_state"], "erased");
    let kinds: Vec<String> =
        gate.site.records().iter().map(|r| r["kind"].as_str().unwrap_or_default().to_owned()).collect();
    for kind in ["payload.read", "hold.set", "hold.release", "erase"] {
        assert!(kinds.iter().any(|k| k == kind), "`{kind}` is not in the log");
    }
}
