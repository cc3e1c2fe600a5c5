//! `sealgate audit`

use super::{Done, Failure, Format, Place, output};
use crate::audit::{Reader, verify};
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

/// The verbs of `audit`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Check every record, link and derived column. Exit code 0: whole; 1: tampered with; 2: cannot decide.
    Verify {
        #[command(flatten)]
        place: Place,
        /// The form of the result.
        #[arg(long, short, value_enum, default_value = "text")]
        output: Format,
    },
    /// Print the newest records, one JSON document a line, as exact bytes.
    Tail {
        #[command(flatten)]
        place: Place,
        /// How many.
        #[arg(long, short = 'n', default_value_t = 20)]
        lines: u64,
        /// Go on as records are written, until interrupted.
        #[arg(long, short)]
        follow: bool,
        /// The form of the result: `text` is a line for people, `json` the records themselves.
        #[arg(long, short, value_enum, default_value = "json")]
        output: Format,
    },
}

pub(super) fn run(verb: &Verb) -> Done {
    match verb {
        Verb::Verify { place, output } => check(place, *output),
        Verb::Tail { place, lines, follow, output } => tail(place, *lines, *follow, *output),
    }
}

fn check(place: &Place, format: Format) -> Done {
    let folder = place.data_dir()?;
    let shows = format == Format::Text && std::io::stderr().is_terminal();
    let mut progress = |done: u64, all: u64| {
        if shows && (done.is_multiple_of(10_000) || done == all) {
            let _ = write!(std::io::stderr(), "\rverifying {done} of {all} records");
        }
    };
    let verdict = verify(&folder, &mut progress)?;
    if shows {
        let _ = writeln!(std::io::stderr());
    }
    match format {
        Format::Json => output::json(&verdict)?,
        Format::Text => output::print(&format!("{verdict}\n"))?,
    }
    if verdict.ok { Ok(()) } else { Err(Failure::No(1)) }
}

fn tail(place: &Place, lines: u64, follow: bool, format: Format) -> Done {
    let reader = Reader::open(&place.data_dir()?)?;
    let mut next = 0;
    for entry in reader.tail(lines)? {
        next = entry.seq + 1;
        show(&entry.record, format)?;
    }
    if !follow {
        return Ok(());
    }
    loop {
        std::thread::sleep(Duration::from_millis(200));
        for entry in reader.since(next, 1000)? {
            next = entry.seq + 1;
            show(&entry.record, format)?;
        }
    }
}

fn show(record: &[u8], format: Format) -> Done {
    match format {
        Format::Json => {
            let mut line = record.to_vec();
            line.push(b'\n');
            output::print(&String::from_utf8_lossy(&line))
        }
        Format::Text => output::print(&line(record)),
    }
}

/// One record on one line, for people.
fn line(record: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(record).unwrap_or_default();
    let text = |pointer: &str| match value.pointer(pointer) {
        Some(serde_json::Value::String(s)) => s.clone(),
        Some(other) => other.to_string(),
        None => "-".into(),
    };
    let time = value.pointer("/t").and_then(serde_json::Value::as_i64).unwrap_or(0);
    let time = jiff::Timestamp::from_microsecond(time).map_or_else(|_| "-".into(), |t| t.to_string());
    format!(
        "{:>8}  {time}  {:<20} {:<12} {:<18} {:<28} {}\n",
        text("/seq"),
        text("/kind"),
        text("/actor/id"),
        text("/mcp/method"),
        text("/mcp/name"),
        if value.get("status").is_some() { text("/status") } else { text("/authz/decision") },
    )
}
