//! What a backend offers: all pages of all its lists, bounded.

use super::Error;
use super::inbox::Inbound;
use super::peer::Peer;
use crate::mcp::{Edition, Method, Object, array_items, quote};
use std::collections::HashSet;

/// Most pages of one list.
const MAX_PAGES: usize = 2000;
/// Most entries of one list.
const MAX_ENTRIES: usize = 100_000;
/// Most bytes of one list.
const MAX_BYTES: usize = 64 << 20;

/// Everything that a backend lists, each entry as raw JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The revision that it speaks.
    pub edition: Edition,
    /// Raw tools.
    pub tools: Vec<String>,
    /// Raw prompts.
    pub prompts: Vec<String>,
    /// Raw resources.
    pub resources: Vec<String>,
    /// Raw resource templates.
    pub templates: Vec<String>,
    /// Whether it completes arguments.
    pub completions: bool,
    /// Whether its resources can be subscribed to.
    pub subscriptions: bool,
    /// Whether its tools may start tasks (extension `io.modelcontextprotocol/tasks`).
    pub tasks: bool,
    /// What it tells clients about itself.
    pub instructions: Option<String>,
}

impl Listing {
    /// Gathers all lists that the peer says it has.
    pub(super) async fn gather(peer: &Peer) -> Result<Self, Error> {
        let has = |name: &str| peer.has_capability(name);
        let mut listing = Self {
            edition: peer.edition(),
            tools: Vec::new(),
            prompts: Vec::new(),
            resources: Vec::new(),
            templates: Vec::new(),
            completions: has("completions"),
            subscriptions: peer.has_subscriptions(),
            tasks: peer.has_tasks(),
            instructions: peer.instructions().map(str::to_owned),
        };
        if has("tools") {
            listing.tools = pages(peer, Method::ToolsList, "tools").await?;
        }
        if has("prompts") {
            listing.prompts = pages(peer, Method::PromptsList, "prompts").await?;
        }
        if has("resources") {
            listing.resources = pages(peer, Method::ResourcesList, "resources").await?;
            listing.templates = pages(peer, Method::TemplatesList, "resourceTemplates").await?;
        }
        Ok(listing)
    }
}

async fn pages(peer: &Peer, method: Method, member: &str) -> Result<Vec<String>, Error> {
    let mut entries = Vec::new();
    let mut bytes = 0usize;
    let mut seen = HashSet::new();
    let mut cursor: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let params = cursor.as_deref().map(|c| format!("\"cursor\":{}", quote(c))).unwrap_or_default();
        let page = match peer.ask(method, &params).await? {
            Inbound::Result(raw) => raw,
            // Some servers announce `resources` and know no templates.
            Inbound::Error(_) if method == Method::TemplatesList => return Ok(entries),
            _ => return Err(Error::Garbage(format!("`{}` was answered with an error", method.as_str()))),
        };
        let page = Object::parse(&page).ok_or_else(|| Error::Garbage("a list is not an object".into()))?;
        let items = page.get(member).and_then(array_items);
        let items = items.ok_or_else(|| Error::Garbage(format!("a list without `{member}`")))?;
        for item in items {
            bytes += item.len();
            entries.push(item.to_owned());
        }
        if entries.len() > MAX_ENTRIES || bytes > MAX_BYTES {
            return Err(Error::Garbage(format!("`{}` is longer than can be kept", method.as_str())));
        }
        // Only absence ends a list: an empty cursor is a cursor.
        match page.str("nextCursor") {
            None => return Ok(entries),
            Some(next) if seen.insert(next.clone().into_owned()) => cursor = Some(next.into_owned()),
            Some(_) => return Err(Error::Garbage(format!("`{}` repeats a cursor", method.as_str()))),
        }
    }
    Err(Error::Garbage(format!("`{}` has too many pages", method.as_str())))
}
