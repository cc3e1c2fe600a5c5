//! The suite's client scenarios: the gateway is the client, started by `client.mjs` in front of the scenario's server.

use super::suite;
use std::process::Output;

/// Runs one scenario; the scenario's own checks decide.
fn passes(scenario: &str, revision: &str) -> Output {
    suite::require_installed();
    let out = tempfile::tempdir().unwrap();
    let script = suite::folder().join("client.mjs");
    let client = format!("{} {}", suite::node().display(), script.display());
    let output = suite::command()
        .args([
            "client",
            "--scenario",
            scenario,
            "--spec-version",
            revision,
            "--command",
            &client,
            "--output-dir",
        ])
        .arg(out.path())
        .env("SEALGATE", env!("CARGO_BIN_EXE_sealgate"))
        .output()
        .expect("the suite starts");
    let failing = suite::failing(out.path(), scenario);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && failing.is_empty(), "{scenario}: {failing:?}\n{said}");
    output
}

#[test]
fn each_request_names_its_revision_and_its_client() {
    passes("request-metadata", "2026-07-28");
}

#[test]
fn each_request_mirrors_its_method_and_name() {
    passes("http-standard-headers", "2026-07-28");
}

#[test]
fn annotated_parameters_are_mirrored() {
    passes("http-custom-headers", "2026-07-28");
}

#[test]
fn tools_with_invalid_annotations_are_never_called() {
    passes("http-invalid-tool-headers", "2026-07-28");
}

#[test]
fn a_stream_that_was_let_go_is_taken_up_again() {
    passes("sse-retry", "2025-11-25");
}

#[test]
fn no_schema_is_fetched_from_the_network() {
    passes("json-schema-ref-no-deref", "2026-07-28");
}

#[test]
fn schemas_arrive_as_they_were_sent() {
    for revision in suite::REVISIONS {
        passes("json-schema-2020-12-preservation", revision);
    }
}

#[test]
fn tools_are_called_in_both_eras() {
    for revision in suite::REVISIONS {
        passes("tools_call", revision);
    }
}

#[test]
fn the_state_of_a_question_goes_back_unchanged() {
    passes("sep-2322-client-request-state", "2026-07-28");
}
