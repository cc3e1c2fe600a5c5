//! Verifying what is archived: what stays of it in the store, and the segments themselves if they are at hand.

use super::{Known, Removed, Segment, broken, files, known, leaves};
use crate::audit::chain::Leaf;
use crate::audit::store::Row;
use crate::audit::tree::note::Verifier;
use crate::audit::verify::{Archived, Check};
use crate::audit::{Break, Error};
use rusqlite::Connection;
use std::path::PathBuf;

/// All segments that a log names, as its rows come by.
pub(in crate::audit) struct Segments {
    /// Where segments are, if they are at hand, and the keys that they must be signed by.
    at: Option<(PathBuf, Vec<Verifier>)>,
    /// Those that begin later, the next one last.
    later: Vec<Known>,
    now: Vec<Open>,
    done: Vec<Archived>,
    /// First record of a segment, and the records that say what was taken out of it.
    said: Vec<(Segment, Vec<u64>)>,
}

/// A segment whose range is being read.
struct Open {
    known: Known,
    lines: Option<(Vec<Vec<u8>>, Vec<Leaf>)>,
    removed: Removed,
    absent: u64,
}

impl Open {
    fn line(&self, seq: u64) -> Option<(&[u8], Leaf)> {
        let (lines, leaves) = self.lines.as_ref()?;
        let at = usize::try_from(seq.checked_sub(self.known.segment.first)?).ok()?;
        Some((lines.get(at)?, *leaves.get(at)?))
    }
}

impl Segments {
    pub(in crate::audit) fn load(log: &Connection, at: Option<PathBuf>, keys: Vec<Verifier>) -> Self {
        // A store that cannot be read is told of by whoever reads its rows.
        let mut later = known(log).unwrap_or_default();
        later.reverse();
        let at = at.map(|at| (at, keys));
        Self { at, later, now: Vec::new(), done: Vec::new(), said: Vec::new() }
    }

    /// Takes a row, and returns the bytes of one that has none, if its segment is at hand and holds them.
    pub(in crate::audit) fn row(&mut self, check: &mut Check, row: &Row) -> Result<Option<Vec<u8>>, Error> {
        while let Some(known) = self.later.pop_if(|known| known.segment.first <= row.seq) {
            let open = self.open(check, known)?;
            self.now.push(open);
        }
        let is_absent = row.record.is_empty();
        let mut bytes = None;
        for open in &mut self.now {
            let held = open.line(row.seq).map(|(line, leaf)| (line.to_vec(), leaf));
            if let Some((line, leaf)) = held {
                if leaf == row.leaf {
                    bytes = Some(line);
                } else {
                    tell(check, broken(&open.known.segment, row.seq, "holds another record than the log"));
                }
            }
            if is_absent {
                open.removed.add(row);
                open.absent += 1;
            }
        }
        if is_absent && self.now.is_empty() {
            check.broken("segment", Some(row.seq), "it has no bytes, and no record says that it is archived");
        }
        let (ended, now) =
            std::mem::take(&mut self.now).into_iter().partition(|open| open.known.segment.last <= row.seq);
        self.now = now;
        for open in ended {
            self.close(check, open);
        }
        Ok(bytes.filter(|_| is_absent))
    }

    fn open(&self, check: &mut Check, known: Known) -> Result<Open, Error> {
        let lines = match &self.at {
            None => None,
            Some((at, keys)) => match files::lines(&known.segment, at, keys) {
                Ok(lines) => {
                    let leaves = leaves(&lines);
                    Some((lines, leaves))
                }
                Err(why @ Error::Segment { .. }) => {
                    check.broken("segment", Some(known.segment.first), why.to_string());
                    None
                }
                Err(other) => return Err(other),
            },
        };
        Ok(Open { known, lines, removed: Removed::new(), absent: 0 })
    }

    fn close(&mut self, check: &mut Check, open: Open) {
        let Open { known: Known { segment, removed }, lines, removed: found, absent } = open;
        if absent > 0 {
            let found = found.digest();
            let said: Vec<u64> =
                removed.iter().filter(|(_, digest)| *digest == found).map(|(seq, _)| *seq).collect();
            if said.is_empty() {
                let why = "has other records without bytes, or other columns of them, than any record says";
                tell(check, broken(&segment, segment.first, why));
            }
            self.said.push((segment.clone(), said));
        }
        self.done.push(Archived { segment, absent, checked: lines.is_some() });
    }

    /// What is archived. `signed`: how many records the newest checkpoint covers that verifies, if the log has any.
    pub(in crate::audit) fn finish(mut self, check: &mut Check, signed: Option<u64>) -> Vec<Archived> {
        for open in std::mem::take(&mut self.now) {
            let why = "ends beyond the log";
            tell(check, broken(&open.known.segment, open.known.segment.first, why));
        }
        for (segment, said) in &self.said {
            let is_signed = |seq: &u64| signed.is_none_or(|size| *seq < size);
            if !said.is_empty() && !said.iter().any(is_signed) {
                let why = "has records without bytes, and no checkpoint covers the record that says so";
                tell(check, broken(segment, segment.first, why));
            }
        }
        self.done
    }
}

fn tell(check: &mut Check, found: Break) {
    check.broken(found.kind, found.seq, found.detail);
}
