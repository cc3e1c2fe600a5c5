//! Who else remembers? Checkpoints that leave the machine, so that a log that was cut off or written anew is found.

mod bucket;
mod config;
pub(super) mod file;
mod runner;
mod told;
mod witness;

pub use config::{Config, ObjectStore, Witness};
pub use runner::Anchors;
pub(super) use told::Told;

use std::path::PathBuf;

/// Why a checkpoint is not anchored, or a log not started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting cannot be used.
    #[error("`audit.anchors.{name}`: {why}")]
    Setting {
        /// The setting.
        name: String,
        /// What to write.
        why: String,
    },
    /// A file cannot be used.
    #[error("`{path}` cannot be used: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It holds something else.
    #[error("`{0}` holds no checkpoint of this log that a published key signed")]
    Foreign(String),
    /// It does not answer as it should.
    #[error("`{target}` cannot be reached: {why}")]
    Unreachable {
        /// The anchor.
        target: String,
        /// Why.
        why: String,
    },
    /// It has a checkpoint that this log contradicts.
    #[error("fork detected: `{target}` holds another checkpoint at {size} records than this log")]
    Forked {
        /// The anchor.
        target: String,
        /// The size.
        size: u64,
    },
    /// It has a checkpoint that is larger than this log.
    #[error(
        "rollback detected: `{target}` holds a checkpoint of {size} records, this log has {here}: restore the log"
    )]
    Rollback {
        /// The anchor.
        target: String,
        /// Records there.
        size: u64,
        /// Records here.
        here: u64,
    },
    /// The log's own stores cannot be read.
    #[error(transparent)]
    Log(Box<super::Error>),
    /// A note is not one.
    #[error(transparent)]
    Note(#[from] super::tree::note::Error),
}

impl From<super::Error> for Error {
    fn from(error: super::Error) -> Self {
        Self::Log(Box::new(error))
    }
}

impl Error {
    /// Whether it shows that this log is not what it was.
    pub fn is_rollback(&self) -> bool {
        matches!(self, Self::Rollback { .. } | Self::Forked { .. })
    }
}
