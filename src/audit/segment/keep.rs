//! Which records of an archived range keep their bytes in the store.

use super::{Known, Removed};
use crate::audit::Error;
use crate::audit::payload::shelf::Shelf;
use crate::audit::payload::{Hold, Selector};
use crate::audit::record::Kind;
use crate::audit::store::{Row, row};
use rusqlite::{Connection, params};
use std::collections::BTreeSet;
use std::path::Path;
use uuid::Uuid;

/// What the log is read by itself for, and what tells of payloads, holds and segments.
const KEPT: [Kind; 8] = [
    Kind::LogGenesis,
    Kind::KeyRotate,
    Kind::Erase,
    Kind::HoldSet,
    Kind::HoldRelease,
    Kind::SegmentArchive,
    Kind::SegmentPrune,
    Kind::SegmentRestore,
];

/// What can be taken out of the store.
pub(super) struct Choice {
    /// Records whose bytes go.
    pub go: Vec<u64>,
    /// Records whose bytes stay.
    pub stay: u64,
    /// The digest over those without bytes, once it is done.
    pub removed: String,
    /// When the newest record of the range was written.
    pub newest_us: i64,
}

/// Chooses. A record stays if its payload is still there or a hold selects it, and a call stays or goes as a whole: so what
/// is erased, held or asked for by call is never half here.
pub(super) fn choose(
    folder: &Path,
    log: &Connection,
    known: &Known,
    holds: &[Hold],
) -> Result<Choice, Error> {
    let (first, last) = (known.segment.first, known.segment.last);
    let shelf = Shelf::open_readonly(folder)?;
    let live: BTreeSet<u64> =
        shelf.map(|shelf| shelf.live(first, last)).transpose()?.unwrap_or_default().into_iter().collect();
    let mut rows = log.prepare(
        "SELECT seq, t, kind, call, rec, leaf FROM entry WHERE seq >= ? AND seq <= ? ORDER BY seq",
    )?;
    let rows: Vec<Row> = rows.query_map(params![first, last], row)?.collect::<Result<_, _>>()?;
    let mut outside =
        log.prepare("SELECT EXISTS (SELECT 1 FROM entry WHERE call = ?1 AND (seq < ?2 OR seq > ?3))")?;
    let kept: Vec<i64> = KEPT.iter().map(|kind| kind.code()).collect();
    let mut calls: BTreeSet<Uuid> = BTreeSet::new();
    let mut seqs: BTreeSet<u64> = BTreeSet::new();
    for row in &rows {
        let crosses = match row.call {
            Some(call) => {
                outside.query_row(params![call.as_bytes().as_slice(), first, last], |row| row.get(0))?
            }
            None => false,
        };
        let held = holds.iter().any(|hold| selects(&hold.selector, row));
        if crosses || held || live.contains(&row.seq) || kept.contains(&row.kind) {
            seqs.insert(row.seq);
            calls.extend(row.call);
        }
    }
    let stays = |row: &Row| seqs.contains(&row.seq) || row.call.is_some_and(|call| calls.contains(&call));
    let mut removed = Removed::new();
    let mut choice = Choice { go: Vec::new(), stay: 0, removed: String::new(), newest_us: i64::MIN };
    for row in &rows {
        choice.newest_us = choice.newest_us.max(row.time_us);
        if row.record.is_empty() {
            removed.add(row);
        } else if stays(row) {
            choice.stay += 1;
        } else {
            removed.add(row);
            choice.go.push(row.seq);
        }
    }
    choice.removed = removed.digest();
    Ok(choice)
}

/// Whether a hold is about a record; rather too often than not.
fn selects(hold: &Selector, row: &Row) -> bool {
    let holds = |text: &str| memchr::memmem::find(&row.record, text.as_bytes()).is_some();
    match hold {
        Selector::Calls(calls) => row.call.is_some_and(|call| calls.contains(&call)),
        Selector::Commitment(commitment) => holds(&format!("\"commitment\":\"{commitment}\"")),
        Selector::Subject(subject) => {
            serde_json::to_string(subject).is_ok_and(|text| holds(&format!("\"id\":{text}")))
        }
    }
}
