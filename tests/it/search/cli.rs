//! `sealgate audit search`, `index`, `export` and `bundle --query`: while the gateway runs, and when it does not.

use super::corpus::Corpus;
use super::small;
use crate::harness::{PERMIT_ALL, Site, binary, demo_servers};
use sealgate::audit::{Draft, Kind};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

fn audit(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.arg("audit").args(arguments).arg("--data-dir").arg(folder);
    command.output().unwrap()
}

fn said(out: &Output) -> String {
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout.clone()).unwrap()
}

fn json_of(out: &Output) -> Value {
    serde_json::from_str(&said(out)).unwrap()
}

fn kinds(folder: &Path) -> Vec<Value> {
    let lines = said(&audit(folder, &["tail", "-n", "1000"]));
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_gateway_keeps_the_index_and_every_search_is_recorded() {
    let site = Site::new(&demo_servers(), "", PERMIT_ALL);
    let token = site.token("alice", "staff");
    let mut gate = site.start();
    gate.call(&token, "ops_echo", json!({"text": "buy rosemary and thyme"})).await;
    let data = gate.site.data();
    let head = kinds(&data).last().unwrap()["seq"].to_string();
    let found = json_of(&audit(&data, &["search", "actor:alice rosemary", "--wait", &head, "-o", "json"]));
    assert!(found["total"]["value"].as_u64() >= Some(1), "{found:#}");
    assert_eq!(found["hits"][0]["integrity"], "ok");
    assert_eq!(found["interpreted"], "actor:alice \"rosemary\"");
    let asked = kinds(&data).into_iter().rfind(|record| record["kind"] == "audit.query").unwrap();
    assert_eq!(asked["query"], "actor:alice \"…\"", "words may be somebody's data");
    assert_eq!(asked["found"], found["total"]["value"]);
    let rebuilt = audit(&data, &["index", "rebuild", "-o", "json"]);
    assert_eq!(json_of(&rebuilt)["exists"], true);
    assert!(gate.stop());
    let status = json_of(&audit(&data, &["index", "status", "-o", "json"]));
    assert_eq!(status["lag"]["records"], 0, "stopping takes in the last record: {status:#}");
    let again = said(&audit(&data, &["search", "actor:alice rosemary"]));
    assert!(again.contains("every hit was hashed again"), "{again}");
    let verdict = gate.site.verify();
    assert!(verdict.status.success(), "{}", String::from_utf8_lossy(&verdict.stdout));
}

#[test]
fn files_alone_are_searched_and_a_wrong_query_is_shown_its_place() {
    let corpus = small();
    let path = corpus.path();
    std::fs::remove_dir_all(path.join("search")).unwrap();
    assert_eq!(audit(path, &["index", "status"]).status.code(), Some(1));
    let page = said(&audit(path, &["search", "kind:call.*", "-n", "2", "--facets", "decision,actor"]));
    assert!(page.contains("crm_delete") && page.contains("5 records, 2 shown"), "{page}");
    assert!(page.contains("decision\n         4  allow\n         1  deny\n"), "{page}");
    let cursor = page.rsplit("--cursor ").next().unwrap().trim();
    let next = said(&audit(path, &["search", "kind:call.*", "-n", "2", "--cursor", cursor]));
    assert!(next.contains("mail_send"), "{next}");
    let scanned = said(&audit(path, &["search", "-actor:bob server:mail", "--scan"]));
    assert!(scanned.contains("0 records, the whole log was read"), "{scanned}");
    let wrong = audit(path, &["search", "actor:alice tol:x"]);
    let told = String::from_utf8(wrong.stderr).unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    let wanted = "error: there is no field `tol` (at character 12): did you mean `tool`?\n  \
                  actor:alice tol:x\n              ^^^\n";
    assert_eq!(told, wanted);
    let rebuilt = json_of(&audit(path, &["index", "rebuild", "-o", "json"]));
    assert_eq!(rebuilt["rebuilt"], true);
}

#[test]
fn an_export_that_broke_off_goes_on_and_is_the_same_as_a_whole_one() {
    let corpus = small();
    let path = corpus.path();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for form in ["ndjson", "csv", "ocsf"] {
        let (whole, broken) = (file(&format!("whole.{form}")), file(&format!("broken.{form}")));
        let told = json_of(&audit(
            path,
            &["export", "kind:call.*", "--format", form, "--out", &whole, "-o", "json"],
        ));
        assert_eq!(told["records"], 5);
        let bytes = std::fs::read(&whole).unwrap();
        assert_eq!(told["bytes"], bytes.len());
        assert!(!Path::new(&format!("{whole}.progress")).exists());
        // As if the power had gone in the middle of the third line.
        let lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
        let kept: usize = lines[..2].iter().map(|line| line.len()).sum();
        let header = usize::from(form == "csv");
        let done = 2 - header;
        let seqs: Vec<u64> = corpus.facts.iter().map(|fact| fact.seq).collect();
        std::fs::write(&broken, &bytes[..kept + 7]).unwrap();
        let progress = json!({
            "asked": "kind:call.*", "query": "kind:call.*", "form": form, "snapshot": told["snapshot"],
            "head": leaf_before(path, &told["snapshot"]), "next": seqs[done - 1] + 1, "bytes": kept,
        });
        std::fs::write(format!("{broken}.progress"), progress.to_string()).unwrap();
        let arguments = ["export", "kind:call.*", "--format", form, "--out", &broken];
        let taken = audit(path, &arguments);
        assert_eq!(taken.status.code(), Some(2), "a file that exists is not written over");
        said(&audit(path, &[&arguments[..], &["--resume"]].concat()));
        assert_eq!(std::fs::read(&broken).unwrap(), bytes, "{form}");
    }
    let streamed = said(&audit(path, &["export", "kind:call.*"]));
    assert_eq!(streamed.as_bytes(), std::fs::read(file("whole.ndjson")).unwrap());
    let exports = kinds(path).into_iter().filter(|record| record["kind"] == "audit.export").count();
    assert!(exports >= 7, "each is recorded: {exports}");
}

/// The hash of the last record that was looked at.
fn leaf_before(folder: &Path, snapshot: &Value) -> String {
    let prover = sealgate::audit::tree::Prover::open(folder).unwrap();
    sealgate::audit::hex(&prover.leaf(snapshot.as_u64().unwrap() - 1).unwrap())
}

/// Kills an export once it has noted that some of it is written, and before it is whole.
fn killed(folder: &Path, arguments: &[&str], out: &Path) -> bool {
    let mut child =
        Command::new(binary()).arg("audit").args(arguments).arg("--data-dir").arg(folder).spawn().unwrap();
    let beside = format!("{}.progress", out.display());
    loop {
        let noted = std::fs::read(&beside).ok().and_then(|note| serde_json::from_slice::<Value>(&note).ok());
        let begun = noted.is_some_and(|note| note["bytes"].as_u64() > Some(100_000));
        if begun || child.try_wait().unwrap().is_some() {
            // SIGKILL; of one that has ended, nothing.
            let _ = child.kill();
            child.wait().unwrap();
            return Path::new(&beside).exists();
        }
        std::thread::yield_now();
    }
}

#[test]
fn an_export_that_is_killed_half_way_goes_on_while_the_log_grows() {
    let mut corpus = Corpus::new();
    for n in 0..300 {
        let long = format!("{n}, \"quoted\"\nand more {}", "x".repeat(6000));
        corpus.append(Draft::new(Kind::AuditQuery).member("by", "cli").member("reason", &long));
    }
    corpus.close();
    let query = "reason:*";
    let folder = tempfile::tempdir().unwrap();
    for form in ["ndjson", "csv", "ocsf"] {
        let path = corpus.path().to_owned();
        let whole = folder.path().join(format!("whole.{form}"));
        let begin = ["export", query, "--format", form, "--out"];
        said(&audit(&path, &[&begin[..], &[whole.to_str().unwrap()]].concat()));
        let whole = std::fs::read(whole).unwrap();
        let out = folder.path().join(format!("broken.{form}"));
        let arguments = [&begin[..], &[out.to_str().unwrap()]].concat();
        // One that was quicker than the look at it says nothing: another is begun.
        let tries = (0..50).find(|_| {
            let _ = std::fs::remove_file(&out);
            killed(&path, &arguments, &out)
        });
        assert!(tries.is_some(), "no export was killed half way");
        // And the last line is torn.
        let written = std::fs::read(&out).unwrap();
        assert!(written.len() < whole.len() && whole.starts_with(&written), "{form}");
        std::fs::write(&out, &whole[..written.len() + 7]).unwrap();
        // What is not the same export is refused, and changes nothing.
        let refused = |folder: &Path, arguments: &[&str], why: &str| {
            let refused = audit(folder, &[arguments, &["--resume"]].concat());
            let told = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert_eq!(refused.status.code(), Some(2), "{told}");
            assert!(told.contains(why), "{told}");
            assert_eq!(std::fs::read(&out).unwrap().len(), written.len() + 7);
        };
        let to = out.to_str().unwrap();
        refused(
            &path,
            &["export", "kind:*", "--format", form, "--out", to],
            "begun with the query `reason:*`",
        );
        let other = if form == "csv" { "ocsf" } else { "csv" };
        let format = format!("begun with `--format {form}`");
        refused(&path, &["export", query, "--format", other, "--out", to], &format);
        refused(small().path(), &arguments, "from another log");
        corpus.open();
        corpus.append(Draft::new(Kind::AuditQuery).member("by", "cli").member("reason", "later"));
        corpus.close();
        let told = json_of(&audit(&path, &[&arguments[..], &["--resume", "-o", "json"]].concat()));
        assert_eq!(told["bytes"], whole.len());
        assert!(std::fs::read(&out).unwrap() == whole, "{form}");
        let over = audit(&path, &[&arguments[..], &["--resume"]].concat());
        assert!(String::from_utf8_lossy(&over.stderr).contains("nothing to go on with"));
    }
}

#[test]
fn an_export_that_was_changed_meanwhile_is_not_gone_on_with() {
    let corpus = small();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.ndjson");
    let arguments = ["export", "--out", out.to_str().unwrap(), "--resume"];
    let refused = |why: &str| {
        let refused = audit(corpus.path(), &arguments);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(2) && told.contains(why), "{told}");
    };
    refused("nothing to go on with");
    std::fs::write(&out, "{}\n").unwrap();
    refused("nothing to go on with");
    let beside = format!("{}.progress", out.display());
    std::fs::write(&beside, "{\"form\":").unwrap();
    refused("remove it and the export, and begin anew");
    let mut note = json!({
        "asked": "", "query": "", "form": "ndjson", "snapshot": 3, "head": leaf_before(corpus.path(), &json!(3)),
        "next": 2, "bytes": 400,
    });
    std::fs::write(&beside, note.to_string()).unwrap();
    refused("has 3 bytes, and had 400 of whole lines");
    note["head"] = json!("00".repeat(32));
    std::fs::write(&beside, note.to_string()).unwrap();
    refused("from another log");
    // Stopped before anything was noted.
    std::fs::remove_file(&beside).unwrap();
    std::fs::write(&out, "").unwrap();
    said(&audit(corpus.path(), &arguments));
    assert!(!std::fs::read(&out).unwrap().is_empty());
}

#[test]
fn a_bundle_of_what_a_query_finds_is_accepted_by_the_verifier() {
    let corpus = small();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bundle");
    let made = json_of(&audit(
        corpus.path(),
        &[
            "bundle",
            "--query",
            "actor:alice OR commitment:aa11",
            "--out",
            out.to_str().unwrap(),
            "-o",
            "json",
        ],
    ));
    assert_eq!((&made["records"], &made["kind"]), (&json!(3), &json!("selected")));
    let query: Value = serde_json::from_slice(&std::fs::read(out.join("query.json")).unwrap()).unwrap();
    assert_eq!(query["as_understood"]["interpreted"], "(actor:alice OR commitment:aa11)");
    assert_eq!(query["complete"], false);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("audit/verify.py");
    let verdict = Command::new("python3").arg(script).arg(&out).output().unwrap();
    assert!(verdict.status.success(), "{}", String::from_utf8_lossy(&verdict.stdout));
    let none = audit(corpus.path(), &["bundle", "--query", "actor:nobody", "--out", "x"]);
    assert_eq!(none.status.code(), Some(2));
}
