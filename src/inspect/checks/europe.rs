//! Numbers that are issued in Europe.

use super::arithmetic::{at, day, digits, letter, mod_11_10, number, part, place, weighted};
use super::luhn;

/// Modulus 11 with weights 10 to 2 (NHS Data Dictionary).
pub(super) fn uk_nhs(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[10]) else { return false };
    let check = 11 - weighted(&d, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    check % 11 == at(&d, 9) && check != 10 && part(&d, 0, 5) != 0
}

/// National Insurance: prefixes that are not issued (HMRC manual NIM39110).
pub(super) fn uk_nino(value: &[u8]) -> bool {
    let (Some(prefix), Some(number), Some(suffix)) = (value.get(..2), value.get(2..8), value.get(8)) else {
        return false;
    };
    value.len() == 9
        && prefix.iter().all(|letter| letter.is_ascii_uppercase() && !b"DFIQUV".contains(letter))
        && prefix.get(1) != Some(&b'O')
        && ![b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"].iter().any(|not| prefix == not.as_slice())
        && number.iter().all(u8::is_ascii_digit)
        && (b'A'..=b'D').contains(suffix)
}

pub(super) fn uk_utr(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[10]) else { return false };
    let sum = weighted(d.get(1..).unwrap_or_default(), &[6, 7, 8, 9, 10, 5, 4, 3, 2]);
    letter(b"21987654321", u64::from(sum % 11)) == value.first().copied()
}

/// ISO 7064 mod 11,10; among the first ten digits one stands twice or thrice (BZSt).
pub(super) fn de_steuer_id(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[11]) else { return false };
    let mut counts = [0u32; 10];
    for digit in d.iter().take(10) {
        if let Some(count) = usize::try_from(*digit).ok().and_then(|digit| counts.get_mut(digit)) {
            *count += 1;
        }
    }
    let repeated = counts.iter().filter(|count| **count > 1).count();
    at(&d, 0) != 0 && repeated == 1 && counts.iter().all(|count| *count <= 3) && mod_11_10(&d)
}

/// Versicherungsnummer (VKVV § 4): the letter counts as two digits.
pub(super) fn de_svnr(value: &[u8]) -> bool {
    let Some(&initial) = value.get(8).filter(|initial| value.len() == 12 && initial.is_ascii_uppercase())
    else {
        return false;
    };
    let order = initial - b'A' + 1;
    let mut plain: Vec<u8> = value.get(..8).unwrap_or_default().to_vec();
    plain.extend([b'0' + order / 10, b'0' + order % 10]);
    plain.extend(value.get(9..).unwrap_or_default());
    let Some(d) = digits(&plain, &[13]) else { return false };
    let sum: u32 = d
        .iter()
        .zip([2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1])
        .map(|(digit, weight)| digit * weight / 10 + digit * weight % 10)
        .sum();
    day(part(&d, 4, 6), part(&d, 2, 4).max(1)) && sum % 10 == at(&d, 12)
}

pub(super) fn at_vnr(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[10]) else { return false };
    at(&d, 0) != 0
        && (1..=15).contains(&part(&d, 6, 8))
        && (1..=31).contains(&part(&d, 4, 6))
        && weighted(&d, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11 == at(&d, 3)
}

/// EAN-13 with the country code of Switzerland.
pub(super) fn ch_ahv(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[13]) else { return false };
    part(&d, 0, 3) == 756 && weighted(&d, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
}

/// 97 less the number modulo 97; Corsica's 2A and 2B count as 19 and 18.
pub(super) fn fr_nir(value: &[u8]) -> bool {
    if value.len() != 15 {
        return false;
    }
    let plain: Vec<u8> = match value.get(5..7) {
        Some(b"2A") => {
            [value.get(..5).unwrap_or_default(), b"19", value.get(7..).unwrap_or_default()].concat()
        }
        Some(b"2B") => {
            [value.get(..5).unwrap_or_default(), b"18", value.get(7..).unwrap_or_default()].concat()
        }
        _ => value.to_vec(),
    };
    let Some(d) = digits(&plain, &[15]) else { return false };
    let month = part(&d, 3, 5);
    matches!(at(&d, 0), 1 | 2 | 3 | 4 | 7 | 8)
        && ((1..=12).contains(&month) || (20..=42).contains(&month) || month >= 50)
        && 97 - number(d.get(..13).unwrap_or_default()) % 97 == u64::from(part(&d, 13, 15))
}

