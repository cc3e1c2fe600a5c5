//! `sealgate audit proof`, `consistency` and `checkpoint`

use super::{Done, Failure, Format, Place, output, say, time};
use crate::audit::hex;
use crate::audit::tree::{Inclusion, Prover};
use serde_json::json;
use std::path::PathBuf;

/// Options of `audit proof`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Proof {
    #[command(flatten)]
    place: Place,
    /// The record's sequence number.
    seq: u64,
    /// Under the checkpoint of so many records; else under the newest.
    #[arg(long)]
    size: Option<u64>,
    /// Write the proof to a file (`….tlog-proof`).
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The form of the result: `text` is a C2SP tlog-proof.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn proof(options: &Proof) -> Done {
    let proof = Prover::open(&options.place.data_dir()?)?.inclusion(options.seq, options.size)?;
    if let Some(path) = &options.out {
        return Ok(std::fs::write(path, proof.text())?);
    }
    let Inclusion { seq, leaf, path, checkpoint, size } = &proof;
    let path: Vec<String> = path.iter().map(|hash| hex(hash)).collect();
    let value = json!({"seq": seq, "leaf": hex(leaf), "path": path, "size": size, "checkpoint": checkpoint});
    say(options.output, &value, &proof.text())
}

/// Options of `audit consistency`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Consistency {
    #[command(flatten)]
    place: Place,
    /// Records of the older log.
    old: u64,
    /// Records of the newer one; else all.
    new: Option<u64>,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn consistency(options: &Consistency) -> Done {
    let prover = Prover::open(&options.place.data_dir()?)?;
    let new = options.new.map_or_else(|| prover.size(), Ok)?;
    let proof: Vec<String> = prover.consistency(options.old, new)?.iter().map(|hash| hex(hash)).collect();
    let (was, is) = (hex(&prover.root(options.old)?), hex(&prover.root(new)?));
    let old = options.old;
    let text = format!(
        "{old} records, root {was}\nis the beginning of\n{new} records, root {is}\n{}\n",
        proof.join("\n")
    );
    let value = json!({"old": {"size": old, "root": was}, "new": {"size": new, "root": is}, "proof": proof});
    say(options.output, &value, &text)
}

/// Options of `audit checkpoint`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Newest {
    #[command(flatten)]
    place: Place,
    /// The checkpoint of exactly so many records.
    #[arg(long)]
    size: Option<u64>,
    /// The form of the result: `text` is the signed note.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn newest(options: &Newest) -> Done {
    let prover = Prover::open(&options.place.data_dir()?)?;
    let found = match options.size {
        Some(size) => prover.checkpoint_of(size)?,
        None => prover.checkpoint()?,
    };
    let signed = found.ok_or_else(|| Failure::Other(anyhow::anyhow!("there is no such checkpoint")))?;
    match options.output {
        Format::Text => output::print(&signed.note),
        Format::Json => output::json(&json!({
            "size": signed.size, "root": hex(&signed.root), "time": time(signed.time_us), "note": signed.note,
        })),
    }
}
