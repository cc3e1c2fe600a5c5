//! Whatever is changed in a log is found, by two implementations that share no code.

use rusqlite::Connection;
use sealgate::audit::{Config, Draft, Kind, Log, verify, verify_ndjson};
use sealgate::clock::Clock;
use std::path::{Path, PathBuf};
use std::process::Command;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A closed log of a few calls; returns its folder.
async fn small_log() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let log =
        Log::open(folder.path(), "test/audit", &Config::default(), Clock::held_at(1_795_000_000_000_000))
            .unwrap();
    for n in 0..6_u64 {
        let call = uuid::Uuid::from_u128(u128::from(n) + 1);
        log.append(Draft::new(Kind::CallIntent).call(call).member("n", &n)).await.unwrap();
        log.append(Draft::new(Kind::CallOutcome).call(call).member("status", "ok")).await.unwrap();
    }
    tokio::task::spawn_blocking(move || log.close()).await.unwrap().unwrap();
    let store = Connection::open(folder.path().join("audit.db")).unwrap();
    // One file, without a write-ahead log beside it.
    store.pragma_update(None, "journal_mode", "DELETE").unwrap();
    // Small pages: fewer bytes to flip.
    store.pragma_update(None, "page_size", 512).unwrap();
    store.execute_batch("VACUUM").unwrap();
    folder
}

fn records(store: &Path) -> Option<Vec<Vec<u8>>> {
    let store = Connection::open(store).ok()?;
    let mut rows = store.prepare("SELECT rec FROM entry NOT INDEXED ORDER BY seq").ok()?;
    let rows = rows.query_map([], |row| row.get(0)).ok()?;
    rows.collect::<Result<_, _>>().ok()
}

fn accepted(store: &Path) -> bool {
    verify(store, &mut |_, _| {}).is_ok_and(|verdict| verdict.ok)
}

fn accepted_by_python(path: &Path) -> bool {
    let out =
        Command::new("python3").arg(repository("audit/verify.py")).arg(path).output().expect("python3 runs");
    match out.status.code() {
        Some(0) => true,
        Some(1 | 2) => false,
        other => panic!("verify.py ended with {other:?}: {}", String::from_utf8_lossy(&out.stderr)),
    }
}

#[tokio::test]
async fn every_flipped_byte_is_found_or_changes_nothing() {
    let folder = small_log().await;
    let original = std::fs::read(folder.path().join("audit.db")).unwrap();
    let truth = records(&folder.path().join("audit.db")).unwrap();
    assert!(accepted(&folder.path().join("audit.db")));
    let copy = folder.path().join("copy.db");
    let mut found = 0;
    for at in 0..original.len() {
        // A low and a high bit: text stays text under one, and becomes something else under the other.
        for mask in [0x01, 0x80] {
            let mut bytes = original.clone();
            bytes[at] ^= mask;
            std::fs::write(&copy, &bytes).unwrap();
            if accepted(&copy) {
                let same = records(&copy).is_some_and(|found| found == truth);
                assert!(same, "byte {at} under mask {mask:#x} changed content and was accepted");
            } else {
                found += 1;
            }
        }
    }
    assert!(found > 5000, "{found} of {} flips were found", original.len());
}

