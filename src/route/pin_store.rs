//! Keeps pins and what is still to be recorded of them: one small SQLite file beside the log.

use super::pins::{Book, Change, Pin, State, Version, What};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, TransactionBehavior, params};
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const FILE: &str = "pins.db";
const FORMAT: i64 = 1;
const PATIENCE: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
CREATE TABLE pins (
    server          TEXT NOT NULL,
    tool            TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('pinned', 'drifted', 'quarantined', 'rejected')),
    approved_digest TEXT,
    approved        TEXT,
    seen_digest     TEXT,
    seen            TEXT,
    reasons         TEXT NOT NULL,
    changed_us      INTEGER NOT NULL,
    changed_by      TEXT NOT NULL,
    PRIMARY KEY (server, tool)
) STRICT;
CREATE TABLE unrecorded (
    id      INTEGER PRIMARY KEY,
    what    TEXT NOT NULL,
    server  TEXT NOT NULL,
    tool    TEXT NOT NULL,
    before  TEXT,
    after   TEXT,
    reasons TEXT NOT NULL,
    by      TEXT NOT NULL
) STRICT;
PRAGMA user_version = 1;";

/// Why pins cannot be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// The file cannot be made.
    #[error("cannot use `{path}`; check that the folder exists and is writable")]
    File {
        /// The file.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// SQLite says no.
    #[error("the pins cannot be read or written")]
    Store(#[from] rusqlite::Error),
    /// It was written by a newer version.
    #[error("the pins have format {found}, this version knows {FORMAT}: use the newer version")]
    Newer {
        /// The format that was found.
        found: i64,
    },
    /// A row does not hold what it should.
    #[error("the pin of `{0}` is damaged; restore `pins.db` from a backup")]
    Damaged(String),
    /// There is no such pin.
    #[error("no tool `{tool}` of server `{server}` is known; `sealgate server pins` lists them")]
    Unknown {
        /// The server's id.
        server: String,
        /// The tool's own name.
        tool: String,
    },
    /// What was seen is not what was meant.
    #[error(
        "the definition that was seen last is `{seen}`, not `{wanted}`: look at `sealgate server diff` again"
    )]
    Other {
        /// The digest of what was seen.
        seen: String,
        /// The digest that was given.
        wanted: String,
    },
}

/// One connection to the file.
#[derive(Debug)]
pub struct PinStore {
    connection: Mutex<Connection>,
}

