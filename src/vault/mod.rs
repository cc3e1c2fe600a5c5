//! What was taken out, and who may have it back? The values that tokens stand for, encrypted, in one SQLite file beside
//! the log, until they expire or are erased.
//!
//! A value is found by scope and token together: in another scope the same token is unknown. Rows are encrypted with
//! AES-256-GCM under `vault.key` and bound to their place. Whatever cannot be read or written is an error, never a
//! value left out: whoever asks refuses the call.

mod erase;
mod seal;
mod store;

pub use erase::{Selected, count, erase};
pub use store::{Bounds, Kept, Opened, Owner, Vault};

use std::path::PathBuf;

/// The file in the data folder.
pub const FILE: &str = "vault.db";
/// The key beside it. Never keep a copy of one with a copy of the other.
pub const KEY: &str = "vault.key";

/// Why a value cannot be kept or given back. No text holds a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be used.
    #[error("cannot use `{}`; check that the folder exists and is writable", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// SQLite says no.
    #[error("the vault cannot be read or written")]
    Store(#[from] rusqlite::Error),
    /// It was written by a newer version.
    #[error("the vault has format {found}, this version knows {known}: use the newer version")]
    Newer {
        /// The format that was found.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
    /// The file is not the one that was opened.
    #[error("`vault.db` was removed or replaced while the gateway ran; start it again")]
    Gone,
    /// As many values are kept as may be.
    #[error("the vault holds {limit} values, as many as `inspect.vault.maxEntries` allows")]
    Full {
        /// Most that may be.
        limit: u64,
    },
    /// A row cannot be decrypted: another key, or another hand.
    #[error(
        "an entry of the vault does not open under `vault.key`; restore both from one backup, or remove both"
    )]
    Damaged,
    /// The system failed to encrypt.
    #[error("encryption failed")]
    Encryption,
}
