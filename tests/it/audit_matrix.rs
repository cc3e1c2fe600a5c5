//! The matrix of changes: nothing that was altered, cut off, rolled back or written anew passes, and two verifiers
//! that share no code name the same breaks.

use crate::audit_proofs::log_of;
use rusqlite::Connection;
use sealgate::audit::tree::Prover;
use sealgate::audit::{Config, Draft, Kind, Log, Trust, hex, leaf, verify, verify_against};
use sealgate::clock::Clock;
use std::path::{Path, PathBuf};
use std::process::Command;

const UNGUARD: &str =
    "DROP TRIGGER entry_no_update; DROP TRIGGER entry_no_delete; DROP TRIGGER entry_contiguous;";

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("audit/verify.py")
}

/// Exit code and breaks, as `kind seq`, of the independent verifier.
pub fn python(arguments: &[&str]) -> (i32, Vec<String>) {
    let out = Command::new("python3").arg(script()).args(arguments).output().expect("python3 runs");
    let verdict: serde_json::Value = serde_json::from_slice(&out.stdout)
        .unwrap_or_else(|_| panic!("verify.py: {}", String::from_utf8_lossy(&out.stderr)));
    (out.status.code().unwrap_or(-1), kinds(&verdict["breaks"]))
}

fn kinds(breaks: &serde_json::Value) -> Vec<String> {
    breaks.as_array().into_iter().flatten().map(|b| format!("{} {}", b["kind"], b["seq"])).collect()
}

/// Exit code and breaks of the gateway's verifier.
pub fn ours(folder: &Path, trust: &Trust) -> (i32, Vec<String>) {
    let verdict = verify_against(folder, trust, &mut |_, _| {}).unwrap();
    (i32::from(verdict.code()), kinds(&serde_json::to_value(&verdict.breaks).unwrap()))
}

/// Both verdicts on a folder, which must be the same.
fn verdict(folder: &Path) -> (i32, Vec<String>) {
    let found = ours(folder, &Trust::default());
    assert_eq!(python(&[folder.to_str().unwrap()]), found, "the verifiers disagree");
    found
}

pub fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
        }
    }
    to
}

/// Stores in one file each, with small pages: fewer bytes to flip.
fn compact(folder: &Path) {
    for name in ["audit.db", "checkpoints.db"] {
        let store = Connection::open(folder.join(name)).unwrap();
        store.pragma_update(None, "journal_mode", "DELETE").unwrap();
        store.pragma_update(None, "page_size", 512).unwrap();
        store.execute_batch("VACUUM").unwrap();
    }
}

fn store(folder: &Path) -> Connection {
    Connection::open(folder.join("audit.db")).unwrap()
}

