//! Telephone numbers: international ones by country code and length (ITU-T E.164), those of North America by their
//! form, all others only where something says that they are some.

use super::bytes::{self, DIGIT};
use super::digits::{before, is_word};

/// A number, and whether it shows what it is by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Phone {
    pub start: usize,
    pub end: usize,
    pub alone: bool,
    /// It begins with `+`.
    pub international: bool,
}

/// Country code and the digits that follow it, at least and at most.
const COUNTRIES: &[(u32, usize, usize)] = &[
    (1, 10, 10),
    (7, 10, 10),
    (20, 8, 10),
    (27, 9, 9),
    (30, 10, 10),
    (31, 9, 9),
    (32, 8, 9),
    (33, 9, 9),
    (34, 9, 9),
    (36, 8, 9),
    (39, 6, 11),
    (40, 9, 9),
    (41, 9, 9),
    (43, 7, 13),
    (44, 9, 10),
    (45, 8, 8),
    (46, 7, 10),
    (47, 8, 8),
    (48, 9, 9),
    (49, 6, 13),
    (51, 8, 9),
    (52, 10, 11),
    (53, 8, 8),
    (54, 10, 11),
    (55, 10, 11),
    (56, 9, 9),
    (57, 8, 10),
    (58, 10, 10),
    (60, 7, 10),
    (61, 9, 9),
    (62, 7, 12),
    (63, 8, 10),
    (64, 8, 10),
    (65, 8, 8),
    (66, 8, 9),
    (81, 9, 10),
    (82, 8, 10),
    (84, 9, 10),
    (86, 10, 11),
    (90, 10, 10),
    (91, 10, 10),
    (92, 9, 10),
    (93, 9, 9),
    (94, 9, 9),
    (95, 7, 10),
    (98, 10, 10),
];

/// Whether digits begin with a country code and go on as long as numbers of that country.
fn international(digits: &[u8]) -> bool {
    let number = |length: usize| {
        digits
            .get(..length)
            .map_or(0, |code| code.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
    };
    let known = |code: u32| COUNTRIES.iter().find(|country| country.0 == code);
    if let Some((code, least, most)) = known(number(1)).or_else(|| known(number(2))) {
        let rest = digits.len() - if *code < 10 { 1 } else { 2 };
        let nanp = *code != 1 || nanp(digits.get(1..).unwrap_or_default());
        return (*least..=*most).contains(&rest) && nanp;
    }
    // Codes of three digits: 21x-29x, 35x, 37x, 38x, 42x, 50x, 59x, 67x, 68x, 69x, 85x, 87x, 88x, 96x-99x.
    let zone = matches!(number(2), 21..=26 | 28 | 29 | 35 | 37 | 38 | 42 | 50 | 59 | 67..=69 | 85 | 88 | 96 | 97 | 99);
    zone && number(3) != 999 && (9..=15).contains(&digits.len())
}

/// Area and exchange codes of the North American Numbering Plan.
fn nanp(digits: &[u8]) -> bool {
    let code = |at: usize| {
        digits.get(at..at + 3).is_some_and(|code| (b'2'..=b'9').contains(code.first().unwrap_or(&0)))
    };
    digits.len() == 10 && code(0) && code(3) && digits.get(1..3) != Some(b"11")
}

#[derive(Debug, Clone, Copy)]
struct Group {
    start: usize,
    end: usize,
    /// What stands before it, one character for all: a space, hyphen, dot, slash or bracket.
    join: u8,
}

/// Digits of the shortest number.
const SHORTEST: usize = 7;

/// The number whose first digit stands at `at`.
pub(super) fn phone(bytes: &[u8], at: usize) -> Option<Phone> {
    let (start, plus) = opening(bytes, at)?;
    let mut groups: [Group; 8] = [Group { start: 0, end: 0, join: 0 }; 8];
    let count = read(bytes, at, &mut groups);
    let mut digits = 0;
    let too_short = groups.iter().take(count).take_while(|group| {
        digits += group.end - group.start;
        digits < SHORTEST
    });
    let least = too_short.count() + 1;
    if count < least {
        return None;
    }
    let each = |count: usize| whole(bytes, (start, at), groups.get(..count)?, plus);
    if !plus {
        return (least..=count).rev().find_map(each);
    }
    // With a `+` a shorter number that is one goes before a longer one that needs words around it.
    let mut longest = None;
    for phone in (least..=count).rev().filter_map(each) {
        if phone.alone {
            return Some(phone);
        }
        longest = longest.or(Some(phone));
    }
    longest
}

/// The groups as a number, if nothing says that they go on or are something else.
fn whole(bytes: &[u8], (start, at): (usize, usize), groups: &[Group], plus: bool) -> Option<Phone> {
    let end = groups.last()?.end;
    let cut = bytes.get(end);
    let goes_on = match cut {
        byte if is_word(byte) => true,
        Some(b'-' | b'.' | b'/' | b':') => bytes.get(end + 1).is_some_and(u8::is_ascii_digit),
        Some(b'@' | b'%') => true,
        _ => false,
    };
    if goes_on {
        return None;
    }
    // The bracket that was opened before the first group is closed by now.
    let open = bytes.get(start..at)?.contains(&b'(') && !bytes.get(at..end)?.contains(&b')');
    if open && bytes.get(end) != Some(&b')') {
        return None;
    }
    // `a + 4294967296`, `a + 2_000_000_000` are sums; a dump of bytes goes on before or behind.
    let one = groups.iter().skip(1).all(|group| group.join == b'_');
    let sum = plus && one && before(bytes, at) == Some(&b' ');
    if sum || (!plus && dumped(bytes, start, end)) {
        return None;
    }
    let alone = alone(bytes, groups, plus)?;
    Some(Phone { start, end: end + usize::from(open), alone, international: plus && alone })
}

/// Whether pairs of hexadecimal digits stand before `start` or after `end`: `08 00 55 00 73`.
fn dumped(bytes: &[u8], start: usize, end: usize) -> bool {
    let pair = |pair: Option<&[u8]>| pair.is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit));
    let lone = |byte: Option<&u8>| !is_word(byte);
    let left = start >= 3
        && before(bytes, start) == Some(&b' ')
        && pair(bytes.get(start - 3..start - 1))
        && lone(before(bytes, start - 3));
    let right = bytes.get(end) == Some(&b' ')
        && pair(bytes.get(end + 1..end + 3))
        && lone(bytes.get(end + 3))
        && bytes.get(end + 1..end + 3).is_some_and(|pair| pair.iter().any(u8::is_ascii_alphabetic));
    let pairs = bytes
        .get(start..end)
        .is_some_and(|number| number.split(|byte| *byte == b' ').all(|group| group.len() == 2));
    pairs && (left || right)
}

