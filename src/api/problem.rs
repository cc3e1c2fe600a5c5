//! Refusals as problem details (RFC 9457). Texts never repeat what was sent.

use crate::audit::{self, Unrecorded};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use std::time::Duration;
use utoipa::ToSchema;

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum Problem {
    /// The `Host` is not ours.
    #[error("the `Host` is not ours: add it to `allowedHosts`")]
    Host,
    /// The `Origin` is not ours.
    #[error("the `Origin` is not allowed: add it to `allowedOrigins`")]
    Origin,
    /// No credential, or a bad one.
    #[error("{1}")]
    Unauthenticated(HeaderValue, &'static str),
    /// The token store cannot be read, so nobody is let in.
    #[error("tokens cannot be checked at the moment")]
    TokensUnavailable,
    /// Policy does not allow it.
    #[error("policy does not allow you `{0}` here")]
    Forbidden(&'static str),
    /// Some of what was asked for is another tenant's.
    #[error("{0}")]
    Foreign(&'static str),
    /// There is nothing of that name that the caller may see.
    #[error("there is no such {0}, or it is not yours to see")]
    NotFound(&'static str),
    /// The endpoint takes another method.
    #[error("this endpoint takes another method")]
    Method,
    /// A parameter or the body is not what the document says.
    #[error("{0}")]
    Malformed(String),
    /// A query or value that cannot be understood, with its place.
    #[error("{detail}")]
    Query {
        /// What is wrong.
        detail: String,
        /// Where, and what was meant perhaps.
        more: Map<String, Value>,
    },
    /// The body is too large.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The body is not announced as JSON.
    #[error("`Content-Type` must be `application/json`")]
    MediaType,
    /// The state of things does not admit it.
    #[error("{0}")]
    Conflict(String),
    /// Too many requests of this principal.
    #[error("too many requests: wait")]
    TooMany(Duration),
    /// No checkpoint covers it yet.
    #[error("no checkpoint covers this yet: one is signed each second in which the log grew")]
    NotYet,
    /// The index is not there, or not as far as it must be.
    #[error("{0}")]
    Index(String),
    /// The answer would be too large.
    #[error("{0}")]
    TooMuch(String),
    /// The request cannot be recorded, so it is not answered.
    #[error("the audit log cannot record this request, so it is not answered: {0}")]
    Unrecorded(Unrecorded),
    /// What is stored is not what was written.
    #[error("record {0} does not verify: run `sealgate audit verify`")]
    Tampered(u64),
    /// The bytes of a record are in an archive.
    #[error(
        "record {0} is archived: its hash and place are here, its bytes are not; ask the operator to restore it"
    )]
    Archived(u64),
    /// The log or a store cannot be read.
    #[error("the stores cannot be read at the moment")]
    Unavailable,
    /// Our own fault.
    #[error("the gateway failed to answer: its log output says why")]
    Internal,
}

/// Problem details (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Details {
    /// `urn:sealgate:problem:` and a word for the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "urn:sealgate:problem:forbidden")]
    kind: String,
    /// The kind in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong and what to do; it never repeats what was sent.
    detail: String,
    /// `urn:uuid:` and the id of the request, which its record carries as `call`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) instance: Option<String>,
    /// Members of that kind of problem, such as `position` and `suggestion` of a query.
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl Problem {
    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Host => (StatusCode::FORBIDDEN, "host", "Foreign host"),
            Self::Origin => (StatusCode::FORBIDDEN, "origin", "Foreign origin"),
            Self::Unauthenticated(..) => (StatusCode::UNAUTHORIZED, "unauthenticated", "Not authenticated"),
            Self::TokensUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "tokens-unavailable", "Tokens cannot be checked")
            }
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "Not permitted"),
            Self::Foreign(_) => (StatusCode::FORBIDDEN, "foreign", "Another tenant's"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "method", "Another method"),
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed", "Malformed request"),
            Self::Query { .. } => (StatusCode::BAD_REQUEST, "query", "Query not understood"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Body too large"),
            Self::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "Not JSON"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict", "Conflict"),
            Self::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests"),
            Self::NotYet => (StatusCode::SERVICE_UNAVAILABLE, "not-signed-yet", "Not signed yet"),
            Self::Index(_) => (StatusCode::SERVICE_UNAVAILABLE, "index", "Index unavailable"),
            Self::TooMuch(_) => (StatusCode::UNPROCESSABLE_ENTITY, "too-much", "Too much at once"),
            Self::Unrecorded(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "audit-unavailable", "Cannot be recorded")
            }
            Self::Archived(_) => (StatusCode::GONE, "archived", "Archived"),
            Self::Tampered(_) => (StatusCode::INTERNAL_SERVER_ERROR, "tampered", "Does not verify"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Stores unavailable"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
        }
    }

    /// The answer to the request of that id.
    pub(super) fn response(&self, request: Option<uuid::Uuid>) -> Response {
        let (status, word, title) = self.kind();
        let more = match self {
            Self::Query { more, .. } => more.clone(),
            Self::Forbidden(action) => Map::from_iter([("action".to_owned(), (*action).into())]),
            _ => Map::new(),
        };
        let details = Details {
            kind: format!("urn:sealgate:problem:{word}"),
            title,
            status: status.as_u16(),
            detail: self.to_string(),
            instance: request.map(|id| format!("urn:uuid:{id}")),
            more,
        };
        let body = serde_json::to_string(&details).unwrap_or_default();
        let mut response = (status, [(CONTENT_TYPE, "application/problem+json")], body).into_response();
        if let Some((name, value)) = self.header() {
            response.headers_mut().insert(name, value);
        }
        response
    }

    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Unauthenticated(challenge, _) => Some((WWW_AUTHENTICATE, challenge.clone())),
            Self::TooMany(wait) => Some((RETRY_AFTER, (wait.as_secs() + 1).into())),
            Self::NotYet | Self::Index(_) => Some((RETRY_AFTER, 1.into())),
            _ => None,
        }
    }
}

/// Handlers return a problem as an answer of its own; the door completes it with the id of the request.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.response(None);
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Unrecorded> for Problem {
    fn from(why: Unrecorded) -> Self {
        Self::Unrecorded(why)
    }
}

impl From<audit::Error> for Problem {
    fn from(error: audit::Error) -> Self {
        match error {
            audit::Error::NoRecord(_) => Self::NotFound("record"),
            audit::Error::Archived(seq) => Self::Archived(seq),
            audit::Error::NoCheckpoint(_) => Self::NotYet,
            audit::Error::Contradicted(seq) | audit::Error::Altered(seq) => Self::Tampered(seq),
            other => {
                tracing::error!("the log cannot be read for its readers: {other}");
                Self::Unavailable
            }
        }
    }
}
