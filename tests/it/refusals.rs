//! `docs/refusals.md` is printed from the tables in the code.

use sealgate::gateway::Refusal;
use sealgate::http::Rejection;
use std::fmt::Write as _;
use std::path::Path;

fn page() -> String {
    let mut out = String::from(
        "# Refusals\n\nPrinted from the tables in `src/gateway/refusal.rs` and `src/http/rejection.rs` by the test \
         `refusals`.\n\n## Calls that were judged and refused, or failed\n\nA JSON-RPC error with `data.kind` and \
         `data.reference` (the call's id in the log). The record tells the rest.\n\n\
         | kind | code | HTTP status | the agent hears |\n|---|--:|--:|---|\n",
    );
    for refusal in Refusal::samples() {
        let text = refusal.text();
        let _ = writeln!(out, "| `{}` | {} | {} | {} |", text.reason, text.code, text.status, text.client);
    }
    out.push_str(
        "\n## Requests that never became calls\n\nCounted in the log (`auth.failed`, `request.refused`), folded by \
         source, reason and minute.\n\n| HTTP status | code | counted as | the agent hears |\n|--:|--:|---|---|\n",
    );
    for rejection in Rejection::samples() {
        let (status, code) = rejection.codes();
        let counted = rejection.unheard().map_or("not counted", sealgate::gateway::Unheard::as_str);
        let _ = writeln!(out, "| {} | {code} | `{counted}` | {rejection} |", status.as_u16());
    }
    out
}

#[test]
fn the_page_of_refusals_is_true() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/refusals.md");
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    if written != page() {
        let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("refusals.md");
        std::fs::write(&fresh, page()).unwrap();
        panic!("docs/refusals.md differs from the code: copy target/tmp/refusals.md over it");
    }
}