impl PinStore {
    /// Opens the file in `folder`, or makes it, readable by its owner alone.
    ///
    /// # Errors
    /// It cannot be made, or belongs to a newer version.
    pub fn open(folder: &Path) -> Result<Self, PinError> {
        let file = |source| PinError::File { path: folder.join(FILE).display().to_string(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(file)?;
        let path = folder.join(FILE);
        OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(file)?;
        let mut connection = Connection::open(&path)?;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match found {
            0 => transaction.execute_batch(SCHEMA)?,
            FORMAT => {}
            _ => return Err(PinError::Newer { found }),
        }
        transaction.commit()?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// The pins of `folder` as they are, for a trial: nothing is made or changed there.
    ///
    /// # Errors
    /// They are there and cannot be read.
    pub fn trial(folder: &Path) -> Result<Self, PinError> {
        let store = Connection::open_in_memory()?;
        store.execute_batch(SCHEMA)?;
        let copy = Self { connection: Mutex::new(store) };
        let path = folder.join(FILE);
        if path.exists() {
            let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            connection.busy_timeout(PATIENCE)?;
            let original = Self { connection: Mutex::new(connection) };
            let pins = original.pins()?;
            copy.settle(&Book::fresh(pins), &[])?;
        }
        Ok(copy)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that changes when another process changed the file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn version(&self) -> Result<i64, PinError> {
        Ok(self.lock().prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
    }

    /// All pins, by server and tool.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn pins(&self) -> Result<Vec<Pin>, PinError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT * FROM pins ORDER BY server, tool")?;
        let rows = query.query_map([], |row| Ok(read(row)))?;
        rows.map(|row| row?).collect()
    }

    /// What was changed from outside and has not been recorded yet, by row.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn unrecorded(&self) -> Result<Vec<(i64, Change)>, PinError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT * FROM unrecorded ORDER BY id")?;
        let rows = query.query_map([], |row| {
            let what: String = row.get("what")?;
            let reasons: String = row.get("reasons")?;
            Ok((
                row.get("id")?,
                Change {
                    what: What::ALL.into_iter().find(|one| one.as_str() == what).unwrap_or(What::Reject),
                    server: row.get("server")?,
                    tool: row.get("tool")?,
                    before: row.get("before")?,
                    after: row.get("after")?,
                    reasons: serde_json::from_str(&reasons).unwrap_or_default(),
                    by: row.get("by")?,
                },
            ))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Keeps what judging has changed, and forgets what has been recorded. A pin that somebody else has changed
    /// meanwhile stays as they left it.
    ///
    /// # Errors
    /// Nothing was kept.
    pub fn settle(&self, book: &Book, recorded: &[i64]) -> Result<(), PinError> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (pin, row) in &book.dirty {
            write(&transaction, pin, *row)?;
        }
        for id in recorded {
            transaction.execute("DELETE FROM unrecorded WHERE id = ?1", [id])?;
        }
        Ok(transaction.commit()?)
    }

    /// Approves what was seen last, or refuses it. The gateway follows within a second and records it.
    ///
    /// # Errors
    /// There is no such pin, or what was seen is not `digest`.
    pub fn decide(
        &self,
        (server, tool): (&str, &str),
        what: What,
        digest: Option<&str>,
        (by, now_us): (&str, i64),
    ) -> Result<Pin, PinError> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found = transaction
            .query_row("SELECT * FROM pins WHERE server = ?1 AND tool = ?2", [server, tool], |row| {
                Ok(read(row))
            })
            .optional()?;
        let unknown = || PinError::Unknown { server: server.into(), tool: tool.into() };
        let old = found.ok_or_else(unknown)??;
        let seen = old
            .seen
            .clone()
            .or_else(|| old.approved.clone())
            .ok_or_else(|| PinError::Damaged(tool.into()))?;
        if let Some(wanted) = digest.filter(|wanted| {
            !seen.digest.trim_start_matches("sha256:").starts_with(wanted.trim_start_matches("sha256:"))
        }) {
            return Err(PinError::Other { seen: seen.digest, wanted: wanted.into() });
        }
        let before = old.approved.as_ref().map(|version| version.digest.clone());
        let approves = what == What::Approve;
        // Refusing what was approved takes the approval back.
        let kept = old.approved.clone().filter(|approved| approved.digest != seen.digest);
        let pin = Pin {
            state: if approves { State::Pinned } else { State::Rejected },
            approved: if approves { Some(seen.clone()) } else { kept },
            seen: (!approves).then(|| seen.clone()),
            changed_us: now_us.max(old.changed_us + 1),
            changed_by: by.to_owned(),
            ..old.clone()
        };
        write(&transaction, &pin, Some(old.changed_us))?;
        let reasons = serde_json::to_string(&pin.reasons).unwrap_or_default();
        transaction.execute(
            "INSERT INTO unrecorded (what, server, tool, before, after, reasons, by) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![what.as_str(), server, tool, before, seen.digest, reasons, by],
        )?;
        transaction.commit()?;
        Ok(pin)
    }
}

fn write(connection: &Connection, pin: &Pin, row: Option<i64>) -> Result<(), PinError> {
    let reasons = serde_json::to_string(&pin.reasons).unwrap_or_default();
    let (approved, seen) = (pin.approved.as_ref(), pin.seen.as_ref());
    connection.execute(
        "INSERT INTO pins (server, tool, state, approved_digest, approved, seen_digest, seen, reasons, changed_us,
                           changed_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (server, tool) DO UPDATE SET state = ?3, approved_digest = ?4, approved = ?5, seen_digest = ?6,
             seen = ?7, reasons = ?8, changed_us = ?9, changed_by = ?10
         WHERE pins.changed_us = ?11",
        params![
            pin.server,
            pin.tool,
            pin.state.as_str(),
            approved.map(|version| &version.digest),
            approved.map(|version| &version.text),
            seen.map(|version| &version.digest),
            seen.map(|version| &version.text),
            reasons,
            pin.changed_us,
            pin.changed_by,
            row,
        ],
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Pin, PinError> {
    let tool: String = row.get("tool")?;
    let version = |digest: Option<String>, text: Option<String>| {
        digest.zip(text).map(|(digest, text)| Version { digest, text })
    };
    let state: String = row.get("state")?;
    let reasons: String = row.get("reasons")?;
    Ok(Pin {
        state: State::parse(&state).ok_or_else(|| PinError::Damaged(tool.clone()))?,
        reasons: serde_json::from_str(&reasons).map_err(|_| PinError::Damaged(tool.clone()))?,
        server: row.get("server")?,
        approved: version(row.get("approved_digest")?, row.get("approved")?),
        seen: version(row.get("seen_digest")?, row.get("seen")?),
        changed_us: row.get("changed_us")?,
        changed_by: row.get("changed_by")?,
        tool,
    })
}
