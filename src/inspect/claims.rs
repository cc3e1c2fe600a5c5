//! Which rules a name belongs to: its ending, looked up once for all rules.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};

use super::Error;
use super::hasher::Quick;
use super::rules::{How, Rule};

/// What the endings of names say.
#[derive(Debug, Default)]
pub(super) struct Claims {
    endings: HashMap<Box<str>, Ending, Quick>,
    /// Lengths of all endings, the shortest first.
    lengths: Vec<usize>,
    /// Words of vendors, and for each the rules that need one of them.
    vendors: Option<AhoCorasick>,
    of_vendors: Vec<Vec<usize>>,
}

#[derive(Debug, Default)]
struct Ending {
    /// Rules that a name with this ending belongs to.
    of: Vec<usize>,
    /// Rules that it does not belong to, whatever else it ends with.
    not: Vec<usize>,
}

impl Claims {
    pub fn new(rules: &[Rule]) -> Result<Self, Error> {
        let mut claims = Self::default();
        let mut vendors: Vec<&str> = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            for vendor in &rule.vendors {
                let place = vendors.iter().position(|known| known == vendor).unwrap_or(vendors.len());
                if place == vendors.len() {
                    vendors.push(vendor);
                    claims.of_vendors.push(Vec::new());
                }
                claims.of_vendors.get_mut(place).into_iter().for_each(|rules| rules.push(index));
            }
            let How::Named(named) = &rule.how else { continue };
            for phrase in &named.squashed {
                claims.endings.entry(phrase.as_str().into()).or_default().of.push(index);
            }
            for phrase in &named.unless {
                claims.endings.entry(phrase.as_str().into()).or_default().not.push(index);
            }
        }
        claims.lengths = claims.endings.keys().map(|ending| ending.len()).collect();
        claims.lengths.sort_unstable();
        claims.lengths.dedup();
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(vendors);
        claims.vendors = Some(automaton.map_err(|source| Error::Automaton { source: source.into() })?);
        Ok(claims)
    }

    /// The rules of whose vendors some words speak that are written together, in order.
    pub fn vendors(&self, squashed: &str) -> Box<[usize]> {
        let hits = self.vendors.iter().flat_map(|vendors| vendors.find_overlapping_iter(squashed));
        let of = |place: usize| self.of_vendors.get(place).into_iter().flatten().copied();
        let mut rules: Vec<usize> = hits.flat_map(|hit| of(hit.pattern().as_usize())).collect();
        rules.sort_unstable();
        rules.dedup();
        rules.into()
    }

    /// The rules for named secrets that a name belongs to whose words are written together, in order.
    pub fn of(&self, squashed: &str) -> Box<[usize]> {
        let (mut of, mut not) = (Vec::new(), Vec::new());
        for length in self.lengths.iter().take_while(|length| **length <= squashed.len()) {
            let ending = squashed.get(squashed.len() - length..).and_then(|ending| self.endings.get(ending));
            if let Some(ending) = ending {
                of.extend(&ending.of);
                not.extend(&ending.not);
            }
        }
        of.sort_unstable();
        of.dedup();
        of.retain(|rule| !not.contains(rule));
        of.into()
    }
}
