//! The cells of one line of a table: where each ends, with quotes and several separators.

use wide::u8x16;

/// What separates cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Separator {
    Sign(u8),
    /// Two spaces or more.
    Spaces,
}

pub(super) const SEPARATORS: [Separator; 5] = [
    Separator::Sign(b'|'),
    Separator::Sign(b'\t'),
    Separator::Sign(b';'),
    Separator::Sign(b','),
    Separator::Spaces,
];

/// A line as far as it was read, outside and inside of quotes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reading {
    pub at: usize,
    quote: Option<u8>,
    spaces: usize,
}

impl Reading {
    /// Nothing has been read before the byte at `at`.
    pub fn from(at: usize) -> Self {
        Self { at, ..Self::default() }
    }

    /// Reads on to the end of `line`, whose first cell begins at `from`, and calls with the number of the separator
    /// and its place where a cell ends.
    pub fn go(&mut self, line: &[u8], from: usize, mut cut: impl FnMut(usize, usize)) {
        while let Some(rest) = line.get(self.at..).filter(|rest| !rest.is_empty()) {
            let plain = match self.quote {
                Some(open) => memchr::memchr(open, rest),
                None if self.spaces > 0 => Some(0),
                None => next_cut(rest),
            };
            let at = self.at + plain.unwrap_or(rest.len());
            let Some(&byte) = line.get(at) else {
                self.at = at;
                return;
            };
            self.at = at + 1;
            match (self.quote, byte) {
                (Some(_), _) => self.quote = None,
                (None, b' ') => {
                    // One space separates words, not cells.
                    let single = self.spaces == 0 && line.get(self.at).is_some_and(|next| *next != b' ');
                    self.spaces += usize::from(!single);
                    continue;
                }
                (None, b'|') => cut(0, at),
                (None, b'\t') => cut(1, at),
                (None, b';') => cut(2, at),
                (None, b',') => cut(3, at),
                (None, b'"') => self.quote = Some(byte),
                // An apostrophe inside a word opens nothing.
                (None, b'\'') => {
                    let opens =
                        at == from || line.get(at - 1).is_some_and(|byte| !byte.is_ascii_alphanumeric());
                    self.quote = opens.then_some(byte);
                }
                (None, _) => {}
            }
            if self.spaces > 0 {
                if self.spaces >= 2 && at - from > self.spaces {
                    cut(4, at);
                }
                self.spaces = 0;
            }
        }
    }
}

/// How often cells end in a line, by separator.
pub(super) fn counts(line: &[u8]) -> [usize; SEPARATORS.len()] {
    plain_counts(line).unwrap_or_else(|| {
        let mut counts = [0; SEPARATORS.len()];
        Reading::default().go(line, 0, |kind, _| {
            counts.get_mut(kind).into_iter().for_each(|count| *count += 1);
        });
        counts
    })
}

/// The same for a line without quotes and without two spaces in a row, as most are.
fn plain_counts(line: &[u8]) -> Option<[usize; SEPARATORS.len()]> {
    let mut counts = [0; SEPARATORS.len()];
    // The last byte of the part before was a space.
    let mut space_before = 0;
    for part in line.chunks(16) {
        let mut block = [0; 16];
        block.get_mut(..part.len())?.copy_from_slice(part);
        let bytes = u8x16::from(block);
        let is = |sign: u8| bytes.simd_eq(u8x16::splat(sign));
        let spaces = is(b' ').to_bitmask();
        if (is(b'"') | is(b'\'')).any() || spaces & (spaces << 1 | space_before) != 0 {
            return None;
        }
        space_before = spaces >> 15;
        let signs = [is(b'|'), is(b'\t'), is(b';'), is(b',')];
        if !signs.into_iter().fold(u8x16::default(), |any, sign| any | sign).any() {
            continue;
        }
        for (count, sign) in counts.iter_mut().zip(signs) {
            *count += sign.to_bitmask().count_ones() as usize;
        }
    }
    Some(counts)
}

/// Where a cell may end, or a quoted part begin: one space separates words, not cells.
fn next_cut(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if may_cut(byte) && (byte != b' ' || bytes.get(at + 1).is_none_or(|next| *next == b' ')) {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Whether a cell may end at a byte, or a quoted part begin.
#[allow(clippy::indexing_slicing, reason = "every byte has a place in a table of 256")]
fn may_cut(byte: u8) -> bool {
    const TABLE: [bool; 256] = {
        let mut table = [false; 256];
        let mut at = 0;
        while at < CUTS.len() {
            table[CUTS[at] as usize] = true;
            at += 1;
        }
        table
    };
    const CUTS: &[u8] = b" |\t;,\"'";
    TABLE[byte as usize]
}

/// The cells of a line, without what encloses them.
pub(super) fn cells(line: &str, separator: Separator) -> Vec<String> {
    let line = line.trim_matches(['\n', '\r', ' ']).trim_start_matches('|');
    let mut cuts = Vec::new();
    let kind = SEPARATORS.iter().position(|known| *known == separator);
    Reading::default().go(line.as_bytes(), 0, |cut, at| cuts.extend((kind == Some(cut)).then_some(at)));
    cuts.push(line.len());
    let mut from = 0;
    let mut titles = Vec::with_capacity(cuts.len());
    for cut in cuts {
        let cell = line.get(from..cut).unwrap_or_default();
        titles.push(cell.trim_matches([' ', '"', '\'', '`', '*', '|', ',', ';', '\t']).to_owned());
        from = cut;
    }
    titles
}
