//! What does the log show for a control? Reports from packs of saved queries, signed like checkpoints. They say what was
//! checked and found, never that somebody complies.

mod make;
mod pack;
mod page;
mod seal;

pub use make::{Asked, Coverage, Evidence, Integrity, Report, Shown, make};
pub use pack::{Control, Pack, Saved};
pub use seal::{Checked, check, write};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such pack.
    #[error("there is no pack `{0}`: name a file, or one of {known}", known = pack::SHIPPED.map(|(name, _)| name).join(", "))]
    NoPack(String),
    /// A pack cannot be read.
    #[error("the pack cannot be read: {0}")]
    Pack(String),
    /// A saved query of a pack cannot be read.
    #[error("control `{control}`, `{name}`: {why}")]
    Saved {
        /// The control.
        control: String,
        /// The query's name.
        name: String,
        /// What is wrong.
        why: crate::search::Misread,
    },
    /// Log or index cannot be read.
    #[error(transparent)]
    Search(#[from] crate::search::Error),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] crate::audit::Error),
    /// The report is not what was signed.
    #[error("the report is not what was signed: {0}")]
    Unsigned(String),
    /// A file cannot be used.
    #[error("`{path}` cannot be used: {source}")]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}
