//! What a recogniser outside of the engine says of the texts of one value. It is asked once, about texts in which all that
//! the engine finds is masked already; what it says is taken in with the first round.

use std::collections::HashMap;
use std::ops::Range;

use indexmap::IndexMap;

use super::Blocked;
use super::found::Evidence;
use super::pass::{Edit, Pass, Scanned, Seen, add};
use super::pointer::fits;

/// Bytes of an ASCII text without a space beyond which it is no prose.
const WORD: usize = 256;
/// A finding from outside gives way to every one of the engine.
const SCORE: u32 = 1;

/// The texts of one value that a recogniser is to be asked about.
#[derive(Debug, Default)]
pub struct Texts {
    /// By the text as it stands in the value.
    by_text: IndexMap<String, Masked>,
    aside: Vec<Vec<String>>,
}

/// A text in which the engine's findings are masked.
#[derive(Debug)]
struct Masked {
    text: String,
    /// What was masked: where it lies in the text as it stands, and where its mask lies.
    masks: Vec<(Range<usize>, Range<usize>)>,
}

/// Something that the recogniser found in one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// The first character, counted in code points, as Python does.
    pub start: usize,
    /// The character behind the last.
    pub end: usize,
    /// The detector's type that it is treated as.
    pub kind: String,
    /// From 0 to 100.
    pub score: u32,
}

/// What is known from outside about one value.
#[derive(Debug, Default)]
pub enum Told {
    /// Nobody is to be asked.
    #[default]
    NotAsked,
    /// Nobody could say, and the settings let it pass.
    Silent,
    /// Nobody could say: the value does not pass.
    Failed(&'static str),
    /// This.
    Says(Said),
}

/// What was said of each text.
#[derive(Debug, Default)]
pub struct Said {
    by_text: HashMap<String, Vec<Span>>,
    aside: Vec<Vec<String>>,
}

#[derive(Debug, Clone)]
struct Span {
    bytes: Range<usize>,
    rule: usize,
    score: u32,
}

/// What a round does about the recogniser.
#[derive(Debug, Default)]
pub(super) enum Outside<'e> {
    /// Nothing.
    #[default]
    Nothing,
    /// It gathers what to ask.
    Asks(Texts),
    /// It takes in what was said.
    Told(&'e Said),
}

impl Texts {
    pub(super) fn new(aside: &[&str]) -> Self {
        let segments = |pointer: &&str| pointer.split('/').skip(1).map(str::to_owned).collect();
        Self { by_text: IndexMap::new(), aside: aside.iter().map(segments).collect() }
    }

    /// What to ask about, in the order in which it must be answered.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &str> {
        self.by_text.values().map(|masked| masked.text.as_str())
    }

    /// The texts with what was found in each. `rule` gives the rule of a type that counts. None if the answer does not fit
    /// the texts.
    pub(super) fn answered(
        self,
        answers: &[Vec<Entity>],
        rule: impl Fn(&str) -> Option<usize>,
    ) -> Option<Said> {
        if answers.len() != self.by_text.len() {
            return None;
        }
        let mut by_text = HashMap::new();
        for ((text, masked), entities) in self.by_text.into_iter().zip(answers) {
            let mut spans = Vec::new();
            for entity in entities {
                let bytes = bytes_of(&masked.text, entity)?;
                let Some(rule) = rule(&entity.kind) else { continue };
                let pieces = masked.pieces(bytes).into_iter();
                spans.extend(pieces.map(|bytes| Span { bytes, rule, score: entity.score }));
            }
            by_text.insert(text, spans);
        }
        Some(Said { by_text, aside: self.aside })
    }
}

impl Masked {
    fn of(text: &str, edits: &[Edit]) -> Self {
        let (mut masked, mut masks, mut at) = (String::with_capacity(text.len()), Vec::new(), 0);
        for edit in edits {
            masked.push_str(text.get(at..edit.start).unwrap_or_default());
            let from = masked.len();
            masked.push_str(&edit.with);
            masks.push((edit.start..edit.end, from..masked.len()));
            at = edit.end;
        }
        masked.push_str(text.get(at..).unwrap_or_default());
        Self { text: masked, masks }
    }

