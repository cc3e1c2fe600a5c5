//! From the text of a call's arguments to typed Cedar values.
//!
//! The text is read by the shape that the tool declared, straight from its bytes, so that no number passes
//! through a float. What does not fit is refused by path and expected type; the value is never named.

use std::fmt;

use cedar_policy::RestrictedExpression;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::shape::{Field, RecordShape, Shape};
use super::stamp::Misfit;

/// Lost paths told to policies for one call.
const MAX_LOST: usize = 64;

/// The arguments of one call.
#[derive(Debug)]
pub(super) struct Arguments {
    /// The value of `context.args`.
    pub(super) record: RestrictedExpression,
    /// Paths that have no counterpart in the types: the value of `context.lost`.
    pub(super) lost: Vec<String>,
    /// Paths of declared properties whose value has no exact counterpart.
    pub(super) inexact: Vec<Vec<String>>,
}

/// Reads arguments by the shape that the tool declared.
pub(super) fn typed(shape: &RecordShape, text: &str) -> Result<Arguments, Misfit> {
    let text = if text.is_empty() { "{}" } else { text };
    let mut reader = Reader { path: Vec::new(), lost: Vec::new(), inexact: Vec::new() };
    let members: Members<'_> = serde_json::from_str(text).map_err(|_| reader.misfit("a JSON object"))?;
    let record = reader.record(shape, members)?;
    Ok(Arguments { record, lost: reader.lost, inexact: reader.inexact })
}

/// The arguments as canonical JSON: one spelling of each string and number, keys sorted, no spaces.
///
/// # Errors
/// The text is not a JSON object.
pub fn canonical(text: &str) -> Result<String, Misfit> {
    let text = if text.is_empty() { "{}" } else { text };
    let misfit = || Misfit { path: String::new(), expected: "a JSON object" };
    let mut value: Value = serde_json::from_str(text).map_err(|_| misfit())?;
    if !value.is_object() {
        return Err(misfit());
    }
    value.sort_all_objects();
    Ok(value.to_string())
}

/// The members of one object, each value still as it was written. A name twice is an error.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object without repeated names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(String, &'de RawValue)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    members.push((name, value));
                }
                let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
                names.sort_unstable();
                if names.windows(2).any(|pair| matches!(pair, [one, two] if one == two)) {
                    return Err(serde::de::Error::custom("a name is repeated"));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Collect).map(Members)
    }
}

/// A value's counterpart, or the news that it has none.
enum Counterpart {
    Exact(RestrictedExpression),
    None,
}

struct Reader {
    path: Vec<String>,
    lost: Vec<String>,
    inexact: Vec<Vec<String>>,
}

impl Reader {
    fn record(&mut self, shape: &RecordShape, members: Members<'_>) -> Result<RestrictedExpression, Misfit> {
        let mut attributes = Vec::with_capacity(members.0.len() + 2);
        let mut present = Vec::with_capacity(members.0.len());
        for (name, raw) in members.0 {
            let Some((index, name, field)) = shape.fields.get_full(&name) else {
                self.lose(Some(&name));
                continue;
            };
            if raw.get() == "null" {
                continue;
            }
            present.push(index);
            self.path.push(name.clone());
            self.field(field, raw.get(), &mut attributes)?;
            self.path.pop();
        }
        for (index, (name, field)) in shape.fields.iter().enumerate() {
            if field.required && !present.contains(&index) {
                self.path.push(name.clone());
                return Err(self.misfit(expectation(&field.shape)));
            }
        }
        // Names are unique by now, save for a count that a property shadows; that was ruled out at load.
        RestrictedExpression::new_record(attributes)
            .map_err(|_| self.misfit("an object without repeated names"))
    }

