//! The two wire eras: what a request must carry, and what a result must and must not.

use serde_json::{Map, Value, json};

use super::Era;

pub(super) const PARSE_ERROR: i64 = -32700;
pub(super) const INVALID_REQUEST: i64 = -32600;
pub(super) const METHOD_NOT_FOUND: i64 = -32601;
pub(super) const INVALID_PARAMS: i64 = -32602;
pub(super) const INTERNAL_ERROR: i64 = -32603;
const RESOURCE_NOT_FOUND: i64 = -32002;
const UNSUPPORTED_VERSION: i64 = -32022;

/// Items on a page of any list: so few that a client that does not follow cursors misses tools.
const PAGE: usize = 3;

/// A member of `_meta` that every request of 2026-07-28 carries.
pub(super) const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
pub(super) const META_LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
pub(super) const META_SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
const META_SERVER: &str = "io.modelcontextprotocol/serverInfo";

/// A protocol revision, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Revision {
    March2025,
    June2025,
    November2025,
    July2026,
}

impl Revision {
    const SESSIONS: [Self; 3] = [Self::March2025, Self::June2025, Self::November2025];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::March2025 => "2025-03-26",
            Self::June2025 => "2025-06-18",
            Self::November2025 => "2025-11-25",
            Self::July2026 => "2026-07-28",
        }
    }

    /// The revision to answer `initialize` with: the one asked for, or else the newest with sessions.
    pub(super) fn negotiate(asked: &str) -> Self {
        let known = Self::SESSIONS.into_iter().find(|revision| revision.name() == asked);
        known.unwrap_or(Self::November2025)
    }

    pub(super) fn is_modern(self) -> bool {
        self == Self::July2026
    }
}

/// The revisions that `era` speaks, as they appear on the wire.
pub(super) fn supported(era: Era) -> Vec<&'static str> {
    let sessions = Revision::SESSIONS.into_iter().filter(|_| era != Era::Modern);
    let modern = [Revision::July2026].into_iter().filter(|_| era != Era::Legacy);
    sessions.chain(modern).map(Revision::name).collect()
}

/// A JSON-RPC error.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    pub(super) code: i64,
    pub(super) message: String,
    pub(super) data: Option<Value>,
}

impl Fault {
    pub(super) fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    pub(super) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(INVALID_PARAMS, message)
    }

    pub(super) fn resource_not_found(uri: &str) -> Self {
        let message = format!("no resource `{uri}`; see resources/list and resources/templates/list");
        Self { code: RESOURCE_NOT_FOUND, message, data: Some(json!({"uri": uri})) }
    }

    pub(super) fn unsupported_version(era: Era, requested: &str) -> Self {
        let data = json!({"supported": supported(era), "requested": requested});
        let message = "unsupported protocol version".to_owned();
        Self { code: UNSUPPORTED_VERSION, message, data: Some(data) }
    }

    /// The error response to request `id`.
    pub(super) fn response(self, id: &Value, revision: Revision) -> Value {
        // 2026-07-28 has no code of its own for a missing resource.
        let code =
            if revision.is_modern() && self.code == RESOURCE_NOT_FOUND { INVALID_PARAMS } else { self.code };
        let mut error = Map::new();
        error.insert("code".to_owned(), code.into());
        error.insert("message".to_owned(), self.message.into());
        if let Some(data) = self.data {
            error.insert("data".to_owned(), data);
        }
        json!({"jsonrpc": "2.0", "id": id, "error": error})
    }
}

/// Checks the `_meta` of a stateless request; the version itself was recognised by the caller.
pub(super) fn check_meta(params: &Value) -> Result<(), Fault> {
    match params.get("_meta").and_then(|meta| meta.get(META_CAPABILITIES)) {
        Some(Value::Object(_)) => Ok(()),
        _ => Err(Fault::invalid_params(format!("`_meta` lacks the object `{META_CAPABILITIES}`"))),
    }
}

/// The revision that `params` names in its `_meta`.
pub(super) fn named_version(params: &Value) -> Option<&str> {
    params.get("_meta")?.get(META_VERSION)?.as_str()
}

/// Gives `result` the form that `revision` wants.
pub(super) fn finish(method: &str, mut result: Value, revision: Revision, server_info: &Value) -> Value {
    match revision {
        Revision::July2026 => stamp(method, &mut result, server_info),
        Revision::March2025 => strip(&mut result),
        Revision::June2025 | Revision::November2025 => {}
    }
    result
}

/// `resultType` is required in each result, `ttlMs` and `cacheScope` where a result may be cached.
fn stamp(method: &str, result: &mut Value, server_info: &Value) {
    let Value::Object(members) = result else { return };
    members.entry("resultType").or_insert_with(|| "complete".into());
    let cache = match method {
        "server/discover" | "tools/list" | "prompts/list" | "resources/templates/list" => {
            Some((60_000, "public"))
        }
        "resources/list" | "resources/read" => Some((0, "private")),
        _ => None,
    };
    if let Some((ttl_ms, scope)) = cache {
        members.insert("ttlMs".to_owned(), ttl_ms.into());
        members.insert("cacheScope".to_owned(), scope.into());
    }
    let meta = members.entry("_meta").or_insert_with(|| json!({}));
    if let Value::Object(meta) = meta {
        meta.insert(META_SERVER.to_owned(), server_info.clone());
    }
}

/// 2025-03-26 has neither titles nor structured results nor resource links.
fn strip(result: &mut Value) {
    let Value::Object(members) = result else { return };
    members.remove("structuredContent");
    if let Some(Value::Array(content)) = members.get_mut("content") {
        content.retain(|block| block.get("type").and_then(Value::as_str) != Some("resource_link"));
    }
    for list in ["tools", "prompts", "resources", "resourceTemplates"] {
        let Some(Value::Array(items)) = members.get_mut(list) else { continue };
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.shift_remove("title");
            item.shift_remove("outputSchema");
        }
    }
}

/// The page of `items` that `params` asks for, under `member`.
pub(super) fn page(member: &str, items: Vec<Value>, params: &Value) -> Result<Value, Fault> {
    let start = match params.get("cursor") {
        None | Some(Value::Null) => 0,
        Some(cursor) => {
            let start =
                cursor.as_str().and_then(|cursor| cursor.strip_prefix("after-")?.parse::<usize>().ok());
            let within = start.filter(|start| *start < items.len());
            within.ok_or_else(|| Fault::invalid_params("unknown cursor; list again from the start"))?
        }
    };
    let next = start.saturating_add(PAGE);
    let cursor = (next < items.len()).then(|| format!("after-{next}"));
    let mut result = Map::new();
    result.insert(member.to_owned(), items.into_iter().skip(start).take(PAGE).collect());
    if let Some(cursor) = cursor {
        result.insert("nextCursor".to_owned(), cursor.into());
    }
    Ok(Value::Object(result))
}
