//! What findings give way to: masks, parts, pseudonyms, surrogates, nothing, or the whole value is refused.

use std::cell::RefCell;

use aws_lc_rs::hmac;
use indexmap::IndexMap;

use super::engine::Engine;
use super::ledger::{commitment, hex};
use super::manner::LONGEST;
use super::pass::Seen;
use super::rules::{How, Rank, Rule};
use super::settings::unfit;
use super::{Blocked, Minted, Operator};

/// Letters of a pseudonym: 80 bits, so that a million values do not collide.
const PSEUDONYM: usize = 16;
/// Letters of a token: 130 bits, so that nobody guesses one.
const TOKEN: usize = 26;
/// Surrogates that are tried before one of zeros.
const TRIES: u8 = 32;

/// The operators of one direction, server and tool.
#[derive(Clone, Copy)]
pub(super) struct Operators<'e> {
    /// By rule.
    pub of: &'e [Operator],
    /// Keys pseudonyms and surrogates.
    pub key: &'e hmac::Key,
    /// Within which equal values get equal pseudonyms.
    pub scope: &'e str,
    /// Where tokens go, if somebody keeps them.
    pub mint: Option<&'e Mint>,
}

/// Tokens that were made for one value.
#[derive(Debug, Default)]
pub(super) struct Mint {
    /// Within which equal values get equal tokens.
    pub scope: String,
    made: RefCell<IndexMap<String, Minted>>,
}

impl Mint {
    pub fn new(scope: String) -> Self {
        Self { scope, made: RefCell::default() }
    }

    pub fn into_minted(self) -> Vec<Minted> {
        self.made.into_inner().into_values().collect()
    }
}

