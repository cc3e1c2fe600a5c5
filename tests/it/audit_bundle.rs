//! Bundles: accepted offline by two verifiers, and rejected after any edit.

use crate::audit_proofs::log_of;
use sealgate::audit::bundle::{What, check, write};
use sealgate::audit::tree::keys;
use sealgate::audit::{Config, hex};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

type Files = BTreeMap<String, Vec<u8>>;

fn files(folder: &Path) -> Files {
    let mut found = Files::new();
    for name in
        ["records.ndjson", "checkpoint", "keys", "query.json", "manifest.json", "verify.py", "README.md"]
    {
        found.insert(name.into(), std::fs::read(folder.join(name)).unwrap());
    }
    for entry in std::fs::read_dir(folder.join("proofs")).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("proofs/{}", path.file_name().unwrap().to_str().unwrap());
        found.insert(name, std::fs::read(&path).unwrap());
    }
    found
}

fn lay(files: &Files) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("proofs")).unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// Makes the manifest agree with the files again, as a forger would.
fn seal(files: &mut Files) {
    let digest = |bytes: &Vec<u8>| {
        use sha2::Digest as _;
        hex(sha2::Sha256::digest(bytes).as_slice())
    };
    files.remove("manifest.json");
    let digests: BTreeMap<&String, String> =
        files.iter().map(|(name, bytes)| (name, digest(bytes))).collect();
    let manifest = json!({ "files": digests }).to_string();
    files.insert("manifest.json".into(), manifest.into_bytes());
}

/// Whether both verifiers accept a bundle, with its own keys or with these; they must agree on every break.
fn accepted(path: &Path, vkeys: Option<&Path>) -> bool {
    let known = vkeys.map(|p| keys::verifiers(p, &std::fs::read_to_string(p).unwrap()).unwrap());
    let report = check(path, &known.unwrap_or_default()).unwrap();
    let mut command = Command::new("python3");
    command.arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("audit/verify.py"));
    if let Some(vkeys) = vkeys {
        command.arg("--vkey").arg(vkeys);
    }
    let out = command.arg(path).output().expect("python3 runs");
    let theirs: Value = serde_json::from_slice(&out.stdout)
        .unwrap_or_else(|_| panic!("verify.py: {}", String::from_utf8_lossy(&out.stderr)));
    let ours = serde_json::to_value(&report.breaks).unwrap();
    let kinds = |breaks: &Value| -> Vec<String> {
        breaks.as_array().unwrap().iter().map(|b| format!("{} {}", b["kind"], b["seq"])).collect()
    };
    assert_eq!(kinds(&ours), kinds(&theirs["breaks"]));
    assert_eq!(theirs["ok"], report.ok);
    assert_eq!(theirs["complete"], report.complete);
    report.ok
}

#[tokio::test]
async fn a_bundle_is_accepted_and_no_edited_one_is() {
    let data = tempfile::tempdir().unwrap();
    log_of(data.path(), 300, &Config::default()).await;
    let out = tempfile::tempdir().unwrap();
    let (range, some) = (out.path().join("range"), out.path().join("some"));
    let query = (&json!({"range": "asked"}), 1_795_000_000_000_000);
    let made = write(data.path(), &What::Range(40, 280), query, &range, &mut |_, _| {}).unwrap();
    assert_eq!((made.records, made.kind), (241, "range"));
    write(data.path(), &What::Selected(vec![290, 7, 7, 100]), query, &some, &mut |_, _| {}).unwrap();
    let tar = out.path().join("some.tar");
    write(data.path(), &What::Selected(vec![7]), query, &tar, &mut |_, _| {}).unwrap();
    let vkeys = data.path().join("checkpoint.vkeys");
    for path in [&range, &some, &tar] {
        assert!(accepted(path, Some(&vkeys)) && accepted(path, None), "{}", path.display());
    }
    let report = check(&some, &[]).unwrap();
    assert!(report.own_keys && !report.complete && report.records == 3);
    assert!(
        write(data.path(), &What::Selected(vec![7]), query, &some, &mut |_, _| {}).is_err(),
        "over another"
    );
    assert!(
        write(data.path(), &What::Range(0, 100_000), query, &out.path().join("x"), &mut |_, _| {}).is_err()
    );

    let whole = files(&range);
    let text = |name: &str| String::from_utf8(whole[name].clone()).unwrap();
    let lines: Vec<String> = text("records.ndjson").lines().map(str::to_owned).collect();
    let join = |lines: &[String]| (lines.join("\n") + "\n").into_bytes();
    let mut swapped = lines.clone();
    swapped.swap(10, 11);
    let mut dropped = lines.clone();
    dropped.remove(100);
    let edits: [(&str, &str, Vec<u8>); 9] = [
        (
            "an edited record",
            "records.ndjson",
            text("records.ndjson").replacen("\"n\":", "\"n\":1", 1).into_bytes(),
        ),
        ("records that changed places", "records.ndjson", join(&swapped)),
        ("a record less", "records.ndjson", join(&dropped)),
        ("the first record less", "records.ndjson", join(&lines[1..])),
        ("the last record less", "records.ndjson", join(&lines[..240])),
        ("no end of line", "records.ndjson", text("records.ndjson").trim_end().into()),
        ("another root", "checkpoint", text("checkpoint").replacen("\n304\n", "\n303\n", 1).into_bytes()),
        (
            "another proof",
            "proofs/280.tlog-proof",
            text("proofs/280.tlog-proof").replacen("index 280", "index 281", 1).into(),
        ),
        (
            "another claim",
            "query.json",
            text("query.json").replacen("\"records\": 241", "\"records\": 242", 1).into(),
        ),
    ];
    for (name, file, bytes) in edits {
        assert_ne!(whole[file], bytes, "{name} changes nothing");
        let mut forged = whole.clone();
        forged.insert(file.into(), bytes);
        assert!(!accepted(lay(&forged).path(), Some(&vkeys)), "{name}");
        seal(&mut forged);
        assert!(!accepted(lay(&forged).path(), Some(&vkeys)), "{name}, with a manifest made anew");
    }
    // Files that prove nothing themselves are held by the manifest.
    for file in ["verify.py", "README.md", "keys"] {
        let mut forged = whole.clone();
        forged.get_mut(file).unwrap().push(b'\n');
        assert!(!accepted(lay(&forged).path(), Some(&vkeys)), "{file}");
    }
    // A selected bundle that claims to be complete.
    let mut forged = files(&some);
    let about = String::from_utf8(forged["query.json"].clone()).unwrap();
    let about =
        about.replace("\"selected\"", "\"range\"").replace("\"complete\": false", "\"complete\": true");
    forged.insert("query.json".into(), about.into_bytes());
    seal(&mut forged);
    assert!(!accepted(lay(&forged).path(), Some(&vkeys)));
    // A whole forgery: another log under another key, which brings its own `keys`.
    let other = tempfile::tempdir().unwrap();
    log_of(other.path(), 5, &Config::default()).await;
    let theirs = out.path().join("theirs");
    write(other.path(), &What::Range(0, 3), query, &theirs, &mut |_, _| {}).unwrap();
    assert!(accepted(&theirs, None) && !accepted(&theirs, Some(&vkeys)));
}
