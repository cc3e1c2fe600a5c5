//! What the log says about a call: built here, so that the record and the decision cannot drift apart.
//!
//! Members are written in the order of their names: that is the canonical form of `audit/FORMAT.md`.

use super::judge::{Judgement, Ruling};
use super::reply::{Status, Tally};
use super::{Call, Rules};
use crate::audit::{Draft, Kind};
use crate::identity::Caller;
use crate::inspect::Finding;
use crate::mcp::Kind as Answerer;
use crate::route::Target;
use serde::Serialize;
use std::borrow::Cow;
use std::time::Duration;
use uuid::Uuid;

/// Longest text of a client's own making that a record keeps.
const TEXT: usize = 256;
/// Most findings that a record lists.
const FINDINGS: usize = 64;

#[derive(Serialize)]
struct Actor<'a> {
    agent: &'a str,
    credential: &'a str,
    id: &'a str,
    kind: &'static str,
    roles: &'a [String],
    teams: &'a [String],
    tenant: &'a str,
}

#[derive(Serialize)]
struct Authz<'a> {
    decision: &'static str,
    entities: &'a str,
    errors: Vec<String>,
    policies: &'a [String],
    policy_set: &'a str,
    reason: &'a str,
    satisfied: &'a [String],
    schema: &'a str,
}

#[derive(Serialize)]
struct Mcp<'a> {
    client: Cow<'a, str>,
    front: String,
    method: &'static str,
    name: Cow<'a, str>,
    protocol: &'static str,
    rpc_id: Cow<'a, str>,
    server: &'a str,
    session: &'a str,
    transport: &'static str,
}

#[derive(Serialize)]
struct Redact<'a> {
    findings: &'a [Finding],
    #[serde(skip_serializing_if = "Option::is_none")]
    findings_omitted: Option<usize>,
    ruleset: &'a str,
}

impl<'a> Redact<'a> {
    /// A record has a largest size: beyond a bound findings are counted, not listed.
    fn of(findings: &'a [Finding], ruleset: &'a str) -> Self {
        let listed = findings.get(..FINDINGS).unwrap_or(findings);
        let omitted = findings.len() - listed.len();
        Self { findings: listed, findings_omitted: (omitted > 0).then_some(omitted), ruleset }
    }
}

/// The record of a decision: an intent, a denial, or an answer of our own.
pub(super) fn decision(rules: &Rules, caller: &Caller, judgement: &Judgement) -> Draft {
    let call = &judgement.call;
    let kind = match &judgement.ruling {
        Ok(Ruling::Forward(_)) => Kind::CallIntent,
        Ok(Ruling::Own) => Kind::CallAnswered,
        Err(_) => Kind::CallDenied,
    };
    let mut draft = Draft::new(kind)
        .call(call.id)
        .member("actor", &actor(caller))
        .member("authz", &authz(rules, judgement))
        .member("mcp", &mcp(rules, judgement));
    if call.method.kind() == Answerer::Forwarded {
        let ruleset = rules.inspector.ruleset_digest();
        draft = draft.member("redact", &Redact::of(&judgement.findings, ruleset));
        draft = match &judgement.recorded {
            Some(text) if text.len() <= rules.capture_bytes => draft.member("request", text),
            Some(text) => draft.member("request_omitted", &text.len()),
            None => draft,
        };
    }
    match &call.trace.parent {
        Some(parent) => draft.member("trace", &bounded(rules, parent)),
        None => draft,
    }
}

fn actor(caller: &Caller) -> Actor<'_> {
    Actor {
        agent: &caller.agent,
        credential: &caller.credential,
        id: &caller.id,
        kind: caller.kind.entity_type(),
        roles: &caller.roles,
        teams: &caller.teams,
        tenant: &caller.tenant,
    }
}

fn authz<'a>(rules: &'a Rules, judgement: &'a Judgement) -> Authz<'a> {
    let digests = rules.policies.digests();
    let (decision, reason, policies, satisfied, errors) = match (&judgement.ruling, &judgement.denial) {
        (Ok(Ruling::Forward(passed)), _) => {
            let permit = &passed.permit;
            let errors = permit.errors().iter().map(ToString::to_string).collect();
            ("allow", "policy", permit.determining(), permit.satisfied(), errors)
        }
        (Ok(Ruling::Own), _) => ("allow", "catalog", [].as_slice(), [].as_slice(), Vec::new()),
        (Err(_), Some(denial)) => {
            let errors = denial.errors().iter().map(ToString::to_string).collect();
            ("deny", denial.kind().as_str(), denial.determining(), denial.satisfied(), errors)
        }
        (Err(refusal), None) => ("deny", refusal.text().reason, [].as_slice(), [].as_slice(), Vec::new()),
    };
    Authz {
        decision,
        entities: &digests.entities,
        errors,
        policies,
        policy_set: &digests.policy_set,
        reason,
        satisfied,
        schema: &digests.schema,
    }
}

fn mcp<'a>(rules: &'a Rules, judgement: &'a Judgement) -> Mcp<'a> {
    let call = &judgement.call;
    let (server, name) = match &judgement.found {
        Some(found) => {
            let name = match &found.target {
                Target::Tool(name) | Target::Prompt(name) => name.as_str(),
                Target::Resource { uri, .. } => uri.as_str(),
            };
            (found.server.as_str(), bounded(rules, name))
        }
        None => ("", unresolved(rules, call)),
    };
    Mcp {
        client: bounded(rules, &call.client.name),
        front: call.front.path(),
        method: call.method.as_str(),
        name,
        protocol: call.edition.as_str(),
        rpc_id: bounded(rules, &call.rpc_id),
        server,
        session: &call.session.id,
        transport: call.transport,
    }
}

/// What was asked for by a name that nobody owns: the agent's own words, so redacted and bounded.
fn unresolved<'a>(rules: &Rules, call: &Call) -> Cow<'a, str> {
    let params = crate::mcp::Object::parse(&call.params);
    let target = call.method.target_param().and_then(|key| params.as_ref().and_then(|p| p.str(key)));
    target.map_or(Cow::Borrowed(""), |name| Cow::Owned(bounded(rules, &name).into_owned()))
}

/// Text of a client's own making, redacted and cut.
fn bounded<'a>(rules: &Rules, text: &'a str) -> Cow<'a, str> {
    let clean = rules.inspector.redact_text(text);
    if clean.chars().count() <= TEXT { clean } else { Cow::Owned(clean.chars().take(TEXT).collect()) }
}

/// How a call ended.
pub(super) struct Outcome<'a> {
    pub call: Uuid,
    pub intent: Option<u64>,
    pub status: Status,
    pub latency: Duration,
    pub tally: &'a Tally,
    pub ruleset: &'a str,
}

/// The record of an outcome.
pub(super) fn outcome(outcome: &Outcome<'_>) -> Draft {
    let latency = u64::try_from(outcome.latency.as_micros()).unwrap_or(u64::MAX >> 11);
    let draft = Draft::new(Kind::CallOutcome)
        .call(outcome.call)
        .member("bytes", &outcome.tally.bytes)
        .member("frames", &outcome.tally.frames)
        .member("latency_us", &latency)
        .member("redact", &Redact::of(&outcome.tally.findings, outcome.ruleset))
        .member("status", outcome.status.as_str());
    match outcome.intent {
        Some(seq) => draft.member("intent", &seq),
        None => draft,
    }
}
