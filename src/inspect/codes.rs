//! Characters that are written as codes: of URLs, JSON, C and HTML, and those of quoted-printable.

use super::bytes;
use super::cuts::Cuts;
use super::shifts::{Shifts, unicode_escape};

/// Bytes on either side of a code that are read with it: longer than any value but a key of many lines.
pub(super) const CODE_REACH: usize = 2_048;

/// The character at the start of `bytes`, read through the codes of URLs, JSON, C and HTML.
pub(super) fn decoded(letter: char, bytes: &[u8]) -> (char, usize) {
    let own = (letter, letter.len_utf8());
    let hex = |at: usize| bytes.get(at).and_then(|&digit| char::from(digit).to_digit(16));
    match letter {
        '%' => escaped(bytes, b'%').unwrap_or(own),
        '\\' if bytes.get(1..3) == Some(b"u{") => braced(bytes).unwrap_or(own),
        '\\' if matches!(bytes.get(1), Some(b'0' | b'1')) => octal(bytes).unwrap_or(own),
        '\\' if bytes.get(1) == Some(&b'u') => match unicode_escape(bytes) {
            (char::REPLACEMENT_CHARACTER, _) => own,
            found => found,
        },
        '\\' if bytes.get(1) == Some(&b'x') => match (hex(2), hex(3)) {
            (Some(high @ 2..8), Some(low)) | (Some(high @ 0), Some(low @ (9 | 10 | 13))) => {
                (char::from_u32(high * 16 + low).unwrap_or(letter), 4)
            }
            _ => own,
        },
        '&' => entity(bytes).unwrap_or(own),
        _ => own,
    }
}

/// `\u{40}` of Rust and JavaScript.
fn braced(bytes: &[u8]) -> Option<(char, usize)> {
    let digits = bytes.get(3..)?.iter().take(6).take_while(|byte| byte.is_ascii_hexdigit()).count();
    let value = std::str::from_utf8(bytes.get(3..3 + digits)?).ok()?;
    let letter = char::from_u32(u32::from_str_radix(value, 16).ok()?).filter(|letter| is_text(*letter))?;
    (bytes.get(3 + digits) == Some(&b'}')).then_some((letter, digits + 4))
}

/// `\100` of C and shells: three octal digits of a printable character.
fn octal(bytes: &[u8]) -> Option<(char, usize)> {
    let value =
        bytes.get(1..4)?.iter().try_fold(0u32, |sum, byte| Some(sum * 8 + char::from(*byte).to_digit(8)?))?;
    char::from_u32(value).filter(|_| (0x20..0x7F).contains(&value)).map(|letter| (letter, 4))
}

/// Whether texts hold it: a letter, a sign, or white space.
fn is_text(letter: char) -> bool {
    !letter.is_control() || matches!(letter, '\t' | '\n' | '\r')
}

/// A character written as a sign and two hexadecimal digits for each of its bytes in UTF-8.
fn escaped(bytes: &[u8], sign: u8) -> Option<(char, usize)> {
    let byte = |at: usize| -> Option<u8> {
        let digit = |at: usize| bytes.get(at).and_then(|&digit| char::from(digit).to_digit(16));
        (bytes.get(at) == Some(&sign)).then_some(())?;
        u8::try_from(digit(at + 1)? * 16 + digit(at + 2)?).ok()
    };
    let first = byte(0)?;
    let width = match first {
        b'\t' | b'\n' | b'\r' | 0x20..0x80 => return Some((char::from(first), 3)),
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    let raw: Vec<u8> = (0..width).map_while(|index| byte(index * 3)).collect();
    let text = std::str::from_utf8(&raw).ok()?;
    text.chars().next().map(|letter| (letter, width * 3))
}

/// A character reference of HTML: by number, or one of those that stand for signs in what is looked for.
fn entity(bytes: &[u8]) -> Option<(char, usize)> {
    const NAMES: &[(&[u8], char)] = &[
        (b"&commat;", '@'),
        (b"&period;", '.'),
        (b"&nbsp;", ' '),
        (b"&hyphen;", '-'),
        (b"&dash;", '-'),
        (b"&lowbar;", '_'),
        (b"&plus;", '+'),
        (b"&equals;", '='),
        (b"&colon;", ':'),
        (b"&sol;", '/'),
        (b"&amp;", '&'),
        (b"&quot;", '"'),
        (b"&apos;", '\''),
        (b"&lt;", '<'),
        (b"&gt;", '>'),
        (b"&shy;", '\u{AD}'),
        (b"&zwnj;", '\u{200C}'),
        (b"&zwj;", '\u{200D}'),
        (b"&ZeroWidthSpace;", '\u{200B}'),
        (b"&NoBreak;", '\u{2060}'),
        (b"&lpar;", '('),
        (b"&rpar;", ')'),
        (b"&comma;", ','),
    ];
    let Some(number) = bytes.strip_prefix(b"&#") else {
        return NAMES
            .iter()
            .find(|(name, _)| bytes.starts_with(name))
            .map(|(name, letter)| (*letter, name.len()));
    };
    let (radix, skip) = if matches!(number.first(), Some(b'x' | b'X')) { (16, 1) } else { (10, 0) };
    let digits =
        number.get(skip..)?.iter().take(8).take_while(|byte| char::from(**byte).is_digit(radix)).count();
    let value = std::str::from_utf8(number.get(skip..skip + digits)?).ok()?;
    let letter = char::from_u32(u32::from_str_radix(value, radix).ok()?).filter(|letter| is_text(*letter))?;
    let end = skip + digits;
    Some((letter, 2 + end + usize::from(number.get(end) == Some(&b';'))))
}

/// Whether the sign at `at` stands between a name and digits.
fn is_assignment(bytes: &[u8], at: usize) -> bool {
    bytes::run_back(bytes, at, 2, bytes::LETTER) == 2 && bytes::run(bytes, at + 1, 2, bytes::DIGIT) == 2
}

/// A text of quoted-printable (RFC 2045 §6.7): three codes at least, or a soft line break.
pub(super) fn unquoted(text: &str) -> Option<(String, Shifts)> {
    let bytes = text.as_bytes();
    let code = |at: usize| -> Option<(char, usize)> {
        let (letter, width) = escaped(bytes.get(at..)?, b'=').filter(|(letter, _)| is_text(*letter))?;
        let codes = bytes.get(at..at + width)?;
        (!codes.iter().any(u8::is_ascii_lowercase)).then_some((letter, width))
    };
    let soft = |at: usize| match (bytes.get(at + 1), bytes.get(at + 2)) {
        (Some(b'\n'), _) => 2,
        (Some(b'\r'), Some(b'\n')) => 3,
        _ => 0,
    };
    // Numbers behind names (`took=470ms`, `id=37`) look like codes, but nothing is coded at just these places.
    let (mut codes, mut telling) = (0, false);
    for at in memchr::memchr_iter(b'=', bytes) {
        let code = code(at).is_some();
        codes += usize::from(code) + 3 * soft(at);
        telling |= soft(at) > 0 || (code && !is_assignment(bytes, at));
    }
    if codes < 3 || !telling {
        return None;
    }
    let mut cuts = Cuts::new(text, CODE_REACH);
    for at in memchr::memchr_iter(b'=', bytes) {
        let (with, length) = match (code(at), soft(at)) {
            (Some((letter, width)), _) => (Some(letter), width),
            (None, 0) => continue,
            (None, width) => (None, width),
        };
        // The code before may have taken this sign.
        if at >= cuts.from {
            cuts.cut(at, at + length, with)?;
        }
    }
    cuts.finish()
}