    fn field(
        &mut self,
        field: &Field,
        raw: &str,
        attributes: &mut Vec<(String, RestrictedExpression)>,
    ) -> Result<(), Misfit> {
        let mut items = None;
        let counterpart = match &field.shape {
            Shape::Set(shape) => self.set(shape, raw, &mut items)?,
            Shape::CountOnly => {
                items = Some(self.items(raw)?.len());
                self.lose(None);
                Counterpart::None
            }
            shape => self.single(shape, raw)?,
        };
        let name = self.path.last().cloned().unwrap_or_default();
        match counterpart {
            Counterpart::Exact(value) => attributes.push((name, value)),
            Counterpart::None if field.shape == Shape::CountOnly => {}
            Counterpart::None => {
                self.lose(None);
                self.inexact.push(self.path.clone());
            }
        }
        if let (Some(count), Some(items)) = (&field.count, items) {
            let items = RestrictedExpression::new_long(i64::try_from(items).unwrap_or(i64::MAX));
            attributes.push((count.clone(), items));
        }
        Ok(())
    }

    /// Anything but a counted array.
    fn single(&mut self, shape: &Shape, raw: &str) -> Result<Counterpart, Misfit> {
        let misfit = || self.misfit(expectation(shape));
        let value = match shape {
            Shape::Bool => match raw {
                "true" => RestrictedExpression::new_bool(true),
                "false" => RestrictedExpression::new_bool(false),
                _ => return Err(misfit()),
            },
            Shape::Long => RestrictedExpression::new_long(long(raw).ok_or_else(misfit)?),
            Shape::Text => RestrictedExpression::new_string(string(raw).ok_or_else(misfit)?),
            Shape::Decimal => match decimal(raw) {
                Some(exact) => RestrictedExpression::new_decimal(exact),
                None if is_number(raw) => return Ok(Counterpart::None),
                None => return Err(misfit()),
            },
            Shape::Datetime => RestrictedExpression::new_datetime(
                datetime(&string(raw).ok_or_else(misfit)?).ok_or_else(misfit)?,
            ),
            Shape::Ip => {
                let address: std::net::IpAddr =
                    string(raw).and_then(|text| text.parse().ok()).ok_or_else(misfit)?;
                RestrictedExpression::new_ip(address.to_string())
            }
            Shape::Record(record) => {
                let members = serde_json::from_str(raw).map_err(|_| misfit())?;
                self.record(record, members)?
            }
            Shape::Pairs => self.pairs(raw)?,
            Shape::Set(shape) => return self.set(shape, raw, &mut None),
            Shape::CountOnly => return Ok(Counterpart::None),
        };
        Ok(Counterpart::Exact(value))
    }

    fn set(&mut self, shape: &Shape, raw: &str, count: &mut Option<usize>) -> Result<Counterpart, Misfit> {
        let items = self.items(raw)?;
        *count = Some(items.len());
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            match self.single(shape, item.get())? {
                Counterpart::Exact(value) => values.push(value),
                Counterpart::None => return Ok(Counterpart::None),
            }
        }
        Ok(Counterpart::Exact(RestrictedExpression::new_set(values)))
    }

    fn items<'r>(&self, raw: &'r str) -> Result<Vec<&'r RawValue>, Misfit> {
        serde_json::from_str(raw).map_err(|_| self.misfit("an array"))
    }

    fn pairs(&mut self, raw: &str) -> Result<RestrictedExpression, Misfit> {
        let members: Members<'_> = serde_json::from_str(raw).map_err(|_| self.misfit("an object"))?;
        let mut pairs = Vec::with_capacity(members.0.len());
        for (name, raw) in members.0 {
            let raw = raw.get();
            let value = match raw.as_bytes().first() {
                Some(b'"') => string(raw),
                Some(b'{' | b'[') | None => None,
                Some(_) => Some(raw.to_owned()),
            };
            if let Some(value) = value {
                pairs.push(RestrictedExpression::new_string(format!("{name}={value}")));
            } else {
                self.lose(Some(&name));
                self.inexact.push(self.path.clone());
            }
        }
        Ok(RestrictedExpression::new_set(pairs))
    }

    fn lose(&mut self, name: Option<&str>) {
        if self.lost.len() < MAX_LOST {
            let path = self.path.iter().map(String::as_str).chain(name);
            self.lost.push(path.collect::<Vec<_>>().join("."));
        }
    }

    fn misfit(&self, expected: &'static str) -> Misfit {
        Misfit { path: self.path.join("."), expected }
    }
}

