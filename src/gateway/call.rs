//! A call as the trunk sees it: the stateless model of 2026-07-28, whatever the agent speaks.

use crate::mcp::{Abilities, Edition, Method};
use crate::route::Front;
use crate::upstream::LogLevel;
use std::net::IpAddr;
use uuid::Uuid;

/// Name and version that the client gives itself; unverified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Facts of a legacy session that policy may ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFacts {
    /// The session's id; empty without a session.
    pub id: String,
    /// When it began, in microseconds since the Unix epoch.
    pub started_us: i64,
    /// Calls in it so far.
    pub calls: i64,
    /// Labels of what it has read.
    pub taint: Vec<String>,
    /// Tools that it has called.
    pub tools: Vec<String>,
}

/// W3C trace context as it arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// `traceparent`
    pub parent: Option<String>,
    /// `tracestate`
    pub state: Option<String>,
}

/// One request of an agent.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its id here (UUID version 7): the reference in records and refusals.
    pub id: Uuid,
    /// The endpoint.
    pub front: Front,
    /// What is asked.
    pub method: Method,
    /// Raw parameters: an object that has passed [`crate::mcp::check`].
    pub params: String,
    /// The revision that the agent speaks.
    pub edition: Edition,
    /// How it came: `http`.
    pub transport: &'static str,
    /// Who the client says it is.
    pub client: Client,
    /// What the agent can be asked on the way this request came.
    pub abilities: Abilities,
    /// The agent's progress token, raw.
    pub progress_token: Option<String>,
    /// The most verbose log level that the agent wants.
    pub log_level: Option<LogLevel>,
    /// The session, if the agent has one.
    pub session: SessionFacts,
    /// The `Mcp-Param-*` headers, names in lower case and values where they are visible ASCII; absent where the
    /// transport or revision has no such headers.
    pub param_headers: Option<Vec<(String, Option<String>)>>,
    /// Where it came from.
    pub source: Option<IpAddr>,
    /// The JSON-RPC id, raw.
    pub rpc_id: String,
    /// Trace context.
    pub trace: Trace,
}
