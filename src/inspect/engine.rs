//! Finds values in one text: an automaton over every prefix and name leads to rules that look at a bounded window,
//! digits lead to shapes with check digits. Nothing here knows of JSON.

use std::collections::HashMap;

use super::checks::{Check, placeholder};
use super::claims::Claims;
use super::classes::Classes;
use super::context::{Lexicon, NEUTRAL, Topic, VERSION};
use super::decode;
use super::digits;
use super::follow::{State, follow, of_vendor, starts, strength};
use super::found::{Around, Effort, Evidence, Found, Lead, Leads, Signs};
use super::named::{Stands, Traits, may_name};
use super::notes::{Notes, Why};
use super::numbers::Numbers;
use super::place::{Place, Usual};
use super::prefixes::Prefixes;
use super::rules::{How, Named, Neutral, Rule, Scanner};
use super::{Blocked, Error};

/// All rules of the configuration, in one automaton.
pub(super) struct Engine {
    rules: Vec<Rule>,
    prefixes: Prefixes,
    /// For each of the prefixes, what it leads to.
    triggers: Vec<Trigger>,
    numbers: Numbers,
    claims: Claims,
    usual: Usual,
    /// Rules that look at whole values, by index.
    whole: Whole,
}

/// Rules that look at the whole value of a key.
#[derive(Debug, Default)]
struct Whole {
    keyed: Vec<usize>,
    banks: Vec<usize>,
}

/// What a pattern of the automaton leads to.
#[derive(Debug, Default)]
struct Trigger {
    /// Rules that look at what begins or stands there, by index.
    rules: Vec<usize>,
    /// Rules for secrets whose name it is.
    named: Vec<usize>,
    signs: Signs,
}

/// One text to scan.
pub(super) struct Scan<'s, 'a> {
    pub text: &'s str,
    pub words: &'s [Lead],
    pub digits: &'s [usize],
    pub classes: &'s Classes,
    pub signs: Signs,
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
        let mut triggers: Vec<Trigger> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut lead = |pattern: String, add: &dyn Fn(&mut Trigger)| {
            let pattern = pattern.to_ascii_lowercase();
            let place = *known.entry(pattern).or_insert_with_key(|pattern| {
                patterns.push(pattern.clone());
                triggers.push(Trigger::default());
                patterns.len() - 1
            });
            if let Some(trigger) = triggers.get_mut(place) {
                add(trigger);
            }
        };
        let mut whole = Whole::default();
        for (index, rule) in rules.iter().enumerate() {
            let add = |trigger: &mut Trigger| trigger.add(index, rule);
            for pattern in starts(rule) {
                lead(pattern, &add);
            }
            match rule.how {
                How::Keyed(_) => whole.keyed.push(index),
                How::Scanner(Scanner::SwiftBic) => whole.banks.push(index),
                How::Token(_) | How::Named(_) | How::Forms(_) | How::Scanner(_) => {}
            }
        }
        for (pattern, sign) in signs() {
            lead(pattern, &|trigger: &mut Trigger| trigger.signs.add(sign));
        }
        let prefixes = Prefixes::new(&patterns)?;
        let topics = rules.iter().zip(0..).flat_map(|(rule, topic): (&Rule, Topic)| {
            rule.context.iter().map(move |phrase| (phrase.as_str(), topic))
        });
        let labels = neutral.labels.iter().map(|phrase| (phrase.as_str(), NEUTRAL));
        let versions = neutral.versions.iter().map(|phrase| (phrase.as_str(), VERSION));
        let lexicon = Lexicon::new(topics.chain(labels).chain(versions))?;
        let numbers = Numbers::new(&rules, lexicon)?;
        let claims = Claims::new(&rules)?;
        let usual = Usual::new(&numbers.lexicon, &claims);
        Ok(Self { rules, prefixes, triggers, numbers, claims, usual, whole })
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

    /// What usual names speak of.
    pub fn usual(&self) -> &Usual {
        &self.usual
    }

    /// Which rules a name belongs to.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Goes once over the bytes and notes where to look closer.
    pub fn leads(&self, text: &str) -> Leads {
        let mut leads = Leads::default();
        self.note(text, &mut leads);
        leads
    }

