//! What the check digits of many countries share.

/// The value of an ASCII digit; of anything else a number that no sum expects.
pub(super) fn digit(letter: u8) -> u32 {
    char::from(letter).to_digit(10).unwrap_or(99)
}

/// Digits of the longest number that is checked.
const MOST: usize = 20;

/// Values of digits, without memory of their own: most candidates fail.
#[derive(Clone, Copy)]
pub(super) struct Digits {
    held: [u32; MOST],
    length: usize,
}

impl std::ops::Deref for Digits {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        self.held.get(..self.length).unwrap_or_default()
    }
}

impl std::ops::DerefMut for Digits {
    fn deref_mut(&mut self) -> &mut [u32] {
        self.held.get_mut(..self.length).unwrap_or_default()
    }
}

/// Values of all digits, or `None` if there is anything else or not one of these lengths.
pub(super) fn digits(value: &[u8], lengths: &[usize]) -> Option<Digits> {
    if !lengths.contains(&value.len()) {
        return None;
    }
    let mut held = [0; MOST];
    for (place, letter) in held.get_mut(..value.len())?.iter_mut().zip(value) {
        *place = u32::from(letter.wrapping_sub(b'0'));
        if *place > 9 {
            return None;
        }
    }
    Some(Digits { held, length: value.len() })
}

/// Sum of digits times weights, as far as both go.
pub(super) fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

/// Decimal value of some digits.
pub(super) fn number(digits: &[u32]) -> u64 {
    digits.iter().fold(0u64, |number, digit| number.wrapping_mul(10).wrapping_add(u64::from(*digit)))
}

/// Decimal value of a part of the digits; too large a part is 0.
pub(super) fn part(digits: &[u32], from: usize, to: usize) -> u32 {
    digits.get(from..to).map_or(0, |part| u32::try_from(number(part)).unwrap_or(0))
}

/// The digit at a place.
pub(super) fn at(digits: &[u32], place: usize) -> u32 {
    digits.get(place).copied().unwrap_or(99)
}

/// ISO/IEC 7812-1 annex B over ASCII digits.
pub(in crate::inspect) fn luhn(value: &[u8]) -> bool {
    let sum: u32 = value
        .iter()
        .rev()
        .enumerate()
        .map(|(place, letter)| match (place % 2, digit(*letter)) {
            (0, digit) => digit,
            (_, digit) => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    !value.is_empty() && value.iter().all(u8::is_ascii_digit) && sum.is_multiple_of(10)
}

/// ISO 7064 mod 11,10 over all digits, the last one being the check digit.
pub(super) fn mod_11_10(digits: &[u32]) -> bool {
    let mut rest = 10;
    let Some((check, body)) = digits.split_last() else { return false };
    for digit in body {
        let sum = match (digit + rest) % 10 {
            0 => 10,
            sum => sum,
        };
        rest = sum * 2 % 11;
    }
    (11 - rest) % 10 == *check
}

/// Whether a month has such a day (29 February always counts).
pub(in crate::inspect) fn day(month: u32, day: u32) -> bool {
    let last = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=last).contains(&day)
}

/// The letter of an alphabet at a place.
pub(super) fn letter(alphabet: &[u8], place: u64) -> Option<u8> {
    usize::try_from(place).ok().and_then(|place| alphabet.get(place)).copied()
}

/// The place of a letter in an alphabet.
pub(super) fn place(alphabet: &[u8], letter: u8) -> Option<u32> {
    alphabet.iter().position(|known| *known == letter).and_then(|place| u32::try_from(place).ok())
}
