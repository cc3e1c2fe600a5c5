//! Questions and answers, in the shapes of the auditors' API.

use super::field::Field;
use super::tally::{Aggregated, Aggregation, Bucket};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Most hits on a page.
pub const MOST_HITS: usize = 500;
/// Hits on a page, if nothing is said.
pub const PAGE: usize = 50;

/// A search.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// The query; empty: everything.
    pub q: String,
    /// Recorded at or after this time, as in `created:>=`.
    pub from: Option<String>,
    /// Recorded before this time, as in `created:<`.
    pub to: Option<String>,
    /// Hits on a page, 1 to 500.
    pub limit: Option<usize>,
    /// Where the page before ended: its `next`.
    pub cursor: Option<String>,
    /// Fields whose values are counted.
    pub facets: Vec<String>,
    /// By the index, or without it.
    pub mode: Mode,
    /// Which records must have been looked at.
    pub consistency: Consistency,
    /// Oldest first, only what came after the cursor, and always with a `next`: for whoever asks again and again. Without
    /// a cursor it begins at the end of the log.
    pub follow: bool,
}

/// How an answer is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// By the index: fast; as complete as the index is.
    #[default]
    Index,
    /// By reading the log itself: slow; trusts nothing but the log.
    Scan,
}

/// Which records must have been looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Consistency {
    /// What the index has now.
    #[default]
    Eventual,
    /// All that are in the log now.
    Wait,
    /// All up to this number.
    WaitFor(u64),
}

impl std::str::FromStr for Consistency {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const HOW: &str = "write `eventual`, `wait` or `wait:SEQ`";
        match text {
            "" | "eventual" => Ok(Self::Eventual),
            "wait" => Ok(Self::Wait),
            other => {
                let seq = other.strip_prefix("wait:").and_then(|seq| seq.parse().ok());
                seq.map(Self::WaitFor).ok_or(HOW)
            }
        }
    }
}

impl TryFrom<String> for Consistency {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Consistency> for String {
    fn from(consistency: Consistency) -> Self {
        match consistency {
            Consistency::Eventual => "eventual".into(),
            Consistency::Wait => "wait".into(),
            Consistency::WaitFor(seq) => format!("wait:{seq}"),
        }
    }
}

/// Who asks, and what they may see. Not part of a request: whoever answers decides it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Whose cursors they are; somebody else's are refused.
    pub reader: String,
    /// The tenants whose records may be seen; `None`: everything.
    pub tenants: Option<Vec<String>>,
    /// Whether records of no tenant, the gateway's own, may be seen besides those.
    pub ownerless: bool,
}

/// A page of hits.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// How the query was understood.
    pub interpreted: String,
    /// How many records there are, on all pages.
    pub total: Total,
    /// The hits, newest first; of `follow` oldest first.
    pub hits: Vec<Hit>,
    /// Counts by value of each field that was asked for, most frequent first.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub facets: BTreeMap<Field, Vec<Bucket>>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
    /// Records that were searched: those with smaller numbers. Stays the same on all pages.
    pub snapshot: u64,
    /// How it was found.
    pub mode: Mode,
    /// How far the index is behind the log.
    pub lag: Lag,
    /// Records under the newest checkpoint.
    pub checkpoint: Option<u64>,
    /// Records that are archived (`docs/archive.md`): nobody looked at them.
    pub archived: u64,
}

/// How many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Total {
    /// The count.
    pub value: u64,
    /// Whether it is exact.
    pub relation: Relation,
}

/// What a count says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// Exactly as many.
    Eq,
    /// At least as many.
    Gte,
}

/// A record that was found, read from the log again, and hashed again.
#[derive(Debug, Clone, Serialize)]
pub struct Hit {
    /// Its number.
    pub seq: u64,
    /// Its hash, hexadecimal.
    pub leaf: String,
    /// `ok`: the bytes have this hash, the log says so, and the next record is linked to it. Others are not shown: they
    /// are an error.
    pub integrity: &'static str,
    /// The record, exact bytes.
    pub record: Box<RawValue>,
}

/// How far the index is behind the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lag {
    /// The newest record that the index has.
    pub indexed_through: Option<u64>,
    /// The newest record of the log.
    pub log_head: Option<u64>,
    /// Records that the index does not have.
    pub records: u64,
    /// Age of the oldest of them, in milliseconds.
    pub ms: u64,
}

/// A question about many records at once.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AggregateRequest {
    /// The query; empty: everything.
    pub q: String,
    /// Recorded at or after this time, as in `created:>=`.
    pub from: Option<String>,
    /// Recorded before this time, as in `created:<`.
    pub to: Option<String>,
    /// What to count, each under a name of one's own; at most 10.
    pub aggregations: BTreeMap<String, Aggregation>,
    /// By the index, or without it.
    pub mode: Mode,
    /// Which records must have been looked at.
    pub consistency: Consistency,
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Aggregates {
    /// How the query was understood.
    pub interpreted: String,
    /// How many records were counted.
    pub total: Total,
    /// By the names of the request.
    pub aggregations: BTreeMap<String, Aggregated>,
    /// Records that were searched: those with smaller numbers.
    pub snapshot: u64,
    /// How it was found.
    pub mode: Mode,
    /// How far the index is behind the log.
    pub lag: Lag,
    /// Records under the newest checkpoint.
    pub checkpoint: Option<u64>,
    /// Records that are archived (`docs/archive.md`): nobody counted them.
    pub archived: u64,
}
