//! Where a value stands: the names on the way to it, and what they speak of.

use std::collections::HashMap;
use std::sync::Arc;

use super::claims::Claims;
use super::context::{Hit, Hits, Lexicon, Marks, NEUTRAL, Topic};
use super::hasher::{Keyed, Quick};
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
/// Names that the protocol and most services use, beside those that say nothing.
const USUAL: &[&str] = &[
    "_meta",
    "annotations",
    "arguments",
    "attributes",
    "author",
    "count",
    "created",
    "created_at",
    "date",
    "description",
    "details",
    "email",
    "error",
    "field",
    "items",
    "key",
    "kind",
    "label",
    "line",
    "metadata",
    "method",
    "mimeType",
    "name",
    "params",
    "path",
    "properties",
    "query",
    "records",
    "resource",
    "results",
    "rows",
    "status",
    "structuredContent",
    "summary",
    "timestamp",
    "title",
    "type",
    "updated_at",
    "uri",
    "url",
    "user",
    "users",
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

/// What usual names speak of, found out once for all messages.
pub(super) struct Usual(HashMap<&'static str, Arc<Name>, Quick>);

impl Usual {
    pub fn new(lexicon: &Lexicon, claims: &Claims) -> Self {
        let names = USUAL.iter().chain(GENERIC);
        Self(names.map(|name| (*name, Arc::new(Name::new((lexicon, claims), name)))).collect())
    }
}

impl Name {
    fn new((lexicon, claims): (&Lexicon, &Claims), name: &str) -> Self {
        let folded = Folded::of_name(name);
        let generic =
            GENERIC.contains(&folded.squashed()) || folded.squashed().bytes().all(|b| b.is_ascii_digit());
        let hits = lexicon.name(name.get(..name.floor_char_boundary(96)).unwrap_or_default());
        let rules = claims.of(folded.squashed()).into();
        let vendors = claims.vendors(folded.squashed());
        Self { folded, hits, rules, vendors, generic }
    }
}

/// Names that were met before in a message.
#[derive(Default)]
pub(super) struct Names {
    known: HashMap<Box<str>, Arc<Name>, Keyed>,
}

impl Names {
    pub fn get(&mut self, (usual, lexicon, claims): (&Usual, &Lexicon, &Claims), name: &str) -> Arc<Name> {
        if let Some(known) = usual.0.get(name).or_else(|| self.known.get(name)) {
            return known.clone();
        }
        if self.known.len() >= KEPT {
            self.known.clear();
        }
        let made = Arc::new(Name::new((lexicon, claims), name));
        self.known.insert(name.into(), made.clone());
        made
    }
}

/// The names that say what one value is.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// The names that are the value's own: its key, or for `{"name": …, "value": …}` the name.
    pub own: Vec<Arc<Name>>,
    /// Keys above, the nearest first, and labels: the same for all members of an object.
    pub above: Arc<[Arc<Name>]>,
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

    /// What any name speaks of, rightly or not.
    pub fn marks(&self) -> Marks {
        self.own.iter().chain(self.above.iter()).fold(0, |marks, name| marks | name.hits.marks())
    }

    /// Whether the value's own names say that it is none of ours.
    pub fn neutral(&self) -> bool {
        self.own.iter().any(|name| name.hits.get(NEUTRAL).is_some())
    }

    /// Whether the value's own name ends in `id`: such numbers are often as long as those of cards.
    pub fn names_id(&self) -> bool {
        let last = |name: &Arc<Name>| {
            let (from, to, _) = name.folded.words().last().copied().unwrap_or_default();
            name.folded.squashed().get(from..to) == Some("id")
        };
        self.own.iter().any(last)
    }

    /// The rules of whose vendors the names speak.
    pub fn vendors(&self) -> impl Iterator<Item = usize> {
        self.own.iter().chain(self.above.iter()).flat_map(|name| name.vendors.iter().copied())
    }
}
