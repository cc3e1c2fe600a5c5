//! All that all backends offer, under the names that agents see.

use super::uris::expose_interface;
use super::{Held, exposed_name, exposed_uri};
use crate::mcp::{Edit, Extension, Object, ParamHeaders, quote};
use crate::upstream::Listing;
use indexmap::IndexMap;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// One backend's part of the catalog.
#[derive(Debug, Clone)]
pub struct Source {
    /// The server's id.
    pub server: String,
    /// What it last listed; absent until it was up once.
    pub listing: Option<Arc<Listing>>,
    /// Why it cannot be called now, if so.
    pub down: Option<String>,
    /// What it tells models of itself must not be passed on.
    pub silenced: bool,
    /// Methods of extensions that are let through to it.
    pub extensions: Vec<Extension>,
}

/// A listed tool, prompt, resource or template.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The server that owns it.
    pub server: Arc<str>,
    /// Its own name, or own URI or URI template.
    pub own: String,
    /// The name or URI that agents see.
    pub shown: String,
    /// Raw definition under the shown name.
    pub definition: String,
    /// Raw definition as the server gave it.
    pub own_definition: String,
    /// The parameters of a tool that are mirrored in headers, if there are any.
    pub mirrored: Option<Arc<ParamHeaders>>,
    /// Why it must not be used now. It is shown to nobody; policies still know it.
    pub held: Option<Held>,
    /// Whether its definition is the approved one.
    pub pinned: bool,
}

/// The catalog of one moment. Never changed: a change makes the next one.
#[derive(Debug, Default)]
pub struct Catalog {
    /// All sources, in the order of the configuration.
    pub sources: Vec<Source>,
    /// Tools by shown name.
    pub tools: IndexMap<String, Entry>,
    /// Prompts by shown name.
    pub prompts: IndexMap<String, Entry>,
    /// Resources by shown URI.
    pub resources: IndexMap<String, Entry>,
    /// Resource templates by shown template.
    pub templates: IndexMap<String, Entry>,
    /// What could not be shown, and why; a person must act.
    pub problems: Vec<String>,
}

/// One entry of a list, as its server gives it.
#[derive(Debug, Clone, Copy)]
pub struct Offered<'a> {
    /// The server's id.
    pub server: &'a str,
    /// Its own name, URI or template.
    pub own: &'a str,
    /// Whether it is a tool.
    pub is_tool: bool,
    /// The raw definition.
    pub raw: &'a str,
}

/// What becomes of an entry.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    /// Why it must not be used now.
    pub held: Option<Held>,
    /// The definition to go on with instead.
    pub instead: Option<String>,
    /// Whether its definition is the approved one.
    pub pinned: bool,
}

/// Decides about definitions before they are shown.
pub trait Gatekeeper {
    /// Cleans a definition: it is content like any other. An error leaves it out and is reported.
    fn clean(&self, definition: String) -> Result<String, String>;

    /// Decides whether an entry may be used. An error leaves it out and is reported.
    fn admit(&self, offered: Offered<'_>) -> Result<Admission, String>;
}

impl Catalog {
    /// Builds the catalog; what the gatekeeper refuses is left out and reported.
    pub fn build(sources: Vec<Source>, keeper: &dyn Gatekeeper) -> Self {
        let mut catalog = Self::default();
        for source in &sources {
            let Some(listing) = &source.listing else { continue };
            let server: Arc<str> = source.server.as_str().into();
            catalog.add(Shelf::Tools, &server, &listing.tools, keeper);
            catalog.add(Shelf::Prompts, &server, &listing.prompts, keeper);
            catalog.add(Shelf::Resources, &server, &listing.resources, keeper);
            catalog.add(Shelf::Templates, &server, &listing.templates, keeper);
        }
        catalog.sources = sources;
        catalog
    }

    /// Whether a server can be called now.
    pub fn is_up(&self, server: &str) -> bool {
        self.source(server).is_some_and(|s| s.down.is_none() && s.listing.is_some())
    }

    /// A server's part.
    pub fn source(&self, server: &str) -> Option<&Source> {
        self.sources.iter().find(|s| s.server == server)
    }

    fn add(&mut self, shelf: Shelf, server: &Arc<str>, raw: &[String], keeper: &dyn Gatekeeper) {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for item in raw {
            if let Some(key) = Object::parse(item).and_then(|o| o.str(shelf.key()).map(Cow::into_owned)) {
                *counts.entry(key).or_default() += 1;
            }
        }
        for item in raw {
            match entry(shelf, server, item, keeper) {
                Err(why) => self.problems.push(format!("{server}: {why}")),
                // Two of one name cannot both be meant: neither is shown.
                Ok(entry) if counts.get(&entry.own).is_some_and(|n| *n > 1) => {
                    self.problems.push(format!("{server}: `{}` is listed twice: not shown", entry.own));
                }
                Ok(entry) => {
                    let place = self.shelf(shelf);
                    if let Some(other) = place.get(&entry.shown) {
                        let problem = format!(
                            "`{}` of {} and `{}` of {} would both be shown as `{}`: the second is not",
                            other.own, other.server, entry.own, entry.server, entry.shown
                        );
                        self.problems.push(problem);
                    } else {
                        place.insert(entry.shown.clone(), entry);
                    }
                }
            }
        }
    }

    fn shelf(&mut self, shelf: Shelf) -> &mut IndexMap<String, Entry> {
        match shelf {
            Shelf::Tools => &mut self.tools,
            Shelf::Prompts => &mut self.prompts,
            Shelf::Resources => &mut self.resources,
            Shelf::Templates => &mut self.templates,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Shelf {
    Tools,
    Prompts,
    Resources,
    Templates,
}

impl Shelf {
    fn key(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::Templates => "uriTemplate",
        }
    }
}

fn entry(shelf: Shelf, server: &Arc<str>, raw: &str, keeper: &dyn Gatekeeper) -> Result<Entry, String> {
    let key = shelf.key();
    let object = Object::parse(raw).ok_or("an entry is not an object")?;
    let own = object.str(key).ok_or_else(|| format!("an entry has no `{key}`"))?.into_owned();
    let shown = match shelf {
        Shelf::Tools | Shelf::Prompts => exposed_name(server, &own),
        Shelf::Resources | Shelf::Templates => exposed_uri(server, &own),
    };
    // A client must not be shown a tool whose annotations are invalid (MCP 2026-07-28, "Schema Extension").
    let offered = Offered { server, own: &own, is_tool: matches!(shelf, Shelf::Tools), raw };
    let Admission { held, instead, pinned } =
        keeper.admit(offered).map_err(|why| format!("`{own}`: {why}"))?;
    let raw = instead.as_deref().unwrap_or(raw);
    let mirrored = match shelf {
        Shelf::Tools => ParamHeaders::of(raw).map_err(|why| format!("`{own}`: {why}: not shown"))?,
        _ => ParamHeaders::default(),
    };
    let mirrored = (!mirrored.is_empty()).then(|| Arc::new(mirrored));
    let own_definition = keeper.clean(raw.to_owned()).map_err(|why| format!("`{own}`: {why}"))?;
    let linked = match shelf {
        Shelf::Tools => expose_interface(server, &own_definition),
        _ => Cow::Borrowed(own_definition.as_str()),
    };
    let definition = Edit::of(&linked).ok_or("an entry is not an object")?;
    let definition = definition.set(key, quote(&shown)).finish();
    Ok(Entry { server: server.clone(), own, shown, definition, own_definition, mirrored, held, pinned })
}
