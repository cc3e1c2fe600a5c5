//! Backends: as `mcpServers` writes them, and as the gateway uses them.

use std::borrow::Borrow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::tls::BackendTls;
use crate::inspect::sanitize::{self, Semantic};
use crate::mcp::Extension;
use crate::secret::Secret;
use crate::tls::ClientTls;

/// The longest id: together with a tool's name it has to fit into the 64 characters that models accept.
const ID_LENGTH: usize = 32;

/// A backend's id: `[a-z0-9]([a-z0-9-]*[a-z0-9])?`, at most 32 characters. No underscore, because exposed
/// names are `{server}_{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerId(String);

impl ServerId {
    /// Checks and wraps an id.
    pub fn parse(id: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let inside = id.chars().all(|c| plain(c) || c == '-');
        let ends = id.starts_with(plain) && id.ends_with(plain);
        (inside && ends && id.len() <= ID_LENGTH).then(|| Self(id.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// IndexMap<ServerId, _> can be asked with a &str: Hash and Eq of both are the string's.
impl Borrow<str> for ServerId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Which protocol era a backend speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Era {
    /// Found by probing, and remembered.
    #[default]
    Auto,
    /// Up to 2025-11-25: `initialize` and sessions.
    Legacy,
    /// From 2026-07-28: stateless, `server/discover`.
    Modern,
}

/// Who shares a session, or a process, of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Session {
    /// All callers.
    #[default]
    Shared,
    /// Each principal has one of its own.
    #[serde(alias = "per_principal")]
    PerPrincipal,
    /// Each call has one of its own, which ends with it.
    #[serde(alias = "per_request")]
    PerRequest,
}

/// What we say about a tool, over what the backend says about it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ToolSettings {
    /// It changes nothing.
    pub read_only: Option<bool>,
    /// What it changes cannot be undone.
    pub destructive: Option<bool>,
    /// Calling it twice does no more than calling it once.
    pub idempotent: Option<bool>,
    /// It reaches systems beyond the backend.
    pub open_world: Option<bool>,
    /// Its definition is held to what was approved.
    pub pinned: Option<bool>,
    /// Free words for policies.
    pub labels: Vec<String>,
    /// Groups that policies name.
    pub groups: Vec<String>,
    /// What arguments are, by JSON pointer (`*` for any one segment): `url`, `path`, `id`, `token`, `shell`.
    #[schemars(with = "std::collections::BTreeMap<String, Semantic>")]
    pub arguments: IndexMap<String, Semantic>,
    /// Over the server's and the common section `sanitize`.
    pub sanitize: sanitize::Config,
}

/// How a client file names a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(super) enum Type {
    #[serde(rename = "stdio")]
    Stdio,
    #[serde(rename = "http", alias = "streamable-http", alias = "streamableHttp")]
    Http,
    #[serde(rename = "sse")]
    Sse,
    #[serde(rename = "ws", alias = "websocket")]
    WebSocket,
}

/// One entry of `mcpServers`: either `command` or `url`, and our settings.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Server")]
pub(super) struct ServerEntry {
    /// The transport, as clients write it; it follows from `command` or `url` and may be left out.
    #[serde(rename = "type")]
    #[schemars(with = "Option<TypeName>")]
    pub(super) kind: Option<Type>,
    /// The program of a stdio server.
    pub(super) command: Option<String>,
    /// Its arguments.
    pub(super) args: Vec<String>,
    /// Its environment; nothing else is inherited but what a program needs to start.
    #[schemars(with = "std::collections::BTreeMap<String, Secret>")]
    pub(super) env: IndexMap<String, Secret>,
    /// Its working directory, relative to this file.
    pub(super) cwd: Option<PathBuf>,
    /// The endpoint of a server: `http://` or `https://` for Streamable HTTP (or, with `type: sse`, for HTTP+SSE),
    /// `ws://` or `wss://` for a WebSocket.
    pub(super) url: Option<String>,
    /// Headers for each request to it.
    #[schemars(with = "std::collections::BTreeMap<String, Secret>")]
    pub(super) headers: IndexMap<String, Secret>,
    /// Whom to trust and who we are, where the system's certificates are not meant.
    pub(super) tls: Option<BackendTls>,
    /// Which protocol era it speaks.
    pub(super) era: Era,
    /// Longest time for one call, in milliseconds.
    #[schemars(range(min = 100, max = 86_400_000))]
    pub(super) timeout_ms: u64,
    /// Longest time to start and shake hands, in milliseconds.
    #[schemars(range(min = 100, max = 600_000))]
    pub(super) start_timeout_ms: u64,
    /// Most calls at once.
    #[schemars(range(min = 1, max = 10_000))]
    pub(super) concurrency: usize,
    /// Who shares a session.
    pub(super) session: Session,
    /// The tenant it belongs to.
    pub(super) tenant: String,
    /// The environment it acts in (`production`, `staging`), for policies.
    pub(super) environment: String,
    /// How far it is trusted, for policies: 0 not at all, 100 fully.
    #[schemars(range(min = 0, max = 100))]
    pub(super) trust: i64,
    /// Whether somebody else runs it.
    pub(super) third_party: bool,
    /// Free words for policies.
    pub(super) labels: Vec<String>,
    /// Groups that policies name.
    pub(super) groups: Vec<String>,
    /// Leaves it out.
    pub(super) disabled: bool,
    /// What we say about its tools, by the backend's own name of the tool.
    #[schemars(with = "std::collections::BTreeMap<String, ToolSettings>")]
    pub(super) tools: IndexMap<String, ToolSettings>,
    /// Methods of extensions that the gateway does not know and lets through to this server, each judged as
    /// `CallExtension`; others are refused.
    pub(super) extension_methods: Vec<String>,
    /// Over the common section `sanitize`.
    pub(super) sanitize: sanitize::Config,
}

/// For the schema: the spellings of `type`.
#[derive(JsonSchema)]
#[schemars(inline)]
#[allow(dead_code, reason = "only its schema is used")]
enum TypeName {
    #[serde(rename = "stdio")]
    Stdio,
    #[serde(rename = "http")]
    Http,
    #[serde(rename = "streamable-http")]
    StreamableHttp,
    #[serde(rename = "streamableHttp")]
    StreamableHttpCamel,
    #[serde(rename = "sse")]
    Sse,
    #[serde(rename = "ws")]
    Ws,
    #[serde(rename = "websocket")]
    WebSocket,
}

impl Default for ServerEntry {
    fn default() -> Self {
        Self {
            kind: None,
            command: None,
            args: Vec::new(),
            env: IndexMap::new(),
            cwd: None,
            url: None,
            headers: IndexMap::new(),
            tls: None,
            era: Era::default(),
            timeout_ms: 60_000,
            start_timeout_ms: 30_000,
            concurrency: 64,
            session: Session::default(),
            tenant: "default".into(),
            environment: "production".into(),
            trust: 1,
            third_party: false,
            labels: Vec::new(),
            groups: Vec::new(),
            disabled: false,
            tools: IndexMap::new(),
            extension_methods: Vec::new(),
            sanitize: sanitize::Config::default(),
        }
    }
}

/// What is spoken at a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Streamable HTTP.
    StreamableHttp,
    /// Streamable HTTP, or HTTP+SSE where a server refuses that.
    Http,
    /// HTTP+SSE, the deprecated transport of 2024-11-05.
    EventStream,
    /// A WebSocket with subprotocol `mcp`.
    WebSocket,
}

