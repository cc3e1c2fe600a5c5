//! Anchors: whoever remembers more of a log than it has keeps the gateway from starting.

use crate::harness::{PERMIT_ALL, Service, Site, binary, demo_servers};
use sealgate::audit::tree::note::Note;
use sealgate::audit::tree::{Prover, keys};
use sealgate::audit::{Evidence, leaf};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// What the anchors have taken, once `enough` says so.
async fn anchored(data: &Path, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    for _ in 0..600 {
        let all: Vec<Value> = Prover::open(data)
            .and_then(|prover| prover.anchors())
            .map(|all| all.iter().map(|a| serde_json::to_value(a).unwrap()).collect())
            .unwrap_or_default();
        if enough(&all) {
            return all;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("nothing was anchored");
}

/// Runs a gateway with these anchors, waits until they have taken its log, rolls the data folder back to what it was
/// before the last calls, and starts it again: that must be refused.
async fn rolled_back(anchors: &str, target: Option<&str>) {
    let settings = format!("audit: {{ checkpointMs: 50, anchors: {{ everyS: 1, {anchors} }} }}");
    let site = Site::new(&demo_servers(), &settings, PERMIT_ALL);
    let token = site.token("alice", "employee");
    let (data, old) = (site.data(), site.path().join("old"));
    let mut gate = site.start();
    gate.call(&token, "ops_echo", json!({"text": "one"})).await;
    let first = match target {
        Some(target) => {
            let of =
                |all: &[Value]| all.iter().any(|a| a["target"].as_str().is_some_and(|t| t.contains(target)));
            anchored(&data, of).await.iter().filter_map(|a| a["size"].as_u64()).max().unwrap()
        }
        None => 0,
    };
    gate.kill();
    copy(&data, &old);
    gate.crash_and_restart();
    for text in ["two", "three"] {
        assert_eq!(gate.call(&token, "ops_echo", json!({"text": text})).await.code(), None);
    }
    let beyond = Prover::open(&data).unwrap().size().unwrap();
    if let Some(target) = target {
        let newer = |all: &[Value]| {
            let of = all.iter().filter(|a| a["target"].as_str().is_some_and(|t| t.contains(target)));
            of.filter_map(|a| a["size"].as_u64()).any(|size| size >= beyond && size > first)
        };
        anchored(&data, newer).await;
    } else {
        let file = data.parent().unwrap().join("outside.ndjson");
        let mut looks = 0;
        while !covers(&file, beyond) {
            looks += 1;
            assert!(looks < 600, "the file was not written");
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
    }
    gate.kill();
    let newest = gate.site.path().join("newest");
    copy(&data, &newest);
    copy(&old, &data);
    let out = gate.site.sealgate(&["serve", "--json", "--config", "sealgate.yaml"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(4), "{said}");
    assert!(said.contains("rollback detected"), "{said}");
    // The true log starts again.
    copy(&newest, &data);
    gate.crash_and_restart();
    assert_eq!(gate.call(&token, "ops_echo", json!({"text": "four"})).await.code(), None);
}

fn covers(file: &Path, size: u64) -> bool {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let sizes = text.lines().filter_map(|line| {
        let note: Value = serde_json::from_str(line).ok()?;
        note["checkpoint"].as_str()?.lines().nth(1)?.parse::<u64>().ok()
    });
    sizes.max().is_some_and(|largest| largest >= size)
}

#[tokio::test]
async fn a_rolled_back_log_is_not_started_against_a_file() {
    rolled_back("file: ../outside.ndjson", None).await;
}

#[tokio::test]
async fn a_rolled_back_log_is_not_started_against_a_folder_of_objects() {
    let bucket = tempfile::tempdir().unwrap();
    let anchors = format!("file: null, objectStore: {{ url: \"file://{}\" }}", bucket.path().display());
    rolled_back(&anchors, Some("file://")).await;
}

#[tokio::test]
async fn a_rolled_back_log_is_not_started_against_a_bucket() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/.venv-s3/bin/python");
    assert!(python.exists(), "run tests/interop/setup.sh first");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/s3.py");
    let s3 = Service::start(Command::new(python).arg(script));
    let anchors = format!(
        "file: null, objectStore: {{ url: \"s3://evidence/logs\", endpoint: \"{}\", accessKeyId: id, \
         secretAccessKey: {}, allowHttp: true }}",
        s3.said["url"].as_str().unwrap(),
        "not-a-real-one"
    );
    rolled_back(&anchors, Some("s3://evidence")).await;
}

#[tokio::test]
async fn a_rolled_back_log_is_not_started_against_a_witness_which_cosigns() {
    // The witness must know the log's key before it runs: a first start makes it.
    let place = tempfile::tempdir().unwrap();
    let site = Site::new(&demo_servers(), "", PERMIT_ALL);
    let gate = site.start();
    let vkeys = gate.site.data().join("checkpoint.vkeys");
    let serve = |logs: &Path| {
        let mut command = Command::new(binary());
        command.args([
            "audit",
            "witness",
            "serve",
            "--json",
            "--name",
            "witness.example/w",
            "--listen",
            "127.0.0.1:0",
        ]);
        command.arg("--dir").arg(place.path()).arg("--log").arg(logs);
        Service::start(&mut command)
    };
    let witness = serve(&vkeys);
    let (url, vkey) = (witness.said["url"].as_str().unwrap(), witness.said["vkey"].as_str().unwrap());
    let settings = format!(
        "audit: {{ checkpointMs: 50, anchors: {{ everyS: 1, file: null, witnesses: [{{ url: \"{url}\", vkey: \"{vkey}\" }}] }} }}"
    );
    gate.site.configure(&demo_servers(), &settings);
    let (data, old) = (gate.site.data(), gate.site.path().join("old"));
    let mut gate = gate;
    gate.kill();
    gate.crash_and_restart();
    let cosigned = anchored(&data, |all| !all.is_empty()).await[0]["size"].as_u64().unwrap();
    let signed = Prover::open(&data).unwrap().checkpoint_of(cosigned).unwrap().unwrap();
    let mut known = keys::published(&data).unwrap();
    known.push(sealgate::audit::tree::note::Verifier::parse(vkey).unwrap());
    let note = Note::parse(&signed.note).unwrap();
    let by = note.signed_by(&known).unwrap();
    assert!(by.len() == 2 && by[1].1.is_some_and(|time| time > 1_700_000_000), "{by:?}");
    gate.kill();
    copy(&data, &old);
    gate.crash_and_restart();
    let token = gate.site.token("alice", "employee");
    gate.call(&token, "ops_echo", json!({"text": "two"})).await;
    anchored(&data, |all| all.iter().any(|a| a["size"].as_u64() > Some(cosigned))).await;
    gate.kill();
    let newest = gate.site.path().join("newest");
    copy(&data, &newest);
    copy(&old, &data);
    let out = gate.site.sealgate(&["serve", "--json", "--config", "sealgate.yaml"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(4), "{said}");
    assert!(said.contains("rollback detected"), "{said}");
    copy(&newest, &data);
}

#[tokio::test]
async fn a_witness_answers_as_c2sp_says() {
    use sealgate::audit::tree::note::{Checkpoint, Signer, Use, print_hash};
    use sealgate::audit::tree::proof::Head;
    use sealgate::audit::witness::Witness;
    let place = tempfile::tempdir().unwrap();
    let log = Signer::from_seed("example.com/log", Use::Log, [1; 32]).unwrap();
    let stranger = Signer::from_seed("example.com/log", Use::Log, [2; 32]).unwrap();
    let open = || Witness::open(place.path(), "w.example", vec![log.verifier().clone()]).unwrap();
    let leaves: Vec<_> = (0..9_u8).map(|n| leaf(&[n])).collect();
    let root = |size: usize| {
        let mut root = sealgate::audit::Root::default();
        leaves[..size].iter().for_each(|l| root.push(*l));
        root.hash()
    };
    let proof = |old: u64, new: u64| -> String {
        let mut node = |level: u32, index: u64| {
            let (width, from) = (1 << level, usize::try_from(index).unwrap() << level);
            let mut tree = sealgate::audit::Root::default();
            leaves[from..from + width].iter().for_each(|l| tree.push(*l));
            Ok::<_, std::convert::Infallible>(tree.hash())
        };
        let hashes = sealgate::audit::tree::proof::consistency(&mut node, old, new).unwrap();
        hashes.iter().map(|hash| print_hash(hash) + "\n").collect()
    };
    let signed = |origin: &str, size: usize, signer: &Signer| {
        let head = Head { size: size as u64, root: root(size) };
        let checkpoint = Checkpoint { origin: origin.into(), head };
        format!("{}\n{}", checkpoint.text(), signer.line(&checkpoint.text(), 0))
    };
    let ask = |witness: &Witness, old: u64, proof: &str, note: &str| {
        let answer = witness.add_checkpoint(&format!("old {old}\n{proof}\n{note}"), 1_800_000_000).unwrap();
        (answer.status, answer.content_type, answer.body)
    };
    let witness = open();
    let three = signed("example.com/log", 3, &log);
    assert_eq!(ask(&witness, 0, "", &signed("example.com/other", 3, &log)).0, 404);
    assert_eq!(ask(&witness, 0, "", &signed("example.com/log", 3, &stranger)).0, 403);
    assert_eq!(ask(&witness, 4, "", &three).0, 400);
    assert_eq!(witness.add_checkpoint("nonsense", 0).unwrap().status, 400);
    let (status, _, line) = ask(&witness, 0, "", &three);
    assert_eq!(status, 200);
    let both = Note::parse(&format!("{three}{line}")).unwrap();
    let known = [witness.verifier().clone()];
    assert_eq!(both.signed_by(&known).unwrap()[0].1, Some(1_800_000_000));
    // Its memory survives a restart.
    drop(witness);
    let witness = open();
    let seven = signed("example.com/log", 7, &log);
    let (status, kind, body) = ask(&witness, 0, "", &seven);
    assert_eq!((status, kind, body.as_str()), (409, "text/x.tlog.size", "3\n"));
    assert_eq!(ask(&witness, 3, "", &seven).0, 422);
    assert_eq!(ask(&witness, 3, &proof(2, 7), &seven).0, 422);
    assert_eq!(ask(&witness, 3, &proof(3, 7), &seven).0, 200);
    assert_eq!(ask(&witness, 7, "", &seven).0, 200, "the same again");
    let forged = Checkpoint { origin: "example.com/log".into(), head: Head { size: 7, root: [9; 32] } };
    let forged = format!("{}\n{}", forged.text(), log.line(&forged.text(), 0));
    assert_eq!(ask(&witness, 7, "", &forged).0, 409);
    assert_eq!(ask(&witness, 7, "", &three).0, 400);
}

#[tokio::test]
async fn a_receipt_convicts_a_log_that_lost_its_record() {
    let site = Site::new(&demo_servers(), "audit: { checkpointMs: 50 }", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    let mut receipts = Vec::new();
    let calls = (0..12).map(|n| gate.call(&token, "ops_echo", json!({"text": format!("{n}")})));
    for answer in futures_util::future::join_all(calls).await {
        let receipt = answer.message()["result"]["_meta"]["io.sealgate/receipt"].clone();
        receipts.push(serde_json::from_value::<Evidence>(receipt).expect("a receipt"));
    }
    let known = keys::published(&gate.site.data()).unwrap();
    for receipt in &receipts {
        receipt.check(&known).unwrap();
        let record = Prover::open(&gate.site.data()).unwrap().record(receipt.seq).unwrap().record;
        assert_eq!(receipt.leaf_hash(), Some(leaf(&record)));
        let forged = Evidence { seq: receipt.seq + 1, ..receipt.clone() };
        assert!(forged.check(&known).is_err());
        assert!(Evidence { signed: None, ..receipt.clone() }.check(&known).is_err());
    }
    // Lists have one too, and every era.
    let list = gate.modern(&token, "tools/list", json!({})).await.message();
    assert!(list["result"]["_meta"]["io.sealgate/receipt"]["seq"].is_u64(), "{list}");
    let last = receipts.iter().max_by_key(|receipt| receipt.seq).unwrap();
    gate.site.write("receipt.json", &serde_json::to_string(last).unwrap());
    let data = gate.site.data();
    let verify = |folder: &Path| {
        let folder = folder.to_str().unwrap();
        gate.site
            .sealgate(&["audit", "verify", "--data-dir", folder, "--receipt", "receipt.json"])
            .status
            .code()
    };
    assert_eq!(verify(&data), Some(0));
    // The log of before that record, whole in itself: the receipt says otherwise.
    let cut: PathBuf = gate.site.path().join("cut");
    copy(&data, &cut);
    for gone in ["checkpoints.db", "checkpoints.db-wal", "checkpoints.db-shm", "anchors.ndjson"] {
        let _ = std::fs::remove_file(cut.join(gone));
    }
    let store = rusqlite::Connection::open(cut.join("audit.db")).unwrap();
    let guard: String = store
        .query_row("SELECT sql FROM sqlite_schema WHERE name = 'entry_no_delete'", [], |row| row.get(0))
        .unwrap();
    store.execute_batch("DROP TRIGGER entry_no_delete").unwrap();
    store.execute("DELETE FROM entry WHERE seq >= ?", [last.seq]).unwrap();
    store.execute_batch(&guard).unwrap();
    drop(store);
    assert_eq!(verify(&cut), Some(4));
}

#[tokio::test]
async fn keys_rotate_with_old_and_new_signing_together() {
    let site = Site::new(&demo_servers(), "audit: { checkpointMs: 50 }", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    let run = |verb: &str| {
        let out = gate.site.sealgate(&["audit", "keys", verb, "--config", "sealgate.yaml", "-o", "json"]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice::<Value>(&out.stdout).expect("JSON")
    };
    let data = gate.site.data();
    let before = run("list")["signing"].clone();
    assert_eq!(before.as_array().map(Vec::len), Some(1));
    let after = run("rotate")["keys"].clone();
    assert_eq!((after.as_array().map(Vec::len), &after[0]), (Some(2), &before[0]));
    gate.call(&token, "ops_echo", json!({"text": "one"})).await;
    let size = Prover::open(&data).unwrap().size().unwrap();
    let signers = |size: u64| {
        let data = data.clone();
        async move {
            for _ in 0..600 {
                let newest = Prover::open(&data).unwrap().checkpoint().unwrap().filter(|c| c.size >= size);
                if let Some(newest) = newest {
                    return newest.note.lines().filter(|line| line.starts_with('—')).count();
                }
                tokio::time::sleep(std::time::Duration::from_millis(25)).await;
            }
            panic!("no checkpoint");
        }
    };
    assert_eq!(signers(size).await, 2);
    run("retire");
    gate.call(&token, "ops_echo", json!({"text": "two"})).await;
    let size = Prover::open(&data).unwrap().size().unwrap();
    assert_eq!(signers(size).await, 1);
    assert_eq!(
        run("list")["published"].as_array().map(Vec::len),
        Some(2),
        "old signatures can still be checked"
    );
    let rotations = gate.site.records().into_iter().filter(|r| r["kind"] == "key.rotate").count();
    assert_eq!(rotations, 3, "the first key, the rotation, the retirement");
}
