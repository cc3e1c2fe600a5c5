//! Finds values in one text: an automaton over every prefix and name leads to rules that look at a bounded window,
//! digits lead to shapes with check digits. Nothing here knows of JSON.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::checks::{Check, placeholder};
use super::context::{Lexicon, NEUTRAL, Topic, VERSION};
use super::decode;
use super::digits;
use super::follow::{State, follow, starts, strength};
use super::found::{Around, Effort, Evidence, Found, Lead, Leads};
use super::named::{Stands, secret};
use super::normalise::Hints;
use super::notes::{Notes, Why};
use super::numbers::Numbers;
use super::place::Place;
use super::rules::{How, Neutral, Rule, Scanner};
use super::{Blocked, Error};

/// All rules of the configuration, in one automaton.
pub(super) struct Engine {
    rules: Vec<Rule>,
    automaton: AhoCorasick,
    /// For each pattern of the automaton, what it leads to.
    triggers: Vec<Vec<Trigger>>,
    numbers: Numbers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trigger {
    /// A rule by its index.
    Rule(usize),
    /// A character may be written as a code.
    Coded,
    /// Text may be quoted-printable.
    Quoted,
    /// A string may be put together of several.
    Joined,
    /// Markup may stand inside of a word.
    Tagged,
}

/// One text to scan.
pub(super) struct Scan<'s, 'a> {
    pub text: &'s str,
    pub words: &'s [Lead],
    pub digits: &'s [usize],
    pub around: &'s Around<'a>,
    /// Which rules are on, by index.
    pub on: &'s [bool],
    pub effort: &'s Effort,
    /// What is let pass, for whoever asks.
    pub notes: Option<&'s Notes>,
}

impl Scan<'_, '_> {
    /// Whether a rule is on.
    pub fn is_on(&self, rule: usize) -> bool {
        self.on.get(rule) == Some(&true)
    }

    /// Notes that a candidate is let pass.
    pub fn pass(&self, rule: usize, (start, end): (usize, usize), why: Why) {
        if let Some(notes) = self.notes {
            notes.add(rule, self.text.get(start..end).unwrap_or_default(), why);
        }
    }
}

impl Engine {
    pub fn new(rules: Vec<Rule>, neutral: &Neutral) -> Result<Self, Error> {
        let mut patterns: Vec<String> = Vec::new();
        let mut triggers: Vec<Vec<Trigger>> = Vec::new();
        let mut lead = |pattern: String, trigger: Trigger| {
            let pattern = pattern.to_ascii_lowercase();
            let known = patterns.iter().position(|known| *known == pattern).unwrap_or(patterns.len());
            if known == patterns.len() {
                patterns.push(pattern);
                triggers.push(Vec::new());
            }
            if let Some(of_pattern) = triggers.get_mut(known).filter(|known| !known.contains(&trigger)) {
                of_pattern.push(trigger);
            }
        };
        for (index, rule) in rules.iter().enumerate() {
            for pattern in starts(rule) {
                lead(pattern, Trigger::Rule(index));
            }
        }
        for code in
            ["\\u", "\\x", "\\0", "\\1", "%2", "%3", "%4", "%5", "%6", "%7", "%c", "%d", "%e", "%f", "&#"]
        {
            lead(code.to_owned(), Trigger::Coded);
        }
        for name in [
            "commat",
            "period",
            "nbsp",
            "hyphen",
            "dash",
            "lowbar",
            "amp",
            "shy",
            "zwnj",
            "zwj",
            "zerowidthspace",
            "nobreak",
        ] {
            lead(format!("&{name};"), Trigger::Coded);
        }
        for code in ["=2", "=3", "=4", "=5", "=6", "=7", "=\n", "=\r\n", "=\\n", "=\\r\\n"] {
            lead(code.to_owned(), Trigger::Quoted);
        }
        for quote in ["\"", "'", "`"] {
            for code in ["+", " +", "\n+", ".", " .", "&", " &", "||", " ||", " \"", " '", " \\\"", "\n"] {
                lead(format!("{quote}{code}"), Trigger::Joined);
            }
        }
        for tag in [
            "b", "i", "em", "strong", "span", "u", "s", "a", "font", "code", "small", "mark", "sub", "sup",
            "tt",
        ] {
            lead(format!("</{tag}>"), Trigger::Tagged);
        }
        for tag in ["<!--", "<wbr", "**"] {
            lead(tag.to_owned(), Trigger::Tagged);
        }
        // Standard semantics report every overlapping hit: none can hide behind another. The DFA is three times as
        // fast as what the builder would choose by itself.
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .prefilter(false)
            .build(&patterns)
            .map_err(|source| Error::Automaton { source })?;
        let topics = rules.iter().zip(0..).flat_map(|(rule, topic): (&Rule, Topic)| {
            rule.context.iter().map(move |phrase| (phrase.as_str(), topic))
        });
        let labels = neutral.labels.iter().map(|phrase| (phrase.as_str(), NEUTRAL));
        let versions = neutral.versions.iter().map(|phrase| (phrase.as_str(), VERSION));
        let lexicon = Lexicon::new(topics.chain(labels).chain(versions))?;
        let numbers = Numbers::new(&rules, lexicon)?;
        Ok(Self { rules, automaton, triggers, numbers })
    }

