//! Resource URIs that agents see: `{server}+{uri}`, wherever a URI occurs. Those of MCP Apps keep their scheme in front,
//! `ui://{server}+…`: by it a host knows them.

use crate::mcp::{Method, rewrite_strings};
use std::borrow::Cow;

/// How the URIs of user interfaces begin (MCP Apps).
const APP: &str = "ui://";

/// The URI under which `own` of `server` is shown. Web links are left alone: clients may fetch them
/// themselves (MCP, Resources, "Common URI Schemes").
pub fn exposed_uri(server: &str, own: &str) -> String {
    match own.strip_prefix(APP) {
        Some(rest) => format!("{APP}{server}+{rest}"),
        None if is_web(own) => own.to_owned(),
        None => format!("{server}+{own}"),
    }
}

/// Server id and own URI of a shown one. A server id has no `+`, so the first one parts them.
pub fn split_uri(shown: &str) -> Option<(&str, Cow<'_, str>)> {
    let parts = match shown.strip_prefix(APP) {
        Some(rest) => rest.split_once('+').map(|(server, rest)| (server, Cow::Owned(format!("{APP}{rest}")))),
        None => shown.split_once('+').map(|(server, own)| (server, Cow::Borrowed(own))),
    };
    parts.filter(|(server, own)| !server.is_empty() && own.contains(':'))
}

/// A tool's definition with the URI of its user interface shown with its server (MCP Apps 2026-01-26, and the flat key
/// of its drafts).
pub(super) fn expose_interface<'a>(server: &str, definition: &'a str) -> Cow<'a, str> {
    let paths: &[&[&str]] = &[&["_meta", "ui", "resourceUri"], &["_meta", "ui/resourceUri"]];
    rewrite_strings(definition, paths, &mut |uri| uri.starts_with(APP).then(|| exposed_uri(server, uri)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_leads_back_to_its_server_and_own_uri() {
        for (own, shown) in [
            ("note://1", "s+note://1"),
            ("file:///a+b", "s+file:///a+b"),
            ("ui://map/view+x.html", "ui://s+map/view+x.html"),
            ("ui://", "ui://s+"),
        ] {
            assert_eq!(exposed_uri("s", own), shown);
            let (server, back) = split_uri(shown).unwrap();
            assert_eq!((server, &*back), ("s", own));
        }
        assert_eq!(exposed_uri("s", "https://example.org/x"), "https://example.org/x");
        for strange in ["", "+", "s+", "+x:", "s+x", "ui://", "ui://+x", "ui:+x"] {
            assert!(split_uri(strange).is_none_or(|(server, own)| !server.is_empty() && own.contains(':')));
        }
        assert_eq!(split_uri("ui://map"), None);
    }

    #[test]
    fn a_tool_names_its_interface_as_it_is_listed() {
        let tool =
            r#"{"name":"t","_meta":{"ui":{"resourceUri":"ui://v","x":1.0},"ui/resourceUri":"ui://v"}}"#;
        let shown =
            r#"{"name":"t","_meta":{"ui":{"resourceUri":"ui://s+v","x":1.0},"ui/resourceUri":"ui://s+v"}}"#;
        assert_eq!(expose_interface("s", tool), shown);
        let other = r#"{"name":"t","_meta":{"ui":{"resourceUri":"https://v"}}}"#;
        assert_eq!(expose_interface("s", other), other);
    }
}
