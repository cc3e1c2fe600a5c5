//! `sealgate policy check` and `sealgate policy fmt`

use super::place::Against;
use super::{CiFormat, Done, Failure, output, problems};
use crate::config::Problem;
use crate::policy::{Policies, PolicyFiles, formatted};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Options of `check`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    /// The policy folder; left out: that of the configuration, or `policies`.
    folder: Option<PathBuf>,
    #[command(flatten)]
    against: Against,
    /// Accept policies that wait for servers whose tools are not known.
    #[arg(long)]
    allow_waiting: bool,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: CiFormat,
}

pub(super) fn run(options: &Options) -> Done {
    let checked = checked(options);
    let (policies, mut wrong) = match checked {
        Ok(policies) => (Some(policies), Vec::new()),
        Err(Failure::Problems(wrong)) => (None, wrong),
        Err(other) => return Err(other),
    };
    let notes = policies.as_ref().map(|p| problems(p.warnings().to_vec())).unwrap_or_default();
    if !options.allow_waiting {
        wrong.extend(notes.iter().cloned());
    }
    match options.output {
        CiFormat::Json => output::json(&json!({
            "ok": wrong.is_empty(),
            "policies": policies.as_ref().map_or(0, |policies| policies.ids().count()),
            "policy_set": policies.as_ref().map(|policies| policies.digests().policy_set.clone()),
            "problems": wrong.iter().map(as_json).collect::<Vec<_>>(),
            "warnings": notes.iter().map(as_json).collect::<Vec<_>>(),
        }))?,
        CiFormat::Github => output::print(&wrong.iter().map(github).collect::<String>())?,
        CiFormat::Text => {
            for problem in &wrong {
                eprintln!("error: {problem}");
            }
            if let Some(policies) = policies.as_ref().filter(|_| wrong.is_empty()) {
                output::print(&format!("ok: {} policies\n", policies.ids().count()))?;
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::No(3)) }
}

fn checked(options: &Options) -> Result<Policies, Failure> {
    options.against.place(options.folder.as_deref())?.policies()
}

fn as_json(problem: &Problem) -> Value {
    json!({
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "help": problem.help,
    })
}

/// A workflow command (GitHub Actions, "Setting an error message").
fn github(problem: &Problem) -> String {
    let escape = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| escape(text).replace(':', "%3A").replace(',', "%2C");
    let place = if problem.line > 0 {
        format!(",line={},col={}", problem.line, problem.column)
    } else {
        String::new()
    };
    let help = problem.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
    let file = property(&problem.file.display().to_string());
    format!("::error file={file}{place}::{}\n", escape(&format!("{}{help}", problem.message)))
}

/// Options of `fmt`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct FmtOptions {
    /// The policy folder.
    #[arg(default_value = "policies")]
    folder: PathBuf,
    /// Change nothing; name the files that are not formatted.
    #[arg(long)]
    check: bool,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: super::Format,
}

pub(super) fn format(options: &FmtOptions) -> Done {
    let files = PolicyFiles::read(&options.folder).map_err(super::failure)?;
    let mut changed = Vec::new();
    let mut wrong = Vec::new();
    for (path, text) in files.texts() {
        match formatted(path, text) {
            Ok(new) if new == text => {}
            Ok(new) => {
                if !options.check {
                    replace(Path::new(path), &new)?;
                }
                changed.push(path.to_owned());
            }
            Err(found) => wrong.extend(found),
        }
    }
    if !wrong.is_empty() {
        return Err(super::failure(wrong));
    }
    match options.output {
        super::Format::Json => output::json(&json!({"changed": changed, "written": !options.check}))?,
        super::Format::Text => {
            let word = if options.check { "not formatted" } else { "formatted" };
            let lines: Vec<String> = changed.iter().map(|path| format!("{word}: {path}\n")).collect();
            output::print(&lines.concat())?;
        }
    }
    if options.check && !changed.is_empty() { Err(Failure::No(1)) } else { Ok(()) }
}

/// Whole or not at all: a gateway may be watching.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let fresh = path.with_extension("cedar.fresh");
    std::fs::write(&fresh, text)?;
    std::fs::rename(&fresh, path)
}
