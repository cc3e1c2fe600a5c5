//! Dates of birth: every usual way to write a date. Only context tells a birthday from any other day.

use super::bytes::{self, DIGIT, LETTER};
use super::checks::day;
use super::digits::{before, is_word};

/// Names of months in the languages of the context words, without accents, as they begin.
const MONTHS: &[(&str, u32)] = &[
    ("jan", 1),
    ("ene", 1),
    ("gen", 1),
    ("sty", 1),
    ("sij", 1),
    ("led", 1),
    ("ian", 1),
    ("tam", 1),
    ("oca", 1),
    ("feb", 2),
    ("úno", 2),
    ("fev", 2),
    ("fév", 2),
    ("lut", 2),
    ("uno", 2),
    ("helm", 2),
    ("sub", 2),
    ("mar", 3),
    ("mär", 3),
    ("maa", 3),
    ("mrz", 3),
    ("bre", 3),
    ("bře", 3),
    ("apr", 4),
    ("avr", 4),
    ("abr", 4),
    ("kwi", 4),
    ("dub", 4),
    ("huh", 4),
    ("nis", 4),
    ("may", 5),
    ("mai", 5),
    ("mag", 5),
    ("mei", 5),
    ("maj", 5),
    ("kve", 5),
    ("kvě", 5),
    ("tou", 5),
    ("jun", 6),
    ("juin", 6),
    ("giu", 6),
    ("cze", 6),
    ("kes", 6),
    ("iun", 6),
    ("haz", 6),
    ("červenec", 7),
    ("července", 7),
    ("cervenec", 7),
    ("cervence", 7),
    ("jul", 7),
    ("juil", 7),
    ("lug", 7),
    ("lip", 7),
    ("hei", 7),
    ("iul", 7),
    ("tem", 7),
    ("aug", 8),
    ("aou", 8),
    ("aoû", 8),
    ("ago", 8),
    ("sie", 8),
    ("srp", 8),
    ("elo", 8),
    ("aug", 8),
    ("sep", 9),
    ("set", 9),
    ("wrz", 9),
    ("zar", 9),
    ("zář", 9),
    ("syy", 9),
    ("eyl", 9),
    ("oct", 10),
    ("říj", 10),
    ("rij", 10),
    ("okt", 10),
    ("ott", 10),
    ("out", 10),
    ("paz", 10),
    ("paź", 10),
    ("lok", 10),
    ("eki", 10),
    ("nov", 11),
    ("lis", 11),
    ("mar", 11),
    ("kas", 11),
    ("noi", 11),
    ("čer", 6),
    ("cer", 6),
    ("dec", 12),
    ("dez", 12),
    ("dic", 12),
    ("déc", 12),
    ("gru", 12),
    ("pro", 12),
    ("jou", 12),
    ("ara", 12),
];

/// The date that the digits at `at` begin, or that a month's name before them begins.
pub(super) fn date(text: &str, at: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    if !may_begin(bytes, at) {
        return None;
    }
    let start = month_before(text, at).unwrap_or(at);
    if is_word(before(bytes, start)) || matches!(before(bytes, start), Some(b'.' | b'/' | b'+')) {
        return None;
    }
    let end = if start < at {
        after_month(bytes, at)
    } else {
        numeric(bytes, at).or_else(|| with_month(text, at))
    }?;
    let goes_on = match bytes.get(end) {
        Some(b'T') => !bytes.get(end + 1).is_some_and(u8::is_ascii_digit),
        Some(b'-' | b'/' | b'.') => bytes.get(end + 1).is_some_and(u8::is_ascii_digit),
        byte => is_word(byte),
    };
    (!goes_on).then_some((start, end))
}

/// Whether the digits at `at` are as many as dates begin with, and what follows them may go on as one.
fn may_begin(bytes: &[u8], at: usize) -> bool {
    let width = bytes::run(bytes, at, 9, DIGIT);
    match (width, bytes.get(at + width)) {
        (8, _) => true,
        (4, Some(next)) => matches!(next, b'-' | b'/' | b'.' | b'_') || !next.is_ascii(),
        // A day may have an ending: `3rd`, `1er`, or a link: `3 de`.
        (1 | 2, Some(next)) => {
            matches!(
                next,
                b'-' | b'/' | b'.' | b'_' | b' ' | b',' | b's' | b'n' | b'r' | b't' | b'e' | b'd' | b'o'
            ) || !next.is_ascii()
        }
        _ => false,
    }
}

