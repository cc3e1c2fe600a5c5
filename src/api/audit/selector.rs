//! Which payloads a hold or an erasure is about, and whether all of them are the tenant's.

use super::records::Scope;
use crate::api::Api;
use crate::api::problem::Problem;
use crate::api::visit::Visit;
use crate::audit::tree::Prover;
use crate::audit::{Payloads, Reader, Refused, Selector, parse_hex};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Most calls that are named at once.
const CALLS: usize = 1000;
/// Longest name of a caller, in bytes; longest reason, in characters.
const NAME: usize = 256;
const REASON: usize = 1000;

/// Which payloads: one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Which {
    /// What these calls said; at most 1000.
    Calls(Vec<Uuid>),
    /// What every call said in which a value with this commitment (64 hexadecimal digits) was found.
    Commitment(String),
    /// Everything that this caller's calls said.
    Subject(String),
}

impl Which {
    /// Checks the bounds, and notes for the record what is asked for.
    pub(super) fn noted(self, visit: &Visit) -> Result<Selector, Problem> {
        let malformed = |why: &str| Problem::Malformed(why.into());
        let selector = match self {
            Self::Calls(calls) if calls.is_empty() || calls.len() > CALLS => {
                return Err(malformed("`calls` names none, or more than 1000"));
            }
            Self::Calls(calls) => {
                visit.param("calls", calls.len());
                visit.param("first_call", calls.first().map(Uuid::to_string));
                Selector::Calls(calls)
            }
            Self::Commitment(hex) if parse_hex(&hex).is_none() => {
                return Err(malformed("`commitment` is not 64 hexadecimal digits"));
            }
            Self::Commitment(hex) => {
                visit.param("commitment", hex.as_str());
                Selector::Commitment(hex)
            }
            Self::Subject(name) if name.is_empty() || name.len() > NAME => {
                return Err(malformed("`subject` is empty or longer than 256 bytes"));
            }
            Self::Subject(name) => {
                visit.param("subject", name.as_str());
                Selector::Subject(name)
            }
        };
        Ok(selector)
    }
}

impl From<Selector> for Which {
    fn from(selector: Selector) -> Self {
        match selector {
            Selector::Calls(calls) => Self::Calls(calls),
            Selector::Commitment(hex) => Self::Commitment(hex),
            Selector::Subject(name) => Self::Subject(name),
        }
    }
}

/// A reason, redacted and bounded.
pub(super) fn reason(visit: &Visit, text: &str) -> Result<String, Problem> {
    if text.trim().is_empty() || text.chars().count() > REASON {
        return Err(Problem::Malformed("`reason` is empty or longer than 1000 characters".into()));
    }
    Ok(visit.rules.inspector.redact_text(text).into_owned())
}

/// How many payloads are selected now, if all of them are the tenant's.
pub(super) fn selected(api: &Api, tenant: &str, selector: &Selector) -> Result<u64, Problem> {
    let (reader, prover) = (Reader::open(&api.folder)?, Prover::open(&api.folder)?);
    let mut scope = Scope::new(api, &reader, tenant);
    let mut count = 0;
    for seq in Payloads::open(&api.folder)?.selected(selector, &reader)? {
        if !scope.has(&prover.record(seq)?)? {
            return Err(Problem::Foreign("some of it belongs to another tenant: name single calls"));
        }
        count += 1;
    }
    Ok(count)
}

/// What an order came to.
pub(super) fn ordered(outcome: Result<Value, Refused>) -> Result<Value, Problem> {
    outcome.map_err(|refused| match refused {
        // The reason of a hold may be another tenant's.
        Refused::Held { id, .. } => Problem::Conflict(format!("the hold `{id}` keeps some of it")),
        Refused::Approvers | Refused::Nothing => Problem::Conflict(refused.to_string()),
        Refused::NoHold(_) => Problem::NotFound("hold"),
        Refused::Unrecorded(why) => Problem::Unrecorded(why),
        Refused::Kind(_) | Refused::NoAnchor => Problem::Internal,
        Refused::Log(_) | Refused::Closed => {
            tracing::error!("an order of an auditor cannot be carried out: {refused}");
            Problem::Unavailable
        }
    })
}
