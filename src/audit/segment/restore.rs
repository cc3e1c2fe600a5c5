//! Bringing bytes back, after each was held against the hash that the store kept.

use super::prune::members;
use super::{Known, Segment, change, files, leaves};
use crate::audit::tree::keys;
use crate::audit::{Config, Error};
use rusqlite::Connection;
use serde::Serialize;
use std::path::Path;

/// What became of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The segment.
    #[serde(flatten)]
    pub segment: Segment,
    /// Records that have their bytes again.
    pub restored: u64,
}

/// Brings the records back into the store in `folder` that are archived in the folder `at`: of the segments that hold one
/// of `seqs`, or of all. Payloads are in no segment: what was erased stays erased.
///
/// # Errors
/// No segment holds such a record, one is not there or not what was archived, or the log is in use or cannot be written.
pub fn restore(
    folder: &Path,
    at: &Path,
    config: &Config,
    (seqs, by): (Option<&[u64]>, &str),
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<Restored>, Error> {
    let (_, all) = change::read(folder)?;
    let holds = |known: &Known, seq: u64| (known.segment.first..=known.segment.last).contains(&seq);
    if let Some(none) =
        seqs.and_then(|seqs| seqs.iter().find(|seq| !all.iter().any(|known| holds(known, **seq))))
    {
        return Err(Error::NoRecord(*none));
    }
    let wanted: Vec<&Known> = all
        .iter()
        .filter(|known| seqs.is_none_or(|seqs| seqs.iter().any(|seq| holds(known, *seq))))
        .collect();
    let count = wanted.len() as u64;
    let mut done = Vec::new();
    for (known, n) in wanted.into_iter().zip(1..) {
        done.extend(one(folder, at, config, by, &known.segment)?);
        progress(n, count);
    }
    Ok(done)
}

fn one(
    folder: &Path,
    at: &Path,
    config: &Config,
    by: &str,
    segment: &Segment,
) -> Result<Option<Restored>, Error> {
    let (log, _) = change::read(folder)?;
    let absent = absent(&log, segment)?;
    drop(log);
    if absent.is_empty() {
        return Ok(None);
    }
    let lines = files::lines(segment, at, &keys::published(folder)?)?;
    files::compare(folder, segment, &leaves(&lines))?;
    let restored = absent.len() as u64;
    change::record(folder, config, "segment.restore", members(segment, by, ("records", restored)))?;
    let changes = absent.iter().filter_map(|seq| {
        let line = usize::try_from(seq - segment.first).ok().and_then(|n| lines.get(n))?;
        Some(change::Bytes { seq: *seq, record: line })
    });
    let agrees = |log: &Connection| Ok(self::absent(log, segment)? == absent);
    if !change::apply(folder, changes, &agrees)? {
        return Err(segment.broken("was not restored: the records changed meanwhile; try again"));
    }
    Ok(Some(Restored { segment: segment.clone(), restored }))
}

/// Records of a segment that have no bytes in the store.
fn absent(log: &Connection, segment: &Segment) -> Result<Vec<u64>, Error> {
    let sql = "SELECT seq FROM entry WHERE seq >= ? AND seq <= ? AND length(rec) = 0 ORDER BY seq";
    let mut seqs = log.prepare(sql)?;
    Ok(seqs.query_map([segment.first, segment.last], |row| row.get(0))?.collect::<Result<_, _>>()?)
}
