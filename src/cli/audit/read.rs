//! `sealgate audit tail` and `show`

use super::{Done, Failure, Format, Place, output};
use crate::audit::{Entry, Payload, Payloads, Reader, hex, leaf};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// Options of `audit tail`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Tail {
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
}

/// Options of `audit show`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Show {
    #[command(flatten)]
    place: Place,
    /// Sequence numbers.
    #[arg(required_unless_present = "call")]
    seqs: Vec<u64>,
    /// All records of a call.
    #[arg(long, value_name = "UUID")]
    call: Option<Uuid>,
    /// Also what was said, if it is kept. Whoever can read the data folder can read it; the reading is recorded.
    #[arg(long)]
    payload: bool,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn show(options: &Show) -> Done {
    let folder = options.place.data_dir()?;
    let reader = Reader::open(&folder)?;
    let mut entries = Vec::new();
    for seq in &options.seqs {
        let found = reader.since(*seq, 1)?.into_iter().find(|entry| entry.seq == *seq);
        entries.push(found.ok_or_else(|| Failure::Other(anyhow::anyhow!("there is no record {seq}")))?);
    }
    if let Some(call) = options.call {
        entries.extend(reader.by_call(call)?);
    }
    if entries.is_empty() {
        return Err(Failure::Other(anyhow::anyhow!("that call is not in the log")));
    }
    if options.payload {
        // Recorded before it is shown.
        let seqs: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
        let members = json!({"by": "cli", "records": seqs});
        super::order::record(&options.place, "payload.read", members)?;
    }
    let payloads = Payloads::open(&folder)?;
    let shown = entries.iter().map(|entry| shown(entry, options.payload.then_some(&payloads)));
    let shown: Vec<Value> = shown.collect::<Result<_, Failure>>()?;
    match options.output {
        Format::Json => output::json(&json!({"hits": shown})),
        Format::Text => shown.iter().try_for_each(|hit| {
            let pretty = serde_json::to_string_pretty(hit)?;
            output::print(&format!("{pretty}\n"))
        }),
    }
}

/// A record as the auditors' API shows it: number, hash, the record, and its payload.
fn shown(entry: &Entry, payloads: Option<&Payloads>) -> Result<Value, Failure> {
    let record: Value = serde_json::from_slice(&entry.record)?;
    let mut hit = json!({"seq": entry.seq, "leaf": hex(&leaf(&entry.record)), "record": record});
    if let Some(payloads) = payloads
        && let Some(members) = hit.as_object_mut()
    {
        let payload = payloads.read(&entry.record)?;
        members.insert("payload_state".into(), payload.state().into());
        if let Payload::Text(text) = payload {
            members.insert("payload".into(), text.into());
        }
    }
    Ok(hit)
}

pub(super) fn tail(options: &Tail) -> Done {
    let Tail { place, lines, follow, output: format } = options;
    let (lines, follow, format) = (*lines, *follow, *format);
    let reader = Reader::open(&place.data_dir()?)?;
    let mut next = 0;
    for entry in reader.tail(lines)? {
        next = entry.seq + 1;
        print(&entry.record, format)?;
    }
    if !follow {
        return Ok(());
    }
    loop {
        std::thread::sleep(Duration::from_millis(200));
        for entry in reader.present(next, 1000)? {
            next = entry.seq + 1;
            print(&entry.record, format)?;
        }
    }
}

fn print(record: &[u8], format: Format) -> Done {
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
pub(super) fn line(record: &[u8]) -> String {
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
