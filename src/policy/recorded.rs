//! What a record of the log says about one decision: everything that deciding again takes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::question::Circumstances;
use super::returned::Decided;
use super::stamp::DenialKind;
use crate::identity::{Caller, Claims, PrincipalKind};

/// One recorded decision about a call.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Sequence number of the record.
    pub seq: u64,
    /// When, in microseconds since the Unix epoch.
    pub time_us: i64,
    /// The call.
    pub call: Uuid,
    /// Who asked; none if the record is older than the members that it takes.
    pub caller: Option<Caller>,
    /// What was decided.
    pub authz: RecordedAuthz,
    /// The method, such as `tools/call`.
    pub method: String,
    /// The server.
    pub server: String,
    /// The tool, the prompt, or the URI.
    pub name: String,
    /// The front and the rest of what policies may look at.
    pub(super) circumstances: Circumstances,
    /// Text of the parameters after redaction; none if they were not recorded.
    pub(super) request: Option<String>,
    /// Pointers into the parameters at which something was redacted.
    pub(super) redacted: Vec<String>,
    /// Whether there were more than are listed.
    pub(super) more_redacted: bool,
}

/// The `authz` member of a record.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct RecordedAuthz {
    /// `allow` or `deny`.
    pub decision: String,
    /// Why.
    pub reason: String,
    /// Policies that decided.
    pub policies: Vec<String>,
    /// Permits that were satisfied.
    pub satisfied: Vec<String>,
    /// Digest of the policy files.
    pub policy_set: String,
    /// Digest of servers, tools and groups.
    pub entities: String,
    /// Digest of the schema.
    pub schema: String,
    /// Kinds of findings that policy was told.
    pub findings: Vec<String>,
    /// Shadow policies that matched.
    pub shadow: Vec<RecordedShadow>,
    /// The denial that was not enforced.
    pub would: Option<String>,
    /// What had to be done.
    pub obligations: Option<Value>,
}

/// A shadow policy in a record.
#[derive(Debug, Clone, Deserialize)]
pub struct RecordedShadow {
    /// Whether it would have flipped the decision.
    pub flips: bool,
    /// Its id.
    pub policy: String,
}

/// What policy had decided, whatever came of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It permits the call, if its obligations are met.
    Allow,
    /// It does not.
    Deny,
}

#[derive(Deserialize)]
struct Line<'a> {
    kind: String,
    seq: u64,
    t: i64,
    call: Option<Uuid>,
    #[serde(borrow)]
    actor: Option<&'a RawValue>,
    #[serde(default)]
    authz: RecordedAuthz,
    #[serde(default)]
    mcp: Mcp,
    #[serde(default)]
    redact: Redact,
    request: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Mcp {
    client: String,
    client_version: String,
    method: String,
    name: String,
    protocol: String,
    server: String,
    session: String,
    session_calls: i64,
    session_started: i64,
    session_taint: Vec<String>,
    session_tools: Vec<String>,
    source: Option<IpAddr>,
    transport: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Redact {
    findings: Vec<Finding>,
    findings_omitted: u64,
}

#[derive(Deserialize)]
struct Finding {
    pointer: String,
}

#[derive(Deserialize)]
struct Actor {
    agent: String,
    approved: bool,
    #[serde(default)]
    claims: Claims,
    credential: String,
    id: String,
    kind: String,
    roles: Vec<String>,
    teams: Vec<String>,
    tenant: String,
}

impl Recorded {
    /// The same with a text of the parameters, where the record itself holds none.
    #[must_use]
    pub fn or_request(mut self, text: impl FnOnce() -> Option<String>) -> Self {
        self.request = self.request.or_else(text);
        self
    }

    /// Reads a record; none if it is not of a decision about a call, or not a record.
    pub fn parse(record: &[u8]) -> Option<Self> {
        let line: Line<'_> = serde_json::from_slice(record).ok()?;
        if line.kind != "call.intent" && line.kind != "call.denied" {
            return None;
        }
        let mcp = line.mcp;
        let call = line.call?;
        let actor: Option<Actor> = line.actor.and_then(|actor| serde_json::from_str(actor.get()).ok());
        Some(Self {
            seq: line.seq,
            time_us: line.t,
            call,
            caller: actor.and_then(caller),
            authz: line.authz,
            method: mcp.method,
            server: mcp.server,
            name: mcp.name,
            circumstances: Circumstances {
                client_name: mcp.client,
                client_version: mcp.client_version,
                protocol: mcp.protocol,
                transport: mcp.transport,
                now_us: moment(call),
                source_ip: mcp.source,
                session_id: mcp.session,
                session_started_us: mcp.session_started,
                session_calls: mcp.session_calls,
                session_taint: mcp.session_taint,
                session_tools: mcp.session_tools,
            },
            request: line.request,
            redacted: line.redact.findings.into_iter().map(|finding| finding.pointer).collect(),
            more_redacted: line.redact.findings_omitted > 0,
        })
    }

    /// What policy had decided; none if the call was refused before policy was asked.
    pub fn decision(&self) -> Option<Decision> {
        let authz = &self.authz;
        if authz.would.is_some() || DENIALS.iter().any(|kind| kind.as_str() == authz.reason) {
            return Some(Decision::Deny);
        }
        // Refused for an obligation: the permits are named, and policy itself had said yes.
        (authz.decision == "allow" || !authz.policies.is_empty()).then_some(Decision::Allow)
    }

    /// Who asked, for people.
    pub fn who(&self) -> &str {
        self.caller.as_ref().map_or("", |caller| &caller.id)
    }
}

const DENIALS: [DenialKind; 5] = [
    DenialKind::Forbidden,
    DenialKind::NoPermit,
    DenialKind::Erred,
    DenialKind::Unknown,
    DenialKind::InvalidArguments,
];

fn caller(actor: Actor) -> Option<Caller> {
    let kind = match actor.kind.as_str() {
        "User" => PrincipalKind::User,
        "ServiceAccount" => PrincipalKind::ServiceAccount,
        _ => return None,
    };
    Some(Caller {
        kind,
        id: actor.id,
        agent: actor.agent,
        agent_approved: actor.approved,
        roles: actor.roles,
        teams: actor.teams,
        tenant: actor.tenant,
        claims: actor.claims,
        credential: actor.credential,
    })
}

/// The call's own time: policy saw that, not the time of the record.
fn moment(call: Uuid) -> i64 {
    call.get_timestamp().map_or(0, |stamp| {
        let (seconds, nanos) = stamp.to_unix();
        i64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000) + i64::from(nanos / 1000)
    })
}

