//! The section `inspect` of the configuration.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Direction, Error, Recognizer};

/// What is looked for in which direction, and how large a value may be. The default looks for everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
#[schemars(rename = "Inspect")]
pub struct Config {
    /// Only these detectors are on. Left out: all of them.
    pub only: Option<Vec<String>>,
    /// Detectors that are off in both directions.
    pub disable: Vec<String>,
    /// Detectors that go by keys alone and so are off unless they stand here: `person`, `address`, `geo_location`.
    pub enable: Vec<String>,
    /// Arguments and all else that goes to a backend.
    pub request: Flow,
    /// Results and all else that goes to an agent.
    pub response: Flow,
    /// What is done with findings of some types, servers or tools, instead of what the direction says. Where several
    /// entries fit, the strictest counts.
    pub operators: Vec<Override>,
    /// Within what equal values have equal pseudonyms and surrogates.
    pub pseudonyms: Pseudonyms,
    /// Where the values are kept that tokens stand for; without it there is no operator `tokenise`.
    pub vault: Option<Tokens>,
    /// A service that finds names and addresses in prose, which patterns do not.
    #[serde(skip_serializing)]
    pub recognizer: Option<Recognizer>,
    /// Files with rules of your own, relative to this one; `docs/inspection.md` says how they are written.
    pub rules: Vec<PathBuf>,
    /// Sizes beyond which a value is refused.
    pub limits: Limits,
}

/// What is done with findings of some types, servers or tools. What is left out fits all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "InspectOverride")]
pub struct Override {
    /// Detectors.
    #[serde(default)]
    pub types: Option<Vec<String>>,
    /// `request` or `response`.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// Backends by their name in `mcpServers`.
    #[serde(default)]
    pub servers: Option<Vec<String>>,
    /// Tools and prompts by their name at the backend.
    #[serde(default)]
    pub tools: Option<Vec<String>>,
    /// Principals by their id.
    #[serde(default)]
    pub principals: Option<Vec<String>>,
    /// What is done.
    pub operator: Operator,
}

/// Settings of one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
#[schemars(rename = "InspectFlow")]
pub struct Flow {
    /// Detectors that are off in this direction.
    pub disable: Vec<String>,
    /// What happens to a finding.
    pub operator: Operator,
}

/// Within what equal values have equal pseudonyms and surrogates, so that they can be joined; across its borders they differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
#[schemars(rename = "InspectPseudonyms")]
pub struct Pseudonyms {
    /// How far they reach.
    pub scope: Scope,
}

/// How far something reaches, the narrowest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "InspectScope")]
pub enum Scope {
    /// One call and its answer.
    Message,
    /// What one agent does in one session.
    Session,
    /// One principal, whatever the agent.
    Principal,
    /// All of a tenant.
    #[default]
    Tenant,
    /// All.
    Gateway,
}

/// Tokens, and how long the values that they stand for are kept, encrypted, in `vault.db` of the data folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
#[schemars(rename = "InspectVault")]
pub struct Tokens {
    /// Within what equal values have equal tokens, and tokens are opened.
    pub scope: Reach,
    /// Seconds after which a token that was not given out again cannot be opened any more.
    #[schemars(range(min = 60, max = 31_536_000))]
    pub ttl_s: u32,
    /// Values that are kept at most. A call that would need one more is refused.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub max_entries: u64,
    /// What happens to a call with a token that policy would open, and that cannot be.
    pub unknown: Unknown,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { scope: Reach::Principal, ttl_s: 7 * 86_400, max_entries: 100_000, unknown: Unknown::Refuse }
    }
}

/// How far tokens reach. None crosses the border of a tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "InspectReach")]
pub enum Reach {
    /// What one agent does in one session.
    Session,
    /// One principal, whatever the agent.
    #[default]
    Principal,
    /// All of a tenant.
    Tenant,
}

