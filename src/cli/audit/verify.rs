//! `sealgate audit verify`

use super::{Done, Failure, Format, Place, output};
use crate::audit::tree::note::Verifier;
use crate::audit::tree::{Prover, keys};
use crate::audit::{Break, Error, Evidence, Trust, Verdict, bundle, verify_against};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

/// Options of `audit verify`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    place: Place,
    /// Check a bundle instead of a log.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["config", "data_dir"])]
    bundle: Option<PathBuf>,
    /// A verification key that checkpoints must be signed by, or a file of such; else those beside the log.
    #[arg(long = "vkey", value_name = "KEY")]
    vkeys: Vec<String>,
    /// A checkpoint that was kept elsewhere: the log must contain it.
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    /// An anchor file that is kept elsewhere: the log must contain every checkpoint in it.
    #[arg(long = "anchors", value_name = "FILE")]
    anchors: Vec<PathBuf>,
    /// A folder of segments: every one that the log names must be there, exactly as it was archived.
    #[arg(long, value_name = "DIR")]
    segments: Option<PathBuf>,
    /// A receipt that an agent kept: the log must contain its record.
    #[arg(long = "receipt", value_name = "FILE")]
    receipts: Vec<PathBuf>,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn run(options: &Options) -> Done {
    let known = vkeys(&options.vkeys)?;
    if let Some(path) = &options.bundle {
        return check_bundle(path, &known, options.output);
    }
    let folder = options.place.data_dir()?;
    let shows = options.output == Format::Text && std::io::stderr().is_terminal();
    let mut progress = |done: u64, all: u64| {
        if shows && (done.is_multiple_of(10_000) || done == all) {
            let _ = write!(std::io::stderr(), "\rverifying {done} of {all} records");
        }
    };
    let checkpoints = options.checkpoints.iter().map(std::fs::read_to_string).collect::<Result<_, _>>()?;
    let (anchors, segments) = (options.anchors.clone(), options.segments.clone());
    let trust = Trust { keys: known, checkpoints, anchors, segments };
    let mut verdict = verify_against(&folder, &trust, &mut progress)?;
    if shows {
        let _ = writeln!(std::io::stderr());
    }
    for path in &options.receipts {
        check_receipt(path, &folder, &trust.keys, &mut verdict)?;
    }
    match options.output {
        Format::Json => output::json(&verdict)?,
        Format::Text => output::print(&format!("{verdict}\n"))?,
    }
    if verdict.ok { Ok(()) } else { Err(Failure::No(verdict.code())) }
}

/// Keys as they were typed: each a key, or a file of keys.
pub(super) fn vkeys(given: &[String]) -> Result<Vec<Verifier>, Failure> {
    let mut known = Vec::new();
    for text in given {
        let path = Path::new(text);
        if path.is_file() {
            known.extend(keys::verifiers(path, &std::fs::read_to_string(path)?)?);
        } else {
            known.push(Verifier::parse(text)?);
        }
    }
    Ok(known)
}

fn check_receipt(path: &Path, folder: &Path, known: &[Verifier], verdict: &mut Verdict) -> Done {
    let receipt: Evidence = serde_json::from_slice(&std::fs::read(path)?)?;
    let prover = Prover::open(folder)?;
    let own = if known.is_empty() { prover.keys()? } else { known.to_vec() };
    if let Err(why) = receipt.check(&own) {
        return Err(Failure::Other(anyhow::anyhow!("`{}` is no signed receipt: {why}", path.display())));
    }
    let found = match prover.leaf(receipt.seq) {
        Ok(leaf) => Some(leaf),
        Err(Error::Altered(_)) => Some([0; 32]),
        Err(_) => None,
    };
    let (kind, detail) = match found {
        Some(leaf) if Some(leaf) == receipt.leaf_hash() => return Ok(()),
        Some(_) => ("receipt", "the log holds another record than the receipt promises"),
        None => ("rollback", "the log does not hold the record that the receipt promises"),
    };
    verdict.ok = false;
    verdict.breaks.push(Break { kind, seq: Some(receipt.seq), detail: detail.into() });
    Ok(())
}

fn check_bundle(path: &Path, known: &[Verifier], format: Format) -> Done {
    let report = bundle::check(path, known)?;
    match format {
        Format::Json => output::json(&report)?,
        Format::Text => {
            let breaks: String =
                report.breaks.iter().map(|b| ["  ", b.kind, ": ", &b.detail, "\n"].concat()).collect();
            let what = if report.ok { "ok" } else { "NOT VALID" };
            let shows = match (report.ok, report.complete) {
                (false, _) => "",
                (true, true) => "\nno record between the first and the last is missing",
                (true, false) => "\nit does not show that there are no other records",
            };
            let keys = if report.own_keys {
                "\nchecked with the keys in the bundle: compare them with those that the operator publishes (--vkey)"
            } else {
                ""
            };
            output::print(&format!(
                "{what}: {} records of {}, checkpoint of {} records{shows}{keys}\n{breaks}",
                report.records, report.log, report.size
            ))?;
        }
    }
    if report.ok { Ok(()) } else { Err(Failure::No(1)) }
}
