//! `sealgate audit`: everything works on the files of the data folder, whether a gateway runs or not.

mod archive;
mod bundle;
mod export;
mod index;
mod keys;
mod order;
mod prove;
mod read;
mod report;
mod resume;
mod search;
mod verify;
mod witness;

use super::{Done, Failure, Format, Place, output};
use std::io::{IsTerminal as _, Write as _};

/// The verbs of `audit`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Check every record, link, derived column, checkpoint and tile. Exit code 0: whole; 1: tampered with; 2: cannot
    /// decide; 4: rolled back.
    Verify(verify::Options),
    /// Find records by a query, newest first: each hit is read from the log again and hashed again.
    Search(search::Options),
    /// Hand records out: exact bytes, a table, or OCSF events.
    Export(export::Options),
    /// The index beside the log: derived, disposable.
    #[command(subcommand)]
    Index(index::Verb),
    /// Ask whether a value was ever seen, and where: from commitments alone, the value on standard input.
    FindValue(super::find_value::Options),
    /// Print the newest records, one JSON document a line, as exact bytes.
    Tail(read::Tail),
    /// Print records by number or call, with what was said.
    Show(read::Show),
    /// Prove that a record is under a signed checkpoint (C2SP tlog-proof).
    Proof(prove::Proof),
    /// Prove that the log of so many records is the beginning of the log of so many more.
    Consistency(prove::Consistency),
    /// Print the newest signed checkpoint (C2SP tlog-checkpoint), with its cosignatures.
    Checkpoint(prove::Newest),
    /// The keys that sign checkpoints.
    #[command(subcommand)]
    Keys(keys::Verb),
    /// Where checkpoints are kept besides the data folder.
    #[command(subcommand)]
    Anchor(keys::Anchor),
    /// Cosign the checkpoints of other logs (C2SP tlog-witness).
    #[command(subcommand)]
    Witness(witness::Verb),
    /// Keep payloads, whatever else is ordered.
    #[command(subcommand)]
    Hold(order::Hold),
    /// Erase payloads: their keys and ciphertexts. Records and proofs stay. Two approvers.
    Erase(order::Erase),
    /// Write what the log shows for the controls of a standard: a signed page, with integrity and coverage. Or check one.
    Report(report::Options),
    /// Write evidence that anybody can check offline: records, proofs, checkpoint, verifier.
    Bundle(bundle::Options),
    /// Seal the oldest records as segments: files that prove themselves. The log is not changed, but for a record of it.
    Archive(archive::Archive),
    /// Take the bytes of archived records out of the store. Their places and hashes stay, and so does every proof.
    Prune(archive::Prune),
    /// Bring archived records back into the store.
    Restore(archive::Restore),
    /// List what is archived, and where.
    Segments(archive::List),
}

pub(super) fn run(verb: &Verb) -> Done {
    match verb {
        Verb::Verify(options) => verify::run(options),
        Verb::Search(options) => search::run(options),
        Verb::Export(options) => export::run(options),
        Verb::Index(verb) => index::run(verb),
        Verb::FindValue(options) => super::find_value::run(options),
        Verb::Tail(options) => read::tail(options),
        Verb::Show(options) => read::show(options),
        Verb::Proof(options) => prove::proof(options),
        Verb::Consistency(options) => prove::consistency(options),
        Verb::Checkpoint(options) => prove::newest(options),
        Verb::Keys(verb) => keys::run(verb),
        Verb::Anchor(verb) => keys::anchor(verb),
        Verb::Witness(verb) => witness::run(verb),
        Verb::Hold(verb) => order::hold(verb),
        Verb::Erase(options) => order::erase(options),
        Verb::Report(options) => report::run(options),
        Verb::Bundle(options) => bundle::run(options),
        Verb::Archive(options) => archive::archive(options),
        Verb::Prune(options) => archive::prune(options),
        Verb::Restore(options) => archive::restore(options),
        Verb::Segments(options) => archive::list(options),
    }
}

/// Prints a value as JSON, or a text for people.
fn say(format: Format, value: &impl serde::Serialize, text: &str) -> Done {
    match format {
        Format::Json => output::json(value),
        Format::Text => output::print(text),
    }
}

/// Says on standard error how many records nobody could look at.
fn tell_archived(archived: u64) {
    if archived > 0 {
        let why = "are archived and were not looked at: `sealgate audit segments`, `restore`";
        let _ = writeln!(std::io::stderr(), "{archived} records {why}");
    }
}

/// A bar on standard error while a person looks on, from how many of how many are done.
fn progress(doing: &'static str) -> impl FnMut(u64, u64) {
    let shows = std::io::stderr().is_terminal();
    move |done, all| {
        if shows && all > 0 {
            let filled = usize::try_from(done.saturating_mul(30) / all).unwrap_or(30).min(30);
            let (bar, rest) = ("█".repeat(filled), "·".repeat(30 - filled));
            let end = if done >= all { "\n" } else { "" };
            let _ = write!(std::io::stderr(), "\r{doing} {bar}{rest} {done} of {all} records{end}");
        }
    }
}

/// A time for people.
fn time(us: i64) -> String {
    jiff::Timestamp::from_microsecond(us).map_or_else(|_| "-".into(), |t| t.to_string())
}
