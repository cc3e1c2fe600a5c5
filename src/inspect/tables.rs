//! Tables in a text, so that a column's title can say what its values are: CSV, TSV, Markdown, columns of spaces,
//! rows of `INSERT INTO`, tables of HTML.

use std::cell::{Cell, OnceCell};

use super::context::{Hits, Lexicon};
use super::html;

/// What separates cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Separator {
    Sign(u8),
    /// Two spaces or more.
    Spaces,
}

const SEPARATORS: [Separator; 5] = [
    Separator::Sign(b'|'),
    Separator::Sign(b'\t'),
    Separator::Sign(b';'),
    Separator::Sign(b','),
    Separator::Spaces,
];

/// Bytes of a row or of a list of columns.
const REACH: usize = 2_048;

/// Lines in a row with the same separator as often.
#[derive(Debug)]
struct Block {
    start: usize,
    end: usize,
    separator: Separator,
    titles: Vec<Title>,
}

/// The title of a column, and what it speaks of, read when first asked for.
#[derive(Debug)]
pub(super) struct Title {
    text: String,
    hits: OnceCell<Hits>,
}

impl Title {
    /// What it speaks of.
    pub fn hits(&self, lexicon: &Lexicon) -> &Hits {
        self.hits.get_or_init(|| lexicon.name(&self.text))
    }
}

/// Which column of which table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    kind: Kind,
    block: usize,
    column: usize,
}

/// How a table is written.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Lines,
    Statement,
    Html,
}

/// All tables of a text.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// Lines that make a table, in order; none overlaps with another.
    lines: Vec<Block>,
    /// Rows of statements, the same.
    inserts: Vec<Block>,
    /// Rows of tables of HTML, the same.
    html: Vec<Block>,
    /// How far lines were read that were asked for last: values are asked for nearly in order.
    last: Cell<[Option<Asked>; 3]>,
}

/// How far a line was read.
#[derive(Debug, Clone, Copy)]
struct Asked {
    /// Where the line begins.
    line: usize,
    /// The first byte of its first cell.
    cells: usize,
    separator: Separator,
    reading: Reading,
    index: usize,
}

/// A line with how often each separator stands in it.
struct Line {
    start: usize,
    end: usize,
    counts: [usize; SEPARATORS.len()],
}

impl Tables {
    pub fn read(text: &str) -> Self {
        let mut tables = Self::default();
        if memchr::memchr(b'\n', text.as_bytes()).is_some() {
            tables.read_lines(text);
        }
        tables.read_inserts(text);
        let html = html::tables(text).into_iter();
        tables.html = html.map(|(rows, titles)| Block::new(rows, Separator::Sign(b'<'), titles)).collect();
        tables
    }

    fn read_lines(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut open: Vec<Line> = Vec::new();
        let mut start = 0;
        while start < bytes.len() {
            let rest = bytes.get(start..).unwrap_or_default();
            let end = start + memchr::memchr(b'\n', rest).map_or(rest.len(), |found| found + 1);
            let line = text.get(start..end).unwrap_or_default().trim_end();
            let mut counts = [0; SEPARATORS.len()];
            Reading::default().go(line.as_bytes(), 0, |kind, _| {
                counts.get_mut(kind).into_iter().for_each(|count| *count += 1);
            });
            let next = Line { start, end, counts };
            // Markdown may leave out the outer bars, and a cell may hold a quoted separator.
            let alike = open.first().is_some_and(|first| common(first, &next).is_some());
            if !alike {
                self.close(text, &open);
                open.clear();
            }
            open.push(next);
            start = end;
        }
        self.close(text, &open);
    }

    fn close(&mut self, text: &str, lines: &[Line]) {
        let (Some(first), Some(second), Some(last)) = (lines.first(), lines.get(1), lines.last()) else {
            return;
        };
        let Some(separator) = common(first, second) else { return };
        let title = text.get(first.start..first.end).unwrap_or_default();
        let titles: Vec<String> = cells(title, separator);
        // Titles are names, not values.
        let named = titles.iter().filter(|title| title.chars().any(char::is_alphabetic)).count();
        let numbers =
            titles.iter().filter(|title| title.bytes().filter(u8::is_ascii_digit).count() > 3).count();
        if named * 2 > titles.len() && numbers == 0 {
            self.lines.push(Block::new(second.start..last.end, separator, titles));
        }
    }