fn guards(folder: &Path) -> Vec<String> {
    let store = store(folder);
    let mut all =
        store.prepare("SELECT sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name").unwrap();
    all.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Changes the log's rows past its triggers, and puts the triggers back.
fn edit(folder: &Path, change: impl FnOnce(&Connection)) {
    let guards = guards(folder);
    let store = store(folder);
    store.execute_batch(UNGUARD).unwrap();
    change(&store);
    for guard in guards {
        store.execute_batch(&guard).unwrap();
    }
}

/// Rewrites record `seq` and links all that follow anew, as somebody without the signing key would.
fn chain_anew(folder: &Path, seq: u64) {
    edit(folder, |store| {
        let mut rows = store.prepare("SELECT seq, rec FROM entry WHERE seq >= ? ORDER BY seq").unwrap();
        let rows: Vec<(u64, Vec<u8>)> = rows
            .query_map([seq], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let mut prev: Option<String> = None;
        for (n, record) in rows {
            let mut value: serde_json::Value = serde_json::from_slice(&record).unwrap();
            match &prev {
                None => value["n"] = 424_242.into(),
                Some(prev) => value["prev"] = prev.as_str().into(),
            }
            let record = value.to_string().into_bytes();
            let hash = leaf(&record);
            prev = Some(hex(&hash));
            store
                .execute("UPDATE entry SET rec = ?, leaf = ? WHERE seq = ?", (record, hash.as_slice(), n))
                .unwrap();
        }
    });
}

fn config() -> Config {
    // Checkpoints by restarts only, so that there are as many as there are rounds.
    Config { checkpoint_ms: 3_600_000, ..Config::default() }
}

/// A log that was closed five times, and what it was each time.
async fn stages() -> Vec<tempfile::TempDir> {
    let folder = tempfile::tempdir().unwrap();
    let mut stages = Vec::new();
    for records in [3, 5, 260, 1, 7] {
        log_of(folder.path(), records, &config()).await;
        stages.push(copy(folder.path()));
    }
    stages
}

#[tokio::test]
async fn no_snapshot_passes_for_a_later_one() {
    let stages = stages().await;
    let notes: Vec<String> = stages
        .iter()
        .map(|stage| Prover::open(stage.path()).unwrap().checkpoint().unwrap().unwrap().note)
        .collect();
    for (early, snapshot) in stages.iter().enumerate() {
        assert_eq!(verdict(snapshot.path()), (0, vec![]), "snapshot {early}");
        for (late, note) in notes.iter().enumerate() {
            let trust = Trust { checkpoints: vec![note.clone()], ..Trust::default() };
            let (code, breaks) = ours(snapshot.path(), &trust);
            let wanted = if late > early { (4, vec!["\"rollback\" null".to_owned()]) } else { (0, vec![]) };
            assert_eq!((code, breaks), wanted, "snapshot {early} against checkpoint {late}");
        }
        let last = snapshot.path().join("kept");
        std::fs::write(&last, notes.last().unwrap()).unwrap();
        let wanted = if early + 1 < stages.len() { 4 } else { 0 };
        let arguments = ["--checkpoint", last.to_str().unwrap(), snapshot.path().to_str().unwrap()];
        assert_eq!(python(&arguments).0, wanted, "snapshot {early}, verify.py");
        std::fs::remove_file(last).unwrap();
        // The store alone rolled back, its checkpoints kept: found, and not started.
        if early + 1 < stages.len() {
            let mixed = copy(stages.last().unwrap().path());
            for part in ["audit.db-wal", "audit.db-shm"] {
                let _ = std::fs::remove_file(mixed.path().join(part));
            }
            std::fs::copy(snapshot.path().join("audit.db"), mixed.path().join("audit.db")).unwrap();
            assert_eq!(verdict(mixed.path()).0, 4, "snapshot {early} under the newest checkpoints");
            let opened = Log::open(mixed.path(), "test/audit", &config(), Clock::system());
            assert!(matches!(opened, Err(sealgate::audit::OpenError::Rollback { .. })), "{opened:?}");
        }
    }
}

#[tokio::test]
async fn what_a_chain_alone_does_not_show_its_checkpoints_do() {
    let folder = tempfile::tempdir().unwrap();
    log_of(folder.path(), 600, &config()).await;
    log_of(folder.path(), 20, &config()).await;
    let whole = folder.path();
    let records = Prover::open(whole).unwrap().size().unwrap();
    let alone = |folder: &Path| verify(&folder.join("audit.db"), &mut |_, _| {}).unwrap().ok;
    let first = Prover::open(whole).unwrap().size().unwrap();
    assert!(first > 600);

    // Written anew from some record on: the chain is whole again, the signed roots are not.
    for seq in [3, 300, records - 3] {
        let forged = copy(whole);
        chain_anew(forged.path(), seq);
        assert!(alone(forged.path()), "written anew from {seq}");
        let (code, breaks) = verdict(forged.path());
        assert_eq!(code, 1, "{breaks:?}");
        assert!(breaks.iter().any(|b| b.starts_with("\"checkpoint\"")), "{breaks:?}");
        assert_eq!(breaks.iter().any(|b| b.starts_with("\"tile\"")), seq < 512, "{breaks:?}");
    }
    // Cut off.
    for cut in [1, 15, 400] {
        let forged = copy(whole);
        edit(forged.path(), |store| {
            store.execute("DELETE FROM entry WHERE seq >= ?", [records - cut]).unwrap();
        });
        assert!(alone(forged.path()));
        assert_eq!(verdict(forged.path()).0, 4, "{cut} records cut off");
    }
}

#[tokio::test]
async fn forged_tiles_checkpoints_and_anchors_are_found() {
    let folder = tempfile::tempdir().unwrap();
    log_of(folder.path(), 300, &config()).await;
    log_of(folder.path(), 5, &config()).await;
    let edits = [
        (
            "a checkpoint's root",
            "UPDATE checkpoint SET root = zeroblob(32) WHERE size = (SELECT max(size) FROM checkpoint)",
        ),
        (
            "a checkpoint's size",
            "UPDATE checkpoint SET size = size + 1 WHERE size = (SELECT max(size) FROM checkpoint)",
        ),
        ("a checkpoint's note", "UPDATE checkpoint SET note = replace(note, 'test/audit', 'test/other')"),
        (
            "a checkpoint without signature",
            "UPDATE checkpoint SET note = substr(note, 1, instr(note, '—') - 1)",
        ),
        ("a tile's hash", "UPDATE tile SET data = zeroblob(8192)"),
        ("a tile's root", "UPDATE tile SET root = zeroblob(32)"),
        ("a tile gone", "DELETE FROM tile"),
        ("a tile more", "INSERT INTO tile SELECT level, idx + 7, root, data FROM tile"),
        ("a trigger gone", ""),
    ];
    for (name, change) in edits {
        let forged = copy(folder.path());
        let trees = Connection::open(forged.path().join("checkpoints.db")).unwrap();
        let mut guards = Vec::new();
        for table in ["tile", "checkpoint"] {
            for verb in ["update", "delete"] {
                let trigger = format!("{table}_no_{verb}");
                let sql = "SELECT sql FROM sqlite_schema WHERE name = ?";
                guards.push(trees.query_row(sql, [&trigger], |row| row.get::<_, String>(0)).unwrap());
                trees.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
            }
        }
        trees.execute_batch(change).unwrap();
        for guard in guards.iter().skip(usize::from(name == "a trigger gone")) {
            trees.execute_batch(guard).unwrap();
        }
        drop(trees);
        let (code, breaks) = verdict(forged.path());
        assert_eq!(code, 1, "{name}: {breaks:?}");
    }
    // The anchor file: a line of another log, a line that another key signed, and lines that are gone.
    let forged = copy(folder.path());
    let anchors = forged.path().join("anchors.ndjson");
    let text = std::fs::read_to_string(&anchors).unwrap();
    std::fs::write(&anchors, text.replace("test/audit\\n", "test/audot\\n")).unwrap();
    assert_eq!(verdict(forged.path()), (1, vec!["\"anchor\" null".into()]));
    std::fs::write(&anchors, format!("{text}{{\"torn")).unwrap();
    assert_eq!(verdict(forged.path()), (0, vec![]), "a torn line says nothing");
    // Checkpoints that no published key signed.
    let forged = copy(folder.path());
    std::fs::write(forged.path().join("checkpoint.vkeys"), "").unwrap();
    assert_eq!(verdict(forged.path()).0, 1);
}

#[tokio::test]
async fn every_flipped_byte_of_the_checkpoints_is_found_or_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    log_of(folder.path(), 2, &config()).await;
    compact(folder.path());
    let path = folder.path().join("checkpoints.db");
    let content = |path: &Path| -> Option<Vec<(u64, Vec<u8>, String)>> {
        let trees = Connection::open(path).ok()?;
        let mut rows = trees.prepare("SELECT size, root, note FROM checkpoint ORDER BY size").ok()?;
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).ok()?;
        rows.collect::<Result<_, _>>().ok()
    };
    let accepted = |folder: &Path| verify(folder, &mut |_, _| {}).is_ok_and(|verdict| verdict.ok);
    let (original, truth) = (std::fs::read(&path).unwrap(), content(&path).unwrap());
    assert!(accepted(folder.path()) && !truth.is_empty());
    let mut found = 0;
    for at in 0..original.len() {
        // A low and a high bit in turn: each of these verdicts checks signatures too.
        let mask = if at % 2 == 0 { 0x01 } else { 0x80 };
        let mut bytes = original.clone();
        bytes[at] ^= mask;
        std::fs::write(&path, &bytes).unwrap();
        if accepted(folder.path()) {
            assert_eq!(content(&path).as_ref(), Some(&truth), "byte {at} under {mask:#x} was accepted");
        } else {
            found += 1;
        }
    }
    assert!(found > 1000, "{found} of {} flips were found", original.len());
}

#[tokio::test]
async fn what_was_changed_on_disk_is_not_signed() {
    let folder = tempfile::tempdir().unwrap();
    let slow = Config { checkpoint_ms: 700, ..Config::default() };
    let log = Log::open(folder.path(), "test/audit", &slow, Clock::system()).unwrap();
    log.append(Draft::new(Kind::AuthFailed).member("reason", "original")).await.unwrap();
    edit(folder.path(), |store| {
        let sql = "UPDATE entry SET rec = CAST(replace(CAST(rec AS TEXT), 'original', 'replaced') AS BLOB)";
        store.execute(sql, []).unwrap();
    });
    let mut looks = 0;
    while log.status().writable {
        looks += 1;
        assert!(looks < 2000, "it went on");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(log.status().checkpoint, None, "nothing was signed");
    let refused = log.append(Draft::new(Kind::CallIntent)).await.unwrap_err();
    assert_eq!(refused, sealgate::audit::Unrecorded::Latched);
    assert!(log.status().latched.is_some_and(|why| why.contains("does not verify")));
}
