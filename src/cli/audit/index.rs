//! `sealgate audit index`

use super::{Done, Format, Place, output, say, search};
use crate::clock::Clock;
use crate::search::{Searcher, is_rebuild_asked, rebuild};
use std::time::{Duration, Instant};

/// How long a running gateway may take to begin.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often is looked how far it is.
const LOOK: Duration = Duration::from_millis(200);

/// The verbs of `audit index`.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Verb {
    /// Tell how far the index is behind the log. Exit code 1: there is none, or it is behind.
    Status(Options),
    /// Make the index anew from the log. A running gateway is asked to.
    Rebuild(Options),
}

/// Options of both.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    place: Place,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn run(verb: &Verb) -> Done {
    match verb {
        Verb::Status(options) => status(options),
        Verb::Rebuild(options) => anew(options),
    }
}

fn status(options: &Options) -> Done {
    let searcher = Searcher::open(&options.place.data_dir()?, Clock::system())?;
    let status = searcher.status()?;
    let text = if status.exists {
        format!(
            "{} records behind ({} ms); indexed through {}, the log ends with {}; {} segments, {} bytes\n",
            status.lag.records,
            status.lag.ms,
            status.lag.indexed_through.map_or("nothing".into(), |seq| seq.to_string()),
            status.lag.log_head.map_or("nothing".into(), |seq| seq.to_string()),
            status.segments,
            status.bytes
        )
    } else {
        "there is no index: run `sealgate audit index rebuild`\n".to_owned()
    };
    say(options.output, &status, &text)?;
    if status.exists && status.lag.records == 0 { Ok(()) } else { Err(super::Failure::No(1)) }
}

fn anew(options: &Options) -> Done {
    let folder = options.place.data_dir()?;
    let mut progress = super::progress("indexing");
    let texts = search::texts(&options.place)?;
    if let Some(caught) = rebuild(&folder, texts, &mut progress)? {
        return say(options.output, &caught, &format!("{} records indexed\n", caught.indexed));
    }
    // The gateway does it: its index tells how far it is.
    let searcher = Searcher::open(&folder, Clock::system())?;
    let begun = Instant::now();
    loop {
        std::thread::sleep(LOOK);
        if is_rebuild_asked(&folder) {
            if begun.elapsed() > PATIENCE {
                return Err(super::Failure::Other(anyhow::anyhow!(
                    "whoever writes the index did not begin in time: is the gateway running?"
                )));
            }
            continue;
        }
        // Between two states of its files it cannot be read for a moment.
        let Ok(status) = searcher.status() else { continue };
        let all = status.lag.log_head.map_or(0, |head| head + 1);
        progress(all - status.lag.records, all);
        if status.exists && status.lag.ms < 2000 {
            return match options.output {
                Format::Json => output::json(&status),
                Format::Text => output::print(&format!("the gateway has indexed {all} records\n")),
            };
        }
    }
}
