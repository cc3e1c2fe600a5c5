//! Counting: facets and aggregations. All counts are exact, and the same by the index and without it; percentiles
//! are within one part in 64.

use super::Error;
use super::doc::Doc;
use super::field::Field;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Most values that are listed.
pub const MOST_BUCKETS: usize = 1000;
/// Most distinct values or spans that are counted at all.
const MOST_KEPT: usize = 100_000;
/// Values that are listed, if nothing is said.
const LISTED: usize = 10;

/// What to count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Aggregation {
    /// How many records have which value, most frequent first.
    Terms {
        /// Of which field.
        field: Field,
        /// How many values are listed, at most 1000; 10 if nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<usize>,
    },
    /// How many records there are in each span of time.
    DateHistogram {
        /// How long a span is.
        interval: Interval,
        /// Also by the values of this field.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Field>,
    },
    /// Which value so many percent of the records do not exceed.
    Percentiles {
        /// Of which field.
        field: Field,
        /// Percents; 50, 90, 95 and 99 if nothing is said.
        #[serde(default = "percents")]
        percents: Vec<f64>,
    },
    /// How many different values there are.
    Cardinality {
        /// Of which field.
        field: Field,
    },
}

fn percents() -> Vec<f64> {
    vec![50.0, 90.0, 95.0, 99.0]
}

/// Spans of time, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// 24 hours, from midnight.
    Day,
    /// 7 days, from Monday.
    Week,
}

impl Interval {
    /// Its length in microseconds.
    pub fn micros(self) -> i64 {
        match self {
            Self::Minute => 60_000_000,
            Self::Hour => 3_600_000_000,
            Self::Day => 86_400_000_000,
            Self::Week => 604_800_000_000,
        }
    }

    /// Where the span begins that a time is in.
    pub(super) fn begin(self, time_us: i64) -> i64 {
        // 1970-01-05 was a Monday.
        let shift = if self == Self::Week { 4 * 86_400_000_000 } else { 0 };
        (time_us - shift).div_euclid(self.micros()) * self.micros() + shift
    }
}

/// A value and how many records have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// The value.
    pub value: String,
    /// How many.
    pub count: u64,
}

/// A span of time and how many records are in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TimeBucket {
    /// Where it begins, RFC 3339.
    pub start: String,
    /// How many.
    pub count: u64,
    /// How many by value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<Bucket>,
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregated {
    /// Values, most frequent first; `other` is how often the values occur that are not listed.
    Terms {
        /// The values.
        buckets: Vec<Bucket>,
        /// What is not listed.
        other: u64,
    },
    /// Spans of time in their order, without empty ones.
    DateHistogram {
        /// The spans.
        buckets: Vec<TimeBucket>,
    },
    /// By percent.
    Percentiles {
        /// The values; none if no record has one.
        values: BTreeMap<String, i64>,
        /// How many records have one.
        count: u64,
    },
    /// How many different values.
    Cardinality {
        /// Exactly.
        value: u64,
    },
}

/// Checks what cannot be counted.
pub(super) fn check(aggregation: &Aggregation) -> Result<(), Error> {
    let facet = |field: Field| {
        if field.is_facet() { Ok(()) } else { Err(Error::Countless(field.name())) }
    };
    match aggregation {
        Aggregation::Terms { field, size } => {
            if size.is_some_and(|size| size == 0 || size > MOST_BUCKETS) {
                return Err(Error::Size(MOST_BUCKETS));
            }
            facet(*field)
        }
        Aggregation::DateHistogram { by, .. } => by.map_or(Ok(()), facet),
        Aggregation::Cardinality { field } => facet(*field),
        Aggregation::Percentiles { field, percents } => {
            if !field.values().is_numeric() {
                return Err(Error::Numberless(field.name()));
            }
            let fit = percents.iter().all(|p| (0.0..=100.0).contains(p));
            if fit && (1..=20).contains(&percents.len()) { Ok(()) } else { Err(Error::Percents) }
        }
    }
}

/// Counts as they grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tally {
    Values(Field, BTreeMap<String, u64>),
    Spans { interval: Interval, by: Option<Field>, spans: BTreeMap<i64, (u64, BTreeMap<String, u64>)> },
    Numbers(Field, BTreeMap<i64, u64>),
}

impl Tally {
    pub(super) fn of(aggregation: &Aggregation) -> Self {
        match aggregation {
            Aggregation::Terms { field, .. } | Aggregation::Cardinality { field } => {
                Self::Values(*field, BTreeMap::new())
            }
            Aggregation::DateHistogram { interval, by } => {
                Self::Spans { interval: *interval, by: *by, spans: BTreeMap::new() }
            }
            Aggregation::Percentiles { field, .. } => Self::Numbers(*field, BTreeMap::new()),
        }
    }