#[tokio::test]
async fn every_edit_of_a_row_is_found() {
    let folder = small_log().await;
    let original = std::fs::read(folder.path().join("audit.db")).unwrap();
    let unguard =
        "DROP TRIGGER entry_no_update; DROP TRIGGER entry_no_delete; DROP TRIGGER entry_contiguous;";
    let guards: Vec<String> = {
        let store = Connection::open(folder.path().join("audit.db")).unwrap();
        let mut all =
            store.prepare("SELECT sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name").unwrap();
        all.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let edits = [
        (
            "an edited record",
            "UPDATE entry SET rec = CAST(replace(CAST(rec AS TEXT), 'ok', 'no') AS BLOB) WHERE seq = 6",
        ),
        ("an edited record with its hash", "UPDATE entry SET rec = x'7b7d', leaf = x'd4' WHERE seq = 5"),
        ("a dropped record", "DELETE FROM entry WHERE seq = 5"),
        ("a dropped beginning", "DELETE FROM entry WHERE seq < 3"),
        ("a moved time", "UPDATE entry SET t = t + 1 WHERE seq = 5"),
        ("another kind", "UPDATE entry SET kind = 12 WHERE seq = 5"),
        ("another call", "UPDATE entry SET call = x'00000000000000000000000000000001' WHERE seq = 6"),
        ("no call", "UPDATE entry SET call = NULL WHERE seq = 6"),
        ("another hash", "UPDATE entry SET leaf = zeroblob(32) WHERE seq = 6"),
        (
            "two records changed places",
            "UPDATE entry SET rec = (SELECT e.rec FROM entry e WHERE e.seq = 11 - entry.seq) WHERE seq IN (5, 6)",
        ),
        ("a record more", "INSERT INTO entry SELECT max(seq) + 1, t, kind, call, rec, leaf FROM entry"),
        ("a trigger gone", "DROP TRIGGER IF EXISTS entry_no_update"),
        ("a table more", "CREATE TABLE other (a)"),
    ];
    for (name, edit) in edits {
        let copy = folder.path().join("copy.db");
        std::fs::write(&copy, &original).unwrap();
        let store = Connection::open(&copy).unwrap();
        store.execute_batch(unguard).unwrap();
        store.execute_batch(edit).unwrap();
        for guard in guards.iter().filter(|g| !(name == "a trigger gone" && g.contains("entry_no_update"))) {
            store.execute_batch(guard).unwrap();
        }
        drop(store);
        assert!(!accepted(&copy), "{name} was accepted by the gateway's verifier");
        assert!(!accepted_by_python(&copy), "{name} was accepted by verify.py");
    }
    assert!(accepted_by_python(&folder.path().join("audit.db")));
}

#[test]
fn both_verifiers_agree_on_the_vectors() {
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(repository("audit/vectors/expected.json")).unwrap()).unwrap();
    let expected = expected.as_object().unwrap();
    assert!(expected.len() >= 15);
    for (name, ok) in expected {
        let file = repository("audit/vectors").join(format!("{name}.ndjson"));
        let verdict = verify_ndjson(std::io::BufReader::new(std::fs::File::open(&file).unwrap())).unwrap();
        let out = Command::new("python3")
            .arg(repository("audit/verify.py"))
            .arg(&file)
            .output()
            .expect("python3 runs");
        let theirs: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(Some(verdict.ok), ok.as_bool(), "{name}: {verdict}");
        assert_eq!(theirs["ok"], *ok, "{name}");
        assert_eq!(theirs["root"].as_str(), Some(verdict.root.as_str()), "{name}");
        let ours = serde_json::to_value(&verdict.breaks).unwrap();
        let kinds = |breaks: &serde_json::Value| -> Vec<String> {
            let all = breaks.as_array().unwrap();
            all.iter().map(|b| format!("{} {}", b["kind"], b["seq"])).collect()
        };
        assert_eq!(kinds(&ours), kinds(&theirs["breaks"]), "{name}");
    }
}

#[tokio::test]
async fn the_log_cannot_be_changed_through_its_own_tables() {
    let folder = small_log().await;
    let store = Connection::open(folder.path().join("audit.db")).unwrap();
    for statement in [
        "UPDATE entry SET t = 0",
        "DELETE FROM entry",
        "INSERT OR REPLACE INTO entry SELECT 3, t, kind, call, rec, leaf FROM entry WHERE seq = 4",
        "REPLACE INTO entry SELECT seq, t, kind, call, rec, leaf FROM entry WHERE seq = 4",
        "INSERT INTO entry SELECT 1000, t, kind, call, rec, leaf FROM entry WHERE seq = 4",
    ] {
        assert!(store.execute_batch(statement).is_err(), "{statement}");
    }
    assert!(accepted(&folder.path().join("audit.db")));
}
