//! `sealgate policy test`

use super::place::{Against, Place};
use super::{CiFormat, Done, Failure, failure, output};
use crate::policy::{Policies, PolicyFiles, Table};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Options of `test`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    /// The policy folder; left out: that of the configuration, or `policies`.
    folder: Option<PathBuf>,
    #[command(flatten)]
    against: Against,
    /// A table; may be given several times. Left out: every table in `tests/` below the policies.
    #[arg(long = "table", value_name = "FILE")]
    tables: Vec<PathBuf>,
    /// Also take each policy away in turn: some row must notice. Exit code 1 if none does.
    #[arg(long)]
    mutate: bool,
    /// Write the rows as tests for `cedar run-tests` to this file, and play nothing.
    #[arg(long, value_name = "FILE")]
    export_cedar: Option<PathBuf>,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: CiFormat,
}

/// A row that does not hold.
pub(super) struct Wrong {
    file: String,
    row: usize,
    line: usize,
    text: String,
}

/// All tables of a folder, by file.
pub(super) fn tables(folder: &Path, named: &[PathBuf]) -> Result<Vec<(PathBuf, Table, Vec<usize>)>, Failure> {
    let mut files = named.to_vec();
    let tests = folder.join("tests");
    if named.is_empty() && tests.is_dir() {
        for entry in std::fs::read_dir(&tests)? {
            let path = entry?.path();
            let yaml = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
            if yaml && path.file_stem().is_none_or(|stem| stem != "catalog") {
                files.push(path);
            }
        }
        files.sort();
    }
    let mut all = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        let table: Table = serde_saphyr::from_str(&text)
            .map_err(|error| anyhow::anyhow!("`{}`: {error}", file.display()))?;
        // Rows are items of a list: the nth line that begins one, after `rows:`.
        let rows = text.lines().position(|line| line.trim_end() == "rows:").unwrap_or(0);
        let lines = text.lines().enumerate().skip(rows);
        let lines = lines.filter(|(_, line)| line.trim_start().starts_with("- ")).map(|(index, _)| index + 1);
        all.push((file, table, lines.collect()));
    }
    Ok(all)
}

pub(super) fn run(options: &Options) -> Done {
    let place = options.against.place(options.folder.as_deref())?;
    let policies = place.policies()?;
    let tables = tables(&place.folder, &options.tables)?;
    if let Some(file) = &options.export_cedar {
        let tests: Vec<Value> = tables
            .iter()
            .filter_map(|(_, table, _)| match table.to_cedar(&policies) {
                Value::Array(tests) => Some(tests),
                _ => None,
            })
            .flatten()
            .collect();
        std::fs::write(file, format!("{:#}\n", Value::Array(tests)))?;
        return Ok(());
    }
    let mut wrong = Vec::new();
    let (mut rows, mut matched) = (0, BTreeSet::new());
    for (file, table, lines) in &tables {
        rows += table.rows.len();
        wrong.extend(play(&policies, (file, table, lines), &mut matched));
    }
    if rows == 0 {
        return Err(Failure::Other(anyhow::anyhow!("there are no rows: write them to `tests/*.yaml`")));
    }
    let unneeded = if options.mutate { unneeded(&place, &tables)? } else { Vec::new() };
    report(options.output, rows, &wrong, &unneeded)?;
    if wrong.is_empty() && unneeded.is_empty() { Ok(()) } else { Err(Failure::No(1)) }
}

fn play(
    policies: &Policies,
    (file, table, lines): (&Path, &Table, &[usize]),
    matched: &mut BTreeSet<String>,
) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for (index, row) in table.rows.iter().enumerate() {
        let text = match table.play(policies, row) {
            Ok(played) => {
                matched.extend(played.matched.iter().cloned());
                if row.holds(&played) {
                    continue;
                }
                format!(
                    "expected {} by {:?}, came out as {} by {:?}, obligations {}, flips {:?}",
                    row.expect, row.by, played.came, played.by, played.obligations, played.flips
                )
            }
            Err(error) => error.to_string(),
        };
        let line = lines.get(index).copied().unwrap_or(0);
        wrong.push(Wrong { file: file.display().to_string(), row: index + 1, line, text });
    }
    wrong
}

/// Policies whose absence no row notices.
fn unneeded(place: &Place, tables: &[(PathBuf, Table, Vec<usize>)]) -> Result<Vec<String>, Failure> {
    let files = PolicyFiles::read(&place.folder).map_err(failure)?;
    let whole = files.build(&place.surroundings).map_err(failure)?;
    let ids: Vec<String> = whole.ids().map(str::to_owned).collect();
    let mut unneeded = Vec::new();
    for id in ids {
        let without = whole.without(&id, &place.surroundings).map_err(failure)?;
        let notices = tables.iter().any(|(_, table, _)| {
            table.rows.iter().any(|row| table.play(&without, row).is_ok_and(|played| !row.holds(&played)))
        });
        if !notices {
            unneeded.push(id);
        }
    }
    Ok(unneeded)
}

fn report(format: CiFormat, rows: usize, wrong: &[Wrong], unneeded: &[String]) -> Done {
    let ok = wrong.is_empty() && unneeded.is_empty();
    match format {
        CiFormat::Json => output::json(&json!({
            "ok": ok,
            "rows": rows,
            "failed": wrong.iter().map(|w| json!({"file": w.file, "row": w.row, "line": w.line, "message": w.text}))
                .collect::<Vec<_>>(),
            "unneeded": unneeded,
        })),
        CiFormat::Github => {
            let mut out = String::new();
            for w in wrong {
                let text = w.text.replace('%', "%25").replace('\n', "%0A");
                let _ = writeln!(out, "::error file={},line={}::row {}: {text}", w.file, w.line, w.row);
            }
            for id in unneeded {
                let _ = writeln!(out, "::error::no row notices when policy {id} is taken away");
            }
            output::print(&out)
        }
        CiFormat::Text => {
            let mut out = String::new();
            for w in wrong {
                let _ = writeln!(out, "{}:{}: row {}: {}", w.file, w.line, w.row, w.text);
            }
            for id in unneeded {
                let _ = writeln!(out, "no row notices when `{id}` is taken away");
            }
            let held = rows - wrong.len();
            let _ = writeln!(out, "{}: {held} of {rows} rows hold", if ok { "ok" } else { "failed" });
            output::print(&out)
        }
    }
}

/// Rows of all tables under a set of policies: outcome and deciding policies, by place.
pub(super) fn outcomes(
    policies: &Policies,
    tables: &[(PathBuf, Table, Vec<usize>)],
) -> BTreeMap<String, (String, Vec<String>, BTreeSet<String>)> {
    let mut all = BTreeMap::new();
    for (file, table, lines) in tables {
        for (index, row) in table.rows.iter().enumerate() {
            let line = lines.get(index).copied().unwrap_or(0);
            let place = format!("{}:{line}", file.display());
            if let Ok(played) = table.play(policies, row) {
                all.insert(place, (played.came, played.by, played.matched));
            }
        }
    }
    all
}
