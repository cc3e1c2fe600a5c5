//! Answering without an index: every record is read, hashed and asked. The same answers, only slower.

use super::Error;
use super::gathered::{Gathered, Order, Wanted};
use super::source::{Source, Texts};
use super::tally::Tally;
use std::collections::VecDeque;

/// Records that are read at once.
const CHUNK: u64 = 1024;

/// Asks all records below the snapshot.
pub(super) fn scan(source: &mut Source, wanted: &Wanted<'_>) -> Result<Gathered, Error> {
    let texts = if wanted.node.asks_for_texts() { Texts::With } else { Texts::Without };
    let (mut total, mut archived) = (0, 0);
    let mut page = VecDeque::new();
    let mut tallies: Vec<Tally> = wanted.counts.iter().map(Tally::of).collect();
    let mut next = wanted.after.map_or(0, |after| after + 1);
    while next < wanted.snapshot {
        // Fewer come back where records are archived.
        let count = CHUNK.min(wanted.snapshot - next);
        let records = source.read(next, count, texts)?;
        next += count;
        archived += count - records.len() as u64;
        for found in records.iter().filter(|found| found.doc.answers(wanted.node)) {
            total += 1;
            for tally in &mut tallies {
                tally.add(&found.doc);
            }
            if wanted.order == Order::Newest && wanted.before.is_none_or(|before| found.seq < before) {
                page.push_back(found.seq);
                if page.len() > wanted.limit {
                    page.pop_front();
                }
            } else if wanted.order == Order::Oldest && page.len() < wanted.limit {
                page.push_back(found.seq);
            }
        }
        if tallies.iter().any(Tally::is_full) {
            return Err(Error::TooMany);
        }
    }
    let mut seqs: Vec<u64> = page.into();
    if wanted.order == Order::Newest {
        seqs.reverse();
    }
    Ok(Gathered { total, seqs, tallies, archived })
}
