//! Where a value stands: the names on the way to it, and what they speak of.

use std::collections::HashMap;
use std::rc::Rc;

use super::claims::Claims;
use super::context::{Hit, Hits, Lexicon, NEUTRAL, Topic};
use super::hasher::Keyed;
use super::words::Folded;

/// Keys that say nothing about their value, so that the key above speaks for it.
const GENERIC: &[&str] = &[
    "number",
    "no",
    "num",
    "nr",
    "id",
    "value",
    "val",
    "code",
    "text",
    "content",
    "data",
    "raw",
    "string",
    "plain",
    "plaintext",
    "identifier",
    "stringvalue",
    "secretstring",
    "numero",
    "nummer",
    "input",
    "answer",
    "response",
    "body",
    "message",
    "note",
    "current",
    "primary",
    "main",
    "first",
    "second",
    "old",
    "new",
    "full",
    "formatted",
    "original",
    "display",
    "item",
    "result",
];
/// Names that are kept; more than any message has.
const KEPT: usize = 4_096;

/// One key, label or column.
#[derive(Debug, Clone, Default)]
pub(super) struct Name {
    pub folded: Folded,
    pub hits: Hits,
    /// The rules for named secrets that it belongs to.
    pub rules: Box<[usize]>,
    /// The rules of whose vendors it speaks.
    pub vendors: Box<[usize]>,
    /// It says nothing about its value.
    pub generic: bool,
}

/// Names that were met before.
#[derive(Default)]
pub(super) struct Names {
    known: HashMap<Box<str>, Rc<Name>, Keyed>,
}

impl Names {
    pub fn get(&mut self, (lexicon, claims): (&Lexicon, &Claims), name: &str) -> Rc<Name> {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        if self.known.len() >= KEPT {
            self.known.clear();
        }
        let folded = Folded::of_name(name);
        let generic =
            GENERIC.contains(&folded.squashed()) || folded.squashed().bytes().all(|b| b.is_ascii_digit());
        let hits = lexicon.name(name.get(..name.floor_char_boundary(96)).unwrap_or_default());
        let rules = claims.of(folded.squashed());
        let vendors = claims.vendors(folded.squashed());
        let made = Rc::new(Name { folded, hits, rules, vendors, generic });
        self.known.insert(name.into(), made.clone());
        made
    }
}

/// The names that say what one value is.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// The names that are the value's own: its key, or for `{"name": …, "value": …}` the name.
    pub own: Vec<Rc<Name>>,
    /// Keys above, the nearest first, and labels: the same for all members of an object.
    pub above: Rc<[Rc<Name>]>,
}

impl Place {
    /// Whether the names speak of a topic. A weak one must not be spoken of from afar.
    pub fn speaks_of(&self, topic: Topic, weak: bool) -> Option<Hit> {
        if let Some(hit) =
            self.own.iter().find_map(|name| name.hits.get(topic).filter(|hit| !name.hits.outdone(*hit)))
        {
            let other = |other: Topic| other != NEUTRAL;
            let outbid = self.own.iter().any(|name| name.hits.nearer(hit, other));
            return (!weak || !outbid).then_some(hit);
        }
        let says_else = self.own.iter().any(|name| !name.hits.is_empty() && !name.generic);
        let generic = self.own.iter().all(|name| name.generic);
        if says_else && (weak || self.neutral()) || (weak && !generic) {
            return None;
        }
        self.above.iter().find_map(|name| name.hits.get(topic).filter(|hit| !name.hits.outdone(*hit)))
    }

    /// Whether any name speaks of a topic, rightly or not.
    pub fn mentions(&self, topic: Topic) -> bool {
        self.own.iter().chain(self.above.iter()).any(|name| name.hits.holds(topic))
    }

    /// Whether the value's own names say that it is none of ours.
    pub fn neutral(&self) -> bool {
        self.own.iter().any(|name| name.hits.get(NEUTRAL).is_some())
    }

    /// Whether the value's own name ends in `id`: such numbers are often as long as those of cards.
    pub fn names_id(&self) -> bool {
        let last = |name: &Rc<Name>| {
            let (from, to, _) = name.folded.words().last().copied().unwrap_or_default();
            name.folded.squashed().get(from..to) == Some("id")
        };
        self.own.iter().any(last)
    }

    /// Whether some name speaks of a vendor of a rule.
    pub fn of_vendor(&self, rule: usize) -> bool {
        self.own.iter().chain(self.above.iter()).any(|name| name.vendors.binary_search(&rule).is_ok())
    }
}
