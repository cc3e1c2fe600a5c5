//! A witness of other logs: cosigns a checkpoint only if it continues the last one that it saw (C2SP tlog-witness).

use super::Error;
use super::tree::keys;
use super::tree::note::{Checkpoint, Note, Signer, Use, Verifier, decimal, parse_hash};
use super::tree::proof::{Head, MOST, extends};
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The signing key in the witness's folder.
pub const KEY: &str = "witness.key";
/// What it has seen.
const FILE: &str = "witness.db";
/// Largest request that it reads, in bytes.
pub const LARGEST: usize = 64 << 10;

/// An answer, for whoever serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `text/x.tlog.size` for a size, else plain text.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Answer {
    fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: body.into() }
    }

    fn size(size: u64) -> Self {
        Self { status: 409, content_type: "text/x.tlog.size", body: format!("{size}\n") }
    }
}

/// A witness: its key, the logs that it knows, and what it saw of each.
#[derive(Debug)]
pub struct Witness {
    signer: Signer,
    logs: Vec<Verifier>,
    seen: Mutex<Connection>,
}

impl Witness {
    /// Opens the witness in `folder`, or makes it under `name`; it cosigns for logs with these keys.
    ///
    /// # Errors
    /// Key or store cannot be used.
    pub fn open(folder: &Path, name: &str, logs: Vec<Verifier>) -> Result<Self, Error> {
        let io = |source| Error::File { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(io)?;
        let path = folder.join(KEY);
        if !path.exists() {
            keys::write(&path, &[&keys::generate_key(name, Use::Witness)?])?;
        }
        let signer = keys::read(&path)?.pop().ok_or(super::tree::note::Error::Key)?;
        if signer.verifier().purpose() != Use::Witness || signer.verifier().name() != name {
            return Err(super::tree::note::Error::Key.into());
        }
        let seen = Connection::open(folder.join(FILE))?;
        seen.busy_timeout(Duration::from_secs(5))?;
        seen.pragma_update(None, "journal_mode", "WAL")?;
        seen.pragma_update(None, "synchronous", "FULL")?;
        seen.execute_batch(
            "CREATE TABLE IF NOT EXISTS seen (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, \
             root BLOB NOT NULL, note TEXT NOT NULL) STRICT",
        )?;
        Ok(Self { signer, logs, seen: Mutex::new(seen) })
    }

    /// Its verification key.
    pub fn verifier(&self) -> &Verifier {
        self.signer.verifier()
    }

    /// Answers `POST /add-checkpoint`; `now_s` is the time in seconds since the Unix epoch.
    ///
    /// # Errors
    /// The store cannot be used: nothing is cosigned.
    pub fn add_checkpoint(&self, body: &str, now_s: u64) -> Result<Answer, Error> {
        let Some(request) = Request::parse(body) else {
            return Ok(Answer::new(
                400,
                "the request is not `old N`, hashes, an empty line and a checkpoint\n",
            ));
        };
        let Request { old, proof, note, checkpoint } = request;
        let known: Vec<Verifier> =
            self.logs.iter().filter(|key| key.name() == checkpoint.origin).cloned().collect();
        if known.is_empty() {
            return Ok(Answer::new(404, "this witness does not know that log\n"));
        }
        if note.signed_by(&known).is_err() {
            return Ok(Answer::new(403, "the checkpoint is not signed by a key that this witness knows\n"));
        }
        let new = checkpoint.head;
        if old > new.size {
            return Ok(Answer::new(400, "the old size is larger than the checkpoint\n"));
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at and stored in one transaction, so that no older request can take a newer one back.
        let transaction = seen.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let last: Option<Head> = transaction
            .query_row("SELECT size, root FROM seen WHERE origin = ?", [&checkpoint.origin], |row| {
                Ok(Head { size: row.get(0)?, root: row.get(1)? })
            })
            .optional()?;
        let last = last.unwrap_or_else(|| Head { size: 0, root: super::chain::hash(&[]) });
        if old != last.size || (old == new.size && last.root != new.root) {
            return Ok(Answer::size(last.size));
        }
        if !extends(&last, &new, &proof) {
            return Ok(Answer::new(422, "the consistency proof does not verify\n"));
        }
        transaction.execute(
            "INSERT INTO seen (origin, size, root, note) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (origin) DO UPDATE SET size = ?2, root = ?3, note = ?4",
            params![checkpoint.origin, new.size, new.root.as_slice(), body],
        )?;
        transaction.commit()?;
        Ok(Answer::new(200, self.signer.line(note.text(), now_s)))
    }
}

struct Request {
    old: u64,
    proof: Vec<super::Leaf>,
    note: Note,
    checkpoint: Checkpoint,
}

impl Request {
    fn parse(body: &str) -> Option<Self> {
        let (head, note) = body.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let old = decimal(lines.next()?.strip_prefix("old ")?)?;
        let proof: Vec<super::Leaf> = lines.map(parse_hash).collect::<Option<_>>()?;
        let note = Note::parse(note).ok()?;
        let checkpoint = Checkpoint::parse(note.text()).ok()?;
        let fits = (proof.is_empty() || old != 0) && proof.len() <= MOST;
        fits.then_some(Self { old, proof, note, checkpoint })
    }
}
