//! From what an agent names to the backend that owns it: by the catalog's map, never by guessing.

use super::catalog::Source;
use super::{Catalog, Held, split_uri};
use crate::mcp::{Extension, Method, Object, ParamHeaders, quote};
use std::borrow::Cow;
use std::sync::Arc;

/// Which endpoint was called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Front {
    /// `/mcp`: all backends as one server.
    All,
    /// `/servers/{id}/mcp`: one backend under its own names.
    Server(String),
}

impl Front {
    /// The path of the endpoint.
    pub fn path(&self) -> String {
        match self {
            Self::All => "/mcp".into(),
            Self::Server(id) => format!("/servers/{id}/mcp"),
        }
    }
}

/// What is asked for, in policy's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A tool by its shown name.
    Tool(String),
    /// A prompt by its shown name.
    Prompt(String),
    /// A resource by server and own URI.
    Resource {
        /// The server's id.
        server: String,
        /// The server's own URI.
        uri: String,
    },
    /// A method that is let through to a server.
    Extension {
        /// The server's id.
        server: String,
        /// The method.
        method: Extension,
    },
}

/// Where a call goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The server's id.
    pub server: String,
    /// What is asked for.
    pub target: Target,
    /// Its own name or URI there.
    pub own: String,
    /// The parameter that is rewritten on the way, raw; absent if the agent used the own name.
    pub rewrite: Option<(&'static str, String)>,
    /// The parameters of a tool that are mirrored in headers, if there are any.
    pub mirrored: Option<Arc<ParamHeaders>>,
    /// Why it must not be used now.
    pub held: Option<Held>,
}

/// The outcome of a look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// It has an owner.
    Found(Found),
    /// Nothing of that name is known.
    Unknown,
    /// The parameters do not name anything.
    Malformed(&'static str),
}

impl Catalog {
    /// Finds the owner of what a forwarded method's raw `params` name.
    pub fn resolve(&self, front: &Front, method: Method, params: &Object<'_>) -> Resolved {
        match method {
            Method::ToolsCall | Method::PromptsGet => match params.str("name") {
                None => Resolved::Malformed("`params.name` must be a string"),
                Some(name) => self.by_name(front, method == Method::ToolsCall, &name, "name"),
            },
            Method::ResourcesRead | Method::Subscribe => match params.str("uri") {
                None => Resolved::Malformed("`params.uri` must be a string"),
                Some(uri) => self.by_uri(front, &uri, "uri", quote),
            },
            Method::Complete => self.by_reference(front, params),
            Method::Extension(method) => self.by_extension(front, method),
            _ => Resolved::Unknown,
        }
    }

    /// Server and own URI of a resource as an agent at `front` names it.
    pub fn owner_of(&self, front: &Front, uri: &str) -> Option<(String, String)> {
        match self.by_uri(front, uri, "uri", quote) {
            Resolved::Found(Found { server, own, .. }) => Some((server, own)),
            Resolved::Unknown | Resolved::Malformed(_) => None,
        }
    }

    fn by_reference(&self, front: &Front, params: &Object<'_>) -> Resolved {
        let Some(reference) = params.object("ref") else {
            return Resolved::Malformed("`params.ref` must be an object");
        };
        match reference.str("type").as_deref() {
            Some("ref/prompt") => match reference.str("name") {
                None => Resolved::Malformed("`params.ref.name` must be a string"),
                Some(name) => self.by_name(front, false, &name, "ref"),
            },
            Some("ref/resource") => match reference.str("uri") {
                None => Resolved::Malformed("`params.ref.uri` must be a string"),
                Some(uri) => self.by_uri(front, &uri, "ref", |own| {
                    format!("{{\"type\":\"ref/resource\",\"uri\":{}}}", quote(own))
                }),
            },
            _ => Resolved::Malformed("`params.ref.type` must be `ref/prompt` or `ref/resource`"),
        }
    }

    fn by_name(&self, front: &Front, is_tool: bool, name: &str, member: &'static str) -> Resolved {
        let shelf = if is_tool { &self.tools } else { &self.prompts };
        let entry = match front {
            Front::All => shelf.get(name),
            Front::Server(id) => shelf
                .get(&super::exposed_name(id, name))
                .filter(|entry| *entry.server == **id && entry.own == name),
        };
        let Some(entry) = entry else { return Resolved::Unknown };
        let raw = match member {
            "ref" => format!("{{\"type\":\"ref/prompt\",\"name\":{}}}", quote(&entry.own)),
            _ => quote(&entry.own),
        };
        let shown = entry.shown.clone();
        Resolved::Found(Found {
            server: entry.server.to_string(),
            target: if is_tool { Target::Tool(shown) } else { Target::Prompt(shown) },
            own: entry.own.clone(),
            rewrite: (*front == Front::All).then_some((member, raw)),
            mirrored: entry.mirrored.clone(),
            held: entry.held,
        })
    }

    /// The one server that a method of an extension is let through to.
    fn by_extension(&self, front: &Front, method: Extension) -> Resolved {
        let at_front = |source: &&Source| match front {
            Front::All => true,
            Front::Server(id) => source.server == *id,
        };
        let mut all = self.sources.iter().filter(at_front).filter(|s| s.extensions.contains(&method));
        match (all.next(), all.next()) {
            (Some(source), None) => Resolved::Found(Found {
                server: source.server.clone(),
                target: Target::Extension { server: source.server.clone(), method },
                own: method.as_str().to_owned(),
                rewrite: None,
                mirrored: None,
                held: None,
            }),
            (Some(_), Some(_)) => Resolved::Malformed(
                "several servers have this method: ask one of them at `/servers/{id}/mcp`",
            ),
            (None, _) => Resolved::Unknown,
        }
    }

    fn by_uri(
        &self,
        front: &Front,
        uri: &str,
        member: &'static str,
        raw: impl Fn(&str) -> String,
    ) -> Resolved {
        let (server, own) = match front {
            Front::Server(id) => (id.as_str(), Cow::Borrowed(uri)),
            Front::All => match split_uri(uri).filter(|(server, _)| self.source(server).is_some()) {
                Some((server, own)) => (server, own),
                // Web links keep their own form in lists.
                None => match self.resources.get(uri) {
                    Some(entry) => (&*entry.server, Cow::Borrowed(uri)),
                    None => return Resolved::Unknown,
                },
            },
        };
        Resolved::Found(Found {
            server: server.to_owned(),
            target: Target::Resource { server: server.to_owned(), uri: own.clone().into_owned() },
            rewrite: (*front == Front::All).then(|| (member, raw(&own))),
            own: own.into_owned(),
            mirrored: None,
            held: None,
        })
    }
}