/// What to tell a caller whose value did not fit.
pub(super) fn expectation(shape: &Shape) -> &'static str {
    match shape {
        Shape::Bool => "a boolean",
        Shape::Long => "an integer of 64 bits",
        Shape::Text => "a string",
        Shape::Decimal => "a number with at most 4 decimal places",
        Shape::Datetime => "a string with an RFC 3339 date and time",
        Shape::Ip => "a string with an IP address",
        Shape::Set(_) | Shape::CountOnly => "an array",
        Shape::Record(_) | Shape::Pairs => "an object",
    }
}

fn string(raw: &str) -> Option<String> {
    if raw.starts_with('"') { serde_json::from_str(raw).ok() } else { None }
}

fn is_number(raw: &str) -> bool {
    raw.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// An integer as JSON Schema counts it: `5.0` is one.
fn long(raw: &str) -> Option<i64> {
    let whole = match raw.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole,
        Some(_) => return None,
        None => raw,
    };
    whole.parse().ok().filter(|_| is_number(whole))
}

/// The number in Cedar's spelling, if it has at most four decimal places and is in range.
fn decimal(raw: &str) -> Option<String> {
    if !is_number(raw) || raw.contains(['e', 'E']) {
        return None;
    }
    let (whole, fraction) = raw.split_once('.').unwrap_or((raw, "0"));
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 4 {
        return None;
    }
    // Cedar holds an i64 of ten-thousandths.
    let scaled: i128 = format!("{whole}{fraction:0<4}").parse().ok()?;
    i64::try_from(scaled).ok()?;
    Some(format!("{whole}.{}", if fraction.is_empty() { "0" } else { fraction }))
}

/// RFC 3339, or a date alone, in Cedar's spelling: UTC, whole milliseconds.
fn datetime(text: &str) -> Option<String> {
    let instant = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let date: jiff::civil::Date = text.parse().ok().filter(|_| text.len() == 10)?;
        date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|start| start.timestamp())
    })?;
    let spelled = instant.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    (spelled.len() == 24 && !spelled.starts_with('-')).then_some(spelled)
}

#[cfg(test)]
mod tests {
    use super::{canonical, datetime, decimal, long};

    #[test]
    fn numbers_are_exact_or_nothing() {
        let table = [
            ("0", Some("0.0")),
            ("-0", Some("-0.0")),
            ("12", Some("12.0")),
            ("1.5000", Some("1.5")),
            ("-3.1415", Some("-3.1415")),
            ("1.00010", Some("1.0001")),
            ("1.00001", None),
            ("1e3", None),
            ("922337203685477.5807", Some("922337203685477.5807")),
            ("922337203685477.5808", None),
            ("\"1\"", None),
        ];
        for (raw, expected) in table {
            assert_eq!(decimal(raw).as_deref(), expected, "{raw}");
        }
        assert_eq!(long("5.0"), Some(5));
        assert_eq!(long("-7"), Some(-7));
        for raw in ["5.5", "1e3", "9223372036854775808", "\"5\"", "true"] {
            assert_eq!(long(raw), None, "{raw}");
        }
    }

    #[test]
    fn dates_are_told_in_cedars_spelling() {
        assert_eq!(datetime("2026-11-24T10:00:00+02:00").as_deref(), Some("2026-11-24T08:00:00.000Z"));
        assert_eq!(datetime("2026-11-24T10:00:00.1239Z").as_deref(), Some("2026-11-24T10:00:00.123Z"));
        assert_eq!(datetime("2026-11-24").as_deref(), Some("2026-11-24T00:00:00.000Z"));
        for text in ["", "tomorrow", "2026-11-24T10:00", "-000001-01-01T00:00:00Z", "2026-13-01"] {
            assert_eq!(datetime(text), None, "{text}");
        }
    }

    #[test]
    fn canonical_text_has_one_spelling() {
        assert_eq!(
            canonical(r#"{ "b": "\u0072m", "a": {"d": 1, "c": [ ]} }"#).unwrap(),
            r#"{"a":{"c":[],"d":1},"b":"rm"}"#
        );
        assert_eq!(canonical("").unwrap(), "{}");
        assert!(canonical("[]").is_err());
        assert!(canonical("{").is_err());
    }
}