    /// Counts a record.
    pub(super) fn add(&mut self, doc: &Doc) {
        match self {
            Self::Values(field, values) => {
                doc.values(*field).for_each(|value| *values.entry(value.to_owned()).or_default() += 1);
            }
            Self::Spans { interval, by, spans } => {
                let Some(time) = doc.value(Field::Created) else { return };
                let (count, values) = spans.entry(interval.begin(time)).or_default();
                *count += 1;
                let values_of = by.iter().flat_map(|field| doc.values(*field));
                values_of.for_each(|value| *values.entry(value.to_owned()).or_default() += 1);
            }
            Self::Numbers(field, numbers) => {
                if let Some(value) = doc.value(*field) {
                    *numbers.entry(coarse(value)).or_default() += 1;
                }
            }
        }
    }

    /// Counts many records of one span.
    pub(super) fn add_span(&mut self, start: i64, count: u64, values: BTreeMap<String, u64>) {
        if let Self::Spans { spans, .. } = self {
            let (all, by) = spans.entry(start).or_default();
            *all += count;
            add(by, values);
        }
    }

    /// Adds what somebody else counted of the same.
    pub(super) fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::Values(_, into), Self::Values(_, from)) => add(into, from),
            (Self::Spans { spans: into, .. }, Self::Spans { spans: from, .. }) => {
                for (span, (count, values)) in from {
                    let (all, by) = into.entry(span).or_default();
                    *all += count;
                    add(by, values);
                }
            }
            (Self::Numbers(_, into), Self::Numbers(_, from)) => add(into, from),
            _ => debug_assert!(false, "tallies of one aggregation are of one kind"),
        }
    }

    /// Whether it has become too large.
    pub(super) fn is_full(&self) -> bool {
        let kept = match self {
            Self::Values(_, values) => values.len(),
            Self::Spans { spans, .. } => spans.values().map(|(_, values)| values.len() + 1).sum(),
            Self::Numbers(_, numbers) => numbers.len(),
        };
        kept > MOST_KEPT
    }

    /// The answer.
    pub(super) fn finish(self, aggregation: &Aggregation) -> Aggregated {
        match (self, aggregation) {
            (Self::Values(_, values), Aggregation::Terms { size, .. }) => {
                let all: u64 = values.values().sum();
                let buckets = ranked(values, size.unwrap_or(LISTED));
                let listed: u64 = buckets.iter().map(|bucket| bucket.count).sum();
                Aggregated::Terms { buckets, other: all - listed }
            }
            (Self::Values(_, values), _) => Aggregated::Cardinality { value: values.len() as u64 },
            (Self::Spans { spans, .. }, _) => {
                let bucket = |(start, (count, by))| TimeBucket {
                    start: jiff::Timestamp::from_microsecond(start)
                        .map(|at| at.to_string())
                        .unwrap_or_default(),
                    count,
                    by: ranked(by, MOST_BUCKETS),
                };
                Aggregated::DateHistogram { buckets: spans.into_iter().map(bucket).collect() }
            }
            (Self::Numbers(_, numbers), Aggregation::Percentiles { percents, .. }) => {
                let count = numbers.values().sum();
                let value =
                    |percent: &f64| Some((percent.to_string(), percentile(&numbers, count, *percent)?));
                Aggregated::Percentiles { values: percents.iter().filter_map(value).collect(), count }
            }
            (Self::Numbers(..), _) => Aggregated::Percentiles { values: BTreeMap::new(), count: 0 },
        }
    }
}

fn add<K: Ord>(into: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
    for (key, count) in from {
        *into.entry(key).or_default() += count;
    }
}

/// The most frequent values; of two with one count, the one that comes first by name.
fn ranked(values: BTreeMap<String, u64>, size: usize) -> Vec<Bucket> {
    let order: BTreeSet<(std::cmp::Reverse<u64>, String)> =
        values.into_iter().map(|(value, count)| (std::cmp::Reverse(count), value)).collect();
    order.into_iter().take(size).map(|(count, value)| Bucket { value, count: count.0 }).collect()
}

/// The value with its leading seven bits only, so that a percentile takes little memory over any number of records.
pub(super) fn coarse(value: i64) -> i64 {
    let bits = 64 - value.unsigned_abs().leading_zeros();
    let drop = bits.saturating_sub(7);
    value >> drop << drop
}

/// Nearest rank.
fn percentile(numbers: &BTreeMap<i64, u64>, count: u64, percent: f64) -> Option<i64> {
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank between 1 and the count; a log has fewer than 2^53 records"
    )]
    let rank = ((percent / 100.0 * count as f64).ceil() as u64).clamp(1, count.max(1));
    let mut passed = 0;
    numbers.iter().find_map(|(value, of)| {
        passed += of;
        (passed >= rank).then_some(*value)
    })
}
