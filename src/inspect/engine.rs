//! Finds values in one text: an automaton over every prefix and name leads to rules that look at a bounded window,
//! digits lead to shapes with check digits. Nothing here knows of JSON.

use std::cell::{Cell, LazyCell};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::checks::{entropy, placeholder};
use super::digits::{self, Chain, Form, after_country, before, is_word, values};
use super::named::{Stands, secret, value_after};
use super::rules::{How, Rule, Scanner, Token};
use super::scanners::{self, Ends};
use super::words::{Place, Words};
use super::{Blocked, Error};

/// All rules of the configuration, in one automaton.
pub(super) struct Engine {
    rules: Vec<Rule>,
    automaton: AhoCorasick,
    /// For each pattern of the automaton, what it leads to.
    triggers: Vec<Vec<Trigger>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trigger {
    /// A rule by its index.
    Rule(usize),
    /// A character may be written as a code.
    Coded,
}

/// Places in a text where something may be.
#[derive(Debug, Clone, Default)]
pub(super) struct Leads {
    pub words: Vec<Lead>,
    pub digits: Vec<usize>,
}

/// A prefix or name of a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lead {
    pub start: usize,
    pub end: usize,
    pattern: usize,
}

/// A value that a rule found, by byte offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub start: usize,
    pub end: usize,
    pub rule: usize,
}

impl Leads {
    /// Moves all offsets; what `to` has no place for is dropped. A lead keeps its length and follows its end, since
    /// it may begin inside of an escape.
    pub fn shift(&mut self, to: impl Fn(usize) -> Option<usize>) {
        self.words = self
            .words
            .iter()
            .filter_map(|lead| {
                let end = to(lead.end)?;
                Some(Lead { start: end.checked_sub(lead.end - lead.start)?, end, pattern: lead.pattern })
            })
            .collect();
        self.digits = self.digits.iter().filter_map(|lead| to(*lead)).collect();
    }
}

/// The context of a text, built only if a rule asks for it.
pub(super) type Around<'a> = LazyCell<Place, Box<dyn FnOnce() -> Place + 'a>>;

/// What a scan may still cost, in bytes that windows without a finding have covered.
#[derive(Debug)]
pub(super) struct Effort(Cell<usize>);

impl Effort {
    /// Enough for any text that people or programs write; only a text made of false starts uses it up.
    pub fn for_bytes(bytes: usize) -> Self {
        Self(Cell::new((1 << 20) + bytes.saturating_mul(64)))
    }

    fn spend(&self, bytes: usize) -> Result<(), Blocked> {
        let left = self.0.get().checked_sub(bytes).ok_or(Blocked::TooCostly)?;
        self.0.set(left);
        Ok(())
    }
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
}

impl Engine {
    pub fn new(rules: Vec<Rule>) -> Result<Self, Error> {
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
        for code in ["\\u", "%2", "%3", "%4", "%5", "%6", "%7"] {
            lead(code.to_owned(), Trigger::Coded);
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
        Ok(Self { rules, automaton, triggers })
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
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
        let mut leads = Leads { words, digits: Vec::new() };
        digits::leads(text.as_bytes(), &mut leads.digits);
        leads
    }

    fn triggers(&self, lead: &Lead) -> &[Trigger] {
        self.triggers.get(lead.pattern).map_or(&[], Vec::as_slice)
    }

    /// Whether a name of a rule for named secrets is among the leads.
    pub fn names_secret(&self, leads: &[Lead]) -> bool {
        self.rules_of(leads).any(|rule| matches!(rule.how, How::Named(_)))
    }

    /// Whether characters may be written as codes.
    pub fn coded(&self, leads: &[Lead]) -> bool {
        leads.iter().any(|lead| self.triggers(lead).contains(&Trigger::Coded))
    }

    fn rules_of(&self, leads: &[Lead]) -> impl Iterator<Item = &Rule> {
        leads.iter().flat_map(|lead| self.triggers(lead)).filter_map(|trigger| match trigger {
            Trigger::Rule(index) => self.rules.get(*index),
            Trigger::Coded => None,
        })
    }

    /// Everything that the rules find in a text, overlaps included, in no special order.
    pub fn scan(&self, scan: &Scan<'_, '_>) -> Result<Vec<Found>, Blocked> {
        let mut found: Vec<Found> = Vec::new();
        let mut state = State { until: vec![0; self.rules.len()], ends: Ends::default() };
        for lead in scan.words {
            for trigger in self.triggers(lead) {
                if let Trigger::Rule(index) = *trigger
                    && scan.on.get(index) == Some(&true)
                    && let Some(rule) = self.rules.get(index)
                    // What a rule has already taken or looked through is not looked at again.
                    && state.until.get(index).is_none_or(|until| lead.start >= *until)
                    && let Some((start, end)) = follow(rule, lead, scan, (index, &mut state))?
                {
                    state.skip_to(index, end);
                    found.push(Found { start, end, rule: index });
                }
            }
        }
        self.scan_digits(scan, &mut found);
        Ok(found)
    }

    /// The rule whose name the place has, if the whole of `value` is a secret.
    pub fn named(&self, value: &str, place: &Place, on: &[bool]) -> Option<usize> {
        self.named_rules(on)
            .find(|(_, rule, named)| named.claims(place) && secret(rule, named, value, Stands::Apart))
            .map(|(index, ..)| index)
    }

    /// The same for a JSON number.
    pub fn named_number(&self, place: &Place, on: &[bool]) -> Option<usize> {
        self.named_rules(on).find(|(.., named)| named.numbers && named.claims(place)).map(|(index, ..)| index)
    }

    fn named_rules<'a>(
        &'a self,
        on: &'a [bool],
    ) -> impl Iterator<Item = (usize, &'a Rule, &'a super::rules::Named)> {
        self.rules.iter().enumerate().filter(|(index, _)| on.get(*index) == Some(&true)).filter_map(
            |(index, rule)| match &rule.how {
                How::Named(named) => Some((index, rule, named)),
                How::Token(_) | How::Digits { .. } | How::Scanner(_) => None,
            },
        )
    }

