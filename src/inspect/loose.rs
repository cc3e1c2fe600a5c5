//! Digits with more between them than any form has: `4 1 1 1 …`, `4-1-1-1-…`, `4111_1111_1111_1111`.

use super::bytes::{self, DIGIT};
use super::digits::{before, is_word};

/// Digits of the longest number that is read so.
const MOST: usize = 19;
/// Bytes between two groups.
const GAP: usize = 3;

/// Digits that belong together, and where they stand.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run {
    held: [u8; MOST + 8],
    length: usize,
    /// Nobody writes other numbers so: digit by digit, or with a sign that no number has.
    pub odd: bool,
    /// Only words around it tell what it is.
    pub silent: bool,
    pub start: usize,
    pub end: usize,
}

impl Run {
    /// The digits without what stands between them.
    pub fn digits(&self) -> &[u8] {
        self.held.get(..self.length).unwrap_or_default()
    }

    fn take(&mut self, digits: &[u8]) {
        if let Some(place) = self.held.get_mut(self.length..self.length + digits.len()) {
            place.copy_from_slice(digits);
            self.length += digits.len();
        }
    }
}

/// Where the list of single digits ends that begins at `at`, if it is longer than any number.
pub(super) fn list_end(bytes: &[u8], at: usize) -> Option<usize> {
    let (mut end, mut count) = (at, 0);
    while group(bytes, end) == 1 {
        count += 1;
        end += 1;
        match gap(bytes, end) {
            0 => break,
            width => end += width,
        }
    }
    (count > MOST).then_some(end)
}

/// The groups from `at` on, if they are spelled digit by digit, or in equal groups with one sign between them.
pub(super) fn run(bytes: &[u8], at: usize) -> Option<Run> {
    if is_word(before(bytes, at)) {
        return None;
    }
    let first = group(bytes, at);
    // Whole numbers in a row are lists, not one number.
    if !(1..=6).contains(&first) {
        return None;
    }
    // Most groups stand alone.
    let next = gap(bytes, at + first);
    if next == 0 || group(bytes, at + first + next) == 0 {
        return None;
    }
    let mut run = Run { held: [0; MOST + 8], length: 0, odd: first == 1, silent: false, start: at, end: at };
    run.take(bytes.get(at..at + first)?);
    let mut end = at + first;
    let mut join: Option<&[u8]> = None;
    let (mut groups, mut mixed) = (1, false);
    while run.length <= MOST {
        let width = gap(bytes, end);
        let length = group(bytes, end + width);
        if width == 0 || length == 0 {
            break;
        }
        let sign = bytes.get(end..end + width)?;
        // One by one any sign will do; groups must be alike and joined alike, but the last may be shorter.
        let alike = join.is_none_or(|join| join == sign);
        mixed |= !alike;
        if length > first || (first > 1 && first != 4 && !alike) {
            return None;
        }
        join = Some(sign);
        run.take(bytes.get(end + width..end + width + length)?);
        end += width + length;
        groups += 1;
        if length < first {
            break;
        }
    }
    // Numbers a line that grow little by little are a column of a table.
    if first > 1 && join == Some(b"\n") && grows(run.digits(), first) {
        return None;
    }
    // A list of numbers has more of them before or behind.
    let listed = join.is_some_and(|join| join.contains(&b',')) && in_list(bytes, at, end);
    let complete = !listed && (gap(bytes, end) == 0 || group(bytes, end + gap(bytes, end)) == 0);
    let usual = first > 2 && !mixed && matches!(join, Some(b" " | b"-" | b"."));
    let least = match (first, join) {
        (1, _) => 9,
        (2, _) => 7,
        // `4318:4318` maps a port.
        (_, Some(b":")) => 3,
        _ => 2,
    };
    let fits = groups >= least && (8..=MOST).contains(&run.length);
    (fits && complete && !usual && !is_word(bytes.get(end))).then_some(Run { end, ..run })
}

