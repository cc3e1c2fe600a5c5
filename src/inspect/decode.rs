//! Base64 and hexadecimal that hold text: found in a text by their runs, decoded within bounds.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::bytes::{self, CODED};
use super::classes::Bits;

/// Bytes of the longest run that is decoded.
const LONGEST: usize = 1 << 21;
/// Letters that are decoded first, to see whether there is text.
const TASTE: usize = 12;
/// Letters of the shortest run that is read as Base32.
const SHORTEST_BASE32: usize = 16;
/// Bytes that something compressed may become, at most, and for each of its own.
const INFLATED: usize = 1 << 20;
const RATIO: usize = 64;
/// Letters of a line that may go on in the next one.
const LINE: usize = 56;

/// A run and the text that it holds.
#[derive(Debug)]
pub(super) struct Blob {
    pub start: usize,
    pub end: usize,
    pub text: String,
    /// The encoding's name in records.
    pub encoding: &'static str,
}

fn lenient(alphabet: &base64::alphabet::Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config)
}

fn fits(byte: u8) -> bool {
    bytes::is(byte, CODED)
}

/// Starts of the runs that seem to hold text.
pub(super) fn leads(bytes: &[u8], coded: &Bits, found: &mut Vec<usize>) {
    let mut from = 0;
    while let Some(start) = coded.twelve(from) {
        let end = coded.end(start);
        if tastes_of_text(bytes.get(start..end).unwrap_or_default()) {
            found.push(start);
        }
        from = end;
    }
}

/// All of these runs of a text that hold text themselves.
pub(super) fn blobs(text: &str, runs: &[usize]) -> Vec<Blob> {
    let bytes = text.as_bytes();
    let mut found: Vec<Blob> = Vec::new();
    for &start in runs {
        if found.last().is_none_or(|last| last.end <= start) {
            let end = start + bytes::coded_run(bytes, start);
            found.extend(blob(bytes, start, end));
        }
    }
    found
}

/// Whether a run may hold text: its first letters are decoded, in place.
fn tastes_of_text(run: &[u8]) -> bool {
    let run = run.strip_prefix(b"0x").unwrap_or(run);
    let taste = run.get(..TASTE).unwrap_or_default();
    let mut held = [0u8; TASTE];
    bytes_of_hex(taste, &mut held).is_some_and(textual)
        || bytes_of_base64(taste, &mut held).is_some_and(|bytes| textual(bytes) || widely(bytes))
        || compressed(run)
        || run
            .get(..SHORTEST_BASE32)
            .filter(|taste| taste.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7')))
            .and_then(unbase32)
            .is_some_and(|bytes| bytes.is_ascii() && textual(&bytes))
}

/// The bytes that a short run of hexadecimal digits spells.
fn bytes_of_hex<'h>(taste: &[u8], held: &'h mut [u8; TASTE]) -> Option<&'h [u8]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = taste.as_chunks::<2>().0;
    for (place, [high, low]) in held.iter_mut().zip(pairs) {
        *place = digit(*high)? << 4 | digit(*low)?;
    }
    taste.iter().all(u8::is_ascii_hexdigit).then_some(held.get(..pairs.len())?)
}

/// The bytes that a short run of Base64 stands for, in either alphabet; a letter too many is left out.
fn bytes_of_base64<'h>(taste: &[u8], held: &'h mut [u8; TASTE]) -> Option<&'h [u8]> {
    let url = taste.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let taste = if taste.len() % 4 == 1 { taste.get(..taste.len() - 1)? } else { taste };
    let (mut bits, mut count, mut length) = (0u32, 0, 0);
    for letter in taste {
        let value = sextet(*letter).filter(|_| !(url && matches!(letter, b'+' | b'/')))?;
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            let byte = u8::try_from(bits >> count & 0xFF).ok()?;
            // No text begins with the middle of a character.
            if length == 0 && matches!(byte, 0x80..=0xC1 | 0xF5..) {
                return None;
            }
            *held.get_mut(length)? = byte;
            length += 1;
        }
    }
    held.get(..length)
}

/// What a letter of Base64 stands for, in either alphabet.
#[allow(clippy::indexing_slicing, reason = "every byte has a place in a table of 256")]
fn sextet(letter: u8) -> Option<u8> {
    const NONE: u8 = 64;
    const TABLE: [u8; 256] = {
        let mut table = [NONE; 256];
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut value = 0u8;
        while value < NONE {
            table[letters[value as usize] as usize] = value;
            value += 1;
        }
        table[b'-' as usize] = 62;
        table[b'_' as usize] = 63;
        table
    };
    let value = TABLE[letter as usize];
    (value < NONE).then_some(value)
}

