//! What to replace where findings overlap: their union, so that no end of one shows beside the mask of another.

use super::engine::Found;
use super::rules::{Rank, Rule};

/// A part of a text that gives way to one mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
    /// The rule whose mask stands there.
    pub rule: usize,
}

/// Joins overlapping findings, and drops those by name alone where a more exact rule found the same.
pub(super) fn merge(found: &mut Vec<Found>, rules: &[Rule]) -> Vec<Span> {
    let rank = |rule: usize| rules.get(rule).map(|rule| rule.rank);
    found.sort_by_key(|one| {
        (one.start, std::cmp::Reverse(one.end), std::cmp::Reverse(rank(one.rule)), one.rule)
    });
    found.dedup();
    let mut spans: Vec<(Span, Option<Rank>)> = Vec::new();
    for one in found.iter() {
        let ranked = rank(one.rule);
        match spans.last_mut() {
            Some((span, best)) if one.start < span.end => {
                span.end = span.end.max(one.end);
                if ranked > *best {
                    (span.rule, *best) = (one.rule, ranked);
                }
            }
            _ => spans.push((Span { start: one.start, end: one.end, rule: one.rule }, ranked)),
        }
    }
    found.retain(|one| {
        let inside = spans.partition_point(|(span, _)| span.start <= one.start).checked_sub(1);
        let best = inside.and_then(|span| spans.get(span)).and_then(|(_, best)| *best);
        rank(one.rule) != Some(Rank::NamedSecret) || best != Some(Rank::Secret)
    });
    spans.into_iter().map(|(span, _)| span).collect()
}
