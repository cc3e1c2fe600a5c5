//! What stands around the numbers of one text: words before them, titles of columns, keys.

use std::cell::{Cell, OnceCell};

use super::context::{Hit, Hits, Lexicon, Marks, NEUTRAL, Topic, VERSION};
use super::engine::{Engine, Scan};
use super::rules::{How, Rule, Scanner};
use super::tables::{Place, Tables, Title};
use super::words::Folded;

/// What stands around numbers of one text, read when first asked for.
pub(super) struct Surroundings<'s, 'a> {
    pub scan: &'s Scan<'s, 'a>,
    lexicon: &'s Lexicon,
    /// The start whose words were read last, their topics, and memory for words.
    last: (usize, Hits, Folded),
    /// The start that was asked about last, and what is spoken of before it and by its column.
    marks: (usize, Marks, Option<Marks>),
    /// What the names on the way speak of.
    place: Option<Marks>,
    tables: OnceCell<Tables>,
    /// The start whose column was looked for last, and its title.
    column: Cell<(usize, Option<Place>)>,
    /// Bytes of the text without white space at its ends.
    bare: OnceCell<usize>,
}

impl<'s, 'a> Surroundings<'s, 'a> {
    pub fn new(scan: &'s Scan<'s, 'a>, lexicon: &'s Lexicon) -> Self {
        let last = (usize::MAX, Hits::default(), Folded::default());
        let column = Cell::new((usize::MAX, None));
        Self {
            scan,
            lexicon,
            last,
            marks: (usize::MAX, 0, None),
            place: None,
            tables: OnceCell::new(),
            column,
            bare: OnceCell::new(),
        }
    }
}

impl Surroundings<'_, '_> {
    /// The words before `start`.
    pub fn near(&mut self, start: usize) -> &Hits {
        let (last, hits, words) = &mut self.last;
        if *last != start {
            *last = start;
            self.lexicon.before(self.scan.text, start, (words, hits));
        }
        hits
    }

    /// Whether anything at all around a value may speak of one of these topics; what `context` needs to say so.
    pub fn may_speak_of(&mut self, topics: Marks, start: usize) -> bool {
        if self.marks.0 != start {
            let around = *self.place.get_or_insert_with(|| self.scan.around.marks());
            self.marks = (start, around | self.near(start).marks(), None);
        }
        let (_, near, column) = self.marks;
        if near & topics != 0 {
            return true;
        }
        // Columns are looked for last: the tables of a text are read then.
        let column =
            column.unwrap_or_else(|| self.column(start).map_or(0, |title| title.hits(self.lexicon).marks()));
        self.marks.2 = Some(column);
        column & topics != 0
    }

    pub fn weak(engine: &Engine, rule: usize) -> bool {
        engine.rule(rule).and_then(Rule::forms).is_some_and(|forms| forms.weak)
    }

    /// Whether something says that a value is of this rule: the words before it, its column, its key.
    pub fn context(&mut self, engine: &Engine, rule: usize, start: usize, end: usize) -> Option<Hit> {
        let topic = topic_of(rule);
        let dated = engine
            .rule(rule)
            .is_some_and(|rule| matches!(rule.how, How::Scanner(Scanner::DateOfBirth | Scanner::Phone)));
        let weak = dated || Self::weak(engine, rule);
        let other = |other: Topic| other != VERSION;
        let near = self.near(start);
        if let Some(hit) = near.get(topic) {
            let outbid = near.outdone(hit) || (weak && near.nearer(hit, other));
            return (!outbid).then_some(hit);
        }
        let says_else = near.get(NEUTRAL).is_some() || (weak && !near.is_empty());
        if let Some(column) = self.column(start) {
            let hits = column.hits(self.lexicon);
            if let Some(hit) = hits.get(topic).filter(|hit| !hits.outdone(*hit)) {
                return Some(hit);
            }
        }
        if says_else {
            return None;
        }
        // The key of a long text speaks of no number in it.
        let short = self.bare_length() <= (end - start) * 2 + 16;
        self.scan.around.speaks_of(topic, weak).filter(|_| short || !weak)
    }

    /// Bytes of the text without white space at its ends.
    pub fn bare_length(&self) -> usize {
        *self.bare.get_or_init(|| self.scan.text.trim().len())
    }

    /// The title of the column in which a value of a table stands.
    fn column(&self, start: usize) -> Option<&Title> {
        let text = self.scan.text;
        let tables = self.tables.get_or_init(|| Tables::read(text));
        let (last, mut place) = self.column.get();
        if last != start {
            place = tables.column(text, start);
            self.column.set((start, place));
        }
        place.and_then(|place| tables.title(place))
    }

    fn neutral_column(&self, start: usize) -> bool {
        self.column(start).is_some_and(|column| column.hits(self.lexicon).holds(NEUTRAL))
    }

    /// Whether the words before, the column or the key say that a number is none of ours.
    pub fn neutral(&mut self, start: usize) -> bool {
        self.near(start).holds(NEUTRAL) || self.scan.around.neutral() || self.neutral_column(start)
    }

    /// The same, but words that belong to another number or sentence do not count.
    pub fn disowned(&mut self, start: usize) -> bool {
        let Some(hit) = self.near(start).get(NEUTRAL) else { return self.neutral(start) };
        if self.scan.around.neutral() || self.neutral_column(start) {
            return true;
        }
        let between = start.checked_sub(hit.distance).and_then(|from| self.scan.text.get(from..start));
        !between.is_some_and(ends_a_thought)
    }

    pub fn tells_address(&mut self, topic: Topic, start: usize, doubtful: bool) -> bool {
        let near = self.near(start);
        let (own, version) = (near.get(topic), near.get(VERSION));
        // A line that ends with a version: the next one of a log begins with whoever asked.
        let between = |hit: &Hit| self.scan.text.get(start.saturating_sub(hit.distance)..start);
        let ends = |between: &str| {
            between.split_once('\n').is_some_and(|(line, _)| line.bytes().any(|byte| byte.is_ascii_digit()))
        };
        let version = version.filter(|hit| !between(hit).is_some_and(ends));
        if let Some(hit) = own {
            return version.is_none_or(|version| hit.distance <= version.distance);
        }
        let around = &self.scan.around;
        version.is_none()
            && (!doubtful || around.speaks_of(topic, false).is_some())
            && around.own.iter().all(|name| name.hits.get(VERSION).is_none())
    }
}

/// Whether a number, a line or a sentence ends in a text.
fn ends_a_thought(text: &str) -> bool {
    let mut parts: Vec<&str> = text.split(". ").collect();
    parts.pop();
    let sentence =
        parts.iter().any(|part| part.chars().rev().take_while(|letter| letter.is_alphanumeric()).count() > 3);
    sentence || text.contains(['\n', ';', '!', '?', '。']) || text.bytes().any(|byte| byte.is_ascii_digit())
}

/// How near and how telling the words are, as a part of a score.
pub(super) fn nearness(hit: Hit) -> u32 {
    let distance = u32::try_from(hit.distance.min(60)).unwrap_or(60);
    100 + (60 - distance) + u32::try_from(hit.length.min(30)).unwrap_or(0)
}

/// The topic of a rule.
pub(super) fn topic_of(rule: usize) -> Topic {
    Topic::try_from(rule).unwrap_or(NEUTRAL)
}
