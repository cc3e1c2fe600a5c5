//! Which types the words around a value speak of: phrases of all rules in one dictionary.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, MatchKind};

use super::Error;
use super::bytes::{self, ALPHANUMERIC, LETTER};
use super::phrases::Phrases;
use super::words::{Folded, REACH};

/// A rule by its index, or one of the topics below.
pub(super) type Topic = u16;
/// Words that say that a number is nothing of ours: order, ticket, version.
pub(super) const NEUTRAL: Topic = u16::MAX;
/// Words in front of version numbers.
pub(super) const VERSION: Topic = u16::MAX - 1;

/// Words in a row that one phrase may have.
const MOST_WORDS: usize = 5;
/// Bytes between a phrase of two letters and its number.
const CLOSE: usize = 20;
/// From this code on scripts are looked through for phrases, not split into words: many of them have no spaces,
/// others decline their words.
const FOREIGN: char = '\u{370}';

/// One topic that a text speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    pub topic: Topic,
    /// Bytes between the phrase and what follows the text.
    pub distance: usize,
    /// Letters of the phrase.
    pub length: usize,
}

/// All topics that a text speaks of, each by its nearest phrase.
#[derive(Debug, Clone, Default)]
pub(super) struct Hits {
    each: Vec<Hit>,
    /// What it may be about at a glance.
    marks: Marks,
}

/// A bit for each topic; some share one.
pub(super) type Marks = u128;

/// The bit of a topic.
pub(super) fn mark(topic: Topic) -> Marks {
    1 << (topic % 128)
}

impl Hits {
    pub fn get(&self, topic: Topic) -> Option<Hit> {
        self.each.iter().find(|hit| hit.topic == topic).copied()
    }

    pub fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    /// Whether a topic is spoken of at all.
    pub fn holds(&self, topic: Topic) -> bool {
        self.marks & mark(topic) != 0 && self.each.iter().any(|hit| hit.topic == topic)
    }

    /// Whether another topic than `topic` lies nearer than `hit`.
    pub fn nearer(&self, hit: Hit, counts: impl Fn(Topic) -> bool) -> bool {
        self.each.iter().any(|other| {
            other.topic != hit.topic && counts(other.topic) && other.distance < hit.distance
                // Part of the same phrase: `insurance number` in `national insurance number`.
                && !(other.distance == hit.distance && other.length <= hit.length)
        })
    }

    /// Whether the same words, or more of them, say something else: `account number` against `order account number`.
    pub fn outdone(&self, hit: Hit) -> bool {
        self.get(NEUTRAL).is_some_and(|neutral| {
            neutral.distance < hit.distance
                || (neutral.distance == hit.distance && neutral.length > hit.length)
        })
    }

    /// A bit for each topic that is spoken of.
    pub fn marks(&self) -> Marks {
        self.marks
    }

    fn clear(&mut self) {
        self.each.clear();
        self.marks = 0;
    }

    fn add(&mut self, hit: Hit) {
        self.marks |= mark(hit.topic);
        match self.each.iter_mut().find(|known| known.topic == hit.topic) {
            Some(known) => {
                if (hit.distance, std::cmp::Reverse(hit.length))
                    < (known.distance, std::cmp::Reverse(known.length))
                {
                    *known = hit;
                }
            }
            None => self.each.push(hit),
        }
    }
}

/// The dictionary.
pub(super) struct Lexicon {
    phrases: Phrases,
    /// All phrases have a letter.
    worded: bool,
    foreign: AhoCorasick,
    foreign_topics: Vec<Vec<Topic>>,
}

