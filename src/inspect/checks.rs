//! Validators: arithmetic and issue rules that a value of a type must satisfy.

use serde::Deserialize;

/// What the digits of a candidate must satisfy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DigitCheck {
    /// Luhn, and a length that the issuer's range has.
    Card,
    /// Areas, groups and serials that the Social Security Administration issues.
    UsSsn,
    /// 9xx with a group that the Internal Revenue Service issues.
    UsItin,
}

impl DigitCheck {
    /// Whether `digits` (values 0 to 9) pass.
    pub fn passes(self, digits: &[u8]) -> bool {
        match self {
            Self::Card => issuer_range(digits) && luhn(digits),
            Self::UsSsn => us_ssn(digits),
            Self::UsItin => us_itin(digits),
        }
    }
}

/// ISO/IEC 7812-1 annex B.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| match (place % 2, digit) {
            (0, digit) => u32::from(digit),
            (_, digit) => u32::from(digit) * 2 / 10 + u32::from(digit) * 2 % 10,
        })
        .sum();
    !digits.is_empty() && sum.is_multiple_of(10)
}

fn number(digits: Option<&[u8]>) -> u32 {
    digits.unwrap_or_default().iter().fold(0, |number, &digit| number * 10 + u32::from(digit))
}

fn issuer_range(digits: &[u8]) -> bool {
    let length = digits.len();
    let (two, three, four) = (number(digits.get(..2)), number(digits.get(..3)), number(digits.get(..4)));
    match (digits.first(), length) {
        (Some(4), 13 | 16 | 19) => true,
        (Some(5), 16) => (51..=55).contains(&two),
        (Some(2), 16) => (2221..=2720).contains(&four),
        (Some(3), 15) => matches!(two, 34 | 37),
        (Some(3), 14..=19) if (300..=305).contains(&three) || matches!(two, 36 | 38 | 39) => {
            length == 14 || length >= 16
        }
        (Some(3), 16..=19) => (3528..=3589).contains(&four),
        (Some(6), 16..=19) => four == 6011 || (644..=659).contains(&three) || two == 62,
        _ => false,
    }
}

fn us_ssn(digits: &[u8]) -> bool {
    let (area, group, serial) = (number(digits.get(..3)), number(digits.get(3..5)), number(digits.get(5..9)));
    digits.len() == 9 && area != 0 && area != 666 && area < 900 && group != 0 && serial != 0
}

fn us_itin(digits: &[u8]) -> bool {
    let (area, group) = (number(digits.get(..3)), number(digits.get(3..5)));
    digits.len() == 9 && area >= 900 && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// Length of an IBAN by country (ISO 13616 registry, release 99).
const IBAN_LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// How many letters and digits an IBAN of the country has.
pub(super) fn iban_length(country: &[u8]) -> Option<usize> {
    let country = [country.first()?.to_ascii_uppercase(), country.get(1)?.to_ascii_uppercase()];
    IBAN_LENGTHS
        .binary_search_by(|(known, _)| known.as_slice().cmp(&country))
        .ok()
        .and_then(|found| IBAN_LENGTHS.get(found))
        .map(|(_, length)| *length)
}

/// ISO 7064 mod 97-10 over letters and digits in capitals, the first four moved to the end.
pub(super) fn mod_97(letters: &str) -> bool {
    let (head, tail) = letters.split_at_checked(4).unwrap_or_default();
    let rest = tail.chars().chain(head.chars()).try_fold(0u32, |rest, letter| {
        let value = letter.to_digit(36)?;
        Some(if value < 10 { rest * 10 + value } else { rest * 100 + value } % 97)
    });
    rest == Some(1)
}

/// Shannon entropy in bits a byte.
pub(super) fn entropy(text: &str) -> f64 {
    let mut counts = [0u32; 256];
    for &byte in text.as_bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let length = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|&count| f64::from(count) / length)
        .map(|share| -share * share.log2())
        .sum()
}

/// Whether a value only stands for a secret: a variable, a hint, a mask.
pub(super) fn placeholder(value: &str) -> bool {
    const WHOLE: &[&str] = &[
        "null",
        "none",
        "nil",
        "true",
        "false",
        "undefined",
        "string",
        "password",
        "passwd",
        "pass",
        "secret",
        "token",
        "required",
        "optional",
        "hidden",
        "empty",
        "unset",
        "default",
        "user",
        "username",
        "number",
        "integer",
        "boolean",
        "object",
        "array",
        "credentials",
        "test",
        "todo",
        "n/a",
        "key",
        "value",
    ];
    const PARTS: &[&str] = &[
        "changeme",
        "change_me",
        "change-me",
        "placeholder",
        "your_",
        "your-",
        "yourpass",
        "yourtoken",
        "yourkey",
        "yoursecret",
        "redacted",
        "xxxx",
        "****",
        "....",
        "example_",
        "my_secret",
        "insert_",
        "replace_",
    ];
    const CALLS: &[&str] = &[
        "os.environ",
        "process.env",
        "getenv",
        "get_secret",
        "env[",
        "env.",
        "secrets.",
        "vault:",
        "config.",
    ];
    let lower = value.to_ascii_lowercase();
    let starts = |marks: &[&str]| marks.iter().any(|mark| lower.starts_with(mark));
    let name_only =
        value.starts_with('$') && value.bytes().skip(1).all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    WHOLE.contains(&lower.as_str())
        || PARTS.iter().any(|part| lower.contains(part))
        || lower.ends_with("example")
        || starts(CALLS)
        || starts(&["${", "{{", "<", "%{", "$(", "#{", "@@", "*"])
        || name_only
        || (lower.contains('(') && lower.ends_with(')'))
        || all_the_same(value)
        || super::words::holds_mask(value)
}

fn all_the_same(value: &str) -> bool {
    let mut bytes = value.bytes();
    bytes.next().is_some_and(|first| bytes.all(|byte| byte == first))
}

/// Whether a value is a path or an address rather than a secret.
pub(super) fn location(value: &str) -> bool {
    value.contains("://")
        || ["/", "./", "../", "~/"].iter().any(|start| value.starts_with(start)) && value.len() < 40
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_in_order_so_that_the_search_finds_them() {
        assert!(IBAN_LENGTHS.is_sorted());
        assert_eq!(iban_length(b"de"), Some(22));
        assert_eq!(iban_length(b"ZZ"), None);
    }

    #[test]
    fn check_digits_follow_their_standards() {
        let digits = |text: &str| text.bytes().map(|byte| byte - b'0').collect::<Vec<_>>();
        for card in [
            "4111111111111111",
            "5555555555554444",
            "378282246310005",
            "6011111111111117",
            "30569309025904",
            "3530111333300000",
            "2223003122003222",
            "6200000000000005",
            "4222222222222",
        ] {
            assert!(DigitCheck::Card.passes(&digits(card)), "{card}");
        }
        for card in [
            "4111111111111112",
            "1234567812345670",
            "9999999999999995",
            "378282246310006",
            "0000000000000000",
        ] {
            assert!(!DigitCheck::Card.passes(&digits(card)), "{card}");
        }
        assert!(mod_97("DE89370400440532013000") && !mod_97("DE89370400440532013001"));
    }
}
