//! The digit-driven pass: at each run of digits the shapes that begin there, and the types with code of their own.

use super::Error;
use super::bytes::{self, ALPHANUMERIC, LETTER, WORD};
use super::candidate::{Candidate, judge, needs_words};
use super::checks::Check;
use super::classes::Bits;
use super::context::{Lexicon, Marks, mark};
use super::digits::{after_country, before, is_word};
use super::engine::{Engine, Scan};
use super::found::{Evidence, Found};
use super::notes::Why;
use super::rules::{How, Rule, Scanner};
use super::shapes::{LONGEST, Shapes};
use super::surroundings::{Surroundings, nearness, topic_of};
use super::{crypto, dates, loose, net, phone, scanners};

/// What numbers there are, ready to match.
pub(super) struct Numbers {
    shapes: Shapes,
    /// By template, its rule and whether it fires by itself.
    forms: Vec<(usize, bool)>,
    /// By state of the shapes, of which topics one must be spoken of for any that ends there; all if some needs none.
    needs: Vec<Marks>,
    own: Own,
    pub lexicon: Lexicon,
}

/// The rules with code of their own that look at digits.
#[derive(Debug, Default)]
struct Own {
    crypto: Option<usize>,
    date_of_birth: Option<usize>,
    discord_token: Option<usize>,
    iban: Option<usize>,
    ip_address: Option<usize>,
    mac_address: Option<usize>,
    phone: Option<usize>,
    vault_token: Option<usize>,
}

impl Own {
    fn add(&mut self, scanner: Scanner, rule: usize) {
        let place = match scanner {
            Scanner::Crypto => &mut self.crypto,
            Scanner::DateOfBirth => &mut self.date_of_birth,
            Scanner::DiscordToken => &mut self.discord_token,
            Scanner::Iban => &mut self.iban,
            Scanner::IpAddress => &mut self.ip_address,
            Scanner::MacAddress => &mut self.mac_address,
            Scanner::Phone => &mut self.phone,
            Scanner::VaultToken => &mut self.vault_token,
            Scanner::BasicCredentials
            | Scanner::Email
            | Scanner::Jwt
            | Scanner::PrivateKey
            | Scanner::SwiftBic => return,
        };
        *place = Some(rule);
    }
}

/// A word of letters and digits with a digit that has been noted.
#[derive(Clone, Copy)]
struct Token {
    start: usize,
    end: usize,
    lead: usize,
}

/// How far a text was searched for addresses: most digits are in none, and their neighbours are then in none either.
#[derive(Default)]
struct Searched {
    hardware: Until,
    network: Until,
}

/// The byte before which no digit belongs to what is looked for.
#[derive(Default)]
struct Until(usize);

impl Until {
    fn look<T>(&mut self, at: usize, look: impl FnOnce(usize) -> Result<T, usize>) -> Option<T> {
        if at < self.0 {
            return None;
        }
        look(at).map_err(|until| self.0 = until).ok()
    }
}

impl Numbers {
    pub fn new(rules: &[Rule], lexicon: Lexicon) -> Result<Self, Error> {
        let mut templates = Vec::new();
        let mut forms = Vec::new();
        let mut own = Own::default();
        for (index, rule) in rules.iter().enumerate() {
            if let Some(forms_of) = rule.forms() {
                for (kind, alone) in [(&forms_of.alone, true), (&forms_of.context, false)] {
                    templates.extend(kind.iter().cloned());
                    forms.extend(kind.iter().map(|_| (index, alone)));
                }
            }
            if let How::Scanner(scanner) = rule.how {
                own.add(scanner, index);
            }
        }
        let shapes = Shapes::new(&templates).ok_or(Error::Shapes)?;
        let need = |template: &u16| match forms.get(usize::from(*template)) {
            Some(&(rule, false)) if rules.get(rule).is_some_and(needs_words) => mark(topic_of(rule)),
            _ => Marks::MAX,
        };
        let needs = shapes.ends().map(|ends| ends.iter().map(need).fold(0, |all, one| all | one)).collect();
        Ok(Self { shapes, forms, needs, own, lexicon })
    }

