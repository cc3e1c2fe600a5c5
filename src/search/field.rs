//! The fields of a record that can be asked about: closed, so that a misspelt one is an error and not an empty answer.

use crate::audit::Kind;
use serde::{Deserialize, Serialize};

/// What values a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Words of a vocabulary, ids, names: compared whole, with upper and lower case.
    Keyword,
    /// The same, with all the values that there are.
    Closed(&'static [&'static str]),
    /// The same: kinds of records.
    Kinds,
    /// Whole numbers.
    Number,
    /// Sizes, in bytes.
    Bytes,
    /// Spans of time, in microseconds.
    Duration,
    /// Points in time, in microseconds since the Unix epoch.
    Time,
}

impl Type {
    /// Whether its values are numbers.
    pub fn is_numeric(self) -> bool {
        !matches!(self, Self::Keyword | Self::Closed(_) | Self::Kinds)
    }

    /// All its values, where they are known.
    pub fn known(self) -> Option<Vec<&'static str>> {
        match self {
            Self::Closed(known) => Some(known.to_vec()),
            Self::Kinds => Some(Kind::ALL.iter().map(|kind| kind.as_str()).collect()),
            _ => None,
        }
    }
}

macro_rules! fields {
    ($($(#[$doc:meta])* $variant:ident = $name:literal $(or $alias:literal)*, $ty:expr, $facet:literal;)*) => {
        /// A field.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Field { $($(#[$doc])* $variant,)* }

        impl Field {
            /// All fields.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name in queries.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Other names for it.
            pub fn aliases(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($alias),*],)* }
            }

            /// What values it has.
            pub fn values(self) -> Type {
                match self { $(Self::$variant => $ty,)* }
            }

            /// Whether its values may be counted: there are few enough of them.
            pub fn is_facet(self) -> bool {
                match self { $(Self::$variant => $facet,)* }
            }
        }
    };
}

fields! {
    /// The caller.
    Actor = "actor" or "user" or "subject", Type::Keyword, true;
    /// The agent through which it called.
    Agent = "agent", Type::Keyword, true;
    /// Who approved a call or an erasure.
    Approver = "approver", Type::Keyword, true;
    /// Who read, ordered or decided.
    By = "by", Type::Keyword, true;
    /// Size of what went back.
    Bytes = "bytes" or "size", Type::Bytes, false;
    /// The call's id.
    Call = "call", Type::Keyword, false;
    /// The client program.
    Client = "client", Type::Keyword, true;
    /// The commitment of a value that was found.
    Commitment = "commitment", Type::Keyword, false;
    /// When it was recorded.
    Created = "created" or "time" or "t", Type::Time, false;
    /// The credential's public id.
    Credential = "credential", Type::Keyword, false;
    /// What policy decided.
    Decision = "decision", Type::Closed(&["allow", "deny"]), true;
    /// Which start of the gateway.
    Epoch = "epoch", Type::Number, false;
    /// Types of what was found in arguments and results.
    Finding = "finding" or "pii", Type::Keyword, true;
    /// A hold's id.
    Hold = "hold", Type::Keyword, false;
    /// What the record is about.
    Kind = "kind", Type::Kinds, true;
    /// How long the call took.
    Latency = "latency" or "duration", Type::Duration, false;
    /// The method of the protocol.
    Method = "method", Type::Keyword, true;
    /// What was done about findings.
    Operator = "operator", Type::Keyword, true;
    /// Policies that determined the decision.
    Policy = "policy", Type::Keyword, true;
    /// The digest of the policies in force.
    PolicySet = "policy_set", Type::Keyword, false;
    /// The protocol's revision.
    Protocol = "protocol", Type::Keyword, true;
    /// Why it was decided, refused or ordered.
    Reason = "reason", Type::Keyword, true;
    /// How many values were found in arguments or results.
    Redacted = "redacted", Type::Number, false;
    /// The caller's roles.
    Role = "role", Type::Keyword, true;
    /// The record's number.
    Seq = "seq", Type::Number, false;
    /// The server behind the gateway.
    Server = "server", Type::Keyword, true;
    /// The agent's session.
    Session = "session", Type::Keyword, false;
    /// Shadow policies that matched.
    Shadow = "shadow", Type::Keyword, true;
    /// Where the call came from.
    Source = "source" or "ip", Type::Keyword, true;
    /// How the call ended.
    Status = "status", Type::Closed(super::STATUSES), true;
    /// The caller's teams.
    Team = "team", Type::Keyword, true;
    /// The caller's tenant.
    Tenant = "tenant", Type::Keyword, true;
    /// The tool, prompt or resource.
    Tool = "tool" or "name", Type::Keyword, true;
    /// The trace: its id, or the whole parent.
    Trace = "trace", Type::Keyword, false;
    /// How the agent is connected.
    Transport = "transport", Type::Keyword, true;
}

impl Field {
    /// The field of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.name() == name || field.aliases().contains(&name))
    }

    /// The name that was probably meant.
    pub fn guess(name: &str) -> Option<&'static str> {
        let names = Self::ALL
            .iter()
            .flat_map(|field| std::iter::once(field.name()).chain(field.aliases().iter().copied()));
        nearest(name, names)
    }
}

/// The candidate that differs least, if it differs little.
pub(super) fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let most = match word.chars().count() {
        0..=3 => 1,
        4..=8 => 2,
        _ => 3,
    };
    let distance = |candidate: &&'c str| edits(word, candidate);
    let starts = |candidate: &str| word.len() >= 3 && candidate.starts_with(word);
    let ranked =
        candidates.map(|candidate| (if starts(candidate) { 1 } else { distance(&candidate) }, candidate));
    ranked.filter(|(edits, _)| *edits <= most).min_by_key(|(edits, _)| *edits).map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, (y, (diagonal, above))) in b.iter().zip(row.iter().zip(row.iter().skip(1))).enumerate() {
            let left = next.get(j).copied().unwrap_or(usize::MAX);
            next.push((diagonal + usize::from(x != *y)).min(above + 1).min(left.saturating_add(1)));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
