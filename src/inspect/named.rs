//! Secrets in text that only the name in front of them gives away: `DB_PASSWORD=…`, `"api_key": "…"`.

use super::checks::{entropy, location, placeholder};
use super::digits::{before, is_word};
use super::place::Place;
use super::rules::{Named, Rule};
use super::words::{Folded, mask_length};

/// Bytes of a value in text.
const VALUE: usize = 1_024;
/// Bytes of a name to the left of the phrase that was hit.
const NAME: usize = 48;

/// How a value stands: JSON keeps it apart, in text it must show more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    /// The whole of a JSON string.
    Apart,
    InText,
}

/// The value that belongs to the name whose phrase was found at `start..end`, if there is one.
pub(super) fn value_after(text: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut at = end;
    let skip = |at: &mut usize, most: usize, fits: &dyn Fn(u8) -> bool| {
        let count =
            bytes.get(*at..).unwrap_or_default().iter().take(most).take_while(|byte| fits(**byte)).count();
        *at += count;
        count
    };
    // `password1`, `secret_value`: the rest of the name says the same; any other says something else.
    for rest in ["_value", "_raw", "-value"] {
        if bytes.get(at..at + rest.len()).is_some_and(|part| part.eq_ignore_ascii_case(rest.as_bytes())) {
            at += rest.len();
        }
    }
    skip(&mut at, 2, &|byte| byte.is_ascii_digit());
    if bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'-') {
        return None;
    }
    skip(&mut at, 6, &|byte| matches!(byte, b'"' | b'\'' | b'`' | b'\\' | b']' | b'*'));
    let spaces = skip(&mut at, 4, &|byte| matches!(byte, b' ' | b'\t'));
    let rest = bytes.get(at..).unwrap_or_default();
    let separator = [&b":="[..], b"=>", b"==", b"=", b":", b">", b"is ", b"was "]
        .into_iter()
        .find(|mark| rest.starts_with(mark));
    match separator {
        Some(mark) => at += mark.len(),
        None if spaces > 0 && is_option(bytes, start) => {}
        None => return None,
    }
    skip(&mut at, 4, &|byte| matches!(byte, b' ' | b'\t'));
    skip(&mut at, 3, &|byte| byte == b'\\');
    let quote = bytes.get(at).copied().filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    at += usize::from(quote.is_some());
    let value = bytes.get(at..).unwrap_or_default();
    // What has been masked is no secret any more.
    if mask_length(value) > 0 {
        return None;
    }
    let length = match quote {
        Some(quote) => quoted_length(value, quote)?,
        None => bare_length(value),
    };
    // The type of a member in code: `key: Vec<u8>`.
    let generic = quote.is_none() && value.get(length) == Some(&b'<');
    (length > 0 && !generic).then_some((at, at + length))
}

/// `--password hunter2`: an option of a command needs no sign between name and value.
fn is_option(bytes: &[u8], start: usize) -> bool {
    let from = name_start(bytes, start);
    bytes.get(from..start).is_some_and(|name| name.starts_with(b"--"))
        || bytes.get(from..from + 2) == Some(b"--")
}

fn quoted_length(value: &[u8], quote: u8) -> Option<usize> {
    let end = value.iter().take(VALUE + 1).position(|byte| *byte == quote || *byte == b'\n')?;
    let slashes = value.get(..end)?.iter().rev().take_while(|byte| **byte == b'\\').count();
    (value.get(end) == Some(&quote)).then_some(end - slashes)
}

fn bare_length(value: &[u8]) -> usize {
    // In a query the next parameter follows: `&name=`; elsewhere `&` is a letter like any other.
    let parameter = |at: usize| {
        let rest = value.get(at + 1..).unwrap_or_default();
        let name = rest.iter().take(40).take_while(|byte| is_word(Some(byte))).count();
        name > 0 && rest.get(name) == Some(&b'=')
    };
    let ends = |at: usize, byte: &u8| {
        byte.is_ascii_whitespace()
            || matches!(byte, b'"' | b'\'' | b'`' | b',' | b';' | b'<' | b'>' | b'\\')
            || (*byte == b'&' && parameter(at))
    };
    let letters = value.iter().enumerate().take(VALUE + 1);
    let length = letters.take_while(|(at, byte)| !ends(*at, byte)).count();
    let tail = value
        .get(..length)
        .unwrap_or_default()
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b'.' | b':' | b'!' | b'?' | b')' | b']' | b'}'))
        .count();
    // A call (`get()`) keeps its bracket, so that it is seen as one.
    let call = value.get(..length).is_some_and(|value| value.contains(&b'('));
    if length > VALUE {
        0
    } else if call {
        length
    } else {
        length - tail
    }
}

fn name_start(bytes: &[u8], start: usize) -> usize {
    let name = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
    };
    let mut from = start;
    while start - from < NAME && name(before(bytes, from)) {
        from -= 1;
    }
    from
}

impl Named {
    /// Whether the value's own names are those of this rule.
    pub fn claims(&self, place: &Place) -> bool {
        place.own.iter().any(|name| self.claims_words(&name.folded))
    }

    /// Whether the name in text that ends with the phrase at `start..end` is one of this rule.
    pub fn claims_text(&self, text: &str, start: usize, end: usize) -> bool {
        let from = name_start(text.as_bytes(), start);
        self.claims_words(&Folded::of(text.get(from..end).unwrap_or_default()))
    }

    fn claims_words(&self, words: &Folded) -> bool {
        self.squashed.iter().any(|phrase| words.end_with(phrase))
            && !self.unless.iter().any(|phrase| words.end_with(phrase))
    }
}

/// Whether `value` is a secret for a rule that its name has chosen.
pub(super) fn secret(rule: &Rule, named: &Named, value: &str, stands: Stands) -> bool {
    let digit = value.bytes().any(|byte| byte.is_ascii_digit());
    let sign = value.bytes().any(|byte| {
        byte.is_ascii_punctuation()
            && !matches!(byte, b'.' | b'_' | b'-' | b'/' | b'(' | b')' | b'[' | b']' | b'=')
    });
    let letter = value.bytes().any(|byte| byte.is_ascii_alphabetic());
    let telling = match (named.letters_only, stands) {
        (true, Stands::Apart) => true,
        (true, Stands::InText) => digit || sign,
        (false, _) => digit && letter,
    };
    telling
        && named.value.is_match(value.as_bytes())
        && !placeholder(value)
        && !location(value)
        && entropy(value) >= rule.entropy
}
