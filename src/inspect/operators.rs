//! What findings give way to: masks, parts, pseudonyms, surrogates, nothing, or the whole value is refused.

use aws_lc_rs::hmac;

use super::engine::Engine;
use super::ledger::hex;
use super::pass::Seen;
use super::rules::{How, Rank, Rule};
use super::{Blocked, Operator};

/// Letters of a pseudonym: 80 bits, so that a million values do not collide.
const PSEUDONYM: usize = 16;
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

    /// What a finding in a text gives way to.
    pub fn replace(&self, engine: &Engine, seen: &Seen, value: &str) -> Result<String, Blocked> {
        let Some(rule) = engine.rule(seen.rule) else { return Ok(String::new()) };
        let encoded = !seen.decoded.is_empty();
        Ok(match self.of(seen.rule) {
            Operator::Allow => value.to_owned(),
            Operator::Mask => rule.mask.clone(),
            Operator::Partial if rule.rank >= Rank::NamedSecret || encoded => rule.mask.clone(),
            Operator::Partial => partial(rule.kind, value),
            Operator::Pseudonymise => self.pseudonym(rule, &seen.canonical),
            Operator::Surrogate if encoded => self.pseudonym(rule, &seen.canonical),
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
            Operator::Partial if rule.rank >= Rank::NamedSecret => format!("\"{}\"", rule.mask),
            Operator::Partial => format!("\"{}\"", partial(rule.kind, digits)),
            Operator::Pseudonymise => format!("\"{}\"", self.pseudonym(rule, digits)),
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
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let tag = self.tag(rule, canonical, 0);
        let name: String = tag
            .as_ref()
            .iter()
            .take(PSEUDONYM)
            .map(|byte| char::from(ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'A')))
            .collect();
        format!("[{}_{name}]", rule.mask.trim_matches(['[', ']']))
    }

    fn tag(&self, rule: &Rule, canonical: &str, attempt: u8) -> hmac::Tag {
        let mut context = hmac::Context::with_key(self.key);
        for part in [b"pseudonym", self.scope.as_bytes(), rule.kind.as_bytes(), canonical.as_bytes()] {
            context.update(part);
            context.update(&[0]);
        }
        context.update(&[attempt]);
        context.sign()
    }

    /// Another value of the same shape that no check accepts.
    fn surrogate(&self, rule: &Rule, canonical: &str, value: &str) -> String {
        let tag = self.tag(rule, canonical, 0);
        if rule.kind == "email" {
            let name = hex(tag.as_ref().get(..5).unwrap_or_default());
            return format!("redacted-{name}@redacted.invalid");
        }
        if rule.rank >= Rank::NamedSecret {
            return rule.mask.clone();
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
            .map(|attempt| reshaped(value, self.tag(rule, canonical, attempt).as_ref()))
            .find(|text| !passes(text))
            .unwrap_or_else(|| reshaped(value, &[0]))
    }
}

/// The value with other digits; letters and signs stay where they are.
fn reshaped(value: &str, noise: &[u8]) -> String {
    let mut noise = noise.iter().cycle();
    value
        .chars()
        .map(|letter| match letter {
            '0'..='9' => char::from(b'0' + noise.next().copied().unwrap_or(0) % 10),
            other => other,
        })
        .collect()
}

/// What people may still see: the last four digits, the first letter of a mailbox.
fn partial(kind: &str, value: &str) -> String {
    if kind == "email" {
        let first = value.chars().next().filter(|letter| letter.is_alphanumeric()).unwrap_or('*');
        let top = value.rsplit('.').next().unwrap_or_default();
        return format!("{first}***@***.{top}");
    }
    let plain: Vec<char> = value.chars().filter(|letter| letter.is_alphanumeric()).collect();
    let shown = if plain.len() >= 9 { 4 } else { 0 };
    let tail: String = plain.get(plain.len() - shown..).unwrap_or_default().iter().collect();
    format!("****{tail}")
}
