//! Requests that never become calls: one table of HTTP status and JSON-RPC code.

use crate::gateway::Unheard;
use crate::mcp::{Edition, JsonError, MessageError, codes, quote};
use axum::body::Body;
use axum::response::Response;
use http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

/// Why a request was turned away at the door.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The `Origin` is not allowed.
    #[error("the `Origin` is not allowed: add it to `allowedOrigins`")]
    Origin,
    /// The `Host` is not ours.
    #[error("the `Host` is not ours: add it to `allowedHosts`")]
    Host,
    /// No credential.
    #[error("a bearer token is required")]
    NoCredential(HeaderValue),
    /// A bad credential.
    #[error("the bearer token is not valid")]
    BadCredential(HeaderValue),
    /// The token store cannot be read, so nobody is let in.
    #[error("tokens cannot be checked at the moment")]
    TokensUnavailable,
    /// The HTTP method is not used here.
    #[error("this endpoint takes {0}")]
    HttpMethod(&'static str),
    /// `Accept` excludes all that we can answer with.
    #[error("`Accept` must admit `application/json` or `text/event-stream`")]
    Accept,
    /// The body is not announced as JSON.
    #[error("`Content-Type` must be `application/json`")]
    ContentType,
    /// The body is too large.
    #[error("the body exceeds {0} bytes")]
    TooLarge(usize),
    /// The body did not arrive in time, or not whole.
    #[error("the body did not arrive")]
    Body,
    /// The body is not acceptable JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The body is not a JSON-RPC message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// A required `_meta` key is missing or malformed (MCP 2026-07-28).
    #[error("`params._meta[\"{0}\"]` is missing or malformed")]
    Meta(&'static str),
    /// A header is missing, malformed, or differs from the body (MCP 2026-07-28).
    #[error("header `{0}` is missing, malformed, or differs from the body")]
    Header(&'static str),
    /// The protocol revision is not supported.
    #[error("the protocol version is not supported")]
    Version(String),
    /// The `MCP-Protocol-Version` header of a legacy request is unknown.
    #[error("`MCP-Protocol-Version` names no revision that is supported")]
    VersionHeader,
    /// A legacy request without a session.
    #[error("`Mcp-Session-Id` is required: send `initialize` first")]
    NoSession,
    /// The session is unknown, expired, or another principal's.
    #[error("the session is unknown or has expired: send `initialize` again")]
    UnknownSession,
    /// Too many sessions.
    #[error("too many sessions: end one or try again later")]
    TooManySessions,
    /// Too many calls at once, of all or of this principal.
    #[error("too many calls at once: try again later")]
    TooManyCalls,
    /// A batch with no element, or too many.
    #[error("a batch must have 1 to {0} elements")]
    BatchLength(usize),
    /// The id is that of a request that is still under way.
    #[error("the `id` is that of a request that is still under way")]
    IdInUse,
    /// A WebSocket handshake that does not offer the subprotocol.
    #[error("offer the WebSocket subprotocol `mcp`")]
    Subprotocol,
    /// A WebSocket handshake that is none.
    #[error("not a WebSocket handshake: version 13 over HTTP/1.1 is needed")]
    Handshake,
    /// The agent cancelled the call before anything came back.
    #[error("the call was cancelled")]
    Cancelled,
    /// An unknown method of the stateless era.
    #[error("the method does not exist")]
    UnknownMethod,
    /// An unknown method of the session era: the answer is a plain JSON-RPC error.
    #[error("the method does not exist")]
    UnknownLegacyMethod,
}

impl Rejection {
    /// HTTP status and JSON-RPC code.
    pub fn codes(&self) -> (StatusCode, i64) {
        match self {
            Self::Origin | Self::Host => (StatusCode::FORBIDDEN, codes::INVALID_REQUEST),
            Self::NoCredential(_) | Self::BadCredential(_) => {
                (StatusCode::UNAUTHORIZED, codes::INVALID_REQUEST)
            }
            Self::TokensUnavailable => (StatusCode::SERVICE_UNAVAILABLE, 8005),
            Self::HttpMethod(_) => (StatusCode::METHOD_NOT_ALLOWED, codes::INVALID_REQUEST),
            Self::Accept => (StatusCode::NOT_ACCEPTABLE, codes::INVALID_REQUEST),
            Self::ContentType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, codes::INVALID_REQUEST),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, codes::INVALID_REQUEST),
            Self::Body => (StatusCode::REQUEST_TIMEOUT, codes::INVALID_REQUEST),
            Self::Json(e) if e.is_policy() => (StatusCode::BAD_REQUEST, codes::INVALID_REQUEST),
            Self::Json(_) => (StatusCode::BAD_REQUEST, codes::PARSE),
            Self::Message(_)
            | Self::NoSession
            | Self::VersionHeader
            | Self::BatchLength(_)
            | Self::IdInUse
            | Self::Subprotocol
            | Self::Handshake => (StatusCode::BAD_REQUEST, codes::INVALID_REQUEST),
            Self::Meta(_) => (StatusCode::BAD_REQUEST, codes::INVALID_PARAMS),
            Self::Header(_) => (StatusCode::BAD_REQUEST, codes::HEADER_MISMATCH),
            Self::Version(_) => (StatusCode::BAD_REQUEST, codes::UNSUPPORTED_VERSION),
            Self::UnknownSession => (StatusCode::NOT_FOUND, codes::INVALID_REQUEST),
            Self::TooManySessions => (StatusCode::SERVICE_UNAVAILABLE, 8005),
            Self::TooManyCalls => (StatusCode::TOO_MANY_REQUESTS, 8005),
            Self::Cancelled => (StatusCode::OK, 8007),
            Self::UnknownMethod => (StatusCode::NOT_FOUND, codes::METHOD_NOT_FOUND),
            Self::UnknownLegacyMethod => (StatusCode::OK, codes::METHOD_NOT_FOUND),
        }
    }

    /// How the log counts it.
    pub fn unheard(&self) -> Option<Unheard> {
        match self {
            Self::Origin | Self::Host => Some(Unheard::BadOrigin),
            Self::NoCredential(_) => Some(Unheard::NoCredential),
            Self::BadCredential(_) => Some(Unheard::BadCredential),
            Self::NoSession | Self::UnknownSession => Some(Unheard::BadSession),
            Self::UnknownMethod | Self::UnknownLegacyMethod => Some(Unheard::UnknownMethod),
            Self::TooManySessions | Self::TooManyCalls | Self::TokensUnavailable | Self::Cancelled => None,
            _ => Some(Unheard::Malformed),
        }
    }

    /// The JSON-RPC message; `id` is the raw id of the request, where it could be read.
    pub fn message(&self, id: Option<&str>) -> String {
        let (_, code) = self.codes();
        let data = match self {
            Self::Version(requested) => {
                let supported: Vec<String> = Edition::ALL.iter().rev().map(|e| format!("\"{e}\"")).collect();
                format!(
                    ",\"data\":{{\"supported\":[{}],\"requested\":{}}}",
                    supported.join(","),
                    quote(requested)
                )
            }
            _ => String::new(),
        };
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{},\"error\":{{\"code\":{code},\"message\":{}{data}}}}}",
            id.unwrap_or("null"),
            quote(&self.to_string())
        )
    }

    /// The answer over HTTP.
    pub fn response(&self, id: Option<&str>) -> Response {
        let mut response = Response::new(Body::from(self.message(id)));
        *response.status_mut() = self.codes().0;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self {
            Self::NoCredential(challenge) | Self::BadCredential(challenge) => {
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge.clone());
            }
            Self::HttpMethod(allowed) => {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            }
            _ => {}
        }
        response
    }

    /// One of each kind, for tests and documentation.
    pub fn samples() -> Vec<Self> {
        vec![
            Self::Origin,
            Self::Host,
            Self::NoCredential(HeaderValue::from_static("Bearer")),
            Self::BadCredential(HeaderValue::from_static("Bearer")),
            Self::TokensUnavailable,
            Self::HttpMethod("POST"),
            Self::Accept,
            Self::ContentType,
            Self::TooLarge(4 << 20),
            Self::Body,
            Self::Json(JsonError::Syntax(0)),
            Self::Json(JsonError::DuplicateKey(0)),
            Self::Message(MessageError::Shape),
            Self::Meta(crate::mcp::meta::PROTOCOL_VERSION),
            Self::Header("mcp-method"),
            Self::Version("2099-01-01".into()),
            Self::VersionHeader,
            Self::NoSession,
            Self::UnknownSession,
            Self::TooManySessions,
            Self::TooManyCalls,
            Self::BatchLength(50),
            Self::IdInUse,
            Self::Subprotocol,
            Self::Handshake,
            Self::Cancelled,
            Self::UnknownMethod,
            Self::UnknownLegacyMethod,
        ]
    }
}
