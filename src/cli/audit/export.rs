//! `sealgate audit export`

use super::{Done, Failure, Format, Place, say, search};
use crate::search::export::{Export, Form};
use crate::search::{Consistency, Error, Mode, Scope, Searcher};
use serde::{Deserialize, Serialize};
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

/// How far an export has come: a file beside it, until it is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Progress {
    /// As it was understood.
    query: String,
    form: Form,
    snapshot: u64,
    /// The next record.
    next: u64,
    /// Bytes before it.
    bytes: u64,
}

pub(super) fn run(options: &Options) -> Done {
    let folder = options.place.data_dir()?;
    let mode = if options.scan { Mode::Scan } else { Mode::Index };
    let searcher = search::searcher(&options.place, &folder, mode)?;
    let query = searcher.understand(&options.query).map_err(|why| search::told(why, &options.query))?;
    let beside = options.out.as_deref().map(|out| {
        let mut name = out.as_os_str().to_owned();
        name.push(".progress");
        PathBuf::from(name)
    });
    let known = match (&beside, options.resume) {
        (Some(beside), true) => Some(read(beside)?),
        _ => None,
    };
    let form = Form::from(options.format);
    let mut at = match known {
        // `-24h` was counted from then: what was understood then is what goes on.
        Some(known) if known.form == form => known,
        Some(_) => return Err(Failure::Other(anyhow::anyhow!("it was begun in another format"))),
        None => Progress {
            query: query.to_string(),
            form,
            snapshot: searcher.snapshot(mode, Consistency::Eventual)?,
            next: 0,
            bytes: 0,
        },
    };
    let query = searcher.understand(&at.query)?;
    // Recorded before anything is handed out.
    let members = json!({
        "by": "cli", "form": form.as_str(), "from": at.next, "query": query.without_words(), "to": at.snapshot,
    });
    super::order::record(&options.place, "audit.export", members)?;
    let export = Export { query, mode, form, from: at.next, snapshot: at.snapshot, most: None };
    let records = match (&options.out, &beside) {
        (Some(out), Some(beside)) => to_file(&searcher, &export, &mut at, (out, beside))?,
        _ => return to_stdout(&searcher, &export),
    };
    let told = json!({"bytes": at.bytes, "form": form, "records": records, "snapshot": at.snapshot});
    say(options.output, &told, &format!("{records} records, {} bytes\n", at.bytes))
}

fn to_file(
    searcher: &Searcher,
    export: &Export,
    at: &mut Progress,
    (out, beside): (&Path, &Path),
) -> Result<u64, Failure> {
    let failed = |source| Error::File { path: out.to_owned(), source };
    let mut file = if at.next == 0 && at.bytes == 0 {
        File::create_new(out).map_err(failed)?
    } else {
        OpenOptions::new().write(true).open(out).map_err(failed)?
    };
    // What came after the last note of progress is written again.
    file.set_len(at.bytes).and_then(|()| file.seek(SeekFrom::End(0)).map(|_| ())).map_err(failed)?;
    let mut progress = super::progress("exporting");
    note(beside, at)?;
    let records = searcher.export(export, &Scope::default(), &mut |bytes, next| {
        file.write_all(bytes).and_then(|()| file.sync_data()).map_err(failed)?;
        at.bytes += bytes.len() as u64;
        at.next = next;
        progress(next, at.snapshot);
        note(beside, at)
    })?;
    std::fs::remove_file(beside)?;
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

fn read(beside: &Path) -> Result<Progress, Failure> {
    let text = std::fs::read_to_string(beside).map_err(|_| {
        anyhow::anyhow!("`{}` does not exist: there is nothing to go on with", beside.display())
    })?;
    let wrong = |e| anyhow::anyhow!("`{}` does not tell how far the export is: {e}", beside.display());
    Ok(serde_json::from_str(&text).map_err(wrong)?)
}

/// Replaces the note of progress as a whole.
fn note(beside: &Path, at: &Progress) -> Result<(), Error> {
    let failed = |source| Error::File { path: beside.to_owned(), source };
    let text = serde_json::to_string(at).map_err(|e| failed(e.into()))?;
    let new = beside.with_extension("progress.new");
    std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, beside)).map_err(failed)
}
