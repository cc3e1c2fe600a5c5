//! `sealgate policy`: what a security team does with policies.

mod check;
mod explain;
mod history;
mod place;
mod recommend;
mod replay;
mod schema;
mod table;
mod template;

use super::{Done, Failure, Format, output};
use crate::config::Problem;

/// The verbs of `policy`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Load policies strictly and list every problem with its place. Exit code 3: there are some.
    Check(check::Options),
    /// Format policy files in place. Exit code 1 with `--check`: some are not formatted.
    Fmt(check::FmtOptions),
    /// Play the tables of expectations beside the policies. Exit code 1: a row does not hold.
    Test(table::Options),
    /// Say why a recorded or a hypothetical call is decided so, and what would have to change.
    Explain(explain::Options),
    /// Decide recorded calls again under other policies. Exit code 1: some flip.
    Replay(replay::Options),
    /// Compare two folders: policy by policy, by tests, and by history. Exit code 1: decisions differ.
    Diff(replay::DiffOptions),
    /// Policies that never matched, tools that no policy names, rows that no policy decides.
    Coverage(history::Options),
    /// What shadow policies would have done.
    Shadow(history::Options),
    /// Draft least-privilege policies, with tests, from what was observed.
    Recommend(recommend::Options),
    /// Print, write or compare the schema that policies are written against.
    Schema(schema::Options),
    /// Write a policy from a template for a common rule.
    New(template::Options),
    /// Sign the policy and entities files, so that an edit on disk alone is refused.
    Sign(schema::SignOptions),
}

/// The form of a result that a CI system may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum CiFormat {
    /// For people.
    Text,
    /// One JSON document for programs.
    Json,
    /// Annotations for GitHub Actions.
    Github,
}

pub(super) fn run(verb: &Verb) -> Done {
    match verb {
        Verb::Check(options) => check::run(options),
        Verb::Fmt(options) => check::format(options),
        Verb::Test(options) => table::run(options),
        Verb::Explain(options) => explain::run(options),
        Verb::Replay(options) => replay::run(options),
        Verb::Diff(options) => replay::diff(options),
        Verb::Coverage(options) => history::coverage(options),
        Verb::Shadow(options) => history::shadow(options),
        Verb::Recommend(options) => recommend::run(options),
        Verb::Schema(options) => schema::run(options),
        Verb::New(options) => template::run(options),
        Verb::Sign(options) => schema::sign(options),
    }
}

fn problems(found: Vec<crate::policy::Problem>) -> Vec<Problem> {
    let one = |problem: crate::policy::Problem| Problem {
        file: problem.file.into(),
        line: problem.line,
        column: problem.column,
        message: problem.message,
        help: problem.help,
    };
    found.into_iter().map(one).collect()
}

fn failure(found: Vec<crate::policy::Problem>) -> Failure {
    Failure::Problems(problems(found))
}