    /// Where bytes of the masked text lie in the text as it stands, without what is masked.
    fn pieces(&self, bytes: Range<usize>) -> Vec<Range<usize>> {
        let mut pieces = Vec::new();
        // What stands between two masks is the same in both texts, at another place.
        let (mut here, mut there) = (0, 0);
        let ends = self.masks.iter().map(|(source, mask)| (source.clone(), mask.clone()));
        for (source, mask) in ends.chain([(usize::MAX..usize::MAX, usize::MAX..usize::MAX)]) {
            let (from, to) = (bytes.start.max(here), bytes.end.min(mask.start));
            if from < to {
                pieces.push(there + (from - here)..there + (to - here));
            }
            (here, there) = (mask.end, source.end);
        }
        pieces
    }
}

/// Bytes of an entity, whose bounds are counted in code points. None if they are not in the text.
fn bytes_of(text: &str, entity: &Entity) -> Option<Range<usize>> {
    let mut starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let start = starts.nth(entity.start)?;
    let more = entity.end.checked_sub(entity.start)?;
    let end = if more == 0 { start } else { starts.nth(more - 1)? };
    Some(start..end)
}

/// The spans in order, overlapping ones as one over all of them, of the strongest one's rule: if they gave way to each
/// other instead, what only the weaker one covers would come out. A rule that lets its findings stay is weaker than any other.
fn joined(spans: &[Span], edits: impl Fn(usize) -> bool) -> Vec<Span> {
    let rank = |one: &Span| (edits(one.rule), one.score, one.bytes.len());
    let mut spans = spans.to_vec();
    spans.sort_by_key(|span| span.bytes.start);
    let mut joined: Vec<(Span, Range<usize>)> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some((strongest, all)) if span.bytes.start < all.end => {
                all.end = all.end.max(span.bytes.end);
                if rank(&span) > rank(strongest) {
                    *strongest = span;
                }
            }
            _ => joined.push((span.clone(), span.bytes)),
        }
    }
    joined.into_iter().map(|(strongest, bytes)| Span { bytes, ..strongest }).collect()
}

fn has_letter(text: &str) -> bool {
    text.chars().any(char::is_alphabetic)
}

/// Whether there can be prose in it. Chinese, Japanese and others write it without spaces.
fn is_prose(text: &str) -> bool {
    text.chars().filter(|letter| letter.is_alphabetic()).nth(1).is_some()
        && (text.len() <= WORD || !text.is_ascii() || text.contains(char::is_whitespace))
}

impl Pass<'_, '_> {
    /// Whether a recogniser has a say in this round.
    pub fn has_outside(&self) -> bool {
        !matches!(self.outside, Outside::Nothing)
    }

    /// Gathers one text to ask about, or takes in what was said of it.
    pub fn outside(&mut self, text: &str, pointer: &str, scanned: &mut Scanned) -> Result<(), Blocked> {
        let aside = match &self.outside {
            Outside::Nothing => return Ok(()),
            Outside::Asks(texts) => &texts.aside,
            Outside::Told(said) => &said.aside,
        };
        if !is_prose(text) || aside.iter().any(|pattern| fits(pattern, pointer)) {
            return Ok(());
        }
        match &mut self.outside {
            Outside::Nothing => {}
            Outside::Asks(texts) => {
                if !texts.by_text.contains_key(text) {
                    texts.by_text.insert(text.to_owned(), Masked::of(text, &scanned.edits()));
                }
            }
            Outside::Told(said) => {
                // What nobody was asked about does not pass.
                let missing = Blocked::Unrecognized { why: "was not asked about a text" };
                let edits = |rule| self.operators.edits(rule);
                for span in joined(said.by_text.get(text).ok_or(missing)?, edits) {
                    let value = text.get(span.bytes.clone()).unwrap_or_default();
                    if !has_letter(value) {
                        continue;
                    }
                    let Some(rule) = self.engine.rule(span.rule) else { continue };
                    let mut one = span.seen(rule.canonical.of(value), !self.operators.edits(span.rule));
                    one.with = self.operators.replace(self.engine, &one, value)?;
                    scanned.unsettled |= !one.stays;
                    add(&mut scanned.seen, one);
                }
            }
        }
        Ok(())
    }
}

