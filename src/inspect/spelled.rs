//! Text that is spelled byte by byte: `34 31 31 31`, `0x34, 0x31`, `52, 49, 49`.

use super::decode::{Blob, whole_text};
use super::digits::{before, is_word};

/// Bytes of the shortest text that is read so; hardware addresses have six.
const SHORTEST: usize = 8;
/// Bytes of the longest one.
const LONGEST: usize = 1 << 16;
/// Letters between two bytes.
const GAP: usize = 4;

/// All of a text's runs of spelled bytes that hold text, at the digits that have been noted.
pub(super) fn blobs(text: &str, digits: &[usize]) -> Vec<Blob> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut from = 0;
    for &at in digits {
        if at < from || is_word(before(bytes, at)) || !may_begin(bytes, at) {
            continue;
        }
        for (name, read) in [("hex", hex as Read), ("bytes", decimal as Read)] {
            if let Some((end, spelled)) = run(bytes, at, read) {
                from = from.max(end);
                if let Some(text) = whole_text(spelled) {
                    found.push(Blob { start: at, end, text, encoding: name });
                }
            }
        }
    }
    found
}

/// Whether a byte may be spelled at `at` and another behind it: most digits begin no such run.
fn may_begin(bytes: &[u8], at: usize) -> bool {
    let sign = |at: usize| bytes.get(at).is_some_and(|byte| between(*byte));
    sign(at + 2) || sign(at + 3) || bytes.get(at + 1) == Some(&b'x')
}

/// Reads one byte and tells how many letters spell it.
type Read = fn(&[u8]) -> Option<(u8, usize)>;

fn hex(bytes: &[u8]) -> Option<(u8, usize)> {
    let digit = |at: usize| bytes.get(at).and_then(|&digit| char::from(digit).to_digit(16));
    let value = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    (!is_word(bytes.get(2))).then_some((value, 2))
}

fn decimal(bytes: &[u8]) -> Option<(u8, usize)> {
    let length = bytes.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    if !(2..=3).contains(&length) || is_word(bytes.get(length)) {
        return None;
    }
    let value = bytes.iter().take(length).fold(0u32, |value, digit| value * 10 + u32::from(digit - b'0'));
    u8::try_from(value).ok().filter(|value| (9..=126).contains(value)).map(|value| (value, length))
}

fn run(bytes: &[u8], at: usize, read: Read) -> Option<(usize, Vec<u8>)> {
    // Most digits begin no such run; only one that is long enough takes memory.
    let (mut held, mut length) = ([0u8; SHORTEST], 0);
    let mut spelled = Vec::new();
    let mut end = at;
    let mut next = at;
    while length < LONGEST {
        let rest = bytes.get(next..).unwrap_or_default();
        // `0x` belongs to a byte; at the start of the run the digit that was noted is its zero.
        let rest = rest.strip_prefix(b"0x").unwrap_or(rest);
        let Some((value, width)) = read(rest) else { break };
        match held.get_mut(length) {
            Some(place) => *place = value,
            None => spelled.push(value),
        }
        length += 1;
        if length == SHORTEST {
            spelled.extend(held);
        }
        end = bytes.len() - rest.len() + width;
        let gap = bytes.get(end..).unwrap_or_default();
        let width = gap.iter().take(GAP).take_while(|byte| between(**byte)).count();
        if width == 0 {
            break;
        }
        next = end + width;
    }
    (length >= SHORTEST).then_some((end, spelled))
}

fn between(byte: u8) -> bool {
    matches!(byte, b' ' | b',' | b':' | b';' | b'-' | b'\n' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> Option<(String, &'static str)> {
        let at = text.bytes().position(|byte| byte.is_ascii_digit())?;
        blobs(text, &[at]).into_iter().next_back().map(|blob| (blob.text, blob.encoding))
    }

    #[test]
    fn bytes_are_read_in_every_spelling_and_addresses_are_not() {
        for text in [
            "61 6e 61 40 62 2e 63 6f",
            "61:6e:61:40:62:2e:63:6f",
            "0x61, 0x6e, 0x61, 0x40, 0x62, 0x2e, 0x63, 0x6f",
        ] {
            assert_eq!(first(text), Some(("ana@b.co".to_owned(), "hex")), "{text}");
        }
        assert_eq!(first("[97, 110, 97, 64, 98, 46, 99, 111]"), Some(("ana@b.co".to_owned(), "bytes")));
        for text in ["3c:22:fb:9a:01:7e", "00 01 02 03 04 05 06 07 08", "10:22:33", "12, 5, 7, 9, 1, 3, 4, 5"]
        {
            assert_eq!(first(text), None, "{text}");
        }
    }
}
