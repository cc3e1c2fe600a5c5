//! Taking bytes out of the store: only what is archived and read again, past its time, and not on hold.

use super::keep::choose;
use super::{Known, Named, Segment, change, files, leaves};
use crate::audit::tree::{Prover, keys};
use crate::audit::writer::TAIL;
use crate::audit::{Config, Error, Payloads};
use crate::clock::Clock;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::path::Path;

const DAY_US: i64 = 86_400_000_000;

/// What became of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// The segment.
    #[serde(flatten)]
    pub segment: Segment,
    /// Records whose bytes were taken out now.
    pub pruned: u64,
    /// Records of the range whose bytes stay.
    pub kept: u64,
}

/// Takes the bytes of archived records out of the store in `folder`: of each segment in `at` whose newest record is older
/// than `days`, after the segment was read again and compared with the log. Before anything goes, a record says so under
/// a signed checkpoint. What a crash interrupts is done by the next time.
///
/// # Errors
/// `days` is less than the profile of retention asks for, a segment is not there or not what was archived, or the log is
/// in use or cannot be written.
pub fn prune(
    folder: &Path,
    at: &Path,
    (config, clock): (&Config, &Clock),
    (days, by): (u32, &str),
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<Pruned>, Error> {
    let floor = config.payloads.retention.profile.floor().max(1);
    if days < floor {
        let why = format!("{days} days are less than the {floor} that its profile asks for");
        return Err(Error::Retention(why));
    }
    let before_us = clock.now_us() - i64::from(days) * DAY_US;
    let (_, all) = change::read(folder)?;
    let count = all.len() as u64;
    let mut done = Vec::new();
    for (known, n) in all.iter().zip(1..) {
        done.extend(one(folder, at, config, (before_us, by), known)?);
        progress(n, count);
    }
    if done.iter().any(|one| one.pruned > 0) {
        // Nothing hangs on it: the room is used again anyway.
        if let Err(why) = change::shrink(folder) {
            tracing::warn!("the room of pruned records is not given back to the system: {why}");
        }
    }
    Ok(done)
}

fn one(
    folder: &Path,
    at: &Path,
    config: &Config,
    (before_us, by): (i64, &str),
    known: &Known,
) -> Result<Option<Pruned>, Error> {
    let segment = &known.segment;
    let (log, _) = change::read(folder)?;
    let head: u64 = log.query_row("SELECT coalesce(max(seq), 0) FROM entry", [], |row| row.get(0))?;
    let choice = choose(folder, &log, known, &Payloads::open(folder)?.holds()?)?;
    // A start checks the newest records by their bytes.
    if choice.newest_us >= before_us || segment.last.saturating_add(TAIL) > head {
        return Ok(None);
    }
    let mut pruned = Pruned { segment: segment.clone(), pruned: 0, kept: choice.stay };
    if choice.go.is_empty() {
        return Ok(Some(pruned));
    }
    let lines = files::lines(segment, at, &keys::published(folder)?)?;
    files::compare(folder, segment, &leaves(&lines))?;
    drop(log);
    // One that was interrupted before its checkpoint was signed does not count.
    let signed = Prover::open(folder)?.checkpoint()?.map_or(0, |signed| signed.size);
    if !known.removed.iter().any(|(seq, removed)| *seq < signed && *removed == choice.removed) {
        let members = json!({
            "by": by,
            "kept": choice.stay,
            "pruned": choice.go.len(),
            "removed": choice.removed,
            "segment": serde_json::to_value(Named::of(segment)).unwrap_or_default(),
            "store": segment.store,
        });
        let Value::Object(members) = members else { return Ok(None) };
        change::record(folder, config, "segment.prune", members)?;
    }
    // A hold that came in between is obeyed: it makes another choice.
    let agrees = |log: &rusqlite::Connection| {
        let now = choose(folder, log, known, &Payloads::open(folder)?.holds()?)?;
        Ok(now.removed == choice.removed && now.go == choice.go)
    };
    let changes = choice.go.iter().map(|seq| change::Bytes { seq: *seq, record: &[] });
    if !change::apply(folder, changes, &agrees)? {
        return Err(segment.broken("was not pruned: records or holds changed meanwhile; try again"));
    }
    pruned.pruned = choice.go.len() as u64;
    Ok(Some(pruned))
}

/// The members of a record about a segment.
pub(super) fn members(segment: &Segment, by: &str, more: (&str, u64)) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("by".into(), by.into());
    members.insert(more.0.into(), more.1.into());
    members.insert("segment".into(), serde_json::to_value(Named::of(segment)).unwrap_or_default());
    members.insert("store".into(), segment.store.clone().into());
    members
}
