//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;
use std::path::PathBuf;

/// One problem in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, as it was named on the command line or in `include`.
    pub file: PathBuf,
    /// Line, from 1; 0 when the problem has no place in the file.
    pub line: usize,
    /// Column in characters, from 1; 0 when the problem has no place in the file.
    pub column: usize,
    /// What is wrong. Never holds the value of a variable or a secret.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        write!(f, " {}", self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}
