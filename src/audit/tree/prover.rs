//! Proofs out of the stores, for anybody who can read them. Every proof is checked before it is handed out.

use super::keys;
use super::note::{Checkpoint, print_hash};
use super::proof::{self, Head};
use super::store::{Anchored, Signed, Trees};
use super::tiles::{Hashes, WIDTH};
use crate::audit::chain::{self, Leaf};
use crate::audit::store::open_readonly;
use crate::audit::{Entry, Error};
use rusqlite::{Connection, OptionalExtension as _};
use std::path::{Path, PathBuf};

/// A proof that a record is under a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// The record's sequence number: its index in the tree.
    pub seq: u64,
    /// The record's hash.
    pub leaf: Leaf,
    /// The path, from the leaf's sibling up.
    pub path: Vec<Leaf>,
    /// The checkpoint, with the cosignatures that it has.
    pub checkpoint: String,
    /// The checkpoint's size.
    pub size: u64,
}

impl Inclusion {
    /// The proof as a file: C2SP tlog-proof, version 1.
    pub fn text(&self) -> String {
        let path: String = self.path.iter().map(|hash| print_hash(hash) + "\n").collect();
        format!("c2sp.org/tlog-proof@v1\nindex {}\n{path}\n{}", self.seq, self.checkpoint)
    }
}

/// A read-only view of tree and checkpoints.
#[derive(Debug)]
pub struct Prover {
    folder: PathBuf,
    log: Connection,
    trees: Option<Trees>,
}

