//! Where is it in the log? Queries, an index beside the log, hits that are read and hashed again, exports.
//!
//! [`Searcher`] answers; [`Indexer`] keeps the index behind the log; [`catch_up`] does the same once. The index is
//! derived and disposable: it says which records to read, and nothing that it says is shown unread.

mod config;
mod cursor;
mod doc;
pub mod export;
mod field;
mod gathered;
mod index;
mod indexer;
pub mod query;
mod request;
mod scan;
mod searcher;
mod sightings;
mod source;
mod tally;
mod words;

pub use config::Config;
pub use field::{Field, Type};
pub use index::Caught;
pub use indexer::{Indexer, catch_up, discard, is_rebuild_asked, rebuild};
pub use query::{Misread, Query};
pub use request::{
    AggregateRequest, Aggregates, Answer, Consistency, Hit, Lag, MOST_HITS, Mode, PAGE, Relation, Request,
    Scope, Total,
};
pub use searcher::{IndexStatus, Searcher};
pub use sightings::{Sighting, Sightings};
pub use tally::{Aggregated, Aggregation, Bucket, Interval, MOST_BUCKETS, TimeBucket};

/// The values of `status`, as `audit/FORMAT.md` lists them.
const STATUSES: &[&str] =
    &["ok", "tool_error", "rpc_error", "upstream_error", "timeout", "cancelled", "blocked", "input_required"];

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The query cannot be read.
    #[error(transparent)]
    Query(#[from] Misread),
    /// The page is too large.
    #[error("a page has 1 to {MOST_HITS} hits")]
    Limit,
    /// The cursor is not ours, or of another query or reader.
    #[error("the cursor is not of this query: begin with the first page")]
    Cursor,
    /// A time that is none.
    #[error("`{0}` is no time: write 2026-11-01, 2026-11-01T10:00:00Z or -24h")]
    Time(String),
    /// A field that does not exist.
    #[error("there is no field `{name}`{}", .guess.as_ref().map(|g| format!(": did you mean `{g}`?")).unwrap_or_default())]
    NoField {
        /// As it was written.
        name: String,
        /// What was probably meant.
        guess: Option<String>,
    },
    /// A field with too many values.
    #[error("the values of `{0}` are not counted: there may be too many")]
    Countless(&'static str),
    /// A field without numbers.
    #[error("`{0}` has no numbers")]
    Numberless(&'static str),
    /// Too many values are to be listed.
    #[error("1 to {0} values can be listed")]
    Size(usize),
    /// Percents that are none.
    #[error("give 1 to 20 percents between 0 and 100")]
    Percents,
    /// Too many things are to be counted.
    #[error("1 to {0} things can be counted at once")]
    Counts(usize),
    /// There are too many values or spans.
    #[error("there are too many different values to count: narrow the query, or choose a longer interval")]
    TooMany,
    /// The index is not as far as it must be.
    #[error("the index is not yet at record {wanted}: ask again, or use mode `scan`")]
    Behind {
        /// The record that is waited for.
        wanted: u64,
        /// The newest that the index has.
        indexed: Option<u64>,
    },
    /// There is no index.
    #[error("there is no index: run `sealgate audit index rebuild`, or use mode `scan`")]
    Missing,
    /// The files of the index are not what was written.
    #[error("the files of the index are damaged: it is made anew")]
    Damaged,
    /// The index holds no texts.
    #[error("the index holds no words of what was said (`search.texts`): use mode `scan`")]
    NoTexts,
    /// Somebody else writes the index.
    #[error("another process writes the index")]
    Busy,
    /// The index names a record that does not answer the query.
    #[error("the index is not of this log: record {0} is no hit; run `sealgate audit index rebuild`")]
    Forged(u64),
    /// The log cannot be read, or is not what its hashes say.
    #[error(transparent)]
    Log(#[from] crate::audit::Error),
    /// The index cannot be read or written.
    #[error("the index cannot be used ({0}): run `sealgate audit index rebuild`, or use mode `scan`")]
    Index(#[from] tantivy::TantivyError),
    /// A file cannot be used.
    #[error("`{path}` cannot be used: {source}")]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The system has no random numbers.
    #[error("the system's random source failed")]
    Random,
}

impl Error {
    /// Whether whoever asked must ask differently; else log or index are in disorder, or not as far yet.
    pub fn is_askers(&self) -> bool {
        matches!(
            self,
            Self::Query(_)
                | Self::Limit
                | Self::Cursor
                | Self::Time(_)
                | Self::NoField { .. }
                | Self::Countless(_)
                | Self::Numberless(_)
                | Self::Size(_)
                | Self::Percents
                | Self::Counts(_)
                | Self::TooMany
                | Self::NoTexts
        )
    }
}