    /// The rule that the digits of a JSON number satisfy as a whole.
    pub fn number(&self, digits: &[u8], around: &Around<'_>, on: &[bool]) -> Option<usize> {
        let fits = |forms: &[Form]| forms.iter().any(|form| form.single() == Some(digits.len()));
        self.rules.iter().enumerate().find_map(|(index, rule)| match &rule.how {
            How::Digits { check, alone, with_context } if on.get(index) == Some(&true) => {
                let found = (fits(alone) && check.passes(digits))
                    || (fits(with_context)
                        && check.passes(digits)
                        && rule.context.iter().any(|phrase| around.names(phrase)));
                found.then_some(index)
            }
            _ => None,
        })
    }

    fn scan_digits(&self, scan: &Scan<'_, '_>, found: &mut Vec<Found>) {
        let bytes = scan.text.as_bytes();
        let mut chain = Chain::default();
        for &lead in scan.digits {
            let mut at = lead;
            loop {
                let next = chain.read(bytes, at);
                for (index, rule) in
                    self.rules.iter().enumerate().filter(|(index, _)| scan.on.get(*index) == Some(&true))
                {
                    match &rule.how {
                        How::Digits { .. } => shapes(index, rule, &chain, scan, found),
                        How::Scanner(Scanner::Iban) if at == lead && after_country(bytes, lead) => {
                            let iban = scanners::iban(bytes, lead);
                            found.extend(iban.map(|(start, end)| Found { start, end, rule: index }));
                        }
                        How::Token(_) | How::Named(_) | How::Scanner(_) => {}
                    }
                }
                // A run that was too long for one chain goes on inside itself.
                if next == at || !bytes.get(next).is_some_and(u8::is_ascii_digit) {
                    break;
                }
                at = next;
            }
        }
    }
}

/// What one scan remembers, so that its cost stays linear.
struct State {
    /// By rule, the offset before which there is nothing left to look at.
    until: Vec<usize>,
    ends: Ends,
}

impl State {
    fn skip_to(&mut self, rule: usize, at: usize) {
        if let Some(until) = self.until.get_mut(rule) {
            *until = at.max(*until);
        }
    }
}

/// The patterns of the automaton that lead to a rule.
fn starts(rule: &Rule) -> Vec<String> {
    match &rule.how {
        How::Token(token) => token.starts.clone(),
        How::Named(named) => named
            .names
            .iter()
            .flat_map(|name| ["", " ", "_", "-", "."].map(|join| name.replace(' ', join)))
            .collect(),
        How::Digits { .. } | How::Scanner(Scanner::Iban) => Vec::new(),
        How::Scanner(Scanner::BasicCredentials) => vec!["basic ".to_owned(), "basic%20".to_owned()],
        How::Scanner(Scanner::Email) => vec!["@".to_owned()],
        How::Scanner(Scanner::Jwt) => vec!["eyJ".to_owned()],
        How::Scanner(Scanner::PrivateKey) => vec!["-----BEGIN ".to_owned()],
    }
}

