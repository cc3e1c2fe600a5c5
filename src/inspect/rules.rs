//! The rules as data: YAML files, read once, each rule with the samples that the self-test plants.

use serde::Deserialize;

use super::Error;
use super::checks::Check;
use super::pattern::Pattern;
use super::sample::{Sample, expand};
use super::shapes::Template;
use super::words::Folded;

const FILES: &[(&str, &str)] = &[
    ("personal.yaml", include_str!("rules/personal.yaml")),
    ("americas.yaml", include_str!("rules/americas.yaml")),
    ("europe.yaml", include_str!("rules/europe.yaml")),
    ("asia.yaml", include_str!("rules/asia.yaml")),
    ("tokens.yaml", include_str!("rules/tokens.yaml")),
    ("named.yaml", include_str!("rules/named.yaml")),
];

const NEUTRAL: (&str, &str) = ("neutral.yaml", include_str!("rules/neutral.yaml"));

/// One rule, ready to match.
#[derive(Debug)]
pub(super) struct Rule {
    /// The type as it stands in records and configuration: `us_ssn`.
    pub kind: &'static str,
    /// What a masked value becomes: `[US_SSN]`.
    pub mask: String,
    pub rank: Rank,
    pub how: How,
    /// Phrases that speak of the type.
    pub context: Vec<String>,
    /// Off unless the configuration turns it on.
    pub optional: bool,
    /// Words of a vendor, one of which must stand around a named value.
    pub vendors: Vec<String>,
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
    /// A shape and a check.
    Forms(Forms),
    /// The whole value of a key.
    Keyed(Pattern),
    Scanner(Scanner),
}

/// A value that begins with a known prefix.
#[derive(Debug)]
pub(super) struct Token {
    pub starts: Vec<String>,
    /// Anchored at its start.
    pub pattern: Pattern,
    pub max: usize,
    /// A word character may stand before it.
    pub glued: bool,
    /// A word character may follow it.
    pub ends_anywhere: bool,
    pub needs_digit: bool,
    /// Letters and digits before the start that belong to the value: at least so many, or none if it is not found.
    pub back: usize,
    /// They are hexadecimal.
    pub back_hex: bool,
    /// No space is in it, so that what is cut short need not be matched.
    pub dense: bool,
}

/// A value that its name gives away.
#[derive(Debug)]
pub(super) struct Named {
    /// Phrases with spaces between words.
    pub names: Vec<String>,
    pub squashed: Vec<String>,
    pub unless: Vec<String>,
    /// Anchored at both ends.
    pub value: Pattern,
    /// A JSON string of letters only counts too.
    pub letters_only: bool,
    /// A JSON number counts too.
    pub numbers: bool,
}

/// A value of letters and digits that has one of some shapes and passes a check.
#[derive(Debug)]
pub(super) struct Forms {
    pub check: Check,
    /// Shapes that fire by themselves.
    pub alone: Vec<Template>,
    /// Shapes that need context.
    pub context: Vec<Template>,
    /// Almost every number has the shape: only the nearest words count, and other types go first.
    pub weak: bool,
    /// Letters may be small.
    pub any_case: bool,
}

/// Types that are found by code of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scanner {
    BasicCredentials,
    Crypto,
    DateOfBirth,
    DiscordToken,
    Email,
    Iban,
    IpAddress,
    Jwt,
    MacAddress,
    Phone,
    PrivateKey,
    SwiftBic,
    VaultToken,
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
            Self::Digits => only(value, |byte| byte.is_ascii_digit()),
            Self::UpperAlphanumeric => only(value, |byte| byte.is_ascii_alphanumeric()).to_ascii_uppercase(),
        }
    }
}

/// The ASCII characters of a value that fit.
fn only(value: &str, fits: impl Fn(u8) -> bool) -> String {
    let mut text = String::with_capacity(value.len());
    text.extend(value.bytes().filter(|byte| fits(*byte)).map(char::from));
    text
}

impl Rule {
    /// Whether a bare value is found, without any context.
    pub fn alone(&self) -> bool {
        match &self.how {
            How::Token(_) => true,
            How::Scanner(scanner) => !matches!(scanner, Scanner::DateOfBirth | Scanner::SwiftBic),
            How::Named(_) | How::Keyed(_) => false,
            How::Forms(forms) => !forms.alone.is_empty(),
        }
    }

    /// Gives back the memory of its pattern until it is needed.
    pub fn rest(&mut self) {
        match &mut self.how {
            How::Token(Token { pattern, .. })
            | How::Named(Named { value: pattern, .. })
            | How::Keyed(pattern) => pattern.rest(),
            How::Forms(_) | How::Scanner(_) => {}
        }
    }

    /// Forms, if it has some.
    pub fn forms(&self) -> Option<&Forms> {
        match &self.how {
            How::Forms(forms) => Some(forms),
            How::Token(_) | How::Named(_) | How::Keyed(_) | How::Scanner(_) => None,
        }
    }

