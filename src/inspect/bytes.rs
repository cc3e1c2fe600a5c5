//! Classes of bytes in one table: a look-up in place of a chain of comparisons.

/// `0` to `9`.
pub(super) const DIGIT: u8 = 1;
/// `A` to `Z`.
pub(super) const UPPER: u8 = 2;
/// `a` to `z`.
pub(super) const LOWER: u8 = 4;
/// `_`.
const UNDERSCORE: u8 = 8;
/// Hexadecimal digits.
pub(super) const HEX: u8 = 16;
/// Letters of Base64 in both of its alphabets.
pub(super) const CODED: u8 = 32;
/// What may stand in the address of a network beside hexadecimal digits: `:` and `.`.
pub(super) const POINT: u8 = 64;
/// `-`.
pub(super) const HYPHEN: u8 = 128;
/// ASCII letters.
pub(super) const LETTER: u8 = UPPER | LOWER;
/// ASCII letters and digits.
pub(super) const ALPHANUMERIC: u8 = LETTER | DIGIT;
/// What continues a word to its neighbour.
pub(super) const WORD: u8 = ALPHANUMERIC | UNDERSCORE;

const TABLE: [u8; 256] = table();

#[allow(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const fn table() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut byte = 0u8;
    loop {
        let mut class = 0;
        if byte.is_ascii_digit() {
            class |= DIGIT;
        }
        if byte.is_ascii_uppercase() {
            class |= UPPER;
        }
        if byte.is_ascii_lowercase() {
            class |= LOWER;
        }
        if byte.is_ascii_hexdigit() {
            class |= HEX;
        }
        if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_') {
            class |= CODED;
        }
        if byte == b'_' {
            class |= UNDERSCORE;
        }
        if matches!(byte, b':' | b'.') {
            class |= POINT;
        }
        if byte == b'-' {
            class |= HYPHEN;
        }
        table[byte as usize] = class;
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

/// Whether a byte is of one of these classes.
#[allow(clippy::indexing_slicing, reason = "every byte has a place in a table of 256")]
pub(super) const fn is(byte: u8, classes: u8) -> bool {
    TABLE[byte as usize] & classes != 0
}

/// Whether there is a byte at `at` and it is of one of these classes.
pub(super) fn at(bytes: &[u8], at: usize, classes: u8) -> bool {
    bytes.get(at).is_some_and(|byte| is(*byte, classes))
}

/// How many bytes from `from` on are of these classes, at most `most`.
pub(super) fn run(bytes: &[u8], from: usize, most: usize, classes: u8) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    let rest = rest.get(..most).unwrap_or(rest);
    rest.iter().position(|byte| !is(*byte, classes)).unwrap_or(rest.len())
}

/// How many bytes right before `to` are of these classes, at most `most`.
pub(super) fn run_back(bytes: &[u8], to: usize, most: usize, classes: u8) -> usize {
    let head = bytes.get(to.saturating_sub(most)..to).unwrap_or_default();
    head.iter().rev().position(|byte| !is(*byte, classes)).unwrap_or(head.len())
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// How many bytes from `from` on are `CODED`, eight at a time.
pub(super) fn coded_run(bytes: &[u8], from: usize) -> usize {
    let (chunks, rest) = bytes.get(from..).unwrap_or_default().as_chunks::<8>();
    let mut length = 0;
    for chunk in chunks {
        let others = not_coded(u64::from_le_bytes(*chunk));
        if others != 0 {
            return length + (others.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    length + run(rest, 0, 8, CODED)
}

/// The high bit of each of eight bytes that is none of `CODED`.
pub(super) fn not_coded(word: u64) -> u64 {
    // Without their high bits, so that no sum reaches the next byte.
    let low = word & !HIGHS;
    let within = |bytes: u64, first: u8, last: u8| {
        let from = bytes + ONES * u64::from(0x80 - first);
        from & !(bytes + ONES * u64::from(0x7F - last))
    };
    let is = |sign: u8| !((low ^ (ONES * u64::from(sign))) + ONES * 0x7F);
    // `/` stands right before the digits.
    let letters = within(low | (ONES * 0x20), b'a', b'z');
    let coded = letters | within(low, b'/', b'9') | is(b'+') | is(b'-') | is(b'_');
    (!coded | word) & HIGHS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_the_methods_of_bytes_say() {
        for byte in 0..=255u8 {
            assert_eq!(is(byte, DIGIT), byte.is_ascii_digit());
            assert_eq!(is(byte, LETTER), byte.is_ascii_alphabetic());
            assert_eq!(is(byte, HEX), byte.is_ascii_hexdigit());
            assert_eq!(is(byte, WORD), byte.is_ascii_alphanumeric() || byte == b'_');
            for place in 0..8 {
                let others = not_coded(u64::from(byte) << (place * 8) | !(0xFF << (place * 8)));
                assert_eq!(others >> (place * 8 + 7) & 1 == 0, is(byte, CODED), "{byte} at {place}");
            }
        }
        assert_eq!((run(b"a12b", 1, 9, DIGIT), run(b"a12b", 1, 1, DIGIT), run(b"", 3, 9, WORD)), (2, 1, 0));
        assert_eq!((run_back(b"a12b", 3, 9, DIGIT), run_back(b"12", 2, 1, DIGIT)), (2, 1));
    }
}