/// NIF and NIE: a letter for the number modulo 23, X, Y, Z counting as 0, 1, 2.
pub(super) fn es_nif(value: &[u8]) -> bool {
    let (Some(first), Some((last, body))) = (value.first(), value.split_last()) else { return false };
    let plain = match first {
        b'X' | b'Y' | b'Z' => [&[first - b'X' + b'0'], body.get(1..).unwrap_or_default()].concat(),
        _ => body.to_vec(),
    };
    digits(&plain, &[8]).is_some_and(|d| {
        letter(b"TRWAGMYFPDXBNJZSQVHLCKE", number(&d) % 23) == Some(*last) && number(&d) != 0
    })
}

/// Codice fiscale (D.M. 23/12/1976), also with the letters that stand for digits where two people would be equal.
pub(super) fn it_cf(value: &[u8]) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let digit_like = |letter: &u8| letter.is_ascii_digit() || b"LMNPQRSTUV".contains(letter);
    let well_formed = value.len() == 16
        && value.iter().enumerate().all(|(at, letter)| match at {
            0..=5 | 11 | 15 => letter.is_ascii_uppercase(),
            8 => b"ABCDEHLMPRST".contains(letter),
            _ => digit_like(letter),
        });
    if !well_formed {
        return false;
    }
    let sum: u32 = value
        .iter()
        .take(15)
        .enumerate()
        .map(|(at, letter)| {
            let worth = if letter.is_ascii_digit() { letter - b'0' } else { letter - b'A' };
            match at % 2 {
                0 => ODD.get(usize::from(worth)).copied().unwrap_or(0),
                _ => u32::from(worth),
            }
        })
        .sum();
    value.get(15).map(|check| u32::from(check - b'A')) == Some(sum % 26)
}

pub(super) fn pt_nif(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[9]) else { return false };
    let check = 11 - weighted(&d, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    matches!(at(&d, 0), 1 | 2 | 3 | 5 | 6 | 7 | 8 | 9) && if check > 9 { 0 } else { check } == at(&d, 8)
}

/// 97 less the first nine digits modulo 97; with a 2 in front for those born since 2000.
pub(super) fn be_nn(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[11]) else { return false };
    let body = number(d.get(..9).unwrap_or_default());
    let check = u64::from(part(&d, 9, 11));
    let month = part(&d, 2, 4) % 20;
    month <= 12
        && part(&d, 4, 6) <= 31
        && (97 - body % 97 == check || 97 - (2_000_000_000 + body) % 97 == check)
}

/// The eleven-test.
pub(super) fn nl_bsn(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[9]) else { return false };
    let sum = weighted(&d, &[9, 8, 7, 6, 5, 4, 3, 2]) + 11 * 9 - at(&d, 8);
    sum.is_multiple_of(11) && number(&d) > 9_999_999
}

/// Day and month of a person number in which months may be shifted by these steps.
fn born(month: u32, day_of_month: u32, shifts: &[u32]) -> bool {
    shifts.iter().any(|shift| month.checked_sub(*shift).is_some_and(|month| day(month, day_of_month)))
}

pub(super) fn pl_pesel(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[11]) else { return false };
    born(part(&d, 2, 4), part(&d, 4, 6), &[0, 20, 40, 60, 80])
        && weighted(&d, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10)
}

/// Luhn over the last ten digits; 60 is added to the day of a coordination number.
pub(super) fn se_pnr(value: &[u8]) -> bool {
    let plain: Vec<u8> = value.iter().copied().filter(u8::is_ascii_digit).collect();
    let short = plain.get(plain.len().saturating_sub(10)..).unwrap_or_default();
    let Some(d) = digits(short, &[10]) else { return false };
    let century =
        plain.len() == 10 || (plain.len() == 12 && matches!(plain.get(..2), Some(b"18" | b"19" | b"20")));
    century && day(part(&d, 2, 4), part(&d, 4, 6) % 60) && luhn(short)
}

