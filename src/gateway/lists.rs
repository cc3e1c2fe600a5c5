//! What the gateway answers itself: who it is, and what this caller could call.

use super::{Call, Refusal, Rules};
use crate::identity::Caller;
use crate::inspect::{Direction, Filtered, Subject};
use crate::mcp::{Edition, Era, Method, Object, meta, quote};
use crate::policy::{Circumstances, Item};
use crate::route::{CursorKey, Entry, Front};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// How long a modern client may keep a list, in milliseconds. Short, since policy may change at any time.
const TTL_MS: u32 = 1000;
/// Most bytes of one backend's instructions that are passed on.
const INSTRUCTIONS: usize = 4096;

type Answer = Result<Arc<Filtered<String>>, Refusal>;

/// Answers a call from the catalog.
pub(super) fn answer(cursors: &CursorKey, rules: &Rules, caller: &Caller, call: &Call) -> Answer {
    match call.method {
        Method::Initialize => filtered(rules, call, initialize(rules, call)),
        Method::Discover => filtered(rules, call, discover(rules, call)),
        Method::SetLevel | Method::Unsubscribe => filtered(rules, call, "{}".into()),
        Method::ToolsList | Method::PromptsList | Method::ResourcesList | Method::TemplatesList => {
            page(cursors, rules, caller, call)
        }
        // Answered elsewhere; the closed table of methods keeps this arm from being reached.
        Method::Ping
        | Method::Listen
        | Method::Subscribe
        | Method::ToolsCall
        | Method::PromptsGet
        | Method::ResourcesRead
        | Method::Complete
        | Method::TasksGet
        | Method::TasksUpdate
        | Method::TasksCancel
        | Method::Extension(_) => Err(Refusal::Internal),
    }
}

fn filtered(rules: &Rules, call: &Call, result: String) -> Answer {
    let subject = Subject { call: call.id, direction: Direction::Response, exempt: &["/nextCursor"] };
    let filtered = rules.inspector.filter(result, &subject);
    filtered.map(Arc::new).map_err(Refusal::from)
}

fn page(cursors: &CursorKey, rules: &Rules, caller: &Caller, call: &Call) -> Answer {
    let front = call.front.path();
    let who = &caller.credential;
    let view =
        format!("{}|{front}|{}|{:?}|{who}", rules.generation, call.method.as_str(), call.edition.era());
    let params = Object::parse(&call.params).ok_or(Refusal::Internal)?;
    let offset = match params.get("cursor") {
        None | Some("null") => 0,
        Some(raw) => crate::mcp::string_value(raw)
            .and_then(|cursor| cursors.offset(&view, &cursor))
            .ok_or(Refusal::BadCursor)?,
    };
    let key = format!("{view}|{offset}");
    if let Some(page) = rules.pages.get(&key) {
        return Ok(page);
    }
    let built = filtered(rules, call, build(cursors, rules, caller, call, (&view, offset)))?;
    rules.pages.put(key, built.clone());
    Ok(built)
}

/// Builds one page: what is up, what this caller could call, from `offset` on.
fn build(cursors: &CursorKey, rules: &Rules, caller: &Caller, call: &Call, at: (&str, usize)) -> String {
    let (view, offset) = at;
    let catalog = &rules.catalog;
    let (member, shelf) = match call.method {
        Method::ToolsList => ("tools", &catalog.tools),
        Method::PromptsList => ("prompts", &catalog.prompts),
        Method::ResourcesList => ("resources", &catalog.resources),
        _ => ("resourceTemplates", &catalog.templates),
    };
    let circumstances = super::judge::circumstances(call);
    let mut visible = shelf.values().filter(|entry| {
        let here = match &call.front {
            Front::All => true,
            Front::Server(id) => *entry.server == **id,
        };
        here && entry.held.is_none()
            && catalog.is_up(&entry.server)
            && rules.policies.may_list(caller, &circumstances, item(call.method, entry))
    });
    let mut out = format!("{{\"{member}\":[");
    let mut count = 0;
    for entry in visible.by_ref().skip(offset).take(rules.page_size) {
        if count > 0 {
            out.push(',');
        }
        count += 1;
        out.push_str(match call.front {
            Front::All => &entry.definition,
            Front::Server(_) => &entry.own_definition,
        });
    }
    out.push(']');
    if visible.next().is_some() {
        let _ = write!(out, ",\"nextCursor\":\"{}\"", cursors.cursor(view, offset + count));
    }
    let missing = missing(rules, caller, call);
    if call.edition.era() == Era::Modern {
        let _ = write!(out, ",\"resultType\":\"complete\",\"ttlMs\":{TTL_MS},\"cacheScope\":\"private\"");
    }
    if call.edition.era() == Era::Modern || missing.is_some() {
        let _ = write!(out, ",\"_meta\":{}", list_meta(call.edition, missing));
    }
    out.push('}');
    out
}

fn item(method: Method, entry: &Entry) -> Item<'_> {
    match method {
        Method::ToolsList => Item::Tool(&entry.shown),
        Method::PromptsList => Item::Prompt(&entry.shown),
        Method::TemplatesList => Item::Template { server: &entry.server, uri: &entry.own },
        _ => Item::Resource { server: &entry.server, uri: &entry.own },
    }
}

