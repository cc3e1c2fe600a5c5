//! Was this value ever seen, and where? Answered from commitments alone.

use super::StartError;
use super::keys::Keys;
use crate::audit::{Draft, Kind, Log};
use crate::clock::Clock;
use crate::config::Config;
use crate::inspect::Inspector;
use crate::search::{Mode, Scope, Searcher, Sightings, catch_up};
use std::path::Path;

/// Why the question cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// The key of the commitments cannot be read.
    #[error(transparent)]
    Key(#[from] StartError),
    /// The detectors cannot be built.
    #[error("the filters cannot be used")]
    Inspect(#[from] crate::inspect::Error),
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Log(#[from] crate::search::Error),
}

/// Looks for a value in the log of `folder`: by its commitment under every type, canonical as the detectors write it.
/// The value is not kept, and is in no error. Blocks; without an index linear in the log.
///
/// # Errors
/// There is no key or no log.
pub fn find_value(
    folder: &Path,
    inspect: &crate::inspect::Config,
    value: &str,
    mode: Mode,
) -> Result<Sightings, Unanswered> {
    let keys = Keys::read(folder)?;
    let inspector = Inspector::new(inspect, keys.commitment())?;
    let searcher = Searcher::open(folder, Clock::system())?;
    // An index that nobody keeps is brought up to the log first; one that cannot be is not asked.
    let is_kept = || {
        searcher.status().is_ok_and(|index| index.exists) && catch_up(folder, None, &mut |_, _| {}).is_ok()
    };
    let mode = if mode == Mode::Index && is_kept() { Mode::Index } else { Mode::Scan };
    Ok(searcher.seen(&inspector.commitments(value), &Scope::default(), mode)?)
}

/// The record of such a question: who asked and how many findings were the answer, never for what.
pub fn asked_for_value(by: &str, found: u64) -> Draft {
    Draft::new(Kind::AuditQuery).member("by", by).member("found", &found).member("query", "find-value")
}

/// Records such a question in a log that no gateway holds.
///
/// # Errors
/// A gateway holds it, or it cannot be written: the text says which.
pub async fn record_asked(config: &Config, by: &str, found: u64) -> Result<(), String> {
    let keys = Keys::read(&config.data_dir).map_err(|e| e.to_string())?;
    let log = Log::open(&config.data_dir, keys.origin(), &config.audit, Clock::system())
        .map_err(|e| e.to_string())?;
    let recorded = log.append(asked_for_value(by, found)).await.map(|_| ()).map_err(|e| e.to_string());
    let closed = tokio::task::spawn_blocking(move || log.close()).await;
    recorded.and(closed.map_err(|e| e.to_string())?.map_err(|e| e.to_string()))
}