/// The value and length of up to `most` digits.
fn run(bytes: &[u8], at: usize, most: usize) -> (u32, usize) {
    let length = bytes::run(bytes, at, most + 1, DIGIT);
    let digits = bytes.get(at..at + length).unwrap_or_default().iter();
    digits
        .fold((0, 0), |(value, length), digit| (value.wrapping_mul(10) + u32::from(digit - b'0'), length + 1))
}

fn year(value: u32, length: usize) -> bool {
    (length == 4 && (1900..=2030).contains(&value)) || length == 2
}

fn numeric(bytes: &[u8], at: usize) -> Option<usize> {
    let (first, width) = run(bytes, at, 8);
    if width == 8 {
        let (y, m, d) = (first / 10_000, first / 100 % 100, first % 100);
        return (year(y, 4) && day(m, d)).then_some(at + 8);
    }
    let (second_at, join) = joint(bytes, at + width)?;
    let (second, second_width) = run(bytes, second_at, 2);
    let (third_at, other) = joint(bytes, second_at + second_width)?;
    let (third, third_width) = run(bytes, third_at, 4);
    let end = third_at + third_width;
    if join == b'Y' || other == b'M' {
        // 1985年3月12日, 1985년 3월 12일
        let sign =
            bytes.get(end..end + 3).filter(|sign| [&"日".as_bytes(), &"일".as_bytes()].contains(&sign));
        return (year(first, width) && day(second, third)).then_some(end + sign.map_or(0, <[u8]>::len));
    }
    if join != other || !(1..=2).contains(&second_width) {
        return None;
    }
    let fits = match (width, third_width) {
        (4, 1 | 2) => year(first, 4) && day(second, third),
        (1 | 2, 4) => year(third, 4) && (day(second, first) || day(first, second)),
        (1 | 2, 2) => day(second, first) || day(first, second),
        _ => false,
    };
    fits.then_some(end)
}

/// What joins two numbers of a date: where the next begins, and the sign.
fn joint(bytes: &[u8], at: usize) -> Option<(usize, u8)> {
    let rest = bytes.get(at..)?;
    let foreign = [("年", b'Y'), ("년", b'Y'), ("月", b'M'), ("월", b'M')];
    let (width, sign) = match rest {
        [sign @ (b'-' | b'/' | b'.' | b'_'), ..] => (1, *sign),
        [first, ..] if first.is_ascii() => return None,
        _ => foreign
            .iter()
            .find(|(sign, _)| rest.starts_with(sign.as_bytes()))
            .map(|(sign, kind)| (sign.len(), *kind))?,
    };
    let space = usize::from(rest.get(width) == Some(&b' ') && matches!(sign, b'.' | b'Y' | b'M'));
    Some((at + width + space, sign))
}

/// `12 March 1985`, `12. März 1985`, `12 de marzo de 1985`, `12-Mar-1985`.
fn with_month(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (first, width) = run(bytes, at, 2);
    if !(1..=2).contains(&width) {
        return None;
    }
    let mut from = at + width;
    for suffix in ["st", "nd", "rd", "th", "er", "."] {
        if bytes.get(from..).is_some_and(|rest| rest.starts_with(suffix.as_bytes())) {
            from += suffix.len();
            break;
        }
    }
    from = skip_joins(bytes, from);
    let word = word_at(text, from)?;
    let (y, y_width, y_at) = year_after(bytes, from + word.len());
    // Most words behind a number are no months, and no year follows them.
    (year(y, y_width) && day(month(word)?, first)).then_some(y_at + y_width)
}

fn year_after(bytes: &[u8], at: usize) -> (u32, usize, usize) {
    let from = skip_joins(bytes, at);
    let (value, width) = run(bytes, from, 4);
    (value, width, from)
}

