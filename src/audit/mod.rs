//! What happened? An append-only, hash-chained log that anyone can verify offline.
//!
//! `audit/FORMAT.md` is the specification, `audit/GUARANTEES.md` the promises. This stage knows nothing of MCP.

mod chain;
mod config;
mod log;
mod reader;
mod record;
mod store;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

pub use chain::{Leaf, Root};
pub use config::Config;
pub use log::{Log, Receipt, Status, Unrecorded};
pub use reader::{Entry, Reader};
pub use record::{Draft, Kind};
pub use store::OpenError;
pub use verify::{Break, Head, Verdict, verify, verify_ndjson};

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no log.
    #[error("there is no audit log in `{0}`")]
    Missing(std::path::PathBuf),
    /// The store cannot be read.
    #[error("the audit log cannot be read: {0}")]
    Store(#[from] rusqlite::Error),
    /// A file cannot be read.
    #[error("the audit log cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// The writer ended without closing.
    #[error("the writer ended before the log was closed")]
    Unclosed,
}
