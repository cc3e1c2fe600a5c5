//! What must be done when a policy matches: read from its annotations at load, combined for each call.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// How much of a call is recorded. Of several, the most detailed counts; redaction applies to all of them. Where no
/// policy says so, `audit.payloads.capture` of the configuration does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Capture {
    /// Who, what and how it was decided, but no parameters.
    Metadata,
    /// The parameters too.
    Request,
    /// The parameters and the result.
    RequestResponse,
}

/// What becomes of a finding. Of several for one kind, the strictest counts: the later one in this order, which is that of
/// how little whoever reads it learns or can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RedactMode {
    /// A part of the value stays.
    Partial,
    /// A token that is opened again where policy says so.
    Tokenise,
    /// A made-up value of the same form.
    Surrogate,
    /// A keyed pseudonym: equal values stay equal.
    Pseudonymise,
    /// The type in brackets.
    Mask,
    /// The value is taken out.
    Drop,
    /// The whole message is refused.
    Block,
}

impl RedactMode {
    /// Every mode, from the mildest to the strictest.
    pub const ALL: [Self; 7] = [
        Self::Partial,
        Self::Tokenise,
        Self::Surrogate,
        Self::Pseudonymise,
        Self::Mask,
        Self::Drop,
        Self::Block,
    ];

    /// The word in `@redact_mode`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Partial => "partial",
            Self::Tokenise => "tokenise",
            Self::Surrogate => "surrogate",
            Self::Pseudonymise => "pseudonymise",
            Self::Mask => "mask",
            Self::Drop => "drop",
            Self::Block => "block",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }
}

/// At most so many calls in a period, for one principal and one tool, under one policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate {
    /// The policy that asks for it.
    pub policy: Arc<str>,
    /// Calls.
    pub count: NonZeroU32,
    /// In this time.
    pub period: Duration,
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}: {}/{}s", self.policy, self.count, self.period.as_secs()))
    }
}

/// Everything that must be done with one call. Members are in the order of their names, as records want them.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Obligations {
    /// Roles of which each must approve the call.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub approval: BTreeSet<String>,
    /// How long an approval is good, in seconds.
    #[serde(rename = "approval_ttl_s", skip_serializing_if = "Option::is_none", serialize_with = "seconds")]
    pub approval_ttl: Option<Duration>,
    /// How much is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<Capture>,
    /// Whether the caller must say why.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub justification: bool,
    /// Largest parameters and largest result, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// Who is told; names of the configuration.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub notify: BTreeSet<String>,
    /// How often.
    #[serde(rename = "rate_limit", skip_serializing_if = "BTreeSet::is_empty")]
    pub rates: BTreeSet<Rate>,
    /// Kinds of findings that must not pass as they are, and what becomes of each at least.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub redact: BTreeMap<String, RedactMode>,
}

#[allow(clippy::ref_option, reason = "serde calls it with a reference")]
fn seconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs()).serialize(serializer)
}

impl Obligations {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes in another policy's obligations: the union, and the strictest where they conflict.
    pub(super) fn add(&mut self, other: &Self) {
        self.approval.extend(other.approval.iter().cloned());
        self.approval_ttl = least(self.approval_ttl, other.approval_ttl);
        self.audit = self.audit.max(other.audit);
        self.justification |= other.justification;
        self.max_bytes = least(self.max_bytes, other.max_bytes);
        self.notify.extend(other.notify.iter().cloned());
        self.rates.extend(other.rates.iter().cloned());
        for (kind, mode) in &other.redact {
            self.redact.entry(kind.clone()).and_modify(|known| *known = (*known).max(*mode)).or_insert(*mode);
        }
    }
}

fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// What this gateway can do, so that a policy that asks for more is refused at load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Kinds of findings that inspection looks for, in both directions.
    pub detectors: BTreeSet<String>,
    /// Modes of redaction that inspection knows.
    pub modes: BTreeSet<RedactMode>,
    /// Those of them that it cannot do for some kinds.
    pub unfit: BTreeSet<(String, RedactMode)>,
    /// Names of those who can be told.
    pub receivers: BTreeSet<String>,
    /// Whether people can approve calls.
    pub approvals: bool,
}

#[cfg(test)]
mod tests {
    use super::{Capture, Obligations, RedactMode};
    use std::time::Duration;

    #[test]
    fn several_combine_to_the_union_and_the_strictest() {
        let mut one = Obligations {
            redact: [("email".to_owned(), RedactMode::Tokenise), ("iban".to_owned(), RedactMode::Drop)]
                .into(),
            max_bytes: Some(10),
            audit: Some(Capture::RequestResponse),
            ..Obligations::default()
        };
        one.add(&Obligations {
            redact: [("email".to_owned(), RedactMode::Mask), ("iban".to_owned(), RedactMode::Partial)].into(),
            max_bytes: Some(20),
            audit: Some(Capture::Metadata),
            approval_ttl: Some(Duration::from_mins(1)),
            justification: true,
            ..Obligations::default()
        });
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(
            text,
            r#"{"approval_ttl_s":60,"audit":"request_response","justification":true,"max_bytes":10,"redact":{"email":"mask","iban":"drop"}}"#
        );
    }
}
