//! From a prefix or name in a text to the value that it leads to.

use super::Blocked;
use super::checks::{entropy, placeholder};
use super::context::near;
use super::digits::{before, is_word};
use super::engine::Scan;
use super::found::{Evidence, Lead};
use super::named::{Stands, name_words, secret, value_after};
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
pub(super) struct State {
    /// Rules, and for each the offset before which there is nothing left to look at.
    until: Vec<(usize, usize)>,
    ends: Ends,
    /// The name that was met last: dozens of rules go by the same words.
    name: Option<Met>,
}

/// A name of secrets in a text.
struct Met {
    end: usize,
    words: Folded,
    value: Option<(usize, usize)>,
    around: Option<Folded>,
}

impl State {
    fn met(&mut self, scan: &Scan<'_, '_>, lead: &Lead) -> &mut Met {
        let known = self.name.take().filter(|met| met.end == lead.end);
        self.name.insert(known.unwrap_or_else(|| Met {
            end: lead.end,
            words: name_words(scan.text, lead.start, lead.end),
            value: value_after(scan.text, lead.start, lead.end),
            around: None,
        }))
    }

    pub fn until(&self, rule: usize) -> usize {
        self.until.iter().find(|(known, _)| *known == rule).map_or(0, |(_, until)| *until)
    }

    pub fn skip_to(&mut self, rule: usize, at: usize) {
        match self.until.iter_mut().find(|(known, _)| *known == rule) {
            Some((_, until)) => *until = at.max(*until),
            None => self.until.push((rule, at)),
        }
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
    (index, state): (usize, &mut State),
) -> Result<Option<(usize, usize)>, Blocked> {
    let bytes = scan.text.as_bytes();
    match &rule.how {
        How::Token(token) => token_at(rule, token, lead, scan),
        How::Named(named) => {
            let met = state.met(scan, lead);
            let Some((start, end)) = met.value.filter(|_| named.claims_words(&met.words)) else {
                return Ok(None);
            };
            if !of_vendor(rule, scan, met) {
                return Ok(None);
            }
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
        How::Scanner(_) | How::Forms(_) | How::Keyed(_) => Ok(None),
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
    let Some(captures) = token.pattern.captures(window) else {
        scan.effort.spend(window.len())?;
        return Ok(None);
    };
    let Some(span) = captures.get(1).or_else(|| captures.get(0)) else { return Ok(None) };
    let Some(back) = behind(token, bytes, lead.start) else { return Ok(None) };
    let (start, end) = (lead.start + span.start() - back, lead.start + span.end());
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

/// Whether a word of the rule's vendors stands before the name, or on the way to the text.
fn of_vendor(rule: &Rule, scan: &Scan<'_, '_>, met: &mut Met) -> bool {
    if rule.vendors.is_empty() {
        return true;
    }
    let words = met.around.get_or_insert_with(|| Folded::of(near(scan.text, met.end)));
    rule.vendors.iter().any(|vendor| words.squashed().contains(vendor.as_str()))
        || scan.around.holds(&rule.vendors)
}
