//! `sealgate check`

use super::serve::failure;
use super::{Done, Failure, Format, output, runtime};
use crate::app::{StartError, Trial, trial};
use crate::config::{Config, Problem};
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Options of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The configuration file.
    #[arg(long, short, value_name = "FILE", env = "SEALGATE_CONFIG", default_value = "sealgate.yaml")]
    config: PathBuf,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn run(options: &Options) -> Done {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let checked = match Config::load(&options.config) {
        Err(problems) => Err(problems),
        Ok(config) => match runtime()?.block_on(trial(&config)) {
            Ok(trial) => Ok(trial),
            Err(StartError::Problems(problems)) => Err(problems),
            Err(other) => return Err(failure(other)),
        },
    };
    match (checked, options.output) {
        (Ok(trial), Format::Json) => output::json(&json!({"ok": true, "problems": [], "trial": trial})),
        (Ok(trial), Format::Text) => output::print(&text(&trial)),
        (Err(problems), Format::Text) => Err(Failure::Problems(problems)),
        (Err(problems), Format::Json) => {
            let problems: Vec<_> = problems.iter().map(as_json).collect();
            output::json(&json!({"ok": false, "problems": problems}))?;
            Err(Failure::No(3))
        }
    }
}

fn as_json(problem: &Problem) -> serde_json::Value {
    json!({
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "help": problem.help,
    })
}

fn text(trial: &Trial) -> String {
    let mut out = String::new();
    for b in &trial.backends {
        let _ = write!(out, "backend {:<16} {:<9}", b.server, b.state);
        let _ = match &b.reason {
            Some(reason) => writeln!(out, " {reason}"),
            None => writeln!(
                out,
                " {} tools, {} prompts, {} resources, speaks {}",
                b.tools,
                b.prompts,
                b.resources,
                b.protocol.unwrap_or("nothing yet")
            ),
        };
    }
    for tool in &trial.held {
        let _ = writeln!(
            out,
            "held    {} {}: {} {}",
            tool.server,
            tool.tool,
            tool.state,
            tool.reasons.join(", ")
        );
    }
    for note in &trial.notes {
        let _ = writeln!(out, "note    {note}");
    }
    let _ = writeln!(out, "ok: the configuration and the policies load");
    out
}
