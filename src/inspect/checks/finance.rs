//! Numbers of banks and cards.

use super::arithmetic::{digits, luhn, part, weighted};

/// Luhn, and a length that the issuer's range has.
pub(super) fn card(value: &[u8]) -> bool {
    issuer_range(value) && luhn(value)
}

fn issuer_range(value: &[u8]) -> bool {
    let length = value.len();
    let Some(d) = digits(value, &[13, 14, 15, 16, 17, 18, 19]) else { return false };
    let (two, three, four) = (part(&d, 0, 2), part(&d, 0, 3), part(&d, 0, 4));
    match (value.first(), length) {
        (Some(b'4'), 13 | 16 | 19) => true,
        (Some(b'5'), 16) => (51..=55).contains(&two),
        (Some(b'2'), 16) => (2221..=2720).contains(&four),
        (Some(b'3'), 15) => matches!(two, 34 | 37),
        (Some(b'3'), 14..=19) if (300..=305).contains(&three) || matches!(two, 36 | 38 | 39) => {
            length == 14 || length >= 16
        }
        (Some(b'3'), 16..=19) => two == 35,
        // The oldest cards of JCB.
        (Some(b'1' | b'2'), 15) => matches!(four, 1800 | 2131),
        (Some(b'6'), 16..=19) => four == 6011 || (644..=659).contains(&three) || two == 62,
        _ => false,
    }
}

/// Routing numbers of the American Bankers Association: 3·7·1 mod 10, and a prefix of the Federal Reserve.
pub(super) fn aba_routing(value: &[u8]) -> bool {
    let Some(d) = digits(value, &[9]) else { return false };
    matches!(part(&d, 0, 2), 1..=12 | 21..=32 | 61..=72 | 80)
        && weighted(&d, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
}

/// ISO 9362: bank, country, location, branch.
pub(super) fn swift_bic(value: &[u8]) -> bool {
    const COUNTRIES: &[u8] = b"AD AE AF AG AI AL AM AO AR AT AU AW AZ BA BB BD BE BF BG BH BI BJ BM BN BO BR BS BT BW \
BY BZ CA CD CF CG CH CI CK CL CM CN CO CR CU CV CY CZ DE DJ DK DM DO DZ EC EE EG ER ES ET FI FJ FK FM FO FR GA GB GD GE \
GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IM IN IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KR KW \
KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MG MH MK ML MM MN MO MQ MR MS MT MU MV MW MX MY MZ NA NC NE NG NI NL \
NO NP NR NZ OM PA PE PF PG PH PK PL PM PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SI SK SL SM SN SO SR ST SV SY \
SZ TC TD TG TH TJ TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA VC VE VG VN VU WF WS XK YE YT ZA ZM ZW ";
    matches!(value.len(), 8 | 11)
        && value.get(..6).is_some_and(|letters| letters.iter().all(u8::is_ascii_uppercase))
        && value
            .get(4..6)
            .is_some_and(|country| COUNTRIES.chunks(3).any(|known| known.get(..2) == Some(country)))
}

/// Length of an IBAN by country (ISO 13616 registry, release 99).
const IBAN_LENGTHS: &[(&[u8; 2], u8)] = &[
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
pub(in crate::inspect) fn iban_length(country: &[u8]) -> Option<usize> {
    let [one, other, ..] = *country else { return None };
    let place = |letter: u8| letter.to_ascii_uppercase().checked_sub(b'A').filter(|place| *place < 26);
    let length = *LENGTHS.get(usize::from(place(one)?) * 26 + usize::from(place(other)?))?;
    (length > 0).then_some(usize::from(length))
}

/// The same by the places of both letters in the alphabet; 0 if there is no such country.
static LENGTHS: [u8; 676] = lengths();

#[allow(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const fn lengths() -> [u8; 676] {
    let mut lengths = [0; 676];
    let mut at = 0;
    while at < IBAN_LENGTHS.len() {
        let (country, length) = IBAN_LENGTHS[at];
        let place = (country[0] - b'A') as usize * 26 + (country[1] - b'A') as usize;
        lengths[place] = length;
        at += 1;
    }
    lengths
}

/// ISO 7064 mod 97-10 over letters and digits in capitals, the first four moved to the end.
pub(in crate::inspect) fn mod_97(letters: &str) -> bool {
    let (head, tail) = letters.split_at_checked(4).unwrap_or_default();
    let rest = tail.chars().chain(head.chars()).try_fold(0u32, |rest, letter| {
        let value = letter.to_digit(36)?;
        Some(if value < 10 { rest * 10 + value } else { rest * 100 + value } % 97)
    });
    rest == Some(1)
}
