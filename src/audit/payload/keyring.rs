//! `payload-keys.db`: one key per subject and month, wrapped by the master key; holds; erasures under way.
//!
//! Never keep a copy of it with a copy of the payloads: destroying a key is what erases.

use super::erase::{Hold, Selector};
use super::seal::{self, Key};
use crate::audit::Error;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file in the data folder.
pub const FILE: &str = "payload-keys.db";
/// The master key.
pub const MASTER: &str = "payload.key";

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS kek (id INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL,
        month TEXT NOT NULL, wrapped BLOB NOT NULL, UNIQUE (subject, month)) STRICT;
    CREATE TABLE IF NOT EXISTS hold (id TEXT PRIMARY KEY, selector TEXT NOT NULL, reason TEXT NOT NULL,
        t INTEGER NOT NULL, by TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS pending (id INTEGER PRIMARY KEY, erasure TEXT NOT NULL) STRICT;";

/// The keys.
#[derive(Debug)]
pub(super) struct Keyring {
    connection: Connection,
    path: PathBuf,
    master: Key,
}

impl Keyring {
    /// Opens or makes it.
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let master = master(&folder.join(MASTER))?;
        let path = folder.join(FILE);
        let io = |source| Error::File { path: path.clone(), source };
        // Made before SQLite makes it with everybody's access.
        OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(io)?;
        let connection = Connection::open(&path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "DELETE")?;
        connection.pragma_update(None, "synchronous", "EXTRA")?;
        connection.pragma_update(None, "secure_delete", true)?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection, path, master })
    }

    /// Number and key of a subject in a month; made if there is none.
    pub(super) fn key(&self, subject: &str, month: &str) -> Result<(i64, Key), Error> {
        let sql = "SELECT id, wrapped FROM kek WHERE subject = ? AND month = ?";
        let found: Option<(i64, Vec<u8>)> = self
            .connection
            .prepare_cached(sql)?
            .query_row(params![subject, month], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((id, wrapped)) = found {
            return Ok((id, seal::unwrap(&self.master, &wrapped, aad(subject, month).as_bytes())?));
        }
        let key: Key = seal::random()?;
        let wrapped = seal::wrap(&self.master, &key, aad(subject, month).as_bytes())?;
        let sql = "INSERT INTO kek (subject, month, wrapped) VALUES (?, ?, ?)";
        self.connection.execute(sql, params![subject, month, wrapped])?;
        Ok((self.connection.last_insert_rowid(), key))
    }

    /// The key of that number; `None` if it was destroyed.
    pub(super) fn by_number(&self, id: i64) -> Result<Option<Key>, Error> {
        let sql = "SELECT subject, month, wrapped FROM kek WHERE id = ?";
        let found: Option<(String, String, Vec<u8>)> = self
            .connection
            .prepare_cached(sql)?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((subject, month, wrapped)) = found else { return Ok(None) };
        Ok(Some(seal::unwrap(&self.master, &wrapped, aad(&subject, &month).as_bytes())?))
    }

    /// Numbers of a subject's keys.
    pub(super) fn numbers(&self, subject: &str) -> Result<Vec<i64>, Error> {
        let mut ids = self.connection.prepare("SELECT id FROM kek WHERE subject = ? ORDER BY id")?;
        Ok(ids.query_map([subject], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// Destroys a subject's keys; the pages that held them are overwritten.
    pub(super) fn destroy(&self, subject: &str) -> Result<usize, Error> {
        Ok(self.connection.execute("DELETE FROM kek WHERE subject = ?", [subject])?)
    }

    pub(super) fn holds(&self) -> Result<Vec<Hold>, Error> {
        let mut all =
            self.connection.prepare("SELECT id, selector, reason, t, by FROM hold ORDER BY t, id")?;
        let rows = all.query_map([], |row| {
            let selector: String = row.get(1)?;
            Ok((row.get(0)?, selector, row.get(2)?, row.get(3)?, row.get(4)?))
        })?;
        let mut holds = Vec::new();
        for row in rows {
            let (id, selector, reason, t, by) = row?;
            // A hold that cannot be read must not look like none.
            let selector: Selector = serde_json::from_str(&selector).map_err(|_| self.unreadable())?;
            holds.push(Hold { id, selector, reason, t, by });
        }
        Ok(holds)
    }

    fn unreadable(&self) -> Error {
        Error::File { path: self.path.clone(), source: std::io::Error::other("a hold cannot be read") }
    }

    pub(super) fn set_hold(&self, hold: &Hold) -> Result<(), Error> {
        let selector = serde_json::to_string(&hold.selector).map_err(|_| self.unreadable())?;
        let sql = "INSERT INTO hold (id, selector, reason, t, by) VALUES (?, ?, ?, ?, ?)";
        self.connection.execute(sql, params![hold.id, selector, hold.reason, hold.t, hold.by])?;
        Ok(())
    }

    pub(super) fn lift_hold(&self, id: &str) -> Result<bool, Error> {
        Ok(self.connection.execute("DELETE FROM hold WHERE id = ?", [id])? == 1)
    }

    /// Remembers an erasure until it is done.
    pub(super) fn begin(&self, erasure: &str) -> Result<i64, Error> {
        self.connection.execute("INSERT INTO pending (erasure) VALUES (?)", [erasure])?;
        Ok(self.connection.last_insert_rowid())
    }

    pub(super) fn done(&self, id: i64) -> Result<(), Error> {
        self.connection.execute("DELETE FROM pending WHERE id = ?", [id])?;
        Ok(())
    }

    /// Erasures that a crash interrupted.
    pub(super) fn pending(&self) -> Result<Vec<(i64, String)>, Error> {
        let mut all = self.connection.prepare("SELECT id, erasure FROM pending ORDER BY id")?;
        Ok(all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
    }
}

fn aad(subject: &str, month: &str) -> String {
    format!("sealgate/payload/v1/kek\n{subject}\n{month}")
}

/// The master key; where there is none, one is made.
fn master(path: &Path) -> Result<Key, Error> {
    let io = |source| Error::File { path: path.to_owned(), source };
    match fs::read(path) {
        Ok(bytes) => {
            if fs::metadata(path).map_err(io)?.permissions().mode() & 0o077 != 0 {
                return Err(io(std::io::Error::other("others can read it: chmod 600")));
            }
            bytes.try_into().map_err(|_| io(std::io::Error::other("it does not hold 32 bytes")))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let key: Key = seal::random()?;
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
            file.write_all(&key).and_then(|()| file.sync_all()).map_err(io)?;
            Ok(key)
        }
        Err(e) => Err(io(e)),
    }
}