impl Operators<'_> {
    /// The operator of a rule.
    pub fn of(&self, rule: usize) -> Operator {
        self.of.get(rule).copied().unwrap_or(Operator::Block)
    }

    /// Whether findings of a rule give way to anything.
    pub fn edits(&self, rule: usize) -> bool {
        self.of(rule) != Operator::Allow
    }

    /// What is done with a finding: the operator of its rule, or a stricter one where that cannot be honoured.
    pub fn done(&self, rule: &Rule, seen: &Seen) -> Operator {
        let encoded = !seen.decoded.is_empty();
        match self.of(seen.rule) {
            // What is given back must be what was there, not what was in it.
            Operator::Tokenise if encoded || self.mint.is_none() => Operator::Mask,
            Operator::Partial if encoded || unfit(rule, Operator::Partial) => Operator::Mask,
            Operator::Surrogate if rule.rank >= Rank::NamedSecret => Operator::Mask,
            Operator::Surrogate if encoded || unfit(rule, Operator::Surrogate) => Operator::Pseudonymise,
            other => other,
        }
    }

    /// What a finding in a text gives way to.
    pub fn replace(&self, engine: &Engine, seen: &Seen, value: &str) -> Result<String, Blocked> {
        let Some(rule) = engine.rule(seen.rule) else { return Ok(String::new()) };
        Ok(match self.done(rule, seen) {
            Operator::Allow => value.to_owned(),
            Operator::Mask => rule.mask.clone(),
            Operator::Tokenise => self.token(rule, &seen.canonical, (value, false)),
            Operator::Partial => partial(rule.kind, value),
            Operator::Pseudonymise => self.pseudonym(rule, &seen.canonical),
            Operator::Surrogate => self.surrogate(rule, &seen.canonical, value),
            Operator::Drop => String::new(),
            Operator::Block => return Err(Blocked::Forbidden { kind: rule.kind.into() }),
        })
    }

    /// What a JSON number gives way to, as JSON.
    pub fn replace_number(&self, engine: &Engine, index: usize, digits: &str) -> Result<String, Blocked> {
        let Some(rule) = engine.rule(index) else { return Ok("null".to_owned()) };
        Ok(match self.of(index) {
            Operator::Allow => digits.to_owned(),
            Operator::Mask => format!("\"{}\"", rule.mask),
            Operator::Tokenise => format!("\"{}\"", self.token(rule, digits, (digits, true))),
            Operator::Partial if unfit(rule, Operator::Partial) => format!("\"{}\"", rule.mask),
            Operator::Partial => format!("\"{}\"", partial(rule.kind, digits)),
            Operator::Pseudonymise => format!("\"{}\"", self.pseudonym(rule, digits)),
            Operator::Surrogate if unfit(rule, Operator::Surrogate) => format!("\"{}\"", rule.mask),
            // A number stays a number: no zero may lead it.
            Operator::Surrogate => {
                let surrogate = self.surrogate(rule, digits, digits);
                let trimmed = surrogate.trim_start_matches('0');
                if trimmed.is_empty() { "0".to_owned() } else { trimmed.to_owned() }
            }
            Operator::Drop => "null".to_owned(),
            Operator::Block => return Err(Blocked::Forbidden { kind: rule.kind.into() }),
        })
    }

    /// HMAC of the canonical value under its type and scope: equal values have equal names, so that they can be
    /// joined, and no one without the key can tell which.
    fn pseudonym(&self, rule: &Rule, canonical: &str) -> String {
        let name = letters(&self.tag(("pseudonym", self.scope), rule, canonical, 0), PSEUDONYM);
        format!("[{}_{name}]", rule.mask.trim_matches(['[', ']']))
    }

    /// A token, and for whoever keeps it what it stands for; a mask where nobody does.
    fn token(&self, rule: &Rule, canonical: &str, (value, number): (&str, bool)) -> String {
        let Some(mint) = self.mint.filter(|_| value.len() <= LONGEST) else { return rule.mask.clone() };
        let name = letters(&self.tag(("token", &mint.scope), rule, canonical, 0), TOKEN);
        let token = format!("[TOKEN_{}_{name}]", rule.mask.trim_matches(['[', ']']));
        mint.made.borrow_mut().entry(token.clone()).or_insert_with(|| Minted {
            token: token.clone(),
            kind: rule.kind,
            commitment: commitment(self.key, rule.kind, canonical),
            value: value.to_owned(),
            number,
        });
        token
    }

    fn tag(&self, (what, scope): (&str, &str), rule: &Rule, canonical: &str, attempt: u8) -> hmac::Tag {
        let mut context = hmac::Context::with_key(self.key);
        for part in [what.as_bytes(), scope.as_bytes(), rule.kind.as_bytes(), canonical.as_bytes()] {
            context.update(part);
            context.update(&[0]);
        }
        context.update(&[attempt]);
        context.sign()
    }

    /// Another value of the same shape that no check accepts.
    fn surrogate(&self, rule: &Rule, canonical: &str, value: &str) -> String {
        let tag = |attempt| self.tag(("pseudonym", self.scope), rule, canonical, attempt);
        if rule.kind == "email" {
            let name = hex(tag(0).as_ref().get(..5).unwrap_or_default());
            return format!("redacted-{name}@redacted.invalid");
        }
        if rule.rank >= Rank::NamedSecret {
            return rule.mask.clone();
        }
        // Letters alone, or no shape at all, would come out as they are or as words.
        if unfit(rule, Operator::Surrogate) || !value.bytes().any(|byte| byte.is_ascii_digit()) {
            return self.pseudonym(rule, canonical);
        }
        let check = match &rule.how {
            How::Forms(forms) if forms.check.strength() >= 40 => Some(forms.check),
            How::Forms(_) | How::Token(_) | How::Named(_) | How::Keyed(_) | How::Scanner(_) => None,
        };
        let passes = |text: &str| {
            let plain: Vec<u8> = text
                .bytes()
                .filter(u8::is_ascii_alphanumeric)
                .map(|byte| byte.to_ascii_uppercase())
                .collect();
            check.is_none_or(|check| check.passes(&plain))
        };
        (0..TRIES)
            .map(|attempt| reshaped(value, tag(attempt).as_ref()))
            .find(|text| !passes(text))
            .unwrap_or_else(|| reshaped(value, &[0]))
    }
}

/// The value with other digits and letters; signs stay where they are.
fn reshaped(value: &str, noise: &[u8]) -> String {
    let mut noise = noise.iter().copied().cycle();
    let mut next = |from: u8, of: u8| char::from(from + noise.next().unwrap_or(0) % of);
    value
        .chars()
        .map(|letter| match letter {
            '0'..='9' => next(b'0', 10),
            'a'..='f' => next(b'a', 6),
            'g'..='z' => next(b'g', 20),
            'A'..='F' => next(b'A', 6),
            'G'..='Z' => next(b'G', 20),
            other if other.is_alphabetic() => 'x',
            other => other,
        })
        .collect()
}

fn letters(tag: &hmac::Tag, count: usize) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letter = |byte: &u8| ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'A');
    tag.as_ref().iter().take(count).map(|byte| char::from(letter(byte))).collect()
}

/// What people may still see: the last four digits, the first letter of a mailbox.
fn partial(kind: &str, value: &str) -> String {
    if kind == "email" {
        let first = value.chars().next().filter(|letter| letter.is_alphanumeric()).unwrap_or('*');
        // `ana [at] example [dot] org` has no top either.
        let top = value.rsplit('.').next().filter(|top| top.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        return format!("{first}***@***.{}", top.unwrap_or("***"));
    }
    let plain: Vec<char> = value.chars().filter(|letter| letter.is_alphanumeric()).collect();
    let shown = if plain.len() >= 9 { 4 } else { 0 };
    let tail: String = plain.get(plain.len() - shown..).unwrap_or_default().iter().collect();
    format!("****{tail}")
}
