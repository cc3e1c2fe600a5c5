//! Names of the OpenTelemetry semantic conventions for MCP (open-telemetry/semantic-conventions-genai, status
//! "Development"). Kept here because the published crate's constants for them are deprecated.
//!
//! In a span macro: `tracing::info_span!("tools/call", { semconv::MCP_METHOD_NAME } = method)`.

/// The method of a message: `tools/call`.
pub const MCP_METHOD_NAME: &str = "mcp.method.name";
/// The negotiated protocol revision.
pub const MCP_PROTOCOL_VERSION: &str = "mcp.protocol.version";
/// The session; only up to revision 2025-11-25.
pub const MCP_SESSION_ID: &str = "mcp.session.id";
/// The resource's URI. Never a metric label.
pub const MCP_RESOURCE_URI: &str = "mcp.resource.uri";
/// The tool's name.
pub const GEN_AI_TOOL_NAME: &str = "gen_ai.tool.name";
/// The prompt's name.
pub const GEN_AI_PROMPT_NAME: &str = "gen_ai.prompt.name";
/// `execute_tool`, for `tools/call` alone.
pub const GEN_AI_OPERATION_NAME: &str = "gen_ai.operation.name";
/// The value of [`GEN_AI_OPERATION_NAME`].
pub const EXECUTE_TOOL: &str = "execute_tool";
/// The request's id as a string; not for notifications.
pub const JSONRPC_REQUEST_ID: &str = "jsonrpc.request.id";
/// The JSON-RPC error code as a string.
pub const RPC_RESPONSE_STATUS_CODE: &str = "rpc.response.status_code";
/// Why it failed: a JSON-RPC code, [`TOOL_ERROR`], [`TIMEOUT`] or [`OTHER`]. Set if and only if it failed.
pub const ERROR_TYPE: &str = "error.type";
/// [`ERROR_TYPE`] of a result with `isError: true`.
pub const TOOL_ERROR: &str = "tool_error";
/// [`ERROR_TYPE`] of a call that took too long.
pub const TIMEOUT: &str = "timeout";
/// The value for whatever has no name of its own.
pub const OTHER: &str = "_OTHER";
/// `tcp`, `pipe` or `unix`.
pub const NETWORK_TRANSPORT: &str = "network.transport";
/// `http`.
pub const NETWORK_PROTOCOL_NAME: &str = "network.protocol.name";
/// `1.1` or `2`.
pub const NETWORK_PROTOCOL_VERSION: &str = "network.protocol.version";
/// The agent's address (server spans).
pub const CLIENT_ADDRESS: &str = "client.address";
/// The agent's port (server spans).
pub const CLIENT_PORT: &str = "client.port";
/// The backend's host (client spans).
pub const SERVER_ADDRESS: &str = "server.address";
/// The backend's port (client spans).
pub const SERVER_PORT: &str = "server.port";
/// Read by the trace layer: the span's name, where it is known only at run time.
pub const OTEL_NAME: &str = "otel.name";
/// Read by the trace layer: `server` towards the agent, `client` towards a backend.
pub const OTEL_KIND: &str = "otel.kind";
/// Read by the trace layer: `error` if and only if [`ERROR_TYPE`] is set.
pub const OTEL_STATUS_CODE: &str = "otel.status_code";
/// Our own: the id of the call in the log.
pub const SEALGATE_CALL_ID: &str = "sealgate.call.id";
/// Our own: the backend's id.
pub const SEALGATE_SERVER_ID: &str = "sealgate.server.id";
