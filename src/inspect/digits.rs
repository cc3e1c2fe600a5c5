//! Runs of digits and the shapes that they stand in: found eight bytes at a time, matched without expressions.

use super::checks::iban_length;

/// Fewer digits than this are no finding of any rule.
const FEWEST: usize = 9;
/// Groups that are looked at together; a longer run goes on in the next chain, with an overlap.
const CHAIN: usize = 256;
const OVERLAP: usize = 24;

/// Lengths of groups and the bytes between them: `3-2-4` is three, two and four digits with hyphens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    lengths: Vec<usize>,
    joins: Vec<u8>,
}

impl Form {
    pub fn parse(template: &str) -> Option<Self> {
        let joins: Vec<u8> = template.bytes().filter(|byte| !byte.is_ascii_digit()).collect();
        let lengths = template
            .split([' ', '-', '.'])
            .map(|length| length.parse().ok())
            .collect::<Option<Vec<usize>>>()?;
        (lengths.len() == joins.len() + 1 && lengths.iter().all(|length| *length > 0))
            .then_some(Self { lengths, joins })
    }

    /// The length of a form of one group.
    pub fn single(&self) -> Option<usize> {
        if self.joins.is_empty() { self.lengths.first().copied() } else { None }
    }
}

/// Groups of digits with one space, hyphen or dot between each two.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// Start and length of each group.
    groups: Vec<(usize, usize)>,
    joins: Vec<u8>,
}

/// A part of a chain that has the form of a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub start: usize,
    pub end: usize,
    /// Nothing on either side suggests that it is part of something longer.
    pub clear: bool,
}

impl Chain {
    /// Reads the chain that begins with the digit at `at`, and where to read on.
    pub fn read(&mut self, bytes: &[u8], at: usize) -> usize {
        self.groups.clear();
        self.joins.clear();
        let mut at = at;
        loop {
            let length = run_length(bytes, at);
            self.groups.push((at, length));
            let end = at + length;
            match joined(bytes, end) {
                Some(_) if self.groups.len() == CHAIN => {
                    return self.groups.get(CHAIN - OVERLAP).map_or(end, |group| group.0);
                }
                Some(join) => self.joins.push(join),
                None => return end,
            }
            at = end + 1;
        }
    }

    /// The number of groups.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// The part from group `from` on, if it has the form.
    pub fn shape(&self, bytes: &[u8], from: usize, form: &Form) -> Option<Shape> {
        let groups = self.groups.get(from..from + form.lengths.len())?;
        let joins = self.joins.get(from..from + form.joins.len())?;
        if joins != form.joins || !groups.iter().zip(&form.lengths).all(|(group, length)| group.1 == *length)
        {
            return None;
        }
        let (start, last) = (groups.first()?.0, groups.last()?);
        let end = last.0 + last.1;
        let left = match from.checked_sub(1).and_then(|before| self.joins.get(before)) {
            Some(join) => *join == b' ',
            None => clear_before(bytes, start)?,
        };
        let right = match self.joins.get(from + form.joins.len()) {
            Some(join) => *join == b' ',
            None => clear_after(bytes, end)?,
        };
        // Digits spelled one by one are only a number as a whole, or every table row would hold one.
        if form.lengths.len() > 6 && form.lengths.len() != self.groups.len() {
            return None;
        }
        Some(Shape { start, end, clear: left && right })
    }
}

/// The values of the digits between `start` and `end`.
pub(super) fn values(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0').collect()
}

/// Whether a byte continues a word to its neighbour.
pub(super) fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The byte before `at`.
pub(super) fn before(bytes: &[u8], at: usize) -> Option<&u8> {
    at.checked_sub(1).and_then(|before| bytes.get(before))
}

fn clear_before(bytes: &[u8], start: usize) -> Option<bool> {
    match before(bytes, start) {
        byte if is_word(byte) => None,
        Some(b'+') => Some(false),
        Some(b'-' | b'.' | b'/') => Some(!is_word(before(bytes, start - 1))),
        _ => Some(true),
    }
}

fn clear_after(bytes: &[u8], end: usize) -> Option<bool> {
    match bytes.get(end) {
        byte if is_word(byte) => None,
        Some(b'-' | b'.' | b'/') => Some(!is_word(bytes.get(end + 1))),
        _ => Some(true),
    }
}

