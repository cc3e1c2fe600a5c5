//! Taking records out, oldest first: exact bytes, tables, or events of the Open Cybersecurity Schema Framework.

mod csv;
mod ocsf;

use super::source::Found;
use super::{Error, Mode, Query, Scope, Searcher};
use serde::{Deserialize, Serialize};

/// Takes a batch of whole lines, and the number at which one would go on after it.
pub type Take<'t> = &'t mut dyn FnMut(&[u8], u64) -> Result<(), Error>;

/// Bytes that are handed on at once.
const BATCH: usize = 64 << 10;

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// The records' exact bytes, one a line: hashes and links can be checked again (`audit/FORMAT.md` §4).
    Ndjson,
    /// A table with a header; no cell is a formula to a spreadsheet.
    Csv,
    /// OCSF 1.8 API Activity, one event a line; the record itself is its `raw_data`.
    Ocsf,
}

impl Form {
    /// The name in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Ocsf => "ocsf",
        }
    }

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson | Self::Ocsf => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

/// What is taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Which records.
    pub query: Query,
    /// How they are found.
    pub mode: Mode,
    /// In which form.
    pub form: Form,
    /// The least number: 0, or where an export that broke off goes on.
    pub from: u64,
    /// Only records with smaller numbers: [`Searcher::snapshot`].
    pub snapshot: u64,
}

impl Searcher {
    /// Hands the records on in batches of whole lines, each with the number at which one would go on after it. Returns
    /// how many there were.
    ///
    /// # Errors
    /// Log or index cannot be read, a record is not what its hash says, or `take` fails.
    pub fn export(&self, export: &Export, scope: &Scope, take: Take<'_>) -> Result<u64, Error> {
        let mut batch = Vec::with_capacity(BATCH + (64 << 10));
        let (mut records, mut next) = (0, export.from);
        if export.form == Form::Csv && export.from == 0 {
            csv::header(&mut batch);
        }
        let which = (&export.query, scope, export.mode);
        self.each(which, (export.from, export.snapshot), &mut |found: Found| {
            match export.form {
                Form::Ndjson => batch.extend_from_slice(&found.record),
                Form::Csv => csv::row(&found, &mut batch),
                Form::Ocsf => ocsf::event(&found, &mut batch),
            }
            batch.push(b'\n');
            records += 1;
            next = found.seq + 1;
            if batch.len() >= BATCH {
                take(&batch, next)?;
                batch.clear();
            }
            Ok(())
        })?;
        take(&batch, export.snapshot.max(next))?;
        Ok(records)
    }
}