impl From<Reach> for Scope {
    fn from(reach: Reach) -> Self {
        match reach {
            Reach::Session => Self::Session,
            Reach::Principal => Self::Principal,
            Reach::Tenant => Self::Tenant,
        }
    }
}

impl Tokens {
    /// The first number that is out of bounds.
    pub(super) fn check(&self) -> Result<(), Error> {
        let bounds = [
            ("ttlS", u64::from(self.ttl_s), 60, 31_536_000),
            ("maxEntries", self.max_entries, 1, 100_000_000),
        ];
        let wrong = bounds.into_iter().find(|(_, value, least, most)| !(least..=most).contains(&value));
        wrong.map_or(Ok(()), |(name, _, least, most)| Err(Error::Vault { name, least, most }))
    }
}

/// What happens to a call with a token that policy would open, and that is unknown, expired or somebody else's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "InspectUnknownToken")]
pub enum Unknown {
    /// The call is refused.
    #[default]
    Refuse,
    /// The token stays as it is.
    Leave,
}

/// What is done with a finding, the mildest first: where several settings fit, the strictest counts. The order is that of
/// how little whoever reads the result learns or can do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "InspectOperator")]
pub enum Operator {
    /// The value stays; the finding is recorded.
    Allow,
    /// The last four digits or the first letter stay: `****1234`. Secrets are masked.
    Partial,
    /// A token that is opened again where policy says so: `[TOKEN_EMAIL_7KQ2…]`. It needs a `vault`.
    Tokenise,
    /// Another value of the same shape that passes no check; numbers stay numbers. Secrets are masked.
    Surrogate,
    /// A name that is the same for equal values: `[EMAIL_7KQ2…]`.
    Pseudonymise,
    /// The value gives way to its type in brackets: `[EMAIL]`.
    #[default]
    Mask,
    /// The value gives way to nothing, a number to `null`.
    Drop,
    /// The whole call or answer is refused.
    Block,
}

impl Operator {
    /// Every operator, from the mildest to the strictest.
    pub const ALL: [Self; 8] = [
        Self::Allow,
        Self::Partial,
        Self::Tokenise,
        Self::Surrogate,
        Self::Pseudonymise,
        Self::Mask,
        Self::Drop,
        Self::Block,
    ];

    /// The operator of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.name() == name)
    }

    /// The name as it stands in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Partial => "partial",
            Self::Tokenise => "tokenise",
            Self::Surrogate => "surrogate",
            Self::Pseudonymise => "pseudonymise",
            Self::Mask => "mask",
            Self::Drop => "drop",
            Self::Block => "block",
        }
    }
}

/// Sizes beyond which a value is refused with [`Blocked`](super::Blocked).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
#[schemars(rename = "InspectLimits")]
pub struct Limits {
    /// Bytes of the whole value.
    pub bytes: usize,
    /// Objects and arrays inside one another.
    pub depth: usize,
    /// Object members of the whole value.
    pub keys: usize,
    /// Bytes of one string as it is written in JSON.
    pub string_bytes: usize,
    /// Characters of one number literal.
    pub number_bytes: usize,
    /// Occurrences of findings in one value.
    pub findings: usize,
    /// JSON inside strings inside strings.
    pub nesting: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 8 << 20,
            depth: 64,
            keys: 250_000,
            string_bytes: 4 << 20,
            number_bytes: 128,
            findings: 10_000,
            nesting: 3,
        }
    }
}

impl Limits {
    /// The first limit that is zero and so would refuse every value.
    pub(super) fn zero(&self) -> Option<&'static str> {
        [
            ("bytes", self.bytes),
            ("depth", self.depth),
            ("keys", self.keys),
            ("stringBytes", self.string_bytes),
            ("numberBytes", self.number_bytes),
            ("findings", self.findings),
            ("nesting", self.nesting),
        ]
        .into_iter()
        .find_map(|(name, value)| (value == 0).then_some(name))
    }
}