    fn read_inserts(&mut self, text: &str) {
        let bytes = text.as_bytes();
        // Of the words of the statement, `values` has the rarest letter.
        let says = |word: &[u8], [small, large]: [u8; 2]| {
            memchr::memchr2_iter(small, large, bytes)
                .any(|at| bytes.get(at..at + word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word)))
        };
        if memchr::memchr(b'(', bytes).is_none() || !says(b"values", *b"vV") || !says(b"insert into ", *b"iI")
        {
            return;
        }
        let small = text.to_ascii_lowercase();
        let mut from = 0;
        while let Some(found) = small.get(from..).and_then(|rest| rest.find("insert into ")) {
            let at = from + found;
            from = at + 12;
            let find = |from: usize, sign: u8| {
                let reach = small.as_bytes().get(from..small.len().min(from + REACH))?;
                memchr::memchr(sign, reach).map(|found| from + found)
            };
            let Some(open) = find(from, b'(') else { continue };
            let Some(close) = find(open, b')') else { continue };
            let behind = small.as_bytes().get(close..small.len().min(close + 21)).unwrap_or_default();
            let Some(values) = memchr::memmem::find(behind, b"values") else { continue };
            let start = close + values + 6;
            let end = small
                .get(start..)
                .and_then(|rest| rest.find("insert into "))
                .map_or(text.len(), |next| start + next);
            let titles = cells(text.get(open + 1..close).unwrap_or_default(), Separator::Sign(b','));
            self.inserts.push(Block::new(start..end, Separator::Sign(b'('), titles));
        }
    }

    /// The column in which the byte at `at` stands.
    pub fn column(&self, text: &str, at: usize) -> Option<Place> {
        if let Some(block) = holding(&self.html, at) {
            // The row's own tag stands before its first cell.
            let column = html::cell(text.as_bytes().get(at.saturating_sub(REACH)..at)?)?;
            return Some(Place { kind: Kind::Html, block, column });
        }
        if let Some(block) = holding(&self.inserts, at) {
            let start = self.inserts.get(block)?.start;
            let from = text.ceil_char_boundary(start.max(at.saturating_sub(REACH)));
            let row = text.get(from..at)?;
            let column = cell_of_row(row.get(row_start(row)?..)?.as_bytes());
            return Some(Place { kind: Kind::Statement, block, column });
        }
        let block = holding(&self.lines, at)?;
        let column = self.cell_of_line(text, at, self.lines.get(block)?.separator);
        Some(Place { kind: Kind::Lines, block, column })
    }

    /// The title of a column, if it has one.
    pub fn title(&self, place: Place) -> Option<&Title> {
        let blocks = match place.kind {
            Kind::Lines => &self.lines,
            Kind::Statement => &self.inserts,
            Kind::Html => &self.html,
        };
        let title = blocks.get(place.block)?.titles.get(place.column);
        title.filter(|title| !title.text.is_empty())
    }

    /// The number of the cell in which the byte at `at` stands, in a line that is a row.
    fn cell_of_line(&self, text: &str, at: usize, separator: Separator) -> usize {
        // The gap between two columns of spaces ends with the first letter of the next.
        let to = if separator == Separator::Spaces { text.ceil_char_boundary(at + 1) } else { at };
        let bytes = text.as_bytes();
        let [newest, newer, new] = self.last.get();
        let fits = |last: &Asked| last.separator == separator && last.line <= at && last.reading.at <= to;
        let last = [newest, newer, new].into_iter().flatten().find(fits);
        // A line goes on unless it ends between what was read and what is asked for.
        let known = last.map_or(0, |last| last.line.max(last.reading.at.min(at)));
        let ended = memchr::memrchr(b'\n', bytes.get(known..at).unwrap_or_default());
        let mut asked = match (last, ended) {
            (Some(last), None) => last,
            (_, ended) => {
                let line = ended.map_or(0, |ended| known + ended + 1);
                let blank = |byte: &&u8| matches!(**byte, b' ' | b'|');
                let rest = bytes.get(line..to).unwrap_or_default();
                let cells = line + rest.iter().take_while(blank).count();
                let reading = Reading { at: cells, ..Reading::default() };
                Asked { line, cells, separator, reading, index: 0 }
            }
        };
        let row = bytes.get(..to).unwrap_or_default();
        asked.reading.go(row, asked.cells, |kind, _| {
            asked.index += usize::from(SEPARATORS.get(kind) == Some(&separator));
        });
        if newest.is_none_or(|newest| newest.reading.at != asked.reading.at) {
            self.last.set([Some(asked), newest, newer]);
        }
        asked.index
    }
}

impl Block {
    fn new(rows: std::ops::Range<usize>, separator: Separator, titles: Vec<String>) -> Self {
        let titles = titles.into_iter().map(|text| Title { text, hits: OnceCell::new() }).collect();
        Self { start: rows.start, end: rows.end, separator, titles }
    }
}

/// The number of the block that holds the byte at `at`.
fn holding(blocks: &[Block], at: usize) -> Option<usize> {
    let last = blocks.partition_point(|block| block.start <= at).checked_sub(1)?;
    blocks.get(last).filter(|block| at < block.end).map(|_| last)
}

/// The last bracket that was opened outside of quotes.
fn row_start(text: &str) -> Option<usize> {
    let mut quoted = false;
    let mut open = None;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            b'(' if !quoted => open = Some(at + 1),
            _ => {}
        }
    }
    open
}

/// The number of the cell in which a row of a statement ends that is read from its bracket on.
fn cell_of_row(row: &[u8]) -> usize {
    let blank = row.iter().take_while(|byte| matches!(byte, b' ' | b'|')).count();
    let mut index = 0;
    let comma = 3;
    let mut reading = Reading { at: blank, ..Reading::default() };
    reading.go(row, blank, |kind, _| index += usize::from(kind == comma));
    index
}