impl Lexicon {
    pub fn new<'p>(phrases: impl IntoIterator<Item = (&'p str, Topic)>) -> Result<Self, Error> {
        let mut phrases_of: BTreeMap<String, Vec<Topic>> = BTreeMap::new();
        let mut foreign: Vec<String> = Vec::new();
        let mut foreign_topics: Vec<Vec<Topic>> = Vec::new();
        for (phrase, topic) in phrases {
            if phrase.chars().any(|letter| letter >= FOREIGN) {
                let phrase = phrase.to_lowercase();
                let index = foreign.iter().position(|known| *known == phrase).unwrap_or(foreign.len());
                if index == foreign.len() {
                    foreign.push(phrase);
                    foreign_topics.push(Vec::new());
                }
                foreign_topics.get_mut(index).into_iter().for_each(|topics| topics.push(topic));
            } else {
                phrases_of.entry(Folded::of(phrase).squashed().to_owned()).or_default().push(topic);
            }
        }
        let foreign = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(&foreign)
            .map_err(|source| Error::Automaton { source: source.into() })?;
        let worded = phrases_of.keys().all(|phrase| phrase.contains(char::is_alphabetic));
        Ok(Self { phrases: Phrases::new(phrases_of), worded, foreign, foreign_topics })
    }

    /// What the text that ends at `at` speaks of, as far back as context reaches, into the memory of earlier hits.
    pub fn before(&self, text: &str, at: usize, (words, hits): (&mut Folded, &mut Hits)) {
        self.read(near(text, at), (words, hits));
    }

    /// What a name (a key, a label, a column) speaks of.
    pub fn name(&self, name: &str) -> Hits {
        let mut hits = self.of(name);
        // Names may be written together: `customerssn`, `nhsnumber`.
        let folded = Folded::of(name);
        if let [(from, to, _)] = folded.words()
            && let Some(word) = folded.squashed().get(*from..*to)
        {
            for (cut, _) in word.char_indices().skip(1).filter(|(cut, _)| word.len() - cut >= 5 || *cut >= 5)
            {
                let (head, tail) = word.split_at(cut);
                for (part, enough) in [(head, cut >= 5), (tail, word.len() - cut >= 5)] {
                    for topic in self.phrases.find(part).iter().filter(|_| enough) {
                        hits.add(Hit { topic: *topic, distance: 0, length: part.len() });
                    }
                }
            }
        }
        hits
    }

    fn of(&self, text: &str) -> Hits {
        let mut hits = Hits::default();
        self.read(text, (&mut Folded::default(), &mut hits));
        hits
    }

    fn read(&self, text: &str, (folded, hits): (&mut Folded, &mut Hits)) {
        hits.clear();
        // Between numbers there are no words.
        if self.worded && text.bytes().all(|byte| byte.is_ascii() && !bytes::is(byte, LETTER)) {
            return;
        }
        folded.read(text);
        let letters = folded.letters();
        let mut rest = folded.words();
        while let [(from, ..), others @ ..] = rest {
            let (from, words) = (*from, rest.get(..MOST_WORDS).unwrap_or(rest));
            rest = others;
            let Some(mut phrase) = self.phrases.begin(letters.get(from..).unwrap_or_default()) else {
                continue;
            };
            for (more, &(_, to, end)) in words.iter().enumerate() {
                let length = to - from;
                let Some(topics) = phrase.up_to(length) else { break };
                if topics.is_empty() {
                    continue;
                }
                // `isn't in` is no `tin`; initials with dots are what they spell.
                let initials = || words.iter().take(more + 1).filter(|(from, to, _)| to - from == 1).count();
                if more > 0 && length <= 4 && (1..=more).contains(&initials()) {
                    continue;
                }
                // Two letters mean something only right before a number.
                if length <= 2 && text.len() - end > CLOSE {
                    continue;
                }
                for topic in topics {
                    hits.add(Hit { topic: *topic, distance: text.len() - end, length });
                }
            }
        }
        if !text.is_ascii() {
            self.read_foreign(text, hits);
        }
    }

    fn read_foreign(&self, text: &str, hits: &mut Hits) {
        // The letters of Latin, accents or not, begin no phrase here.
        if text.chars().all(|letter| letter < FOREIGN) {
            return;
        }
        let lower = text.to_lowercase();
        for found in self.foreign.find_overlapping_iter(&lower) {
            for topic in self.foreign_topics.get(found.pattern().as_usize()).into_iter().flatten() {
                let distance = lower.len().saturating_sub(found.end());
                hits.add(Hit { topic: *topic, distance, length: found.len() });
            }
        }
    }
}

/// The part of a text before `at` that is its context: some characters of the same line; a value alone on its line
/// has the line before it too.
pub(super) fn near(text: &str, at: usize) -> &str {
    let short = text.get(at.saturating_sub(REACH)..at).filter(|head| head.is_ascii());
    if let Some(head) = short {
        return head.get(near_ascii(head.as_bytes())..).unwrap_or_default();
    }
    let floor = text.ceil_char_boundary(at.saturating_sub(REACH * 4));
    let head = text.get(floor..at).unwrap_or_default();
    let mut start = head.len();
    let mut seen_word = false;
    let (mut lines, mut count) = (0, 0);
    for (offset, &byte) in head.as_bytes().iter().enumerate().rev() {
        // Not the first byte of its character.
        if byte & 0xC0 == 0x80 {
            continue;
        }
        if byte == b'\n' {
            lines += 1;
            if seen_word || lines > 2 {
                break;
            }
        }
        if count >= REACH {
            break;
        }
        count += 1;
        seen_word = seen_word || starts_word(head, offset);
        start = offset;
    }
    head.get(start..).unwrap_or_default()
}

/// Whether the character at `offset` is a letter or digit.
fn starts_word(text: &str, offset: usize) -> bool {
    text.get(offset..).and_then(|rest| rest.chars().next()).is_some_and(char::is_alphanumeric)
}

/// Where the context begins in the text before a value, which is as long as context reaches at most.
fn near_ascii(head: &[u8]) -> usize {
    if memchr::memchr(b'\n', head).is_none() {
        return 0;
    }
    let mut seen_word = false;
    let mut lines = 0;
    for (offset, &byte) in head.iter().enumerate().rev() {
        if byte == b'\n' {
            lines += 1;
            if seen_word || lines > 2 {
                return offset + 1;
            }
        }
        seen_word |= bytes::is(byte, ALPHANUMERIC);
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_phrase_counts_and_scripts_without_spaces_are_searched() {
        let lexicon = Lexicon::new([
            ("social security number", 1),
            ("order", NEUTRAL),
            ("sécurité sociale", 2),
            ("身份证", 3),
            ("паспорт", 4),
        ])
        .unwrap();
        let before = |text: &str| {
            let mut hits = Hits::default();
            lexicon.before(text, text.len(), (&mut Folded::default(), &mut hits));
            hits
        };
        let hits = before("her social security number is ");
        assert!(hits.get(1).is_some() && hits.get(2).is_none());
        let both = before("social security number, order ");
        assert!(both.outdone(both.get(1).unwrap()));
        assert!(lexicon.name("socialSecurityNumber").get(1).is_some());
        assert!(lexicon.name("SECURITE_SOCIALE").get(2).is_some());
        assert!(lexicon.name("customersocialsecuritynumber").get(1).is_some());
        assert!(lexicon.name("他的身份证号码为").get(3).is_some());
        assert!(lexicon.name("номер паспорта").get(4).is_some());
        assert!(before("social security number\nfiled today\n").is_empty());
    }
}
