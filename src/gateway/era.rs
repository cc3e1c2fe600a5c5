//! Results between revisions: only what the revisions demand changes, all else keeps its bytes.

use super::Refusal;
use crate::mcp::{Edit, Edition, Era, Method, Object, codes, meta, quote};

/// A backend's raw result in the words of the agent's revision.
///
/// # Errors
/// Refuses results that ask the client for something, and result types that are unknown.
pub(super) fn result(raw: String, method: Method, from: Edition, to: Edition) -> Result<String, Refusal> {
    let Some(object) = Object::parse(&raw) else {
        return Err(crate::upstream::Error::Garbage("a result is not an object".into()).into());
    };
    let kind = object.str("resultType");
    match kind.as_deref() {
        None | Some("complete") => {}
        Some("input_required") => return Err(Refusal::Unrelayed("input")),
        Some("task") => return Err(Refusal::Unrelayed("a task")),
        Some(_) => return Err(crate::upstream::Error::Garbage("an unknown result type".into()).into()),
    }
    let reserved = object.object("_meta").is_some_and(|m| m.iter().any(|(k, _)| k.starts_with(meta::PREFIX)));
    let has_kind = kind.is_some();
    drop(kind);
    match (from.era(), to.era()) {
        (Era::Legacy, Era::Legacy) if !reserved => Ok(raw),
        (_, Era::Legacy) => {
            let kept = object.get("_meta").map(own_meta);
            let Some(edit) = Edit::of(&raw) else { return Ok(raw) };
            let edit = edit.remove("resultType").remove("ttlMs").remove("cacheScope");
            Ok(with_meta(edit, kept).finish())
        }
        (_, Era::Modern) => {
            let kept = object.get("_meta").map(own_meta);
            let Some(mut edit) = Edit::of(&raw) else { return Ok(raw) };
            if !has_kind {
                edit = edit.set("resultType", "\"complete\"");
            }
            if method.is_cacheable() {
                // What one caller may see says nothing about the next: never shared.
                edit = edit.set("cacheScope", "\"private\"");
                if object.get("ttlMs").is_none() {
                    edit = edit.set("ttlMs", "0");
                }
            }
            let edit = if reserved { with_meta(edit, kept) } else { edit };
            Ok(edit.finish())
        }
    }
}

fn with_meta(edit: Edit<'_>, kept: Option<String>) -> Edit<'_> {
    match kept {
        Some(kept) if kept != "{}" => edit.set("_meta", kept),
        Some(_) => edit.remove("_meta"),
        None => edit,
    }
}

/// `_meta` without the keys that belong to the other hop.
fn own_meta(raw: &str) -> String {
    let Some(object) = Object::parse(raw) else { return "{}".into() };
    let kept: Vec<String> = object
        .iter()
        .filter(|(key, _)| !key.starts_with(meta::PREFIX))
        .map(|(key, value)| format!("{}:{value}", quote(key)))
        .collect();
    format!("{{{}}}", kept.join(","))
}

/// A backend's raw error in the words of the agent's revision.
///
/// # Errors
/// Refuses errors that concern only the hop to the backend.
pub(super) fn error(raw: String, method: Method, to: Edition) -> Result<String, Refusal> {
    let Some(object) = Object::parse(&raw) else {
        return Err(crate::upstream::Error::Garbage("an error is not an object".into()).into());
    };
    let Some(code) = object.get("code").and_then(|c| c.parse::<i64>().ok()) else {
        return Err(crate::upstream::Error::Garbage("an error has no code".into()).into());
    };
    if object.str("message").is_none() {
        return Err(crate::upstream::Error::Garbage("an error has no message".into()).into());
    }
    let recode = match (code, to.era(), method) {
        (-32042, _, _) => return Err(Refusal::Unrelayed("elicitation")),
        (-32029..=-32020, _, _) => {
            return Err(crate::upstream::Error::Garbage("it refused our revision or headers".into()).into());
        }
        (codes::LEGACY_RESOURCE_NOT_FOUND, Era::Modern, Method::ResourcesRead) => codes::INVALID_PARAMS,
        _ => return Ok(raw),
    };
    Ok(Edit::of(&raw).map(|edit| edit.set("code", recode.to_string()).finish()).unwrap_or(raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Edition = Edition::V2025_11_25;
    const NEW: Edition = Edition::V2026_07_28;

    #[test]
    fn a_result_changes_only_where_the_revisions_differ() {
        let raw = r#"{"content":[{"x":1.0}],"isError":false}"#;
        assert_eq!(result(raw.into(), Method::ToolsCall, OLD, OLD).unwrap(), raw);
        assert_eq!(
            result(raw.into(), Method::ToolsCall, OLD, NEW).unwrap(),
            r#"{"content":[{"x":1.0}],"isError":false,"resultType":"complete"}"#
        );
        let modern = r#"{"resultType":"complete","contents":[],"ttlMs":5,"cacheScope":"public","_meta":{"io.modelcontextprotocol/serverInfo":{},"a":1}}"#;
        assert_eq!(
            result(modern.into(), Method::ResourcesRead, NEW, OLD).unwrap(),
            r#"{"contents":[],"_meta":{"a":1}}"#
        );
        assert_eq!(
            result(modern.into(), Method::ResourcesRead, NEW, NEW).unwrap(),
            r#"{"resultType":"complete","contents":[],"ttlMs":5,"cacheScope":"private","_meta":{"a":1}}"#
        );
    }

    #[test]
    fn what_asks_the_client_is_refused() {
        let raw = r#"{"resultType":"input_required","inputRequests":{}}"#;
        assert_eq!(result(raw.into(), Method::ToolsCall, NEW, NEW), Err(Refusal::Unrelayed("input")));
        let raw = r#"{"code":-32042,"message":"m"}"#;
        assert!(error(raw.into(), Method::ToolsCall, OLD).is_err());
    }

    #[test]
    fn a_missing_resource_has_the_code_of_the_agents_revision() {
        let raw = r#"{"code":-32002,"message":"no","data":{"uri":"a"}}"#;
        assert_eq!(
            error(raw.into(), Method::ResourcesRead, NEW).unwrap(),
            r#"{"code":-32602,"message":"no","data":{"uri":"a"}}"#
        );
        assert_eq!(error(raw.into(), Method::ResourcesRead, OLD).unwrap(), raw);
    }
}
