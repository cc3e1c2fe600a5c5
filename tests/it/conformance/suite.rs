//! Runs the suite and reads what it wrote.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The revisions whose requirements are run.
pub const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];

/// What came of one scenario.
#[derive(Debug)]
pub struct Scenario {
    /// Whether it counts for conformance.
    pub scored: bool,
    /// The checks that did not succeed, warnings marked.
    pub failing: Vec<String>,
}

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/conformance")
}

/// Fails with the remedy where the suite is not installed.
pub fn require_installed() {
    assert!(
        folder().join("node_modules/.stamp").exists(),
        "the conformance suite is not installed; run `tests/interop/setup.sh` (`./test` does so)"
    );
}

/// A Node that is new enough. Where none comes with the package, the one on the path has to be.
pub fn node() -> PathBuf {
    let own = folder().join("node_modules/.bin/node");
    if own.exists() { own } else { "node".into() }
}

/// The suite's command line, without arguments.
pub fn command() -> Command {
    let mut command = Command::new(node());
    command.arg(folder().join("node_modules/@modelcontextprotocol/conformance/dist/index.js"));
    command
}

/// Runs the requirements of a revision against a server.
pub fn run(url: &str, revision: &str) -> BTreeMap<String, Scenario> {
    let out = tempfile::tempdir().unwrap();
    let output = command()
        .args(["server", "--url", url, "--requirements", revision, "--output-dir"])
        .arg(out.path())
        .output()
        .expect("the suite starts");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    // It prints the verdicts, and writes the checks of each scenario into a folder `server-{scenario}-{time}`.
    let (_, summary) = printed.split_once("=== SUMMARY ===").unwrap_or_else(|| {
        panic!("the suite ended without a summary: {printed}{}", String::from_utf8_lossy(&output.stderr))
    });
    let (scored, not_scored) = summary.split_once("Not scored").unwrap_or((summary, ""));
    let mut found = BTreeMap::new();
    for line in scored.lines().filter_map(|line| line.strip_prefix("✓ ").or_else(|| line.strip_prefix("✗ ")))
    {
        let (name, _) = line.split_once(':').expect("a verdict names its scenario");
        let is_extra = not_scored.lines().any(|line| line.trim().split(' ').nth(1) == Some(name));
        let failing = failing(out.path(), name);
        let verdict = scored.contains(&format!("✓ {name}:"));
        let errors = failing.iter().any(|check| !check.ends_with(" (warning)"));
        assert!(verdict != errors, "{name}: the verdict and the checks disagree: {failing:?}\n{line}");
        found.insert(name.to_owned(), Scenario { scored: !is_extra, failing });
    }
    assert!(found.len() > 20, "the suite ran little: {printed}");
    found
}

/// The checks of one scenario that did not succeed.
pub fn failing(out: &Path, name: &str) -> Vec<String> {
    let mut failing: Vec<String> = checks(out, name)
        .iter()
        .filter_map(|check| match check["status"].as_str() {
            Some("FAILURE") => Some(check["id"].as_str().unwrap().to_owned()),
            Some("WARNING") => Some(format!("{} (warning)", check["id"].as_str().unwrap())),
            _ => None,
        })
        .collect();
    failing.sort();
    failing.dedup();
    failing
}

fn checks(out: &Path, name: &str) -> Vec<Value> {
    let is_its = |folder: &str| {
        let rest = folder.strip_prefix("server-").unwrap_or(folder).strip_prefix(name);
        rest.and_then(|rest| rest.strip_prefix('-')).is_some_and(|rest| rest.starts_with("20"))
    };
    let folder = std::fs::read_dir(out)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| is_its(path.file_name().unwrap().to_str().unwrap()))
        .unwrap_or_else(|| panic!("no checks were written for {name}"));
    serde_json::from_slice(&std::fs::read(folder.join("checks.json")).unwrap()).unwrap()
}
