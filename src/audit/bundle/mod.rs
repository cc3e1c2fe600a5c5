//! What can be handed to somebody who trusts nobody? Records, their proofs, and a verifier, as a folder or a tar.

mod check;
mod write;

pub use check::{Report, check};
pub(super) use write::segment;
pub use write::{Made, What, write};

/// Names inside a bundle.
pub(super) const RECORDS: &str = "records.ndjson";
const CHECKPOINT: &str = "checkpoint";
const KEYS: &str = "keys";
const QUERY: &str = "query.json";
pub(super) const MANIFEST: &str = "manifest.json";
const VERIFIER: &str = "verify.py";
const README: &str = "README.md";
const PROOFS: &str = "proofs";

/// The query file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct About {
    /// The query as it was understood.
    as_understood: serde_json::Value,
    checkpoint_size: u64,
    /// Whether the bundle shows that nothing between `from` and `to` is missing.
    complete: bool,
    from: u64,
    /// `range` or `selected`.
    kind: String,
    log: String,
    /// When it was made, in microseconds since the Unix epoch.
    made: i64,
    records: u64,
    to: u64,
}

/// The manifest: file names and SHA-256, hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Manifest {
    files: std::collections::BTreeMap<String, String>,
}
