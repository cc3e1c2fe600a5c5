//! Where are the old records? Ranges of the log, sealed as files that prove themselves, so that their bytes need not stay
//! in the store.
//!
//! What stays of a record whose bytes were taken out is its place, its derived columns and its hash: enough to continue
//! the chain, to compute every root and proof, and to find the segment again. The log itself says where each range is:
//! archiving, pruning and restoring are records.

mod change;
mod check;
mod files;
mod keep;
mod prune;
mod restore;

pub use files::{plan, seal};
pub use prune::{Pruned, prune};
pub use restore::{Restored, restore};

pub(super) use check::Segments;

use super::chain::{self, Leaf};
use super::record::Kind;
use super::store::{Row, open_readonly};
use super::{Break, Error};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Records of a segment, unless something else is asked for.
pub const RECORDS: u64 = 16_384;
/// The longest segment: one is held in memory when it is compared.
pub const MOST_RECORDS: u64 = 65_536;

/// A range of records that was archived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// SHA-256 of its manifest, hexadecimal: names all of its bytes.
    pub digest: String,
    /// The first record.
    pub first: u64,
    /// The last record.
    pub last: u64,
    /// Where it was written.
    pub store: String,
}

impl Segment {
    /// The name of its folder.
    pub fn name(&self) -> String {
        format!("{:020}-{:020}", self.first, self.last)
    }

    /// Its records.
    pub fn records(&self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    fn broken(&self, why: impl Into<String>) -> Error {
        Error::Segment { name: self.name(), why: why.into() }
    }
}

/// What the log says of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    segment: Segment,
    /// For each record that says so, its number and the digest of what was taken out of the store.
    removed: Vec<(u64, String)>,
}

#[derive(Serialize, Deserialize)]
struct Named {
    digest: String,
    first: u64,
    last: u64,
}

impl Named {
    fn of(segment: &Segment) -> Self {
        Self { digest: segment.digest.clone(), first: segment.first, last: segment.last }
    }
}

#[derive(Deserialize)]
struct Said {
    segment: Named,
    #[serde(default)]
    store: String,
    #[serde(default)]
    removed: Option<String>,
}

/// The segments that the log in `folder` names, in the order of their records.
///
/// # Errors
/// There is no log, or it cannot be read.
pub fn segments(folder: &Path) -> Result<Vec<Segment>, Error> {
    Ok(known(&open_readonly(folder)?)?.into_iter().map(|known| known.segment).collect())
}

fn known(log: &Connection) -> Result<Vec<Known>, Error> {
    let (archive, prune) = (Kind::SegmentArchive.code(), Kind::SegmentPrune.code());
    let mut rows = log.prepare("SELECT seq, kind, rec FROM entry WHERE kind IN (?, ?) ORDER BY seq")?;
    let rows = rows.query_map([archive, prune], |row| {
        Ok((row.get::<_, u64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?))
    })?;
    let mut all: Vec<Known> = Vec::new();
    for row in rows {
        let (seq, kind, record) = row?;
        // What says nothing sensible is found by whoever verifies the records.
        let Ok(said) = serde_json::from_slice::<Said>(&record) else { continue };
        let Named { digest, first, last } = said.segment;
        if last < first || last >= seq {
            continue;
        }
        let found = all.iter_mut().find(|k| k.segment.first == first && k.segment.digest == digest);
        if kind == prune {
            if let (Some(known), Some(removed)) = (found, said.removed) {
                known.removed.push((seq, removed));
            }
        } else if found.is_none() {
            let segment = Segment { digest, first, last, store: said.store };
            all.push(Known { segment, removed: Vec::new() });
        }
    }
    all.sort_by_key(|known| known.segment.first);
    Ok(all)
}

/// A digest over what stays of the records whose bytes are taken out: nothing of it can be changed any more.
struct Removed(Vec<u8>);

impl Removed {
    fn new() -> Self {
        Self(b"sealgate/segment/v1/removed\n".to_vec())
    }

    fn add(&mut self, row: &Row) {
        self.0.extend(row.seq.to_be_bytes());
        self.0.extend(row.time_us.to_be_bytes());
        self.0.extend(row.kind.to_be_bytes());
        match &row.call {
            Some(call) => {
                self.0.push(1);
                self.0.extend(call.as_bytes());
            }
            None => self.0.push(0),
        }
        self.0.extend(row.leaf);
    }

    fn digest(&self) -> String {
        chain::hex(&chain::sha256(&self.0))
    }
}

/// The hashes of a segment's records, in their order.
fn leaves(lines: &[Vec<u8>]) -> Vec<Leaf> {
    lines.iter().map(|line| chain::leaf(line)).collect()
}

/// A break that names a segment.
fn broken(segment: &Segment, seq: u64, why: &str) -> Break {
    Break { kind: "segment", seq: Some(seq), detail: format!("segment {} {why}", segment.name()) }
}
