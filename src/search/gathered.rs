//! What both ways of answering are asked, and what both give back.

use super::query::Node;
use super::tally::{Aggregation, Tally};

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Newest,
    Oldest,
}

/// What is wanted.
#[derive(Debug)]
pub(super) struct Wanted<'w> {
    pub node: &'w Node,
    /// Only records with smaller numbers count.
    pub snapshot: u64,
    pub order: Order,
    /// On the page are only records with smaller numbers; of `Newest`.
    pub before: Option<u64>,
    /// Only records with larger numbers count; of `Oldest`.
    pub after: Option<u64>,
    /// Most records on the page.
    pub limit: usize,
    pub counts: &'w [Aggregation],
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gathered {
    /// How many there are.
    pub total: u64,
    /// The page, in its order.
    pub seqs: Vec<u64>,
    /// In the order of what was to be counted.
    pub tallies: Vec<Tally>,
    /// Records that are archived, so that nobody could look at them.
    pub archived: u64,
}
