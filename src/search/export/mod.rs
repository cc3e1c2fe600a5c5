//! Taking records out, oldest first: exact bytes, tables, or events of the Open Cybersecurity Schema Framework.

mod csv;
mod ocsf;

use super::cursor::{Cursor, Sealer};
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
    /// Most records; none: all.
    pub most: Option<u64>,
}

/// What was taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// How many records.
    pub records: u64,
    /// The number from which on the rest is, if there are more than were wanted.
    pub next: Option<u64>,
}

/// An export in parts: put together they are, byte for byte, what it would have been in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// When the first part was asked for: `-24h` means the same in all of them.
    pub now_us: i64,
    /// As in [`Export`].
    pub snapshot: u64,
    /// As in [`Export`].
    pub from: u64,
}

impl Part {
    /// What a cursor is bound to.
    fn bound(q: &str, form: Form, scope: &Scope) -> String {
        format!("export\n{form:?}\n{scope:?}\n{q}")
    }
}

impl Searcher {
    /// The cursor of a part, good for who asked, this query as it is written, and this form.
    pub fn part_cursor(&self, part: Part, (q, form): (&str, Form), scope: &Scope) -> String {
        let cursor = Cursor { now_us: part.now_us, snapshot: part.snapshot, last: part.from };
        self.sealer().seal(cursor, &Part::bound(q, form, scope))
    }

    /// The part of a cursor.
    ///
    /// # Errors
    /// It was made for something else, or by nobody here.
    pub fn part(&self, cursor: &str, (q, form): (&str, Form), scope: &Scope) -> Result<Part, Error> {
        let cursor = self.sealer().open_cursor(cursor, &Part::bound(q, form, scope))?;
        Ok(Part { now_us: cursor.now_us, snapshot: cursor.snapshot, from: cursor.last })
    }

    /// When the first part was asked for, as an unchecked cursor says it.
    ///
    /// # Errors
    /// It is no cursor.
    pub fn part_begun(cursor: &str) -> Result<i64, Error> {
        Sealer::peek_now(cursor)
    }

    /// Hands the records on in batches of whole lines, each with the number at which one would go on after it.
    ///
    /// # Errors
    /// Log or index cannot be read, a record is not what its hash says, or `take` fails.
    pub fn export(&self, export: &Export, scope: &Scope, take: Take<'_>) -> Result<Exported, Error> {
        let mut batch = Vec::with_capacity(BATCH + (64 << 10));
        let (mut records, mut next) = (0, export.from);
        if export.form == Form::Csv && export.from == 0 {
            csv::header(&mut batch);
        }
        let which = (&export.query, scope, export.mode);
        let mut rest = None;
        let all = self.each(which, (export.from, export.snapshot), &mut |found: Found| {
            if export.most.is_some_and(|most| records >= most) {
                rest = Some(found.seq);
                return Err(Error::TooMany);
            }
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
        });
        if rest.is_none() {
            all?;
        }
        take(&batch, rest.unwrap_or(export.snapshot.max(next)))?;
        Ok(Exported { records, next: rest })
    }
}
