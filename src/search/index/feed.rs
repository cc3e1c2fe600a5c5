//! Feeding the index from the log.

use super::super::Error;
use super::super::source::{Found, Source, Texts};
use super::schema::Columns;
use super::{Mark, VERSION, create, folder, mark_of, open};
use crate::audit::{Payload, hex};
use serde::Serialize;
use std::path::{Path, PathBuf};
use tantivy::directory::error::LockError;
use tantivy::indexer::IndexWriterOptions;
use tantivy::{Index, IndexWriter, TantivyDocument, TantivyError};

/// Records that are read at once.
const CHUNK: u64 = 1000;
/// Records after which is committed at the latest.
const COMMIT: u64 = 100_000;
/// What the library may keep in memory before it writes, in bytes; its least is 15 MB.
const ARENA: usize = 24_000_000;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Caught {
    /// Records that were taken in.
    pub records: u64,
    /// Records that the index has now.
    pub indexed: u64,
    /// Whether it was begun anew.
    pub rebuilt: bool,
}

/// The one writer of an index.
pub(in crate::search) struct Feed {
    pub(super) folder: PathBuf,
    pub(super) columns: Columns,
    pub(super) writer: Option<IndexWriter>,
    pub(super) mark: Mark,
    pub(super) source: Source,
    rebuilt: bool,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("mark", &self.mark).finish_non_exhaustive()
    }
}

/// Takes the index of a data folder away, if nobody writes it.
pub(in crate::search) fn fresh(data: &Path) -> Result<(), Error> {
    let folder = folder(data);
    let failed = |source| Error::File { path: folder.clone(), source };
    if let Ok(Some(index)) = open(&folder, &Columns::new()) {
        // Whoever writes it has the lock.
        drop(lock(&index)?);
    }
    match std::fs::remove_dir_all(&folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(failed(e)),
        _ => Ok(()),
    }
}

fn lock(index: &Index) -> Result<IndexWriter, Error> {
    let options = IndexWriterOptions::builder()
        .num_worker_threads(1)
        .num_merge_threads(1)
        .memory_budget_per_thread(ARENA)
        .build();
    match index.writer_with_options(options) {
        Err(TantivyError::LockFailure(LockError::LockBusy, _)) => Err(Error::Busy),
        other => Ok(other?),
    }
}

impl Feed {
    /// Opens the index of a data folder for writing. One of another log, of another form, or damaged, is made anew. `texts`
    /// says whether it holds the words of payloads; `None`: as it does now.
    pub(in crate::search) fn open(data: &Path, texts: Option<bool>) -> Result<Self, Error> {
        let columns = Columns::new();
        let place = folder(data);
        let mut source = Source::open(data)?;
        let opened = match open(&place, &columns) {
            Ok(Some(index)) => Some((lock(&index)?, mark_of(&index)?)),
            Ok(None) => None,
            Err(Error::Index(why)) => {
                tracing::warn!("the index of the log is damaged and is made anew: {why}");
                None
            }
            Err(other) => return Err(other),
        };
        let kept = match opened {
            Some((writer, Some(mark)))
                if texts.is_none_or(|texts| texts == mark.texts) && belongs(&mark, &mut source)? =>
            {
                Some((writer, mark))
            }
            Some((writer, mark)) => {
                // One without a mark was made and never committed: nothing is lost.
                if mark.is_some_and(|mark| texts.is_none_or(|texts| texts == mark.texts)) {
                    tracing::warn!(
                        "the index is of another log, or of one that had more records: it is made anew"
                    );
                }
                drop(writer);
                None
            }
            None => None,
        };
        let rebuilt = kept.is_none();
        let (writer, mark) = if let Some(kept) = kept {
            kept
        } else {
            fresh(data)?;
            (lock(&create(&place, &columns)?)?, Mark::start(texts.unwrap_or(true)))
        };
        // What a crash left behind may hold words of erased texts.
        writer.garbage_collect_files().wait()?;
        Ok(Self { folder: data.to_owned(), columns, writer: Some(writer), mark, source, rebuilt })
    }

    pub(super) fn writer(&mut self) -> Result<&mut IndexWriter, Error> {
        self.writer.as_mut().ok_or(Error::Busy)
    }

    /// Takes in what is new, and takes out what was erased. `progress` hears the next record and the head, and says
    /// whether to go on.
    pub(in crate::search) fn catch_up(
        &mut self,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Caught, Error> {
        let from = self.mark.next;
        let mut committed = from;
        let mut goes_on = true;
        while goes_on {
            let head = self.source.head()?.map_or(0, |head| head + 1);
            let texts = if self.mark.texts { Texts::With } else { Texts::Without };
            let records = self.source.read(self.mark.next, CHUNK, texts)?;
            if records.is_empty() {
                if self.mark.next >= head {
                    break;
                }
                // All of them are archived; the newest records never are.
                self.mark.next += CHUNK;
                continue;
            }
            for found in &records {
                self.take(found)?;
            }
            goes_on = progress(self.mark.next, head);
            if self.mark.next - committed >= COMMIT {
                self.commit()?;
                committed = self.mark.next;
            }
        }
        if self.mark.next > committed || (self.rebuilt && committed == 0) {
            self.commit()?;
        }
        self.purge()?;
        Ok(Caught { records: self.mark.next - from, indexed: self.mark.next, rebuilt: self.rebuilt })
    }

    fn take(&mut self, found: &Found) -> Result<(), Error> {
        self.add(found, matches!(found.payload, Some(Payload::Text(_))))?;
        self.mark.next = found.seq + 1;
        self.mark.leaf = hex(&found.leaf);
        if found.value.get("kind").and_then(serde_json::Value::as_str) == Some("erase") {
            self.mark.purges.push(found.seq);
        }
        Ok(())
    }

    pub(super) fn add(&mut self, found: &Found, with_payload: bool) -> Result<(), Error> {
        let document: TantivyDocument = self.columns.document(&found.doc, with_payload);
        self.writer()?.add_document(document)?;
        Ok(())
    }

    pub(super) fn commit(&mut self) -> Result<(), Error> {
        let mark = serde_json::to_string(&self.mark).map_err(|_| Error::Busy)?;
        let mut prepared = self.writer()?.prepare_commit()?;
        prepared.set_payload(&mark);
        prepared.commit()?;
        Ok(())
    }

    /// Lets go of the index, if nothing is left to do: the log, and how many of its records are in.
    ///
    /// # Errors
    /// Something is left to do.
    pub(in crate::search) fn at_rest(self: Box<Self>) -> Result<(Source, u64), Box<Self>> {
        if self.mark.purges.is_empty() { Ok((self.source, self.mark.next)) } else { Err(self) }
    }

    /// Opens the writer again, after it was given up.
    pub(super) fn reopen(&mut self) -> Result<(), Error> {
        let index = open(&folder(&self.folder), &self.columns)?.ok_or(Error::Missing)?;
        self.writer = Some(lock(&index)?);
        Ok(())
    }
}

/// Whether an index is of this log: the record that it took in last is there, with the same hash.
fn belongs(mark: &Mark, source: &mut Source) -> Result<bool, Error> {
    if mark.version != VERSION {
        return Ok(false);
    }
    let Some(last) = mark.next.checked_sub(1) else { return Ok(true) };
    let found = source.read(last, 1, Texts::Without)?;
    Ok(found.first().is_some_and(|found| found.seq == last && hex(&found.leaf) == mark.leaf))
}