/// Where the number begins, with its `+` and bracket, and whether there is a `+`.
fn opening(bytes: &[u8], at: usize) -> Option<(usize, bool)> {
    let mut start = at;
    if before(bytes, start) == Some(&b'(') {
        start -= 1;
    }
    let mut plus = before(bytes, start) == Some(&b'+');
    if plus {
        start -= 1;
    } else if before(bytes, start) == Some(&b' ') && start >= 2 && bytes.get(start - 2) == Some(&b'+') {
        start -= 2;
        plus = true;
    }
    let broken = match before(bytes, start) {
        byte if is_word(byte) => true,
        Some(b'-' | b'.' | b'/' | b'+' | b'$' | b'#') => {
            start.checked_sub(2).and_then(|two| bytes.get(two)).is_some_and(u8::is_ascii_alphanumeric)
                || matches!(before(bytes, start), Some(b'+' | b'$' | b'#' | b'-'))
        }
        _ => false,
    };
    (!broken).then_some((start, plus))
}

fn read(bytes: &[u8], at: usize, groups: &mut [Group; 8]) -> usize {
    let (mut count, mut at, mut join, mut total) = (0, at, 0, 0);
    while let Some(group) = groups.get_mut(count) {
        let length = bytes::run(bytes, at, 16, DIGIT);
        total += length;
        if length == 0 || total > 15 {
            break;
        }
        *group = Group { start: at, end: at + length, join };
        count += 1;
        at += length;
        let gap = bytes.get(at..bytes.len().min(at + 4)).unwrap_or_default();
        let (width, sign) = match gap {
            [b')', b' ' | b'-' | b'.', digit, ..] if digit.is_ascii_digit() => (2, b')'),
            [b' ' | b'-', b'(', digit, ..] if digit.is_ascii_digit() => (2, b'('),
            [b')' | b'(', digit, ..] if digit.is_ascii_digit() => (1, b')'),
            [sign @ (b' ' | b'-' | b'.' | b'/' | b'_' | b'*'), digit, ..] if digit.is_ascii_digit() => {
                (1, *sign)
            }
            [b' ', sign @ (b'-' | b'/'), b' ', digit] if digit.is_ascii_digit() => (3, *sign),
            _ => break,
        };
        at += width;
        join = sign;
    }
    count
}