pub(super) fn fi_hetu(value: &[u8]) -> bool {
    let Some(d) = value.get(..6).and_then(|date| digits(date, &[6])) else { return false };
    let rest: Vec<u8> =
        value.get(6..).unwrap_or_default().iter().copied().filter(|l| *l != b'-' && *l != b'+').collect();
    // After 2023 letters stand for the century too; capitals are what is left of the sign.
    let rest = if rest.len() == 5 { rest.get(1..).unwrap_or_default() } else { &rest };
    let Some(serial) = rest.get(..3).and_then(|serial| digits(serial, &[3])) else { return false };
    let all: Vec<u32> = d.iter().chain(serial.iter()).copied().collect();
    day(part(&d, 2, 4), part(&d, 0, 2))
        && rest.len() == 4
        && number(&serial) >= 2
        && letter(b"0123456789ABCDEFHJKLMNPRSTUVWXY", number(&all) % 31) == rest.get(3).copied()
}

/// Only the date: since 2007 numbers without a check digit are issued.
pub(super) fn dk_cpr(value: &[u8]) -> bool {
    digits(value, &[10]).is_some_and(|d| day(part(&d, 2, 4), part(&d, 0, 2)))
}

pub(super) fn no_fnr(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[11]) else { return false };
    let check = |weights: &[u32]| (11 - weighted(&d, weights) % 11) % 11;
    let day_of_month = if part(&d, 0, 2) > 40 { part(&d, 0, 2) - 40 } else { part(&d, 0, 2) };
    born(part(&d, 2, 4), day_of_month, &[0, 40, 80])
        && check(&[3, 7, 6, 1, 8, 9, 4, 5, 2]) == at(&d, 9)
        && check(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) == at(&d, 10)
}

/// Divisible by 11 since 1954; before, nine digits without a check.
pub(super) fn cz_rc(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[9, 10]) else { return false };
    let old = d.len() == 9 && part(&d, 0, 2) < 54 && part(&d, 6, 9) != 0;
    let rest = number(d.get(..9).unwrap_or_default()) % 11;
    born(part(&d, 2, 4), part(&d, 4, 6), &[0, 20, 50, 70])
        && (old || (d.len() == 10 && rest % 10 == u64::from(at(&d, 9))))
}

pub(super) fn ro_cnp(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[13]) else { return false };
    let check = match weighted(&d, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11 {
        10 => 1,
        rest => rest,
    };
    at(&d, 0) != 0 && day(part(&d, 3, 5), part(&d, 5, 7)) && check == at(&d, 12)
}

pub(super) fn hr_oib(value: &[u8]) -> bool {
    digits(value, &[11]).is_some_and(|d| mod_11_10(&d))
}

/// Seven digits and a letter modulo 23; a second letter counts nine times.
pub(super) fn ie_pps(value: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"WABCDEFGHIJKLMNOPQRSTUV";
    let Some(d) = value.get(..7).and_then(|body| digits(body, &[7])) else { return false };
    let second = match value.get(8) {
        None => Some(0),
        Some(b'W' | b'T' | b'X') => Some(0),
        Some(letter) => place(ALPHABET, *letter).map(|place| place * 9),
    };
    let Some(second) = second.filter(|_| matches!(value.len(), 8 | 9)) else { return false };
    let sum = weighted(&d, &[8, 7, 6, 5, 4, 3, 2]) + second;
    letter(ALPHABET, u64::from(sum % 23)) == value.get(7).copied()
}

/// Estonia and Lithuania.
pub(super) fn ee_ik(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[11]) else { return false };
    let check = match weighted(&d, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11 {
        10 => weighted(&d, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10,
        rest => rest,
    };
    (1..=8).contains(&at(&d, 0)) && day(part(&d, 3, 5), part(&d, 5, 7)) && check == at(&d, 10)
}
