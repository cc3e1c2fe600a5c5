//! The rules as data: three YAML files, read once, each rule with the samples that the self-test plants.

use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use super::Error;
use super::checks::DigitCheck;
use super::digits::Form;
use super::sample::{Sample, expand};

const FILES: &[(&str, &str)] = &[
    ("personal.yaml", include_str!("rules/personal.yaml")),
    ("tokens.yaml", include_str!("rules/tokens.yaml")),
    ("named.yaml", include_str!("rules/named.yaml")),
];

/// One rule, ready to match.
#[derive(Debug)]
pub(super) struct Rule {
    /// The type as it stands in records and configuration: `us_ssn`.
    pub kind: &'static str,
    /// What a masked value becomes: `[US_SSN]`.
    pub mask: String,
    pub rank: Rank,
    pub how: How,
    /// Phrases in lower case without separators.
    pub context: Vec<String>,
    /// Bits a byte that a secret must have at least.
    pub entropy: f64,
    pub canonical: Canonical,
    pub samples: Vec<Sample>,
    /// Texts in which the rule must find nothing.
    #[allow(dead_code, reason = "read by the tests of the rules")]
    pub never: Vec<String>,
}

/// Which of two overlapping findings names the mask; the higher one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Rank {
    Contact,
    NationalId,
    Account,
    Card,
    NamedSecret,
    Secret,
}

/// How a rule finds its values.
#[derive(Debug)]
pub(super) enum How {
    Token(Token),
    Named(Named),
    Digits { check: DigitCheck, alone: Vec<Form>, with_context: Vec<Form> },
    Scanner(Scanner),
}

/// A value that begins with a known prefix.
#[derive(Debug)]
pub(super) struct Token {
    pub starts: Vec<String>,
    /// Anchored at its start.
    pub pattern: Regex,
    pub max: usize,
    /// A word character may stand before it.
    pub glued: bool,
    /// A word character may follow it.
    pub ends_anywhere: bool,
    pub needs_digit: bool,
}

/// A value that its name gives away.
#[derive(Debug)]
pub(super) struct Named {
    /// Phrases with spaces between words.
    pub names: Vec<String>,
    pub squashed: Vec<String>,
    pub unless: Vec<String>,
    /// Anchored at both ends.
    pub value: Regex,
    /// A JSON string of letters only counts too.
    pub letters_only: bool,
    /// A JSON number counts too.
    pub numbers: bool,
}

/// Types that are found by code of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scanner {
    BasicCredentials,
    Email,
    Iban,
    Jwt,
    PrivateKey,
}

/// The form in which equal values are equal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Canonical {
    #[default]
    Verbatim,
    LowerCase,
    Digits,
    UpperAlphanumeric,
}

impl Canonical {
    pub fn of(self, value: &str) -> String {
        match self {
            Self::Verbatim => value.to_owned(),
            Self::LowerCase => value.to_lowercase(),
            Self::Digits => value.chars().filter(char::is_ascii_digit).collect(),
            Self::UpperAlphanumeric => value
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .map(|letter| letter.to_ascii_uppercase())
                .collect(),
        }
    }
}

impl Rule {
    /// Whether a bare value is found, without any context.
    pub fn alone(&self) -> bool {
        match &self.how {
            How::Token(_) | How::Scanner(_) => true,
            How::Named(_) => false,
            How::Digits { alone, .. } => !alone.is_empty(),
        }
    }

    /// A key under which a bare value is found.
    pub fn sample_key(&self) -> String {
        let phrase = match &self.how {
            How::Named(named) => named.names.first(),
            _ => self.context.first(),
        };
        phrase.map_or_else(|| "note".to_owned(), |phrase| phrase.replace(' ', "_"))
    }
}

/// Reads all rule files.
pub(super) fn load() -> Result<Vec<Rule>, Error> {
    let mut rules = Vec::new();
    for &(file, text) in FILES {
        let read: File<'static> = serde_saphyr::from_str(text)
            .map_err(|source| Error::RuleFile { file, source: Box::new(source) })?;
        for spec in read.rules {
            rules.push(spec.build()?);
        }
    }
    Ok(rules)
}

/// The rule files' bytes, for the digest of the rule set.
pub(super) fn sources() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(_, text)| *text)
}