    /// The same into the memory of earlier leads.
    pub fn note(&self, text: &str, leads: &mut Leads) {
        leads.clear();
        let bytes = text.as_bytes();
        let Leads { words, signs, stops, .. } = leads;
        self.prefixes.each(bytes, stops, |hit| {
            let Some(trigger) = self.triggers.get(hit.pattern) else { return };
            signs.add(trigger.signs);
            let leads_on = !trigger.rules.is_empty()
                || (!trigger.named.is_empty() && may_name(bytes.get(hit.end).copied()));
            if leads_on {
                words.push(hit);
            }
        });
        leads.classes.read(bytes);
        digits::leads(bytes, &leads.classes, &mut leads.digits);
        decode::leads(bytes, &leads.classes.coded, &mut leads.runs);
    }

    /// Everything that the rules find in a text, overlaps included, in no special order.
    pub fn scan(&self, scan: &Scan<'_, '_>) -> Result<Vec<Found>, Blocked> {
        let mut found: Vec<Found> = Vec::new();
        let mut state = State::default();
        for lead in scan.words {
            let Some(trigger) = self.triggers.get(lead.pattern) else { continue };
            for &index in &trigger.rules {
                if scan.is_on(index)
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
            if !trigger.named.is_empty() {
                self.follow_name(lead, &trigger.named, scan, (&mut state, &mut found))?;
            }
        }
        let bank = self.whole.banks.iter().find(|index| scan.is_on(**index));
        if let Some(&rule) = bank.filter(|_| scan.signs.hold(Signs::BANK)) {
            self.numbers.bank_codes(self, rule, scan, &mut found);
        }
        if !scan.digits.is_empty() {
            self.numbers.scan(self, scan, &mut found);
        }
        Ok(found)
    }

    /// The value behind a name, for each of the rules whose name it may be.
    fn follow_name<'t>(
        &'t self,
        lead: &Lead,
        rules: &[usize],
        scan: &Scan<'t, '_>,
        (state, found): (&mut State<'t>, &mut Vec<Found>),
    ) -> Result<(), Blocked> {
        let Some(met) = state.take_met(scan.text, lead, &self.claims) else { return Ok(()) };
        for index in met.rules.iter().filter(|index| rules.binary_search(index).is_ok()) {
            let index = *index;
            if !scan.is_on(index) || lead.start < state.until(index) {
                continue;
            }
            let Some(rule) = self.rules.get(index) else { continue };
            let How::Named(named) = &rule.how else { continue };
            // Nothing was looked through for a rule that asks for another vendor, or another kind of value.
            let asked = rule.vendors.is_empty()
                || (met.traits.telling(named, Stands::InText) && of_vendor(index, scan, &met, &self.claims));
            if !asked {
                continue;
            }
            if met.traits.fit(rule, named, Stands::InText) {
                state.skip_to(index, met.span.1);
                let (evidence, score) = strength(rule);
                found.push(Found::new(index, met.span, evidence, score));
            } else {
                scan.effort.spend(met.span.1 - met.span.0)?;
            }
        }
        state.keep_met(met);
        Ok(())
    }

    /// The rule whose name the place has, if the whole of `value` is what it names.
    pub fn named(&self, value: &str, place: &Place, on: &[bool]) -> Option<Found> {
        let mut best: Option<Found> = None;
        let mut take = |index: usize, rule: &Rule| {
            let (evidence, score) = strength(rule);
            let found = Found::new(index, (0, value.len()), evidence, score);
            let stronger =
                |best: &Found| (score, std::cmp::Reverse(index)) > (best.score, std::cmp::Reverse(best.rule));
            if best.as_ref().is_none_or(stronger) {
                best = Some(found);
            }
        };
        let is_on = |index: usize| on.get(index) == Some(&true);
        let traits = Traits::of(value);
        for (index, rule, named) in self.claimed(place).filter(|(index, ..)| is_on(*index)) {
            if traits.fit(rule, named, Stands::Apart)
                && (rule.vendors.is_empty() || place.vendors().any(|rule| rule == index))
            {
                take(index, rule);
            }
        }
        for &index in self.whole.keyed.iter().filter(|index| is_on(**index)) {
            let topic = Topic::try_from(index).unwrap_or(NEUTRAL);
            if let Some(rule) = self.rules.get(index)
                && let How::Keyed(pattern) = &rule.how
                && place
                    .own
                    .iter()
                    .any(|name| name.hits.get(topic).is_some_and(|hit| !name.hits.outdone(hit)))
                && pattern.is_match(value.as_bytes())
                && !placeholder(value)
            {
                take(index, rule);
            }
        }
        for &index in self.whole.banks.iter().filter(|index| is_on(**index)) {
            let topic = Topic::try_from(index).unwrap_or(NEUTRAL);
            if let Some(rule) = self.rules.get(index)
                && Check::SwiftBic.passes(value.as_bytes())
                && place.speaks_of(topic, false).is_some()
            {
                take(index, rule);
            }
        }
        best
    }

    /// The rules for named secrets to which one of the place's own names belongs.
    fn claimed<'c>(&'c self, place: &'c Place) -> impl Iterator<Item = (usize, &'c Rule, &'c Named)> {
        place.own.iter().flat_map(|name| name.rules.iter()).filter_map(|index| {
            let rule = self.rules.get(*index)?;
            match &rule.how {
                How::Named(named) => Some((*index, rule, named)),
                How::Token(_) | How::Forms(_) | How::Keyed(_) | How::Scanner(_) => None,
            }
        })
    }

