//! Reports: what the log shows for a control, signed, and refused after any edit.

use super::corpus::{Corpus, Said};
use crate::harness::binary;
use sealgate::report::Pack;
use sealgate::search::Query;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn report(arguments: &[&str]) -> Output {
    Command::new(binary()).args(["audit", "report"]).args(arguments).output().unwrap()
}

#[test]
fn the_packs_that_ship_can_be_asked() {
    assert_eq!(Pack::shipped().count(), 5);
    for name in Pack::shipped() {
        let pack = Pack::open(name).unwrap();
        for saved in pack.controls.iter().flat_map(|control| &control.evidence) {
            Query::parse(&saved.q, 0).unwrap_or_else(|why| panic!("{name}, {}: {why}", saved.name));
        }
    }
    let unknown = Pack::open("pcii").unwrap_err().to_string();
    assert_eq!(
        unknown,
        "there is no pack `pcii`: name a file, or one of pci, hipaa, soc2, iso27001, eu_ai_act"
    );
}

#[test]
fn a_report_counts_what_is_there_and_is_refused_after_any_edit() {
    let mut corpus = Corpus::new();
    for n in 0..3 {
        corpus.call(&Said::new("alice", "crm", &format!("t{n}"), "x").with("EMAIL", "aa"));
    }
    corpus.denied(&Said::new("<script>", "crm", "t", "x"));
    corpus.close();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report");
    let pack = folder.path().join("own.yaml");
    let text = "title: <b>own</b>\ncontrols:\n  - id: '1'\n    asks: denials\n    evidence:\n      - { name: denied, q: \"decision:deny\" }\n";
    std::fs::write(&pack, text).unwrap();
    let arguments =
        ["--data-dir", corpus.path().to_str().unwrap(), "--out", out.to_str().unwrap(), "-o", "json"];
    let made = report(&[&["--pack", pack.to_str().unwrap()], &arguments[..]].concat());
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(made["coverage"]["calls"], 4);
    assert_eq!((&made["integrity"]["ok"], &made["integrity"]["gaps"]), (&true.into(), &0.into()));
    assert_eq!(made["coverage"]["first"], 0);
    assert_eq!(made["controls"][0]["evidence"][0]["records"], 1);
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("&lt;b&gt;own&lt;/b&gt;") && !page.contains("<b>"), "{page}");
    let again = report(&["--check", out.to_str().unwrap()]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stdout));
    let sums =
        Command::new("sha256sum").args(["-c", "--quiet", "SHA256SUMS"]).current_dir(&out).status().unwrap();
    assert!(sums.success());
    for name in ["report.json", "report.html", "report.note"] {
        let file = out.join(name);
        let whole = std::fs::read(&file).unwrap();
        for at in (0..whole.len()).step_by(whole.len() / 40 + 1) {
            let mut edited = whole.clone();
            edited[at] ^= 1;
            std::fs::write(&file, &edited).unwrap();
            assert!(!report(&["--check", out.to_str().unwrap()]).status.success(), "{name} at {at}");
        }
        std::fs::write(&file, whole).unwrap();
    }
    // Signed by somebody else.
    let other = Corpus::new();
    let strangers = other.path().join("checkpoint.vkeys");
    let refused = report(&["--check", out.to_str().unwrap(), "--vkey", strangers.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    let keys = corpus.path().join("checkpoint.vkeys");
    assert!(report(&["--check", out.to_str().unwrap(), "--vkey", keys.to_str().unwrap()]).status.success());
    assert!(Path::new(&out).join("keys").exists());
}
