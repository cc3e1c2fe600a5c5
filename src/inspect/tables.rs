//! Tables in a text, so that a column's title can say what its values are: CSV, TSV, Markdown, columns of spaces,
//! rows of `INSERT INTO`.

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
    titles: Vec<String>,
}

/// All tables of a text.
#[derive(Debug, Default)]
pub(super) struct Tables {
    blocks: Vec<Block>,
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
        tables
    }

    fn read_lines(&mut self, text: &str) {
        let mut open: Vec<Line> = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let end = start + line.len();
            let counts = SEPARATORS.map(|separator| cuts(line.trim_end().as_bytes(), separator).count());
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
            self.blocks.push(Block { start: second.start, end: last.end, separator, titles });
        }
    }

    fn read_inserts(&mut self, text: &str) {
        let lower = || text.as_bytes().windows(6).any(|part| part.eq_ignore_ascii_case(b"insert"));
        if !text.contains('(') || !lower() {
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
            let Some(values) =
                small.get(close..).and_then(|rest| rest.find("values")).filter(|gap| *gap < 16)
            else {
                continue;
            };
            let start = close + values + 6;
            let end = small
                .get(start..)
                .and_then(|rest| rest.find("insert into "))
                .map_or(text.len(), |next| start + next);
            let titles = cells(text.get(open + 1..close).unwrap_or_default(), Separator::Sign(b','));
            self.blocks.push(Block { start, end, separator: Separator::Sign(b'('), titles });
        }
    }

    /// The title of the column in which the byte at `at` stands.
    pub fn column(&self, text: &str, at: usize) -> Option<String> {
        let block = self.blocks.iter().rev().find(|block| (block.start..block.end).contains(&at))?;
        let (start, separator) = match block.separator {
            Separator::Sign(b'(') => {
                let from = text.ceil_char_boundary(block.start.max(at.saturating_sub(REACH)));
                (row_start(text.get(from..at)?)? + from, Separator::Sign(b','))
            }
            other => {
                let line = memchr::memrchr(b'\n', text.as_bytes().get(..at)?).map_or(0, |line| line + 1);
                (line, other)
            }
        };
        // The gap between two columns of spaces ends with the first letter of the next.
        let to = if separator == Separator::Spaces { text.ceil_char_boundary(at + 1) } else { at };
        let before = text.get(start..to)?;
        let lead = before.len() - before.trim_start_matches([' ', '|']).len();
        let index = cuts(before.as_bytes().get(lead..)?, separator).count();
        block.titles.get(index).filter(|title| !title.is_empty()).cloned()
    }
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

/// The separator that both lines have as often.
fn common(one: &Line, other: &Line) -> Option<Separator> {
    SEPARATORS.iter().enumerate().find_map(|(index, separator)| {
        let (one, other) = (one.counts.get(index)?, other.counts.get(index)?);
        (*one > 0 && one == other).then_some(*separator)
    })
}

/// Where cells end, outside of quotes.
fn cuts(line: &[u8], separator: Separator) -> impl Iterator<Item = usize> {
    let mut quote: Option<u8> = None;
    let mut spaces = 0;
    line.iter().enumerate().filter_map(move |(at, &byte)| {
        match (quote, byte) {
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), _) => return None,
            // An apostrophe inside a word opens nothing.
            (None, b'"') => quote = Some(byte),
            (None, b'\'') if at == 0 || line.get(at - 1).is_some_and(|b| !b.is_ascii_alphanumeric()) => {
                quote = Some(byte);
            }
            (None, _) => {}
        }
        match separator {
            Separator::Sign(sign) => (byte == sign).then_some(at),
            Separator::Spaces => {
                if byte == b' ' {
                    spaces += 1;
                    return None;
                }
                let gap = spaces >= 2 && at > spaces;
                spaces = 0;
                gap.then_some(at)
            }
        }
    })
}

fn cells(line: &str, separator: Separator) -> Vec<String> {
    let line = line.trim_matches(['\n', '\r', ' ']).trim_start_matches('|');
    let mut titles = Vec::new();
    let mut from = 0;
    for cut in cuts(line.as_bytes(), separator).chain([line.len()]) {
        let cell = line.get(from..cut).unwrap_or_default();
        titles.push(cell.trim_matches([' ', '"', '\'', '`', '*', '|', ',', ';', '\t']).to_owned());
        from = cut;
    }
    titles
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(Tables::read(text).column(text, at).as_deref(), Some("ssn"), "{text}");
        }
        for text in ["Dear all, thanks\nand VALUE, bye", "1,2,3\n4,VALUE,6"] {
            let at = text.find("VALUE").unwrap();
            assert_ne!(Tables::read(text).column(text, at).as_deref(), Some("ssn"), "{text}");
        }
    }
}
