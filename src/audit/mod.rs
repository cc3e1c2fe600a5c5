//! What happened? An append-only, hash-chained log that anyone can verify offline.
//!
//! `audit/FORMAT.md` is the specification, `audit/GUARANTEES.md` the promises. This stage knows nothing of MCP.

mod against;
pub mod anchor;
pub mod bundle;
mod canonical;
mod chain;
mod config;
mod log;
mod orders;
mod owners;
pub mod payload;
mod reader;
mod receipt;
mod record;
mod sealer;
pub mod segment;
mod spool;
mod store;
#[cfg(test)]
mod tests;
pub mod tree;
mod verify;
pub mod witness;
mod writer;

pub use against::Trust;
pub use chain::{Leaf, Root, hex, leaf, parse_hex, sha256};
pub use config::{Config, Receipts};
pub use log::{Log, Status, Unrecorded};
pub use orders::{Order, Refused};
pub use owners::Owners;
pub use payload::{Body, Erasure, Hold, Payload, Payloads, Role, Selector};
pub use reader::{Entry, Reader};
pub use receipt::{Evidence, Receipt};
pub use record::{Draft, Kind};
pub use spool::Outcome;
pub use store::OpenError;
pub use verify::{Archived, Break, Head, Verdict, verify, verify_against, verify_ndjson};

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no log.
    #[error("there is no audit log in `{0}`")]
    Missing(std::path::PathBuf),
    /// The store cannot be read.
    #[error("the audit log cannot be read: {0}")]
    Store(#[from] rusqlite::Error),
    /// The values that tokens stand for cannot be erased.
    #[error(transparent)]
    Vault(#[from] crate::vault::Error),
    /// A file cannot be read.
    #[error("the audit log cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// There is no such record.
    #[error("there is no record {0}")]
    NoRecord(u64),
    /// Its bytes are in a segment.
    #[error(
        "record {0} is archived: `sealgate audit segments` says where, `sealgate audit restore` brings it back"
    )]
    Archived(u64),
    /// A segment is not what was archived.
    #[error("segment `{name}` {why}")]
    Segment {
        /// Its name.
        name: String,
        /// What is wrong, or keeps it from being used.
        why: String,
    },
    /// The log cannot be opened to change or record something.
    #[error(transparent)]
    Opening(Box<OpenError>),
    /// A record is not what the hashes say.
    #[error("record {0} is not what the log's hashes say: run `sealgate audit verify`")]
    Altered(u64),
    /// No checkpoint covers it yet.
    #[error("no checkpoint covers {0} records yet: one is signed each second in which the log grew")]
    NoCheckpoint(u64),
    /// What is stored does not agree with what was signed.
    #[error("what is stored contradicts its checkpoint at record {0}: run `sealgate audit verify`")]
    Contradicted(u64),
    /// A note, key or checkpoint is not one.
    #[error(transparent)]
    Note(#[from] tree::note::Error),
    /// Keys cannot be used.
    #[error(transparent)]
    Keys(#[from] tree::keys::Error),
    /// An anchor cannot be read.
    #[error(transparent)]
    Anchor(#[from] anchor::Error),
    /// A file cannot be used.
    #[error("`{path}` cannot be used: {source}")]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The system failed to encrypt or to decrypt.
    #[error(transparent)]
    Encryption(#[from] payload::Failed),
    /// The time of retention is too short.
    #[error("`audit.payloads.retention`: {0}")]
    Retention(String),
    /// The writer ended without closing.
    #[error("the writer ended before the log was closed")]
    Unclosed,
}
