//! `sealgate audit export`

use super::resume::{self, Progress};
use super::{Done, Failure, Format, Place, say, search, tell_archived};
use crate::search::export::{Export, Form};
use crate::search::{Consistency, Error, Mode, Scope, Searcher};
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Options of `audit export`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    place: Place,
    /// Which records, as in `audit search`; nothing: all.
    #[arg(default_value = "", allow_hyphen_values = true)]
    query: String,
    /// `ndjson`: exact bytes, so that hashes can be checked again; `csv`: a table; `ocsf`: OCSF 1.8 API Activity.
    #[arg(long, value_enum, default_value = "ndjson")]
    format: FormArg,
    /// Where to: a new file; absent: standard output.
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Go on with an export to this file that broke off.
    #[arg(long, requires = "out")]
    resume: bool,
    /// Do not believe the index: read the whole log.
    #[arg(long)]
    scan: bool,
    /// The form of what is said about it, on standard output if it goes to a file.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

/// [`Form`], as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FormArg {
    Ndjson,
    Csv,
    Ocsf,
}

impl From<FormArg> for Form {
    fn from(form: FormArg) -> Self {
        match form {
            FormArg::Ndjson => Self::Ndjson,
            FormArg::Csv => Self::Csv,
            FormArg::Ocsf => Self::Ocsf,
        }
    }
}

pub(super) fn run(options: &Options) -> Done {
    let folder = options.place.data_dir()?;
    let mode = if options.scan { Mode::Scan } else { Mode::Index };
    let searcher = search::searcher(&options.place, &folder, mode)?;
    let query = searcher.understand(&options.query).map_err(|why| search::told(why, &options.query))?;
    let form = Form::from(options.format);
    let known = match &options.out {
        Some(out) if options.resume => Progress::read(out).map_err(anyhow::Error::new)?,
        _ => None,
    };
    let mut at = if let Some(known) = known {
        known
    } else {
        let snapshot = searcher.snapshot(mode, Consistency::Wait)?;
        Progress {
            asked: options.query.clone(),
            query: query.to_string(),
            form,
            snapshot,
            head: resume::head(&folder, snapshot)?,
            next: 0,
            bytes: 0,
        }
    };
    if let (Some(out), true) = (&options.out, options.resume) {
        at.fits((&options.query, form), &folder, out).map_err(anyhow::Error::new)?;
    }
    let query = searcher.understand(&at.query)?;
    let archived = searcher.archived(mode)?;
    // Recorded before anything is handed out.
    let members = json!({
        "archived": archived, "by": "cli", "form": form.as_str(), "from": at.next, "query": query.without_words(),
        "to": at.snapshot,
    });
    super::order::record(&options.place, "audit.export", members)?;
    let export = Export { query, mode, form, from: at.next, snapshot: at.snapshot, most: None };
    tell_archived(archived);
    let Some(out) = &options.out else { return to_stdout(&searcher, &export) };
    let records = to_file(&searcher, &export, &mut at, (out, options.resume))?;
    let told = json!({
        "archived": archived, "bytes": at.bytes, "form": form, "records": records, "snapshot": at.snapshot,
    });
    say(options.output, &told, &format!("{records} records, {} bytes\n", at.bytes))
}

fn to_file(
    searcher: &Searcher,
    export: &Export,
    at: &mut Progress,
    (out, resumed): (&Path, bool),
) -> Result<u64, Failure> {
    let failed = |source| Error::File { path: out.to_owned(), source };
    let mut file = if resumed {
        OpenOptions::new().write(true).open(out).map_err(failed)?
    } else {
        File::create_new(out).map_err(failed)?
    };
    if at.next == 0 {
        at.bytes = 0;
    }
    // What came after the last note of progress is written again.
    file.set_len(at.bytes).and_then(|()| file.seek(SeekFrom::End(0)).map(|_| ())).map_err(failed)?;
    let mut progress = super::progress("exporting");
    at.note(out)?;
    let records = searcher.export(export, &Scope::default(), &mut |bytes, next| {
        file.write_all(bytes).and_then(|()| file.sync_data()).map_err(failed)?;
        at.bytes += bytes.len() as u64;
        at.next = next;
        progress(next, at.snapshot);
        at.note(out)
    })?;
    std::fs::remove_file(resume::beside(out))?;
    Ok(records.records)
}

fn to_stdout(searcher: &Searcher, export: &Export) -> Done {
    let mut out = std::io::stdout().lock();
    let path = PathBuf::from("standard output");
    let written = searcher.export(export, &Scope::default(), &mut |bytes, _| {
        out.write_all(bytes)
            .and_then(|()| out.flush())
            .map_err(|source| Error::File { path: path.clone(), source })
    });
    match written {
        // The reader has seen enough.
        Err(Error::File { source, .. }) if source.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other.map(|_| ())?),
    }
}
