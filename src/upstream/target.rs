//! Where a backend is and how it wants to be treated, resolved from configuration.

use crate::tls::ClientTls;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// How to reach a backend.
#[derive(Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A child process that speaks over standard input and output.
    Stdio {
        /// The program.
        command: String,
        /// Its arguments.
        args: Vec<String>,
        /// Its whole environment: nothing of ours is inherited.
        env: BTreeMap<String, String>,
        /// Its working directory.
        cwd: Option<PathBuf>,
    },
    /// A server at an URL.
    Remote {
        /// What is spoken there.
        wire: Wire,
        /// The endpoint.
        url: url::Url,
        /// Headers sent with each request; may hold secrets.
        headers: Vec<(String, String)>,
        /// Whom to trust, and who we are, where the system's own certificates are not meant.
        tls: Option<ClientTls>,
    },
}

// Arguments, environment and headers may hold secrets: never printed.
impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stdio { command, .. } => write!(f, "stdio `{command}`"),
            Self::Remote { wire, url, .. } => write!(f, "{wire:?} {}", url.origin().ascii_serialization()),
        }
    }
}

/// What a server at an URL speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Streamable HTTP, of either era.
    StreamableHttp,
    /// Streamable HTTP; where that is refused, HTTP+SSE (MCP 2025-11-25, Transports, Backwards Compatibility).
    Http,
    /// HTTP+SSE of 2024-11-05.
    EventStream,
    /// A WebSocket with subprotocol `mcp`.
    WebSocket,
}

/// Which era a backend speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EraChoice {
    /// Found by probing.
    #[default]
    Auto,
    /// Up to 2025-11-25: `initialize`.
    Legacy,
    /// From 2026-07-28: `server/discover`.
    Modern,
}

/// Who shares a session (or process) of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionMode {
    /// All callers.
    #[default]
    Shared,
    /// Each principal has one of its own.
    PerPrincipal,
    /// Each call has one of its own.
    PerRequest,
}

/// One backend, fully resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The server's id.
    pub id: String,
    /// How to reach it.
    pub endpoint: Endpoint,
    /// Which era it speaks.
    pub era: EraChoice,
    /// Who shares a session.
    pub session: SessionMode,
    /// Longest time for one call.
    pub call_timeout: Duration,
    /// Longest time for the handshake.
    pub start_timeout: Duration,
    /// Most calls at once.
    pub concurrency: usize,
    /// Largest message accepted, in bytes.
    pub response_bytes: usize,
}

impl Target {
    /// The same server by HTTP+SSE, if it was left open what it speaks.
    pub(super) fn by_event_stream(&self) -> Option<Self> {
        let mut older = self.clone();
        match &mut older.endpoint {
            Endpoint::Remote { wire: wire @ Wire::Http, .. } if self.era != EraChoice::Modern => {
                *wire = Wire::EventStream;
                Some(older)
            }
            _ => None,
        }
    }
}
