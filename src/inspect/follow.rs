//! From a prefix or name in a text to the value that it leads to.

use std::cell::OnceCell;

use super::Blocked;
use super::checks::{entropy, placeholder};
use super::claims::Claims;
use super::context::near;
use super::digits::{before, is_word};
use super::engine::Scan;
use super::found::{Evidence, Lead};
use super::named::{Traits, name_words, value_after};
use super::rules::{How, Rule, Scanner, Token};
use super::scanners::{self, Ends};
use super::words::Folded;

/// Bytes without a space that any token has.
const SHORTEST: usize = 12;

/// How much a finding of a rule counts that is not about numbers.
pub(super) fn strength(rule: &Rule) -> (Evidence, u32) {
    match &rule.how {
        How::Token(_) => (Evidence::Prefix, 900),
        How::Named(_) => (Evidence::Key, if rule.vendors.is_empty() { 800 } else { 860 }),
        How::Keyed(_) => (Evidence::Key, 100),
        How::Scanner(Scanner::Email) => (Evidence::Prefix, 700),
        How::Scanner(_) => (Evidence::Validator, 950),
        How::Forms(_) => (Evidence::Validator, 500),
    }
}

/// What one scan remembers, so that its cost stays linear.
#[derive(Default)]
pub(super) struct State<'t> {
    /// By rule, the offset before which there is nothing left to look at.
    until: Vec<usize>,
    ends: Ends,
    /// Where the name ends that was met last: dozens of rules go by the same words.
    name: usize,
    /// That name, if there is a value behind it.
    met: Option<Met<'t>>,
}

/// A name of secrets in a text, and the value behind it.
pub(super) struct Met<'t> {
    pub end: usize,
    /// Where the value stands.
    pub span: (usize, usize),
    /// The rules that the name belongs to.
    pub rules: &'t [usize],
    pub traits: Traits<'t>,
    /// The rules of whose vendors the words before speak, or the names on the way, once somebody has asked.
    vendors: OnceCell<Box<[usize]>>,
}

impl<'t> State<'t> {
    /// The name that a lead ends, to be given back with `keep_met`.
    pub fn take_met(&mut self, text: &'t str, lead: &Lead, claims: &'t Claims) -> Option<Met<'t>> {
        if self.name == lead.end {
            return self.met.take();
        }
        (self.name, self.met) = (lead.end, None);
        let span = value_after(text, lead.start, lead.end)?;
        let rules = claims.of(name_words(text, lead.start, lead.end).squashed());
        let traits = Traits::of(text.get(span.0..span.1)?);
        (!rules.is_empty()).then_some(Met { end: lead.end, span, rules, traits, vendors: OnceCell::new() })
    }

    /// Remembers a name for the next lead that ends with it.
    pub fn keep_met(&mut self, met: Met<'t>) {
        self.met = Some(met);
    }

    pub fn until(&self, rule: usize) -> usize {
        self.until.get(rule).copied().unwrap_or(0)
    }

    pub fn skip_to(&mut self, rule: usize, at: usize) {
        if self.until.len() <= rule {
            self.until.resize(rule + 1, 0);
        }
        self.until.get_mut(rule).into_iter().for_each(|until| *until = at.max(*until));
    }
}

/// The patterns of the automaton that lead to a rule.
pub(super) fn starts(rule: &Rule) -> Vec<String> {
    match &rule.how {
        How::Token(token) => token.starts.clone(),
        How::Named(named) => named
            .names
            .iter()
            .flat_map(|name| ["", " ", "_", "-", "."].map(|join| name.replace(' ', join)))
            .collect(),
        How::Forms(_)
        | How::Keyed(_)
        | How::Scanner(
            Scanner::Iban
            | Scanner::Crypto
            | Scanner::DateOfBirth
            | Scanner::IpAddress
            | Scanner::MacAddress
            | Scanner::Phone
            | Scanner::DiscordToken
            | Scanner::VaultToken,
        ) => Vec::new(),
        How::Scanner(Scanner::BasicCredentials) => vec!["basic ".to_owned(), "basic%20".to_owned()],
        How::Scanner(Scanner::Email) => ["@", "[at]", "(at)", "{at}", " at "].map(str::to_owned).to_vec(),
        How::Scanner(Scanner::Jwt) => vec!["eyJ".to_owned()],
        How::Scanner(Scanner::SwiftBic) => {
            ["bic", "swift", "bank identifier", "银行代码"].map(str::to_owned).to_vec()
        }
        How::Scanner(Scanner::PrivateKey) => vec!["-----BEGIN ".to_owned()],
    }
}

/// Looks at the window that a lead opens.
pub(super) fn follow(
    rule: &Rule,
    lead: &Lead,
    scan: &Scan<'_, '_>,
    (index, state): (usize, &mut State<'_>),
) -> Result<Option<(usize, usize)>, Blocked> {
    let bytes = scan.text.as_bytes();
    match &rule.how {
        How::Token(token) => token_at(rule, token, lead, scan),
        How::Scanner(Scanner::BasicCredentials) => {
            let glued = is_word(before(bytes, lead.start));
            Ok(scanners::basic_credentials(bytes, lead.end).filter(|_| !glued))
        }
        How::Scanner(Scanner::Email) => Ok(scanners::email(bytes, lead.start, lead.end)),
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
        How::Scanner(_) | How::Named(_) | How::Forms(_) | How::Keyed(_) => Ok(None),
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
    if token.dense
        && window.iter().take(SHORTEST).any(|byte| *byte <= b' ' || matches!(byte, b'"' | b'<' | b',' | b'('))
    {
        return Ok(None);
    }
    let Some(span) = token.pattern.span(window) else {
        scan.effort.spend(window.len())?;
        return Ok(None);
    };
    let Some(back) = behind(token, bytes, lead.start) else { return Ok(None) };
    let (start, end) = (lead.start + span.start - back, lead.start + span.end);
    let value = scan.text.get(start..end).unwrap_or_default();
    let ends_well = token.ends_anywhere || !is_word(bytes.get(end));
    let fits = ends_well
        && !placeholder(value)
        && (!token.needs_digit || value.bytes().any(|byte| byte.is_ascii_digit()))
        && (rule.entropy <= 0.0 || entropy(value) >= rule.entropy);
    Ok(fits.then_some((start, end)))
}

/// How many letters before the lead belong to the value; `None` if they are not as many as they must be.
fn behind(token: &Token, bytes: &[u8], at: usize) -> Option<usize> {
    if token.back == 0 {
        return Some(0);
    }
    let fits =
        |byte: &u8| if token.back_hex { byte.is_ascii_hexdigit() } else { byte.is_ascii_alphanumeric() };
    let length = bytes.get(..at)?.iter().rev().take(token.back + 1).take_while(|byte| fits(byte)).count();
    (length == token.back && !is_word(before(bytes, at - length))).then_some(length)
}

/// Whether a word of a rule's vendors stands before the name, or on the way to the text.
pub(super) fn of_vendor(index: usize, scan: &Scan<'_, '_>, met: &Met<'_>, claims: &Claims) -> bool {
    let spoken = || {
        let before = claims.vendors(Folded::of(near(scan.text, met.end)).squashed());
        let mut spoken: Vec<usize> = before.iter().copied().chain(scan.around.vendors()).collect();
        spoken.sort_unstable();
        spoken.into()
    };
    met.vendors.get_or_init(spoken).binary_search(&index).is_ok()
}
