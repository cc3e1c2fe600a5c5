//! Numbers that are issued in Asia, Africa and Oceania.

use super::arithmetic::{at, day, digits, letter, number, part, place, weighted};
use super::luhn;

pub(super) fn au_tfn(value: &[u8]) -> bool {
    digits(value, &[8, 9]).is_some_and(|d| {
        let weights: &[u32] =
            if d.len() == 9 { &[1, 4, 3, 7, 5, 8, 6, 9, 10] } else { &[10, 7, 8, 4, 6, 3, 5, 1] };
        number(&d) > 999_999 && weighted(&d, weights).is_multiple_of(11)
    })
}

pub(super) fn au_medicare(value: &[u8]) -> bool {
    digits(value, &[10, 11]).is_some_and(|d| {
        (2..=6).contains(&at(&d, 0)) && weighted(&d, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == at(&d, 8)
    })
}

pub(super) fn au_abn(value: &[u8]) -> bool {
    let Some(mut d) = digits(value, &[11]) else { return false };
    let Some(first) = d.first_mut().filter(|first| **first > 0) else { return false };
    *first -= 1;
    weighted(&d, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]).is_multiple_of(89)
}

/// Verhoeff's check over the dihedral group of the pentagon.
pub(super) fn in_aadhaar(value: &[u8]) -> bool {
    const PERMUTATION: [[u32; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    let Some(d) = digits(value, &[12]) else { return false };
    let product = |one: u32, other: u32| match (one < 5, other < 5) {
        (true, true) => (one + other) % 5,
        (true, false) => (one + other - 5) % 5 + 5,
        (false, true) => (one - 5 + 5 - other) % 5 + 5,
        (false, false) => (one + 5 - other) % 5,
    };
    let check = d.iter().rev().enumerate().fold(0, |check, (at, digit)| {
        let row = PERMUTATION.get(at % 8).copied().unwrap_or_default();
        product(check, usize::try_from(*digit).ok().and_then(|digit| row.get(digit)).copied().unwrap_or(0))
    });
    at(&d, 0) >= 2 && check == 0
}

/// The fourth letter says what kind of holder it is.
pub(super) fn in_pan(value: &[u8]) -> bool {
    value.len() == 10
        && value.iter().enumerate().all(|(at, letter)| match at {
            3 => b"PCHFATBLJG".contains(letter),
            5..=8 => letter.is_ascii_digit(),
            _ => letter.is_ascii_uppercase(),
        })
}

/// State, PAN, entity, Z, check letter modulo 36.
pub(super) fn in_gstin(value: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let places: Option<Vec<u32>> = value.iter().map(|letter| place(ALPHABET, *letter)).collect();
    let Some(places) = places.filter(|places| places.len() == 15) else { return false };
    let sum: u32 = places
        .iter()
        .rev()
        .enumerate()
        .map(|(at, worth)| if at % 2 == 0 { *worth } else { worth * 2 / 36 + worth * 2 % 36 })
        .sum();
    let state = places.first().copied().unwrap_or(9) * 10 + places.get(1).copied().unwrap_or(9);
    (1..=38).contains(&state) && value.get(2..12).is_some_and(in_pan) && sum.is_multiple_of(36)
}

pub(super) fn tr_tckn(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[11]) else { return false };
    let odd: u32 = d.iter().take(9).step_by(2).sum();
    let even: u32 = d.iter().skip(1).take(7).step_by(2).sum();
    let all: u32 = d.iter().take(10).sum();
    at(&d, 0) != 0 && (odd * 7 + 100 - even) % 10 == at(&d, 9) && all % 10 == at(&d, 10)
}

pub(super) fn il_id(value: &[u8]) -> bool {
    value.len() == 9 && luhn(value) && value.iter().any(|digit| *digit != b'0')
}

pub(super) fn za_id(value: &[u8]) -> bool {
    digits(value, &[13])
        .is_some_and(|d| day(part(&d, 2, 4), part(&d, 4, 6)) && at(&d, 10) <= 2 && luhn(value))
}

pub(super) fn sg_nric(value: &[u8]) -> bool {
    let (Some(&first), Some(&last)) = (value.first(), value.last()) else { return false };
    let Some(d) = value.get(1..8).and_then(|body| digits(body, &[7])).filter(|_| value.len() == 9) else {
        return false;
    };
    let (offset, alphabet): (u32, &[u8]) = match first {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        b'M' => (3, b"XWUTRQPNJLK"),
        _ => return false,
    };
    letter(alphabet, u64::from((weighted(&d, &[2, 7, 6, 5, 4, 3, 2]) + offset) % 11)) == Some(last)
}

/// Only the date and the digit of sex and century: since 2020 the rest is random.
pub(super) fn kr_rrn(value: &[u8]) -> bool {
    digits(value, &[13]).is_some_and(|d| day(part(&d, 2, 4), part(&d, 4, 6)) && (1..=8).contains(&at(&d, 6)))
}

pub(super) fn th_pin(value: &[u8]) -> bool {
    digits(value, &[13]).is_some_and(|d| {
        let sum = weighted(&d, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
        (1..=8).contains(&at(&d, 0)) && (11 - sum % 11) % 10 == at(&d, 12)
    })
}

/// GB 11643: ISO 7064 mod 11-2.
pub(super) fn cn_ric(value: &[u8]) -> bool {
    let Some(d) = value.get(..17).and_then(|body| digits(body, &[17])).filter(|_| value.len() == 18) else {
        return false;
    };
    let sum = weighted(&d, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    (11..=91).contains(&part(&d, 0, 2))
        && matches!(part(&d, 6, 8), 18..=20)
        && day(part(&d, 10, 12), part(&d, 12, 14))
        && letter(b"10X98765432", u64::from(sum % 11)) == value.get(17).copied()
}

pub(super) fn jp_my_number(value: &[u8]) -> bool {
    digits(value, &[12]).is_some_and(|d| {
        let sum = weighted(&d, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]);
        let check = if sum % 11 <= 1 { 0 } else { 11 - sum % 11 };
        check == at(&d, 11) && number(&d) != 0
    })
}

/// Date and a place that exists.
pub(super) fn my_nric(value: &[u8]) -> bool {
    digits(value, &[12]).is_some_and(|d| {
        let place = part(&d, 6, 8);
        day(part(&d, 2, 4), part(&d, 4, 6))
            && (1..=99).contains(&place)
            && !matches!(place, 17..=20 | 69 | 70 | 73 | 80 | 81 | 94..=97)
    })
}