/// Steps over what stands between the parts of a date.
fn skip_joins(bytes: &[u8], at: usize) -> usize {
    let mut at = at;
    for _ in 0..2 {
        let rest = bytes.get(at..).unwrap_or_default();
        at += rest.iter().take(2).take_while(|byte| matches!(byte, b' ' | b'-' | b'.' | b',' | b'/')).count();
        if !matches!(bytes.get(at), Some(b'd' | b'o')) {
            continue;
        }
        for link in [&b"de "[..], b"del ", b"of "] {
            if bytes.get(at..).is_some_and(|rest| rest.starts_with(link)) {
                at += link.len();
            }
        }
    }
    at
}

fn word_at(text: &str, at: usize) -> Option<&str> {
    let rest = text.get(at..)?;
    let end = rest.find(|letter: char| !letter.is_alphabetic()).unwrap_or(rest.len());
    rest.get(..end).filter(|word| word.len() >= 3)
}

fn month(word: &str) -> Option<u32> {
    if word.is_ascii() {
        let begins = |name: &str| {
            word.as_bytes().get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name.as_bytes()))
        };
        let known = || MONTHS.iter().find(|(name, _)| begins(name)).map(|(_, month)| *month);
        return (word.len() <= 12).then(known).flatten();
    }
    let lower = word.to_lowercase();
    (lower.chars().count() <= 12)
        .then(|| MONTHS.iter().find(|(begins, _)| lower.starts_with(begins)).map(|(_, month)| *month))
        .flatten()
}

/// `March 12, 1985`: where the month's name before the day begins.
fn month_before(text: &str, at: usize) -> Option<usize> {
    let letter = at.checked_sub(2).and_then(|two| text.as_bytes().get(two));
    let after_word = letter.is_some_and(|byte| bytes::is(*byte, LETTER) || *byte == b'.' || !byte.is_ascii());
    if before(text.as_bytes(), at) != Some(&b' ') || !after_word {
        return None;
    }
    let head = text
        .get(at.saturating_sub(16)..at)
        .or_else(|| text.get(text.ceil_char_boundary(at.saturating_sub(16))..at))?;
    let trimmed = head.strip_suffix(' ').or_else(|| head.strip_suffix(". "))?;
    let trimmed = trimmed.strip_suffix('.').unwrap_or(trimmed);
    let begins = trimmed.rfind(|letter: char| !letter.is_alphabetic()).map_or(0, |gap| gap + 1);
    let word =
        trimmed.get(begins..).filter(|word| word.len() >= 3 && word.starts_with(char::is_uppercase))?;
    month(word).map(|_| at - (head.len() - begins))
}

fn after_month(bytes: &[u8], at: usize) -> Option<usize> {
    let (first, width) = run(bytes, at, 2);
    let mut from = at + width;
    for suffix in [&b"st"[..], b"nd", b"rd", b"th"] {
        if bytes.get(from..).is_some_and(|rest| rest.starts_with(suffix)) {
            from += 2;
            break;
        }
    }
    let (y, y_width, y_at) = year_after(bytes, from);
    ((1..=31).contains(&first) && (1..=2).contains(&width) && y_at > from && year(y, y_width) && y_width == 4)
        .then_some(y_at + y_width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_however_they_are_written() {
        for whole in [
            "1985-03-12",
            "12/03/1985",
            "3/12/1985",
            "12.03.1985",
            "12. 3. 1985",
            "19850312",
            "1985/3/12",
            "12 March 1985",
            "12. März 1985",
            "12-Mar-1985",
            "March 12, 1985",
            "Mar. 12th 1985",
            "12 de marzo de 1985",
            "1985年3月12日",
            "1985년 3월 12일",
            "12/03/85",
        ] {
            let text = format!("born {whole} in");
            let at = text.bytes().position(|byte| byte.is_ascii_digit()).unwrap();
            let found = date(&text, at).map(|(start, end)| text.get(start..end).unwrap());
            assert_eq!(found, Some(whole));
        }
        for text in
            ["1985-13-12", "32/03/1985", "1.2.3", "12345678", "2024-01-02T", "99 March 1985", "12-34-56"]
        {
            assert_eq!(date(text, 0), None, "{text}");
        }
    }
}
