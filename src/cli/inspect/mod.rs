//! `sealgate inspect`: what would be found in files or standard input, and what would become of it.

mod answer;
mod input;
mod progress;
mod verdicts;

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::ValueEnum;

use super::{Done, Failure};
use crate::config::Config;
use crate::inspect::{self, Direction, Inspector, Route};
use answer::Answer;
use input::{Format, Item};
use progress::Progress;

/// Options of `inspect`.
///
/// Input is JSON Lines of `{"id": …, "text": "…"}` or `{"id": …, "json": …}`, or plain files, each one text. Output
/// is one JSON line an input: `{"id", "spans"}`, with `--redact` `{"id", "output"}`, for what cannot be inspected
/// `{"id", "error"}`. Spans are byte offsets: of the text for `text`, of the string at JSON pointer `path` for `json`.
///
/// Exit codes: 0 nothing found (with `--redact`: all inspected), 1 something found, 2 some input could not be read
/// or inspected, 3 the configuration has problems.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Files and folders; standard input if there are none, or for `-`.
    paths: Vec<PathBuf>,
    /// A configuration file, whose section `inspect` applies. Without one the defaults do.
    #[arg(long, short, value_name = "FILE", env = "SEALGATE_CONFIG")]
    config: Option<PathBuf>,
    /// How input is read.
    #[arg(long, value_enum, default_value = "auto")]
    format: Format,
    /// As which direction: what goes to a backend, or what comes back to an agent.
    #[arg(long, value_enum, default_value = "response")]
    direction: Way,
    /// As if the value belonged to this backend: some settings hold only for some.
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// As if the value belonged to this tool of the backend.
    #[arg(long, value_name = "NAME", requires = "server")]
    tool: Option<String>,
    /// Print the cleaned values instead of the findings.
    #[arg(long)]
    redact: bool,
    /// Say why: of each finding what speaks for it, and of what looks like one and is none, what speaks against it.
    /// Adds `"because"` to spans and `"passed": [{"type", "text", "because"}]`.
    #[arg(long, conflicts_with_all = ["redact", "definitions", "arguments"])]
    explain: bool,
    /// Judge tool definitions: a result of `tools/list`, an array, or JSON Lines of one definition each. Output is
    /// `{"id", "tool", "verdict", "reasons"}` with verdict `block`, `flag` or `none`.
    #[arg(long, conflicts_with_all = ["redact", "arguments"])]
    definitions: bool,
    /// Judge calls: JSON Lines of `{"id", "tool"?, "schema"?, "arguments", "semantics"?}`, where `semantics` maps
    /// JSON pointers to `url`, `path`, `id`, `token`, `shell` or `{"path": {"root": …}}`.
    #[arg(long, conflicts_with = "redact")]
    arguments: bool,
}

/// A direction as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    /// From the agent to a backend.
    Request,
    /// From a backend to the agent.
    Response,
}

/// What a run has come to.
#[derive(Debug, Default)]
struct Tally {
    found: bool,
    failed: bool,
}

pub(super) fn run(options: &Options) -> Done {
    if options.definitions || options.arguments {
        return verdicts::run(options);
    }
    let inspector = inspector(options)?;
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let mut progress = Progress::new();
    let mut tally = Tally::default();
    let done = input::read(&options.paths, options.format, &mut |item| {
        progress.step(item.bytes());
        let answer = answer(&inspector, options, &item);
        tally.found |= answer.found();
        tally.failed |= answer.failed();
        serde_json::to_writer(&mut out, &answer)?;
        out.write_all(b"\n")
    });
    progress.end();
    match done.and_then(|()| out.flush()) {
        // A closed pipe is no error: the reader has seen enough.
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => return Err(e.into()),
        _ => {}
    }
    match tally {
        Tally { failed: true, .. } => Err(Failure::No(2)),
        Tally { found: true, .. } if !options.redact => Err(Failure::No(1)),
        Tally { .. } => Ok(()),
    }
}

/// The inspector of the configuration, or of the defaults with limits that suit files.
fn inspector(options: &Options) -> Result<Inspector, Failure> {
    let config = match &options.config {
        Some(file) => Config::load(file).map_err(Failure::Problems)?.inspect,
        None => inspect::Config {
            limits: inspect::Limits {
                bytes: 1 << 30,
                string_bytes: 1 << 30,
                keys: 1 << 28,
                depth: 512,
                findings: 1 << 24,
                ..inspect::Limits::default()
            },
            ..inspect::Config::default()
        },
    };
    if config.recognizer.is_some() {
        eprintln!(
            "note: the service of `inspect.recognizer` is not asked here: what only it finds is not shown"
        );
    }
    // Commitments are not shown here, so that any key serves.
    Ok(Inspector::new(&config, &[0; 32])?)
}

fn answer(inspector: &Inspector, options: &Options, item: &Item) -> Answer {
    let direction = match options.direction {
        Way::Request => Direction::Request,
        Way::Response => Direction::Response,
    };
    let (text, shape) = match &item.content {
        Ok(content) => (content.text(), content.shape()),
        Err(problem) => return Answer::error(item.id.clone(), problem.clone()),
    };
    let route = Route { server: options.server.as_deref(), tool: options.tool.as_deref(), principal: None };
    match inspector.explain(text, shape, (direction, route), options.explain) {
        Err(blocked) => Answer::error(item.id.clone(), blocked.to_string()),
        Ok((examined, _)) if options.redact => Answer::output(item, examined),
        Ok((examined, passed)) if options.explain => Answer::spans(item, &examined).explained(passed),
        Ok((examined, _)) => Answer::spans(item, &examined),
    }
}