/// How to reach a backend.
#[derive(Clone, PartialEq, Eq)]
pub enum Transport {
    /// A child process that speaks over standard input and output.
    Stdio {
        /// The program: a path (relative to `cwd`) or a name to look up in `PATH`.
        command: String,
        /// Its arguments.
        args: Vec<String>,
        /// Its environment, in the order of the file.
        env: IndexMap<String, Secret>,
        /// Its working directory, made absolute or relative to ours; ours when absent.
        cwd: Option<PathBuf>,
    },
    /// A server at a URL.
    Http {
        /// What is spoken there.
        wire: Wire,
        /// The endpoint.
        url: Url,
        /// Headers for each request; names and values are valid HTTP.
        headers: IndexMap<String, Secret>,
        /// Whom to trust and who we are, where the system's certificates are not meant.
        tls: Option<ClientTls>,
    },
}

// Arguments and the query of a URL may hold expanded variables, so they are not shown either.
impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdio { command, args, env, cwd } => f
                .debug_struct("Stdio")
                .field("command", command)
                .field("args", &args.len())
                .field("env", &env.keys().collect::<Vec<_>>())
                .field("cwd", cwd)
                .finish(),
            Self::Http { wire, url, headers, tls } => f
                .debug_struct("Http")
                .field("wire", wire)
                .field("tls", tls)
                .field("url", &format!("{}{}", url.origin().ascii_serialization(), url.path()))
                .field("headers", &headers.keys().collect::<Vec<_>>())
                .finish(),
        }
    }
}

/// One backend, checked and resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// How to reach it.
    pub transport: Transport,
    /// Which protocol era it speaks.
    pub era: Era,
    /// Longest time for one call.
    pub timeout: Duration,
    /// Longest time to start and shake hands.
    pub start_timeout: Duration,
    /// Most calls at once.
    pub concurrency: usize,
    /// Who shares a session.
    pub session: Session,
    /// The tenant it belongs to.
    pub tenant: String,
    /// The environment it acts in.
    pub environment: String,
    /// How far it is trusted, 0 to 100.
    pub trust: i64,
    /// Whether somebody else runs it.
    pub third_party: bool,
    /// Free words for policies.
    pub labels: Vec<String>,
    /// Groups that policies name.
    pub groups: Vec<String>,
    /// Whether it is left out.
    pub disabled: bool,
    /// What we say about its tools, by the backend's own name of the tool.
    pub tools: IndexMap<String, ToolSettings>,
    /// Methods of extensions that are let through.
    pub extension_methods: Vec<Extension>,
    /// Over the common section `sanitize`.
    pub sanitize: sanitize::Config,
}

impl ServerEntry {
    /// The backend, once it was checked that there is exactly one transport.
    pub(super) fn into_server(self, transport: Transport) -> Server {
        Server {
            transport,
            era: self.era,
            timeout: Duration::from_millis(self.timeout_ms),
            start_timeout: Duration::from_millis(self.start_timeout_ms),
            concurrency: self.concurrency,
            session: self.session,
            tenant: self.tenant,
            environment: self.environment,
            trust: self.trust,
            third_party: self.third_party,
            labels: self.labels,
            groups: self.groups,
            disabled: self.disabled,
            tools: self.tools,
            extension_methods: self
                .extension_methods
                .iter()
                .filter_map(|name| Extension::declare(name).ok())
                .collect(),
            sanitize: self.sanitize,
        }
    }
}