/// Whether the groups are a number by themselves; `None` if they are none at all.
fn alone(bytes: &[u8], groups: &[Group], plus: bool) -> Option<bool> {
    let mut digits = [0u8; 16];
    let mut length = 0;
    for group in groups {
        for byte in bytes.get(group.start..group.end)? {
            *digits.get_mut(length)? = *byte;
            length += 1;
        }
    }
    let digits = digits.get(..length)?;
    if plus {
        // `+44 (0)20 …`: the zero is not dialled from abroad.
        let trunk = groups
            .get(1)
            .filter(|group| group.end - group.start == 1 && bytes.get(group.start) == Some(&b'0'));
        // Another length is a number where something says so.
        if !(8..=15).contains(&length) {
            return None;
        }
        if let (Some(_), Some(code)) = (trunk, groups.first()) {
            let code = code.end - code.start;
            return Some(international(&[digits.get(..code)?, digits.get(code + 1..)?].concat()));
        }
        return Some(international(digits));
    }
    let (mut lengths, mut joins) = ([0usize; 8], [0u8; 8]);
    for ((length, join), group) in lengths.iter_mut().zip(&mut joins).zip(groups) {
        (*length, *join) = (group.end - group.start, group.join);
    }
    let lengths = lengths.get(..groups.len())?;
    // Nothing joins the first group to one before it.
    let joins = joins.get(1..groups.len())?;
    let american = match (lengths, joins) {
        ([3, 3, 4], [b')' | b'-' | b'.' | b' ', b'-' | b'.' | b' ']) => {
            joins.first() == joins.last() || joins.first() == Some(&b')')
        }
        ([1, 3, 3, 4], [_, _, b'-' | b'.' | b' ']) => digits.first() == Some(&b'1'),
        _ => false,
    };
    let national = if length == 11 { digits.get(1..)? } else { digits };
    if american && nanp(national) {
        return Some(true);
    }
    let dialled_abroad = digits.starts_with(b"00") && groups.len() > 1 && international(digits.get(2..)?);
    let dotted = joins.contains(&b'.');
    if joins.first() == Some(&b'.') && lengths.first() == Some(&1) && digits.first() == Some(&b'0') {
        return None;
    }
    let years = matches!(lengths, [4, 4])
        && matches!(digits, [b'1' | b'2', b'0' | b'9', _, _, b'1' | b'2', b'0' | b'9', ..]);
    let date =
        years || matches!(lengths, [4, 2, 2] | [2, 2, 4] | [1 | 2, 1 | 2, 4]) && joins.first() != Some(&b' ');
    let plausible = (7..=13).contains(&length)
        && !date
        && !(dotted && groups.len() < 3)
        && (groups.len() == 1 || lengths.iter().all(|length| *length <= 8))
        && digits.windows(2).any(|pair| matches!(pair, [a, b] if a != b));
    (plausible || dialled_abroad).then_some(dialled_abroad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<(&str, bool)> {
        let at = text.bytes().position(|byte| byte.is_ascii_digit())?;
        phone(text.as_bytes(), at).map(|phone| (text.get(phone.start..phone.end).unwrap(), phone.alone))
    }

    #[test]
    fn numbers_that_speak_for_themselves_and_those_that_do_not() {
        for (text, whole) in [
            ("call +49 30 901820 now", "+49 30 901820"),
            ("+44 (0)20 7946 0958", "+44 (0)20 7946 0958"),
            ("+1-212-555-0123.", "+1-212-555-0123"),
            ("(212) 555-0123", "(212) 555-0123"),
            ("212-555-0123", "212-555-0123"),
            ("212.555.0123", "212.555.0123"),
            ("+33612345678", "+33612345678"),
            ("+86 138 1234 5678", "+86 138 1234 5678"),
            ("1-800-555-0199", "1-800-555-0199"),
            ("0049 30 901820", "0049 30 901820"),
        ] {
            assert_eq!(found(text), Some((whole, true)), "{text}");
        }
        for text in ["06 12 34 56 78", "020 7946 0958", "2125550123", "0151 23456789", "+999 123 456 789"] {
            assert_eq!(found(text), Some((text, false)), "{text}");
        }
        for text in [
            "2024-01-31",
            "1.2.3.4",
            "12 345",
            "2017-2022",
            "0.0422820123",
            "1e 08 00 55 00 73 00 65 00 72",
            "112-555-0123x",
            "31.01.2024",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
