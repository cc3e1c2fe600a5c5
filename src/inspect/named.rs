//! Secrets in text that only the name in front of them gives away: `DB_PASSWORD=…`, `"api_key": "…"`.

use std::cell::OnceCell;

use super::bytes::{self, DIGIT, LETTER, WORD};
use super::checks::{entropy, location, placeholder};
use super::digits::{before, is_word};
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
    let quotes = skip(&mut at, 6, &|byte| matches!(byte, b'"' | b'\'' | b'`' | b'\\' | b']' | b'*'));
    let beside = labelled(bytes, at);
    let spaces = skip(&mut at, 4, &|byte| matches!(byte, b' ' | b'\t'));
    let rest = bytes.get(at..).unwrap_or_default();
    let separator = SEPARATORS.iter().find(|mark| rest.starts_with(mark));
    let mut element = false;
    match (beside, separator) {
        (Some(value), _) => at = value,
        (None, Some(mark)) => {
            at += mark.len();
            element = *mark == b">";
        }
        (None, None) if spaces > 0 && (is_option(bytes, start) || is_instruction(bytes, start)) => {}
        (None, None) if quotes > 0 && rest.starts_with(b",") && is_argument(bytes, start) => at += 1,
        (None, None) => return None,
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
    let generic = quote.is_none() && !element && value.get(length) == Some(&b'<');
    let code = quote.is_none() && is_expression(value.get(..length).unwrap_or_default());
    (length > 0 && !generic && !code).then_some((at, at + length))
}

/// What may stand between a name and its value.
const SEPARATORS: &[&[u8]] =
    &[b":=", b"=>", b"==", b"=", b": ", b":", b">", b"is ", b"was ", b"lautet ", b"|| ", b"?? ", b"| "];

/// The value beside a label: `"name": "API_KEY", "value": "…"`, `key="API_KEY" value="…"`, or on the next line of YAML.
fn labelled(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..bytes.len().min(at + 64))?;
    let gap = |from: usize| {
        rest.get(from..)
            .unwrap_or_default()
            .iter()
            .take(24)
            .take_while(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'\\' | b','))
            .count()
    };
    let label = gap(0);
    let word = rest.get(label..label + 5)?;
    if label == 0 || !word.eq_ignore_ascii_case(b"value") {
        return None;
    }
    let sign = label + 5 + gap(label + 5);
    matches!(rest.get(sign), Some(b':' | b'=')).then_some(at + sign + 1)
}

/// `ENV NAME value` of a container file, `setx NAME value` of a shell: a word in front says that a value follows.
fn is_instruction(bytes: &[u8], start: usize) -> bool {
    let from = name_start(bytes, start);
    let head = bytes.get(from.saturating_sub(8)..from).unwrap_or_default();
    [&b"ENV "[..], b"ARG ", b"setx ", b"setenv "].iter().any(|word| head.ends_with(word))
}

/// `getenv("NAME", "value")`.
fn is_argument(bytes: &[u8], start: usize) -> bool {
    let from = name_start(bytes, start);
    matches!(bytes.get(from.saturating_sub(2)..from), Some([b'(', b'"' | b'\'']))
}

