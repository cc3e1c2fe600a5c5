//! Which types the words around a value speak of: phrases of all rules in one dictionary.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};

use super::Error;
use super::bytes::{self, ALPHANUMERIC, LETTER};
use super::hasher::Quick;
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
    phrases: HashMap<Box<str>, Vec<Topic>, Quick>,
    longest: usize,
    /// All phrases have a letter.
    worded: bool,
    /// How phrases begin: most words begin none.
    starts: Starts,
    foreign: AhoCorasick,
    foreign_topics: Vec<Vec<Topic>>,
}

impl Lexicon {
    pub fn new<'p>(phrases: impl IntoIterator<Item = (&'p str, Topic)>) -> Result<Self, Error> {
        let mut plain: HashMap<Box<str>, Vec<Topic>, Quick> = HashMap::default();
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
                let squashed = Folded::of(phrase).squashed().to_owned();
                plain.entry(squashed.into()).or_default().push(topic);
            }
        }
        let starts = Starts::of(plain.keys().map(|phrase| phrase.as_bytes()));
        let foreign = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(&foreign)
            .map_err(|source| Error::Automaton { source: source.into() })?;
        let longest = plain.keys().map(|phrase| phrase.len()).max().unwrap_or(0);
        let worded = plain.keys().all(|phrase| phrase.contains(char::is_alphabetic));
        Ok(Self { phrases: plain, longest, worded, starts, foreign, foreign_topics })
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
                    for topic in self.phrases.get(part).filter(|_| enough).into_iter().flatten() {
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
        let squashed = folded.squashed();
        let words = folded.words();
        let mut rest = words;
        while let [(from, ..), others @ ..] = rest {
            let (from, phrases) = (*from, rest.get(..MOST_WORDS).unwrap_or(rest));
            rest = others;
            if !squashed.as_bytes().get(from..).is_some_and(|letters| self.starts.begin(letters)) {
                continue;
            }
            for (more, &(_, to, end)) in phrases.iter().enumerate() {
                if to - from > self.longest {
                    break;
                }
                let Some(phrase) = squashed.get(from..to) else { continue };
                let Some(topics) = self.phrases.get(phrase) else { continue };
                // `isn't in` is no `tin`; initials with dots are what they spell.
                let initials = || {
                    let parts = phrases.iter().take(more + 1);
                    parts.filter(|(from, to, _)| to - from == 1).count()
                };
                if more > 0 && phrase.len() <= 4 && (1..=more).contains(&initials()) {
                    continue;
                }
                // Two letters mean something only right before a number.
                if phrase.len() <= 2 && text.len() - end > CLOSE {
                    continue;
                }
                for topic in topics {
                    hits.add(Hit { topic: *topic, distance: text.len() - end, length: phrase.len() });
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

/// Bits for the first letters of phrases, of each of which five bits count.
struct Starts {
    /// Phrases of up to three letters, and whatever follows them.
    short: Vec<u64>,
    /// The first four letters of longer ones; some share a bit.
    long: Vec<u64>,
}

impl Starts {
    fn of<'p>(phrases: impl Iterator<Item = &'p [u8]>) -> Self {
        let mut starts = Self { short: vec![0; 1 << 9], long: vec![0; 1 << 10] };
        let add = |bits: &mut [u64], place: usize| {
            bits.get_mut(place >> 6).into_iter().for_each(|bits| *bits |= 1 << (place & 63));
        };
        for phrase in phrases {
            if let Some(letters) = phrase.first_chunk() {
                add(&mut starts.long, Self::long(*letters));
                continue;
            }
            let missing = 3usize.saturating_sub(phrase.len()) * 5;
            let first = Self::all(phrase) << missing;
            (first..first + (1 << missing)).for_each(|place| add(&mut starts.short, place));
        }
        starts
    }

    /// Whether a phrase may begin so.
    fn begin(&self, letters: &[u8]) -> bool {
        let holds = |bits: &[u64], place: usize| {
            bits.get(place >> 6).is_some_and(|bits| bits >> (place & 63) & 1 == 1)
        };
        let first = |at: usize| letters.get(at).map_or(0, |letter| usize::from(letter & 31));
        holds(&self.short, first(0) << 10 | first(1) << 5 | first(2))
            || letters.first_chunk().is_some_and(|letters| holds(&self.long, Self::long(*letters)))
    }

    /// The letters as one number.
    fn all(letters: &[u8]) -> usize {
        letters.iter().fold(0, |all, letter| all << 5 | usize::from(letter & 31))
    }

    fn long(letters: [u8; 4]) -> usize {
        Self::all(&letters).wrapping_mul(0x9E37_79B9) >> 12 & 0xFFFF
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
