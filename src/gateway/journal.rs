//! What the log says about a call: built here, so that the record and the decision cannot drift apart.
//!
//! Members are written in the order of their names: that is the canonical form of `audit/FORMAT.md`.

use super::duties::Approved;
use super::hold::Ended;
use super::judge::{Judgement, Ruling};
use super::owed::{Status, Tally};
use super::{Call, Rules};
use crate::audit::{Body, Draft, Kind, Log, Role};
use crate::identity::{Caller, Claims};
use crate::inspect::{Filtered, Finding};
use crate::mcp::{Ask, Kind as Answerer};
use crate::policy::{Capture, Denial, Obligations, Permit, Shadow};
use crate::route::Target;
use serde::Serialize;
use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;
use uuid::Uuid;

/// Longest text of a client's own making that a record keeps.
const TEXT: usize = 256;
/// Most findings that a record lists.
const FINDINGS: usize = 64;

/// Who acts, as records tell it.
#[derive(Debug, Serialize)]
pub struct Actor<'a> {
    agent: &'a str,
    approved: bool,
    #[serde(skip_serializing_if = "Claims::is_empty")]
    claims: &'a Claims,
    credential: &'a str,
    id: &'a str,
    kind: &'static str,
    roles: &'a [String],
    teams: &'a [String],
    tenant: &'a str,
}

#[derive(Serialize)]
struct Authz<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<&'a Approved>,
    decision: &'static str,
    entities: &'a str,
    errors: Vec<String>,
    /// Kinds of findings that policy was told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    justification: Option<Cow<'a, str>>,
    /// `observe`, while denials are not enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    obligations: Option<&'a Obligations>,
    policies: &'a [String],
    policy_set: &'a str,
    reason: &'a str,
    satisfied: &'a [String],
    schema: &'a str,
    #[serde(skip_serializing_if = "<[Shadow]>::is_empty")]
    shadow: &'a [Shadow],
    /// The denial that would have been, while denials are not enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    would: Option<&'static str>,
}

#[derive(Serialize)]
struct Mcp<'a> {
    client: Cow<'a, str>,
    client_version: Cow<'a, str>,
    front: String,
    method: &'static str,
    name: Cow<'a, str>,
    protocol: &'static str,
    rpc_id: Cow<'a, str>,
    server: &'a str,
    session: &'a str,
    session_calls: i64,
    session_started: i64,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    session_taint: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    session_tools: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<IpAddr>,
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
pub(super) fn decision(log: &Log, rules: &Rules, caller: &Caller, judgement: &Judgement) -> Draft {
    let call = &judgement.call;
    let kind = match &judgement.ruling {
        Ok(Ruling::Forward(_)) => Kind::CallIntent,
        Ok(Ruling::Own) => Kind::CallAnswered,
        Err(_) => Kind::CallDenied,
    };
    let mut draft = Draft::new(kind)
        .call(call.id)
        .member("actor", &Actor::of(caller))
        .member("authz", &authz(rules, judgement))
        .member("mcp", &mcp(rules, judgement));
    if call.method.kind() == Answerer::Forwarded {
        let ruleset = rules.inspector.ruleset_digest();
        draft = draft.member("redact", &Redact::of(&judgement.findings, ruleset));
        if !judgement.opened.is_empty() {
            draft = draft.member("opened", &judgement.opened);
        }
        let wanted = judgement.obligations().and_then(|wanted| wanted.audit);
        let server = judgement.found.as_ref().map_or("", |found| &found.server);
        let whose = (caller.id.as_str(), server);
        let keep = wanted.map(|level| level != Capture::Metadata);
        let text = judgement.recorded.as_deref();
        draft = draft.payload(text.map(|text| log.captured(Role::Request, whose, text, keep)));
    }
    match &call.trace.parent {
        Some(parent) => draft.member("trace", &bounded(rules, parent)),
        None => draft,
    }
}

impl<'a> Actor<'a> {
    /// The caller as records tell them.
    pub fn of(caller: &'a Caller) -> Self {
        Self {
            agent: &caller.agent,
            approved: caller.agent_approved,
            claims: &caller.claims,
            credential: &caller.credential,
            id: &caller.id,
            kind: caller.kind.entity_type(),
            roles: &caller.roles,
            teams: &caller.teams,
            tenant: &caller.tenant,
        }
    }
}