/// Whether an unquoted value is code that yields one rather than the value: `vec![0; n]`, `node.token`, `&str`,
/// `core::PCWSTR`.
fn is_expression(value: &[u8]) -> bool {
    let name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let body = value.strip_prefix(b"&").or_else(|| value.strip_prefix(b"*")).unwrap_or(value);
    let reference = body.len() < value.len();
    let length = body.iter().take_while(|byte| name(byte) || **byte == b'.').count();
    let path = body.get(..length).unwrap_or_default();
    let digits = path.iter().filter(|byte| byte.is_ascii_digit()).count();
    let parts = || path.split(|byte| *byte == b'.');
    let names = digits <= 4
        && parts().all(|part| part.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_'));
    let members = parts().count() > 1 && digits <= 2 && parts().all(|part| part.len() > 1);
    value.windows(2).any(|pair| pair == b"::")
        || matches!(value.first(), Some(b':' | b'{' | b'|' | b')' | b'('))
        || value.starts_with(b"&[")
        || (names && matches!(body.get(length), Some(b'(' | b'[')))
        || (names && matches!(body.get(length..length + 2), Some([b'!', b'[' | b'('])))
        || (names && length == body.len() && (members || (reference && digits == 0)))
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
        .take_while(|byte| matches!(byte, b'.' | b':' | b'?' | b')' | b']' | b'}'))
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

/// The words of the name in a text that ends with the phrase at `start..end`.
pub(super) fn name_words(text: &str, start: usize, end: usize) -> Folded {
    let from = name_start(text.as_bytes(), start);
    Folded::of(text.get(from..end).unwrap_or_default())
}

/// Whether a name may go on with this byte, or a value follow it: what `value_after` asks for first.
pub(super) fn may_name(next: Option<u8>) -> bool {
    next.is_some_and(|byte| {
        byte.is_ascii_whitespace()
            || bytes::is(byte, DIGIT)
            || matches!(byte, b'"' | b'\'' | b'`' | b'\\' | b']' | b'*' | b',' | b'_' | b'-')
            || matches!(byte, b':' | b'=' | b'>' | b'|' | b'?')
    })
}

/// What a value is like, whatever rule asks: found out once.
pub(super) struct Traits<'v> {
    value: &'v str,
    digit: bool,
    sign: bool,
    letter: bool,
    mixed: OnceCell<bool>,
    harmless: OnceCell<bool>,
    identifier: OnceCell<bool>,
    entropy: OnceCell<f64>,
}

impl<'v> Traits<'v> {
    pub fn of(value: &'v str) -> Self {
        let any = |fits: fn(u8) -> bool| value.bytes().any(fits);
        let digit = any(|byte| bytes::is(byte, DIGIT));
        let letter = any(|byte| bytes::is(byte, LETTER));
        let sign = any(|byte| {
            byte.is_ascii_punctuation()
                && !matches!(byte, b'.' | b'_' | b'-' | b'/' | b'(' | b')' | b'[' | b']' | b'=')
        });
        let (mixed, harmless) = (OnceCell::new(), OnceCell::new());
        Self {
            value,
            digit,
            sign,
            letter,
            mixed,
            harmless,
            identifier: OnceCell::new(),
            entropy: OnceCell::new(),
        }
    }

    /// Whether it has the kinds of letters that a secret has.
    pub fn telling(&self, named: &Named, stands: Stands) -> bool {
        match (named.letters_only, stands) {
            (true, Stands::Apart) => true,
            (true, Stands::InText) => self.digit || self.sign,
            (false, _) => {
                let mixed = || *self.mixed.get_or_init(|| mixed(self.value));
                self.letter && (self.digit || (self.value.len() >= 16 && mixed()))
            }
        }
    }

    /// Whether it is a secret for a rule that its name has chosen.
    pub fn fit(&self, rule: &Rule, named: &Named, stands: Stands) -> bool {
        let value = self.value;
        self.telling(named, stands)
            && !*self.harmless.get_or_init(|| placeholder(value) || location(value))
            && (named.letters_only || !*self.identifier.get_or_init(|| identifier(value)))
            && *self.entropy.get_or_init(|| entropy(value)) >= rule.entropy
            && named.value.is_match(value.as_bytes())
    }
}

/// Whether capitals and small letters stand in no order.
fn mixed(value: &str) -> bool {
    let turns = value.as_bytes().windows(2).filter(|pair| {
        pair.first().is_some_and(u8::is_ascii_lowercase) && pair.last().is_some_and(u8::is_ascii_uppercase)
    });
    turns.count() * 6 >= value.len() && value.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a value is a name of code, such as `CLIENT_SECRET_0` or `X509RequestOptions`: whole words and few digits.
fn identifier(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    if digits > 5 || !value.bytes().all(|byte| bytes::is(byte, WORD)) {
        return false;
    }
    let words = Folded::of(value);
    let long = words.words().iter().filter(|(from, to, _)| to - from >= 4).count();
    let short = words.words().iter().filter(|(from, to, _)| to - from < 3).count();
    long >= 1
        && words.words().len() >= 2
        && (short == 0 || (value.contains('_') && short <= 3))
        && words.squashed().len() >= words.words().len() * 4 - 2
        && entropy(value) < 4.2
        && words.words().iter().all(|(from, to, _)| {
            let word = words.squashed().get(*from..*to).unwrap_or_default();
            word.len() <= 14 && (word.len() < 4 || word.contains(['a', 'e', 'i', 'o', 'u', 'y']))
        })
}