/// Letters and digits only: `card number` is `cardnumber`.
pub(super) fn squash(phrase: &str) -> String {
    phrase.chars().filter(|letter| letter.is_alphanumeric()).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'a> {
    /// Raised when a rule changes what it finds; part of the digest like all else.
    #[serde(rename = "version")]
    _version: u32,
    #[serde(borrow)]
    rules: Vec<Spec<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    rank: Rank,
    token: Option<TokenSpec>,
    named: Option<NamedSpec>,
    digits: Option<DigitsSpec>,
    scanner: Option<Scanner>,
    #[serde(default)]
    context: Vec<String>,
    #[serde(default)]
    entropy: f64,
    #[serde(default)]
    canonical: Canonical,
    samples: Vec<String>,
    #[serde(default)]
    never: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenSpec {
    starts: Vec<String>,
    pattern: String,
    max: usize,
    #[serde(default)]
    glued: bool,
    #[serde(default)]
    ends_anywhere: bool,
    #[serde(default)]
    needs_digit: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedSpec {
    names: Vec<String>,
    #[serde(default)]
    unless: Vec<String>,
    value: String,
    #[serde(default)]
    letters_only: bool,
    #[serde(default)]
    numbers: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DigitsSpec {
    check: DigitCheck,
    #[serde(default)]
    alone: Vec<String>,
    with_context: Vec<String>,
}

impl Spec<'static> {
    fn build(self) -> Result<Rule, Error> {
        let kind = self.kind;
        let how = match (self.token, self.named, self.digits, self.scanner) {
            (Some(token), None, None, None) => How::Token(token.build(kind)?),
            (None, Some(named), None, None) => How::Named(named.build(kind)?),
            (None, None, Some(digits), None) => How::Digits {
                check: digits.check,
                alone: forms(kind, &digits.alone)?,
                with_context: forms(kind, &digits.with_context)?,
            },
            (None, None, None, Some(scanner)) => How::Scanner(scanner),
            _ => return Err(incomplete(kind, "give exactly one of `token`, `named`, `digits`, `scanner`")),
        };
        if self.samples.is_empty() {
            return Err(incomplete(kind, "give at least one sample"));
        }
        Ok(Rule {
            kind,
            mask: format!("[{}]", kind.to_ascii_uppercase()),
            rank: self.rank,
            how,
            context: self.context.iter().map(|phrase| squash(phrase)).collect(),
            entropy: self.entropy,
            canonical: self.canonical,
            samples: self.samples.iter().map(|template| expand(template)).collect(),
            never: self.never,
        })
    }
}

impl TokenSpec {
    fn build(self, kind: &str) -> Result<Token, Error> {
        Ok(Token {
            pattern: regex(kind, &format!("^(?:{})", self.pattern))?,
            starts: self.starts,
            max: self.max,
            glued: self.glued,
            ends_anywhere: self.ends_anywhere,
            needs_digit: self.needs_digit,
        })
    }
}

impl NamedSpec {
    fn build(self, kind: &str) -> Result<Named, Error> {
        Ok(Named {
            value: regex(kind, &format!("^(?:{})$", self.value))?,
            squashed: self.names.iter().map(|name| squash(name)).collect(),
            unless: self.unless.iter().map(|name| squash(name)).collect(),
            names: self.names,
            letters_only: self.letters_only,
            numbers: self.numbers,
        })
    }
}

fn forms(kind: &str, templates: &[String]) -> Result<Vec<Form>, Error> {
    templates
        .iter()
        .map(|template| {
            Form::parse(template).ok_or_else(|| incomplete(kind, "write digit forms like `3-2-4` or `16`"))
        })
        .collect()
}

// Bytes and ASCII classes: word characters of other scripts are boundaries, and tables stay small.
fn regex(kind: &str, pattern: &str) -> Result<Regex, Error> {
    RegexBuilder::new(pattern)
        .unicode(false)
        .build()
        .map_err(|source| Error::Pattern { rule: kind.to_owned(), source: Box::new(source) })
}

fn incomplete(kind: &str, problem: &'static str) -> Error {
    Error::Rule { rule: kind.to_owned(), problem }
}
