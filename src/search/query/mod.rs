//! The query language: what was asked, as a tree.
//!
//! `actor:alice tool:crm_* latency:>2s -server:mail (decision:deny OR redacted:>0) "drop table"`. Terms that stand side
//! by side must all hold; `OR`, `NOT` or `-`, and parentheses do what they say. There is one way to read a query, and
//! [`Query`] prints it.

mod parse;
mod print;
mod value;

pub use parse::MOST_BYTES;

use super::field::Field;
use super::words;
use serde::Serialize;

/// Why a query cannot be read, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{what} (at character {at}){}", .suggestion.as_ref().map(|s| format!(": {s}")).unwrap_or_default())]
pub struct Misread {
    /// Where it begins, in characters from 0.
    pub at: usize,
    /// How many characters it is long.
    pub length: usize,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub suggestion: Option<String>,
}

/// A node of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// All of these; of none: everything.
    All(Vec<Node>),
    /// At least one of these.
    Any(Vec<Node>),
    /// Not this.
    Not(Box<Node>),
    /// A field passes a test.
    Is(Field, Test),
    /// Something was said.
    Said(Said),
}

/// What is asked of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// One of its values is this one.
    Equals(String),
    /// One of its values has this form: `*` stands for anything.
    Like(String),
    /// It has a value.
    Exists,
    /// Its number lies in `from..to`, without `to`.
    Within {
        /// The least.
        from: Option<i64>,
        /// What it is less than.
        to: Option<i64>,
    },
}

/// What is asked of the texts: payloads after redaction, reasons, justifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// These words in a row.
    Phrase(Vec<String>),
    /// A word that begins like this.
    Prefix(String),
}

/// A query that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The tree.
    pub node: Node,
}

impl Query {
    /// Reads a query. `now_us` is what `-24h` is counted from.
    ///
    /// # Errors
    /// Says where it is wrong, and what was probably meant.
    pub fn parse(text: &str, now_us: i64) -> Result<Self, Misread> {
        parse::parse(text, now_us).map(|node| Self { node })
    }

    /// The query with what was said left out: words may be somebody's data, and the log keeps for ever that they were
    /// looked for.
    pub fn without_words(&self) -> String {
        print::Printed { node: &self.node, words: false }.to_string()
    }
}

impl std::fmt::Display for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        print::Printed { node: &self.node, words: true }.fmt(f)
    }
}

impl Node {
    /// All of these, without a node around a single one.
    pub fn all(nodes: Vec<Self>) -> Self {
        let mut flat = Vec::new();
        for node in nodes {
            match node {
                Self::All(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        if flat.len() == 1 { flat.pop().unwrap_or(Self::All(Vec::new())) } else { Self::All(flat) }
    }

    /// Any of these, without a node around a single one.
    pub fn any(nodes: Vec<Self>) -> Self {
        let mut flat = Vec::new();
        for node in nodes {
            match node {
                Self::Any(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        if flat.len() == 1 { flat.pop().unwrap_or(Self::Any(Vec::new())) } else { Self::Any(flat) }
    }

    /// Whether answering takes the texts.
    pub fn asks_for_texts(&self) -> bool {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().any(Self::asks_for_texts),
            Self::Not(node) => node.asks_for_texts(),
            Self::Is(..) => false,
            Self::Said(_) => true,
        }
    }
}

impl Test {
    /// Whether a keyword passes.
    pub(super) fn takes(&self, value: &str) -> bool {
        match self {
            Self::Equals(wanted) => wanted == value,
            Self::Like(pattern) => like(pattern, value),
            Self::Exists => true,
            Self::Within { .. } => false,
        }
    }

    /// Whether a number passes.
    pub(super) fn takes_number(&self, value: i64) -> bool {
        match self {
            Self::Within { from, to } => {
                from.is_none_or(|from| value >= from) && to.is_none_or(|to| value < to)
            }
            Self::Exists => true,
            Self::Equals(_) | Self::Like(_) => false,
        }
    }
}

impl Said {
    /// Whether a text holds it.
    pub(super) fn is_in(&self, text: &str) -> bool {
        match self {
            Self::Phrase(wanted) => words::holds(text, wanted),
            Self::Prefix(prefix) => words::Words::of(text).any(|word| word.starts_with(prefix)),
        }
    }
}

/// Whether a value has a form: pieces in their order, the first at its beginning, the last at its end.
pub(super) fn like(pattern: &str, value: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(first) = pieces.next() else { return false };
    let Some(mut rest) = value.strip_prefix(first) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}
