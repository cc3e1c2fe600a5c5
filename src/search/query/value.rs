//! Values of numeric fields, as they are typed: each stands for the span that it names.

use crate::search::field::Type;
use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};

/// Beyond the largest whole number of a record.
const LARGEST: i64 = 1 << 53;

/// A span `from..to`, without `to`: a day is all its microseconds.
pub(super) type Span = (i64, i64);

/// Reads a value, or says how one is written.
pub(super) fn read(of: Type, text: &str, now_us: i64) -> Result<Span, &'static str> {
    match of {
        Type::Keyword | Type::Closed(_) | Type::Kinds => Err("this field has no numbers"),
        Type::Number => number(text).map(one).ok_or("write a whole number, such as 17"),
        Type::Bytes => bytes(text).map(one).ok_or("write a size, such as 512, 10kb or 4mib"),
        Type::Duration => duration(text).map(one).ok_or("write a time with its unit, such as 250ms or 2s"),
        Type::Time => time(text, now_us)
            .ok_or("write 2026-11-01, 2026-11, 2026-11-01T10:00:00Z, -24h (before now) or now"),
    }
}

/// Prints a value so that reading it gives the same.
pub(super) fn print(of: Type, value: i64) -> String {
    match of {
        Type::Duration => format!("{value}us"),
        Type::Time => Timestamp::from_microsecond(value)
            .map_or_else(|_| value.to_string(), |at| at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()),
        _ => value.to_string(),
    }
}

fn one(value: i64) -> Span {
    (value, value + 1)
}

fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok().filter(|n| *n <= LARGEST) } else { None }
}

/// Digits, and the unit behind them.
fn split(text: &str) -> Option<(i64, &str)> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    Some((number(digits)?, unit))
}

fn scaled(text: &str, units: &[(&str, i64)]) -> Option<i64> {
    let (count, unit) = split(text)?;
    let (_, size) = units.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name))?;
    count.checked_mul(*size).filter(|n| *n <= LARGEST)
}

fn bytes(text: &str) -> Option<i64> {
    let units = [
        ("", 1),
        ("b", 1),
        ("kb", 1000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
    ];
    scaled(text, &units)
}

fn duration(text: &str) -> Option<i64> {
    const SECOND: i64 = 1_000_000;
    let units = [
        ("us", 1),
        ("ms", 1000),
        ("s", SECOND),
        ("m", 60 * SECOND),
        ("min", 60 * SECOND),
        ("h", 3600 * SECOND),
        ("d", 86_400 * SECOND),
        ("w", 7 * 86_400 * SECOND),
    ];
    scaled(text, &units)
}

fn time(text: &str, now_us: i64) -> Option<Span> {
    if text == "now" {
        return Some(one(now_us));
    }
    if let Some(ago) = text.strip_prefix('-') {
        return Some(one(now_us.checked_sub(duration(ago)?)?));
    }
    let start = |day: Date| day.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp().as_microsecond());
    let is_shaped = |form: &str| {
        text.len() == form.len()
            && text
                .bytes()
                .zip(form.bytes())
                .all(|(b, f)| if f == b'0' { b.is_ascii_digit() } else { b == f })
    };
    if is_shaped("0000-00-00") {
        let day: Date = text.parse().ok()?;
        return Some((start(day)?, start(day.tomorrow().ok()?)?));
    }
    if is_shaped("0000-00") {
        let first: Date = format!("{text}-01").parse().ok()?;
        return Some((start(first)?, start(first.last_of_month().tomorrow().ok()?)?));
    }
    let at = text.parse::<Timestamp>().ok()?.as_microsecond();
    // `10:00:00Z` is that second, `10:00:00.000000Z` that microsecond.
    Some((at, at + if text.contains('.') { 1 } else { 1_000_000 }))
}
