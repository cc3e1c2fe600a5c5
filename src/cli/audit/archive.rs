//! `sealgate audit archive`, `prune`, `restore` and `segments`

use super::{Done, Failure, Format, Place, order, progress, say};
use crate::audit::segment::{self, Pruned, RECORDS, Restored, Segment};
use crate::audit::{Error, OpenError, Reader};
use crate::clock::Clock;
use crate::search;
use serde_json::json;
use std::path::PathBuf;
use uuid::Uuid;

/// Options of `audit archive`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Archive {
    #[command(flatten)]
    place: Place,
    /// The folder that segments are written to, each a folder in it.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Records of a segment.
    #[arg(long, value_name = "N", default_value_t = RECORDS,
          value_parser = clap::value_parser!(u64).range(1..=segment::MOST_RECORDS))]
    records: u64,
    /// Archive through this record, the last segment shorter; else whole segments only.
    #[arg(long, value_name = "SEQ")]
    through: Option<u64>,
    /// Write segments again that the log names already, as far as their records are still in the store: another copy.
    #[arg(long, conflicts_with = "through")]
    again: bool,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn archive(options: &Archive) -> Done {
    let folder = options.place.data_dir()?;
    if options.again {
        return again(options);
    }
    let ranges = segment::plan(&folder, options.records, options.through)?;
    let mut made = Vec::new();
    for range in ranges {
        let sealed = segment::seal(&folder, range, &options.to, &mut progress("archiving"))?;
        let members = json!({
            "by": "cli", "records": sealed.records(), "store": sealed.store,
            "segment": {"digest": sealed.digest, "first": sealed.first, "last": sealed.last},
        });
        // What is written and not recorded is written again, the same, by the next time.
        order::record(&options.place, "segment.archive", members)?;
        made.push(sealed);
    }
    told(options.output, &made)
}

/// Copies of what is archived already: the same bytes, so that the log has nothing to say about them.
fn again(options: &Archive) -> Done {
    let folder = options.place.data_dir()?;
    let mut made = Vec::new();
    for known in segment::segments(&folder)? {
        let range = (known.first, known.last);
        let sealed = segment::seal(&folder, range, &options.to, &mut progress("archiving"))?;
        if sealed.digest != known.digest {
            let why = format!("segment {} came out differently than it was archived", known.name());
            return Err(Failure::Other(anyhow::anyhow!(why)));
        }
        made.push(sealed);
    }
    told(options.output, &made)
}

fn told(format: Format, segments: &[Segment]) -> Done {
    let line = |segment: &Segment| {
        let Segment { digest, first, last, store } = segment;
        format!("records {first} to {last}: {store}/{} (digest {digest})\n", segment.name())
    };
    let mut text: String = segments.iter().map(line).collect();
    if segments.is_empty() {
        text.push_str(
            "nothing to archive: no segment is full and signed (`--through SEQ` takes a shorter one)\n",
        );
    }
    say(format, &json!({"segments": segments}), &text)
}

/// Options of `audit prune`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Prune {
    #[command(flatten)]
    place: Place,
    /// The folder that holds the segments: each is read again before anything goes.
    #[arg(long, value_name = "DIR")]
    segments: PathBuf,
    /// Only segments whose newest record is older; not less than the profile of retention asks for.
    #[arg(long, value_name = "DAYS")]
    older_than: u32,
    /// A file with the token of whoever orders it.
    #[arg(long, value_name = "TOKEN_FILE")]
    approver: PathBuf,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn prune(options: &Prune) -> Done {
    let folder = options.place.data_dir()?;
    let by = order::approvers(&options.place, std::slice::from_ref(&options.approver))?.concat();
    let config = order::settings(&options.place)?;
    unused(&folder)?;
    // Before: a hit that the store does not hold any more would be no hit.
    search::discard(&folder)?;
    let (clock, when) = (Clock::system(), (options.older_than, by.as_str()));
    let done = segment::prune(&folder, &options.segments, (&config, &clock), when, &mut bar("pruning"));
    let done = done.map_err(failed)?;
    let line = |one: &Pruned| {
        let Pruned { segment, pruned, kept } = one;
        format!("records {} to {}: {pruned} pruned, {kept} kept\n", segment.first, segment.last)
    };
    let mut text: String = done.iter().map(line).collect();
    if done.is_empty() {
        text.push_str(
            "nothing to prune: no archived segment is old enough, or far enough from the end of the log\n",
        );
    }
    say(options.output, &json!({"segments": done}), &text)
}

