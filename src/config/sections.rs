//! The file as it is written: one section a stage, and the backends.

use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::approval::ApprovalEntry;
use super::server::ServerEntry;
use super::tls::ListenerTls;
use crate::telemetry;
use crate::{audit, inspect, policy, search};

/// The configuration of Sealgate.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(title = "Sealgate configuration")]
pub(super) struct File {
    /// Address that agents connect to.
    pub(super) listen: String,
    /// Its certificate; without one it speaks plain HTTP.
    pub(super) tls: Option<ListenerTls>,
    /// The listener for health, metrics and administration.
    pub(super) admin: AdminEntry,
    /// The listener for auditors: `/audit/v1`.
    pub(super) audit_api: AuditApiEntry,
    /// Calls that wait for a person's approval.
    pub(super) approval: ApprovalEntry,
    /// The gateway's URL as agents see it, when a proxy stands in front.
    pub(super) public_url: Option<String>,
    /// Folder of the log and the tokens, relative to this file.
    pub(super) data_dir: PathBuf,
    /// Browser origins that may connect, besides the gateway's own (`https://app.example`).
    pub(super) allowed_origins: Vec<String>,
    /// Values of the `Host` header that are accepted, besides the listener's own (`gateway.example`).
    pub(super) allowed_hosts: Vec<String>,
    /// Bounds on what one agent and all agents together may ask.
    pub(super) limits: Limits,
    /// Where policies and entities are.
    pub(super) policies: policy::Config,
    /// What is looked for in arguments and results.
    pub(super) inspect: inspect::Config,
    /// What is done about hidden text, instructions, links and dangerous arguments.
    pub(super) sanitize: inspect::sanitize::Config,
    /// How the log is kept.
    pub(super) audit: audit::Config,
    /// How the log is searched.
    pub(super) search: search::Config,
    /// Traces and log output.
    pub(super) telemetry: telemetry::Config,
    /// Files (JSON or YAML) with more `mcpServers`, in the shape that MCP clients use.
    pub(super) include: Vec<PathBuf>,
    /// The backends, by id: lower-case letters, digits and hyphens, at most 32.
    #[schemars(with = "std::collections::BTreeMap<String, ServerEntry>")]
    #[schemars(extend("propertyNames" = { "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "maxLength": 32 }))]
    pub(super) mcp_servers: IndexMap<String, ServerEntry>,
    /// The JSON Schema of this file, for editors; ignored.
    #[serde(rename = "$schema")]
    pub(super) schema: Option<String>,
}

impl Default for File {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8765".into(),
            tls: None,
            admin: AdminEntry::default(),
            audit_api: AuditApiEntry::default(),
            approval: ApprovalEntry::default(),
            public_url: None,
            data_dir: "./data".into(),
            allowed_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            limits: Limits::default(),
            policies: policy::Config::default(),
            inspect: inspect::Config::default(),
            sanitize: inspect::sanitize::Config::default(),
            audit: audit::Config::default(),
            search: search::Config::default(),
            telemetry: telemetry::Config::default(),
            include: Vec::new(),
            mcp_servers: IndexMap::new(),
            schema: None,
        }
    }
}

/// The listener for health and metrics.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Admin")]
pub(super) struct AdminEntry {
    /// Address of `/metrics`, `/healthz` and `/readyz`.
    pub(super) listen: String,
    /// Its certificate; without one it speaks plain HTTP.
    pub(super) tls: Option<ListenerTls>,
}

impl Default for AdminEntry {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8766".into(), tls: None }
    }
}

/// The listener for auditors.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "AuditApi")]
pub(super) struct AuditApiEntry {
    /// Address of `/audit/v1`. Left out: `127.0.0.1:8768`, or a free port if that one is taken.
    pub(super) listen: Option<String>,
    /// Its certificate; without one it speaks plain HTTP.
    pub(super) tls: Option<ListenerTls>,
    /// The tenant to which the gateway's own records belong: starts, changes of rules, refused credentials.
    pub(super) operator_tenant: String,
    /// Most requests of one principal in a minute, here and on the administrative listener.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(super) requests_per_minute: u32,
    /// Most records on one page of an answer.
    #[schemars(range(min = 1, max = 10_000))]
    pub(super) page_size: u64,
    /// Most records in one export.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub(super) export_size: u64,
}

impl Default for AuditApiEntry {
    fn default() -> Self {
        Self {
            listen: None,
            tls: None,
            operator_tenant: "default".into(),
            requests_per_minute: 600,
            page_size: 1000,
            export_size: 100_000,
        }
    }
}

