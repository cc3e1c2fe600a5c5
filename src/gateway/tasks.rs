//! Tasks that a tool started (extension `io.modelcontextprotocol/tasks`, 2026-07-28): their ids are sealed handles, good
//! for the principal that started them and for nobody else.

use super::seals::{Purpose, Seals};
use super::{Call, Rules, state};
use crate::identity::Caller;
use crate::mcp::{Edit, Object, quote};
use crate::route::{Found, Front, Resolved, Target};
use serde::{Deserialize, Serialize};

/// What a client must declare to follow tasks, as a raw `ClientCapabilities`.
pub(super) const CAPABILITY: &str = "{\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}}";

#[derive(Serialize, Deserialize)]
struct Handle {
    server: String,
    /// The exposed name of the tool that started it.
    tool: String,
    principal: String,
    /// The backend's own id.
    task: String,
}

/// The handle under which an agent knows the task `own` of a server.
pub(super) fn seal(
    seals: &Seals,
    caller: &Caller,
    (server, tool, own): (&str, &str, &str),
    now_us: i64,
) -> Option<String> {
    let handle = Handle {
        server: server.to_owned(),
        tool: tool.to_owned(),
        principal: state::principal(caller),
        task: own.to_owned(),
    };
    seals.seal(Purpose::Task, now_us, serde_json::to_vec(&handle).ok()?)
}

/// The backend's task behind a handle. Handles of others look like unknown ones.
pub(super) fn resolve(
    rules: &Rules,
    seals: &Seals,
    caller: &Caller,
    call: &Call,
    params: &Object<'_>,
) -> Resolved {
    let Some(id) = params.str("taskId") else {
        return Resolved::Malformed("`params.taskId` must be a string");
    };
    let opened = seals.open(Purpose::Task, super::judge::now_of(call), &id);
    let Some(handle) = opened.and_then(|plain| serde_json::from_slice::<Handle>(&plain).ok()) else {
        return Resolved::Unknown;
    };
    let here = match &call.front {
        Front::All => rules.catalog.source(&handle.server).is_some(),
        Front::Server(id) => *id == handle.server,
    };
    if !here || handle.principal != state::principal(caller) {
        return Resolved::Unknown;
    }
    Resolved::Found(Found {
        server: handle.server,
        target: Target::Tool(handle.tool),
        rewrite: Some(("taskId", quote(&handle.task))),
        own: handle.task,
        held: None,
        mirrored: None,
    })
}

/// A raw result or notification with its task's id as the agent knows it.
pub(super) fn expose(raw: String, handle: &str) -> String {
    match Edit::of(&raw) {
        Some(edit) if Object::parse(&raw).is_some_and(|o| o.get("taskId").is_some()) => {
            edit.set("taskId", quote(handle)).finish()
        }
        _ => raw,
    }
}

/// The handle that a call follows.
pub(super) fn handle_of(call: &Call) -> Option<String> {
    let params = call.method.follows_task().then(|| Object::parse(&call.params))??;
    params.str("taskId").map(std::borrow::Cow::into_owned)
}
