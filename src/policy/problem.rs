//! What is wrong with a policy, where, and what to do about it.

use std::fmt;

use cedar_policy::ffi::DetailedError;

/// One thing that is wrong, or worth knowing, about the policies on disk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file or folder.
    pub file: String,
    /// Line, from 1; 0 if it is not about a place in the file.
    pub line: usize,
    /// Column in characters, from 1; 0 if it is not about a place in the file.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    /// A problem with a file or folder as a whole.
    pub(super) fn with_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: file.into(), line: 0, column: 0, message: message.into(), help: None }
    }

    /// A problem at a byte offset of a text.
    pub(super) fn at(file: &str, text: &str, offset: usize, message: impl Into<String>) -> Self {
        let (line, column) = position(text, offset);
        Self { file: file.to_owned(), line, column, message: message.into(), help: None }
    }

    /// The same problem with advice.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Cedar's own report, placed at its first label or else at `fallback`.
    pub(super) fn from_cedar(file: &str, text: &str, fallback: usize, report: &DetailedError) -> Self {
        let offset = report.source_locations.first().map_or(fallback, |label| label.loc.start);
        let mut problem = Self::at(file, text, offset, report.message.clone());
        let label = report.source_locations.first().and_then(|label| label.label.clone());
        problem.help = match (&report.help, label) {
            (Some(help), _) => Some(help.clone()),
            (None, label) => label,
        };
        problem
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}", self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// Line and column, from 1, of a byte offset.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    (line, column)
}

/// The candidate that is closest to a word, if one is close enough to be meant.
pub(super) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (edits(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in characters.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.chars().enumerate() {
        let mut next = vec![index + 1];
        for ((&above_left, &above), &other) in row.iter().zip(row.iter().skip(1)).zip(&to) {
            let left = next.last().copied().unwrap_or(index + 1);
            next.push((above_left + usize::from(letter != other)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{closest, edits, position};

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        assert_eq!(position("ab\ncd", 0), (1, 1));
        assert_eq!(position("äb\ncd", 3), (1, 3));
        assert_eq!(position("ab\ncd", 4), (2, 2));
        assert_eq!(position("ab\ncd", 99), (2, 3));
    }

    #[test]
    fn the_closest_word_is_suggested_and_a_far_one_is_not() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(closest("severty", ["doc", "severity"]), Some("severity"));
        assert_eq!(closest("owner", ["doc", "severity"]), None);
    }
}