impl Span {
    fn seen(&self, canonical: String, stays: bool) -> Seen {
        Seen {
            start: self.bytes.start,
            end: self.bytes.end,
            rule: self.rule,
            evidence: Evidence::Recognizer,
            score: SCORE + self.score,
            canonical,
            decoded: Vec::new(),
            with: String::new(),
            stays,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(start: usize, end: usize, with: &str) -> Edit {
        Edit { start, end, with: with.to_owned() }
    }

    fn entity(start: usize, end: usize) -> Entity {
        Entity { start, end, kind: "person".to_owned(), score: 85 }
    }

    /// What the spans of one answer cover in the text as it stands.
    fn covered(text: &str, edits: &[Edit], entities: Vec<Entity>) -> Option<Vec<String>> {
        let mut texts = Texts::new(&[]);
        texts.by_text.insert(text.to_owned(), Masked::of(text, edits));
        let said = texts.answered(&[entities], |_| Some(0))?;
        let spans = joined(said.by_text.get(text)?, |_| true).into_iter();
        Some(spans.map(|span| text.get(span.bytes).unwrap().to_owned()).collect())
    }

    #[test]
    fn characters_are_counted_not_bytes() {
        assert_eq!(covered("🙂 Zoë Müller!", &[], vec![entity(2, 12)]).unwrap(), ["Zoë Müller"]);
        assert_eq!(covered("Zoë", &[], vec![entity(0, 3)]).unwrap(), ["Zoë"]);
        assert!(covered("Zoë", &[], vec![entity(3, 3)]).unwrap().is_empty());
    }

    #[test]
    fn what_is_masked_is_left_out_and_the_rest_is_found_behind_it() {
        // "[EMAIL] Ana Li" is what was sent.
        let (text, edits) = ("a@example.org Ana Li", [edit(0, 13, "[EMAIL]")]);
        assert_eq!(covered(text, &edits, vec![entity(8, 14)]).unwrap(), ["Ana Li"]);
        assert_eq!(covered(text, &edits, vec![entity(0, 14)]).unwrap(), [" Ana Li"]);
        assert!(covered(text, &edits, vec![entity(0, 7)]).unwrap().is_empty());
        // "Ana [EMAIL][PHONE] Li": a mask may be shorter or longer than what it stands for.
        let (text, edits) = ("Ana x@y.zz+1 Li", [edit(4, 10, "[EMAIL]"), edit(10, 12, "[PHONE]")]);
        assert_eq!(covered(text, &edits, vec![entity(0, 21)]).unwrap(), ["Ana ", " Li"]);
    }

    #[test]
    fn only_what_is_ascii_needs_spaces_to_be_prose() {
        let name = "王小明";
        assert!(is_prose(&name.repeat(WORD)) && is_prose(name) && is_prose("Ana"));
        assert!(is_prose(&format!("{} Ana", "A".repeat(WORD))));
        assert!(!is_prose(&"A".repeat(WORD + 1)) && is_prose(&"A".repeat(WORD)));
        assert!(!is_prose("1 + 2") && !is_prose("７ °C"), "at least two letters");
    }

    #[test]
    fn what_overlaps_is_one_of_the_strongest_ones_type() {
        let spans = |of: &[(Range<usize>, usize, u32)]| {
            let span = |(bytes, rule, score): &(Range<usize>, usize, u32)| Span {
                bytes: bytes.clone(),
                rule: *rule,
                score: *score,
            };
            of.iter().map(span).collect::<Vec<_>>()
        };
        let shown = |of: &[(Range<usize>, usize, u32)], stays: usize| {
            let joined = joined(&spans(of), |rule| rule != stays).into_iter();
            joined.map(|one| (one.bytes, one.rule)).collect::<Vec<_>>()
        };
        let nobody = usize::MAX;
        // "John Smith of Chicago": what only the weaker one covers is covered still.
        assert_eq!(shown(&[(0..13, 0, 85), (5..21, 1, 60)], nobody), [(0..21, 0)]);
        assert_eq!(shown(&[(5..21, 1, 60), (0..13, 0, 85)], nobody), [(0..21, 0)]);
        assert_eq!(shown(&[(0..13, 0, 60), (5..21, 1, 60)], nobody), [(0..21, 1)], "the longer of equals");
        assert_eq!(shown(&[(0..9, 0, 50), (2..4, 1, 40), (8..12, 2, 90)], nobody), [(0..12, 2)], "a chain");
        assert_eq!(shown(&[(0..4, 0, 85), (4..8, 1, 85)], nobody), [(0..4, 0), (4..8, 1)], "side by side");
        // What may stay does not keep the other from going.
        assert_eq!(shown(&[(0..21, 0, 85), (14..21, 1, 60)], 0), [(0..21, 1)]);
    }

    #[test]
    fn an_answer_that_does_not_fit_is_none() {
        assert!(covered("Ana", &[], vec![entity(0, 4)]).is_none(), "beyond the end");
        assert!(covered("Ana", &[], vec![entity(2, 1)]).is_none(), "backwards");
        assert!(Texts::new(&[]).answered(&[Vec::new()], |_| Some(0)).is_none(), "one too many");
    }
}