/// Whether a run begins as gzip or zlib do in Base64.
fn compressed(run: &[u8]) -> bool {
    run.len() >= 24
        && [&b"H4sI"[..], b"eJ", b"eN", b"eA", b"eF"].iter().any(|magic| run.starts_with(magic))
        && unbase64(run.get(..8).unwrap_or_default()).is_some_and(|head| {
            matches!(head.as_slice(), [0x1F, 0x8B, 8, ..] | [0x78, 0x01 | 0x5E | 0x9C | 0xDA, ..])
        })
}

/// Whether every other byte is zero.
fn widely(bytes: &[u8]) -> bool {
    let pairs = bytes.as_chunks::<2>().0;
    let zero = |at: usize| pairs.iter().all(|pair| pair.get(at) == Some(&0) && pair.get(1 - at) != Some(&0));
    !pairs.is_empty() && (zero(0) || zero(1))
}

/// Whether bytes are, or may go on as, text: UTF-8 without control characters.
fn textual(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => {
            std::str::from_utf8(bytes.get(..e.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty()
        && text.chars().all(|letter| !letter.is_control() || matches!(letter, '\n' | '\r' | '\t'))
}

fn blob(bytes: &[u8], start: usize, end: usize) -> Option<Blob> {
    let run = bytes.get(start..end)?;
    let (skip, body) = run.strip_prefix(b"0x").map_or((0, run), |rest| (2, rest));
    if body.len() % 2 == 0
        && body.iter().all(u8::is_ascii_hexdigit)
        && let Some(text) = unhex(body).and_then(whole_text)
    {
        return Some(Blob { start, end: start + skip + body.len(), text, encoding: "hex" });
    }
    let (far, joined) = with_lines(bytes, start, end);
    // The word on the next line may be none of it.
    unfold(bytes, (start, far), &joined)
        .or_else(|| (far > end).then(|| unfold(bytes, (start, end), run)).flatten())
}

/// What letters stand for that are no hexadecimal digits.
fn unfold(bytes: &[u8], (start, end): (usize, usize), joined: &[u8]) -> Option<Blob> {
    if joined.len() > LONGEST {
        return None;
    }
    let base32 = || {
        let body = joined.len() >= SHORTEST_BASE32;
        unbase32(joined).filter(|_| body).and_then(whole_text).map(|text| (text, "base32"))
    };
    let bytes64 = unbase64(joined);
    let inflated =
        || bytes64.as_deref().and_then(inflated).and_then(whole_text).map(|text| (text, "compressed"));
    let (text, encoding) = inflated()
        .or_else(|| bytes64.clone().and_then(whole_text).map(|text| (text, "base64")))
        .or_else(base32)?;
    let padding = bytes.get(end..)?.iter().take(6).take_while(|byte| **byte == b'=').count();
    Some(Blob { start, end: end + padding, text, encoding })
}

/// The run with those on the next lines, as e-mail wraps them.
fn with_lines(bytes: &[u8], start: usize, end: usize) -> (usize, Vec<u8>) {
    let mut joined = bytes.get(start..end).unwrap_or_default().to_vec();
    let (mut end, mut last) = (end, end - start);
    while (LINE..=100).contains(&last) && joined.len() <= LONGEST {
        let rest = bytes.get(end..).unwrap_or_default();
        let gap = rest.iter().take(3).take_while(|byte| matches!(byte, b'\r' | b'\n' | b' ')).count();
        let length = rest.get(gap..).unwrap_or_default().iter().take_while(|byte| fits(**byte)).count();
        if gap == 0 || length == 0 || length > 100 {
            break;
        }
        joined.extend(rest.get(gap..gap + length).unwrap_or_default());
        (end, last) = (end + gap + length, length);
    }
    (end, joined)
}

/// The text that bytes are, in UTF-8 or UTF-16.
pub(super) fn whole_text(bytes: Vec<u8>) -> Option<String> {
    if let Some(text) = wide(&bytes) {
        return Some(text);
    }
    let text = String::from_utf8(bytes).ok()?;
    let odd =
        text.chars().filter(|letter| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t')).count();
    (odd * 20 <= text.len()).then_some(text)
}

/// UTF-16 of Latin letters: every other byte is zero.
fn wide(bytes: &[u8]) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let low = pairs.iter().take(4).all(|[low, high]| *low != 0 && *high == 0);
    let high = pairs.iter().take(4).all(|[high, low]| *low != 0 && *high == 0);
    if pairs.len() < 4 || !rest.is_empty() || low == high {
        return None;
    }
    let unit = |pair: &[u8; 2]| if low { u16::from_le_bytes(*pair) } else { u16::from_be_bytes(*pair) };
    char::decode_utf16(pairs.iter().map(unit)).collect::<Result<String, _>>().ok()
}

/// What gzip (RFC 1952) or zlib (RFC 1950) hold, or its beginning if it is too long.
fn inflated(bytes: &[u8]) -> Option<Vec<u8>> {
    let most = INFLATED.min(bytes.len().saturating_mul(RATIO));
    let inflate = |body: &[u8], zlib: bool| {
        let result = if zlib {
            miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(body, most)
        } else {
            miniz_oxide::inflate::decompress_to_vec_with_limit(body, most)
        };
        Some(result.unwrap_or_else(|cut| cut.output))
    };
    match bytes {
        [0x1F, 0x8B, 8, flags, _, _, _, _, _, _, rest @ ..] => inflate(after_header(*flags, rest)?, false),
        [0x78, 0x01 | 0x5E | 0x9C | 0xDA, ..] => inflate(bytes, true),
        _ => None,
    }
}

/// The compressed part behind the optional fields of a gzip header.
fn after_header(flags: u8, mut rest: &[u8]) -> Option<&[u8]> {
    if flags & 4 != 0 {
        let length = usize::from(u16::from_le_bytes([*rest.first()?, *rest.get(1)?]));
        rest = rest.get(2 + length..)?;
    }
    for name in [8, 16] {
        if flags & name != 0 {
            rest = rest.get(memchr::memchr(0, rest)? + 1..)?;
        }
    }
    if flags & 2 != 0 { rest.get(2..) } else { Some(rest) }
}

/// Base32 (RFC 4648) without padding.
fn unbase32(run: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(run.len() * 5 / 8);
    let (mut bits, mut held) = (0u32, 0);
    for letter in run {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'2'..=b'7' => letter - b'2' + 26,
            _ => return None,
        };
        bits = bits << 5 | u32::from(value);
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xFF).ok()?);
        }
    }
    Some(bytes)
}