/// Options of `audit restore`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Restore {
    #[command(flatten)]
    place: Place,
    /// The folder that holds the segments.
    #[arg(long, value_name = "DIR")]
    segments: PathBuf,
    /// Bring back the segment that holds this record; may be given several times.
    #[arg(long = "seq", value_name = "N")]
    seqs: Vec<u64>,
    /// Bring back the segments that hold this call.
    #[arg(long, value_name = "UUID")]
    call: Option<Uuid>,
    /// Bring back everything.
    #[arg(long, conflicts_with_all = ["seqs", "call"], required_unless_present_any = ["seqs", "call"])]
    all: bool,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn restore(options: &Restore) -> Done {
    let folder = options.place.data_dir()?;
    let mut seqs = options.seqs.clone();
    if let Some(call) = options.call {
        let of_call = Reader::open(&folder)?.places(call)?;
        if of_call.is_empty() {
            return Err(Failure::Other(anyhow::anyhow!("that call is not in the log")));
        }
        seqs.extend(of_call);
    }
    let config = order::settings(&options.place)?;
    unused(&folder)?;
    search::discard(&folder)?;
    let wanted = (!options.all).then_some(seqs.as_slice());
    let done = segment::restore(&folder, &options.segments, &config, (wanted, "cli"), &mut bar("restoring"));
    let done = done.map_err(failed)?;
    let line = |one: &Restored| {
        let Restored { segment, restored } = one;
        format!("records {} to {}: {restored} restored\n", segment.first, segment.last)
    };
    let mut text: String = done.iter().map(line).collect();
    if done.is_empty() {
        text.push_str("nothing to restore: all of it is in the store\n");
    }
    say(options.output, &json!({"segments": done}), &text)
}

/// Options of `audit segments`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    place: Place,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn list(options: &List) -> Done {
    let folder = options.place.data_dir()?;
    let segments = segment::segments(&folder)?;
    let absent = Reader::open(&folder)?.absent()?;
    let line = |segment: &Segment| {
        let Segment { digest, first, last, store } = segment;
        format!("records {first} to {last}: {store}/{} (digest {digest})\n", segment.name())
    };
    let text: String = segments.iter().map(line).collect();
    let text = format!("{text}{absent} records have no bytes in the store\n");
    say(options.output, &json!({"segments": segments, "absent": absent}), &text)
}

/// The store is changed by nobody while a gateway writes it.
fn unused(folder: &std::path::Path) -> Done {
    if crate::audit::Log::is_in_use(folder) {
        let why = "a gateway writes this log: stop it first. What is archived can wait";
        return Err(Failure::Other(anyhow::anyhow!(why)));
    }
    Ok(())
}

fn failed(why: Error) -> Failure {
    match why {
        Error::Opening(open) if matches!(*open, OpenError::Rollback { .. }) => {
            Failure::RolledBack(open.to_string())
        }
        other => other.into(),
    }
}

/// A bar that counts segments.
fn bar(doing: &'static str) -> impl FnMut(u64, u64) {
    let shows = std::io::IsTerminal::is_terminal(&std::io::stderr());
    move |done, all| {
        if shows {
            let end = if done >= all { "\n" } else { "" };
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("\r{doing}: {done} of {all} segments{end}"),
            );
        }
    }
}
