//! What the gateway must remember of an unfinished request of a stateless client: it travels with the client, sealed
//! (MCP 2026-07-28, "Multi Round-Trip Requests").

use super::Call;
use super::seals::{Purpose, Seals};
use crate::identity::Caller;
use crate::mcp::{Object, quote, string_value};
use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Members of the parameters that differ between a request and its retry.
const VOLATILE: [&str; 3] = ["_meta", "inputResponses", "requestState"];

/// How an unfinished request goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Resume {
    /// The backend gets its own state back, and what was declined for the client beside the client's input.
    Relay {
        /// The backend's own `requestState`, raw.
        inner: Option<String>,
        /// Raw answers that the client never saw the question of.
        declined: BTreeMap<String, String>,
    },
    /// The call waits at the backend.
    Parked {
        /// Under this id.
        id: Uuid,
        /// For the input of this key.
        key: String,
    },
    /// The request is made anew.
    Again,
    /// It waits for a person's approval.
    Approval {
        /// Under this reference.
        reference: Uuid,
        /// The agent has been asked so often.
        rounds: usize,
    },
}

/// What is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    server: String,
    principal: String,
    /// Digest of method and parameters.
    request: String,
    expires_us: i64,
    resume: Resume,
}

/// Who a handle is bound to: the principal and the software that speaks for it, not the credential.
pub(super) fn principal(caller: &Caller) -> String {
    format!("{}:{}:{}:{}", caller.kind.entity_type(), caller.tenant, caller.id, caller.agent)
}

/// Seals how `call`, which `server` has not finished, goes on. Raw JSON.
pub(super) fn seal(
    seals: &Seals,
    caller: &Caller,
    (method, params): (&str, &str),
    (server, resume): (&str, Resume),
    (now_us, expires_us): (i64, i64),
) -> Option<String> {
    let state = State {
        server: server.to_owned(),
        principal: principal(caller),
        request: digest(method, params)?,
        expires_us,
        resume,
    };
    let handle = seals.seal(Purpose::State, now_us, serde_json::to_vec(&state).ok()?)?;
    Some(quote(&handle))
}

/// How a retry goes on, or `None` if its `requestState` is not ours, not this caller's, of another request, of another
/// server, or expired. One answer for all of them: a forger learns nothing.
pub(super) fn open(
    seals: &Seals,
    caller: &Caller,
    call: &Call,
    (server, raw): (&str, &str),
    now_us: i64,
) -> Option<Resume> {
    let handle = string_value(raw)?;
    let state: State = serde_json::from_slice(&seals.open(Purpose::State, now_us, &handle)?).ok()?;
    let same = state.server == server
        && state.principal == principal(caller)
        && Some(state.request) == digest(call.method.as_str(), &call.params)
        && now_us < state.expires_us;
    same.then_some(state.resume)
}

/// A digest of what a request asks for: equal for a request and its retries, whatever order their members have.
pub(super) fn digest(method: &str, params: &str) -> Option<String> {
    let object = Object::parse(params)?;
    let mut context = Context::new(&SHA256);
    context.update(method.as_bytes());
    let mut members: Vec<(&str, &str)> = object.iter().filter(|(key, _)| !VOLATILE.contains(key)).collect();
    members.sort_unstable_by_key(|(key, _)| *key);
    for (key, raw) in members {
        context.update(&[0]);
        context.update(key.as_bytes());
        context.update(&[0]);
        let mut text = String::new();
        canonical(&serde_json::from_str(raw).ok()?, &mut text);
        context.update(text.as_bytes());
    }
    Some(URL_SAFE_NO_PAD.encode(context.finish().as_ref()))
}

fn canonical(value: &serde_json::Value, out: &mut String) {
    match value {
        serde_json::Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (key, value) in members {
                out.push_str(&quote(key));
                out.push(':');
                canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        serde_json::Value::Array(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn a_retry_is_the_same_request_in_any_order_and_another_value_is_not() {
        let first = digest("tools/call", r#"{"name":"t","arguments":{"a":1,"b":[2]},"_meta":{"x":1}}"#);
        let retry = digest(
            "tools/call",
            r#"{"arguments":{"b":[2],"a":1},"name":"t","requestState":"s","inputResponses":{}}"#,
        );
        assert_eq!(first, retry);
        assert_ne!(first, digest("tools/call", r#"{"name":"t","arguments":{"a":2,"b":[2]}}"#));
        assert_ne!(first, digest("prompts/get", r#"{"name":"t","arguments":{"a":1,"b":[2]}}"#));
    }
}