impl Prover {
    /// Opens the stores in `folder`.
    ///
    /// # Errors
    /// There is no log, or it cannot be read.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Ok(Self {
            folder: folder.to_owned(),
            log: open_readonly(folder)?,
            trees: Trees::open_readonly(folder)?,
        })
    }

    /// Records in the log now.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn size(&self) -> Result<u64, Error> {
        Ok(self.log.query_row("SELECT coalesce(max(seq) + 1, 0) FROM entry", [], |row| row.get(0))?)
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn checkpoint(&self) -> Result<Option<Signed>, Error> {
        let last = self.trees.as_ref().map(Trees::last).transpose()?.flatten();
        last.map(|signed| self.cosigned(signed)).transpose()
    }

    /// The checkpoint of exactly that size.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn checkpoint_of(&self, size: u64) -> Result<Option<Signed>, Error> {
        let found =
            self.trees.as_ref().map(|trees| trees.of_size(size.min(u64::MAX >> 1))).transpose()?.flatten();
        found.map(|signed| self.cosigned(signed)).transpose()
    }

    /// The oldest checkpoint that covers record `seq`, as the log signed it.
    pub(in crate::audit) fn first_over(&self, seq: u64) -> Result<Option<Signed>, Error> {
        Ok(self.trees.as_ref().map(|trees| trees.first_over(seq)).transpose()?.flatten())
    }

    fn cosigned(&self, mut signed: Signed) -> Result<Signed, Error> {
        if let Some(trees) = &self.trees {
            signed.note.push_str(&trees.cosignatures(signed.size)?);
        }
        Ok(signed)
    }

    /// The newest thing that each anchor has taken.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn anchors(&self) -> Result<Vec<Anchored>, Error> {
        self.trees.as_ref().map_or(Ok(Vec::new()), Trees::anchors)
    }

    /// Proves that record `seq` is under a checkpoint: the newest, or the one of exactly `size`.
    ///
    /// # Errors
    /// There is no such record, or no checkpoint over it yet; or what is stored contradicts the checkpoint.
    pub fn inclusion(&self, seq: u64, size: Option<u64>) -> Result<Inclusion, Error> {
        let found = match size {
            Some(size) => self.checkpoint_of(size)?,
            None => self.checkpoint()?,
        };
        let signed = found.filter(|signed| signed.size > seq).ok_or(Error::NoCheckpoint(seq + 1))?;
        let leaf = chain::leaf(&self.record(seq)?.record);
        let mut hashes = Hashes::new(&self.log, self.trees.as_ref());
        let path = proof::inclusion(&mut |level, index| hashes.node(level, index), seq, signed.size)?;
        if !proof::includes(&signed.root, signed.size, seq, &leaf, &path) {
            return Err(Error::Contradicted(seq));
        }
        Ok(Inclusion { seq, leaf, path, checkpoint: signed.note, size: signed.size })
    }

    /// Proves that the log of `old` records is the beginning of the log of `new`.
    ///
    /// # Errors
    /// There are not as many records.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Leaf>, Error> {
        let size = self.size()?;
        if old > new || new > size {
            return Err(Error::NoRecord(old.max(new)));
        }
        let mut hashes = Hashes::new(&self.log, self.trees.as_ref());
        let proof = proof::consistency(&mut |level, index| hashes.node(level, index), old, new)?;
        let head = |size, root| Head { size, root };
        let (was, is) = (head(old, hashes.tree(old)?.hash()), head(new, hashes.tree(new)?.hash()));
        if proof::extends(&was, &is, &proof) { Ok(proof) } else { Err(Error::Contradicted(old)) }
    }

    /// The root over the first `size` records.
    ///
    /// # Errors
    /// There are not as many records.
    pub fn root(&self, size: u64) -> Result<Leaf, Error> {
        Ok(Hashes::new(&self.log, self.trees.as_ref()).tree(size)?.hash())
    }

    /// `width` hashes of tile `index` at `level` (C2SP tlog-tiles `/tile/<L>/<N>[.p/<W>]`), as bytes.
    ///
    /// # Errors
    /// The tile has fewer hashes.
    pub fn tile(&self, level: u32, index: u64, width: u64) -> Result<Vec<u8>, Error> {
        if level > 7 || width == 0 || width > WIDTH || index > u64::MAX >> 9 {
            return Err(Error::NoRecord(index));
        }
        let mut hashes = Hashes::new(&self.log, self.trees.as_ref());
        Ok(hashes.row(level, index * WIDTH, width)?.concat())
    }

    /// `width` records of entry bundle `index` (C2SP tlog-tiles `/tile/entries/<N>[.p/<W>]`): each with its
    /// length before it, in two bytes, big-endian.
    ///
    /// # Errors
    /// There are fewer records.
    pub fn entries(&self, index: u64, width: u64) -> Result<Vec<u8>, Error> {
        if width == 0 || width > WIDTH || index > u64::MAX >> 9 {
            return Err(Error::NoRecord(index));
        }
        let from = index * WIDTH;
        let mut bundle = Vec::new();
        for seq in from..from + width {
            let record = self.record(seq)?.record;
            let length = u16::try_from(record.len()).map_err(|_| Error::Contradicted(seq))?;
            bundle.extend_from_slice(&length.to_be_bytes());
            bundle.extend_from_slice(&record);
        }
        Ok(bundle)
    }

    /// One record, exact bytes.
    ///
    /// # Errors
    /// There is no such record, or it is archived.
    pub fn record(&self, seq: u64) -> Result<Entry, Error> {
        let entry = self.place(seq)?;
        if entry.record.is_empty() { Err(Error::Archived(seq)) } else { Ok(entry) }
    }

    /// The hash of a record, also of an archived one: it is as good as a checkpoint that covers it.
    ///
    /// # Errors
    /// There is no such record, or it is not what its hash says.
    pub fn leaf(&self, seq: u64) -> Result<Leaf, Error> {
        let entry = self.place(seq)?;
        if entry.record.is_empty() { Ok(entry.stored) } else { entry.leaf() }
    }

    fn place(&self, seq: u64) -> Result<Entry, Error> {
        let mut one = self.log.prepare_cached("SELECT rec, leaf FROM entry WHERE seq = ?")?;
        let entry = |row: &rusqlite::Row<'_>| Ok(Entry { seq, record: row.get(0)?, stored: row.get(1)? });
        one.query_row([seq.min(u64::MAX >> 1)], entry).optional()?.ok_or(Error::NoRecord(seq))
    }

    /// The log's origin, as its checkpoints name it.
    ///
    /// # Errors
    /// The store cannot be read, or there is no checkpoint.
    pub fn origin(&self) -> Result<String, Error> {
        let signed = self.checkpoint()?.ok_or(Error::NoCheckpoint(0))?;
        let text = super::note::Note::parse(&signed.note)?;
        Ok(Checkpoint::parse(text.text())?.origin)
    }

    /// The published verification keys, one a line.
    ///
    /// # Errors
    /// The file of keys cannot be read.
    pub fn keys(&self) -> Result<Vec<super::note::Verifier>, Error> {
        Ok(keys::published(&self.folder)?)
    }
}
