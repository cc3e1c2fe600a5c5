//! The digit-driven pass: at each run of digits the shapes that begin there, and the types with code of their own.

use super::Error;
use super::bytes::{self, ALPHANUMERIC, LETTER, WORD};
use super::candidate::{Candidate, judge, needs_words};
use super::checks::Check;
use super::context::{Lexicon, Marks, mark};
use super::digits::{after_country, before, is_word};
use super::engine::{Engine, Scan};
use super::found::{Evidence, Found};
use super::notes::Why;
use super::rules::{How, Rule, Scanner};
use super::shapes::{LONGEST, Shapes};
use super::surroundings::{Surroundings, nearness, topic_of};
use super::{crypto, dates, loose, net, phone, scanners};

/// Bytes of the longest word that is of interest as a whole.
const WORD_LONGEST: usize = 128;

/// What numbers there are, ready to match.
pub(super) struct Numbers {
    shapes: Shapes,
    /// By template, its rule and whether it fires by itself.
    forms: Vec<(usize, bool)>,
    /// By state of the shapes, of which topics one must be spoken of for any that ends there; all if some needs none.
    needs: Vec<Marks>,
    /// Types whose words hold digits anywhere.
    addresses: Vec<(usize, Scanner)>,
    /// Types that begin with digits.
    coded: Vec<(usize, Scanner)>,
    pub lexicon: Lexicon,
}

/// A word of letters and digits with a digit that has been noted.
#[derive(Clone, Copy)]
struct Token {
    start: usize,
    end: usize,
    lead: usize,
}

impl Numbers {
    pub fn new(rules: &[Rule], lexicon: Lexicon) -> Result<Self, Error> {
        let mut templates = Vec::new();
        let mut forms = Vec::new();
        let (mut addresses, mut coded) = (Vec::new(), Vec::new());
        for (index, rule) in rules.iter().enumerate() {
            if let Some(own) = rule.forms() {
                for (kind, alone) in [(&own.alone, true), (&own.context, false)] {
                    templates.extend(kind.iter().cloned());
                    forms.extend(kind.iter().map(|_| (index, alone)));
                }
            }
            if let How::Scanner(scanner) = rule.how {
                match scanner {
                    Scanner::Crypto
                    | Scanner::MacAddress
                    | Scanner::IpAddress
                    | Scanner::DiscordToken
                    | Scanner::VaultToken => addresses.push((index, scanner)),
                    Scanner::Iban | Scanner::Phone | Scanner::DateOfBirth => coded.push((index, scanner)),
                    Scanner::BasicCredentials
                    | Scanner::Email
                    | Scanner::Jwt
                    | Scanner::PrivateKey
                    | Scanner::SwiftBic => {}
                }
            }
        }
        let shapes = Shapes::new(&templates).ok_or(Error::Shapes)?;
        let need = |template: &u16| match forms.get(usize::from(*template)) {
            Some(&(rule, false)) if rules.get(rule).is_some_and(needs_words) => mark(topic_of(rule)),
            _ => Marks::MAX,
        };
        let needs = shapes.ends().map(|ends| ends.iter().map(need).fold(0, |all, one| all | one)).collect();
        Ok(Self { shapes, forms, needs, addresses, coded, lexicon })
    }

    /// What the digits of one text are part of.
    pub fn scan(&self, engine: &Engine, scan: &Scan<'_, '_>, found: &mut Vec<Found>) {
        let bytes = scan.text.as_bytes();
        let mut around = Surroundings::new(scan, &self.lexicon);
        let mut last = usize::MAX;
        let mut loose_until = 0;
        for &lead in scan.digits {
            let start = token_start(bytes, lead);
            if start != last {
                last = start;
                self.shaped(engine, bytes, start, &mut around, found);
                if let Some(group) = letters_before(bytes, start) {
                    self.shaped(engine, bytes, group, &mut around, found);
                }
                let end = lead + bytes::run(bytes, lead, WORD_LONGEST, ALPHANUMERIC);
                self.addresses(Token { start, end, lead }, &mut around, found);
            }
            if lead >= loose_until {
                loose_until = self.loosely(engine, bytes, lead, &mut around, found);
            }
            self.coded(engine, (start, lead), &mut around, found);
        }
    }

    /// Whether a value with the shapes of a state may be a finding; whoever asks why it is none is told by its rule.
    fn may_be(&self, state: usize, around: &mut Surroundings<'_, '_>, start: usize) -> bool {
        let need = self.needs.get(state).copied().unwrap_or(Marks::MAX);
        need == Marks::MAX || around.scan.notes.is_some() || need & around.marks(start) != 0
    }

