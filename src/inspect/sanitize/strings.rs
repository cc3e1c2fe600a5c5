//! The strings of a JSON text where they stand: offsets, pointers and lossless edits, no tree.

use std::borrow::Cow;

use super::super::pointer::push_segment;

/// Objects and arrays inside one another that are followed.
const DEPTH: usize = 128;

/// One string literal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Literal<'t> {
    /// What stands between the quotes.
    pub raw: &'t str,
    /// Where that begins.
    pub start: usize,
    /// Whether it is the name of a member.
    pub is_key: bool,
}

/// Bytes of the whole text that give way to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub start: usize,
    pub end: usize,
    pub with: String,
}

struct Level<'t> {
    object: bool,
    index: usize,
    key: &'t str,
}

/// Reads string after string.
pub(super) struct Strings<'t> {
    text: &'t str,
    at: usize,
    levels: Vec<Level<'t>>,
}

impl<'t> Strings<'t> {
    pub fn of(text: &'t str) -> Self {
        Self { text, at: 0, levels: Vec::new() }
    }

    /// The pointer of the string that was read last.
    pub fn pointer(&self) -> String {
        let mut pointer = String::new();
        for level in &self.levels {
            if level.object {
                push_segment(&mut pointer, &decode(level.key).0);
            } else {
                push_segment(&mut pointer, &level.index.to_string());
            }
        }
        pointer
    }
}

impl<'t> Iterator for Strings<'t> {
    type Item = Literal<'t>;

    fn next(&mut self) -> Option<Literal<'t>> {
        let bytes = self.text.as_bytes();
        loop {
            let byte = *bytes.get(self.at)?;
            self.at += 1;
            match byte {
                b'{' | b'[' if self.levels.len() < DEPTH => {
                    self.levels.push(Level { object: byte == b'{', index: 0, key: "" });
                }
                b'{' | b'[' => return None,
                b'}' | b']' => {
                    self.levels.pop();
                }
                b',' => {
                    if let Some(level) = self.levels.last_mut() {
                        level.index += 1;
                        level.key = "";
                    }
                }
                b'"' => {
                    let start = self.at;
                    let end = end_of_string(bytes, start)?;
                    self.at = end + 1;
                    let raw = self.text.get(start..end)?;
                    let after = bytes.get(self.at..).unwrap_or_default();
                    let next = after.iter().find(|byte| !byte.is_ascii_whitespace());
                    let is_key = next == Some(&b':') && self.levels.last().is_some_and(|level| level.object);
                    if let Some(level) = self.levels.last_mut().filter(|_| is_key) {
                        level.key = raw;
                    }
                    return Some(Literal { raw, start, is_key });
                }
                _ => {}
            }
        }
    }
}

fn end_of_string(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

/// Where each decoded byte stands in the raw text; empty if both are the same.
#[derive(Debug, Default)]
pub(super) struct Origins(Vec<(usize, usize)>);

impl Origins {
    /// The raw offset of a decoded offset.
    pub fn raw(&self, here: usize) -> usize {
        let after = self.0.partition_point(|point| point.0 <= here);
        let (from, to) = after.checked_sub(1).and_then(|last| self.0.get(last)).copied().unwrap_or_default();
        to + (here - from)
    }
}

/// What a string says, with the way back to how it is written.
pub(super) fn decode(raw: &str) -> (Cow<'_, str>, Origins) {
    if memchr::memchr(b'\\', raw.as_bytes()).is_none() {
        return (Cow::Borrowed(raw), Origins::default());
    }
    let bytes = raw.as_bytes();
    let mut text = String::with_capacity(raw.len());
    let mut origins = Origins::default();
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', bytes.get(at..).unwrap_or_default()) {
        text.push_str(raw.get(at..at + found).unwrap_or_default());
        at += found;
        let (letter, length) = escape(bytes.get(at..).unwrap_or_default());
        text.push(letter);
        at = (at + length).min(bytes.len());
        origins.0.push((text.len(), at));
    }
    text.push_str(raw.get(at..).unwrap_or_default());
    (Cow::Owned(text), origins)
}

fn escape(bytes: &[u8]) -> (char, usize) {
    let unit = |at: usize| {
        let digits = bytes.get(at..at + 4)?;
        let hex =
            std::str::from_utf8(digits).ok().filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u32::from_str_radix(hex, 16).ok()
    };
    match bytes.get(1) {
        Some(b'n') => ('\n', 2),
        Some(b'r') => ('\r', 2),
        Some(b't') => ('\t', 2),
        Some(b'b') => ('\u{8}', 2),
        Some(b'f') => ('\u{C}', 2),
        Some(b'u') => match unit(2) {
            Some(high @ 0xD800..0xDC00) if bytes.get(6..8) == Some(b"\\u") => {
                let low = unit(8).filter(|low| (0xDC00..0xE000).contains(low));
                let joined =
                    low.and_then(|low| char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)));
                joined.map_or((char::REPLACEMENT_CHARACTER, 6), |letter| (letter, 12))
            }
            Some(code) => (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
            None => (char::REPLACEMENT_CHARACTER, 2),
        },
        Some(&other) if other.is_ascii() => (char::from(other), 2),
        _ => (char::REPLACEMENT_CHARACTER, 1),
    }
}

/// Moves edits of a decoded string to where it is written.
pub(super) fn outwards(edits: Vec<Edit>, start: usize, origins: &Origins) -> impl Iterator<Item = Edit> {
    edits.into_iter().map(move |edit| Edit {
        start: start + origins.raw(edit.start),
        end: start + origins.raw(edit.end),
        with: quoted(&edit.with),
    })
}

fn quoted(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned()
}

/// The text after its edits, which are in order and do not overlap; one that does is left out.
pub(super) fn apply(text: &str, edits: &[Edit]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        if edit.start < at {
            continue;
        }
        out.push_str(text.get(at..edit.start).unwrap_or_default());
        out.push_str(&edit.with);
        at = edit.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_come_with_their_pointers() {
        let text = r#"{"a":[1,"x",{"b~/":"y\u00e9\n"}],"c" : "z"}"#;
        let mut strings = Strings::of(text);
        let mut found = Vec::new();
        while let Some(literal) = strings.next() {
            found.push((strings.pointer(), decode(literal.raw).0.into_owned(), literal.is_key));
        }
        let expected = [
            ("/a", "a", true),
            ("/a/1", "x", false),
            ("/a/2/b~0~1", "b~/", true),
            ("/a/2/b~0~1", "yé\n", false),
            ("/c", "c", true),
            ("/c", "z", false),
        ];
        let expected: Vec<_> = expected.map(|(p, t, k)| (p.to_owned(), t.to_owned(), k)).into();
        assert_eq!(found, expected);
    }
}
