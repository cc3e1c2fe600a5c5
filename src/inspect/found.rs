//! Places in a text where something may be, and what is there.

use std::cell::{Cell, LazyCell};

use super::Blocked;
use super::place::Place;

/// Places in a text where something may be.
#[derive(Debug, Clone, Default)]
pub(super) struct Leads {
    pub words: Vec<Lead>,
    pub digits: Vec<usize>,
    /// Starts of runs that may be encoded text.
    pub runs: Vec<usize>,
}

/// A prefix or name of a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lead {
    pub start: usize,
    pub end: usize,
    pub pattern: usize,
}

/// A value that a rule found, by byte offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub start: usize,
    pub end: usize,
    pub rule: usize,
    pub evidence: Evidence,
    /// Which of two overlapping findings counts: the higher one.
    pub score: u32,
}

/// What speaks most for a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Evidence {
    /// Only its key.
    Key,
    /// A shape, and words around it.
    Context,
    /// How it begins or is built.
    Prefix,
    /// A check that few values pass.
    Validator,
}

impl Evidence {
    /// The name as it stands in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Context => "context",
            Self::Prefix => "prefix",
            Self::Validator => "validator",
        }
    }
}

impl Found {
    pub fn new(rule: usize, (start, end): (usize, usize), evidence: Evidence, score: u32) -> Self {
        Self { start, end, rule, evidence, score }
    }
}

impl Leads {
    /// Whether there is nothing to look closer at.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.digits.is_empty() && self.runs.is_empty()
    }

    /// Moves all offsets; what `to` has no place for is dropped. A lead keeps its length and follows its end, since
    /// it may begin inside of an escape.
    pub fn shift(&mut self, to: impl Fn(usize) -> Option<usize>) {
        self.words = self
            .words
            .iter()
            .filter_map(|lead| {
                let end = to(lead.end)?;
                Some(Lead { start: end.checked_sub(lead.end - lead.start)?, end, pattern: lead.pattern })
            })
            .collect();
        self.digits = self.digits.iter().filter_map(|lead| to(*lead)).collect();
        self.runs = self.runs.iter().filter_map(|lead| to(*lead)).collect();
    }
}

/// The context of a text, built only if a rule asks for it.
pub(super) type Around<'a> = LazyCell<Place, Box<dyn FnOnce() -> Place + 'a>>;

/// What a scan may still cost, in bytes that windows without a finding have covered.
#[derive(Debug)]
pub(super) struct Effort(Cell<usize>);

impl Effort {
    /// Enough for any text that people or programs write; only a text made of false starts uses it up.
    pub fn for_bytes(bytes: usize) -> Self {
        Self(Cell::new((1 << 20) + bytes.saturating_mul(64)))
    }

    pub fn spend(&self, bytes: usize) -> Result<(), Blocked> {
        let left = self.0.get().checked_sub(bytes).ok_or(Blocked::TooCostly)?;
        self.0.set(left);
        Ok(())
    }
}
