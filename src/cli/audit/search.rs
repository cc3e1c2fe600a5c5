//! `sealgate audit search`, and what the verbs that read by a query have in common.

use super::{Done, Failure, Format, Place, output, read, say};
use crate::clock::Clock;
use crate::search::{Answer, Config, Consistency, Error, Mode, Request, Scope, Searcher, catch_up};
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// How often is looked for new hits.
const LOOK: Duration = Duration::from_millis(250);

/// Options of `audit search`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    place: Place,
    /// What to look for: `actor:alice tool:crm_* latency:>2s -server:mail "drop table"`; nothing: everything.
    #[arg(default_value = "", allow_hyphen_values = true)]
    query: String,
    /// Recorded at or after this time: 2026-11-01, 2026-11-01T10:00:00Z or -24h.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<String>,
    /// Recorded before this time.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    to: Option<String>,
    /// Hits on a page, 1 to 500.
    #[arg(long, short = 'n')]
    limit: Option<usize>,
    /// Where the page before ended: its `next`.
    #[arg(long)]
    cursor: Option<String>,
    /// Count the values of these fields.
    #[arg(long, value_name = "FIELD,…", value_delimiter = ',')]
    facets: Vec<String>,
    /// Do not believe the index: read the whole log.
    #[arg(long)]
    scan: bool,
    /// Look only once the index has this record.
    #[arg(long, value_name = "SEQ", conflicts_with = "scan")]
    wait: Option<u64>,
    /// Go on as records are written, until interrupted.
    #[arg(long, short, conflicts_with_all = ["cursor", "scan"])]
    follow: bool,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn run(options: &Options) -> Done {
    let folder = options.place.data_dir()?;
    let mode = if options.scan { Mode::Scan } else { Mode::Index };
    let searcher = searcher(&options.place, &folder, mode)?;
    let request = Request {
        q: options.query.clone(),
        from: options.from.clone(),
        to: options.to.clone(),
        limit: options.limit,
        cursor: options.cursor.clone(),
        facets: options.facets.clone(),
        mode,
        consistency: options.wait.map_or(Consistency::Eventual, Consistency::WaitFor),
        follow: options.follow,
    };
    let answer = searcher.search(&request, &Scope::default()).map_err(|why| told(why, &options.query))?;
    let asked = searcher.understand(&options.query).map_err(|why| told(why, &options.query))?;
    // Recorded before it is shown. Words may be somebody's data: they are left out.
    let members = json!({"by": "cli", "found": answer.total.value, "query": asked.without_words()});
    super::order::record(&options.place, "audit.query", members)?;
    if options.follow {
        return follow((&searcher, &options.place, &folder), request, answer, options.output);
    }
    say(options.output, &answer, &table(&answer))
}

fn follow(
    (searcher, place, folder): (&Searcher, &Place, &Path),
    mut request: Request,
    mut answer: Answer,
    format: Format,
) -> Done {
    loop {
        for hit in &answer.hits {
            match format {
                Format::Json => output::json_line(hit)?,
                Format::Text => output::print(&read::line(hit.record.get().as_bytes()))?,
            }
        }
        if answer.hits.is_empty() {
            std::thread::sleep(LOOK);
            catch_up(folder, texts(place)?, &mut |_, _| {})?;
        }
        request.cursor = answer.next;
        answer = searcher.search(&request, &Scope::default())?;
    }
}

/// Opens a log for questions. An index that nobody keeps is brought up to the log first.
pub(super) fn searcher(place: &Place, folder: &Path, mode: Mode) -> Result<Searcher, Failure> {
    if mode == Mode::Index {
        let mut progress = super::progress("indexing");
        catch_up(folder, texts(place)?, &mut progress)?;
    }
    Ok(Searcher::open(folder, Clock::system())?)
}

/// Whether the index is to hold words, where the configuration is known.
pub(super) fn texts(place: &Place) -> Result<Option<bool>, Failure> {
    let Some(file) = &place.config else { return Ok(None) };
    let config: Config = crate::config::Config::load(file).map_err(Failure::Problems)?.search;
    Ok(Some(config.texts))
}

/// An error with the place in the query that it is about.
pub(super) fn told(why: Error, query: &str) -> Failure {
    let Error::Query(misread) = &why else { return why.into() };
    let shown = query.replace(['\n', '\t', '\r'], " ");
    let marks = "^".repeat(misread.length.clamp(1, 200));
    Failure::Other(anyhow::anyhow!("{why}\n  {shown}\n  {:at$}{marks}", "", at = misread.at))
}

fn table(answer: &Answer) -> String {
    let mut text: String = answer.hits.iter().map(|hit| read::line(hit.record.get().as_bytes())).collect();
    for (field, buckets) in &answer.facets {
        let _ = writeln!(text, "\n{}", field.name());
        for bucket in buckets {
            let _ = writeln!(text, "{:>10}  {}", bucket.count, bucket.value);
        }
    }
    let shown = if answer.hits.len() as u64 == answer.total.value { "all of " } else { "" };
    let _ = write!(text, "{shown}{} records", answer.total.value);
    if shown.is_empty() {
        let _ = write!(text, ", {} shown", answer.hits.len());
    }
    let _ = match answer.mode {
        Mode::Scan => writeln!(text, ", the whole log was read, every hit hashed again"),
        Mode::Index if answer.lag.records == 0 => {
            writeln!(text, ", the index has the whole log, every hit was hashed again")
        }
        Mode::Index => writeln!(
            text,
            ", every hit was hashed again; the index lacks the newest {} records ({} ms)",
            answer.lag.records, answer.lag.ms
        ),
    };
    if answer.archived > 0 {
        let _ = writeln!(
            text,
            "{} records are archived and were not looked at: `sealgate audit segments`, `restore`",
            answer.archived
        );
    }
    if let Some(next) = &answer.next {
        let _ = writeln!(text, "next page: --cursor {next}");
    }
    text
}
