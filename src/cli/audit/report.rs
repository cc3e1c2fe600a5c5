//! `sealgate audit report`

use super::{Done, Failure, Format, Place, say, search, verify};
use crate::clock::Clock;
use crate::report::{Asked, Pack, check, make, write};
use crate::search::Mode;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Options of `audit report`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    place: Place,
    /// Which controls: `pci`, `hipaa`, `soc2`, `iso27001`, `eu_ai_act`, or a file of one's own in their form.
    #[arg(long, value_name = "NAME|FILE", required_unless_present = "check")]
    pack: Option<String>,
    /// From this time on: 2026-10-01, 2026-10-01T10:00:00Z or -30d.
    #[arg(long, value_name = "TIME", default_value = "1970-01-01", allow_hyphen_values = true)]
    from: String,
    /// Until before this time; absent: now.
    #[arg(long, value_name = "TIME", default_value = "now", allow_hyphen_values = true)]
    to: String,
    /// Where to: a new folder, with a page, data, digests and a signed note.
    #[arg(long, value_name = "DIR", required_unless_present = "check")]
    out: Option<PathBuf>,
    /// Do not believe the index: read the whole log for each query.
    #[arg(long)]
    scan: bool,
    /// Check a report that was written before. Exit code 1: it is not what was signed.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["pack", "out", "config", "data_dir"])]
    check: Option<PathBuf>,
    /// A verification key that it must be signed by, or a file of such; else those beside the report.
    #[arg(long = "vkey", value_name = "KEY", requires = "check")]
    vkeys: Vec<String>,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn run(options: &Options) -> Done {
    if let Some(report) = &options.check {
        return checked(report, options);
    }
    let (Some(name), Some(out)) = (&options.pack, &options.out) else {
        return Err(Failure::Other(anyhow::anyhow!("give `--pack` and `--out`, or `--check`")));
    };
    let pack = Pack::open(name)?;
    let folder = options.place.data_dir()?;
    let mode = if options.scan { Mode::Scan } else { Mode::Index };
    let searcher = search::searcher(&options.place, &folder, mode)?;
    let now_us = Clock::system().now_us();
    let asked = Asked { from: options.from.clone(), to: options.to.clone(), mode, now_us };
    let report = make(&folder, (&pack, &asked), &searcher, &mut super::progress("verifying"))?;
    // Recorded before it is handed out.
    let members = json!({"by": "cli", "form": "report", "query": report.period, "title": report.title});
    super::order::record(&options.place, "audit.export", members)?;
    write(&folder, &report, out)?;
    let coverage = &report.coverage;
    let text = format!(
        "{}: {} calls in {} records, {} gaps, the log is {}: {}\n",
        report.title,
        coverage.calls,
        coverage.records,
        report.integrity.gaps,
        if report.integrity.ok { "whole" } else { "NOT WHOLE" },
        out.display()
    );
    say(options.output, &report, &text)
}

fn checked(report: &Path, options: &Options) -> Done {
    let known = verify::vkeys(&options.vkeys)?;
    match check(report, &known) {
        Ok(checked) => {
            let keys = if checked.own_keys {
                "\nchecked with the keys beside it: compare them with those that the operator publishes (--vkey)"
            } else {
                ""
            };
            let text = format!(
                "ok: {}, log {}, signed by {}{keys}\n",
                checked.title,
                checked.log,
                checked.signed_by.join(", ")
            );
            say(options.output, &checked, &text)
        }
        Err(crate::report::Error::Unsigned(why)) => {
            say(options.output, &json!({"ok": false, "why": why}), &format!("NOT VALID: {why}\n"))?;
            Err(Failure::No(1))
        }
        Err(other) => Err(other.into()),
    }
}
