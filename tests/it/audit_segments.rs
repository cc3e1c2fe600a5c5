//! Segments: old records are archived, their bytes taken out of the store and brought back, and at every step the log is
//! whole for two verifiers; whatever is changed in store or archive is found, and what is interrupted loses nothing.

use crate::audit_matrix::{copy, ours, python};
use crate::harness::{PERMIT_ALL, Site, binary, demo_servers};
use rusqlite::Connection;
use sealgate::audit::payload::{Profile, Retention};
use sealgate::audit::segment::{self, Pruned, Segment};
use sealgate::audit::tree::proof::{Head, extends, includes};
use sealgate::audit::tree::{Prover, keys};
use sealgate::audit::{
    Config, Draft, Erasure, Error, Kind, Log, Order, Outcome, Payload, Payloads, Reader, Role, Selector,
    Trust, leaf, verify_against,
};
use sealgate::clock::Clock;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use uuid::Uuid;

const JUNE_2025: i64 = 1_750_000_000_000_000;
const DAY: i64 = 86_400_000_000;
/// The newest records stay in the store, whatever is archived.
const STAY: u64 = 1000;

type Records = BTreeMap<u64, Vec<u8>>;

/// A log of calls and other records: `count` pairs of records, and then as many as always stay.
async fn old_log(folder: &Path, pairs: u64) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("origin"), "test/audit\n").unwrap();
    let log = Log::open(folder, "test/audit", &Config::default(), Clock::held_at(JUNE_2025)).unwrap();
    for n in 0..pairs {
        let call = Uuid::from_u128(u128::from(n) + 1);
        log.append_detached(Draft::new(Kind::CallIntent).call(call).member("n", &n));
        log.append_detached(Draft::new(Kind::CallOutcome).call(call).member("status", "ok"));
    }
    for n in 0..STAY {
        log.append_detached(Draft::new(Kind::AuthFailed).member("count", &n));
    }
    close(log).await;
}

async fn close(log: Log) {
    tokio::task::spawn_blocking(move || log.close()).await.unwrap().unwrap();
}

/// Seals what there is to be sealed, and records it, as the command does.
fn archive(folder: &Path, to: &Path, records: u64) -> Vec<Segment> {
    let seal = |range| {
        let sealed = segment::seal(folder, range, to, &mut |_, _| {}).unwrap();
        let members = json!({
            "by": "test", "records": sealed.records(), "store": sealed.store,
            "segment": {"digest": sealed.digest, "first": sealed.first, "last": sealed.last},
        });
        let Value::Object(members) = members else { unreachable!() };
        let order = Order::Record { kind: "segment.archive".into(), members };
        let done = Log::order(folder, &Config::default(), &order, Duration::from_secs(30)).unwrap();
        assert!(matches!(done, Some(Outcome::Done(_))), "{done:?}");
        sealed
    };
    segment::plan(folder, records, None).unwrap().into_iter().map(seal).collect()
}

fn prune(folder: &Path, at: &Path) -> Result<Vec<Pruned>, Error> {
    prune_as(folder, at, &Config::default(), 1)
}

fn prune_as(folder: &Path, at: &Path, config: &Config, days: u32) -> Result<Vec<Pruned>, Error> {
    segment::prune(folder, at, (config, &Clock::system()), (days, "test"), &mut |_, _| {})
}

fn restore(folder: &Path, at: &Path) -> Result<Vec<segment::Restored>, Error> {
    segment::restore(folder, at, &Config::default(), (None, "test"), &mut |_, _| {})
}

fn records(folder: &Path) -> Records {
    let store = Connection::open(folder.join("audit.db")).unwrap();
    let mut rows = store.prepare("SELECT seq, rec FROM entry ORDER BY seq").unwrap();
    rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap()
}

/// What both verifiers say of a log, with its segments or without; they must agree.
fn judged(folder: &Path, segments: Option<&Path>) -> (i32, Vec<String>) {
    let trust = Trust { segments: segments.map(Path::to_owned), ..Trust::default() };
    let found = ours(folder, &trust);
    let mut arguments = vec![folder.to_str().unwrap()];
    if let Some(segments) = segments {
        arguments.extend(["--segments", segments.to_str().unwrap()]);
    }
    assert_eq!(python(&arguments), found, "the verifiers disagree");
    found
}