fn authz<'a>(rules: &'a Rules, judgement: &'a Judgement) -> Authz<'a> {
    let permit = match &judgement.ruling {
        Ok(Ruling::Forward(passed)) => Some(&passed.permit),
        _ => judgement.withheld.as_ref(),
    };
    let overruled = permit.and_then(Permit::overruled);
    let denial = judgement.denial.as_ref().or(overruled);
    let (decision, reason, policies, satisfied, errors) = match (&judgement.ruling, &judgement.denial) {
        (Ok(Ruling::Forward(passed)), _) => {
            let permit = &passed.permit;
            let errors = permit.errors().iter().map(ToString::to_string).collect();
            match permit.overruled() {
                Some(denial) => ("allow", "observe", denial.determining(), permit.satisfied(), errors),
                None => ("allow", "policy", permit.determining(), permit.satisfied(), errors),
            }
        }
        (Ok(Ruling::Own), _) => ("allow", "catalog", [].as_slice(), [].as_slice(), Vec::new()),
        (Err(_), Some(denial)) => {
            let errors = denial.errors().iter().map(ToString::to_string).collect();
            ("deny", denial.kind().as_str(), denial.determining(), denial.satisfied(), errors)
        }
        (Err(refusal), None) => {
            let policies = permit.map_or([].as_slice(), Permit::determining);
            ("deny", refusal.text().reason, policies, policies, Vec::new())
        }
    };
    let mut findings: Vec<&str> = judgement.findings.iter().map(|finding| finding.kind).collect();
    findings.sort_unstable();
    findings.dedup();
    Authz {
        approval: judgement.met.approved.as_ref(),
        findings,
        justification: judgement.met.justification.as_deref().map(|reason| bounded(rules, reason)),
        obligations: judgement.obligations().map(|wanted| &**wanted),
        shadow: denial.map(Denial::shadow).or(permit.map(Permit::shadow)).unwrap_or_default(),
        would: overruled.map(|denial| denial.kind().as_str()),
        ..ruled(rules, (decision, reason), (policies, satisfied, errors))
    }
}

fn mcp<'a>(rules: &'a Rules, judgement: &'a Judgement) -> Mcp<'a> {
    let call = &judgement.call;
    let (server, name) = match &judgement.found {
        Some(found) => {
            let name = match &found.target {
                Target::Tool(name) | Target::Prompt(name) => name.as_str(),
                Target::Resource { uri, .. } => uri.as_str(),
                // The method says it all.
                Target::Extension { .. } => "",
            };
            (found.server.as_str(), bounded(rules, name))
        }
        None => ("", unresolved(rules, call)),
    };
    Mcp {
        client: bounded(rules, &call.client.name),
        client_version: bounded(rules, &call.client.version),
        front: call.front.path(),
        method: call.method.as_str(),
        name,
        protocol: call.edition.as_str(),
        rpc_id: bounded(rules, &call.rpc_id),
        server,
        session: &call.session.id,
        session_calls: call.session.calls,
        session_started: call.session.started_us,
        session_taint: &call.session.taint,
        session_tools: &call.session.tools,
        source: call.source,
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
    /// What went back, after redaction.
    pub response: Option<Body>,
}

/// The record of an outcome.
pub(super) fn outcome(outcome: Outcome<'_>) -> Draft {
    let latency = u64::try_from(outcome.latency.as_micros()).unwrap_or(u64::MAX >> 11);
    let draft = Draft::new(Kind::CallOutcome)
        .call(outcome.call)
        .member("bytes", &outcome.tally.bytes)
        .member("frames", &outcome.tally.frames)
        .member("latency_us", &latency)
        .member("redact", &Redact::of(&outcome.tally.findings, outcome.ruleset))
        .member("status", outcome.status.as_str())
        .payload(outcome.response);
    let draft = match &outcome.tally.returned {
        Some(returned) => draft.member("returned", returned),
        None => draft,
    };
    match outcome.intent {
        Some(seq) => draft.member("intent", &seq),
        None => draft,
    }
}

/// Which question of which call a record is about.
pub(super) struct About<'a> {
    pub call: Uuid,
    pub server: &'a str,
    pub ask: Ask,
}

