//! `sealgate policy replay` and `sealgate policy diff`

use super::place::{Against, Period, decisions};
use super::{Done, Failure, Format, failure, output, table};
use crate::policy::{Changes, Flip, PolicyFiles, Replay, Report, Store, Surroundings};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Flips shown to people.
const SHOWN: usize = 10;

/// Options of `replay`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    /// The folder with the policies to try.
    #[arg(long, value_name = "DIR")]
    candidate: PathBuf,
    #[command(flatten)]
    place: super::super::Place,
    #[command(flatten)]
    period: Period,
    /// Exit with 0 even if decisions flip.
    #[arg(long)]
    exit_zero: bool,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn run(options: &Options) -> Done {
    let report = replay(&options.candidate, &options.place.data_dir()?, &options.period)?;
    match options.output {
        Format::Json => output::json(&report)?,
        Format::Text => output::print(&text(&report))?,
    }
    let flips = report.newly_allowed + report.newly_denied > 0;
    if flips && !options.exit_zero { Err(Failure::No(1)) } else { Ok(()) }
}

fn replay(candidate: &Path, data_dir: &Path, period: &Period) -> Result<Report, Failure> {
    let files = PolicyFiles::read(candidate).map_err(failure)?;
    let store = Store::of(data_dir);
    // For the servers of today it must load as it would in a gateway; in the past, tools may have been missing.
    if let Ok(digests) = store.in_force() {
        let today = Surroundings::from_parts(&store.parts(&digests.entities)?).map_err(failure)?;
        files.build(&today).map_err(failure)?;
    }
    let mut replay = Replay::new(files, store);
    decisions(data_dir, period, |decided| replay.take(decided).map_err(failure))?;
    Ok(replay.finish())
}

fn text(report: &Report) -> String {
    let mut out = format!(
        "decided again {}, undetermined {}, newly denied {}, newly allowed {}, other obligations {}\n",
        report.decided,
        report.undetermined,
        report.newly_denied,
        report.newly_allowed,
        report.obligations_changed
    );
    if report.results_decided + report.results_undetermined > 0 {
        let (decided, not) = (report.results_decided, report.results_undetermined);
        let _ = writeln!(out, "results decided again {decided}, undetermined {not}");
    }
    for (why, count) in &report.undetermined_reasons {
        let _ = writeln!(out, "  undetermined {count}: {why}");
    }
    for (why, count) in &report.not_policy {
        let _ = writeln!(out, "  refused before policy was asked {count}: {why}");
    }
    for group in &report.groups {
        let by = if group.policies.is_empty() { "no policy".to_owned() } else { group.policies.join(", ") };
        let _ = writeln!(
            out,
            "  {} {:>6}x {} by {} ({by}), for instance {}",
            group.change, group.count, group.name, group.principal, group.example
        );
    }
    for flip in report.flips.iter().take(SHOWN) {
        let _ = writeln!(
            out,
            "  {} {} seq {} {} {} for {}: was by {:?}, would be by {:?}",
            flip.change,
            flip.decides,
            flip.seq,
            flip.method,
            flip.name,
            flip.principal,
            flip.recorded.policies,
            flip.candidate.policies
        );
    }
    out
}

/// Options of `diff`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DiffOptions {
    /// The folder as it is.
    before: PathBuf,
    /// The folder as it would be.
    after: PathBuf,
    #[command(flatten)]
    against: Against,
    #[command(flatten)]
    period: Period,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn diff(options: &DiffOptions) -> Done {
    let place = options.against.place(Some(&options.after))?;
    let after = place.policies()?;
    let before = PolicyFiles::read(&options.before).map_err(failure)?;
    let before = before.build(&place.surroundings).map_err(failure)?;
    let changes = Changes::between(&before, &after);

    let mut tables = table::tables(&options.after, &[])?;
    if tables.is_empty() {
        tables = table::tables(&options.before, &[])?;
    }
    let (old, new) = (table::outcomes(&before, &tables), table::outcomes(&after, &tables));
    let rows: Vec<Value> = new
        .iter()
        .filter_map(|(place, after)| {
            let before = old.get(place)?;
            let differs = before.0 != after.0 || before.1 != after.1;
            differs
                .then(|| json!({"row": place, "before": [before.0, before.1], "after": [after.0, after.1]}))
        })
        .collect();

    let history = match options.against.data_dir()?.filter(|folder| folder.join("audit.db").exists()) {
        Some(data_dir) => Some(history(options, &data_dir)?),
        None => None,
    };
    let flips = history.as_ref().map_or(0, |history| history.flips.len());
    match options.output {
        Format::Json => output::json(&json!({
            "changes": changes,
            "rows": rows,
            "history": history.as_ref().map(|history| json!({
                "decided": history.decided, "undetermined": history.undetermined, "flips": history.flips,
            })),
        }))?,
        Format::Text => output::print(&diff_text(&changes, &rows, history.as_ref()))?,
    }
    if rows.is_empty() && flips == 0 { Ok(()) } else { Err(Failure::No(1)) }
}

struct History {
    decided: u64,
    undetermined: u64,
    flips: Vec<Flip>,
}

/// Calls that the two folders decide differently: those that flip against the record under one of them only.
fn history(options: &DiffOptions, data_dir: &Path) -> Result<History, Failure> {
    let before = replay(&options.before, data_dir, &options.period)?;
    let after = replay(&options.after, data_dir, &options.period)?;
    let ids = |report: &Report| -> BTreeSet<(Uuid, &'static str)> {
        report.flips.iter().map(|flip| (flip.call, flip.decides)).collect()
    };
    let (old, new) = (ids(&before), ids(&after));
    let gone =
        before.flips.into_iter().filter(|flip| !new.contains(&(flip.call, flip.decides))).map(|mut flip| {
            // From what the old folder decides back to what the record says.
            std::mem::swap(&mut flip.recorded, &mut flip.candidate);
            flip.change = if flip.change == "newly_denied" { "newly_allowed" } else { "newly_denied" };
            flip
        });
    let come = after.flips.into_iter().filter(|flip| !old.contains(&(flip.call, flip.decides)));
    let mut flips: BTreeMap<(u64, &str), Flip> = gone.map(|flip| ((flip.seq, flip.decides), flip)).collect();
    flips.extend(come.map(|flip| ((flip.seq, flip.decides), flip)));
    Ok(History {
        decided: after.decided,
        undetermined: after.undetermined,
        flips: flips.into_values().collect(),
    })
}

fn diff_text(changes: &Changes, rows: &[Value], history: Option<&History>) -> String {
    let mut out = String::new();
    for (word, ids) in [
        ("added", &changes.added),
        ("removed", &changes.removed),
        ("changed", &changes.changed),
        ("annotations only", &changes.annotations),
        ("formatting only", &changes.formatting),
    ] {
        for id in ids {
            let _ = writeln!(out, "{word:<16} {id}");
        }
    }
    for row in rows {
        let _ = writeln!(out, "row {}: {} -> {}", row["row"], row["before"], row["after"]);
    }
    if let Some(history) = history {
        let _ = writeln!(
            out,
            "history: {} decided again, {} undetermined, {} differ",
            history.decided,
            history.undetermined,
            history.flips.len()
        );
        for flip in history.flips.iter().take(SHOWN) {
            let _ = writeln!(out, "  {} seq {} {} for {}", flip.change, flip.seq, flip.name, flip.principal);
        }
    }
    out
}
