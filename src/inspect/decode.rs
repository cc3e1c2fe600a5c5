//! Base64 and hexadecimal that hold text: found in a text by their runs, decoded within bounds.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Letters of the shortest run that is decoded.
const SHORTEST: usize = 12;
/// Bytes of the longest run that is decoded.
const LONGEST: usize = 1 << 21;
/// Letters that are decoded first, to see whether there is text.
const TASTE: usize = 12;
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
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// Starts of the runs that seem to hold text.
pub(super) fn leads(bytes: &[u8], found: &mut Vec<usize>) {
    each_run(bytes, |start, end| {
        if tastes_of_text(bytes.get(start..end).unwrap_or_default()) {
            found.push(start);
        }
    });
}

/// Calls with each run that is long enough: only every twelfth byte is looked at until one fits.
fn each_run(bytes: &[u8], mut each: impl FnMut(usize, usize)) {
    let mut from = 0;
    while let Some(&probe) = bytes.get(from + SHORTEST - 1) {
        if !fits(probe) {
            from += SHORTEST;
            continue;
        }
        let back = bytes.get(from..from + SHORTEST - 1).unwrap_or_default();
        let start = from + SHORTEST - 1 - back.iter().rev().take_while(|byte| fits(**byte)).count();
        let length = bytes.get(start..).unwrap_or_default().iter().take_while(|byte| fits(**byte)).count();
        if length >= SHORTEST {
            each(start, start + length);
        }
        from = start + length + 1;
    }
}

/// All runs of a text that hold text themselves.
pub(super) fn blobs(text: &str) -> Vec<Blob> {
    let bytes = text.as_bytes();
    let mut found: Vec<Blob> = Vec::new();
    each_run(bytes, |start, end| {
        if found.last().is_none_or(|last| last.end <= start) {
            found.extend(blob(bytes, start, end));
        }
    });
    found
}

fn tastes_of_text(run: &[u8]) -> bool {
    let run = run.strip_prefix(b"0x").unwrap_or(run);
    let taste = run.get(..TASTE).unwrap_or_default();
    let hex = taste.iter().all(u8::is_ascii_hexdigit) && unhex(taste).is_some_and(|bytes| textual(&bytes));
    hex || unbase64(taste).is_some_and(|bytes| textual(&bytes))
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
    if !tastes_of_text(run) {
        return None;
    }
    let (skip, body) = run.strip_prefix(b"0x").map_or((0, run), |rest| (2, rest));
    if body.len() % 2 == 0
        && body.iter().all(u8::is_ascii_hexdigit)
        && let Some(text) = unhex(body).and_then(whole_text)
    {
        return Some(Blob { start, end: start + skip + body.len(), text, encoding: "hex" });
    }
    let (end, joined) = with_lines(bytes, start, end);
    if joined.len() > LONGEST {
        return None;
    }
    let text = unbase64(&joined).and_then(whole_text)?;
    let padding = bytes.get(end..)?.iter().take(2).take_while(|byte| **byte == b'=').count();
    Some(Blob { start, end: end + padding, text, encoding: "base64" })
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

fn whole_text(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    let odd =
        text.chars().filter(|letter| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t')).count();
    (odd * 20 <= text.len()).then_some(text)
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

    #[test]
    fn text_is_found_in_runs_and_nothing_in_hashes_and_words() {
        for (text, inside, encoding) in [
            ("x: YW5hLmxpbWFAZXhhbXBsZS5jb20= y", "ana.lima@example.com", "base64"),
            ("YW5hLmxpbWFAZXhhbXBsZS5jb20", "ana.lima@example.com", "base64"),
            ("616e612e6c696d61406578616d706c652e636f6d", "ana.lima@example.com", "hex"),
            ("0x616e612e6c696d61406578616d706c652e636f6d", "ana.lima@example.com", "hex"),
        ] {
            let found = blobs(text);
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
            assert!(blobs(text).is_empty(), "{text}: {:?}", blobs(text));
        }
    }
}
