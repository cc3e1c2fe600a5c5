//! What types cannot say: ranges, formats, and settings that exclude each other.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use http::{HeaderName, HeaderValue};
use url::Url;

use super::Problem;
use super::decode::Decoder;
use super::sections::File;
use super::server::{ServerEntry, ServerId, Transport, Type, Wire};
use super::tree::{Node, Sources};
use crate::mcp::Extension;
use crate::telemetry::Protocol;

/// Headers that the protocol sets itself.
const OWN_HEADERS: [&str; 12] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "host",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
    "transfer-encoding",
    "upgrade",
];

/// Collects problems, each at the place of a path in the file.
pub(super) struct Checker<'a> {
    root: &'a Node,
    sources: &'a Sources,
    decoder: &'a Decoder<'a>,
    pub(super) problems: Vec<Problem>,
    /// Files that were read beside the configuration.
    pub(super) read: Vec<PathBuf>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(root: &'a Node, sources: &'a Sources, decoder: &'a Decoder<'a>) -> Self {
        Self { root, sources, decoder, problems: Vec::new(), read: Vec::new() }
    }

    /// Reports at the place of `path`, unless something there was reported already.
    pub(super) fn wrong(&mut self, path: &[&str], message: impl Into<String>, help: impl Into<String>) {
        let (node, at) = self.root.locate(path);
        if path.is_empty() || !self.decoder.is_faulty(node) {
            self.problems.push(self.sources.problem(at, message.into(), Some(help.into())));
        }
    }

    /// A path that the section at `path` names, relative to the file that holds the section.
    pub(super) fn beside(&self, path: &[&str], named: &Path) -> PathBuf {
        self.sources.folder(self.root.locate(path).1).join(named)
    }

    pub(super) fn in_range(&mut self, path: &[&str], value: impl Into<i128>, least: i128, most: i128) {
        let name = path.last().copied().unwrap_or_default();
        if !(least..=most).contains(&value.into()) {
            let message = format!("`{name}` is out of range");
            self.wrong(path, message, format!("write a number from {least} to {most}"));
        }
    }

    pub(super) fn address(&mut self, path: &[&str], text: &str) -> Option<SocketAddr> {
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.wrong(
                path,
                "not an address to listen on",
                "write an IP address and a port: `127.0.0.1:8765`",
            );
        }
        parsed
    }

    pub(super) fn top(&mut self, file: &File) {
        for (name, value, least, most) in file.limits.ranges() {
            self.in_range(&["limits", name], value, least.into(), most.into());
        }
        let wide = |value: usize| i128::try_from(value).unwrap_or(i128::MAX);
        let audit = &file.audit;
        for (name, value, least, most) in [
            ("queue", wide(audit.queue), 1, 1_000_000),
            ("maxSizeMb", audit.max_size_mb.map_or(1, i128::from), 1, 1 << 24),
            ("retryMs", i128::from(audit.retry_ms), 10, 600_000),
            ("heartbeatS", i128::from(audit.heartbeat_s), 1, 86_400),
        ] {
            self.in_range(&["audit", name], value, least, most);
        }
        self.listeners(file);
        for (index, origin) in file.allowed_origins.iter().enumerate() {
            let parsed = Url::parse(origin).ok().map(|url| url.origin().ascii_serialization());
            if parsed.as_deref() != Some(origin.as_str()) {
                let path = ["allowedOrigins", &index.to_string()];
                let help = "write scheme, host and port in lower case, nothing after: `https://app.example`";
                self.wrong(&path, "not an origin", help);
            }
        }
        for (index, host) in file.allowed_hosts.iter().enumerate() {
            let authority = host.parse::<http::uri::Authority>();
            if !authority.is_ok_and(|authority| authority.as_str() == host && !host.contains('@')) {
                let path = ["allowedHosts", &index.to_string()];
                self.wrong(&path, "not a host", "write a name and perhaps a port: `gateway.example:8443`");
            }
        }
        for (name, receiver) in &file.policies.notify {
            self.web_url(&["policies", "notify", name, "url"], &receiver.url);
        }
        if let Some(problem) = file.audit.payloads.retention.problem() {
            let help = "write more days, or another `profile`";
            self.wrong(&["audit", "payloads", "retention"], problem, help);
        }
        self.telemetry(file);
    }

    fn listeners(&mut self, file: &File) {
        let api = &file.audit_api;
        for (name, value, most) in [
            ("requestsPerMinute", u64::from(api.requests_per_minute), 1_000_000),
            ("pageSize", api.page_size, 10_000),
            ("exportSize", api.export_size, 10_000_000),
        ] {
            self.in_range(&["auditApi", name], value, 1, most);
        }
        if api.operator_tenant.trim().is_empty() {
            let help = "name the tenant whose auditors see the gateway's own records";
            self.wrong(&["auditApi", "operatorTenant"], "`operatorTenant` is empty", help);
        }
        let taken = |address: &str, other: &str| address == other && !address.ends_with(":0");
        if taken(&file.admin.listen, &file.listen) {
            let help = "agents must not reach health and metrics: give it another port";
            self.wrong(&["admin", "listen"], "`admin.listen` is the same address as `listen`", help);
        }
        for (name, other) in [("listen", &file.listen), ("admin.listen", &file.admin.listen)] {
            if api.listen.as_ref().is_some_and(|address| taken(address, other)) {
                let message = format!("`auditApi.listen` is the same address as `{name}`");
                self.wrong(&["auditApi", "listen"], message, "give it another port");
            }
        }
    }

    pub(super) fn public_url(&mut self, text: Option<&str>) -> Option<Url> {
        let url = self.web_url(&["publicUrl"], text?)?;
        if url.query().is_some() {
            self.wrong(&["publicUrl"], "`publicUrl` has a query", "write it without `?…`");
        }
        Some(url)
    }

    fn telemetry(&mut self, file: &File) {
        let otlp = &file.telemetry.otlp;
        if let Some(ratio) = otlp.sample_ratio
            && !(0.0..=1.0).contains(&ratio)
        {
            let path = ["telemetry", "otlp", "sampleRatio"];
            self.wrong(&path, "`sampleRatio` is out of range", "write a number from 0 to 1");
        }
        if let Some(endpoint) = &otlp.endpoint {
            let path = ["telemetry", "otlp", "endpoint"];
            let url = self.web_url(&path, endpoint);
            let with_tls = url.is_some_and(|url| url.scheme() == "https");
            if with_tls && otlp.protocol == Some(Protocol::Grpc) {
                let help = "gRPC is spoken without TLS only: use `protocol: http/protobuf`";
                self.wrong(&path, "`https` with protocol `grpc`", help);
            }
        }
        for (name, value) in &otlp.headers {
            self.header(&["telemetry", "otlp", "headers", name], name, value.expose());
        }
        if let Some(timeout) = otlp.timeout_ms {
            self.in_range(&["telemetry", "otlp", "timeoutMs"], timeout, 100, 60_000);
        }
        if file.telemetry.log.filter().is_err() {
            let help = "write `error`, `warn`, `info`, `debug`, `trace`, or `info,sealgate::policy=debug`";
            self.wrong(&["telemetry", "log", "level"], "not a log level", help);
        }
    }

    /// A server's id and transport; `None` when a problem was reported.
    pub(super) fn server(&mut self, id: &str, entry: &ServerEntry) -> Option<(ServerId, Transport)> {
        let path = ["mcpServers", id];
        let parsed = ServerId::parse(id);
        if parsed.is_none() {
            let help = "lower-case letters, digits and hyphens, at most 32, no hyphen at the ends";
            self.wrong(&path, format!("`{id}` cannot be the id of a server"), help);
        }
        let ranges = [
            ("timeoutMs", i128::from(entry.timeout_ms), 100, 86_400_000),
            ("startTimeoutMs", i128::from(entry.start_timeout_ms), 100, 600_000),
            ("concurrency", i128::try_from(entry.concurrency).unwrap_or(i128::MAX), 1, 10_000),
            ("trust", i128::from(entry.trust), 0, 100),
        ];
        for (name, value, least, most) in ranges {
            self.in_range(&["mcpServers", id, name], value, least, most);
        }
        for (name, value) in [("tenant", &entry.tenant), ("environment", &entry.environment)] {
            if value.trim().is_empty() {
                self.wrong(
                    &["mcpServers", id, name],
                    format!("`{name}` is empty"),
                    "leave it out, or name it",
                );
            }
        }
        for (tool, settings) in &entry.tools {
            for pointer in settings.arguments.keys().filter(|pointer| !pointer.starts_with('/')) {
                let path = ["mcpServers", id, "tools", tool, "arguments", pointer];
                self.wrong(&path, "not a JSON pointer", "begin with `/`: `/url`, `/files/*/path`");
            }
        }
        for (at, name) in entry.extension_methods.iter().enumerate() {
            if let Err(why) = Extension::declare(name) {
                let path = ["mcpServers", id, "extensionMethods", &at.to_string()];
                self.wrong(&path, format!("`{name}` cannot be let through"), why.to_string());
            }
        }
        let transport = self.transport(id, entry);
        Some((parsed?, transport?))
    }

    fn transport(&mut self, id: &str, entry: &ServerEntry) -> Option<Transport> {
        let path = ["mcpServers", id];
        match (&entry.command, &entry.url, entry.kind) {
            (Some(_), Some(_), _) => {
                self.wrong(&path, format!("server `{id}` has both `command` and `url`"), "keep one of them");
                None
            }
            (None, None, _) => {
                let help = "write `command` for a program, or `url` for an endpoint";
                self.wrong(&path, format!("server `{id}` has neither `command` nor `url`"), help);
                None
            }
            (Some(_), None, Some(Type::Http | Type::Sse | Type::WebSocket))
            | (None, Some(_), Some(Type::Stdio)) => {
                let help = "leave `type` out: it follows from `command` or `url`";
                self.wrong(&["mcpServers", id, "type"], "`type` contradicts the transport", help);
                None
            }
            (Some(command), None, _) => self.stdio(id, entry, command),
            (None, Some(url), _) => self.endpoint(id, entry, url),
        }
    }

    fn stdio(&mut self, id: &str, entry: &ServerEntry, command: &str) -> Option<Transport> {
        let before = self.problems.len();
        if command.trim().is_empty() {
            self.wrong(&["mcpServers", id, "command"], "`command` is empty", "name the program");
        }
        if !entry.headers.is_empty() {
            let help = "headers belong to a `url`; pass secrets to a program under `env`";
            self.wrong(&["mcpServers", id, "headers"], "`headers` on a server with `command`", help);
        }
        for (name, value) in &entry.env {
            if name.is_empty() || name.contains(['=', '\0']) || value.expose().contains('\0') {
                let path = ["mcpServers", id, "env", name];
                self.wrong(&path, "not a variable of an environment", "no `=` in the name, no zero byte");
            }
        }
        if entry.tls.is_some() {
            let help = "`tls` belongs to a `url`; remove it";
            self.wrong(&["mcpServers", id, "tls"], "`tls` on a server with `command`", help);
        }
        let cwd = entry.cwd.as_ref().map(|cwd| self.beside(&["mcpServers", id, "cwd"], cwd));
        if let Some(missing) = cwd.as_ref().filter(|cwd| !cwd.is_dir()) {
            let message = format!("folder `{}` does not exist", missing.display());
            self.wrong(&["mcpServers", id, "cwd"], message, "create it, or correct the path");
        }
        (self.problems.len() == before).then(|| Transport::Stdio {
            command: command.to_owned(),
            args: entry.args.clone(),
            env: entry.env.clone(),
            cwd,
        })
    }

    fn endpoint(&mut self, id: &str, entry: &ServerEntry, url: &str) -> Option<Transport> {
        let before = self.problems.len();
        for (name, present) in
            [("args", !entry.args.is_empty()), ("env", !entry.env.is_empty()), ("cwd", entry.cwd.is_some())]
        {
            if present {
                let message = format!("`{name}` on a server with `url`");
                self.wrong(&["mcpServers", id, name], message, "it belongs to a `command`; remove it");
            }
        }
        for (name, value) in &entry.headers {
            self.header(&["mcpServers", id, "headers", name], name, value.expose());
        }
        let wire = wire(entry.kind, url);
        let url = match wire {
            Wire::WebSocket => self.socket_url(&["mcpServers", id, "url"], url)?,
            Wire::StreamableHttp | Wire::Http | Wire::EventStream => {
                self.web_url(&["mcpServers", id, "url"], url)?
            }
        };
        if entry.tls.is_some() && !matches!(url.scheme(), "https" | "wss") {
            let help = "write `https://` or `wss://`, or remove `tls`";
            self.wrong(&["mcpServers", id, "tls"], "`tls` on a URL without TLS", help);
        }
        let tls = self.backend_tls(id, entry.tls.as_ref());
        (self.problems.len() == before).then(|| Transport::Http {
            wire,
            url,
            headers: entry.headers.clone(),
            tls,
        })
    }

    fn header(&mut self, path: &[&str], name: &str, value: &str) {
        let Ok(parsed) = name.parse::<HeaderName>() else {
            return self.wrong(
                path,
                format!("`{name}` is not the name of a header"),
                "letters, digits, hyphens",
            );
        };
        if OWN_HEADERS.contains(&parsed.as_str()) {
            let message = format!("header `{parsed}` is set by the protocol");
            return self.wrong(path, message, "remove it");
        }
        if HeaderValue::from_str(value).is_err() {
            let message = format!("the value of header `{parsed}` holds characters that a header cannot");
            self.wrong(path, message, "one line of visible characters");
        }
    }

    pub(super) fn web_url(&mut self, path: &[&str], text: &str) -> Option<Url> {
        self.plain_url(path, text, (["http", "https"], "an http or https URL", "https://host/mcp"))
    }

    fn socket_url(&mut self, path: &[&str], text: &str) -> Option<Url> {
        self.plain_url(path, text, (["ws", "wss"], "a ws or wss URL", "wss://host/mcp"))
    }

    fn plain_url(
        &mut self,
        path: &[&str],
        text: &str,
        (schemes, kind, example): ([&str; 2], &str, &str),
    ) -> Option<Url> {
        let name = path.last().copied().unwrap_or_default();
        let Some(url) = Url::parse(text).ok().filter(|url| schemes.contains(&url.scheme())) else {
            self.wrong(path, format!("`{name}` is not {kind}"), format!("for instance `{example}`"));
            return None;
        };
        if !url.username().is_empty() || url.password().is_some() {
            let help = "write an `Authorization` header, its value from a variable or a file";
            self.wrong(path, format!("`{name}` holds credentials"), help);
            return None;
        }
        if url.fragment().is_some() {
            self.wrong(path, format!("`{name}` has a fragment"), "remove `#…`");
            return None;
        }
        Some(url)
    }
}

/// What is spoken at a URL: as `type` says, else as the URL's scheme does.
fn wire(kind: Option<Type>, url: &str) -> Wire {
    match kind {
        Some(Type::Sse) => Wire::EventStream,
        Some(Type::WebSocket) => Wire::WebSocket,
        None if url.starts_with("ws://") || url.starts_with("wss://") => Wire::WebSocket,
        None => Wire::Http,
        Some(Type::Http | Type::Stdio) => Wire::StreamableHttp,
    }
}
