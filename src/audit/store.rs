//! The store: one INSERT-only SQLite table of exact bytes, guarded against our own mistakes by triggers.

use super::chain::{Leaf, NO_LINK};
use super::record::Kind;
use rusqlite::config::DbConfig;
use rusqlite::{CachedStatement, Connection, OpenFlags, OptionalExtension as _, ToSql, params};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The file in the data folder.
pub(super) const FILE: &str = "audit.db";

/// Why the log cannot be opened for writing.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes this log.
    #[error("another process holds `{0}`: a log has one writer")]
    Locked(PathBuf),
    /// The end of the log does not verify.
    #[error("record {seq} does not verify ({what}): run `sealgate audit verify` and restore the log")]
    Tampered {
        /// The record.
        seq: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The store was made by a newer version, or its tables were changed.
    #[error(
        "the tables of the log are not what this version makes: restore the log, or use the version that made it"
    )]
    Foreign,
    /// The store cannot be used.
    #[error("the store cannot be used: {0}")]
    Store(#[from] rusqlite::Error),
    /// The folder cannot be used.
    #[error("`{path}` cannot be used: {source}")]
    Io {
        /// The path.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Somebody remembers more of this log, or another log of this name.
    #[error(
        "rollback detected: {anchor} covers {size} records that this log does not have or contradicts: restore the log"
    )]
    Rollback {
        /// Who remembers.
        anchor: String,
        /// How many records.
        size: u64,
    },
    /// The newest checkpoint is not one.
    #[error("the checkpoint of {size} records cannot be used ({why}): run `sealgate audit verify`")]
    Checkpoint {
        /// Its size.
        size: u64,
        /// Why not.
        why: super::tree::note::Error,
    },
    /// The signing keys cannot be used.
    #[error("the keys of the checkpoints cannot be used: {0}")]
    Keys(#[from] super::tree::keys::Error),
    /// The anchor file cannot be used.
    #[error("the anchor file cannot be used: {0}")]
    Anchor(#[source] Box<super::anchor::Error>),
    /// Tree or checkpoints cannot be used.
    #[error("the store of checkpoints cannot be used: {0}")]
    Tree(#[source] super::Error),
    /// Payloads or their keys cannot be used.
    #[error("payloads cannot be kept: {0}")]
    Payloads(#[source] super::Error),
    /// The first records cannot be written.
    #[error("the log cannot be written: {0}")]
    Unwritable(String),
}

/// What the tables are made with. `verify` compares the text.
pub(super) const SCHEMA: [(&str, &str); 5] = [
    (
        "entry",
        "CREATE TABLE entry (seq INTEGER PRIMARY KEY, t INTEGER NOT NULL, kind INTEGER NOT NULL, call BLOB, \
         rec BLOB NOT NULL, leaf BLOB NOT NULL) STRICT",
    ),
    ("entry_call", "CREATE INDEX entry_call ON entry (call) WHERE call IS NOT NULL"),
    (
        "entry_no_update",
        "CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END",
    ),
    (
        "entry_no_delete",
        "CREATE TRIGGER entry_no_delete BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END",
    ),
    // Without this one, INSERT OR REPLACE slips past the other two.
    (
        "entry_contiguous",
        "CREATE TRIGGER entry_contiguous BEFORE INSERT ON entry WHEN NEW.seq IS NOT \
         (SELECT coalesce(max(seq) + 1, 0) FROM entry) BEGIN SELECT RAISE(ABORT, 'the log has no gaps'); END",
    ),
];

/// The largest statement takes two to this power rows.
const MOST_POWER: u32 = 3;
/// Statements that insert one, two and four rows.
const INSERTS: [&str; MOST_POWER as usize] = [
    "INSERT INTO entry (seq, t, kind, call, rec, leaf) VALUES (?,?,?,?,?,?)",
    "INSERT INTO entry (seq, t, kind, call, rec, leaf) VALUES (?,?,?,?,?,?), (?,?,?,?,?,?)",
    "INSERT INTO entry (seq, t, kind, call, rec, leaf) VALUES (?,?,?,?,?,?), (?,?,?,?,?,?), (?,?,?,?,?,?), \
     (?,?,?,?,?,?)",
];
/// The statement that inserts eight rows.
const INSERT_MOST: &str = "INSERT INTO entry (seq, t, kind, call, rec, leaf) VALUES (?,?,?,?,?,?), (?,?,?,?,?,?), \
     (?,?,?,?,?,?), (?,?,?,?,?,?), (?,?,?,?,?,?), (?,?,?,?,?,?), (?,?,?,?,?,?), (?,?,?,?,?,?)";

/// One row.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub seq: u64,
    pub time_us: i64,
    pub kind: i64,
    pub call: Option<Uuid>,
    pub record: Vec<u8>,
    pub leaf: Leaf,
}

/// The write connection.
#[derive(Debug)]
pub(super) struct Store {
    connection: Connection,
}

impl Store {
    /// Opens or makes the store.
    pub(super) fn open(folder: &Path, max_size_mb: Option<u64>) -> Result<Self, OpenError> {
        let connection = Connection::open(folder.join(FILE))?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // NORMAL loses acknowledged records when the power goes.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "recursive_triggers", true)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.set_prepared_statement_cache_capacity(16);
        let mut store = Self { connection };
        store.make_tables()?;
        if let Some(mb) = max_size_mb {
            let page: u64 = store.connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
            store.connection.pragma_update(None, "max_page_count", (mb << 20) / page.max(1))?;
        }
        Ok(store)
    }

    fn make_tables(&mut self) -> Result<(), OpenError> {
        let found = schema_of(&self.connection)?;
        if found.is_empty() {
            let transaction = self.connection.transaction()?;
            for (_, sql) in SCHEMA {
                transaction.execute_batch(sql)?;
            }
            transaction.commit()?;
            return Ok(());
        }
        if is_our_schema(&found) { Ok(()) } else { Err(OpenError::Foreign) }
    }

    /// Bytes that still fit, if the size is limited.
    pub(super) fn room(&self) -> Result<Option<u64>, rusqlite::Error> {
        let read = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
        let (page, used, most) = (read("page_size")?, read("page_count")?, read("max_page_count")?);
        // The default of SQLite means: no limit of ours.
        Ok((most < 0xFFFF_FFF0).then(|| most.saturating_sub(used) * page))
    }

    /// Writes rows in one transaction: all are durable, or none is there.
    pub(super) fn append(&mut self, rows: &[Row]) -> Result<(), rusqlite::Error> {
        let transaction = self.connection.transaction()?;
        let mut rest = rows;
        // Statements of several rows: what a statement costs is for the most part the same for one row as for eight.
        while let Some(power) = rest.len().checked_ilog2() {
            let sql = INSERTS.get(power as usize).copied().unwrap_or(INSERT_MOST);
            let (now, later) = rest.split_at(rest.len().min(1 << power.min(MOST_POWER)));
            let mut insert = transaction.prepare_cached(sql)?;
            let mut place = 1..;
            let mut bind = |insert: &mut CachedStatement<'_>, value: &dyn ToSql| {
                insert.raw_bind_parameter(place.next().unwrap_or_default(), value)
            };
            for row in now {
                bind(&mut insert, &row.seq)?;
                bind(&mut insert, &row.time_us)?;
                bind(&mut insert, &row.kind)?;
                bind(&mut insert, &row.call.as_ref().map(|call| call.as_bytes().as_slice()))?;
                bind(&mut insert, &row.record)?;
                bind(&mut insert, &row.leaf.as_slice())?;
            }
            insert.raw_execute()?;
            rest = later;
        }
        transaction.commit()
    }

    /// Moves what is in the write-ahead log into the store, as far as readers let it.
    pub(super) fn settle(&self) {
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }

    /// The last row.
    pub(super) fn last(&self) -> Result<Option<Row>, rusqlite::Error> {
        let mut newest = self
            .connection
            .prepare("SELECT seq, t, kind, call, rec, leaf FROM entry ORDER BY seq DESC LIMIT 1")?;
        newest.query_row([], row).optional()
    }

    /// The link before `seq`.
    pub(super) fn link_before(&self, seq: u64) -> Result<Leaf, rusqlite::Error> {
        if seq == 0 {
            return Ok(NO_LINK);
        }
        self.connection.query_row("SELECT leaf FROM entry WHERE seq = ?", [seq - 1], |row| row.get(0))
    }

    /// Rows from `seq` on.
    pub(super) fn since(&self, seq: u64) -> Result<Vec<Row>, rusqlite::Error> {
        let mut rows = self
            .connection
            .prepare("SELECT seq, t, kind, call, rec, leaf FROM entry WHERE seq >= ? ORDER BY seq")?;
        rows.query_map([seq], row)?.collect()
    }

    /// Sequence number and count of the epochs' beginnings.
    pub(super) fn epochs(&self) -> Result<(Option<u64>, u64), rusqlite::Error> {
        let kind = Kind::LogOpen.code();
        self.connection.query_row("SELECT max(seq), count(*) FROM entry WHERE kind = ?", [kind], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    /// Calls that began at or after `seq` and have no end.
    pub(super) fn open_calls(&self, seq: u64) -> Result<Vec<Uuid>, rusqlite::Error> {
        let (begin, end, unknown) =
            (Kind::CallIntent.code(), Kind::CallOutcome.code(), Kind::CallIndeterminate.code());
        let mut open = self.connection.prepare(
            "SELECT call FROM entry e WHERE seq >= ?1 AND kind = ?2 AND NOT EXISTS \
             (SELECT 1 FROM entry o WHERE o.call = e.call AND o.kind IN (?3, ?4)) ORDER BY seq",
        )?;
        let calls =
            open.query_map(params![seq, begin, end, unknown], |row| row.get::<_, Option<Vec<u8>>>(0))?;
        let calls: Vec<Option<Vec<u8>>> = calls.collect::<Result<_, _>>()?;
        Ok(calls.into_iter().flatten().filter_map(|bytes| Uuid::from_slice(&bytes).ok()).collect())
    }
}

/// Opens a store for reading only, also while a writer is at work.
pub(super) fn open_readonly(folder: &Path) -> Result<Connection, super::Error> {
    let path = if folder.is_file() { folder.to_owned() } else { folder.join(FILE) };
    if !path.exists() {
        return Err(super::Error::Missing(folder.to_owned()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Names and texts of everything that the store holds.
pub(super) fn schema_of(connection: &Connection) -> Result<Vec<(String, String)>, rusqlite::Error> {
    let mut all = connection.prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name")?;
    all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Whether that is exactly what we make.
pub(super) fn is_our_schema(found: &[(String, String)]) -> bool {
    let mut ours: Vec<(&str, &str)> = SCHEMA.to_vec();
    ours.sort_unstable();
    found.iter().map(|(name, sql)| (name.as_str(), sql.as_str())).eq(ours)
}

/// Reads one row.
pub(super) fn row(row: &rusqlite::Row<'_>) -> Result<Row, rusqlite::Error> {
    let call: Option<Vec<u8>> = row.get(3)?;
    Ok(Row {
        seq: row.get(0)?,
        time_us: row.get(1)?,
        kind: row.get(2)?,
        // What is no id must not look like none.
        call: call.map(|bytes| Uuid::from_slice(&bytes).unwrap_or(Uuid::max())),
        record: row.get(4)?,
        leaf: row.get(5)?,
    })
}
