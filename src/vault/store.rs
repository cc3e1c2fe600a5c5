//! The open vault: keeps values, gives them back, forgets what is over its time.

use super::seal::{Bound, Key};
use super::{Error, FILE, KEY};
use crate::clock::Clock;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use uuid::Uuid;

const FORMAT: i64 = 1;
const PATIENCE: Duration = Duration::from_secs(5);
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS entry (scope TEXT NOT NULL, token TEXT NOT NULL, kind TEXT NOT NULL,
        commitment TEXT NOT NULL, subject TEXT NOT NULL, call TEXT NOT NULL, number INTEGER NOT NULL, sealed BLOB NOT NULL,
        expires INTEGER NOT NULL, PRIMARY KEY (scope, token, subject)) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS by_subject ON entry (subject);
    CREATE INDEX IF NOT EXISTS by_commitment ON entry (commitment);
    CREATE INDEX IF NOT EXISTS by_call ON entry (call);
    CREATE INDEX IF NOT EXISTS by_expiry ON entry (expires);
    PRAGMA user_version = 1;";

/// How much is kept, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How long a value is kept after its token was last given out.
    pub ttl: Duration,
    /// Values that are kept at most.
    pub entries: u64,
}

/// Whose values are kept.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// Within which tokens are opened.
    pub scope: &'a str,
    /// At whose erasure they go: the caller's id.
    pub subject: &'a str,
    /// In which call they were taken out.
    pub call: Uuid,
}

/// A value to be kept.
#[derive(Clone, Copy)]
pub struct Kept<'a> {
    /// Its token.
    pub token: &'a str,
    /// Its type.
    pub kind: &'a str,
    /// The commitment that records carry.
    pub commitment: &'a str,
    /// The value.
    pub value: &'a str,
    /// Whether it was a JSON number.
    pub number: bool,
}

/// A value that was given back.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// Its type.
    pub kind: String,
    /// The commitment that records carry.
    pub commitment: String,
    /// The value.
    pub value: String,
    /// Whether it was a JSON number.
    pub number: bool,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Opened").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// An open vault. All of it waits for the disk: never to be used on an async thread.
#[derive(Debug)]
pub struct Vault {
    path: PathBuf,
    inode: u64,
    key: Key,
    bounds: Bounds,
    clock: Clock,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    connection: Connection,
    /// Entries, or more: others may have erased some.
    count: u64,
}

/// A connection to the file, which is made where there is none.
pub(super) fn connect(path: &Path) -> Result<Connection, Error> {
    let io = |source| Error::File { path: path.to_owned(), source };
    // Made before SQLite makes it with everybody's access.
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(io)?;
    let connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > FORMAT {
        return Err(Error::Newer { found, known: FORMAT });
    }
    connection.pragma_update(None, "journal_mode", "DELETE")?;
    connection.pragma_update(None, "synchronous", "EXTRA")?;
    // What is taken out is overwritten: erasing is not forgetting where it stood.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.execute_batch(SCHEMA)?;
    Ok(connection)
}

impl Vault {
    /// Opens or makes it.
    ///
    /// # Errors
    /// Its files cannot be used.
    pub fn open(folder: &Path, bounds: Bounds, clock: Clock) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let key = Key::open(&folder.join(KEY))?;
        let connection = connect(&path)?;
        let count = entries(&connection)?;
        let inode = inode(&path)?;
        let vault = Self { path, inode, key, bounds, clock, inner: Mutex::new(Inner { connection, count }) };
        vault.purge()?;
        Ok(vault)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// SQLite would go on in a file that nobody finds any more.
    fn still_there(&self) -> Result<(), Error> {
        if inode(&self.path).is_ok_and(|now| now == self.inode) { Ok(()) } else { Err(Error::Gone) }
    }

    /// Keeps values until they expire, all or none. Those that are kept already live on.
    ///
    /// # Errors
    /// They cannot be kept, or there is no room.
    pub fn keep(&self, owner: &Owner<'_>, values: &[Kept<'_>]) -> Result<(), Error> {
        self.still_there()?;
        let ttl = i64::try_from(self.bounds.ttl.as_micros()).unwrap_or(i64::MAX);
        let now = self.clock.now_us();
        let expires = now.saturating_add(ttl);
        let mut inner = self.lock();
        let (mut missing, mut wanted) = (Vec::new(), 0);
        for value in values {
            let known: Option<i64> = inner
                .connection
                .prepare_cached("SELECT expires FROM entry WHERE scope = ? AND token = ? AND subject = ?")?
                .query_row(params![owner.scope, value.token, owner.subject], |row| row.get(0))
                .optional()?;
            // A write for each call would cost more than some hours of life are worth.
            if known.is_none_or(|until| until.saturating_sub(now) < ttl / 2) {
                missing.push(value);
                wanted += u64::from(known.is_none());
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        if inner.count.saturating_add(wanted) > self.bounds.entries {
            forget(&inner.connection, now)?;
            inner.count = entries(&inner.connection)?;
            if inner.count.saturating_add(wanted) > self.bounds.entries {
                return Err(Error::Full { limit: self.bounds.entries });
            }
        }
        let write = inner.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for value in missing {
            let bound = Bound {
                scope: owner.scope,
                token: value.token,
                kind: value.kind,
                commitment: value.commitment,
                number: value.number,
            };
            let sealed = self.key.seal(&bound, value.value)?;
            let sql =
                "INSERT INTO entry (scope, token, kind, commitment, subject, call, number, sealed, expires)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET expires = excluded.expires";
            write.prepare_cached(sql)?.execute(params![
                owner.scope,
                value.token,
                value.kind,
                value.commitment,
                owner.subject,
                owner.call.to_string(),
                value.number,
                sealed,
                expires
            ])?;
        }
        write.commit()?;
        inner.count += wanted;
        Ok(())
    }

    /// What a token stands for in a scope; `None` if it is unknown there, expired or erased.
    ///
    /// # Errors
    /// The vault cannot be read, or the entry was changed.
    pub fn give(&self, scope: &str, token: &str) -> Result<Option<Opened>, Error> {
        self.still_there()?;
        let inner = self.lock();
        let found: Option<(String, String, bool, Vec<u8>)> = inner
            .connection
            .prepare_cached(
                "SELECT kind, commitment, number, sealed FROM entry WHERE scope = ? AND token = ? AND expires > ? LIMIT 1",
            )?
            .query_row(params![scope, token, self.clock.now_us()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()?;
        let Some((kind, commitment, number, sealed)) = found else { return Ok(None) };
        let bound = Bound { scope, token, kind: &kind, commitment: &commitment, number };
        let value = self.key.open_sealed(&bound, &sealed)?;
        Ok(Some(Opened { kind, commitment, value, number }))
    }

    /// Takes away what is over its time.
    ///
    /// # Errors
    /// The vault cannot be written.
    pub fn purge(&self) -> Result<(), Error> {
        self.still_there()?;
        let mut inner = self.lock();
        if forget(&inner.connection, self.clock.now_us())? > 0 {
            inner.count = entries(&inner.connection)?;
        }
        Ok(())
    }
}

fn inode(path: &Path) -> Result<u64, Error> {
    fs::metadata(path).map(|file| file.ino()).map_err(|source| Error::File { path: path.to_owned(), source })
}

fn entries(connection: &Connection) -> Result<u64, Error> {
    Ok(connection.query_row("SELECT count(*) FROM entry", [], |row| row.get(0))?)
}

fn forget(connection: &Connection, now_us: i64) -> Result<usize, Error> {
    Ok(connection.prepare_cached("DELETE FROM entry WHERE expires <= ?")?.execute([now_us])?)
}
