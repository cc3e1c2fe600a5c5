//! Numbers that are issued in North and South America.

use super::arithmetic::{at, day, digits, luhn, part, place, weighted};

pub(super) fn us_ssn(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[9]) else { return false };
    let (area, group, serial) = (part(&d, 0, 3), part(&d, 3, 5), part(&d, 5, 9));
    let advertised = matches!(value, b"078051120" | b"219099999" | b"123456789");
    area != 0 && area != 666 && area < 900 && group != 0 && serial != 0 && !advertised
}

pub(super) fn us_itin(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[9]) else { return false };
    part(&d, 0, 3) >= 900 && matches!(part(&d, 3, 5), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// Prefixes of the Internal Revenue Service's campuses.
pub(super) fn us_ein(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[9]) else { return false };
    matches!(part(&d, 0, 2), 1..=6 | 10..=16 | 20..=27 | 30..=48 | 50..=68 | 71..=77 | 80..=88 | 90..=95 | 98 | 99)
        && part(&d, 2, 9) != 0
}

/// Luhn with the prefix 80840 (45 CFR 162.406).
pub(super) fn us_npi(value: &[u8]) -> bool {
    value.len() == 10 && matches!(value.first(), Some(b'1' | b'2')) && luhn(&[b"80840", value].concat())
}

/// Medicare Beneficiary Identifier: a class at each of eleven places, letters without S, L, O, I, B, Z.
pub(super) fn us_mbi(value: &[u8]) -> bool {
    const CLASSES: &[u8; 11] = b"1AX9AX9AA99";
    let alpha = |letter: u8| letter.is_ascii_uppercase() && !b"SLOIBZ".contains(&letter);
    value.len() == 11
        && value.iter().zip(CLASSES).all(|(&letter, class)| match class {
            b'1' => (b'1'..=b'9').contains(&letter),
            b'A' => alpha(letter),
            b'9' => letter.is_ascii_digit(),
            _ => letter.is_ascii_digit() || alpha(letter),
        })
}

/// Drug Enforcement Administration: two letters and a check digit.
pub(super) fn us_dea(value: &[u8]) -> bool {
    let Some((letters, rest)) = value.split_at_checked(2) else { return false };
    let Some(d) = digits(rest, &[7]) else { return false };
    let sum = at(&d, 0) + at(&d, 2) + at(&d, 4) + 2 * (at(&d, 1) + at(&d, 3) + at(&d, 5));
    letters.first().is_some_and(|letter| b"ABCDEFGHJKLMPRSTUX".contains(letter))
        && letters.iter().all(u8::is_ascii_uppercase)
        && sum % 10 == at(&d, 6)
}

pub(super) fn ca_sin(value: &[u8]) -> bool {
    value.len() == 9 && !matches!(value.first(), Some(b'0' | b'8')) && luhn(value) && !uniform(value)
}

fn uniform(value: &[u8]) -> bool {
    value.windows(2).all(|pair| matches!(pair, [a, b] if a == b))
}

fn mod_11(d: &[u32], weights: &[u32]) -> u32 {
    match weighted(d, weights) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    }
}

pub(super) fn br_cpf(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[11]) else { return false };
    !uniform(value)
        && mod_11(&d, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) == at(&d, 9)
        && mod_11(&d, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) == at(&d, 10)
}

/// Also with letters, as issued since 2026: each counts as its ASCII code less 48.
pub(super) fn br_cnpj(value: &[u8]) -> bool {
    if value.len() != 14 || uniform(value) || !value.iter().all(u8::is_ascii_alphanumeric) {
        return false;
    }
    let d: Vec<u32> = value.iter().map(|letter| u32::from(*letter) - 48).collect();
    mod_11(&d, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == at(&d, 12)
        && mod_11(&d, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == at(&d, 13)
}

pub(super) fn mx_curp(value: &[u8]) -> bool {
    // The alphabet has an Ñ at place 24, which no CURP is written with here.
    let alphabet = b"0123456789ABCDEFGHIJKLMN\0OPQRSTUVWXYZ";
    let Some(places) = value.iter().map(|letter| place(alphabet, *letter)).collect::<Option<Vec<u32>>>()
    else {
        return false;
    };
    let weights: Vec<u32> = (2..=18).rev().collect();
    places.len() == 18
        && value.get(..4).is_some_and(|name| name.iter().all(u8::is_ascii_uppercase))
        && value.get(10).is_some_and(|sex| b"HMX".contains(sex))
        && digits(value.get(4..10).unwrap_or_default(), &[6])
            .is_some_and(|d| day(part(&d, 2, 4), part(&d, 4, 6)))
        && (10 - weighted(&places, &weights) % 10) % 10 == at(&places, 17)
}

pub(super) fn cl_rut(value: &[u8]) -> bool {
    let Some((check, body)) = value.split_last() else { return false };
    let Some(d) = digits(body, &[7, 8]) else { return false };
    let sum: u32 = d.iter().rev().zip([2, 3, 4, 5, 6, 7, 2, 3]).map(|(digit, weight)| digit * weight).sum();
    let expected = match 11 - sum % 11 {
        10 => b'K',
        11 => b'0',
        rest => b'0' + u8::try_from(rest).unwrap_or(0),
    };
    *check == expected && at(&d, 0) != 0
}

pub(super) fn ar_cuit(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[11]) else { return false };
    let expected = match 11 - weighted(&d, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
        11 => 0,
        10 => 9,
        rest => rest,
    };
    matches!(part(&d, 0, 2), 20 | 23..=27 | 30 | 33 | 34) && expected == at(&d, 10)
}

pub(super) fn co_nit(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[9, 10]) else { return false };
    let Some((check, body)) = d.split_last() else { return false };
    let weights = [3, 7, 13, 17, 19, 23, 29, 37, 41];
    let sum: u32 = body.iter().rev().zip(weights).map(|(digit, weight)| digit * weight).sum();
    let rest = sum % 11;
    *check == if rest < 2 { rest } else { 11 - rest }
}

/// 49 CFR 565.15: the ninth place is a check digit in North America.
pub(super) fn vin(value: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let worth = |letter: &u8| -> Option<u32> {
        let letter = *letter;
        Some(match letter {
            b'0'..=b'9' => u32::from(letter - b'0'),
            b'A'..=b'H' => u32::from(letter - b'A') + 1,
            b'J'..=b'N' => u32::from(letter - b'J') + 1,
            b'P' => 7,
            b'R' => 9,
            b'S'..=b'Z' => u32::from(letter - b'S') + 2,
            _ => return None,
        })
    };
    let Some(worths) = value.iter().map(worth).collect::<Option<Vec<u32>>>() else { return false };
    let check = match weighted(&worths, &WEIGHTS) % 11 {
        10 => b'X',
        rest => b'0' + u8::try_from(rest).unwrap_or(0),
    };
    vin_shape(value) && value.get(8) == Some(&check)
}

/// Seventeen letters and digits without I, O and Q, of both kinds, a serial number at the end.
pub(super) fn vin_shape(value: &[u8]) -> bool {
    let letters = value.iter().filter(|letter| letter.is_ascii_uppercase()).count();
    value.len() == 17
        && letters >= 2
        && value.iter().all(|letter| letter.is_ascii_alphanumeric() && !b"IOQ".contains(letter))
        && value.get(13..).is_some_and(|serial| serial.iter().all(u8::is_ascii_digit))
}
