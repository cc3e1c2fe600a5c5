//! From configured backends to what the transports, the catalog and policy need to know of them.

use crate::config::{self, Config, Server, Transport};
use crate::inspect::{Direction, Inspector};
use crate::mcp::Object;
use crate::policy::{Abilities, PromptModel, RedactMode, ServerModel, ToolModel};
use crate::route::{Catalog, Entry};
use crate::upstream::{Endpoint, EraChoice, SessionMode, Target, Wire};
use std::collections::BTreeMap;

/// Variables without which hardly any program starts. All else a backend gets by configuration only.
const INHERITED: [&str; 6] = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR"];

/// Where a backend is and how it is treated.
pub(super) fn target(id: &str, server: &Server, response_bytes: usize) -> Target {
    let endpoint = match &server.transport {
        Transport::Stdio { command, args, env, cwd } => {
            let mut all: BTreeMap<String, String> = config::Env::inherited(&INHERITED);
            all.extend(env.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())));
            Endpoint::Stdio { command: command.clone(), args: args.clone(), env: all, cwd: cwd.clone() }
        }
        Transport::Http { wire, url, headers, tls } => Endpoint::Remote {
            wire: match wire {
                config::Wire::StreamableHttp => Wire::StreamableHttp,
                config::Wire::Http => Wire::Http,
                config::Wire::EventStream => Wire::EventStream,
                config::Wire::WebSocket => Wire::WebSocket,
            },
            url: url.clone(),
            tls: tls.clone(),
            headers: headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect(),
        },
    };
    Target {
        id: id.to_owned(),
        endpoint,
        era: match server.era {
            config::Era::Auto => EraChoice::Auto,
            config::Era::Legacy => EraChoice::Legacy,
            config::Era::Modern => EraChoice::Modern,
        },
        session: match server.session {
            config::Session::Shared => SessionMode::Shared,
            config::Session::PerPrincipal => SessionMode::PerPrincipal,
            config::Session::PerRequest => SessionMode::PerRequest,
        },
        call_timeout: server.timeout,
        start_timeout: server.start_timeout,
        concurrency: server.concurrency,
        response_bytes,
    }
}

/// What policies may ask for here.
pub(super) fn abilities(config: &Config, inspector: &Inspector) -> Abilities {
    let off: Vec<&str> = Direction::ALL.iter().flat_map(|way| inspector.disabled(*way)).collect();
    let on = inspector.detectors().filter(|kind| !off.contains(kind));
    let can = |mode: &RedactMode| *mode != RedactMode::Tokenise || config.inspect.vault.is_some();
    let modes = RedactMode::ALL.into_iter().filter(can);
    let unfit = inspector.unfit().filter_map(|(kind, operator)| {
        let mode = RedactMode::ALL.into_iter().find(|mode| mode.as_str() == operator.name());
        mode.map(|mode| (kind.to_owned(), mode))
    });
    Abilities {
        detectors: on.map(str::to_owned).collect(),
        modes: modes.collect(),
        unfit: unfit.collect(),
        receivers: config.policies.notify.keys().cloned().collect(),
        approvals: true,
    }
}

/// What is said in the configuration about tools that the backend does not list: it does nothing.
pub(super) fn idle_settings(id: &str, server: &Server, catalog: &Catalog) -> Vec<String> {
    if catalog.source(id).is_none_or(|source| source.listing.is_none()) {
        return Vec::new();
    }
    let listed = |name: &str| catalog.tools.values().any(|tool| *tool.server == *id && tool.own == name);
    let idle = server.tools.keys().filter(|name| !listed(name));
    idle.map(|name| format!("`mcpServers.{id}.tools.{name}` does nothing: `{id}` lists no such tool"))
        .collect()
}

/// What policy knows of a backend: our settings, and over them what it says of itself.
pub(super) fn model(id: &str, server: &Server, catalog: &Catalog) -> ServerModel {
    let of_this = |entry: &&Entry| *entry.server == *id;
    ServerModel {
        id: id.to_owned(),
        tenant: server.tenant.clone(),
        environment: server.environment.clone(),
        trust: server.trust,
        third_party: server.third_party,
        groups: server.groups.clone(),
        discovered: catalog.source(id).is_some_and(|s| s.listing.is_some()),
        tools: catalog.tools.values().filter(of_this).map(|entry| tool(entry, server)).collect(),
        prompts: catalog
            .prompts
            .values()
            .filter(of_this)
            .map(|entry| PromptModel { name: entry.shown.clone(), own_name: entry.own.clone() })
            .collect(),
    }
}

fn tool(entry: &Entry, server: &Server) -> ToolModel {
    let definition = Object::parse(&entry.own_definition);
    let hints = definition.as_ref().and_then(|d| d.object("annotations"));
    let hint = |name: &str| match hints.as_ref().and_then(|h| h.get(name)) {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => None,
    };
    let ours = server.tools.get(&entry.own).cloned().unwrap_or_default();
    // Absent hints mean the worst (MCP, ToolAnnotations: the documented defaults).
    ToolModel {
        name: entry.shown.clone(),
        own_name: entry.own.clone(),
        input_schema: definition
            .as_ref()
            .and_then(|d| d.get("inputSchema"))
            .and_then(|raw| serde_json::from_str(raw).ok()),
        read_only: ours.read_only.or_else(|| hint("readOnlyHint")).unwrap_or(false),
        destructive: ours.destructive.or_else(|| hint("destructiveHint")).unwrap_or(true),
        idempotent: ours.idempotent.or_else(|| hint("idempotentHint")).unwrap_or(false),
        open_world: ours.open_world.or_else(|| hint("openWorldHint")).unwrap_or(true),
        pinned: ours.pinned.unwrap_or(entry.pinned),
        labels: server.labels.iter().chain(&ours.labels).cloned().collect(),
        groups: ours.groups,
    }
}
