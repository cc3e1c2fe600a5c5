//! `checkpoints.db`: full tiles, every checkpoint, and what anchors answered. INSERT-only, like the log.

use super::tiles::{Tile, WIDTH};
use crate::audit::Error;
use crate::audit::chain::Leaf;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use std::path::Path;
use std::time::Duration;

/// The file in the data folder.
pub const FILE: &str = "checkpoints.db";

/// What the tables are made with. Verifiers compare the text.
pub(in crate::audit) const SCHEMA: [(&str, &str); 9] = [
    (
        "tile",
        "CREATE TABLE tile (level INTEGER NOT NULL, idx INTEGER NOT NULL, root BLOB NOT NULL, \
         data BLOB NOT NULL, PRIMARY KEY (level, idx)) STRICT",
    ),
    (
        "checkpoint",
        "CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, t INTEGER NOT NULL, root BLOB NOT NULL, \
         note TEXT NOT NULL) STRICT",
    ),
    (
        "anchor",
        "CREATE TABLE anchor (target TEXT NOT NULL, size INTEGER NOT NULL, t INTEGER NOT NULL, \
         receipt TEXT NOT NULL, PRIMARY KEY (target, size)) STRICT",
    ),
    (
        "tile_no_update",
        "CREATE TRIGGER tile_no_update BEFORE UPDATE ON tile BEGIN SELECT RAISE(ABORT, 'append-only'); END",
    ),
    (
        "tile_no_delete",
        "CREATE TRIGGER tile_no_delete BEFORE DELETE ON tile BEGIN SELECT RAISE(ABORT, 'append-only'); END",
    ),
    (
        "checkpoint_no_update",
        "CREATE TRIGGER checkpoint_no_update BEFORE UPDATE ON checkpoint BEGIN \
         SELECT RAISE(ABORT, 'append-only'); END",
    ),
    (
        "checkpoint_no_delete",
        "CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint BEGIN \
         SELECT RAISE(ABORT, 'append-only'); END",
    ),
    (
        "anchor_no_update",
        "CREATE TRIGGER anchor_no_update BEFORE UPDATE ON anchor BEGIN SELECT RAISE(ABORT, 'append-only'); END",
    ),
    (
        "anchor_no_delete",
        "CREATE TRIGGER anchor_no_delete BEFORE DELETE ON anchor BEGIN SELECT RAISE(ABORT, 'append-only'); END",
    ),
];

/// A signed checkpoint, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Records under it.
    pub size: u64,
    /// When it was signed, in microseconds since the Unix epoch.
    pub time_us: i64,
    /// Its root.
    pub root: Leaf,
    /// The signed note.
    pub note: String,
}

/// What an anchor has taken.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Anchored {
    /// The anchor.
    pub target: String,
    /// The checkpoint's size.
    pub size: u64,
    /// When, in microseconds since the Unix epoch.
    pub t: i64,
    /// What it answered: a witness's cosignature lines, the name of an object, or nothing.
    pub receipt: String,
}

/// The store of tiles and checkpoints.
#[derive(Debug)]
pub(in crate::audit) struct Trees {
    connection: Connection,
}

