//! Resource URIs that agents see: `{server}+{uri}`, wherever a URI occurs.

use crate::mcp::{Method, rewrite_strings};
use std::borrow::Cow;

/// The URI under which `own` of `server` is shown. Web links are left alone: clients may fetch them
/// themselves (MCP, Resources, "Common URI Schemes").
pub fn exposed_uri(server: &str, own: &str) -> String {
    if is_web(own) { own.to_owned() } else { format!("{server}+{own}") }
}

/// Server id and own URI of a shown one. A server id has no `+`, so the first one parts them.
pub fn split_uri(shown: &str) -> Option<(&str, &str)> {
    shown.split_once('+').filter(|(server, own)| !server.is_empty() && own.contains(':'))
}

fn is_web(uri: &str) -> bool {
    uri.starts_with("https://") || uri.starts_with("http://")
}

/// A result with every resource URI in it shown with its server.
pub fn expose_uris<'a>(method: Method, server: &str, result: &'a str) -> Cow<'a, str> {
    let paths: &[&[&str]] = match method {
        Method::ToolsCall => &[&["content", "*", "uri"], &["content", "*", "resource", "uri"]],
        Method::PromptsGet => &[
            &["messages", "*", "content", "uri"],
            &["messages", "*", "content", "resource", "uri"],
            &["messages", "*", "content", "*", "uri"],
            &["messages", "*", "content", "*", "resource", "uri"],
        ],
        Method::ResourcesRead => &[&["contents", "*", "uri"]],
        _ => return Cow::Borrowed(result),
    };
    // Most results hold no URI at all: one search is cheaper than a walk.
    if memchr::memmem::find(result.as_bytes(), b"\"uri\"").is_none() {
        return Cow::Borrowed(result);
    }
    rewrite_strings(result, paths, &mut |uri| (!is_web(uri)).then(|| exposed_uri(server, uri)))
}
