//! The index beside the log: derived, disposable, never believed. It says which records to read.

mod compile;
mod complement;
mod feed;
mod gather;
mod like;
mod purge;
mod schema;

pub use feed::Caught;
pub(super) use feed::{Feed, fresh};

use super::Error;
use super::gathered::{Gathered, Wanted};
use gather::Gather;
use schema::{Columns, WORDS, WordTokenizer};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tantivy::directory::MmapDirectory;
use tantivy::store::Compressor;
use tantivy::tokenizer::TextAnalyzer;
use tantivy::{Index, IndexReader, IndexSettings, ReloadPolicy, Searcher};

/// The folder of the index, in the data folder.
const FOLDER: &str = "search";
/// The version of its form.
const VERSION: u32 = 1;

/// Where the index of a data folder is.
pub(super) fn folder(data: &Path) -> PathBuf {
    data.join(FOLDER)
}

/// How far an index has come, kept with each of its commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mark {
    pub version: u32,
    /// The next record.
    pub next: u64,
    /// Hash of the record before, hexadecimal: tells whether it is an index of this log.
    pub leaf: String,
    /// Whether it holds the words of payloads.
    pub texts: bool,
    /// Erasures whose words are perhaps still in the index's files.
    pub purges: Vec<u64>,
}

impl Mark {
    fn start(texts: bool) -> Self {
        Self { version: VERSION, next: 0, leaf: String::new(), texts, purges: Vec::new() }
    }
}

/// Opens the index in a folder; `None` if there is none, or one of another form.
fn open(folder: &Path, columns: &Columns) -> Result<Option<Index>, Error> {
    if !folder.join("meta.json").exists() {
        return Ok(None);
    }
    let index = Index::open(MmapDirectory::open(folder).map_err(tantivy::TantivyError::from)?)?;
    if index.schema() != columns.schema {
        return Ok(None);
    }
    prepare(&index);
    Ok(Some(index))
}

/// Makes an empty index in an empty folder.
fn create(folder: &Path, columns: &Columns) -> Result<Index, Error> {
    std::fs::create_dir_all(folder).map_err(|source| Error::File { path: folder.to_owned(), source })?;
    let settings = IndexSettings {
        docstore_compression: Compressor::None,
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    };
    let directory = MmapDirectory::open(folder).map_err(tantivy::TantivyError::from)?;
    let index = Index::create(directory, columns.schema.clone(), settings)?;
    prepare(&index);
    Ok(index)
}

fn prepare(index: &Index) {
    index.tokenizers().register(WORDS, TextAnalyzer::from(WordTokenizer::default()));
}

fn mark_of(index: &Index) -> Result<Option<Mark>, Error> {
    let payload = index.load_metas()?.payload;
    Ok(payload
        .and_then(|text| serde_json::from_str(&text).ok())
        .filter(|mark: &Mark| mark.version == VERSION))
}

/// The index as it is searched.
pub(super) struct Shelf {
    folder: PathBuf,
    columns: Columns,
    opened: Option<Opened>,
}

struct Opened {
    reader: IndexReader,
    /// Which state of the index it is.
    changed: SystemTime,
    texts: bool,
}

impl Opened {
    fn new(index: &Index, changed: SystemTime) -> Result<Self, Error> {
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let texts = mark_of(index)?.is_some_and(|mark| mark.texts);
        Ok(Self { reader, changed, texts })
    }
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Shelf {
    pub(super) fn new(data: &Path) -> Self {
        Self { folder: folder(data), columns: Columns::new(), opened: None }
    }

    /// The index as it is now; `None` if there is none.
    pub(super) fn view(&mut self) -> Result<Option<View>, Error> {
        let changed = std::fs::metadata(self.folder.join("meta.json")).and_then(|meta| meta.modified()).ok();
        let Some(changed) = changed else {
            self.opened = None;
            return Ok(None);
        };
        match &mut self.opened {
            Some(opened) if opened.changed == changed => {}
            Some(opened) => {
                opened.reader.reload()?;
                opened.changed = changed;
                opened.texts = mark_of(opened.reader.searcher().index())?.is_some_and(|mark| mark.texts);
            }
            None => {
                let Some(index) = open(&self.folder, &self.columns)? else { return Ok(None) };
                self.opened = Some(Opened::new(&index, changed)?);
            }
        }
        let view = |opened: &Opened| View {
            columns: self.columns.clone(),
            searcher: opened.reader.searcher(),
            texts: opened.texts,
        };
        Ok(self.opened.as_ref().map(view))
    }

    /// Forgets what is open, after somebody made the index anew.
    pub(super) fn forget(&mut self) {
        self.opened = None;
    }
}

/// One state of the index.
pub(super) struct View {
    columns: Columns,
    searcher: Searcher,
    texts: bool,
}

impl View {
    /// Records that it has: all with smaller numbers. Read from what is searched, not from a mark beside it.
    pub(super) fn end(&self) -> Result<u64, Error> {
        let mut end = 0;
        for segment in self.searcher.segment_readers() {
            let seq = segment.fast_fields().column_opt::<i64>(super::Field::Seq.name())?;
            let most = seq.filter(|column| column.num_docs() > 0).map_or(-1, |column| column.max_value());
            end = end.max(u64::try_from(most + 1).unwrap_or(0));
        }
        Ok(end)
    }

    /// How many records are archived: each that has bytes is one document.
    pub(super) fn archived(&self) -> Result<u64, Error> {
        Ok(self.end()?.saturating_sub(self.searcher.num_docs()))
    }

    /// How many segments it has.
    pub(super) fn segments(&self) -> usize {
        self.searcher.segment_readers().len()
    }

    /// Asks it.
    pub(super) fn gather(&self, wanted: &Wanted<'_>) -> Result<Gathered, Error> {
        if wanted.node.asks_for_texts() && !self.texts {
            return Err(Error::NoTexts);
        }
        let query = compile::compile(&self.columns, wanted.node);
        let mut gathered = self.searcher.search(&*query, &Gather::new(wanted))?;
        gathered.archived = self.archived()?;
        if gathered.tallies.iter().any(super::tally::Tally::is_full) {
            return Err(Error::TooMany);
        }
        Ok(gathered)
    }
}