fn unbase64(run: &[u8]) -> Option<Vec<u8>> {
    let url = run.iter().any(|byte| matches!(byte, b'-' | b'_'));
    // A letter too many is the end of something cut off.
    let run = if run.len() % 4 == 1 { run.get(..run.len() - 1)? } else { run };
    lenient(if url { &URL_SAFE } else { &STANDARD }).decode(run).ok()
}

fn unhex(run: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    run.as_chunks::<2>().0.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::classes::Classes;

    fn all_blobs(text: &str) -> Vec<Blob> {
        let mut runs = Vec::new();
        let mut classes = Classes::default();
        classes.read(text.as_bytes());
        leads(text.as_bytes(), &classes.coded, &mut runs);
        blobs(text, &runs)
    }

    #[test]
    fn text_is_found_in_runs_and_nothing_in_hashes_and_words() {
        for (text, inside, encoding) in [
            ("x: YW5hLmxpbWFAZXhhbXBsZS5jb20= y", "ana.lima@example.com", "base64"),
            ("YW5hLmxpbWFAZXhhbXBsZS5jb20", "ana.lima@example.com", "base64"),
            ("616e612e6c696d61406578616d706c652e636f6d", "ana.lima@example.com", "hex"),
            ("0x616e612e6c696d61406578616d706c652e636f6d", "ana.lima@example.com", "hex"),
        ] {
            let found = all_blobs(text);
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!((found[0].text.as_str(), found[0].encoding), (inside, encoding));
        }
        for text in [
            "d41d8cd98f00b204e9800998ecf8427e",
            "/usr/local/lib/python3/site-packages/numpy",
            "internationalization_of_things",
            "4111111111111111111",
            "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg",
        ] {
            assert!(all_blobs(text).is_empty(), "{text}: {:?}", all_blobs(text));
        }
    }
}
