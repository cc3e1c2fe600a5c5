//! Which rules a name belongs to: its ending, looked up once for all rules.

use std::collections::HashMap;

use super::hasher::Quick;
use super::rules::{How, Rule};

/// What the endings of names say.
#[derive(Debug, Default)]
pub(super) struct Claims {
    endings: HashMap<Box<str>, Ending, Quick>,
    /// Lengths of all endings, the shortest first.
    lengths: Vec<usize>,
}

#[derive(Debug, Default)]
struct Ending {
    /// Rules that a name with this ending belongs to.
    of: Vec<usize>,
    /// Rules that it does not belong to, whatever else it ends with.
    not: Vec<usize>,
}

impl Claims {
    pub fn new(rules: &[Rule]) -> Self {
        let mut claims = Self::default();
        for (index, rule) in rules.iter().enumerate() {
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
        claims
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