/// Looks at the window that a lead opens.
fn follow(
    rule: &Rule,
    lead: &Lead,
    scan: &Scan<'_, '_>,
    (index, state): (usize, &mut State),
) -> Result<Option<(usize, usize)>, Blocked> {
    let bytes = scan.text.as_bytes();
    match &rule.how {
        How::Token(token) => token_at(rule, token, lead, scan),
        How::Named(named) => {
            if !named.claims_text(scan.text, lead.start, lead.end) {
                return Ok(None);
            }
            let Some((start, end)) = value_after(scan.text, lead.start, lead.end) else { return Ok(None) };
            let value = scan.text.get(start..end).unwrap_or_default();
            if secret(rule, named, value, Stands::InText) {
                return Ok(Some((start, end)));
            }
            scan.effort.spend(value.len())?;
            Ok(None)
        }
        How::Scanner(Scanner::BasicCredentials) => {
            let glued = is_word(before(bytes, lead.start));
            Ok(scanners::basic_credentials(bytes, lead.end).filter(|_| !glued))
        }
        How::Scanner(Scanner::Email) => Ok(scanners::email(bytes, lead.start)),
        How::Scanner(Scanner::Jwt) => {
            let glued = before(bytes, lead.start).is_some_and(|byte| is_word(Some(byte)) || *byte == b'-');
            if glued {
                return Ok(None);
            }
            let (token, seen) = scanners::jwt(bytes, lead.start);
            // Parts of a run that is no token are none either, unless a dot ended the first.
            if token.is_none() {
                scan.effort.spend(seen - lead.start)?;
            }
            Ok(token)
        }
        How::Scanner(Scanner::PrivateKey) => {
            let key = scanners::private_key(bytes, lead.start, &mut state.ends);
            state.skip_to(index, lead.end);
            Ok(key)
        }
        How::Scanner(Scanner::Iban) | How::Digits { .. } => Ok(None),
    }
}

fn token_at(
    rule: &Rule,
    token: &Token,
    lead: &Lead,
    scan: &Scan<'_, '_>,
) -> Result<Option<(usize, usize)>, Blocked> {
    let bytes = scan.text.as_bytes();
    if !token.glued && is_word(before(bytes, lead.start)) {
        return Ok(None);
    }
    let window = bytes.get(lead.start..bytes.len().min(lead.start + token.max)).unwrap_or_default();
    let Some(captures) = token.pattern.captures(window) else {
        scan.effort.spend(window.len())?;
        return Ok(None);
    };
    let Some(span) = captures.get(1).or_else(|| captures.get(0)) else { return Ok(None) };
    let (start, end) = (lead.start + span.start(), lead.start + span.end());
    let value = scan.text.get(start..end).unwrap_or_default();
    let ends_well = token.ends_anywhere || !is_word(bytes.get(end));
    let fits = ends_well
        && !placeholder(value)
        && (!token.needs_digit || value.bytes().any(|byte| byte.is_ascii_digit()))
        && (rule.entropy <= 0.0 || entropy(value) >= rule.entropy);
    Ok(fits.then_some((start, end)))
}

fn shapes(index: usize, rule: &Rule, chain: &Chain, scan: &Scan<'_, '_>, found: &mut Vec<Found>) {
    let How::Digits { check, alone, with_context } = &rule.how else { return };
    let bytes = scan.text.as_bytes();
    for from in 0..chain.len() {
        let bare = alone.iter().map(|form| (form, true)).chain(with_context.iter().map(|form| (form, false)));
        for (form, strong) in bare {
            let Some(shape) = chain.shape(bytes, from, form) else { continue };
            let digits = values(bytes.get(shape.start..shape.end).unwrap_or_default());
            if check.passes(&digits) && ((strong && shape.clear) || in_context(rule, scan, shape.start)) {
                found.push(Found { start: shape.start, end: shape.end, rule: index });
            }
        }
    }
}

fn in_context(rule: &Rule, scan: &Scan<'_, '_>, at: usize) -> bool {
    let near = Words::before(scan.text, at);
    rule.context.iter().any(|phrase| near.name(phrase) || scan.around.names(phrase))
}