/// Servers whose entries are not here although this caller could see them, raw JSON.
fn missing(rules: &Rules, caller: &Caller, call: &Call) -> Option<String> {
    let circumstances = super::judge::circumstances(call);
    let servers: Vec<String> = rules
        .catalog
        .sources
        .iter()
        .filter(|s| s.down.is_some() || s.listing.is_none())
        .filter(|s| matches!(&call.front, Front::All) || call.front == Front::Server(s.server.clone()))
        .filter(|s| rules.policies.may_list(caller, &circumstances, Item::Server(&s.server)))
        .map(|s| {
            let state = if s.listing.is_none() { "not yet reached" } else { "down" };
            format!("{{\"server\":{},\"state\":\"{state}\"}}", quote(&s.server))
        })
        .collect();
    (!servers.is_empty()).then(|| format!("[{}]", servers.join(",")))
}

fn list_meta(edition: Edition, missing: Option<String>) -> String {
    let mut members = Vec::new();
    if edition.era() == Era::Modern {
        members.push(format!("\"{}\":{}", meta::SERVER_INFO, server_info()));
    }
    if let Some(missing) = missing {
        members.push(format!("\"sealgate/missing\":{missing}"));
    }
    format!("{{{}}}", members.join(","))
}

fn server_info() -> String {
    format!("{{\"name\":\"sealgate\",\"title\":\"Sealgate\",\"version\":\"{}\"}}", env!("CARGO_PKG_VERSION"))
}

fn initialize(rules: &Rules, call: &Call) -> String {
    let mut out = format!(
        "{{\"protocolVersion\":\"{}\",\"capabilities\":{},\"serverInfo\":{}",
        call.edition,
        capabilities(rules, call),
        server_info()
    );
    instructions(rules, call, &mut out);
    out.push('}');
    out
}

fn discover(rules: &Rules, call: &Call) -> String {
    let versions: Vec<String> = Edition::ALL.iter().map(|e| format!("\"{e}\"")).collect();
    let mut out = format!(
        "{{\"resultType\":\"complete\",\"supportedVersions\":[{}],\"capabilities\":{}",
        versions.join(","),
        capabilities(rules, call)
    );
    instructions(rules, call, &mut out);
    let _ = write!(
        out,
        ",\"ttlMs\":{TTL_MS},\"cacheScope\":\"private\",\"_meta\":{{\"{}\":{}}}}}",
        meta::SERVER_INFO,
        server_info()
    );
    out
}

/// What the backends behind this endpoint have, as far as the gateway carries it.
fn capabilities(rules: &Rules, call: &Call) -> String {
    let changes = "{\"listChanged\":true}";
    let catalog = &rules.catalog;
    let sources = catalog.sources.iter().filter(|s| match &call.front {
        Front::All => true,
        Front::Server(id) => *id == s.server,
    });
    let listings = || sources.clone().filter_map(|s| s.listing.as_ref());
    let completes = listings().any(|l| l.completions);
    let subscribes = listings().any(|l| l.subscriptions);
    let mut members = vec![
        format!("\"tools\":{changes}"),
        format!("\"prompts\":{changes}"),
        if subscribes {
            "\"resources\":{\"subscribe\":true,\"listChanged\":true}".to_owned()
        } else {
            format!("\"resources\":{changes}")
        },
    ];
    if completes {
        members.push("\"completions\":{}".into());
    }
    members.push("\"logging\":{}".into());
    if call.edition.era() == Era::Modern && listings().any(|l| l.tasks) {
        members.push("\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}".into());
    }
    format!("{{{}}}", members.join(","))
}

fn instructions(rules: &Rules, call: &Call, out: &mut String) {
    let mut text = String::new();
    for source in &rules.catalog.sources {
        let here = !source.silenced
            && (matches!(&call.front, Front::All) || call.front == Front::Server(source.server.clone()));
        let Some(own) = source.listing.as_ref().and_then(|l| l.instructions.as_deref()).filter(|_| here)
        else {
            continue;
        };
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        let short: String = own.chars().take(INSTRUCTIONS).collect();
        let _ = write!(text, "[{}] {short}", source.server);
    }
    if !text.is_empty() {
        let _ = write!(out, ",\"instructions\":{}", quote(&text));
    }
}

/// Digests of what one caller sees, to tell whether a change concerns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Views {
    /// Tools.
    pub tools: u64,
    /// Prompts.
    pub prompts: u64,
    /// Resources and templates.
    pub resources: u64,
}

/// What `caller` sees at `front` under these rules. Facts of a single call do not count.
pub(super) fn views(rules: &Rules, caller: &Caller, front: &Front) -> Views {
    let circumstances = Circumstances::default(); // the derived view does not read them
    let digest = |lists: &[Method]| {
        let mut hasher = DefaultHasher::new();
        for method in lists {
            let shelf = match method {
                Method::ToolsList => &rules.catalog.tools,
                Method::PromptsList => &rules.catalog.prompts,
                Method::ResourcesList => &rules.catalog.resources,
                _ => &rules.catalog.templates,
            };
            for entry in shelf.values() {
                let here = matches!(front, Front::All) || *front == Front::Server(entry.server.to_string());
                if here
                    && entry.held.is_none()
                    && rules.catalog.is_up(&entry.server)
                    && rules.policies.may_list(caller, &circumstances, item(*method, entry))
                {
                    entry.definition.hash(&mut hasher);
                }
            }
        }
        hasher.finish()
    };
    Views {
        tools: digest(&[Method::ToolsList]),
        prompts: digest(&[Method::PromptsList]),
        resources: digest(&[Method::ResourcesList, Method::TemplatesList]),
    }
}
