//! `payloads.db`: ciphertexts by the sequence number of the record that names them.
//!
//! It is written before the record, without a sync of its own: the log's sync is what a call waits for. Before a
//! checkpoint is signed, everything that its records name is synced.

use super::seal::Sealed;
use crate::audit::Error;
use crate::audit::chain::Leaf;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file in the data folder.
pub const FILE: &str = "payloads.db";
/// The write-ahead log is moved into the store beyond this size, in bytes.
const LARGE: u64 = 8 << 20;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS payload (seq INTEGER PRIMARY KEY, t INTEGER NOT NULL, class TEXT NOT NULL,
        kek INTEGER NOT NULL, ct BLOB NOT NULL, gone INTEGER NOT NULL DEFAULT 0, nonce BLOB, wrapped BLOB,
        body BLOB) STRICT;";

/// Why a payload is not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gone {
    /// It was erased.
    Erased,
    /// Its time was over.
    Expired,
}

impl Gone {
    fn code(self) -> i64 {
        match self {
            Self::Erased => 1,
            Self::Expired => 2,
        }
    }
}

/// A payload as it is stored.
#[derive(Debug)]
pub(super) struct Stored {
    pub kek: i64,
    pub ct: Leaf,
    pub gone: Option<Gone>,
    pub nonce: Vec<u8>,
    pub wrapped: Vec<u8>,
    pub body: Vec<u8>,
}

/// A connection to the payloads.
#[derive(Debug)]
pub(in crate::audit) struct Shelf {
    connection: Connection,
    folder: PathBuf,
}

impl Shelf {
    /// Opens or makes the store.
    pub(in crate::audit) fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let io = |source| Error::File { path: path.clone(), source };
        OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(io)?;
        let connection = Connection::open(&path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "secure_delete", true)?;
        // The writer never stops for it: the sealer does it.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection, folder: folder.to_owned() })
    }

    pub(in crate::audit) fn open_readonly(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        Ok(Some(Self { connection, folder: folder.to_owned() }))
    }

    /// Stores payloads of records that are about to be written. A record that then is not written leaves its
    /// payload behind, and the next of that number replaces it.
    pub(in crate::audit) fn append(
        &mut self,
        payloads: &[(u64, i64, &Sealed)],
    ) -> Result<(), rusqlite::Error> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT OR REPLACE INTO payload (seq, t, class, kek, ct, nonce, wrapped, body) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )?;
            for (seq, t, p) in payloads {
                let (ct, nonce) = (p.ct.as_slice(), p.nonce.as_slice());
                insert.execute(params![seq, t, p.class, p.kek, ct, nonce, p.wrapped, p.body])?;
            }
        }
        transaction.commit()
    }

    /// Makes all that was written durable.
    pub(in crate::audit) fn sync(&self) -> Result<(), Error> {
        let path = self.folder.join(format!("{FILE}-wal"));
        let io = |source| Error::File { path: path.clone(), source };
        let wal = match File::open(&path) {
            Ok(wal) => wal,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(io(e)),
        };
        wal.sync_data().map_err(io)?;
        if wal.metadata().map_err(io)?.len() > LARGE {
            self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        }
        Ok(())
    }

    pub(super) fn get(&self, seq: u64) -> Result<Option<Stored>, Error> {
        let sql = "SELECT kek, ct, gone, nonce, wrapped, body FROM payload WHERE seq = ?";
        let row = |row: &rusqlite::Row<'_>| {
            let gone = match row.get::<_, i64>(2)? {
                0 => None,
                2 => Some(Gone::Expired),
                _ => Some(Gone::Erased),
            };
            let bytes = |at| row.get::<_, Option<Vec<u8>>>(at).map(Option::unwrap_or_default);
            let (nonce, wrapped, body) = (bytes(3)?, bytes(4)?, bytes(5)?);
            Ok(Stored { kek: row.get(0)?, ct: row.get(1)?, gone, nonce, wrapped, body })
        };
        Ok(self.connection.prepare_cached(sql)?.query_row([seq], row).optional()?)
    }

    /// Sequence numbers of what is wrapped by one of these keys.
    pub(super) fn under(&self, keks: &[i64]) -> Result<Vec<u64>, Error> {
        let mut found = Vec::new();
        let mut rows = self.connection.prepare("SELECT seq FROM payload WHERE kek = ? AND gone = 0")?;
        for kek in keks {
            for seq in rows.query_map([kek], |row| row.get(0))? {
                found.push(seq?);
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Sequence numbers from `first` to `last` whose payloads are still there.
    pub(in crate::audit) fn live(&self, first: u64, last: u64) -> Result<Vec<u64>, Error> {
        let sql = "SELECT seq FROM payload WHERE seq >= ? AND seq <= ? AND gone = 0 ORDER BY seq";
        let mut rows = self.connection.prepare(sql)?;
        Ok(rows.query_map([first, last], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// Sequence numbers of what is older than `before_us`, of a class or of all but some.
    pub(super) fn older(&self, before_us: i64, class: Result<&str, &[String]>) -> Result<Vec<u64>, Error> {
        let mut rows = self
            .connection
            .prepare("SELECT seq, class FROM payload WHERE t < ? AND gone = 0 ORDER BY seq")?;
        let rows = rows.query_map([before_us], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
        let mut found = Vec::new();
        for row in rows {
            let (seq, of): (u64, String) = row?;
            let wanted = match class {
                Ok(class) => of == class,
                Err(others) => !others.contains(&of),
            };
            if wanted {
                found.push(seq);
            }
        }
        Ok(found)
    }

    /// Takes ciphertext and data key away, and leaves a mark.
    pub(super) fn forget(&mut self, seqs: &[u64], why: Gone) -> Result<(), Error> {
        let transaction = self.connection.transaction()?;
        {
            let sql =
                "UPDATE payload SET gone = ?2, nonce = NULL, wrapped = NULL, body = NULL WHERE seq = ?1";
            let mut forget = transaction.prepare_cached(sql)?;
            for seq in seqs {
                forget.execute(params![seq, why.code()])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Moves everything into the store, so that no old page is left in the write-ahead log.
    pub(super) fn settle(&self) -> Result<(), Error> {
        let busy: i64 = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy == 0 {
            return Ok(());
        }
        let path = self.folder.join(format!("{FILE}-wal"));
        Err(Error::File { path, source: std::io::Error::other("a reader keeps old pages in use: try again") })
    }
}
