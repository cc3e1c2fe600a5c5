//! Results between revisions: only what the revisions demand changes, all else keeps its bytes.

use super::Refusal;
use crate::mcp::{Edit, Edition, Era, Method, Object, codes, meta, quote};

/// A backend's raw result in the words of the agent's revision.
///
/// # Errors
/// Refuses result types that are unknown, or that the agent's revision does not have.
pub(super) fn result(raw: String, method: Method, from: Edition, to: Edition) -> Result<String, Refusal> {
    let Some(object) = Object::parse(&raw) else {
        return Err(crate::upstream::Error::Garbage("a result is not an object".into()).into());
    };
    let kind = object.str("resultType");
    match kind.as_deref() {
        None | Some("complete") => {}
        // A task has been given a handle before; to the session era there is no such thing.
        Some("task") if to.era() == Era::Modern => {}
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

/// Whether a result asks the client for input. Cheap for the many that do not.
pub(super) fn asks_for_input(raw: &str) -> bool {
    is_of_type(raw, "input_required")
}

/// Whether a result is a task.
pub(super) fn is_task(raw: &str) -> bool {
    is_of_type(raw, "task")
}

/// Whether a result holds questions.
pub(super) fn has_input_requests(raw: &str) -> bool {
    memchr::memmem::find(raw.as_bytes(), b"inputRequests").is_some()
}

fn is_of_type(raw: &str, kind: &str) -> bool {
    memchr::memmem::find(raw.as_bytes(), kind.as_bytes()).is_some()
        && Object::parse(raw).is_some_and(|o| o.str("resultType").as_deref() == Some(kind))
}

/// Whether an error asks for a visit to a URL (MCP 2025-11-25, `URLElicitationRequiredError`).
pub(super) fn is_url_required(raw: &str) -> bool {
    Object::parse(raw).is_some_and(|e| e.get("code") == Some("-32042"))
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
        (codes::MISSING_CAPABILITY, Era::Modern, _) => return Ok(raw),
        (codes::MISSING_CAPABILITY, Era::Legacy, _) => return Err(Refusal::Unanswered("a capability")),
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
    fn what_asks_the_client_is_seen() {
        assert!(asks_for_input(r#"{"resultType":"input_required","inputRequests":{}}"#));
        assert!(!asks_for_input(r#"{"content":[{"text":"input_required"}]}"#));
        assert!(is_url_required(r#"{"code":-32042,"message":"m"}"#));
        let task = r#"{"resultType":"task","taskId":"t"}"#;
        assert_eq!(result(task.into(), Method::ToolsCall, NEW, NEW).unwrap(), task);
        assert!(result(task.into(), Method::ToolsCall, NEW, OLD).is_err());
    }

    #[test]
    fn a_missing_capability_is_told_to_those_who_know_the_word() {
        let raw = r#"{"code":-32021,"message":"m","data":{"requiredCapabilities":{}}}"#;
        assert_eq!(error(raw.into(), Method::ToolsCall, NEW).unwrap(), raw);
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