    /// A key under which a bare value is found.
    pub fn sample_key(&self) -> String {
        let phrase = match &self.how {
            How::Named(named) => named.names.first(),
            _ => self.context.first(),
        };
        let phrase = phrase.map_or_else(|| "note".to_owned(), |phrase| phrase.replace(' ', "_"));
        self.vendors.first().map_or(phrase.clone(), |vendor| format!("{vendor}_{phrase}"))
    }
}

/// Reads all rule files.
pub(super) fn load() -> Result<Vec<Rule>, Error> {
    let mut rules = Vec::new();
    for &(file, text) in FILES {
        rules.extend(read(text, |name| name).map_err(|error| match error {
            Error::RuleFile { source, .. } => Error::RuleFile { file, source },
            other => other,
        })?);
    }
    Ok(rules)
}

/// Reads the rules of one file. Names of types live as long as the process, since findings carry them on all ways:
/// `keep` sees to it.
pub(super) fn read<'t>(text: &'t str, keep: fn(&'t str) -> &'static str) -> Result<Vec<Rule>, Error> {
    let read: File<'t> = serde_saphyr::from_str(text)
        .map_err(|source| Error::RuleFile { file: "rules", source: Box::new(source) })?;
    read.rules.into_iter().map(|spec| spec.build(keep)).collect()
}

/// Words that say that a number is none of ours.
pub(super) struct Neutral {
    pub labels: Vec<String>,
    pub versions: Vec<String>,
}

/// Reads the words that say that a number is none of ours.
pub(super) fn neutral() -> Result<Neutral, Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Words {
        labels: Vec<String>,
        versions: Vec<String>,
    }
    let (file, text) = NEUTRAL;
    let words: Words =
        serde_saphyr::from_str(text).map_err(|source| Error::RuleFile { file, source: Box::new(source) })?;
    Ok(Neutral { labels: words.labels, versions: words.versions })
}

/// The rule files' bytes, for the digest of the rule set.
pub(super) fn sources() -> impl Iterator<Item = &'static str> {
    FILES.iter().chain([&NEUTRAL]).map(|(_, text)| *text)
}

fn squash(phrase: &str) -> String {
    Folded::of(phrase).squashed().to_owned()
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
    forms: Option<FormsSpec>,
    keyed: Option<String>,
    scanner: Option<Scanner>,
    #[serde(default)]
    context: Vec<String>,
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    vendors: Vec<String>,
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
    #[serde(default)]
    back: usize,
    #[serde(default)]
    back_hex: bool,
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
struct FormsSpec {
    #[serde(default)]
    check: Check,
    #[serde(default)]
    alone: Vec<String>,
    #[serde(default)]
    context: Vec<String>,
    #[serde(default)]
    weak: bool,
    #[serde(default)]
    any_case: bool,
}

impl<'t> Spec<'t> {
    fn build(self, keep: fn(&'t str) -> &'static str) -> Result<Rule, Error> {
        let kind = self.kind;
        let how = match (self.token, self.named, self.forms, self.keyed, self.scanner) {
            (Some(token), None, None, None, None) => How::Token(token.build(kind)?),
            (None, Some(named), None, None, None) => How::Named(named.build(kind)?),
            (None, None, Some(forms), None, None) => How::Forms(forms.build(kind)?),
            (None, None, None, Some(value), None) => How::Keyed(regex(kind, &format!("^(?:{value})$"))?),
            (None, None, None, None, Some(scanner)) => How::Scanner(scanner),
            _ => {
                return Err(incomplete(
                    kind,
                    "give exactly one of `token`, `named`, `forms`, `keyed`, `scanner`",
                ));
            }
        };
        if self.samples.is_empty() {
            return Err(incomplete(kind, "give at least one sample"));
        }
        Ok(Rule {
            kind: keep(kind),
            mask: format!("[{}]", kind.to_ascii_uppercase()),
            rank: self.rank,
            how,
            context: self.context,
            optional: self.optional,
            vendors: self.vendors,
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
            back: self.back,
            back_hex: self.back_hex,
            dense: self.back == 0 && !self.ends_anywhere && !self.pattern.contains(' '),
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

impl FormsSpec {
    fn build(self, kind: &str) -> Result<Forms, Error> {
        let templates = |texts: &[String]| -> Result<Vec<Template>, Error> {
            let parse = |text: &String| {
                Template::parse(text)
                    .ok_or_else(|| incomplete(kind, "write forms like `999-99-9999` or `9{16}`"))
            };
            texts.iter().map(parse).collect()
        };
        Ok(Forms {
            check: self.check,
            alone: templates(&self.alone)?,
            context: templates(&self.context)?,
            weak: self.weak,
            any_case: self.any_case,
        })
    }
}

fn regex(kind: &str, pattern: &str) -> Result<Pattern, Error> {
    Pattern::new(pattern.to_owned())
        .map_err(|source| Error::Pattern { rule: kind.to_owned(), source: Box::new(source) })
}

fn incomplete(kind: &str, problem: &'static str) -> Error {
    Error::Rule { rule: kind.to_owned(), problem }
}
