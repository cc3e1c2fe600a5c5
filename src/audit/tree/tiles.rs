//! Tiles of 256 hashes (C2SP tlog-tiles), as they become full, and the roots of subtrees out of them.

use super::store::Trees;
use crate::audit::Error;
use crate::audit::chain::{Leaf, Root};
use rusqlite::{Connection, params};
use std::collections::HashMap;

/// Hashes in a full tile.
pub const WIDTH: u64 = 256;
/// Levels of the tree in a tile.
const HEIGHT: u32 = 8;

/// A full tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::audit) struct Tile {
    pub level: u32,
    pub index: u64,
    pub hashes: Vec<Leaf>,
}

impl Tile {
    /// The tree hash over the tile: one hash of the tile above.
    pub(in crate::audit) fn root(&self) -> Leaf {
        fold(&self.hashes)
    }
}

fn fold(hashes: &[Leaf]) -> Leaf {
    let mut root = Root::default();
    for hash in hashes {
        root.push(*hash);
    }
    root.hash()
}

/// Collects leaves, and hands out tiles as they become full.
#[derive(Debug, Clone, Default)]
pub(in crate::audit) struct Builder {
    /// For each level of tiles: the index of the next tile, and what it holds so far.
    rows: Vec<(u64, Vec<Leaf>)>,
}

impl Builder {
    /// Adds a leaf; tiles that become full by it go to `full`.
    pub(in crate::audit) fn push(&mut self, leaf: Leaf, full: &mut Vec<Tile>) {
        let mut hash = leaf;
        for level in 0.. {
            if self.rows.len() <= level {
                self.rows.push((0, Vec::new()));
            }
            let Some((index, hashes)) = self.rows.get_mut(level) else { return };
            hashes.push(hash);
            if (hashes.len() as u64) < WIDTH {
                return;
            }
            let level = u32::try_from(level).unwrap_or(u32::MAX);
            let tile = Tile { level, index: *index, hashes: std::mem::take(hashes) };
            *index += 1;
            hash = tile.root();
            full.push(tile);
        }
    }

    /// The state after `size` leaves.
    pub(super) fn resume(hashes: &mut Hashes<'_>, size: u64) -> Result<Self, Error> {
        let mut rows = Vec::new();
        let (mut level, mut count) = (0, size);
        while count > 0 {
            let (index, rest) = (count / WIDTH, count % WIDTH);
            rows.push((index, hashes.row(level, index * WIDTH, rest)?));
            (level, count) = (level + 1, index);
        }
        Ok(Self { rows })
    }
}

/// Hashes at the bottom of tiles, from the stores.
pub(in crate::audit) struct Hashes<'c> {
    log: &'c Connection,
    trees: Option<&'c Trees>,
    cache: HashMap<(u32, u64), Vec<Leaf>>,
}

impl<'c> Hashes<'c> {
    pub(in crate::audit) fn new(log: &'c Connection, trees: Option<&'c Trees>) -> Self {
        Self { log, trees, cache: HashMap::new() }
    }

    /// `count` hashes of a level of tiles, from `from` on; all in one tile.
    pub(in crate::audit) fn row(&mut self, level: u32, from: u64, count: u64) -> Result<Vec<Leaf>, Error> {
        let (tile, first) = (from / WIDTH, usize::try_from(from % WIDTH).unwrap_or(0));
        let last = first + usize::try_from(count).unwrap_or(0);
        if let Some(hashes) = self.tile(level, tile)?.and_then(|hashes| hashes.get(first..last)) {
            return Ok(hashes.to_vec());
        }
        let hashes = if level == 0 { self.leaves(from, count)? } else { self.roots(level, from, count)? };
        if hashes.len() as u64 == count { Ok(hashes) } else { Err(Error::NoRecord(from + count)) }
    }

    fn tile(&mut self, level: u32, index: u64) -> Result<Option<&Vec<Leaf>>, Error> {
        if !self.cache.contains_key(&(level, index))
            && let Some(trees) = self.trees
            && let Some(hashes) = trees.tile(level, index)?
        {
            self.cache.insert((level, index), hashes);
        }
        Ok(self.cache.get(&(level, index)))
    }

    fn leaves(&self, from: u64, count: u64) -> Result<Vec<Leaf>, Error> {
        let mut leaves =
            self.log.prepare_cached("SELECT leaf FROM entry WHERE seq >= ?1 AND seq < ?2 ORDER BY seq")?;
        let rows = leaves.query_map(params![from, from + count], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn roots(&mut self, level: u32, from: u64, count: u64) -> Result<Vec<Leaf>, Error> {
        if let Some(trees) = self.trees {
            let stored = trees.tile_roots(level - 1, from, count)?;
            if stored.len() as u64 == count {
                return Ok(stored);
            }
        }
        // Tiles that are not there yet are computed from what is below.
        (from..from + count).map(|index| Ok(fold(&self.row(level - 1, index * WIDTH, WIDTH)?))).collect()
    }

    /// The root of a full subtree, for proofs.
    pub(in crate::audit) fn node(&mut self, level: u32, index: u64) -> Result<Leaf, Error> {
        let (tile_level, within) = (level / HEIGHT, level % HEIGHT);
        let count = 1_u64 << within;
        Ok(fold(&self.row(tile_level, index * count, count)?))
    }

    /// The tree over the first `size` leaves.
    pub(super) fn tree(&mut self, size: u64) -> Result<Root, Error> {
        let mut root = Root::default();
        let mut from = 0;
        for level in (0..64).rev() {
            if size >> level & 1 == 1 {
                root.push_subtree(level, self.node(level, from >> level)?);
                from += 1 << level;
            }
        }
        Ok(root)
    }
}