fn whole(folder: &Path, segments: Option<&Path>) {
    assert_eq!(judged(folder, segments), (0, Vec::new()));
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(place) = folders.pop() {
        for entry in std::fs::read_dir(place).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), std::fs::read(path).unwrap());
            }
        }
    }
    found
}

fn lay(files: &BTreeMap<PathBuf, Vec<u8>>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

#[tokio::test]
async fn a_log_is_whole_archived_pruned_and_restored_and_every_proof_holds() {
    let (data, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, to) = (data.path(), to.path());
    old_log(data, 400).await;
    let before = records(data);
    let size = before.len() as u64;
    let prover = Prover::open(data).unwrap();
    let (root, proof) = (prover.root(size).unwrap(), prover.inclusion(300, None).unwrap());
    drop(prover);

    let sealed = archive(data, to, 250);
    let ranges: Vec<(u64, u64)> = sealed.iter().map(|s| (s.first, s.last)).collect();
    assert_eq!(
        ranges,
        [(0, 249), (250, 499), (500, 749), (750, 999), (1000, 1249), (1250, 1499), (1500, 1749)]
    );
    assert!(segment::plan(data, 250, None).unwrap().is_empty(), "none is archived twice");
    whole(data, None);
    whole(data, Some(to));
    // The same range is the same bytes, at any later time: another copy needs no trust.
    let copy_of = tempfile::tempdir().unwrap();
    for one in &sealed {
        segment::seal(data, (one.first, one.last), copy_of.path(), &mut |_, _| {}).unwrap();
    }
    assert_eq!(files(to), files(copy_of.path()));

    let pruned = prune(data, to).unwrap();
    let gone: u64 = pruned.iter().map(|one| one.pruned).sum();
    assert!(pruned.len() >= 3 && gone > 700, "{pruned:?}");
    whole(data, None);
    whole(data, Some(to));
    let trust = Trust { segments: Some(to.to_owned()), ..Trust::default() };
    let verdict = verify_against(data, &trust, &mut |_, _| {}).unwrap();
    assert_eq!(verdict.archived.iter().map(|one| one.absent).sum::<u64>(), gone);
    assert!(verdict.archived.iter().all(|one| one.checked), "{verdict}");
    let said =
        format!("records 250 to 499 are archived in {} (digest {})", sealed[1].store, sealed[1].digest);
    assert!(verdict.to_string().contains(&said), "{verdict}");

    // What stays proves all that it proved, and what is not here is not said to be.
    let prover = Prover::open(data).unwrap();
    assert_eq!(prover.root(size).unwrap(), root);
    let now = prover.size().unwrap();
    let (old, new) = (Head { size, root }, Head { size: now, root: prover.root(now).unwrap() });
    assert!(extends(&old, &new, &prover.consistency(size, now).unwrap()));
    assert!(matches!(prover.record(300), Err(Error::Archived(300))));
    assert!(matches!(prover.inclusion(300, None), Err(Error::Archived(300))));
    assert!(prover.record(0).is_ok() && prover.record(size - 1).is_ok());
    let reader = Reader::open(data).unwrap();
    assert!(matches!(reader.since(0, 400), Err(Error::Archived(_))));
    assert_eq!(reader.absent().unwrap(), gone);
    let old_root = prover.root(proof.size).unwrap();
    assert!(includes(&old_root, proof.size, 300, &leaf(&before[&300]), &proof.path), "an old proof holds");
    drop((prover, reader));

    // The chain goes on, and a second time there is nothing to do.
    let log = Log::open(data, "test/audit", &Config::default(), Clock::system()).unwrap();
    log.append(Draft::new(Kind::AuthFailed).member("count", &1)).await.unwrap();
    close(log).await;
    whole(data, Some(to));
    assert!(prune(data, to).unwrap().iter().all(|one| one.pruned == 0));

    // Brought back: found by number, by call and by query, and proven again.
    let restored = restore(data, to).unwrap();
    assert_eq!(restored.iter().map(|one| one.restored).sum::<u64>(), gone);
    let after = records(data);
    assert!(before.iter().all(|(seq, bytes)| after[seq] == *bytes), "every byte is back");
    whole(data, None);
    whole(data, Some(to));
    assert_eq!(Reader::open(data).unwrap().by_call(Uuid::from_u128(150)).unwrap().len(), 2);
    let again = Prover::open(data).unwrap().inclusion(300, Some(proof.size)).unwrap();
    assert_eq!(again.path, proof.path);
    assert!(restore(data, to).unwrap().is_empty());
    // And out again, and one segment back.
    assert_eq!(prune(data, to).unwrap().iter().map(|one| one.pruned).sum::<u64>(), gone);
    let one = segment::restore(data, to, &Config::default(), (Some(&[300]), "test"), &mut |_, _| {}).unwrap();
    assert_eq!((one.len(), one[0].segment.first), (1, 250));
    assert!(Prover::open(data).unwrap().record(300).is_ok());
    assert!(matches!(Prover::open(data).unwrap().record(600), Err(Error::Archived(600))));
    whole(data, Some(to));
}

#[tokio::test]
async fn whatever_is_changed_in_a_pruned_store_is_found() {
    let (data, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, to) = (data.path(), to.path());
    old_log(data, 200).await;
    archive(data, to, 100);
    assert!(!prune(data, to).unwrap().is_empty());
    whole(data, None);
    let bytes = |seq: u64| records(data)[&seq].clone();
    assert!(bytes(50).is_empty() && !bytes(0).is_empty());
    let (archive_kind, prune_kind) = (Kind::SegmentArchive.code(), Kind::SegmentPrune.code());
    let edits = [
        ("another hash of a record that is not here", "UPDATE entry SET leaf = zeroblob(32) WHERE seq = 50".into()),
        ("another time", "UPDATE entry SET t = t + 1 WHERE seq = 50".into()),
        ("another kind", "UPDATE entry SET kind = 12 WHERE seq = 50".into()),
        ("another call", "UPDATE entry SET call = zeroblob(16) WHERE seq = 50".into()),
        ("no call", "UPDATE entry SET call = NULL WHERE seq = 50".into()),
        ("a call that is none", "UPDATE entry SET call = x'00' WHERE seq = 50".into()),
        ("other bytes", "UPDATE entry SET rec = x'7b7d' WHERE seq = 50".into()),
        ("a record less in the range", "UPDATE entry SET rec = x'' WHERE seq = 0".into()),
        ("a record less elsewhere", "UPDATE entry SET rec = x'' WHERE seq = (SELECT max(seq) - 20 FROM entry)".into()),
        ("a hidden archive", format!("UPDATE entry SET kind = 50 WHERE kind = {archive_kind}")),
        ("a hidden order", format!("UPDATE entry SET kind = 50 WHERE kind = {prune_kind}")),
        ("an order without bytes", format!("UPDATE entry SET rec = x'' WHERE kind = {prune_kind}")),
        ("a row less", "DELETE FROM entry WHERE seq = 50".into()),
        ("a segment's rows less", "DELETE FROM entry WHERE seq BETWEEN 0 AND 99".into()),
        (
            "rows that changed places",
            "UPDATE entry SET leaf = (SELECT e.leaf FROM entry e WHERE e.seq = 101 - entry.seq) WHERE seq IN (50, 51)"
                .into(),
        ),
    ];
    let guards: Vec<String> = {
        let store = Connection::open(data.join("audit.db")).unwrap();
        let mut all = store.prepare("SELECT sql FROM sqlite_schema WHERE type = 'trigger'").unwrap();
        all.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    for (name, edit) in edits {
        let copy = copy(data);
        let store = Connection::open(copy.path().join("audit.db")).unwrap();
        for guard in ["entry_no_update", "entry_no_delete", "entry_contiguous"] {
            store.execute_batch(&format!("DROP TRIGGER {guard}")).unwrap();
        }
        assert!(store.execute(&edit, []).unwrap() > 0, "{name} changes nothing");
        for guard in &guards {
            store.execute_batch(guard).unwrap();
        }
        drop(store);
        for segments in [None, Some(to)] {
            let (code, breaks) = judged(copy.path(), segments);
            assert_ne!(code, 0, "{name} was accepted");
            assert!(!breaks.is_empty());
        }
    }
    // An order that no checkpoint covers takes nothing out: whoever writes files, but has no key, could have made it up.
    let unsigned = copy(data);
    let trees = Connection::open(unsigned.path().join("checkpoints.db")).unwrap();
    let guard: String = trees
        .query_row("SELECT sql FROM sqlite_schema WHERE name = 'checkpoint_no_delete'", [], |row| row.get(0))
        .unwrap();
    trees.execute_batch("DROP TRIGGER checkpoint_no_delete").unwrap();
    let order: u64 = Connection::open(data.join("audit.db"))
        .unwrap()
        .query_row("SELECT min(seq) FROM entry WHERE kind = ?", [prune_kind], |row| row.get(0))
        .unwrap();
    trees.execute("DELETE FROM checkpoint WHERE size > ?", [order]).unwrap();
    trees.execute_batch(&guard).unwrap();
    drop(trees);
    std::fs::remove_file(unsigned.path().join("anchors.ndjson")).unwrap();
    let (code, breaks) = judged(unsigned.path(), Some(to));
    assert_eq!((code, breaks.iter().any(|b| b.starts_with("\"segment\" 0"))), (1, true), "{breaks:?}");
}

#[tokio::test]
async fn a_lost_altered_swapped_or_reordered_segment_is_named_and_brings_nothing_back() {
    let (data, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, to) = (data.path(), to.path());
    old_log(data, 200).await;
    let sealed = archive(data, to, 100);
    assert!(!prune(data, to).unwrap().is_empty());
    let good = files(to);
    let name = |n: usize, file: &str| Path::new(&sealed[n].name()).join(file);
    let lines: Vec<Vec<u8>> =
        good[&name(1, "records.ndjson")].split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    let mut reordered = lines.clone();
    reordered.swap(10, 11);
    let mut forgeries: Vec<(&str, BTreeMap<PathBuf, Vec<u8>>)> = Vec::new();
    for file in
        ["records.ndjson", "manifest.json", "checkpoint", "query.json", "keys", "proofs/199.tlog-proof"]
    {
        let mut less = good.clone();
        let bytes = less.remove(&name(1, file)).unwrap();
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut forged = good.clone();
            forged.get_mut(&name(1, file)).unwrap()[at] ^= 1;
            forgeries.push((file, forged));
        }
        forgeries.push((file, less));
    }
    let with = |file: &str, bytes: Vec<u8>| {
        let mut forged = good.clone();
        forged.insert(name(1, file), bytes);
        forged
    };
    forgeries.push(("reordered", with("records.ndjson", reordered.concat())));
    forgeries.push(("a record less", with("records.ndjson", lines[1..].concat())));
    forgeries.push(("a file more", with("more", b"more".to_vec())));
    let sealed = &sealed;
    let other = |from: usize, to: usize| {
        good.clone().into_iter().filter_map(move |(path, bytes)| {
            let rest = path.strip_prefix(sealed[from].name()).ok()?;
            Some((Path::new(&sealed[to].name()).join(rest), bytes))
        })
    };
    let but = |gone: &[usize]| -> BTreeMap<PathBuf, Vec<u8>> {
        let keeps = |path: &Path| !gone.iter().any(|n| path.starts_with(sealed[*n].name()));
        good.iter()
            .filter(|(path, _)| keeps(path))
            .map(|(path, bytes)| (path.clone(), bytes.clone()))
            .collect()
    };
    forgeries.push(("lost", but(&[1])));
    forgeries.push(("swapped", but(&[1, 2]).into_iter().chain(other(1, 2)).chain(other(2, 1)).collect()));
    let before = records(data);
    for (what, forged) in forgeries {
        let at = lay(&forged);
        let (code, breaks) = judged(data, Some(at.path()));
        assert_eq!((code, breaks.as_slice()), (1, ["\"segment\" 100".to_owned()].as_slice()), "{what}");
        let trust = Trust { segments: Some(at.path().to_owned()), ..Trust::default() };
        let verdict = verify_against(data, &trust, &mut |_, _| {}).unwrap();
        assert!(verdict.breaks[0].detail.contains(&sealed[1].name()), "{what}: {verdict}");
        let refused =
            segment::restore(data, at.path(), &Config::default(), (Some(&[150]), "test"), &mut |_, _| {});
        assert!(matches!(refused, Err(Error::Segment { .. })), "{what}: {refused:?}");
    }
    assert_eq!(records(data), before, "nothing came back");
    // Nothing is taken out for which there is no whole segment.
    restore(data, to).unwrap();
    let full = records(data);
    let lost = lay(&but(&[0]));
    assert!(matches!(prune(data, lost.path()), Err(Error::Segment { .. })));
    assert_eq!(records(data), full);
    // Another log's segment of the same name, whole in itself.
    let (theirs, at) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    old_log(theirs.path(), 200).await;
    archive(theirs.path(), at.path(), 100);
    assert_eq!(judged(data, Some(at.path())).0, 1);
    assert!(matches!(prune(data, at.path()), Err(Error::Segment { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_or_kept_stays_and_what_was_erased_does_not_come_back() {
    let (data, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, to) = (data.path(), to.path());
    std::fs::write(data.join("origin"), "test/audit\n").unwrap();
    let clock = Clock::held_at(JUNE_2025);
    let log = Log::open(data, "test/audit", &Config::default(), clock.clone()).unwrap();
    let mut said = BTreeMap::new();
    for (subject, keeps) in [("alice", true), ("bob", true), ("carl", false), ("dora", false), ("eve", false)]
    {
        let call = Uuid::now_v7();
        let body = Some(log.captured(Role::Request, (subject, "crm"), "a word", Some(keeps)));
        let actor = json!({"id": subject});
        let redact = json!({"findings": [{"commitment": format!("of-{subject}")}]});
        let intent =
            Draft::new(Kind::CallIntent).call(call).member("actor", &actor).member("redact", &redact);
        let seq = log.append(intent.payload(body)).await.unwrap().seq();
        log.append(Draft::new(Kind::CallOutcome).call(call).member("status", "ok")).await.unwrap();
        said.insert(subject, (call, seq));
    }
    // Begins in one segment and ends in another.
    let across = Uuid::now_v7();
    let begun = log.append(Draft::new(Kind::CallIntent).call(across)).await.unwrap().seq();
    for n in 0..STAY {
        log.append_detached(Draft::new(Kind::AuthFailed).member("count", &n));
    }
    log.append(Draft::new(Kind::CallOutcome).call(across).member("status", "ok")).await.unwrap();
    let two = vec!["anna".to_owned(), "ben".to_owned()];
    let erasure =
        Erasure { selector: Selector::Subject("alice".into()), approvers: two, reason: "asked for".into() };
    log.perform(Order::Erase(erasure)).await.unwrap();
    let hold = |selector| Order::Hold { selector, reason: "a lawsuit".into(), by: "ben".into() };
    log.perform(hold(Selector::Commitment("of-carl".into()))).await.unwrap();
    let held = log.perform(hold(Selector::Subject("dora".into()))).await.unwrap();
    for n in 0..STAY {
        log.append_detached(Draft::new(Kind::AuthFailed).member("count", &n));
    }
    close(log).await;
    archive(data, to, 200);
    prune(data, to).unwrap();
    let here = |seq: u64| !records(data)[&seq].is_empty();
    let state = |subject: &str| (here(said[subject].1), here(said[subject].1 + 1));
    assert_eq!(state("alice"), (false, false), "erased, so nothing keeps the records");
    assert_eq!(state("bob"), (true, true), "the payload is there, so the call is");
    assert_eq!((state("carl"), state("dora")), ((true, true), (true, true)), "held");
    assert_eq!(state("eve"), (false, false));
    assert!(here(begun), "a call goes as a whole, or not");
    whole(data, Some(to));
    // No segment holds a payload or a key: the erased text has nowhere to come back from.
    let ciphertext: Vec<u8> = Connection::open(data.join("payloads.db"))
        .unwrap()
        .query_row("SELECT body FROM payload WHERE seq = ?", [said["bob"].1], |row| row.get(0))
        .unwrap();
    let lies = |bytes: &[u8]| files(to).values().any(|file| file.windows(bytes.len()).any(|w| w == bytes));
    assert!(!lies(&ciphertext) && !lies(b"a word"));
    restore(data, to).unwrap();
    assert_eq!(state("alice"), (true, true));
    let payload = |subject: &str| {
        let record = Prover::open(data).unwrap().record(said[subject].1).unwrap().record;
        Payloads::open(data).unwrap().read(&record).unwrap()
    };
    assert_eq!((payload("alice"), payload("bob")), (Payload::Erased, Payload::Text("a word".into())));
    // Once the hold is lifted, the time does its work; and erasing by commitment still finds what is there.
    let log = Log::open(data, "test/audit", &Config::default(), clock).unwrap();
    let id = held["hold"].as_str().unwrap().to_owned();
    log.perform(Order::Lift { id, by: "ben".into() }).await.unwrap();
    close(log).await;
    prune(data, to).unwrap();
    assert_eq!((state("dora"), state("carl")), ((false, false), (true, true)));
    let log = Log::open(data, "test/audit", &Config::default(), Clock::system()).unwrap();
    let erasure = Erasure {
        selector: Selector::Commitment("of-bob".into()),
        approvers: vec!["anna".into(), "ben".into()],
        reason: "asked for".into(),
    };
    assert_eq!(log.perform(Order::Erase(erasure)).await.unwrap()["payloads"], 1);
    close(log).await;
    whole(data, Some(to));
}

#[tokio::test]
async fn nothing_goes_before_its_time() {
    let (data, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, to) = (data.path(), to.path());
    old_log(data, 200).await;
    archive(data, to, 100);
    let before = records(data);
    let mut config = Config::default();
    config.payloads.retention = Retention { profile: Profile::Pci, ..Retention::default() };
    let short = prune_as(data, to, &config, 365);
    assert!(matches!(short, Err(Error::Retention(_))), "{short:?}");
    assert!(matches!(prune_as(data, to, &Config::default(), 0), Err(Error::Retention(_))));
    let clock = Clock::held_at(JUNE_2025 + 366 * DAY);
    let at =
        |clock: &Clock| segment::prune(data, to, (&config, clock), (366, "test"), &mut |_, _| {}).unwrap();
    assert!(at(&clock).is_empty(), "not a moment older");
    assert_eq!(records(data), before);
    let log = Log::open(data, "test/audit", &config, Clock::system()).unwrap();
    clock.advance_us(1);
    let used = segment::prune(data, to, (&config, &clock), (366, "test"), &mut |_, _| {});
    assert!(matches!(used, Err(Error::Opening(_))), "a log in use is left alone: {used:?}");
    close(log).await;
    assert!(!at(&clock).is_empty());
    // A start reads the newest records by their bytes: of these none ever goes.
    let gone = records(data).iter().filter(|(_, bytes)| bytes.is_empty()).map(|(seq, _)| *seq).max().unwrap();
    assert!(gone + STAY <= before.len() as u64, "{gone}");
    whole(data, Some(to));
}

#[tokio::test]
async fn people_archive_prune_search_and_restore_by_command() {
    let site = Site::new(&demo_servers(), "", &crate::audit_api::policies());
    let data = site.data();
    old_log(&data, 200).await;
    let (anna, carl) = (site.token("anna", "auditor"), site.token("carl", "employee"));
    site.write("anna", &anna.value);
    site.write("carl", &carl.value);
    let run = |arguments: &[&str]| -> (Option<i32>, Value) {
        let fixed =
            ["audit"].iter().chain(arguments).chain(&["--config", "sealgate.yaml", "-o", "json"]).copied();
        let out = site.sealgate(&fixed.collect::<Vec<_>>());
        let answer = serde_json::from_slice(&out.stdout)
            .unwrap_or_else(|_| json!(String::from_utf8_lossy(&out.stderr)));
        (out.status.code(), answer)
    };
    let found = |query: &str| {
        assert_eq!(run(&["index", "rebuild"]).0, Some(0));
        let (code, answer) = run(&["search", query]);
        assert!(code.is_some_and(|code| code < 2), "{answer}");
        answer["hits"].as_array().map_or(0, Vec::len)
    };
    let call = Uuid::from_u128(20).to_string();
    let by_call = format!("call:{call}");
    assert_eq!(found(&by_call), 2);
    let (code, made) = run(&["archive", "--to", "segments", "--records", "100"]);
    assert_eq!((code, made["segments"].as_array().map(Vec::len)), (Some(0), Some(14)), "{made}");
    let prune = ["prune", "--segments", "segments", "--older-than", "30", "--approver"];
    let by = |who: &'static str| run(&[&prune[..], &[who]].concat());
    assert_eq!(by("carl").0, Some(2), "somebody without the role");
    let (code, pruned) = by("anna");
    assert_eq!((code, pruned["segments"][0]["first"].as_u64()), (Some(0), Some(0)), "{pruned}");
    assert_eq!(found(&by_call), 0, "what is archived is not found, and no error");
    let (code, shown) = run(&["show", "--call", &call]);
    assert_eq!((code, shown.to_string().contains("is archived")), (Some(2), true), "{shown}");
    let (_, list) = run(&["segments"]);
    assert!(list["absent"].as_u64().is_some_and(|absent| absent > 100), "{list}");
    // What nobody could look at is told, so that no answer looks complete.
    for mode in [&["search", &*by_call][..], &["search", "--scan", &by_call]] {
        assert_eq!(run(mode).1["archived"], list["absent"], "{mode:?}");
    }
    let newest_export = || {
        let newest = Reader::open(&data).unwrap().tail(20).unwrap().into_iter().rev();
        let mut newest = newest.map(|entry| serde_json::from_slice::<Value>(&entry.record).unwrap());
        newest.find(|record| record["kind"] == "audit.export").unwrap()
    };
    for verb in
        [&["export", "kind:call.intent", "--out", "out"][..], &["export", "", "--scan", "--out", "all"]]
    {
        assert_eq!(run(verb).1["archived"], list["absent"], "{verb:?}");
        assert_eq!(newest_export()["archived"], list["absent"], "{verb:?}");
    }
    let out = site.sealgate(&["audit", "export", "--config", "sealgate.yaml"]);
    let told = format!("{} records are archived and were not looked at", list["absent"]);
    assert!(String::from_utf8_lossy(&out.stderr).contains(&told), "{out:?}");
    let (_, bundle) = run(&["bundle", "--query", "kind:call.intent", "--out", "bundle"]);
    assert_eq!(bundle["archived"], list["absent"], "{bundle}");
    let asked = std::fs::read(site.path().join("bundle/query.json")).unwrap();
    let asked: Value = serde_json::from_slice(&asked).unwrap();
    assert_eq!(asked["as_understood"]["archived"], list["absent"], "{asked}");
    assert_eq!(run(&["restore", "--segments", "elsewhere", "--call", &call]).0, Some(2));
    let (code, back) = run(&["restore", "--segments", "segments", "--call", &call]);
    assert_eq!((code, back["segments"].as_array().map(Vec::len)), (Some(0), Some(1)), "{back}");
    assert_eq!(found(&by_call), 2);
    assert!(run(&["search", &by_call]).1["archived"].as_u64() < list["absent"].as_u64());
    assert_eq!(run(&["show", "--call", &call]).0, Some(0));
    let (code, verdict) = run(&["verify", "--segments", "segments"]);
    assert_eq!((code, verdict["archived"].as_array().map(Vec::len)), (Some(0), Some(14)), "{verdict}");
    let said = Reader::open(&data).unwrap().present(0, 10_000).unwrap();
    for kind in [Kind::SegmentArchive, Kind::SegmentPrune, Kind::SegmentRestore] {
        assert!(said.iter().any(|entry| entry.kind() == Some(kind)), "{kind:?} is not in the log");
    }
    // A gateway that runs is left alone; and it starts on a pruned log, and seals what came since.
    assert_eq!(by("anna").0, Some(0));
    let (_, list) = run(&["segments"]);
    let newest = Reader::open(&data).unwrap().head().unwrap();
    let gate = site.start();
    assert!(gate.call(&carl, "ops_echo", json!({"text": "hi"})).await.code().is_none());
    for (form, select, archived) in [
        ("csv", json!({"query": "actor:carl"}), &list["absent"]),
        ("ndjson", json!({"query": "actor:carl"}), &list["absent"]),
        ("bundle", json!({"query": "actor:carl"}), &list["absent"]),
        ("ndjson", json!({"seqs": [newest]}), &json!(0)),
    ] {
        let body = json!({"form": form, "select": select}).to_string();
        let request = gate.http.post(format!("{}/exports", gate.auditors)).bearer_auth(&anna.value);
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        assert_eq!(status, 200, "{form}: {}", answer.text().await.unwrap());
        assert_eq!(headers["sealgate-archived"].to_str().unwrap(), archived.to_string(), "{form}");
        assert_eq!(&newest_export()["export"]["archived"], archived, "{form}");
    }
    for mode in ["index", "scan"] {
        let ask = Some(json!({"value": "hi", "mode": mode}));
        let seen = gate.audit(&anna, "POST", "/hash", ask).await.json();
        assert_eq!((&seen["archived"], &seen["mode"]), (&list["absent"], &json!(mode)), "{seen}");
    }
    let config = gate.site.path().join("sealgate.yaml");
    let out = Command::new(binary())
        .args([
            "audit",
            "prune",
            "--segments",
            "segments",
            "--older-than",
            "30",
            "--approver",
            "anna",
            "--config",
        ])
        .arg(&config)
        .current_dir(gate.site.path())
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("stop it first"));
    let out = gate.site.sealgate(&[
        "audit",
        "archive",
        "--to",
        "segments",
        "--records",
        "100",
        "--config",
        "sealgate.yaml",
    ]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let at = gate.site.path().join("segments");
    let data = gate.site.data();
    whole(&data, Some(&at));
    drop(gate);
}

#[tokio::test]
async fn killed_at_any_moment_nothing_is_lost() {
    let site = Site::new(&demo_servers(), "", PERMIT_ALL);
    let (data, at) = (site.data(), site.path().join("segments"));
    old_log(&data, 300).await;
    site.write("anna", &site.token("anna", "auditor").value);
    let before = records(&data);
    let keys = keys::published(&data).unwrap();
    let there = || {
        // What is not in the store is in a segment, to the byte.
        let now = records(&data);
        let trust = Trust { keys: keys.clone(), segments: Some(at.clone()), ..Trust::default() };
        for (seq, bytes) in &before {
            assert!(now[seq] == *bytes || (now[seq].is_empty() && at.exists()), "record {seq}");
        }
        let verdict = verify_against(&data, &trust, &mut |_, _| {}).unwrap();
        assert!(verdict.ok, "{verdict}");
        now.values().filter(|bytes| bytes.is_empty()).count()
    };
    let steps: [&[&str]; 3] = [
        &["archive", "--to", "segments", "--records", "100"],
        &["prune", "--segments", "segments", "--older-than", "30", "--approver", "anna"],
        &["restore", "--segments", "segments", "--all"],
    ];
    let mut interrupted = 0;
    for step in steps {
        let mut pause = Duration::from_millis(2);
        loop {
            let mut child = Command::new(binary())
                .arg("audit")
                .args(step)
                .args(["--config", "sealgate.yaml"])
                .current_dir(site.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(pause);
            child.kill().unwrap();
            let status = child.wait().unwrap();
            there();
            if status.success() {
                break;
            }
            interrupted += 1;
            pause = pause * 13 / 10;
        }
        let out = site.sealgate(&[&["audit"], step, &["--config", "sealgate.yaml"]].concat());
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        assert_eq!(there() > 0, step[0] == "prune");
    }
    assert!(interrupted > 10, "{interrupted} were interrupted");
    whole(&data, Some(&at));
}
