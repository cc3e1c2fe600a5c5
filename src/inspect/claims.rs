//! Which rules a name belongs to: its ending, looked up once for all rules.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};

use super::Error;
use super::hasher::Quick;
use super::rules::{How, Rule};

/// What the endings of names say.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Endings by their last letters.
    endings: HashMap<[u8; TAIL], Vec<Known>, Quick>,
    /// Words of vendors, and for each the rules that need one of them.
    vendors: Option<AhoCorasick>,
    of_vendors: Vec<Vec<usize>>,
}

/// Letters by which endings are looked up; shorter ones have zeros before them.
const TAIL: usize = 3;

/// An ending, and what it says.
type Known = (Box<str>, Ending);

#[derive(Debug, Default)]
struct Ending {
    /// Rules that a name with this ending belongs to.
    of: Vec<usize>,
    /// Rules that it does not belong to, whatever else it ends with.
    not: Vec<usize>,
    /// What all endings say together that a name has whose longest one this is, in order.
    rules: Box<[usize]>,
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
                claims.add(phrase, |ending| ending.of.push(index));
            }
            for phrase in &named.unless {
                claims.add(phrase, |ending| ending.not.push(index));
            }
        }
        let longest: Vec<Box<str>> =
            claims.endings.values().flatten().map(|(ending, _)| ending.clone()).collect();
        for longest in longest {
            let rules = claims.together(&longest);
            claims.add(&longest, |ending| ending.rules = rules);
        }
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(vendors);
        claims.vendors = Some(automaton.map_err(|source| Error::Automaton { source: source.into() })?);
        Ok(claims)
    }

    fn add(&mut self, phrase: &str, add: impl FnOnce(&mut Ending)) {
        let alike = self.endings.entry(tail(phrase, TAIL)).or_default();
        if let Some((_, ending)) = alike.iter_mut().find(|(known, _)| &**known == phrase) {
            add(ending);
        } else {
            let mut ending = Ending::default();
            add(&mut ending);
            alike.push((phrase.into(), ending));
        }
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
    pub fn of(&self, squashed: &str) -> &[usize] {
        self.endings(squashed).max_by_key(|(ending, _)| ending.len()).map_or(&[], |(_, ending)| &ending.rules)
    }

    /// All endings of a name.
    fn endings(&self, squashed: &str) -> impl Iterator<Item = &Known> {
        // A shorter ending than the tail stands under fewer letters.
        let alike =
            (1..=TAIL.min(squashed.len())).filter_map(|length| self.endings.get(&tail(squashed, length)));
        alike.flatten().filter(|(ending, _)| squashed.ends_with(&**ending))
    }

    /// The rules of a name that has no longer ending than `longest`.
    fn together(&self, longest: &str) -> Box<[usize]> {
        let (mut of, mut not) = (Vec::new(), Vec::new());
        for (_, ending) in self.endings(longest) {
            of.extend(&ending.of);
            not.extend(&ending.not);
        }
        of.sort_unstable();
        of.dedup();
        of.retain(|rule| !not.contains(rule));
        of.into()
    }
}

/// The last letters of a name, at most so many.
fn tail(name: &str, most: usize) -> [u8; TAIL] {
    let mut tail = [0; TAIL];
    for (place, byte) in tail.iter_mut().rev().zip(name.bytes().rev().take(most)) {
        *place = byte;
    }
    tail
}
