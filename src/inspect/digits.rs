//! Runs of digits: found eight bytes at a time, noted where they may be part of a finding.

use std::borrow::Cow;

use super::bytes::{self, ALPHANUMERIC, DIGIT, HEX, LETTER, POINT, WORD};
use super::checks::iban_length;
use super::classes::Classes;

/// Bytes on either side of a digit that are looked at to tell whether there is more than a small number.
const AHEAD: u32 = 24;
/// The bits of so many bytes.
const NEAR: u64 = (1 << AHEAD) - 1;

/// Whether a byte continues a word to its neighbour.
pub(super) fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| bytes::is(*byte, WORD))
}

/// The byte before `at`.
pub(super) fn before(bytes: &[u8], at: usize) -> Option<&u8> {
    at.checked_sub(1).and_then(|before| bytes.get(before))
}

/// Starts of the runs of digits that may be part of a finding. Of one word of letters and digits the first is enough,
/// but for those that may be the check digits of an IBAN.
pub(super) fn leads(bytes: &[u8], classes: &Classes, found: &mut Vec<usize>) {
    found.reserve(bytes.len() / 32);
    let mut at = 0;
    // Where the word ends of which a run has been noted.
    let mut noted = 0;
    while let Some(start) = classes.digits.next(at) {
        at = classes.digits.end(start);
        if start < noted {
            if after_country(bytes, start) {
                found.push(start);
            }
        } else if promising(bytes, classes, (start, at)) || after_country(bytes, start) {
            found.push(start);
            noted = classes.words.end(at);
        }
    }
}

/// Whether a run of digits may be part of a number that is long enough, or of a word with letters.
fn promising(bytes: &[u8], classes: &Classes, (start, end): (usize, usize)) -> bool {
    let length = end - start;
    if length >= 6 {
        return true;
    }
    let count = |bits: u64| bits.count_ones();
    let word = || (classes.words.ahead(start) & NEAR).trailing_ones() as usize;
    let before = || classes.words.behind(start).leading_ones().min(AHEAD) as usize;
    match count(classes.digits.ahead(start) & NEAR) {
        5.. => true,
        2..=4 => {
            if bytes::at(bytes, end, POINT) {
                return true;
            }
            let (word, before) = (word(), before());
            // The end of a number whose beginning has been noted: `…-22-8726`.
            let tail = || count(classes.digits.behind(start) >> (u64::BITS - 12)) >= 3;
            (word > length && word + before >= 8)
                || before >= 5
                || (before > 0 && tail())
                || paired(bytes, start)
        }
        // One digit among letters: a long word, or hexadecimal with colons.
        _ => bytes.get(end) == Some(&b':') || word() + before() >= 17 || paired(bytes, start),
    }
}

/// Whether the word that holds the byte at `at` is a pair of letters and digits with the same sign before or behind the next
/// pair: `a2-2d-d0`, `bb:ab:4b`.
fn paired(bytes: &[u8], at: usize) -> bool {
    let start = at - bytes::run_back(bytes, at, 2, ALPHANUMERIC);
    let signs = |sign: u8, next: usize| matches!(sign, b':' | b'-') && bytes.get(next) == Some(&sign);
    let behind = bytes.get(start + 2).is_some_and(|sign| signs(*sign, start + 5));
    let before = start.checked_sub(4).and_then(|four| Some((*bytes.get(start - 1)?, four)));
    bytes::run(bytes, start, 3, HEX) == 2 && (behind || before.is_some_and(|(sign, four)| signs(sign, four)))
}

/// Whether two letters that name a country with IBANs stand before `at`, and two digits after it.
pub(super) fn after_country(bytes: &[u8], at: usize) -> bool {
    bytes::at(bytes, at + 1, DIGIT)
        && at.checked_sub(2).and_then(|from| bytes.get(from..at)).is_some_and(|country| {
            matches!(country, [first, second] if bytes::is(*first, LETTER) && bytes::is(*second, LETTER))
                && iban_length(country).is_some()
        })
}

/// The digits of a JSON number that is a whole number, also with a fraction or an exponent.
pub(super) fn whole_number(literal: &str) -> Option<Cow<'_, str>> {
    let positive = literal.strip_prefix('-').unwrap_or(literal);
    if positive.bytes().all(|byte| bytes::is(byte, DIGIT)) {
        return Some(Cow::Borrowed(positive.trim_start_matches('0')));
    }
    let (mantissa, exponent) = positive.split_once(['e', 'E']).unwrap_or((positive, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: usize = exponent.trim_start_matches('+').parse().ok().filter(|exponent| *exponent <= 40)?;
    let rest_is_zero = fraction.bytes().skip(exponent).all(|digit| digit == b'0');
    if !rest_is_zero {
        return None;
    }
    let mut digits = whole.to_owned();
    digits.extend(fraction.chars().chain(std::iter::repeat('0')).take(exponent));
    Some(Cow::Owned(digits.trim_start_matches('0').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_by_value_not_by_form() {
        for (literal, digits) in [
            ("4111", "4111"),
            ("4.111e3", "4111"),
            ("-4111.0", "4111"),
            ("41.11E+2", "4111"),
            ("4.1e3", "4100"),
        ] {
            assert_eq!(whole_number(literal).as_deref(), Some(digits), "{literal}");
        }
        for literal in ["4.1119e3", "0.5", "1e-3", "1e999999999999"] {
            assert_eq!(whole_number(literal), None, "{literal}");
        }
    }
}
