//! What a log is compared with: its own checkpoints and tiles, its anchor file, and whatever was kept elsewhere.

use super::Error;
use super::anchor;
use super::chain::Leaf;
use super::tree::keys;
use super::tree::note::{Checkpoint, Verifier};
use super::tree::proof::Head;
use super::tree::store::{Trees, hashes, signed};
use super::tree::tiles::{Tile, WIDTH};
use super::verify::Check;
use rusqlite::{OptionalExtension as _, params};
use std::path::{Path, PathBuf};

/// The name of the anchor file in a data folder.
const ANCHORS: &str = "anchors.ndjson";

/// What a verifier trusts besides the log's own folder.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Keys that checkpoints must be signed by; none: those that the folder publishes.
    pub keys: Vec<Verifier>,
    /// Checkpoints that were kept, as signed notes.
    pub checkpoints: Vec<String>,
    /// Anchor files besides the folder's own.
    pub anchors: Vec<PathBuf>,
    /// A folder of segments: those that the log names must be there, whole.
    pub segments: Option<PathBuf>,
}

/// A head that the log must have had.
struct Expected {
    head: Head,
    /// The log that it is about, where it is not checked yet.
    origin: String,
    kind: &'static str,
    whence: &'static str,
}

/// All that a log is compared with, in the order of sizes.
pub(super) struct Against {
    trees: Option<Trees>,
    expected: Vec<Expected>,
    at: usize,
    /// Size of the log's own newest checkpoint: up to there tiles must exist.
    tiled: u64,
    tiles: u64,
    newest: Option<u64>,
}

impl Against {
    pub(super) fn load(folder: &Path, trust: &Trust, check: &mut Check) -> Result<Self, Error> {
        let mut known = trust.keys.clone();
        let mut trees = None;
        let mut files = trust.anchors.clone();
        if folder.is_dir() {
            if known.is_empty() {
                known = keys::published(folder)?;
            }
            trees = Trees::open_readonly(folder)?;
            files.extend(Some(folder.join(ANCHORS)).filter(|path| path.exists()));
        }
        let mut expected = Vec::new();
        let mut tiled = 0;
        if let Some(trees) = &trees {
            trees.connection().execute_batch("BEGIN")?;
            if !trees.is_ours()? {
                check.broken(
                    "schema",
                    None,
                    "the tables or triggers of the checkpoints are not what a log has",
                );
            }
            tiled = own(trees, &known, check, &mut expected)?;
            let state: String =
                trees.connection().query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
            if state != "ok" {
                check.broken("store", None, state);
            }
        }
        for path in files {
            let (heads, foreign) = anchor::file::all(&path, &known)?;
            if foreign > 0 {
                check.broken("anchor", None, "the anchor file holds what is no signed checkpoint");
            }
            expected.extend(heads.into_iter().map(|c| Expected::new(c, "anchor", "the anchor file")));
        }
        for note in &trust.checkpoints {
            let checkpoint = super::tree::note::Note::parse(note)
                .and_then(|parsed| parsed.signed_by(&known).map(|_| parsed.text().to_owned()))
                .and_then(|text| Checkpoint::parse(&text))?;
            expected.push(Expected::new(checkpoint, "checkpoint", "a checkpoint that was kept"));
        }
        expected.sort_by_key(|e| e.head.size);
        Ok(Self { trees, expected, at: 0, tiled, tiles: 0, newest: None })
    }

    /// Whether the log's own checkpoints are at hand.
    pub(super) fn has_own(&self) -> bool {
        self.trees.is_some()
    }

    /// Compares what can be compared now that one record more is known.
    pub(super) fn compare(&mut self, check: &mut Check, tiles: &mut Vec<Tile>) -> Result<(), Error> {
        let size = check.size();
        while let Some(expected) = self.expected.get(self.at).filter(|e| e.head.size <= size) {
            self.at += 1;
            if expected.head.size < size {
                continue;
            }
            if check.origin.as_deref() != Some(&expected.origin) || check.tree().1 != expected.head.root {
                let detail = format!("{} says another root for {size} records", expected.whence);
                check.broken(expected.kind, size.checked_sub(1), detail);
            } else {
                self.newest = Some(size);
            }
        }
        for tile in tiles.drain(..) {
            let span = WIDTH.pow(tile.level + 1);
            if (tile.index + 1) * span <= self.tiled && !self.has(&tile)? {
                let first = tile.index * span;
                check.broken("tile", Some(first), "a tile is missing or holds other hashes");
            }
        }
        Ok(())
    }

    fn has(&mut self, tile: &Tile) -> Result<bool, Error> {
        let Some(trees) = &self.trees else { return Ok(true) };
        self.tiles += 1;
        let sql = "SELECT root, data FROM tile WHERE level = ? AND idx = ?";
        let found: Option<(Leaf, Vec<u8>)> = trees
            .connection()
            .prepare_cached(sql)?
            .query_row(params![tile.level, tile.index], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .unwrap_or(None);
        Ok(found.is_some_and(|(root, data)| root == tile.root() && hashes(&data) == tile.hashes))
    }

    /// What is left over: heads that the log does not reach. Returns how many heads there were, and the size of
    /// the newest that agrees.
    pub(super) fn finish(self, check: &mut Check) -> Result<(u64, Option<u64>), Error> {
        let beyond = self.expected.get(self.at..).unwrap_or_default();
        if let Some(last) = beyond.last() {
            let detail =
                format!("{} covers {} records, the log has {}", last.whence, last.head.size, check.size());
            check.broken("rollback", None, detail);
        }
        if let Some(trees) = &self.trees {
            let stored: u64 =
                trees.connection().query_row("SELECT count(*) FROM tile", [], |row| row.get(0))?;
            if stored != self.tiles {
                check.broken("tile", None, "there are other tiles than the log's");
            }
        }
        Ok((self.expected.len() as u64, self.newest))
    }
}

impl Expected {
    fn new(checkpoint: Checkpoint, kind: &'static str, whence: &'static str) -> Self {
        Self { head: checkpoint.head, origin: checkpoint.origin, kind, whence }
    }
}

/// Reads the log's own checkpoints, and returns the size of the newest.
fn own(
    trees: &Trees,
    known: &[Verifier],
    check: &mut Check,
    expected: &mut Vec<Expected>,
) -> Result<u64, Error> {
    let mut rows = trees.connection().prepare("SELECT size, t, root, note FROM checkpoint ORDER BY size")?;
    let mut newest = 0;
    for row in rows.query_map([], signed)? {
        let Ok(row) = row else {
            check.broken("store", None, "a checkpoint cannot be read");
            break;
        };
        newest = row.size;
        let opened = super::tree::note::Note::parse(&row.note).and_then(|note| {
            note.signed_by(known)?;
            Checkpoint::parse(note.text())
        });
        match opened {
            Ok(opened) if opened.head == (Head { size: row.size, root: row.root }) => {
                expected.push(Expected::new(opened, "checkpoint", "a signed checkpoint"));
            }
            Ok(_) => {
                check.broken(
                    "checkpoint",
                    row.size.checked_sub(1),
                    "its columns differ from the signed note",
                );
            }
            Err(why) => check.broken("checkpoint", row.size.checked_sub(1), why.to_string()),
        }
    }
    Ok(newest)
}