    /// Every shape that begins at `start`.
    fn shaped(
        &self,
        engine: &Engine,
        bytes: &[u8],
        start: usize,
        around: &mut Surroundings<'_, '_>,
        found: &mut Vec<Found>,
    ) {
        if is_word(before(bytes, start)) {
            return;
        }
        let mut buffer = [0u8; LONGEST];
        // Many shapes end at the same byte: they have the same letters and digits.
        let (mut read, mut length) = (start, 0);
        self.shapes.at(bytes, start, |end, state, templates| {
            if is_word(bytes.get(end)) {
                return;
            }
            if !self.may_be(state, around, start) {
                return;
            }
            for &byte in bytes.get(read..end).unwrap_or_default() {
                if bytes::is(byte, ALPHANUMERIC)
                    && let Some(place) = buffer.get_mut(length)
                {
                    *place = byte.to_ascii_uppercase();
                    length += 1;
                }
            }
            read = end;
            let value = buffer.get(..length).unwrap_or_default();
            for &(rule, alone) in templates.iter().filter_map(|one| self.forms.get(usize::from(*one))) {
                found.extend(judge(engine, around, &Candidate { rule, start, end, alone, value }));
            }
        });
    }

    /// Digits spelled one by one or with unusual signs between them: the same shapes, written together.
    fn loosely(
        &self,
        engine: &Engine,
        bytes: &[u8],
        lead: usize,
        around: &mut Surroundings<'_, '_>,
        found: &mut Vec<Found>,
    ) -> usize {
        if let Some(end) = loose::list_end(bytes, lead) {
            return end;
        }
        let Some(run) = loose::run(bytes, lead) else { return lead };
        self.shapes.at(run.digits(), 0, |end, _, templates| {
            if end != run.digits().len() {
                return;
            }
            for &(rule, alone) in templates.iter().filter_map(|one| self.forms.get(usize::from(*one))) {
                let forms = engine.rule(rule).and_then(Rule::forms);
                let strong = forms.is_some_and(|forms| forms.check.strength() >= 40);
                if strong || !alone {
                    let (start, end, value) = (run.start, run.end, run.digits());
                    let judged = judge(engine, around, &Candidate { rule, start, end, alone, value });
                    found.extend(judged.filter(|_| !Surroundings::weak(engine, rule)));
                }
            }
        });
        run.end
    }

    /// Types whose words hold digits anywhere: addresses of networks and of cryptocurrencies.
    fn addresses(&self, token: Token, around: &mut Surroundings<'_, '_>, found: &mut Vec<Found>) {
        let bytes = around.scan.text.as_bytes();
        let Token { start, end, lead } = token;
        let sign = |byte: Option<&u8>| matches!(byte, Some(b':' | b'-' | b'.'));
        // The parts of an address of a network are joined by signs.
        let joined = sign(before(bytes, start)) || sign(bytes.get(end));
        for &(rule, scanner) in &self.addresses {
            let may = match scanner {
                Scanner::Crypto => end - start >= 26,
                Scanner::VaultToken => before(bytes, start) == Some(&b'.'),
                Scanner::DiscordToken => matches!(bytes.get(start), Some(b'M' | b'N' | b'O')),
                _ => joined,
            };
            if !may || !around.scan.is_on(rule) {
                continue;
            }
            let hit = match scanner {
                Scanner::Crypto => {
                    let length = bytes::run(bytes, start, 91, ALPHANUMERIC);
                    let word = bytes.get(start..start + length).unwrap_or_default();
                    let fits = length >= 26 && !is_word(before(bytes, start)) && crypto::address(word);
                    fits.then_some((start, start + length, Evidence::Validator, 750))
                }
                Scanner::MacAddress => net::mac(bytes, lead)
                    .filter(|mac| !mac.doubtful || around.marks(mac.start) & mark(topic_of(rule)) != 0)
                    .map(|mac| (mac.start, mac.end, Evidence::Prefix, 640)),
                Scanner::IpAddress => net::ip(bytes, lead)
                    .filter(|address| around.tells_address(topic_of(rule), address.start, address.doubtful))
                    .map(|address| (address.start, address.end, Evidence::Validator, 620)),
                Scanner::DiscordToken => {
                    scanners::discord_token(bytes, start).map(|(from, to)| (from, to, Evidence::Prefix, 900))
                }
                Scanner::VaultToken => {
                    scanners::vault_token(bytes, start).map(|(from, to)| (from, to, Evidence::Prefix, 900))
                }
                Scanner::BasicCredentials
                | Scanner::DateOfBirth
                | Scanner::Email
                | Scanner::Iban
                | Scanner::Jwt
                | Scanner::Phone
                | Scanner::PrivateKey
                | Scanner::SwiftBic => None,
            };
            found.extend(
                hit.map(|(start, end, evidence, score)| Found::new(rule, (start, end), evidence, score)),
            );
        }
    }

