//! A request as it leaves: the hop's own `_meta`, ids and names; all else byte for byte.

use super::ClearedCall;
use crate::mcp::{
    Abilities, Edit, Edition, Era, Id, Method, Object, codes, encode_header_value, meta, quote,
};

/// A severity of RFC 5424, as MCP logging uses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// debug
    Debug,
    /// info
    Info,
    /// notice
    Notice,
    /// warning
    Warning,
    /// error
    Error,
    /// critical
    Critical,
    /// alert
    Alert,
    /// emergency
    Emergency,
}

impl LogLevel {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Debug, "debug"),
        (Self::Info, "info"),
        (Self::Notice, "notice"),
        (Self::Warning, "warning"),
        (Self::Error, "error"),
        (Self::Critical, "critical"),
        (Self::Alert, "alert"),
        (Self::Emergency, "emergency"),
    ];

    /// The level of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, n)| *n == name).map(|(level, _)| level)
    }

    /// The level's name on the wire.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find(|(level, _)| *level == self).map_or("info", |(_, name)| name)
    }
}

/// What this hop adds to a request.
#[derive(Debug, Clone, Default)]
pub struct Hop {
    /// Whether the agent asked for progress.
    pub progress: bool,
    /// The most verbose log level that the agent wants.
    pub log_level: Option<LogLevel>,
    /// What the agent can be asked.
    pub abilities: Abilities,
    /// W3C `traceparent` of the span towards the backend.
    pub traceparent: Option<String>,
    /// W3C `tracestate`.
    pub tracestate: Option<String>,
}

/// One request on the wire, without its envelope.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub method: &'static str,
    pub params: String,
    /// For `Mcp-Name`.
    pub name: Option<String>,
    /// `Mcp-Param-*` headers, encoded.
    pub mirrored: Vec<(String, String)>,
    /// Whom a question that comes meanwhile may concern.
    pub asker: Option<Asker>,
}

/// A principal with a call under way, and what its client can be asked.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    pub principal: String,
    pub abilities: Abilities,
}

impl Outgoing {
    /// A cleared call in the words of a peer that speaks `edition`; `id` doubles as the progress token.
    pub(super) fn of(call: &ClearedCall, edition: Edition, id: u64) -> Self {
        let hop = call.hop();
        let meta = hop_meta(Object::parse(call.params()).as_ref(), edition, hop, id);
        let to = call.to();
        let params = match Edit::of(call.params()) {
            None => call.params().to_owned(),
            Some(mut edit) => {
                for (key, raw) in &to.edits {
                    edit = match raw {
                        Some(raw) => edit.set(key, raw.clone()),
                        None => edit.remove(key),
                    };
                }
                edit = match &meta {
                    Some(meta) => edit.set("_meta", meta.clone()),
                    None => edit.remove("_meta"),
                };
                edit.finish()
            }
        };
        // From what leaves, not from what came: what was masked in the body must not stand in a header.
        let mirrored = to.mirrored.as_ref().filter(|_| edition.era() == Era::Modern).map(|mirrored| {
            let arguments = Object::parse(&params).and_then(|p| p.get("arguments")).unwrap_or("{}");
            mirrored.headers(arguments)
        });
        let mirrored = mirrored.unwrap_or_default();
        let asker = Asker { principal: to.principal.clone(), abilities: hop.abilities.clone() };
        Self { method: to.method.as_str(), name: to.own_name.clone(), mirrored, params, asker: Some(asker) }
    }

    /// A request of our own.
    pub(super) fn own(method: Method, edition: Edition, members: &str) -> Self {
        let meta = hop_meta(None, edition, &Hop::default(), 0);
        let params = match (meta, members.is_empty()) {
            (Some(meta), true) => format!("{{\"_meta\":{meta}}}"),
            (Some(meta), false) => format!("{{{members},\"_meta\":{meta}}}"),
            (None, _) => format!("{{{members}}}"),
        };
        Self { method: method.as_str(), params, name: None, mirrored: Vec::new(), asker: None }
    }

    /// The whole JSON-RPC request.
    pub(super) fn request(&self, id: u64) -> String {
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{}\",\"params\":{}}}",
            self.method, self.params
        )
    }

    /// `Mcp-Name`, in its header form.
    pub(super) fn name_header(&self) -> Option<String> {
        self.name.as_deref().map(|name| encode_header_value(name).into_owned())
    }
}

/// Our own name and version as a peer.
pub(super) fn client_info() -> String {
    format!("{{\"name\":\"sealgate\",\"version\":\"{}\"}}", env!("CARGO_PKG_VERSION"))
}

/// The answer to a request that no client could answer, or to `ping`.
pub(super) fn refusal_of(id: &Id, method: &str) -> String {
    let answer = match method {
        "ping" => "\"result\":{}".to_owned(),
        _ => format!(
            "\"error\":{{\"code\":{},\"message\":\"not supported by this client\"}}",
            codes::METHOD_NOT_FOUND
        ),
    };
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{},{answer}}}", id.raw())
}

/// `_meta` of this hop: the agent's entries without the reserved ones and its progress token, then ours.
fn hop_meta(params: Option<&Object<'_>>, edition: Edition, hop: &Hop, id: u64) -> Option<String> {
    let given = params.and_then(|p| p.object("_meta"));
    let mut members: Vec<String> = Vec::new();
    for (key, raw) in given.iter().flat_map(Object::iter) {
        let ours = matches!(key, "progressToken" | "traceparent" | "tracestate");
        if !ours && !key.starts_with(meta::PREFIX) {
            members.push(format!("{}:{raw}", quote(key)));
        }
    }
    if edition.era() == Era::Modern {
        members.push(format!("\"{}\":\"{edition}\"", meta::PROTOCOL_VERSION));
        members.push(format!("\"{}\":{}", meta::CLIENT_INFO, client_info()));
        members.push(format!("\"{}\":{}", meta::CLIENT_CAPABILITIES, hop.abilities.raw(edition)));
        if let Some(level) = hop.log_level {
            members.push(format!("\"{}\":\"{}\"", meta::LOG_LEVEL, level.as_str()));
        }
    }
    if hop.progress {
        members.push(format!("\"progressToken\":{id}"));
    }
    if let Some(parent) = &hop.traceparent {
        members.push(format!("\"traceparent\":{}", quote(parent)));
        if let Some(state) = hop.tracestate.as_deref().filter(|s| !s.is_empty()) {
            members.push(format!("\"tracestate\":{}", quote(state)));
        }
    }
    (!members.is_empty()).then(|| format!("{{{}}}", members.join(",")))
}