    /// The same for a JSON number.
    pub fn named_number(&self, place: &Place, on: &[bool]) -> Option<Found> {
        let fits =
            self.claimed(place).filter(|(index, _, named)| named.numbers && on.get(*index) == Some(&true));
        fits.map(|(index, ..)| index).min().map(|index| Found::new(index, (0, 0), Evidence::Key, 300))
    }

    /// The rule that the digits of a JSON number satisfy as a whole.
    pub fn number(&self, digits: &str, scan: &Scan<'_, '_>) -> Option<Found> {
        self.numbers.number(self, digits, scan)
    }
}

impl Trigger {
    fn add(&mut self, index: usize, rule: &Rule) {
        let rules = match rule.how {
            How::Named(_) => {
                self.signs.add(Signs::NAME);
                &mut self.named
            }
            How::Scanner(Scanner::SwiftBic) => {
                self.signs.add(Signs::BANK);
                self.signs.add(Signs::NAME);
                return;
            }
            How::Token(_) | How::Forms(_) | How::Keyed(_) | How::Scanner(_) => &mut self.rules,
        };
        if !rules.contains(&index) {
            rules.push(index);
        }
    }
}

/// What says, wherever it stands, that a view of the text may show more.
fn signs() -> Vec<(String, Signs)> {
    const CODES: [&str; 15] =
        ["\\u", "\\x", "\\0", "\\1", "%2", "%3", "%4", "%5", "%6", "%7", "%c", "%d", "%e", "%f", "&#"];
    const NAMES: [&str; 12] = [
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
    ];
    const QUOTED: [&str; 10] = ["=2", "=3", "=4", "=5", "=6", "=7", "=\n", "=\r\n", "=\\n", "=\\r\\n"];
    const JOINS: [&str; 11] = ["+", " +", ".", " .", "&", " &", "||", " ||", " \"", " '", " \\\""];
    const TAGS: [&str; 15] = [
        "b", "i", "em", "strong", "span", "u", "s", "a", "font", "code", "small", "mark", "sub", "sup", "tt",
    ];
    const MARKS: [&str; 3] = ["<!--", "<wbr", "**"];
    let mut signs: Vec<(String, Signs)> = Vec::new();
    signs.extend(CODES.map(|code| (code.to_owned(), Signs::CODED)));
    signs.extend(NAMES.map(|name| (format!("&{name};"), Signs::CODED)));
    signs.extend(QUOTED.map(|code| (code.to_owned(), Signs::QUOTED)));
    for quote in ["\"", "'", "`"] {
        signs.extend(JOINS.map(|join| (format!("{quote}{join}"), Signs::JOINED)));
        signs.push((format!("{quote}\n"), Signs::LINED));
    }
    signs.extend(TAGS.map(|tag| (format!("</{tag}>"), Signs::TAGGED)));
    signs.extend(MARKS.map(|mark| (mark.to_owned(), Signs::TAGGED)));
    signs
}
