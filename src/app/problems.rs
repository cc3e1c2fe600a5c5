//! Problems of the stages in the words of the configuration.

use crate::config::Problem;

pub(super) fn from_policy(problem: crate::policy::Problem) -> Problem {
    Problem {
        file: problem.file.into(),
        line: problem.line,
        column: problem.column,
        message: problem.message,
        help: problem.help,
    }
}

pub(super) fn problem(file: &std::path::Path, message: String, help: &str) -> Problem {
    Problem { file: file.to_owned(), line: 0, column: 0, message, help: Some(help.to_owned()) }
}
