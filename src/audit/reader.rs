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
    /// The store cannot be read.
    pub fn tail(&self, count: u64) -> Result<Vec<Entry>, Error> {
        let mut all = self.rows("ORDER BY seq DESC LIMIT ?1", params![count])?;
        all.reverse();
        Ok(all)
    }

    /// At most `count` records from `seq` on.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn since(&self, seq: u64, count: u64) -> Result<Vec<Entry>, Error> {
        self.rows("WHERE seq >= ?1 ORDER BY seq LIMIT ?2", params![seq.min(LAST), count])
    }

    /// At most `count` records before `seq`, newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn before(&self, seq: u64, count: u64) -> Result<Vec<Entry>, Error> {
        self.rows("WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2", params![seq.min(LAST), count])
    }

    /// All records of one call.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn by_call(&self, call: Uuid) -> Result<Vec<Entry>, Error> {
        self.rows("WHERE call = ?1 ORDER BY seq", params![call.as_bytes().as_slice()])
    }

    /// The newest record's number.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn head(&self) -> Result<Option<u64>, Error> {
        Ok(self.connection.query_row("SELECT max(seq) FROM entry", [], |row| row.get(0))?)
    }

    /// At most `count` records from `seq` on, with their hashes. Each has the hash that is stored for it, and is linked to
    /// the records before and after it, where there are any.
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
            if leaf(&row.record) != row.leaf {
                return Err(Error::Altered(row.seq));
            }
            if let Some((number, link)) = before {
                let link = format!("\"prev\":\"{}\"", hex(&link));
                if row.seq != number + 1 || memchr::memmem::find(&row.record, link.as_bytes()).is_none() {
                    return Err(Error::Altered(number));
                }
            } else if row.seq != first && row.seq != seq {
                return Err(Error::Altered(row.seq));
            }
            before = Some((row.seq, row.leaf));
            if row.seq >= seq && row.seq < end {
                found.push((Entry { seq: row.seq, record: row.record, stored: row.leaf }, row.leaf));
            }
        }
        Ok(found)
    }

    fn rows(&self, rest: &str, params: impl rusqlite::Params) -> Result<Vec<Entry>, Error> {
        let mut query =
            self.connection.prepare(&format!("SELECT seq, t, kind, call, rec, leaf FROM entry {rest}"))?;
        let rows = query.query_map(params, row)?;
        let entry =
            |row: Result<Row, _>| row.map(|row| Entry { seq: row.seq, record: row.record, stored: row.leaf });
        Ok(rows.map(entry).collect::<Result<_, _>>()?)
    }
}
