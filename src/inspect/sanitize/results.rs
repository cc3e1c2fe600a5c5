//! What tools answer: hidden characters out, addresses that carry data made unusable, instructions flagged.

use std::borrow::Cow;

use super::config::{Guard, Wash};
use super::hidden::{self, Hidden};
use super::links::Bad;
use super::score::score;
use super::strings::{Edit, Strings, apply, decode, outwards};
use super::{Judged, ResultRules, Sanitizer, fold};

/// JSON inside of strings that is followed.
const NESTING: usize = 3;
/// Longest string that is searched for phrases as a whole.
const LONGEST: usize = 1 << 20;

/// A judged result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaned {
    /// The text after cleaning; without a sign the very bytes that went in.
    pub json: String,
    /// What was found, and done.
    pub judged: Judged,
}

impl Sanitizer {
    /// Cleans one result as raw JSON. Cleaning twice is cleaning once.
    ///
    /// # Errors
    /// The result is refused, with every sign that was found up to there.
    pub fn result(&self, json: String, rules: &ResultRules) -> Result<Cleaned, Judged> {
        let mut judged = Judged::default();
        let sought = self.sought(&json);
        if !sought.any() {
            return Ok(Cleaned { json, judged });
        }
        let edits = self.look(&json, rules, ("", 0, sought), &mut judged);
        if judged.verdict == super::Verdict::Block {
            return Err(judged);
        }
        let json = if edits.is_empty() { json } else { apply(&json, &edits) };
        Ok(Cleaned { json, judged })
    }

    /// What there may be to look at; a few passes over the bytes, which are all that most results cost.
    fn sought(&self, json: &str) -> Sought {
        let hides =
            !json.is_ascii() || memchr::memchr(0x7F, json.as_bytes()).is_some() || escapes(json.as_bytes());
        if hides {
            return Sought { hidden: true, links: true, phrases: true };
        }
        // Nothing comes between the letters of what is looked for: where it is not, it is in no string either.
        Sought { hidden: false, links: self.links.may_link(json), phrases: self.brief.may_speak(json) }
    }

    fn look(
        &self,
        json: &str,
        rules: &ResultRules,
        (above, nesting, sought): (&str, usize, Sought),
        judged: &mut Judged,
    ) -> Vec<Edit> {
        let mut edits = Vec::new();
        let mut strings = Strings::of(json);
        while let Some(literal) = strings.next() {
            let plain = literal.raw.is_ascii() && !literal.raw.contains('\\');
            if plain && literal.raw.len() < 12 {
                continue;
            }
            let (text, origins) = decode(literal.raw);
            let place = || format!("{above}{}", strings.pointer());
            if literal.is_key {
                self.key(&text, rules, &place, judged);
                continue;
            }
            if nesting < NESTING && is_json(&text) {
                let inner = self.look(
                    &text,
                    rules,
                    (&format!("{}#", place()), nesting + 1, Sought::of(&text, sought)),
                    judged,
                );
                edits.extend(outwards(inner, literal.start, &origins));
                continue;
            }
            edits.extend(outwards(
                self.text(&text, rules, (sought, &place), judged),
                literal.start,
                &origins,
            ));
        }
        edits
    }

    /// A hidden character in the name of a member cannot be taken out: it could become another member's name.
    fn key(&self, text: &str, rules: &ResultRules, place: &dyn Fn() -> String, judged: &mut Judged) {
        if rules.hidden == Wash::Off || !hidden::may_hide(text) {
            return;
        }
        for hit in hidden::hits(text) {
            let certain = hit.what.is_certain() && rules.hidden != Wash::Flag;
            let action = if certain { "block" } else { "flag" };
            let value = text.get(hit.start..hit.end).unwrap_or_default();
            judged.add(self.reason("HIDDEN_UNICODE", hit.what.detail(), action, (place(), value)));
        }
    }