impl Trees {
    /// Opens or makes the store.
    pub(in crate::audit) fn open(folder: &Path) -> Result<Self, Error> {
        let mut connection = Connection::open(folder.join(FILE))?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "recursive_triggers", true)?;
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let tables: u64 =
            transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 {
            for (_, sql) in SCHEMA {
                transaction.execute_batch(sql)?;
            }
        }
        transaction.commit()?;
        Ok(Self { connection })
    }

    /// Opens the store beside the log for reading; `None` if there is none.
    pub(in crate::audit) fn open_readonly(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(Some(Self { connection }))
    }

    pub(in crate::audit) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether the tables are what this version makes.
    pub(in crate::audit) fn is_ours(&self) -> Result<bool, Error> {
        let found = crate::audit::store::schema_of(&self.connection)?;
        let mut ours = SCHEMA.to_vec();
        // The index that SQLite makes for a primary key of two columns.
        ours.push(("sqlite_autoindex_anchor_1", ""));
        ours.push(("sqlite_autoindex_tile_1", ""));
        ours.sort_unstable();
        Ok(found.iter().map(|(name, sql)| (name.as_str(), sql.as_str())).eq(ours))
    }

    /// Stores a checkpoint and the tiles that became full under it, in one transaction.
    pub(super) fn append(&mut self, tiles: &[Tile], signed: &Signed) -> Result<(), Error> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO tile (level, idx, root, data) VALUES (?, ?, ?, ?)")?;
            for tile in tiles {
                let data = tile.hashes.concat();
                insert.execute(params![tile.level, tile.index, tile.root().as_slice(), data])?;
            }
            transaction
                .prepare_cached("INSERT INTO checkpoint (size, t, root, note) VALUES (?, ?, ?, ?)")?
                .execute(params![signed.size, signed.time_us, signed.root.as_slice(), signed.note])?;
        }
        Ok(transaction.commit()?)
    }

    /// Stores what an anchor has taken. The same again changes nothing.
    pub(in crate::audit) fn anchored(&self, anchored: &Anchored) -> Result<(), Error> {
        let sql = "INSERT OR IGNORE INTO anchor (target, size, t, receipt) VALUES (?, ?, ?, ?)";
        let Anchored { target, size, t, receipt } = anchored;
        self.connection.execute(sql, params![target, size, t, receipt])?;
        Ok(())
    }

    /// The newest thing that each anchor has taken.
    pub(in crate::audit) fn anchors(&self) -> Result<Vec<Anchored>, Error> {
        let mut newest = self
            .connection
            .prepare("SELECT target, max(size), t, receipt FROM anchor GROUP BY target ORDER BY target")?;
        let rows = newest.query_map([], |row| {
            Ok(Anchored { target: row.get(0)?, size: row.get(1)?, t: row.get(2)?, receipt: row.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Cosignature lines for the checkpoint of `size`.
    pub(in crate::audit) fn cosignatures(&self, size: u64) -> Result<String, Error> {
        let mut all = self.connection.prepare_cached(
            "SELECT receipt FROM anchor WHERE size = ? AND receipt LIKE '— %' ORDER BY target",
        )?;
        let lines: Vec<String> = all.query_map([size], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(lines.concat())
    }

    /// The newest checkpoint.
    pub(in crate::audit) fn last(&self) -> Result<Option<Signed>, Error> {
        self.one("ORDER BY size DESC LIMIT 1", [])
    }

    /// The checkpoint of exactly that size.
    pub(in crate::audit) fn of_size(&self, size: u64) -> Result<Option<Signed>, Error> {
        self.one("WHERE size = ?", [size])
    }

    /// The oldest checkpoint that covers record `seq`.
    pub(super) fn first_over(&self, seq: u64) -> Result<Option<Signed>, Error> {
        self.one("WHERE size > ? ORDER BY size LIMIT 1", [seq])
    }

    fn one(&self, rest: &str, params: impl rusqlite::Params) -> Result<Option<Signed>, Error> {
        let sql = format!("SELECT size, t, root, note FROM checkpoint {rest}");
        Ok(self.connection.prepare_cached(&sql)?.query_row(params, signed).optional()?)
    }

    /// A full tile's hashes.
    pub(super) fn tile(&self, level: u32, index: u64) -> Result<Option<Vec<Leaf>>, Error> {
        let mut tile = self.connection.prepare_cached("SELECT data FROM tile WHERE level = ? AND idx = ?")?;
        let data: Option<Vec<u8>> = tile.query_row(params![level, index], |row| row.get(0)).optional()?;
        Ok(data.map(|data| hashes(&data)).filter(|hashes| hashes.len() as u64 == WIDTH))
    }

    /// Roots of full tiles, from `from` on; fewer if they are not there.
    pub(super) fn tile_roots(&self, level: u32, from: u64, count: u64) -> Result<Vec<Leaf>, Error> {
        let sql = "SELECT root FROM tile WHERE level = ?1 AND idx >= ?2 AND idx < ?3 ORDER BY idx";
        let mut roots = self.connection.prepare_cached(sql)?;
        let rows = roots.query_map(params![level, from, from + count], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// Reads one checkpoint.
pub(in crate::audit) fn signed(row: &rusqlite::Row<'_>) -> Result<Signed, rusqlite::Error> {
    Ok(Signed { size: row.get(0)?, time_us: row.get(1)?, root: row.get(2)?, note: row.get(3)? })
}

/// Hashes out of the bytes of a tile.
pub(in crate::audit) fn hashes(data: &[u8]) -> Vec<Leaf> {
    let (hashes, rest) = data.as_chunks::<32>();
    if rest.is_empty() { hashes.to_vec() } else { Vec::new() }
}