/// Bounds on what one agent and all agents together may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Largest request body, in bytes.
    #[schemars(range(min = 1024, max = 268_435_456))]
    pub request_bytes: usize,
    /// Deepest nesting of JSON in a request; `inspect.limits.depth` holds for arguments and answers.
    #[schemars(range(min = 4, max = 128))]
    pub depth: usize,
    /// Largest total of a request's headers, in bytes.
    #[schemars(range(min = 8192, max = 1_048_576))]
    pub header_bytes: usize,
    /// Most calls under way at once.
    #[schemars(range(min = 1, max = 100_000))]
    pub concurrent_calls: usize,
    /// Most calls under way at once for one principal.
    #[schemars(range(min = 1, max = 100_000))]
    pub calls_per_principal: usize,
    /// Longest time for a call, in milliseconds, from request to last frame.
    #[schemars(range(min = 100, max = 86_400_000))]
    pub call_timeout_ms: u64,
    /// How long an agent may leave a stream of events unread before its call is cancelled, in milliseconds.
    #[schemars(range(min = 100, max = 86_400_000))]
    pub unread_ms: u64,
    /// Longest time that a question of a backend (elicitation, sampling) waits for its answer, in milliseconds.
    #[schemars(range(min = 1000, max = 86_400_000))]
    pub question_timeout_ms: u64,
    /// Most open sessions (protocol revisions up to 2025-11-25), and most open subscription streams.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub sessions: usize,
    /// A session that is unused for this long ends, in milliseconds.
    #[schemars(range(min = 1000, max = 604_800_000))]
    pub session_idle_ms: u64,
    /// Most items on a page of a list.
    #[schemars(range(min = 1, max = 100_000))]
    pub page_size: usize,
    /// Largest message from a backend, in bytes.
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub response_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes: 4 * 1024 * 1024,
            depth: 64,
            header_bytes: 16 * 1024,
            concurrent_calls: 1024,
            calls_per_principal: 64,
            call_timeout_ms: 300_000,
            unread_ms: 60_000,
            question_timeout_ms: 600_000,
            sessions: 10_000,
            session_idle_ms: 1_800_000,
            page_size: 1000,
            response_bytes: 16 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// Longest time for a call.
    pub fn call_timeout(&self) -> Duration {
        Duration::from_millis(self.call_timeout_ms)
    }

    /// How long an agent may leave a stream unread.
    pub fn unread(&self) -> Duration {
        Duration::from_millis(self.unread_ms)
    }

    /// Longest time that a question waits for its answer.
    pub fn question_timeout(&self) -> Duration {
        Duration::from_millis(self.question_timeout_ms)
    }

    /// How long an unused session stays.
    pub fn session_idle(&self) -> Duration {
        Duration::from_millis(self.session_idle_ms)
    }

    /// Name, value, least and most of each limit; the schema says the same and a test compares them.
    pub(super) fn ranges(&self) -> [(&'static str, u64, u64, u64); 12] {
        let wide = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        [
            ("requestBytes", wide(self.request_bytes), 1024, 268_435_456),
            ("depth", wide(self.depth), 4, 128),
            ("headerBytes", wide(self.header_bytes), 8192, 1_048_576),
            ("concurrentCalls", wide(self.concurrent_calls), 1, 100_000),
            ("callsPerPrincipal", wide(self.calls_per_principal), 1, 100_000),
            ("callTimeoutMs", self.call_timeout_ms, 100, 86_400_000),
            ("unreadMs", self.unread_ms, 100, 86_400_000),
            ("questionTimeoutMs", self.question_timeout_ms, 1000, 86_400_000),
            ("sessions", wide(self.sessions), 1, 1_000_000),
            ("sessionIdleMs", self.session_idle_ms, 1000, 604_800_000),
            ("pageSize", wide(self.page_size), 1, 100_000),
            ("responseBytes", wide(self.response_bytes), 1024, 1_073_741_824),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_has_the_same_ranges() {
        let schema = super::super::json_schema();
        let limits = &schema["$defs"]["Limits"]["properties"];
        let ranges = Limits::default().ranges();
        assert_eq!(limits.as_object().unwrap().len(), ranges.len());
        for (name, default, least, most) in ranges {
            let limit = &limits[name];
            let said = (&limit["minimum"], &limit["maximum"], &limit["default"]);
            assert_eq!(said, (&least.into(), &most.into(), &default.into()), "{name}");
        }
    }
}
