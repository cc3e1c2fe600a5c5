//! Tables in a text, so that a column's title can say what its values are: CSV, TSV, Markdown, columns of spaces,
//! rows of `INSERT INTO`, tables of HTML.

use std::cell::{Cell, OnceCell};

use super::cells::{Reading, SEPARATORS, Separator, cells, counts};
use super::context::{Hits, Lexicon};
use super::html;
use super::statements::{self, Row};

/// Bytes of a row of HTML.
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
    /// The same for rows of statements.
    rows: Cell<[Option<Row>; 3]>,
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
        let block = |sign| move |(rows, titles)| Block::new(rows, Separator::Sign(sign), titles);
        tables.inserts = statements::tables(text).into_iter().map(block(b'(')).collect();
        tables.html = html::tables(text).into_iter().map(block(b'<')).collect();
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
            let next = Line { start, end, counts: counts(line.as_bytes()) };
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

    /// The column in which the byte at `at` stands.
    pub fn column(&self, text: &str, at: usize) -> Option<Place> {
        if let Some(block) = holding(&self.html, at) {
            // The row's own tag stands before its first cell.
            let column = html::cell(text.as_bytes().get(at.saturating_sub(REACH)..at)?)?;
            return Some(Place { kind: Kind::Html, block, column });
        }
        if let Some(block) = holding(&self.inserts, at) {
            let start = self.inserts.get(block)?.start;
            let [newest, newer, new] = self.rows.get();
            let last = [newest, newer, new].into_iter().flatten().find(|row| row.goes_on(start, at));
            let row = last.unwrap_or_else(|| Row::new(start, at)).read(text.get(..at)?.as_bytes());
            if newest != Some(row) {
                self.rows.set([Some(row), newest, newer]);
            }
            let column = row.cell()?;
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
                let reading = Reading::from(cells);
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

/// The separator that both lines have as often.
fn common(one: &Line, other: &Line) -> Option<Separator> {
    SEPARATORS.iter().enumerate().find_map(|(index, separator)| {
        let (one, other) = (one.counts.get(index)?, other.counts.get(index)?);
        (*one > 0 && one == other).then_some(*separator)
    })
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
