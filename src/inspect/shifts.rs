//! Two texts side by side: one derived from the other, with a map of offsets back.

use super::lexer::hex_unit;

/// Where offsets of a derived text lie in its source. Between two points both run in step.
#[derive(Debug, Clone, Default)]
pub(super) struct Shifts {
    /// (offset here, offset in the source), in order.
    points: Vec<(usize, usize)>,
}

impl Shifts {
    /// From `here` on, the derived text continues at `source`.
    pub fn note(&mut self, here: usize, source: usize) {
        self.points.push((here, source));
    }

    /// Notes the end of both texts unless they still run in step since the last point.
    pub fn keep_step(&mut self, here: usize, source: usize) {
        let (from, to) = self.points.last().copied().unwrap_or_default();
        if here - from != source - to {
            self.note(here, source);
        }
    }

    /// The source's offset for an offset in the derived text.
    pub fn source(&self, here: usize) -> usize {
        let after = self.points.partition_point(|point| point.0 <= here);
        let (from, to) = self.point_before(after);
        to + (here - from)
    }

    fn point_before(&self, after: usize) -> (usize, usize) {
        after.checked_sub(1).and_then(|last| self.points.get(last)).copied().unwrap_or_default()
    }
}

/// Decodes the content of a JSON string whose escapes the lexer has already checked.
pub(super) fn unescape(raw: &str) -> (String, Shifts) {
    let bytes = raw.as_bytes();
    let mut text = String::with_capacity(raw.len());
    let mut shifts = Shifts { points: Vec::with_capacity(memchr::memchr_iter(b'\\', bytes).count()) };
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', bytes.get(at..).unwrap_or_default()) {
        text.push_str(raw.get(at..at + found).unwrap_or_default());
        at += found;
        let (decoded, length) = escaped_char(bytes.get(at..).unwrap_or_default());
        text.push(decoded);
        at += length;
        shifts.note(text.len(), at);
    }
    text.push_str(raw.get(at..).unwrap_or_default());
    (text, shifts)
}

/// The character that an escape stands for, and how many bytes it takes.
fn escaped_char(bytes: &[u8]) -> (char, usize) {
    let simple = match bytes.get(1) {
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'u') => return unicode_escape(bytes),
        Some(&other) => char::from(other),
        None => char::REPLACEMENT_CHARACTER,
    };
    (simple, 2)
}

/// `\uXXXX`, or a pair of them for characters beyond the basic plane.
pub(super) fn unicode_escape(bytes: &[u8]) -> (char, usize) {
    let unit = |at: usize| hex_unit(bytes.get(at..at + 4).unwrap_or_default());
    let Some(first) = unit(2) else { return (char::REPLACEMENT_CHARACTER, 2) };
    if (0xD800..0xDC00).contains(&first)
        && bytes.get(6..8) == Some(b"\\u")
        && let Some(second) = unit(8).filter(|unit| (0xDC00..0xE000).contains(unit))
        && let Some(joined) = char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
    {
        return (joined, 12);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_of_decoded_text_map_back_to_the_escapes() {
        let raw = r"a\u0040b\nc\ud83d\ude00d";
        let (text, shifts) = unescape(raw);
        assert_eq!(text, "a@b\nc\u{1F600}d");
        for (here, piece) in
            [(0, "a"), (1, r"\u0040"), (2, "b"), (3, r"\n"), (4, "c"), (5, r"\ud83d\ude00"), (9, "d")]
        {
            assert!(raw.get(shifts.source(here)..).is_some_and(|rest| rest.starts_with(piece)), "{piece}");
        }
    }
}