    /// Types that begin with the digits at `lead`.
    fn coded(
        &self,
        engine: &Engine,
        (start, lead): (usize, usize),
        around: &mut Surroundings<'_, '_>,
        found: &mut Vec<Found>,
    ) {
        let text = around.scan.text;
        let bytes = text.as_bytes();
        for &(rule, scanner) in self.coded.iter().filter(|(rule, _)| around.scan.is_on(*rule)) {
            match scanner {
                Scanner::Iban if after_country(bytes, lead) => {
                    let iban = scanners::iban(bytes, lead);
                    found.extend(iban.map(|span| Found::new(rule, span, Evidence::Validator, 850)));
                }
                Scanner::Phone if start == lead => {
                    let Some(phone) = phone::phone(bytes, lead) else { continue };
                    let context = around.context(engine, rule, phone.start, phone.end);
                    let score = match (phone.alone, context) {
                        (_, Some(hit)) => 560 + nearness(hit),
                        (true, None) if phone.international || !around.disowned(phone.start) => 500,
                        (alone, None) => {
                            let why = if alone { Why::Neutral } else { Why::Words };
                            around.scan.pass(rule, (phone.start, phone.end), why);
                            continue;
                        }
                    };
                    let evidence = if phone.alone { Evidence::Validator } else { Evidence::Context };
                    found.push(Found::new(rule, (phone.start, phone.end), evidence, score));
                }
                Scanner::DateOfBirth if start == lead => {
                    let Some((from, to)) = dates::date(text, lead) else { continue };
                    if let Some(hit) = around.context(engine, rule, from, to) {
                        found.push(Found::new(rule, (from, to), Evidence::Context, 560 + nearness(hit)));
                    } else {
                        around.scan.pass(rule, (from, to), Why::Words);
                    }
                }
                Scanner::BasicCredentials
                | Scanner::Crypto
                | Scanner::DateOfBirth
                | Scanner::Email
                | Scanner::Iban
                | Scanner::IpAddress
                | Scanner::Jwt
                | Scanner::MacAddress
                | Scanner::Phone
                | Scanner::PrivateKey
                | Scanner::DiscordToken
                | Scanner::SwiftBic
                | Scanner::VaultToken => {}
            }
        }
    }

    /// Codes of banks hold no digits: all words in capitals of a text that speaks of them are looked at.
    pub fn bank_codes(&self, engine: &Engine, rule: usize, scan: &Scan<'_, '_>, found: &mut Vec<Found>) {
        let mut around = Surroundings::new(scan, &self.lexicon);
        let bytes = scan.text.as_bytes();
        let mut at = 0;
        while let Some(skip) =
            bytes.get(at..).and_then(|rest| rest.iter().position(|byte| bytes::is(*byte, ALPHANUMERIC)))
        {
            let start = at + skip;
            let length = bytes::run(bytes, start, usize::MAX, WORD);
            at = start + length;
            let word = bytes.get(start..at).unwrap_or_default();
            if Check::SwiftBic.passes(word)
                && let Some(hit) = around.context(engine, rule, start, at)
            {
                found.push(Found::new(rule, (start, at), Evidence::Context, 440 + nearness(hit)));
            }
        }
    }

    /// The rule that the digits of a JSON number satisfy as a whole.
    pub fn number(&self, engine: &Engine, digits: &str, scan: &Scan<'_, '_>) -> Option<Found> {
        let mut around = Surroundings::new(scan, &self.lexicon);
        let mut found: Vec<Found> = Vec::new();
        self.shapes.at(digits.as_bytes(), 0, |end, state, templates| {
            if end != digits.len() || !self.may_be(state, &mut around, 0) {
                return;
            }
            for &(rule, alone) in templates.iter().filter_map(|one| self.forms.get(usize::from(*one))) {
                let candidate = Candidate { rule, start: 0, end, alone, value: digits.as_bytes() };
                found.extend(judge(engine, &mut around, &candidate));
            }
        });
        for &(rule, scanner) in self.coded.iter().filter(|(rule, _)| scan.is_on(*rule)) {
            let fits = match scanner {
                Scanner::Phone => (7..=15).contains(&digits.len()),
                Scanner::DateOfBirth => digits.len() == 8 && dates::date(digits, 0).is_some(),
                Scanner::BasicCredentials
                | Scanner::Crypto
                | Scanner::Email
                | Scanner::Iban
                | Scanner::IpAddress
                | Scanner::Jwt
                | Scanner::MacAddress
                | Scanner::PrivateKey
                | Scanner::DiscordToken
                | Scanner::SwiftBic
                | Scanner::VaultToken => false,
            };
            if fits && let Some(hit) = around.context(engine, rule, 0, digits.len()) {
                found.push(Found::new(rule, (0, digits.len()), Evidence::Context, 560 + nearness(hit)));
            }
        }
        found.into_iter().max_by_key(|one| one.score)
    }
}

/// Where the word of letters and digits begins that holds the byte at `at`.
fn token_start(bytes: &[u8], at: usize) -> usize {
    at - bytes::run_back(bytes, at, LONGEST * 2, ALPHANUMERIC)
}

/// Up to five letters that stand before a word, with a space, hyphen or dot between: `AB 12 34 56 C`.
fn letters_before(bytes: &[u8], start: usize) -> Option<usize> {
    if !matches!(before(bytes, start), Some(b' ' | b'-' | b'.' | b'/')) {
        return None;
    }
    let letters = bytes::run_back(bytes, start - 1, 6, LETTER);
    (1..=5).contains(&letters).then(|| start - 1 - letters)
}