/// The groups from `at` on, of whatever sizes, if one sign that shapes do not know joins them all: `536_22_8726`.
pub(super) fn joined(bytes: &[u8], at: usize) -> Option<Run> {
    let first = group(bytes, at);
    let sign = *bytes.get(at + first)?;
    // Of signs that numbers often have, two are a fraction or a range.
    let least = match sign {
        b'_' | b'*' | b'~' => 2,
        b'.' | b'-' | b'/' => 3,
        _ => return None,
    };
    let second = at + first + 1;
    let goes_on = bytes.get(second + group(bytes, second)) == Some(&sign);
    if is_word(before(bytes, at)) || before(bytes, at) == Some(&sign) || (least > 2 && !goes_on) {
        return None;
    }
    let mut run = Run { held: [0; MOST + 8], length: 0, odd: least == 2, silent: true, start: at, end: at };
    let (mut widths, mut groups, mut end) = ([0; 6], 0, at);
    loop {
        let width = group(bytes, end);
        if width == 0 || width > 6 || run.length > MOST {
            return None;
        }
        *widths.get_mut(groups)? = width;
        groups += 1;
        run.take(bytes.get(end..end + width)?);
        end += width;
        if bytes.get(end) != Some(&sign) || !bytes::at(bytes, end + 1, DIGIT) {
            break;
        }
        end += 1;
    }
    let date = matches!(widths.get(..groups)?, [4, 1..=2, 1..=2] | [1..=2, 1..=2, 4 | 2]);
    let fits = groups >= least && (8..=MOST).contains(&run.length) && !date && !is_word(bytes.get(end));
    fits.then_some(Run { end, ..run })
}

/// Whether each group of so many digits is a little more than the one before.
fn grows(digits: &[u8], width: usize) -> bool {
    let value = |group: &[u8]| group.iter().fold(0u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    let values: Vec<u32> = digits.chunks_exact(width).map(value).collect();
    values.windows(2).all(|pair| matches!(pair, [one, next] if (1..100).contains(&next.saturating_sub(*one))))
}

fn in_list(bytes: &[u8], start: usize, end: usize) -> bool {
    let blank = |byte: &&u8| byte.is_ascii_whitespace();
    let left = bytes.get(..start).unwrap_or_default().iter().rev().find(|byte| !blank(byte));
    let rest = bytes.get(end..).unwrap_or_default();
    let mut right = rest.iter().filter(|byte| !blank(byte));
    matches!(left, Some(b',' | b'[' | b'{' | b'('))
        || (right.next() == Some(&b',') && right.next().is_some_and(u8::is_ascii_digit))
}

fn group(bytes: &[u8], at: usize) -> usize {
    bytes::run(bytes, at, 7, DIGIT)
}

fn gap(bytes: &[u8], at: usize) -> usize {
    let sign = |byte: &&u8| {
        matches!(
            byte,
            b' ' | b'-'
                | b'.'
                | b'_'
                | b'/'
                | b','
                | b':'
                | b'|'
                | b'*'
                | b'~'
                | b'\t'
                | b'+'
                | b'\n'
                | b'\\'
        )
    };
    bytes.get(at..).unwrap_or_default().iter().take(GAP + 1).take_while(sign).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_any_size_are_read_together_with_one_sign() {
        for (text, digits) in [
            ("536_22_8726", "536228726"),
            ("943*476*5919.", "9434765919"),
            ("529.982.247.25", "52998224725"),
            ("529/982/247/25, ok", "52998224725"),
        ] {
            let run = joined(text.as_bytes(), 0).unwrap();
            assert_eq!(run.digits(), digits.as_bytes(), "{text}");
        }
        for text in [
            "1985-03-12",
            "12/03/1985",
            "3.14159265",
            "2024_01_02",
            "1.3.6.1.4.1.3780.4",
            "536_22_8726_",
            "536_22-8726x",
        ] {
            assert_eq!(joined(text.as_bytes(), 0), None, "{text}");
        }
    }

    #[test]
    fn spelled_digits_are_read_together_and_lists_are_not() {
        for text in ["4 1 1 1 1 1 1 1 1 1", "4-1-1-1-1-1-1-1-1-1", "4 - 1 - 1 - 1 1 1 1 1 1 1", "41111_11111"]
        {
            let run = run(text.as_bytes(), 0).unwrap();
            assert_eq!((run.digits(), run.end), (&b"4111111111"[..], text.len()), "{text}");
        }
        assert_eq!(run(b"4111-1111 1111.1111", 0).map(|run| run.end), Some(19));
        for text in ["4111 1111", "1 2 3", "12, 34, 5", "123456789", "1, 22, 333", "4 1 1 1 1 1 1 1 1 1x"] {
            assert_eq!(run(text.as_bytes(), 0), None, "{text}");
        }
    }
}