    /// What the digits of one text are part of.
    pub fn scan(&self, engine: &Engine, scan: &Scan<'_, '_>, found: &mut Vec<Found>) {
        let bytes = scan.text.as_bytes();
        let mut around = Surroundings::new(scan, &self.lexicon);
        let mut last = usize::MAX;
        let mut loose_until = 0;
        let mut seen = Searched::default();
        for &lead in scan.digits {
            let start = token_start(&scan.classes.words, lead);
            if start != last {
                last = start;
                self.shaped(engine, bytes, start, &mut around, found);
                if let Some(group) = letters_before(bytes, start) {
                    self.shaped(engine, bytes, group, &mut around, found);
                }
                let end = lead + scan.classes.words.run(lead);
                self.addresses(Token { start, end, lead }, &mut around, (&mut seen, found));
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
        need == Marks::MAX || around.scan.notes.is_some() || around.may_speak_of(need, start)
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
        let Some(run) = loose::run(bytes, lead).or_else(|| loose::joined(bytes, lead)) else { return lead };
        self.shapes.at(run.digits(), 0, |end, _, templates| {
            if end != run.digits().len() {
                return;
            }
            for &(rule, alone) in templates.iter().filter_map(|one| self.forms.get(usize::from(*one))) {
                let forms = engine.rule(rule).and_then(Rule::forms);
                let strong = forms.is_some_and(|forms| forms.check.strength() >= 40);
                if (strong || !alone) && (run.odd || !Surroundings::weak(engine, rule)) {
                    let (start, end, value) = (run.start, run.end, run.digits());
                    let alone = alone && !run.silent;
                    found.extend(judge(engine, around, &Candidate { rule, start, end, alone, value }));
                }
            }
        });
        run.end
    }

    /// Types whose words hold digits anywhere: addresses of networks and of cryptocurrencies.
    fn addresses(
        &self,
        token: Token,
        around: &mut Surroundings<'_, '_>,
        (seen, found): (&mut Searched, &mut Vec<Found>),
    ) {
        let scan = around.scan;
        let bytes = scan.text.as_bytes();
        let Token { start, end, lead } = token;
        let on = |rule: Option<usize>| rule.filter(|rule| scan.is_on(*rule));
        let sign = |byte: Option<&u8>| matches!(byte, Some(b':' | b'-' | b'.'));
        // The parts of an address of a network are joined by signs.
        if sign(before(bytes, start)) || sign(bytes.get(end)) {
            if let Some(rule) = on(self.own.mac_address)
                && let Some(mac) = seen.hardware.look(lead, |lead| net::mac(bytes, lead))
                && (!mac.doubtful || around.may_speak_of(mark(topic_of(rule)), mac.start))
            {
                found.push(Found::new(rule, (mac.start, mac.end), Evidence::Prefix, 640));
            }
            if let Some(rule) = on(self.own.ip_address)
                && let Some(ip) = seen.network.look(lead, |lead| net::ip(bytes, lead))
                && around.tells_address(topic_of(rule), ip.start, ip.doubtful)
            {
                found.push(Found::new(rule, (ip.start, ip.end), Evidence::Validator, 620));
            }
        }
        if let Some(rule) = on(self.own.crypto)
            && end - start >= 26
            && !is_word(before(bytes, start))
        {
            let length = bytes::run(bytes, start, 91, ALPHANUMERIC);
            if length >= 26 && crypto::address(bytes.get(start..start + length).unwrap_or_default()) {
                found.push(Found::new(rule, (start, start + length), Evidence::Validator, 750));
            }
        }
        if let Some(rule) = on(self.own.discord_token)
            && matches!(bytes.get(start), Some(b'M' | b'N' | b'O'))
            && let Some(span) = scanners::discord_token(bytes, start)
        {
            found.push(Found::new(rule, span, Evidence::Prefix, 900));
        }
        if let Some(rule) = on(self.own.vault_token)
            && end - start >= 24
            && let Some(span) = scanners::vault_token(bytes, start)
        {
            found.push(Found::new(rule, span, Evidence::Prefix, 900));
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
        let scan = around.scan;
        let bytes = scan.text.as_bytes();
        let on = |rule: Option<usize>| rule.filter(|rule| scan.is_on(*rule));
        if let Some(rule) = on(self.own.iban)
            && after_country(bytes, lead)
            && let Some(span) = scanners::iban(bytes, lead)
        {
            found.push(Found::new(rule, span, Evidence::Validator, 850));
        }
        // A number and a date begin with their word.
        if start != lead {
            return;
        }
        if let Some(rule) = on(self.own.phone)
            && let Some(phone) = phone::phone(bytes, lead)
        {
            let span = (phone.start, phone.end);
            let score = match (phone.alone, around.context(engine, rule, phone.start, phone.end)) {
                (_, Some(hit)) => Ok(560 + nearness(hit)),
                (true, None) if phone.international || !around.disowned(phone.start) => Ok(500),
                (true, None) => Err(Why::Neutral),
                (false, None) => Err(Why::Words),
            };
            let evidence = if phone.alone { Evidence::Validator } else { Evidence::Context };
            match score {
                Ok(score) => found.push(Found::new(rule, span, evidence, score)),
                Err(why) => scan.pass(rule, span, why),
            }
        }
        if let Some(rule) = on(self.own.date_of_birth)
            && let Some((from, to)) = dates::date(scan.text, lead)
        {
            match around.context(engine, rule, from, to) {
                Some(hit) => {
                    found.push(Found::new(rule, (from, to), Evidence::Context, 560 + nearness(hit)));
                }
                None => scan.pass(rule, (from, to), Why::Words),
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
        let phone = self.own.phone.filter(|_| (7..=15).contains(&digits.len()));
        let date = self.own.date_of_birth.filter(|_| digits.len() == 8 && dates::date(digits, 0).is_some());
        for rule in phone.into_iter().chain(date).filter(|rule| scan.is_on(*rule)) {
            if let Some(hit) = around.context(engine, rule, 0, digits.len()) {
                found.push(Found::new(rule, (0, digits.len()), Evidence::Context, 560 + nearness(hit)));
            }
        }
        found.into_iter().max_by_key(|one| one.score)
    }
}

/// Where the word of letters and digits begins that holds the byte at `at`.
fn token_start(words: &Bits, at: usize) -> usize {
    let near = words.behind(at).leading_ones() as usize;
    // Longer words are of no interest as a whole.
    let far = if near == 64 { words.behind(at - near).leading_ones() as usize } else { 0 };
    at - (near + far).min(LONGEST * 2)
}

/// Up to five letters that stand before a word, with a space, hyphen or dot between: `AB 12 34 56 C`.
fn letters_before(bytes: &[u8], start: usize) -> Option<usize> {
    if !matches!(before(bytes, start), Some(b' ' | b'-' | b'.' | b'/')) {
        return None;
    }
    let letters = bytes::run_back(bytes, start - 1, 6, LETTER);
    (1..=5).contains(&letters).then(|| start - 1 - letters)
}
