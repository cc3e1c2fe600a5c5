//! How far an export to a file has come: a file beside it, until it is whole.

use crate::audit::hex;
use crate::audit::tree::Prover;
use crate::search::export::Form;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Why an export cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The export is whole, or there never was one.
    #[error("`{}` does not exist: `{}` is whole, or is no export; there is nothing to go on with", .beside.display(), .out.display())]
    Nothing { beside: PathBuf, out: PathBuf },
    /// The note cannot be read.
    #[error("`{}` does not tell how far the export is ({why}): remove it and the export, and begin anew", .path.display())]
    Unreadable { path: PathBuf, why: String },
    /// Another query.
    #[error("it was begun with the query `{0}`: give that one, or export to another file")]
    Query(String),
    /// Another form.
    #[error("it was begun with `--format {0}`: give that one, or export to another file")]
    Form(&'static str),
    /// Another log.
    #[error("it was begun from another log: give that one's data folder, or export to another file")]
    Log,
    /// Bytes that were written are gone.
    #[error("`{}` has {has} bytes, and had {had} of whole lines: something else changed it; begin anew", .path.display())]
    Shorter { path: PathBuf, has: u64, had: u64 },
}

/// What is noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Progress {
    /// The query as it was written.
    pub asked: String,
    /// As it was understood then: `-24h` was counted from that moment.
    pub query: String,
    pub form: Form,
    /// Only records with smaller numbers.
    pub snapshot: u64,
    /// The hash of the last of them: which log it is.
    pub head: Option<String>,
    /// The next record.
    pub next: u64,
    /// Bytes of the file before it.
    pub bytes: u64,
}

/// The hash by which a log is known again: of the last record below `snapshot`.
pub(super) fn head(folder: &Path, snapshot: u64) -> Result<Option<String>, crate::audit::Error> {
    let Some(last) = snapshot.checked_sub(1) else { return Ok(None) };
    Ok(Some(hex(&Prover::open(folder)?.leaf(last)?)))
}

/// Where the note about an export to `out` is.
pub(super) fn beside(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".progress");
    PathBuf::from(name)
}

impl Progress {
    /// Reads the note about an export to `out`; none if that was stopped before its first byte.
    pub(super) fn read(out: &Path) -> Result<Option<Self>, Error> {
        let path = beside(out);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let untouched = std::fs::metadata(out).is_ok_and(|file| file.is_file() && file.len() == 0);
                let out = out.to_owned();
                return if untouched { Ok(None) } else { Err(Error::Nothing { beside: path, out }) };
            }
            Err(e) => return Err(Error::Unreadable { path, why: e.to_string() }),
        };
        serde_json::from_slice(&text).map(Some).map_err(|e| Error::Unreadable { path, why: e.to_string() })
    }

    /// Whether the same is asked again, of the same log, and all that was written is still there.
    pub(super) fn fits(&self, (asked, form): (&str, Form), folder: &Path, out: &Path) -> Result<(), Error> {
        if self.asked != asked {
            return Err(Error::Query(self.asked.clone()));
        }
        if self.form != form {
            return Err(Error::Form(self.form.as_str()));
        }
        // A log that ends before is another one too.
        if head(folder, self.snapshot).ok() != Some(self.head.clone()) {
            return Err(Error::Log);
        }
        let has = std::fs::metadata(out).map_or(0, |file| file.len());
        if has < self.bytes {
            return Err(Error::Shorter { path: out.to_owned(), has, had: self.bytes });
        }
        Ok(())
    }

    /// Replaces the note as a whole.
    pub(super) fn note(&self, out: &Path) -> Result<(), crate::search::Error> {
        let path = beside(out);
        let failed = |source| crate::search::Error::File { path: path.clone(), source };
        let text = serde_json::to_string(self).map_err(|e| failed(e.into()))?;
        let mut new = path.clone().into_os_string();
        new.push(".new");
        let written = File::create(&new).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            // Before it gets its name: after a power cut the note is the old one or this.
            file.sync_data()
        });
        written.and_then(|()| std::fs::rename(&new, &path)).map_err(failed)
    }
}
