//! What to replace where findings overlap: the stronger one counts, and secrets give way as a whole.

use super::found::{Evidence, Found};
use super::rules::{Rank, Rule};

/// A part of a text that gives way to one mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
    /// The rule whose mask stands there.
    pub rule: usize,
    pub evidence: Evidence,
    pub score: u32,
}

/// Orders the findings and drops those that overlap with a stronger one. A finding that reaches over the end of a
/// secret, or a secret that reaches over the end of another finding, widens it: no end of a secret shows.
pub(super) fn merge(found: &mut Vec<Found>, rules: &[Rule]) -> Vec<Span> {
    let secret = |rule: usize| rules.get(rule).is_some_and(|rule| rule.rank >= Rank::NamedSecret);
    found.sort_by_key(|one| (one.start, std::cmp::Reverse(one.end), std::cmp::Reverse(one.score), one.rule));
    found.dedup();
    let mut spans: Vec<Span> = Vec::with_capacity(found.len());
    let mut kept: Vec<Found> = Vec::with_capacity(found.len());
    for one in found.iter() {
        match spans.last_mut() {
            Some(span) if one.start < span.end => {
                let widen = secret(span.rule) || secret(one.rule);
                let stronger = if proves(span, one) {
                    false
                } else {
                    (one.score, one.end - one.start) > (span.score, span.end - span.start)
                };
                if stronger {
                    if !widen {
                        span.start = one.start;
                    }
                    span.end = if widen { span.end.max(one.end) } else { one.end };
                    (span.rule, span.evidence, span.score) = (one.rule, one.evidence, one.score);
                    if let Some(last) = kept.last_mut() {
                        *last = *one;
                    }
                } else if widen {
                    span.end = span.end.max(one.end);
                }
            }
            _ => {
                let Found { start, end, rule, evidence, score } = *one;
                spans.push(Span { start, end, rule, evidence, score });
                kept.push(*one);
            }
        }
    }
    *found = kept;
    spans
}

/// Whether a part of a value with check digits looks like something else only by the words around it: twelve digits of a
/// card that stands behind `phone`.
fn proves(span: &Span, part: &Found) -> bool {
    span.evidence == Evidence::Validator
        && part.evidence == Evidence::Context
        && part.end <= span.end
        && part.end - part.start < span.end - span.start
}
