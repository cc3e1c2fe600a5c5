//! Reading exact bytes, also while a writer is at work.

use super::Error;
use super::chain::{Leaf, hex, leaf};
use super::record::Kind;
use super::store::{Row, open_readonly, row};
use rusqlite::{Connection, params};
use std::path::Path;
use uuid::Uuid;

/// No sequence number is as large: SQLite's integers end here.
const LAST: u64 = u64::MAX >> 1;

/// A record as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its sequence number.
    pub seq: u64,
    /// Its exact bytes.
    pub record: Vec<u8>,
    /// Its hash as it was stored beside it.
    pub stored: Leaf,
}

impl Entry {
    /// The hash of the bytes, if it is the one that was stored.
    ///
    /// # Errors
    /// The record is not what was written.
    pub fn leaf(&self) -> Result<Leaf, Error> {
        let leaf = leaf(&self.record);
        if leaf == self.stored { Ok(leaf) } else { Err(Error::Altered(self.seq)) }
    }

    /// What it is about.
    pub fn kind(&self) -> Option<Kind> {
        #[derive(serde::Deserialize)]
        struct Peek<'r> {
            kind: &'r str,
        }
        serde_json::from_slice::<Peek<'_>>(&self.record).ok().and_then(|peek| Kind::parse(peek.kind))
    }
}

/// A read-only view of a log.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
}

impl Reader {
    /// Opens the log in `folder`.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Ok(Self { connection: open_readonly(folder)? })
    }

    /// The newest `count` records, oldest first.
    ///
    /// # Errors
    /// The store cannot be read, or one of them is archived.
    pub fn tail(&self, count: u64) -> Result<Vec<Entry>, Error> {
        let mut all = self.rows("ORDER BY seq DESC LIMIT ?1", params![count])?;
        all.reverse();
        Ok(all)
    }

    /// At most `count` records from `seq` on.
    ///
    /// # Errors
    /// The store cannot be read, or one of them is archived.
    pub fn since(&self, seq: u64, count: u64) -> Result<Vec<Entry>, Error> {
        self.rows("WHERE seq >= ?1 ORDER BY seq LIMIT ?2", params![seq.min(LAST), count])
    }

    /// The same, passing over what is archived: for whoever asks only of what is kept here, or counts what is not.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn present(&self, seq: u64, count: u64) -> Result<Vec<Entry>, Error> {
        let rest = "WHERE seq >= ?1 AND length(rec) > 0 ORDER BY seq LIMIT ?2";
        self.rows(rest, params![seq.min(LAST), count])
    }

    /// How many records are archived and have no bytes here.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn absent(&self) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM entry WHERE length(rec) = 0";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// At most `count` records before `seq`, newest first.
    ///
    /// # Errors
    /// The store cannot be read, or one of them is archived.
    pub fn before(&self, seq: u64, count: u64) -> Result<Vec<Entry>, Error> {
        self.rows("WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2", params![seq.min(LAST), count])
    }

    /// All records of one call.
    ///
    /// # Errors
    /// The store cannot be read, or they are archived.
    pub fn by_call(&self, call: Uuid) -> Result<Vec<Entry>, Error> {
        self.rows("WHERE call = ?1 ORDER BY seq", params![call.as_bytes().as_slice()])
    }

    /// The numbers of a call's records, also of archived ones.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn places(&self, call: Uuid) -> Result<Vec<u64>, Error> {
        let mut query = self.connection.prepare("SELECT seq FROM entry WHERE call = ? ORDER BY seq")?;
        let seqs = query.query_map([call.as_bytes().as_slice()], |row| row.get(0))?;
        Ok(seqs.collect::<Result<_, _>>()?)
    }

    /// The newest record's number.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn head(&self) -> Result<Option<u64>, Error> {
        Ok(self.connection.query_row("SELECT max(seq) FROM entry", [], |row| row.get(0))?)
    }

    /// Of the `count` records from `seq` on those that are kept here, with their hashes. Each has the hash that is stored
    /// for it, and is linked to the records before and after it, where there are any.
    ///
    /// # Errors
    /// The store cannot be read, or a record is not what the log's hashes say.
    pub fn whole(&self, seq: u64, count: u64) -> Result<Vec<(Entry, Leaf)>, Error> {
        let end = seq.saturating_add(count);
        let mut query = self.connection.prepare_cached(
            "SELECT seq, t, kind, call, rec, leaf FROM entry WHERE seq >= ?1 AND seq <= ?2 ORDER BY seq",
        )?;
        let first = seq.saturating_sub(1);
        let rows = query.query_map(params![first, end.min(i64::MAX.unsigned_abs())], row)?;
        let mut found = Vec::new();
        let mut before: Option<(u64, Leaf)> = None;
        for row in rows {
            let row = row?;
            // Without bytes: archived. Its hash still links its neighbours.
            let is_here = !row.record.is_empty();
            if is_here && leaf(&row.record) != row.leaf {
                return Err(Error::Altered(row.seq));
            }
            if let Some((number, link)) = before {
                let link = format!("\"prev\":\"{}\"", hex(&link));
                let is_linked = || memchr::memmem::find(&row.record, link.as_bytes()).is_some();
                if row.seq != number + 1 || (is_here && !is_linked()) {
                    return Err(Error::Altered(number));
                }
            } else if row.seq != first && row.seq != seq {
                return Err(Error::Altered(row.seq));
            }
            before = Some((row.seq, row.leaf));
            if is_here && row.seq >= seq && row.seq < end {
                found.push((Entry { seq: row.seq, record: row.record, stored: row.leaf }, row.leaf));
            }
        }
        Ok(found)
    }

    fn rows(&self, rest: &str, params: impl rusqlite::Params) -> Result<Vec<Entry>, Error> {
        let mut query =
            self.connection.prepare(&format!("SELECT seq, t, kind, call, rec, leaf FROM entry {rest}"))?;
        let rows = query.query_map(params, row)?;
        let entry = |row: Result<Row, _>| {
            let row = row?;
            if row.record.is_empty() {
                return Err(Error::Archived(row.seq));
            }
            Ok(Entry { seq: row.seq, record: row.record, stored: row.leaf })
        };
        rows.map(entry).collect()
    }
}
