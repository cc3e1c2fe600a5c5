//! Which bytes of a text are digits, words or coded: a bit for each byte, so that runs are counted and not walked.

use wide::u8x16;

/// Bytes of which one word of bits tells.
const WORD: usize = 64;

/// The bytes of one class.
#[derive(Debug, Clone, Default)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    /// The first byte of the class at or behind `from`.
    pub fn next(&self, from: usize) -> Option<usize> {
        let first = self.0.get(from / WORD)? >> (from % WORD);
        if first != 0 {
            return Some(from + first.trailing_zeros() as usize);
        }
        let rest = self.0.get(from / WORD + 1..)?;
        let (skipped, bits) = rest.iter().enumerate().find(|(_, bits)| **bits != 0)?;
        Some((from / WORD + 1 + skipped) * WORD + bits.trailing_zeros() as usize)
    }

    /// The first byte that is not of the class at or behind `from`.
    pub fn end(&self, from: usize) -> usize {
        let mut at = from;
        loop {
            let run = self.ahead(at).trailing_ones() as usize;
            at += run;
            if run < WORD {
                return at;
            }
        }
    }

    /// How many bytes from `from` on are of the class; those behind the next 128 do not count.
    pub fn run(&self, from: usize) -> usize {
        match self.ahead(from).trailing_ones() as usize {
            WORD => WORD + self.ahead(from + WORD).trailing_ones() as usize,
            run => run,
        }
    }

    /// The byte at `at` and the 63 behind it, the first in the lowest bit.
    pub fn ahead(&self, at: usize) -> u64 {
        let word = |index: usize| self.0.get(index).copied().unwrap_or_default();
        let (index, shift) = (at / WORD, at % WORD);
        let high = if shift == 0 { 0 } else { word(index + 1) << (WORD - shift) };
        word(index) >> shift | high
    }

    /// The 64 bytes right before `at`, the last in the highest bit.
    pub fn behind(&self, at: usize) -> u64 {
        match at.checked_sub(WORD) {
            Some(from) => self.ahead(from),
            None if at == 0 => 0,
            None => self.ahead(0) << (WORD - at),
        }
    }

    /// The first byte at or behind `from` that has at least eleven others of the class right behind it.
    pub fn twelve(&self, from: usize) -> Option<usize> {
        let mut at = from;
        while at / WORD < self.0.len() {
            let both = u128::from(self.ahead(at)) | u128::from(self.ahead(at + WORD)) << WORD;
            let two = both & both >> 1;
            let four = two & two >> 2;
            let eight = four & four >> 4;
            // All that begin in the first word end in the second.
            let starts = u64::try_from(eight & four >> 8 & u128::from(u64::MAX)).unwrap_or_default();
            if starts != 0 {
                return Some(at + starts.trailing_zeros() as usize);
            }
            at += WORD;
        }
        None
    }
}

/// The classes of the bytes of one text.
#[derive(Debug, Clone, Default)]
pub(super) struct Classes {
    /// `0` to `9`.
    pub digits: Bits,
    /// ASCII letters and digits.
    pub words: Bits,
    /// Letters of Base64 in both of its alphabets.
    pub coded: Bits,
}

impl Classes {
    /// Reads a text into the memory of an earlier one.
    pub fn read(&mut self, bytes: &[u8]) {
        let all = [&mut self.digits, &mut self.words, &mut self.coded];
        for bits in all {
            bits.0.clear();
            bits.0.reserve(bytes.len() / WORD + 1);
        }
        let (blocks, rest) = bytes.as_chunks::<WORD>();
        for block in blocks {
            self.block(block);
        }
        if !rest.is_empty() {
            let mut block = [0; WORD];
            block.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
            self.block(&block);
        }
    }

    fn block(&mut self, block: &[u8; WORD]) {
        let mut bits = [0u64; 3];
        for (index, part) in block.as_chunks::<16>().0.iter().enumerate() {
            let bytes = u8x16::from(*part);
            let digits = within(bytes, b'0', b'9');
            let words = digits | within(bytes | u8x16::splat(0x20), b'a', b'z');
            // `/` stands right before the digits.
            let is = |sign: u8| bytes.simd_eq(u8x16::splat(sign));
            let coded = words | is(b'/') | is(b'+') | is(b'-') | is(b'_');
            for (bits, class) in bits.iter_mut().zip([digits, words, coded]) {
                *bits |= u64::from(class.to_bitmask()) << (index * 16);
            }
        }
        let [digits, words, coded] = bits;
        self.digits.0.push(digits);
        self.words.0.push(words);
        self.coded.0.push(coded);
    }
}

/// All ones for each byte from `first` to `last`.
fn within(bytes: u8x16, first: u8, last: u8) -> u8x16 {
    let from = bytes - u8x16::splat(first);
    from.min(u8x16::splat(last - first)).simd_eq(from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::bytes::{self, ALPHANUMERIC, CODED, DIGIT};

    #[test]
    fn bits_say_what_the_table_says_and_runs_are_those_of_a_walk() {
        let mut seed = 9u32;
        let mut classes = Classes::default();
        for length in 0..300 {
            let bytes: Vec<u8> = (0..length)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let [kind, any, ..] = seed.to_be_bytes();
                    if kind % 9 == 0 { any } else { b"0123456789aZ_-+/ "[usize::from(any) % 17] }
                })
                .collect();
            classes.read(&bytes);
            for (bits, class) in
                [(&classes.digits, DIGIT), (&classes.words, ALPHANUMERIC), (&classes.coded, CODED)]
            {
                let is = |at: &usize| bytes::at(&bytes, *at, class);
                for at in 0..length + 3 {
                    assert_eq!(bits.next(at), (at..length).find(is));
                    assert_eq!(bits.end(at) - at, bytes::run(&bytes, at, usize::MAX, class));
                    assert_eq!(bits.run(at), bytes::run(&bytes, at, 2 * WORD, class));
                    assert_eq!(bits.ahead(at) & 1 == 1, is(&at));
                    if at <= length {
                        let behind = bytes::run_back(&bytes, at, WORD, class);
                        assert_eq!(bits.behind(at).leading_ones() as usize, behind);
                    }
                    let long = |at: &usize| bytes::run(&bytes, *at, 12, class) == 12;
                    assert_eq!(bits.twelve(at), (at..length).find(long));
                }
            }
        }
    }
}