/// The separator that both lines have as often.
fn common(one: &Line, other: &Line) -> Option<Separator> {
    SEPARATORS.iter().enumerate().find_map(|(index, separator)| {
        let (one, other) = (one.counts.get(index)?, other.counts.get(index)?);
        (*one > 0 && one == other).then_some(*separator)
    })
}

/// A line as far as it was read, outside and inside of quotes.
#[derive(Debug, Clone, Copy, Default)]
struct Reading {
    at: usize,
    quote: Option<u8>,
    spaces: usize,
}

impl Reading {
    /// Reads on to the end of `line`, whose first cell begins at `from`, and calls with the number of the separator
    /// and its place where a cell ends.
    fn go(&mut self, line: &[u8], from: usize, mut cut: impl FnMut(usize, usize)) {
        while let Some(rest) = line.get(self.at..).filter(|rest| !rest.is_empty()) {
            let plain = match self.quote {
                Some(open) => memchr::memchr(open, rest),
                None if self.spaces > 0 => Some(0),
                None => rest.iter().position(|byte| may_cut(*byte)),
            };
            let at = self.at + plain.unwrap_or(rest.len());
            let Some(&byte) = line.get(at) else {
                self.at = at;
                return;
            };
            self.at = at + 1;
            match (self.quote, byte) {
                (Some(_), _) => self.quote = None,
                (None, b' ') => {
                    // One space separates words, not cells.
                    let single = self.spaces == 0 && line.get(self.at).is_some_and(|next| *next != b' ');
                    self.spaces += usize::from(!single);
                    continue;
                }
                (None, b'|') => cut(0, at),
                (None, b'\t') => cut(1, at),
                (None, b';') => cut(2, at),
                (None, b',') => cut(3, at),
                (None, b'"') => self.quote = Some(byte),
                // An apostrophe inside a word opens nothing.
                (None, b'\'') => {
                    let opens =
                        at == from || line.get(at - 1).is_some_and(|byte| !byte.is_ascii_alphanumeric());
                    self.quote = opens.then_some(byte);
                }
                (None, _) => {}
            }
            if self.spaces > 0 {
                if self.spaces >= 2 && at - from > self.spaces {
                    cut(4, at);
                }
                self.spaces = 0;
            }
        }
    }
}

/// Whether a cell may end at a byte, or a quoted part begin.
#[allow(clippy::indexing_slicing, reason = "every byte has a place in a table of 256")]
fn may_cut(byte: u8) -> bool {
    const TABLE: [bool; 256] = {
        let mut table = [false; 256];
        let mut at = 0;
        while at < CUTS.len() {
            table[CUTS[at] as usize] = true;
            at += 1;
        }
        table
    };
    const CUTS: &[u8] = b" |\t;,\"'";
    TABLE[byte as usize]
}

fn cells(line: &str, separator: Separator) -> Vec<String> {
    let line = line.trim_matches(['\n', '\r', ' ']).trim_start_matches('|');
    let mut cuts = Vec::new();
    let kind = SEPARATORS.iter().position(|known| *known == separator);
    Reading::default().go(line.as_bytes(), 0, |cut, at| cuts.extend((kind == Some(cut)).then_some(at)));
    cuts.push(line.len());
    let mut from = 0;
    let mut titles = Vec::with_capacity(cuts.len());
    for cut in cuts {
        let cell = line.get(from..cut).unwrap_or_default();
        titles.push(cell.trim_matches([' ', '"', '\'', '`', '*', '|', ',', ';', '\t']).to_owned());
        from = cut;
    }
    titles
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title(text: &str, at: usize) -> Option<String> {
        let tables = Tables::read(text);
        let title = tables.column(text, at).and_then(|place| tables.title(place));
        title.map(|title| title.text.clone())
    }

    #[test]
    fn values_know_their_columns() {
        for text in [
            "name,ssn,city\n\"Li, Al\",VALUE,Rome\n",
            "name\tssn\tcity\nAl\tVALUE\tRome\n",
            "| name | ssn | city |\n|---|---|---|\n| Al | VALUE | Rome |\n",
            "name;ssn\nAl;VALUE",
            "name       ssn        city\nAl Li      VALUE      Rome\n",
            "INSERT INTO t (name, ssn, city) VALUES ('a', 'b', 'c'),\n ('Li, Al', 'VALUE', 'Rome');",
            "Report\n\nname,ssn\nBo,1\nAl,VALUE",
        ] {
            let at = text.rfind("VALUE").unwrap();
            assert_eq!(title(text, at).as_deref(), Some("ssn"), "{text}");
        }
        for text in ["Dear all, thanks\nand VALUE, bye", "1,2,3\n4,VALUE,6"] {
            let at = text.find("VALUE").unwrap();
            assert_ne!(title(text, at).as_deref(), Some("ssn"), "{text}");
        }
    }
}