impl About<'_> {
    fn draft(&self, kind: Kind) -> Draft {
        Draft::new(kind).call(self.call).member("ask", self.ask.as_str()).member("server", self.server)
    }
}

/// The record of a question that the agent may be asked.
pub(super) fn question(rules: &Rules, about: &About<'_>, permit: &Permit, found: &[Finding]) -> Draft {
    let errors = permit.errors().iter().map(ToString::to_string).collect();
    let authz = ruled(rules, ("allow", "policy"), (permit.determining(), permit.satisfied(), errors));
    about
        .draft(Kind::CallQuestion)
        .member("authz", &authz)
        .member("redact", &Redact::of(found, rules.inspector.ruleset_digest()))
}

/// Which approval a record is about. Members are in the order of their names.
#[derive(Serialize)]
struct Waits {
    /// The call that went on.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Uuid>,
    reference: Uuid,
}

/// The record of our own question: where somebody approves a call.
pub(super) fn approval_question(
    rules: &Rules,
    about: &About<'_>,
    reference: Uuid,
    said: &Filtered<String>,
) -> Draft {
    about
        .draft(Kind::CallQuestion)
        .member("approval", &Waits { next: None, reference })
        .member("redact", &Redact::of(said.findings(), rules.inspector.ruleset_digest()))
}

/// The record of the end of a wait for an approval, and of the call that goes on.
pub(super) fn waited(
    about: &About<'_>,
    (reference, next): (Uuid, Option<Uuid>),
    ended: Ended,
    waited_us: u64,
) -> Draft {
    Draft::new(Kind::ApprovalWaited)
        .call(about.call)
        .member("approval", &Waits { next, reference })
        .member("reason", ended.as_str())
        .member("server", about.server)
        .member("waited_us", &waited_us)
}

/// The record of a question that was kept from the agent.
pub(super) fn kept(
    rules: &Rules,
    about: &About<'_>,
    (reason, found): (&'static str, &[Finding]),
    denial: Option<&Denial>,
) -> Draft {
    let mut draft = about.draft(Kind::CallQuestionDenied).member("reason", reason);
    if !found.is_empty() {
        draft = draft.member("redact", &Redact::of(found, rules.inspector.ruleset_digest()));
    }
    let Some(denial) = denial else { return draft };
    let errors = denial.errors().iter().map(ToString::to_string).collect();
    let reasons = (denial.determining(), denial.satisfied(), errors);
    draft.member("authz", &ruled(rules, ("deny", denial.kind().as_str()), reasons))
}

/// The record of an answer.
pub(super) fn reply(rules: &Rules, about: &About<'_>, said: &Filtered<String>) -> Draft {
    about
        .draft(Kind::CallReply)
        .member("redact", &Redact::of(said.findings(), rules.inspector.ruleset_digest()))
        .member("result", "ok")
}

/// The record of an answer that is an error; its text is the agent's own and is not kept.
pub(super) fn reply_error(about: &About<'_>, code: i64) -> Draft {
    about.draft(Kind::CallReply).member("code", &code).member("result", "error")
}

/// The record of a parked call that nobody came back for.
pub(super) fn lapsed(call: Uuid, server: &str) -> Draft {
    Draft::new(Kind::CallLapsed).call(call).member("server", server)
}

fn ruled<'a>(
    rules: &'a Rules,
    (decision, reason): (&'static str, &'a str),
    (policies, satisfied, errors): (&'a [String], &'a [String], Vec<String>),
) -> Authz<'a> {
    let digests = rules.policies.digests();
    Authz {
        approval: None,
        decision,
        entities: &digests.entities,
        errors,
        findings: Vec::new(),
        justification: None,
        mode: rules.policies.observing().then_some("observe"),
        obligations: None,
        policies,
        policy_set: &digests.policy_set,
        reason,
        satisfied,
        schema: &digests.schema,
        shadow: &[],
        would: None,
    }
}