    /// Gives back what the patterns of all rules take, until they are needed again.
    pub fn rest(&mut self) {
        self.rules.iter_mut().for_each(Rule::rest);
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether a rule finds values without context.
    pub fn stands_alone(&self, rule: usize) -> bool {
        self.rules.get(rule).is_some_and(Rule::alone)
    }

    /// The dictionary of context.
    pub fn lexicon(&self) -> &Lexicon {
        &self.numbers.lexicon
    }

    pub fn rule(&self, index: usize) -> Option<&Rule> {
        self.rules.get(index)
    }

    /// Goes once over the bytes and notes where to look closer.
    pub fn leads(&self, text: &str) -> Leads {
        let words = self
            .automaton
            .find_overlapping_iter(text)
            .map(|hit| Lead { start: hit.start(), end: hit.end(), pattern: hit.pattern().as_usize() })
            .collect();
        let mut leads = Leads { words, ..Leads::default() };
        digits::leads(text.as_bytes(), &mut leads.digits);
        decode::leads(text.as_bytes(), &mut leads.runs);
        leads
    }

    fn triggers(&self, lead: &Lead) -> &[Trigger] {
        self.triggers.get(lead.pattern).map_or(&[], Vec::as_slice)
    }

    /// Whether a name of a rule for named secrets is among the leads.
    pub fn names_secret(&self, leads: &[Lead]) -> bool {
        self.rules_of(leads).any(|rule| matches!(rule.how, How::Named(_) | How::Scanner(Scanner::SwiftBic)))
    }

    /// What only a decoded view of the text would show.
    pub fn hints(&self, leads: &[Lead]) -> Hints {
        let any = |trigger: Trigger| leads.iter().any(|lead| self.triggers(lead).contains(&trigger));
        Hints {
            coded: any(Trigger::Coded),
            quoted: any(Trigger::Quoted),
            joined: any(Trigger::Joined),
            tagged: any(Trigger::Tagged),
        }
    }

    fn rules_of(&self, leads: &[Lead]) -> impl Iterator<Item = &Rule> {
        leads.iter().flat_map(|lead| self.triggers(lead)).filter_map(|trigger| match trigger {
            Trigger::Rule(index) => self.rules.get(*index),
            Trigger::Coded | Trigger::Quoted | Trigger::Joined | Trigger::Tagged => None,
        })
    }

    /// Everything that the rules find in a text, overlaps included, in no special order.
    pub fn scan(&self, scan: &Scan<'_, '_>) -> Result<Vec<Found>, Blocked> {
        let mut found: Vec<Found> = Vec::new();
        let mut state = State::default();
        for lead in scan.words {
            for trigger in self.triggers(lead) {
                if let Trigger::Rule(index) = *trigger
                    && scan.is_on(index)
                    && let Some(rule) = self.rules.get(index)
                    // What a rule has already taken or looked through is not looked at again.
                    && lead.start >= state.until(index)
                    && let Some(span) = follow(rule, lead, scan, (index, &mut state))?
                {
                    state.skip_to(index, span.1);
                    let (evidence, score) = strength(rule);
                    found.push(Found::new(index, span, evidence, score));
                }
            }
        }
        if let Some(rule) = self.speaks_of_banks(scan) {
            self.numbers.bank_codes(self, rule, scan, &mut found);
        }
        if !scan.digits.is_empty() {
            self.numbers.scan(self, scan, &mut found);
        }
        Ok(found)
    }

    fn speaks_of_banks(&self, scan: &Scan<'_, '_>) -> Option<usize> {
        let triggers = scan.words.iter().flat_map(|lead| self.triggers(lead));
        triggers
            .filter_map(|trigger| match trigger {
                Trigger::Rule(index) => Some(*index),
                Trigger::Coded | Trigger::Quoted | Trigger::Joined | Trigger::Tagged => None,
            })
            .find(|index| {
                scan.is_on(*index)
                    && self
                        .rules
                        .get(*index)
                        .is_some_and(|rule| matches!(rule.how, How::Scanner(Scanner::SwiftBic)))
            })
    }

    /// The rule whose name the place has, if the whole of `value` is what it names.
    pub fn named(&self, value: &str, place: &Place, on: &[bool]) -> Option<Found> {
        let on = self.rules.iter().enumerate().filter(|(index, _)| on.get(*index) == Some(&true));
        on.filter_map(|(index, rule)| {
            let fits = match &rule.how {
                How::Named(named) => {
                    named.claims(place)
                        && secret(rule, named, value, Stands::Apart)
                        && (rule.vendors.is_empty() || place.holds(&rule.vendors))
                }
                How::Keyed(pattern) => {
                    let topic = Topic::try_from(index).unwrap_or(NEUTRAL);
                    place
                        .own
                        .iter()
                        .any(|name| name.hits.get(topic).is_some_and(|hit| !name.hits.outdone(hit)))
                        && pattern.is_match(value.as_bytes())
                        && !placeholder(value)
                }
                How::Scanner(Scanner::SwiftBic) => {
                    let topic = Topic::try_from(index).unwrap_or(NEUTRAL);
                    Check::SwiftBic.passes(value.as_bytes()) && place.speaks_of(topic, false).is_some()
                }
                How::Token(_) | How::Forms(_) | How::Scanner(_) => false,
            };
            let (evidence, score) = strength(rule);
            fits.then(|| Found::new(index, (0, value.len()), evidence, score))
        })
        .max_by_key(|found| (found.score, std::cmp::Reverse(found.rule)))
    }

    /// The same for a JSON number.
    pub fn named_number(&self, place: &Place, on: &[bool]) -> Option<Found> {
        self.rules.iter().enumerate().filter(|(index, _)| on.get(*index) == Some(&true)).find_map(
            |(index, rule)| match &rule.how {
                How::Named(named) if named.numbers && named.claims(place) => {
                    Some(Found::new(index, (0, 0), Evidence::Key, 300))
                }
                _ => None,
            },
        )
    }

    /// The rule that the digits of a JSON number satisfy as a whole.
    pub fn number(&self, digits: &str, scan: &Scan<'_, '_>) -> Option<Found> {
        self.numbers.number(self, digits, scan)
    }
}