    fn text(
        &self,
        text: &str,
        rules: &ResultRules,
        (sought, place): (Sought, &dyn Fn() -> String),
        judged: &mut Judged,
    ) -> Vec<Edit> {
        let mut edits: Vec<Edit> = Vec::new();
        let hides = sought.hidden && rules.hidden != Wash::Off && hidden::may_hide(text);
        let hits = if hides { hidden::hits(text) } else { Vec::new() };
        for hit in &hits {
            let action = match rules.hidden {
                Wash::Block if hit.what.is_certain() && hit.what != Hidden::Colour => "block",
                Wash::Flag => "flag",
                Wash::Off | Wash::Clean | Wash::Block => "strip",
            };
            if action == "strip" {
                edits.push(Edit { start: hit.start, end: hit.end, with: String::new() });
            }
            // Colours are what programs print; they go without a word.
            if hit.what != Hidden::Colour {
                let value = text.get(hit.start..hit.end).unwrap_or_default();
                judged.add(self.reason("HIDDEN_UNICODE", hit.what.detail(), action, (place(), value)));
            }
        }
        if sought.links && rules.links != Wash::Off {
            self.links_of(text, rules, (&hits, place), judged, &mut edits);
        }
        if sought.phrases && rules.instructions != Guard::Off {
            self.instructions(text, rules, place, judged);
        }
        edits.sort_by_key(|edit| edit.start);
        edits
    }

    /// Addresses are looked for in the text as it will be shown, so that nothing hidden splits them.
    fn links_of(
        &self,
        text: &str,
        rules: &ResultRules,
        (hits, place): (&[hidden::Hit], &dyn Fn() -> String),
        judged: &mut Judged,
        edits: &mut Vec<Edit>,
    ) {
        let shown = if hits.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(fold::without(text, hits)) };
        if !self.links.may_link(&shown) {
            return;
        }
        // From offsets of what is shown to offsets of the text: each hidden run before moves them.
        let back = |at: usize| {
            let mut at = at;
            for hit in hits {
                if hit.start > at {
                    break;
                }
                at += hit.end - hit.start;
            }
            at
        };
        for link in self.links.bad(&shown, &rules.allowed_hosts) {
            let (kind, detail) = match link.bad {
                Bad::Data => ("EXFIL_LINK", "an address that carries data out"),
                Bad::Script => ("SCRIPT_LINK", "an address that runs a script"),
            };
            let action = match rules.links {
                Wash::Block => "block",
                Wash::Flag => "flag",
                Wash::Off | Wash::Clean => "defang",
            };
            if action == "defang" {
                let edit = link.edit;
                // The last byte is ASCII, so that its end is one further; hidden runs inside are replaced with it.
                let end = if edit.end > edit.start { back(edit.end - 1) + 1 } else { back(edit.start) };
                edits.push(Edit { start: back(edit.start), end, with: edit.with });
            }
            let address = shown.get(link.start..link.end).unwrap_or_default();
            judged.add(self.reason(kind, detail, action, (place(), address)));
        }
    }

    fn instructions(&self, text: &str, rules: &ResultRules, place: &dyn Fn() -> String, judged: &mut Judged) {
        let head = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default();
        let plain = fold::plain(head);
        if !self.brief.may_speak(&plain) {
            return;
        }
        let action = rules.instructions.action().unwrap_or("flag");
        for class in score(&self.brief, &plain).classes {
            judged.add(self.reason("INSTRUCTION", class.detail(), action, (place(), text)));
        }
    }
}

/// What may be in a text.
#[derive(Debug, Clone, Copy)]
struct Sought {
    hidden: bool,
    links: bool,
    phrases: bool,
}

impl Sought {
    fn any(self) -> bool {
        self.hidden || self.links || self.phrases
    }

    /// What may be in JSON that a string holds: its escapes hid nothing so far, but may do so now.
    fn of(text: &str, outer: Self) -> Self {
        if escapes(text.as_bytes()) { Self { hidden: true, links: true, phrases: true } } else { outer }
    }
}

/// Whether a JSON text has escapes of characters that may hide something.
fn escapes(json: &[u8]) -> bool {
    let mut from = 0;
    while let Some(found) = memchr::memchr(b'\\', json.get(from..).unwrap_or_default()) {
        let at = from + found;
        if matches!(json.get(at + 1), Some(b'u' | b'b' | b'f')) {
            return true;
        }
        from = at + 1;
    }
    false
}

/// Whether a string holds JSON of its own, as the text copy of structured content does.
fn is_json(text: &str) -> bool {
    let trimmed = text.trim();
    (trimmed.starts_with('{') && trimmed.ends_with('}') || trimmed.starts_with('[') && trimmed.ends_with(']'))
        && serde_json::from_str::<serde::de::IgnoredAny>(trimmed).is_ok()
}
