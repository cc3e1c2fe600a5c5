//! Which words does the protocol use? Envelopes, methods, revisions and lossless edits; no I/O.

mod ask;
mod check;
mod edition;
mod extension;
mod headers;
mod message;
mod method;
mod param_headers;
mod splice;
#[cfg(test)]
mod tests;

pub use ask::{Abilities, Ask};
pub use check::{JsonError, JsonLimits, check};
pub use edition::{Edition, Era};
pub use extension::{BadExtension, Extension};
pub use headers::{decode_header_value, encode_header_value};
pub use message::{Id, Message, MessageError, Outcome, quote};
pub use method::{Kind, Method};
pub use param_headers::{PARAM_HEADER, ParamHeaderError, ParamHeaders};
pub use splice::{Edit, Object, array_items, rewrite_strings, string_value};

/// JSON-RPC 2.0 and MCP error codes that the gateway itself emits.
pub mod codes {
    /// The body is not JSON (JSON-RPC 2.0 §5.1).
    pub const PARSE: i64 = -32700;
    /// The JSON is not a valid request object.
    pub const INVALID_REQUEST: i64 = -32600;
    /// The method does not exist or is not available.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// Invalid method parameters.
    pub const INVALID_PARAMS: i64 = -32602;
    /// Internal error.
    pub const INTERNAL: i64 = -32603;
    /// Header and body disagree (MCP 2026-07-28).
    pub const HEADER_MISMATCH: i64 = -32020;
    /// The request does not declare a client capability that the server needs (MCP 2026-07-28).
    pub const MISSING_CAPABILITY: i64 = -32021;
    /// The protocol version is not supported (MCP 2026-07-28).
    pub const UNSUPPORTED_VERSION: i64 = -32022;
    /// A resource does not exist (MCP up to 2025-11-25).
    pub const LEGACY_RESOURCE_NOT_FOUND: i64 = -32002;
}

/// Reserved `_meta` keys of MCP 2026-07-28, which belong to the peer of each hop.
pub mod meta {
    /// The prefix of all reserved keys.
    pub const PREFIX: &str = "io.modelcontextprotocol/";
    /// The protocol revision of a request.
    pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
    /// What the client can do.
    pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
    /// Name and version of the client; unverified.
    pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
    /// Name and version of the server; unverified.
    pub const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
    /// The JSON-RPC id of the subscription that a notification belongs to.
    pub const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
    /// The most verbose log level that the client wants on this request's stream.
    pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
    /// Our own key: the receipt of the record of a call (`audit/FORMAT.md`).
    pub const RECEIPT: &str = "io.sealgate/receipt";
}
