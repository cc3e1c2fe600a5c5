//! The trunk's only error: why a call got no result, in two texts and with its codes.

use crate::mcp::codes;
use crate::upstream;
use uuid::Uuid;

/// Why a call was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Policy does not permit it, or nothing of that name exists: an agent cannot tell which.
    #[error("denied")]
    Denied,
    /// A policy forbids it and says why.
    #[error("{0}")]
    DeniedBecause(String),
    /// A person has to approve it first; the reference is what they need.
    #[error("approval required")]
    ApprovalRequired(Uuid),
    /// A person has rejected it.
    #[error("approval rejected")]
    ApprovalRejected(Uuid),
    /// The client did not take the question for an approval to anybody.
    #[error("approval declined")]
    ApprovalDeclined(Uuid),
    /// Nobody approved it in time, or the approval was used by the same call elsewhere.
    #[error("approval expired")]
    ApprovalExpired(Uuid),
    /// Policy allows no more of these calls for now; seconds to wait.
    #[error("rate limited")]
    RateLimited(u64),
    /// Parameters or result are larger than policy allows, in bytes.
    #[error("larger than {0} bytes")]
    TooLarge(u64),
    /// Something that policy demands cannot be done at the moment.
    #[error("`{0}` cannot be done")]
    Unhonoured(&'static str),
    /// The parameters name nothing or have the wrong form. The text names the place, never a value.
    #[error("{0}")]
    InvalidParams(String),
    /// A parameter's header is missing, malformed, or differs from the body. Holds the header's name.
    #[error("header `{0}` is missing, malformed, or differs from the body")]
    HeaderMismatch(String),
    /// A cursor that is not ours, or that has expired.
    #[error("the cursor is unknown or has expired: list again from the start")]
    BadCursor,
    /// A `requestState` that is not ours, not this caller's, of another request, or expired.
    #[error("the request state is unknown or has expired: make the request anew, without it")]
    BadState,
    /// No task of this caller's has that id.
    #[error("unknown task")]
    UnknownTask,
    /// Inspection refused the request or the result.
    #[error("{0}")]
    Blocked(String),
    /// A service that inspection needs did not say what is in the request or the result.
    #[error("the external recogniser {0}")]
    Uninspected(&'static str),
    /// The tool's definition is not the approved one, or waits for approval.
    #[error("{0}")]
    Held(&'static str),
    /// The backend gave no usable answer.
    #[error(transparent)]
    Upstream(#[from] upstream::Error),
    /// The backend asks the client for something that the client cannot give or policy keeps from it, and will not go
    /// on without.
    #[error("the server asks its client for `{0}`, which it does not get")]
    Unanswered(&'static str),
    /// The client lacks a capability that the backend needs for this request: the raw `ClientCapabilities`.
    #[error("the server needs a client capability that the request does not declare")]
    MissingCapability(&'static str),
    /// Too many questions of this caller wait for answers.
    #[error("too many requests of this caller wait for input")]
    TooManyParked,
    /// Too much at once.
    #[error("overloaded")]
    Overloaded,
    /// The audit log cannot record it, so it does not run.
    #[error("unrecorded")]
    Unrecorded,
    /// No such endpoint.
    #[error("unknown server")]
    UnknownServer,
    /// A defect of ours: the stamps did not fit.
    #[error("internal")]
    Internal,
}

/// What a refusal is called in each place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// JSON-RPC error code.
    pub code: i64,
    /// HTTP status of a plain answer.
    pub status: u16,
    /// The reason in records and metrics.
    pub reason: &'static str,
    /// What the agent hears, before the reference.
    pub client: &'static str,
}

impl Refusal {
    /// The one table of refusals.
    pub fn text(&self) -> Text {
        let (code, status, reason, client) = match self {
            Self::Denied => (8001, 200, "denied", "unknown or not permitted"),
            Self::DeniedBecause(_) => (8001, 200, "denied", "not permitted"),
            Self::ApprovalRequired(_) => {
                (8007, 200, "approval_required", "a person must approve this call; ask for it and call again")
            }
            Self::ApprovalRejected(_) => (8007, 200, "approval_rejected", "a person has rejected this call"),
            Self::ApprovalDeclined(_) => (
                8007,
                200,
                "approval_declined",
                "this call needs a person's approval, and asking was declined",
            ),
            Self::ApprovalExpired(_) => (
                8007,
                200,
                "approval_expired",
                "the time for approving this call is over; call again to ask anew",
            ),
            Self::RateLimited(_) => (8008, 200, "rate_limited", "too many of these calls"),
            Self::TooLarge(_) => (8002, 200, "too_large", "larger than policy allows"),
            Self::Unhonoured(_) => {
                (8005, 503, "unhonoured", "a condition of the policy cannot be met now, try again later")
            }
            Self::InvalidParams(_) => (codes::INVALID_PARAMS, 200, "invalid_params", "invalid parameters"),
            Self::HeaderMismatch(_) => (codes::HEADER_MISMATCH, 400, "header_mismatch", "header mismatch"),
            Self::BadCursor => (codes::INVALID_PARAMS, 200, "bad_cursor", "invalid cursor"),
            Self::BadState => (codes::INVALID_PARAMS, 200, "bad_state", "invalid request state"),
            Self::UnknownTask => (codes::INVALID_PARAMS, 200, "unknown_task", "unknown task"),
            Self::Blocked(_) => (8002, 200, "blocked", "blocked by inspection"),
            Self::Uninspected(_) => {
                (8005, 503, "uninspected", "inspection cannot be completed at the moment, try again later")
            }
            Self::Held(reason) => (8003, 200, *reason, "the tool's definition waits for approval"),
            Self::Upstream(upstream::Error::Timeout) => {
                (8004, 200, "upstream_timeout", "the server did not answer in time")
            }
            Self::Upstream(upstream::Error::Busy) => (8005, 200, "upstream_busy", "the server is busy"),
            Self::Upstream(_) => (8004, 200, "upstream_failed", "the server failed to answer"),
            Self::Unanswered(_) => {
                (8004, 200, "unanswered", "the server asks the client for something that it does not get")
            }
            Self::MissingCapability(_) => {
                (codes::MISSING_CAPABILITY, 400, "missing_capability", "the server needs a client capability")
            }
            Self::TooManyParked => (8005, 200, "too_many_parked", "too many requests wait for input"),
            Self::Overloaded => (8005, 503, "overloaded", "overloaded, try again later"),
            Self::Unrecorded => (8006, 503, "unrecorded", "the call cannot be recorded, so it was not made"),
            Self::UnknownServer => (8001, 404, "unknown_server", "unknown or not permitted"),
            Self::Internal => (codes::INTERNAL, 500, "internal", "internal error"),
        };
        Text { code, status, reason, client }
    }

    /// The raw JSON-RPC `error` for an agent, with the reference to the record.
    pub fn error(&self, reference: Uuid) -> String {
        let text = self.text();
        let reference = match self {
            Self::ApprovalRequired(waiting)
            | Self::ApprovalRejected(waiting)
            | Self::ApprovalDeclined(waiting)
            | Self::ApprovalExpired(waiting) => *waiting,
            _ => reference,
        };
        let detail = match self {
            Self::InvalidParams(detail) | Self::DeniedBecause(detail) => format!(": {detail}"),
            Self::RateLimited(seconds) => format!(", try again in {seconds} s"),
            Self::TooLarge(limit) => format!(": {limit} bytes"),
            Self::HeaderMismatch(_) | Self::BadCursor | Self::BadState => format!(": {self}"),
            _ => String::new(),
        };
        let message = crate::mcp::quote(&format!("{}{detail} (reference {reference})", text.client));
        let needed = match self {
            Self::MissingCapability(needed) => format!(",\"requiredCapabilities\":{needed}"),
            _ => String::new(),
        };
        format!(
            "{{\"code\":{},\"message\":{message},\"data\":{{\"kind\":\"{}\",\"reference\":\"{reference}\"{needed}}}}}",
            text.code, text.reason
        )
    }

    /// One of each kind, for tests and documentation.
    pub fn samples() -> Vec<Self> {
        vec![
            Self::Denied,
            Self::DeniedBecause("exports need the role dpo".into()),
            Self::ApprovalRequired(Uuid::nil()),
            Self::ApprovalRejected(Uuid::nil()),
            Self::ApprovalDeclined(Uuid::nil()),
            Self::ApprovalExpired(Uuid::nil()),
            Self::RateLimited(60),
            Self::TooLarge(1024),
            Self::Unhonoured("approval"),
            Self::InvalidParams("`params.name` must be a string".into()),
            Self::HeaderMismatch("mcp-param-region".into()),
            Self::BadCursor,
            Self::UnknownTask,
            Self::Blocked("too deep".into()),
            Self::Uninspected("did not answer in time"),
            Self::Held("drifted"),
            Self::Held("quarantined"),
            Self::Upstream(upstream::Error::Timeout),
            Self::Upstream(upstream::Error::Busy),
            Self::Upstream(upstream::Error::Closed),
            Self::BadState,
            Self::Unanswered("elicitation/create"),
            Self::MissingCapability("{\"elicitation\":{\"url\":{}}}"),
            Self::TooManyParked,
            Self::Overloaded,
            Self::Unrecorded,
            Self::UnknownServer,
            Self::Internal,
        ]
    }
}