/// How often each policy mattered in the records of a period.
#[derive(Debug, Default, Serialize)]
pub struct Tally {
    /// Decisions looked at.
    pub decisions: u64,
    /// Matches, by policy: it decided, it granted, or it was a shadow.
    pub matched: BTreeMap<String, u64>,
    /// Calls, by tool.
    pub tools: BTreeMap<String, u64>,
    /// Shadow policies: matches, flips, and the newest calls that they would have flipped.
    pub shadow: BTreeMap<String, ShadowTally>,
}

/// What a shadow policy would have done.
#[derive(Debug, Default, Serialize)]
pub struct ShadowTally {
    /// How often it matched.
    pub matched: u64,
    /// How often it would have flipped the decision.
    pub flips: u64,
    /// Calls that it would have allowed.
    pub would_allow: u64,
    /// Calls that it would have denied.
    pub would_deny: u64,
    /// Some of those calls.
    pub examples: Vec<Uuid>,
}

/// Examples kept of each shadow policy.
const EXAMPLES: usize = 5;

impl Tally {
    /// Takes in one decision.
    pub fn add(&mut self, decided: &Decided) {
        match decided {
            Decided::Call(recorded) => {
                self.decisions += 1;
                let authz = &recorded.authz;
                let policies = authz.policies.iter().chain(&authz.satisfied);
                self.matching(policies, &authz.shadow, (recorded.decision(), recorded.call));
                if recorded.method == "tools/call" {
                    *self.tools.entry(recorded.name.clone()).or_default() += 1;
                }
            }
            Decided::Return(recorded) => {
                if let Some(said) = &recorded.said {
                    self.decisions += 1;
                    let decided = (Some(said.decision()), recorded.call);
                    self.matching(said.policies.iter(), &said.shadow, decided);
                }
            }
        }
    }

    fn matching<'p>(
        &mut self,
        policies: impl Iterator<Item = &'p String>,
        shadows: &'p [RecordedShadow],
        (decision, call): (Option<Decision>, Uuid),
    ) {
        let mut ids: Vec<&String> = policies.collect();
        ids.extend(shadows.iter().map(|shadow| &shadow.policy));
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            *self.matched.entry(id.clone()).or_default() += 1;
        }
        for shadow in shadows {
            let one = self.shadow.entry(shadow.policy.clone()).or_default();
            one.matched += 1;
            if shadow.flips {
                one.flips += 1;
                match decision {
                    Some(Decision::Allow) => one.would_deny += 1,
                    _ => one.would_allow += 1,
                }
                if one.examples.len() < EXAMPLES {
                    one.examples.push(call);
                }
            }
        }
    }
}
