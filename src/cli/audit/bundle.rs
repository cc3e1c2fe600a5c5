//! `sealgate audit bundle`

use super::{Done, Failure, Format, Place, say, search, tell_archived};
use crate::audit::bundle::{Made, What, write};
use crate::audit::{Reader, tree::Prover};
use crate::clock::Clock;
use crate::search::{Consistency, Mode, Scope};
use serde_json::{Value, json};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Options of `audit bundle`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    place: Place,
    /// All records from the first to the last number (`17..42`), or to the newest that is signed (`17..`): shows
    /// that none is missing between them.
    #[arg(long, value_name = "FIRST..LAST", conflicts_with_all = ["seqs", "calls", "query"])]
    range: Option<String>,
    /// This record; may be given several times. Does not show that there are no others.
    #[arg(long = "seq", value_name = "N")]
    seqs: Vec<u64>,
    /// All records of this call; may be given several times.
    #[arg(long = "call", value_name = "UUID")]
    calls: Vec<Uuid>,
    /// All records that this query finds, as in `audit search`.
    #[arg(long, value_name = "QUERY", conflicts_with_all = ["seqs", "calls"], allow_hyphen_values = true)]
    query: Option<String>,
    /// Where to: a new folder, or a file that ends in `.tar`.
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn run(options: &Options) -> Done {
    let folder = options.place.data_dir()?;
    let (what, query, archived) = if let Some(range) = &options.range {
        let (from, to) = bounds(range, &Prover::open(&folder)?)?;
        (What::Range(from, to), json!({"range": {"from": from, "to": to}}), 0)
    } else if let Some(query) = &options.query {
        by_query(options, &folder, query)?
    } else {
        let reader = Reader::open(&folder)?;
        let mut seqs = options.seqs.clone();
        for call in &options.calls {
            seqs.extend(reader.by_call(*call)?.iter().map(|entry| entry.seq));
        }
        if seqs.is_empty() {
            let why = "give `--range FIRST..LAST`, `--query QUERY`, `--seq N` or `--call UUID` of records that exist";
            return Err(Failure::Other(anyhow::anyhow!(why)));
        }
        (What::Selected(seqs), json!({"calls": options.calls, "seqs": options.seqs}), 0)
    };
    let shows = options.output == Format::Text && std::io::stderr().is_terminal();
    let mut progress = |done: u64, all: u64| {
        if shows && (done.is_multiple_of(1024) || done == all) {
            let _ = write!(std::io::stderr(), "\rwriting {done} of {all} records");
        }
    };
    let made = write(&folder, &what, (&query, Clock::system().now_us()), &options.out, &mut progress)?;
    if shows {
        let _ = writeln!(std::io::stderr());
    }
    let members = json!({
        "archived": archived, "by": "cli", "checkpoint": made.checkpoint_size, "form": "bundle", "from": made.from,
        "manifest": made.manifest, "records": made.records, "selection": made.kind, "to": made.to,
    });
    if let Err(why) = super::order::record(&options.place, "audit.export", members) {
        // What is not recorded is not handed out.
        let removed = if made.path.is_dir() {
            std::fs::remove_dir_all(&made.path)
        } else {
            std::fs::remove_file(&made.path)
        };
        removed?;
        return Err(why);
    }
    let text = format!("{} records, {} to {}: {}\n", made.records, made.from, made.to, made.path.display());
    tell_archived(archived);
    say(options.output, &Told { made: &made, archived }, &text)
}

/// What is said of a bundle.
#[derive(serde::Serialize)]
struct Told<'m> {
    #[serde(flatten)]
    made: &'m Made,
    /// Records that are archived, so that a query did not look at them.
    archived: u64,
}

/// The records under the newest checkpoint that a query finds, the query as it was understood, and how many records are
/// archived, so that nobody looked at them.
fn by_query(options: &Options, folder: &Path, query: &str) -> Result<(What, Value, u64), Failure> {
    let searcher = search::searcher(&options.place, folder, Mode::Index)?;
    let asked = searcher.understand(query).map_err(|why| search::told(why, query))?;
    let signed = Prover::open(folder)?.checkpoint()?.map_or(0, |signed| signed.size);
    let snapshot = searcher.snapshot(Mode::Index, Consistency::Wait)?.min(signed);
    let seqs = searcher.numbers(&asked, (&Scope::default(), Mode::Index), snapshot)?;
    if seqs.is_empty() {
        return Err(Failure::Other(anyhow::anyhow!(
            "no record under a checkpoint is what the query asks for"
        )));
    }
    let archived = searcher.archived(Mode::Index)?;
    let understood = json!({
        "archived": archived, "interpreted": asked.to_string(), "query": query, "snapshot": snapshot,
    });
    Ok((What::Selected(seqs), understood, archived))
}

fn bounds(range: &str, prover: &Prover) -> Result<(u64, u64), Failure> {
    let wrong = || Failure::Other(anyhow::anyhow!("`{range}` is no range: write `17..42` or `17..`"));
    let (from, to) = range.split_once("..").ok_or_else(wrong)?;
    let from = from.parse().map_err(|_| wrong())?;
    if to.is_empty() {
        let newest = prover.checkpoint()?.and_then(|signed| signed.size.checked_sub(1));
        return newest.map(|to| (from, to)).ok_or_else(wrong);
    }
    Ok((from, to.parse().map_err(|_| wrong())?))
}
