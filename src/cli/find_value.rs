//! `sealgate audit find-value`

use super::{Done, Failure, Format, output};
use crate::app::{find_value, record_asked};
use crate::config::Config;
use crate::inspect;
use crate::search::Mode;
use serde_json::json;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::PathBuf;

/// Longest value, in bytes.
const LONGEST: u64 = 1 << 20;

/// Options of `audit find-value`.
///
/// The value is read from standard input (one line end at its end does not count), so that it stands in no history
/// and no list of processes. The answer comes from commitments: the log holds no values. Exit codes: 0 it was seen,
/// 1 it was not, 2 the question cannot be answered.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The configuration file, whose data folder is used.
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    config: Option<PathBuf>,
    /// The data folder itself.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Do not believe the index: read the whole log.
    #[arg(long)]
    scan: bool,
    /// Who asks, for the log.
    #[arg(long, value_name = "NAME", default_value = "cli")]
    by: String,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn run(options: &Options) -> Done {
    let config = match (&options.config, &options.data_dir) {
        (Some(file), _) => Some(Config::load(file).map_err(Failure::Problems)?),
        (None, _) => None,
    };
    let folder = match (&options.data_dir, &config) {
        (Some(folder), _) => folder.clone(),
        (None, Some(config)) => config.data_dir.clone(),
        (None, None) => {
            return Err(Failure::Other(anyhow::anyhow!("give `--config FILE` or `--data-dir DIR`")));
        }
    };
    let mut value = String::new();
    std::io::stdin().lock().take(LONGEST + 1).read_to_string(&mut value)?;
    let value =
        value.strip_suffix('\n').map_or(value.as_str(), |rest| rest.strip_suffix('\r').unwrap_or(rest));
    if value.is_empty() || value.len() as u64 > LONGEST {
        return Err(Failure::Other(anyhow::anyhow!(
            "give the value on standard input, at most {LONGEST} bytes"
        )));
    }
    let mode = if options.scan { Mode::Scan } else { Mode::Index };
    let inspect = config.as_ref().map_or_else(inspect::Config::default, |config| config.inspect.clone());
    let seen = find_value(&folder, &inspect, value, mode)?;
    let recorded = match recorder(config, &folder) {
        Ok(config) => super::runtime()?.block_on(record_asked(&config, &options.by, seen.found)),
        Err(why) => Err(why),
    };
    match options.output {
        Format::Json => output::json(&json!({
            "seen": seen.found > 0,
            "found": seen.found,
            "mode": seen.mode,
            "records": seen.records,
            "archived": seen.archived,
            "sightings": seen.sightings,
            "recorded": recorded.is_ok(),
            "unrecorded_because": recorded.as_ref().err(),
        }))?,
        Format::Text => {
            let mut text = String::new();
            for one in &seen.sightings {
                let at =
                    jiff::Timestamp::from_microsecond(one.t).map_or_else(|_| "-".into(), |t| t.to_string());
                let (name, actor) = (one.name.as_deref().unwrap_or("-"), one.actor.as_deref().unwrap_or("-"));
                let _ = writeln!(
                    text,
                    "{:>8}  {at}  {:<14} {:<16} {actor:<14} {name} {}",
                    one.seq, one.kind, one.found, one.pointer
                );
            }
            let how = match seen.mode {
                Mode::Index => "the index has all of them, every hit was hashed again",
                Mode::Scan => "all of them were read",
            };
            let _ = writeln!(text, "seen {} times in {} records: {how}", seen.found, seen.records);
            if seen.archived > 0 {
                let _ = writeln!(
                    text,
                    "{} records are archived and were not asked: `sealgate audit restore` brings them back",
                    seen.archived
                );
            }
            if let Err(why) = &recorded {
                let _ = writeln!(text, "this question is not in the log: {why}");
            }
            output::print(&text)?;
        }
    }
    if seen.found > 0 { Ok(()) } else { Err(Failure::No(1)) }
}

/// The configuration under which the question is recorded. Without a file the log's settings are not known.
fn recorder(config: Option<Config>, folder: &std::path::Path) -> Result<Config, String> {
    config.ok_or_else(|| format!("give `--config` instead of `{}` to have it recorded", folder.display()))
}
