//! The answers: a permit that only this stage can make, or a denial.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use super::digests::Digests;
use super::obligations::Obligations;
use super::settle::{Settled, Shadow};

/// Proof that the policies allow one call. Only `Policies::authorize` makes one.
///
/// It cannot be built elsewhere:
/// ```compile_fail
/// let permit = sealgate::policy::Permit {
///     call: uuid::Uuid::nil(),
///     satisfied: Vec::new(),
///     errors: Vec::new(),
///     obligations: None,
///     overruled: None,
///     provenance: todo!(),
///     shadow: Vec::new(),
/// };
/// ```
/// nor by a default:
/// ```compile_fail
/// let permit: sealgate::policy::Permit = Default::default();
/// ```
/// nor be altered:
/// ```compile_fail
/// fn reuse(permit: &mut sealgate::policy::Permit, other: uuid::Uuid) {
///     permit.call = other;
/// }
/// ```
/// nor be copied to a second call:
/// ```compile_fail
/// fn twice(permit: &sealgate::policy::Permit) -> sealgate::policy::Permit {
///     permit.clone()
/// }
/// ```
#[derive(Debug)]
pub struct Permit {
    call: Uuid,
    satisfied: Vec<String>,
    errors: Vec<PolicyError>,
    obligations: Option<Arc<Obligations>>,
    overruled: Option<Box<Denial>>,
    provenance: Arc<Digests>,
    shadow: Vec<Shadow>,
}

impl Permit {
    pub(super) fn new(call: Uuid, settled: Settled, provenance: Arc<Digests>) -> Self {
        Self {
            call,
            satisfied: settled.verdict.permits,
            errors: settled.verdict.failed_permits,
            obligations: settled.obligations,
            overruled: None,
            provenance,
            shadow: settled.shadow,
        }
    }

    /// A permit in spite of a denial, while denials are only observed.
    pub(super) fn overruling(denial: Denial) -> Self {
        Self {
            call: denial.call,
            satisfied: denial.reasons.satisfied.clone(),
            errors: Vec::new(),
            obligations: None,
            provenance: Arc::clone(&denial.provenance),
            shadow: denial.reasons.shadow.clone(),
            overruled: Some(Box::new(denial)),
        }
    }

    /// What must be done with the call, if anything.
    pub fn obligations(&self) -> Option<&Arc<Obligations>> {
        self.obligations.as_ref()
    }

    /// The denial that was not enforced, because denials are only observed.
    pub fn overruled(&self) -> Option<&Denial> {
        self.overruled.as_deref()
    }

    /// Shadow policies that matched.
    pub fn shadow(&self) -> &[Shadow] {
        &self.shadow
    }

    /// The call that it is for.
    pub fn call(&self) -> Uuid {
        self.call
    }

    /// Ids of the policies that decided: every satisfied permit, sorted.
    pub fn determining(&self) -> &[String] {
        &self.satisfied
    }

    /// Ids of every satisfied permit, sorted.
    pub fn satisfied(&self) -> &[String] {
        &self.satisfied
    }

    /// Permits that failed to evaluate and therefore granted nothing.
    pub fn errors(&self) -> &[PolicyError] {
        &self.errors
    }

    /// Digests of what decided.
    pub fn provenance(&self) -> &Digests {
        &self.provenance
    }
}

/// A policy that failed to evaluate. It names the kind of failure, never a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyError {
    /// The policy's id.
    pub policy: String,
    /// What went wrong.
    pub cause: &'static str,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.policy, self.cause)
    }
}

/// An argument that does not fit its declared type. It never holds the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Names of declared properties, joined by dots; empty for the arguments as a whole.
    pub path: String,
    /// What was expected.
    pub expected: &'static str,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(f, "the arguments must be {}", self.expected)
        } else {
            write!(f, "`{}` must be {}", self.path, self.expected)
        }
    }
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DenialKind {
    /// A `forbid` matched.
    Forbidden,
    /// No `permit` matched.
    NoPermit,
    /// A `forbid` failed to evaluate, or the question could not be put.
    Erred,
    /// There is no such tool, prompt or server.
    Unknown,
    /// An argument does not fit its declared type.
    InvalidArguments,
}

impl DenialKind {
    /// The kind as one word of ASCII, for records and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::NoPermit => "no_permit",
            Self::Erred => "erred",
            Self::Unknown => "unknown",
            Self::InvalidArguments => "invalid_arguments",
        }
    }
}

/// A refusal. The client hears its kind only; the rest is for the record.
#[derive(Debug)]
pub struct Denial {
    call: Uuid,
    kind: DenialKind,
    reasons: Box<Reasons>,
    provenance: Arc<Digests>,
}

/// Everything behind a denial's kind.
#[derive(Debug, Default)]
pub(super) struct Reasons {
    pub(super) determining: Vec<String>,
    pub(super) satisfied: Vec<String>,
    pub(super) errors: Vec<PolicyError>,
    pub(super) misfit: Option<Misfit>,
    pub(super) reply: Option<Arc<str>>,
    pub(super) shadow: Vec<Shadow>,
    pub(super) notify: std::collections::BTreeSet<String>,
}

impl Denial {
    pub(super) fn new(call: Uuid, kind: DenialKind, reasons: Reasons, provenance: Arc<Digests>) -> Self {
        Self { call, kind, reasons: Box::new(reasons), provenance }
    }

    /// The call that it is for.
    pub fn call(&self) -> Uuid {
        self.call
    }

    /// Why.
    pub fn kind(&self) -> DenialKind {
        self.kind
    }

    /// Ids of the policies that decided: every satisfied `forbid`, and every `forbid` that erred; sorted.
    pub fn determining(&self) -> &[String] {
        &self.reasons.determining
    }

    /// Ids of every satisfied permit: what would have allowed it; sorted.
    pub fn satisfied(&self) -> &[String] {
        &self.reasons.satisfied
    }

    /// Policies that failed to evaluate.
    pub fn errors(&self) -> &[PolicyError] {
        &self.reasons.errors
    }

    /// The argument that did not fit, if that is why.
    pub fn misfit(&self) -> Option<&Misfit> {
        self.reasons.misfit.as_ref()
    }

    /// Shadow policies that matched.
    pub fn shadow(&self) -> &[Shadow] {
        &self.reasons.shadow
    }

    /// Who is told; names of the configuration.
    pub fn notify(&self) -> &std::collections::BTreeSet<String> {
        &self.reasons.notify
    }

    /// The `@reply` of the severest deciding policy that has one.
    pub fn reply(&self) -> Option<&str> {
        self.reasons.reply.as_deref()
    }

    /// Digests of what decided.
    pub fn provenance(&self) -> &Digests {
        &self.provenance
    }
}
