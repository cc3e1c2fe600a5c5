//! The thread that signs: reads what is new from disk again, computes it again, and signs only what agrees.
//!
//! A log died of one flipped bit between the root that was signed and the entry that was stored: so what is in
//! memory is never signed.

use super::keys;
use super::note::{Checkpoint, Signer};
use super::proof::Head;
use super::store::{Signed, Trees};
use super::tiles::{Builder, Hashes, Tile};
use crate::audit::chain::{self, Leaf, NO_LINK, Root};
use crate::audit::store::open_readonly;
use crate::audit::{Error, OpenError};
use crate::clock::Clock;
use arc_swap::ArcSwap;
use rusqlite::Connection;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Records that are read at once.
const CHUNK: u64 = 1024;

/// What signing needs of a record.
#[derive(Deserialize)]
struct Linked<'r> {
    prev: &'r str,
    seq: u64,
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub(in crate::audit) enum Refusal {
    /// What is on disk is not what was written.
    #[error("record {seq} on disk does not verify ({what}): run `sealgate audit verify`")]
    Broken { seq: u64, what: &'static str },
    /// The stores cannot be used; the next time may do better.
    #[error(transparent)]
    Unusable(#[from] Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unusable(error.into())
    }
}

/// The tree so far, and all that it takes to sign what comes.
#[derive(Debug)]
pub(in crate::audit) struct Checkpointer {
    folder: PathBuf,
    origin: String,
    clock: Clock,
    log: Connection,
    trees: Trees,
    signers: Arc<ArcSwap<Vec<Signer>>>,
    root: Root,
    builder: Builder,
    size: u64,
    prev: Leaf,
}

impl Checkpointer {
    /// Takes up where the newest checkpoint ends.
    ///
    /// # Errors
    /// The log is smaller than its own checkpoint or contradicts it, or a file cannot be used.
    pub(in crate::audit) fn open(folder: &Path, origin: &str, clock: Clock) -> Result<Self, OpenError> {
        let signers = keys::open(folder, origin)?;
        let trees = Trees::open(folder).map_err(OpenError::Tree)?;
        if !trees.is_ours().map_err(OpenError::Tree)? {
            return Err(OpenError::Foreign);
        }
        let log = open_readonly(folder).map_err(OpenError::Tree)?;
        let last = trees.last().map_err(OpenError::Tree)?;
        let mut checkpointer = Self {
            folder: folder.to_owned(),
            origin: origin.to_owned(),
            clock,
            log,
            trees,
            signers: Arc::new(ArcSwap::from_pointee(signers)),
            root: Root::default(),
            builder: Builder::default(),
            size: 0,
            prev: NO_LINK,
        };
        if let Some(signed) = last {
            let published = keys::published(folder)?;
            let opened = Checkpoint::open(&signed.note, origin, &published);
            let head = opened.map_err(|why| OpenError::Checkpoint { size: signed.size, why })?.head;
            checkpointer
                .resume(head)
                .map_err(OpenError::Tree)?
                .then_some(())
                .ok_or(OpenError::Rollback { anchor: "its own newest checkpoint".into(), size: head.size })?;
        }
        Ok(checkpointer)
    }

    /// Rebuilds the state at `head`, and says whether the log agrees with it.
    fn resume(&mut self, head: Head) -> Result<bool, Error> {
        if self.records()? < head.size {
            return Ok(false);
        }
        let mut hashes = Hashes::new(&self.log, Some(&self.trees));
        let root = hashes.tree(head.size)?;
        let builder = Builder::resume(&mut hashes, head.size)?;
        if root.hash() != head.root {
            return Ok(false);
        }
        let last = head.size.checked_sub(1);
        let prev =
            last.map(|seq| hashes.row(0, seq, 1)).transpose()?.and_then(|leaves| leaves.first().copied());
        (self.root, self.builder, self.size, self.prev) = (root, builder, head.size, prev.unwrap_or(NO_LINK));
        Ok(true)
    }

    fn records(&self) -> Result<u64, Error> {
        Ok(self.log.query_row("SELECT coalesce(max(seq) + 1, 0) FROM entry", [], |row| row.get(0))?)
    }

    /// Whether the log has exactly this head among its beginnings.
    pub(in crate::audit) fn agrees(&self, head: &Head) -> Result<bool, Error> {
        if self.records()? < head.size {
            return Ok(false);
        }
        Ok(Hashes::new(&self.log, Some(&self.trees)).tree(head.size)?.hash() == head.root)
    }

    /// Signs what is new, if anything is. `payloads` makes durable what those records name.
    pub(in crate::audit) fn sign(
        &mut self,
        payloads: &dyn Fn() -> Result<(), Error>,
    ) -> Result<Option<Signed>, Refusal> {
        let records = self.records()?;
        if records < self.size {
            return Err(Refusal::Broken { seq: records, what: "signed records are gone" });
        }
        if records == self.size {
            return Ok(None);
        }
        payloads()?;
        let (mut root, mut builder, mut prev) = (self.root.clone(), self.builder.clone(), self.prev);
        let mut tiles = Vec::new();
        let mut from = self.size;
        while from < records {
            let to = records.min(from + CHUNK);
            read(&self.log, from, to, &mut prev, &mut |leaf| {
                root.push(leaf);
                builder.push(leaf, &mut tiles);
            })?;
            from = to;
        }
        let signed = self.signed(Head { size: records, root: root.hash() }, &tiles)?;
        (self.root, self.builder, self.prev, self.size) = (root, builder, prev, records);
        Ok(Some(signed))
    }

    fn signed(&mut self, head: Head, tiles: &[Tile]) -> Result<Signed, Error> {
        // A rotation takes effect at the next checkpoint.
        let signers = Arc::new(keys::open(&self.folder, &self.origin)?);
        self.signers.store(signers.clone());
        let note = Checkpoint { origin: self.origin.clone(), head }.sign(&signers);
        let signed = Signed { size: head.size, time_us: self.clock.now_us(), root: head.root, note };
        self.trees.append(tiles, &signed)?;
        Ok(signed)
    }

    /// The newest checkpoint that is stored.
    pub(in crate::audit) fn last(&self) -> Option<Signed> {
        self.trees.last().ok().flatten()
    }

    /// The public keys that sign now.
    pub(in crate::audit) fn signing(&self) -> Vec<String> {
        self.signers.load().iter().map(|signer| signer.verifier().to_string()).collect()
    }

    /// The keys that sign now, also after a rotation.
    pub(in crate::audit) fn signers(&self) -> Arc<ArcSwap<Vec<Signer>>> {
        self.signers.clone()
    }
}

/// Reads records from disk, and hands out the hash of each that verifies.
fn read(
    log: &Connection,
    from: u64,
    to: u64,
    prev: &mut Leaf,
    each: &mut dyn FnMut(Leaf),
) -> Result<(), Refusal> {
    let mut rows =
        log.prepare_cached("SELECT seq, rec, leaf FROM entry WHERE seq >= ?1 AND seq < ?2 ORDER BY seq")?;
    let mut rows = rows.query([from, to])?;
    for seq in from..to {
        let broken = |what| Refusal::Broken { seq, what };
        let row = rows.next()?.ok_or_else(|| broken("it is missing"))?;
        let (found, stored): (u64, Leaf) = (row.get(0)?, row.get(2)?);
        let record = row.get_ref(1)?.as_blob().map_err(|_| broken("it is not bytes"))?;
        let leaf = chain::leaf(record);
        let linked: Linked<'_> = serde_json::from_slice(record).map_err(|_| broken("it is not a record"))?;
        if found != seq || linked.seq != seq {
            return Err(broken("it says another sequence number"));
        }
        if leaf != stored {
            return Err(broken("its bytes do not give its hash"));
        }
        if linked.prev != chain::hex(prev) {
            return Err(broken("it is not linked to the record before it"));
        }
        each(leaf);
        *prev = leaf;
    }
    Ok(())
}
