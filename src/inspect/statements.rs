//! Rows of `INSERT INTO`: the names of their columns, and in which column something stands.

use std::ops::Range;

use super::cells::{Reading, Separator, cells};

/// Bytes of a row or of a list of columns.
const REACH: usize = 2_048;
/// The number of the comma among separators.
const COMMA: usize = 3;

/// The rows of each statement, and the names of their columns.
pub(super) fn tables(text: &str) -> Vec<(Range<usize>, Vec<String>)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    // Of the words of the statement, `values` has the rarest letter.
    let says = |word: &[u8], [small, large]: [u8; 2]| {
        memchr::memchr2_iter(small, large, bytes)
            .any(|at| bytes.get(at..at + word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word)))
    };
    if memchr::memchr(b'(', bytes).is_none() || !says(b"values", *b"vV") || !says(b"insert into ", *b"iI") {
        return found;
    }
    let small = text.to_ascii_lowercase();
    let mut starts = memchr::memmem::find_iter(small.as_bytes(), b"insert into ").peekable();
    while let Some(at) = starts.next() {
        let find = |from: usize, sign: u8| {
            let reach = bytes.get(from..bytes.len().min(from + REACH))?;
            memchr::memchr(sign, reach).map(|found| from + found)
        };
        let Some(open) = find(at + 12, b'(') else { continue };
        let Some(close) = find(open, b')') else { continue };
        let behind = small.as_bytes().get(close..small.len().min(close + 21)).unwrap_or_default();
        let Some(values) = memchr::memmem::find(behind, b"values") else { continue };
        let start = close + values + 6;
        while starts.next_if(|next| *next < start).is_some() {}
        let end = starts.peek().copied().unwrap_or(text.len());
        let titles = cells(text.get(open + 1..close).unwrap_or_default(), Separator::Sign(b','));
        found.push((start..end, titles));
    }
    found
}

/// How far the rows of a statement were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// Where the rows begin.
    start: usize,
    at: usize,
    quoted: bool,
    /// The first byte of the row's first cell, how far its cells were read, and how many ended.
    cells: Option<(usize, Reading, usize)>,
}

impl Row {
    /// Nothing was read of the rows that begin at `start`; a row that holds the byte at `at` begins not far before it.
    pub fn new(start: usize, at: usize) -> Self {
        Self { start, at: start.max(at.saturating_sub(REACH)), quoted: false, cells: None }
    }

    /// Whether the byte at `at` is one of the same rows that has not been passed.
    pub fn goes_on(&self, start: usize, at: usize) -> bool {
        self.start == start && self.at <= at
    }

    /// Reads on to the end of `text`. The row begins with the last bracket that was opened outside of quotes.
    pub fn read(mut self, text: &[u8]) -> Self {
        let mut open = None;
        for (at, byte) in (self.at..).zip(text.get(self.at..).unwrap_or_default()) {
            match byte {
                b'\'' => self.quoted = !self.quoted,
                b'(' if !self.quoted => open = Some(at + 1),
                _ => {}
            }
        }
        self.at = text.len();
        if let Some(open) = open {
            let blank = |byte: &&u8| matches!(**byte, b' ' | b'|');
            let first = open + text.get(open..).unwrap_or_default().iter().take_while(blank).count();
            self.cells = Some((first, Reading::from(first), 0));
        }
        if let Some((first, reading, index)) = &mut self.cells {
            reading.go(text, *first, |kind, _| *index += usize::from(kind == COMMA));
        }
        self
    }

    /// The number of the cell in which what was read ends.
    pub fn cell(&self) -> Option<usize> {
        self.cells.map(|(.., index)| index)
    }
}