fn run_length(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn joined(bytes: &[u8], end: usize) -> Option<u8> {
    match bytes.get(end) {
        Some(&join @ (b' ' | b'-' | b'.')) if bytes.get(end + 1).is_some_and(u8::is_ascii_digit) => {
            Some(join)
        }
        _ => None,
    }
}

/// Starts of the chains that are long enough to matter, or that may be the digits of an IBAN.
pub(super) fn leads(bytes: &[u8], found: &mut Vec<usize>) {
    let mut at = 0;
    while let Some(start) = next_digit(bytes, at) {
        let mut digits = 0;
        at = start;
        loop {
            let length = run_length(bytes, at);
            digits += length;
            at += length;
            if joined(bytes, at).is_none() {
                break;
            }
            at += 1;
        }
        if digits >= FEWEST || after_country(bytes, start) {
            found.push(start);
        }
    }
}

/// Whether two letters that name a country with IBANs stand before `at`, and two digits after it.
pub(super) fn after_country(bytes: &[u8], at: usize) -> bool {
    bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
        && at
            .checked_sub(2)
            .and_then(|from| bytes.get(from..at))
            .is_some_and(|country| iban_length(country).is_some())
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Offset of the first digit at or after `from`.
fn next_digit(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    let (chunks, rest) = bytes.get(from..).unwrap_or_default().as_chunks::<8>();
    for chunk in chunks {
        let word = u64::from_le_bytes(*chunk);
        // The high bits are masked before the sums, or bytes of UTF-8 would carry over and hide digits.
        let low = word & !HIGHS;
        let digits = (low + ONES * 0x50) & !(low + ONES * 0x46) & !word & HIGHS;
        if digits != 0 {
            return Some(at + (digits.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    rest.iter().position(u8::is_ascii_digit).map(|found| at + found)
}

/// The digits of a JSON number that is a whole number, also with a fraction or an exponent.
pub(super) fn whole_number(literal: &str) -> Option<Vec<u8>> {
    let positive = literal.strip_prefix('-').unwrap_or(literal);
    let (mantissa, exponent) = positive.split_once(['e', 'E']).unwrap_or((positive, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: usize = exponent.trim_start_matches('+').parse().ok().filter(|exponent| *exponent <= 40)?;
    let mut digits: Vec<u8> = values(whole.as_bytes());
    let fraction = values(fraction.as_bytes());
    digits.extend(fraction.iter().copied().chain(std::iter::repeat(0)).take(exponent));
    let rest_is_zero = fraction.iter().skip(exponent).all(|digit| *digit == 0);
    let leading = digits.iter().take_while(|digit| **digit == 0).count();
    digits.drain(..leading);
    rest_is_zero.then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_found_behind_any_other_bytes() {
        for before in 0..20 {
            let text = format!("{}7", "\u{ff}é/:".chars().cycle().take(before).collect::<String>());
            assert_eq!(next_digit(text.as_bytes(), 0), Some(text.len() - 1), "{text}");
        }
        assert_eq!(next_digit("no digit at all, \u{1F600}".as_bytes(), 0), None);
    }

    #[test]
    fn numbers_are_read_by_value_not_by_form() {
        for (literal, digits) in [
            ("4111", "4111"),
            ("4.111e3", "4111"),
            ("-4111.0", "4111"),
            ("41.11E+2", "4111"),
            ("4.1e3", "4100"),
        ] {
            assert_eq!(whole_number(literal), Some(values(digits.as_bytes())), "{literal}");
        }
        for literal in ["4.1119e3", "0.5", "1e-3", "1e999999999999"] {
            assert_eq!(whole_number(literal), None, "{literal}");
        }
    }

    #[test]
    fn long_runs_are_read_in_chains_that_overlap() {
        let text = "12 ".repeat(1_000);
        let (mut chain, mut at, mut rounds) = (Chain::default(), 0, 0);
        while at + 3 < text.len() && rounds < 100 {
            at = chain.read(text.as_bytes(), at);
            rounds += 1;
        }
        assert!((4..10).contains(&rounds), "{rounds}");
    }
}
