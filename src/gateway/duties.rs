//! What policy asks for besides yes or no: each obligation is met here, before the decision is recorded, or the
//! call is refused.

use super::facts::{self, Past, Sessions};
use super::hold::{self, Asking, Places};
use super::judge::{Judgement, Passed, Ruling};
use super::rates::Rates;
use super::state::Resume;
use super::wanted::{at_least, milder};
use super::{Call, Refusal, Rules};
use crate::approval::{Approvals, Fingerprint, Request, Standing, State};
use crate::identity::{Caller, SharedCaller};
use crate::inspect::Finding;
use crate::mcp::Object;
use crate::policy::{Asked, Circumstances, Item, Obligations, Question, RedactMode, canonical};
use crate::route::Target;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Where in `_meta` a caller says why.
pub const JUSTIFICATION: &str = "sealgate/justification";
/// Longest reason, in characters; a shorter one is no reason.
const REASON: std::ops::RangeInclusive<usize> = 8..=1000;
/// How long a call waits for approval, if no policy says so.
const APPROVAL_TTL_US: i64 = 15 * 60 * 1_000_000;

/// Word to be sent to somebody about a call. It holds no content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// The call.
    pub call: Uuid,
    /// `allow` or `deny`.
    pub decision: &'static str,
    /// Method.
    pub method: &'static str,
    /// What it was about.
    pub name: String,
    /// Policies that decided.
    pub policies: Vec<String>,
    /// Who asked: id.
    pub principal: String,
    /// Who asked: kind.
    pub principal_kind: &'static str,
    /// Whom to tell; names of the configuration.
    pub receivers: BTreeSet<String>,
    /// The server.
    pub server: String,
    /// Who asked: tenant.
    pub tenant: String,
}

/// How an approval was used, for the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Approved {
    pub approvers: Vec<String>,
    pub reference: Uuid,
}

/// What was done about obligations, for the record.
#[derive(Debug, Default)]
pub(super) struct Met {
    /// What the caller said, as it came.
    pub justification: Option<String>,
    pub approved: Option<Approved>,
}

/// The state that obligations and session facts need; it outlives a reload.
#[derive(Debug)]
pub struct Duties {
    approvals: Arc<Approvals>,
    notices: mpsc::Sender<Notice>,
    rates: Rates,
    sessions: Sessions,
    asking: Option<Asking>,
    places: Places,
}

impl Duties {
    /// `notices` goes to whoever delivers them; a full queue refuses calls whose policy wants somebody told.
    /// Without `asking` a call that needs an approval is refused, and its agent not asked.
    pub fn new(approvals: Arc<Approvals>, notices: mpsc::Sender<Notice>, asking: Option<Asking>) -> Self {
        let (rates, sessions, places) = (Rates::default(), Sessions::default(), Places::default());
        Self { approvals, notices, rates, sessions, asking, places }
    }

    /// How agents are asked to take a call to somebody who may approve it, if they are.
    pub(super) fn asking(&self) -> Option<&Asking> {
        self.asking.as_ref()
    }

    /// The places of calls that wait for an approval.
    pub(super) fn places(&self) -> &Places {
        &self.places
    }

    /// The approvals.
    pub fn approvals(&self) -> &Arc<Approvals> {
        &self.approvals
    }

    /// Adds what the session has done to a call.
    pub(super) fn remember(&self, caller: &Caller, mut call: Call) -> Call {
        let now = super::judge::now_of(&call);
        let Past { started_us, calls, taint, tools } = self.sessions.past(&facts::key(caller, &call), now);
        let session = &mut call.session;
        if session.id.is_empty() {
            (session.started_us, session.calls) = (started_us, calls);
        }
        (session.taint, session.tools) = (taint, tools);
        call
    }

    /// Notes that a call goes out.
    pub(super) fn going_out(&self, caller: &Caller, judgement: &Judgement) {
        if let Ok(Ruling::Forward(passed)) = &judgement.ruling {
            let tool = match &passed.found.target {
                Target::Tool(tool) => Some(tool.as_str()),
                _ => None,
            };
            let key = facts::key(caller, &judgement.call);
            self.sessions.called(&key, tool, super::judge::now_of(&judgement.call));
        }
    }

    /// Notes what a session reads: the tool's labels, and the kinds of findings in a result.
    pub(super) fn coming_back<'l>(&self, key: &str, labels: impl IntoIterator<Item = &'l str>, now_us: i64) {
        self.sessions.read(key, labels, now_us);
    }

    /// Meets the obligations of a judgement, or turns it into a refusal. `waited_for` is the reference of the
    /// approval that the call has just waited for.
    pub(super) async fn meet(
        &self,
        rules: &Arc<Rules>,
        caller: &SharedCaller,
        judgement: &mut Judgement,
        waited_for: Option<Uuid>,
    ) {
        let expected = waited_for.or(match &judgement.resume {
            Some(Resume::Approval { reference, .. }) => Some(*reference),
            _ => None,
        });
        let wanted = match &judgement.ruling {
            Ok(Ruling::Forward(passed)) => passed.permit.obligations().cloned(),
            _ => None,
        };
        if let Some(wanted) = wanted
            && let Err(refusal) = self.each(&wanted, rules, caller, (judgement, expected)).await
        {
            judgement.refuse(refusal);
        }
        let receivers = match (&judgement.denial, &judgement.ruling) {
            (Some(denial), _) => denial.notify().clone(),
            (None, Ok(Ruling::Forward(passed))) => {
                passed.permit.obligations().map(|wanted| wanted.notify.clone()).unwrap_or_default()
            }
            _ => return,
        };
        if !receivers.is_empty() && self.notices.try_send(notice(caller, judgement, receivers)).is_err() {
            tracing::error!("too many notices wait: a call whose policy wants somebody told is refused");
            if judgement.ruling.is_ok() {
                judgement.refuse(Refusal::Unhonoured("notify"));
            }
        }
    }

    async fn each(
        &self,
        wanted: &Arc<Obligations>,
        rules: &Arc<Rules>,
        caller: &SharedCaller,
        (judgement, expected): (&mut Judgement, Option<Uuid>),
    ) -> Result<(), Refusal> {
        let Ok(Ruling::Forward(passed)) = &judgement.ruling else { return Ok(()) };
        if let Some(Resume::Approval { reference, .. }) = &judgement.resume
            && !hold::accepted(&judgement.call.params)
        {
            return Err(Refusal::ApprovalDeclined(*reference));
        }
        within(wanted, judgement.call.params.len(), &judgement.findings)?;
        if wanted.justification {
            judgement.met.justification = Some(justification(&judgement.call.params)?);
        }
        if let Some(reference) = expected
            && !wanted.approval.is_empty()
        {
            let approved = self.approval(wanted, rules, caller, (judgement, expected)).await?;
            // The call was counted when it began to wait.
            if approved.reference == reference {
                judgement.met.approved = Some(approved);
                return Ok(());
            }
            return Err(Refusal::ApprovalExpired(reference));
        }
        let name = named(passed);
        let principal = format!("{}:{}:{}", caller.kind.entity_type(), caller.tenant, caller.id);
        self.rates
            .take(&wanted.rates, &principal, &name)
            .map_err(|wait| Refusal::RateLimited(wait.as_secs().saturating_add(1)))?;
        if !wanted.approval.is_empty() {
            judgement.met.approved = Some(self.approval(wanted, rules, caller, (judgement, None)).await?);
        }
        Ok(())
    }

    /// An approval for exactly this call, used up; or word of where it waits.
    ///
    /// On [`Refusal::ApprovalRequired`] the agent is asked to take its reference to somebody ([`hold`]), if it
    /// can be. What comes back waits for the approval that is `expected`, and begins no other.
    async fn approval(
        &self,
        wanted: &Arc<Obligations>,
        rules: &Arc<Rules>,
        caller: &SharedCaller,
        (judgement, expected): (&Judgement, Option<Uuid>),
    ) -> Result<Approved, Refusal> {
        let Ok(Ruling::Forward(passed)) = &judgement.ruling else { return Err(Refusal::Internal) };
        let params = Object::parse(&judgement.call.params).ok_or(Refusal::Internal)?;
        let arguments = params.get("arguments").unwrap_or_default();
        let held = Waiting {
            approvals: self.approvals.clone(),
            rules: rules.clone(),
            caller: caller.clone(),
            circumstances: super::judge::circumstances(&judgement.call),
            call: judgement.call.id,
            method: judgement.call.method.as_str(),
            server: passed.found.server.clone(),
            target: passed.found.target.clone(),
            arguments: canonical(arguments).map_err(|misfit| Refusal::InvalidParams(misfit.to_string()))?,
            shown: judgement.recorded.clone().unwrap_or_default(),
            wanted: wanted.clone(),
            policies: passed.permit.determining().to_vec(),
            expected,
        };
        let settled = tokio::task::spawn_blocking(move || held.settle()).await;
        settled.unwrap_or(Err(Refusal::Unhonoured("approval")))
    }
}

/// Everything that settling an approval takes, away from the async threads: it waits for the disk.
struct Waiting {
    approvals: Arc<Approvals>,
    rules: Arc<Rules>,
    caller: SharedCaller,
    circumstances: Circumstances,
    call: Uuid,
    method: &'static str,
    server: String,
    target: Target,
    arguments: String,
    shown: String,
    wanted: Arc<Obligations>,
    policies: Vec<String>,
    expected: Option<Uuid>,
}

impl Waiting {
    fn settle(&self) -> Result<Approved, Refusal> {
        let down = |error: crate::approval::Error| {
            tracing::error!("an approval cannot be looked up: {error}");
            Refusal::Unhonoured("approval")
        };
        if let Some(expected) = self.expected
            && let State::Expired | State::Used =
                self.approvals.show(&expected.to_string()).map_err(down)?.state
        {
            return Err(Refusal::ApprovalExpired(expected));
        }
        let (kind, name) = match &self.target {
            Target::Tool(name) => ("tool", name.as_str()),
            Target::Prompt(name) => ("prompt", name.as_str()),
            Target::Resource { uri, .. } => ("resource", uri.as_str()),
            Target::Extension { method, .. } => ("extension", method.as_str()),
        };
        let ttl = self.wanted.approval_ttl.and_then(|ttl| i64::try_from(ttl.as_micros()).ok());
        let request = Request {
            call: self.call,
            fingerprint: Fingerprint {
                caller: &self.caller,
                method: self.method,
                server: &self.server,
                name,
                arguments: &self.arguments,
            },
            target: kind,
            shown: &self.shown,
            roles: &self.wanted.approval,
            policies: &self.policies,
            ttl_us: ttl.unwrap_or(APPROVAL_TTL_US),
        };
        let held = match self.approvals.standing(&request).map_err(down)? {
            Standing::Approved(held) => held,
            Standing::Waits(reference) => return Err(Refusal::ApprovalRequired(reference)),
            Standing::Rejected(reference) => return Err(Refusal::ApprovalRejected(reference)),
        };
        // The file is only paper: today's policies must let each approver approve, and ask for no other roles.
        let mut covered = BTreeSet::new();
        for vote in &held.votes {
            let approver = vote.approver.caller();
            if approver.id == self.caller.id || !self.may_approve(&approver) {
                return Err(Refusal::ApprovalRequired(held.reference));
            }
            let roles =
                self.wanted.approval.iter().filter(|role| self.rules.policies.has_role(&approver, role));
            covered.extend(roles);
        }
        if covered.len() < self.wanted.approval.len() {
            return Err(Refusal::ApprovalRequired(held.reference));
        }
        if !self.approvals.consume(held.reference, self.call).map_err(down)? {
            return Err(Refusal::ApprovalRequired(held.reference));
        }
        let approvers = held.votes.iter().map(|vote| vote.approver.id.clone()).collect();
        Ok(Approved { approvers, reference: held.reference })
    }

    fn may_approve(&self, approver: &Caller) -> bool {
        let asked = Asked::ApproveCall { what: item(&self.target), requested_by: &self.caller.id };
        let question = Question { call: self.call, asked, circumstances: &self.circumstances, findings: &[] };
        self.rules.policies.authorize(approver, &question).is_ok()
    }
}

fn item(target: &Target) -> Item<'_> {
    match target {
        Target::Tool(tool) => Item::Tool(tool),
        Target::Prompt(prompt) => Item::Prompt(prompt),
        Target::Resource { server, uri } => Item::Resource { server, uri },
        Target::Extension { server, .. } => Item::Server(server),
    }
}

/// Size and findings, of parameters and of results. Inspection has done its part already; what policy blocks, or what was
/// treated more mildly than policy wants, stops the call.
pub(super) fn within(wanted: &Obligations, bytes: usize, findings: &[Finding]) -> Result<(), Refusal> {
    if let Some(limit) = wanted.max_bytes
        && u64::try_from(bytes).unwrap_or(u64::MAX) > limit
    {
        return Err(Refusal::TooLarge(limit));
    }
    let blocks = |finding: &Finding| wanted.redact.get(finding.kind) == Some(&RedactMode::Block);
    if findings.iter().any(blocks) || milder(findings, &at_least(Some(wanted))) {
        return Err(Refusal::Blocked("policy blocks what was found".into()));
    }
    Ok(())
}

fn justification(params: &str) -> Result<String, Refusal> {
    let reason = Object::parse(params)
        .and_then(|params| Some(params.object("_meta")?.str(JUSTIFICATION)?.trim().to_owned()))
        .filter(|reason| REASON.contains(&reason.chars().count()));
    reason.ok_or_else(|| {
        let (least, most) = (REASON.start(), REASON.end());
        let place = format!("params._meta[\"{JUSTIFICATION}\"]");
        Refusal::InvalidParams(format!("`{place}` must say why, in {least} to {most} characters"))
    })
}

fn named(passed: &Passed) -> String {
    match &passed.found.target {
        Target::Tool(name) | Target::Prompt(name) => name.clone(),
        // All resources of a server share a bucket: their URIs are without number.
        Target::Resource { server, .. } => server.clone(),
        Target::Extension { server, method } => format!("{server} {}", method.as_str()),
    }
}

fn notice(caller: &Caller, judgement: &Judgement, receivers: BTreeSet<String>) -> Notice {
    let (decision, policies) = match (&judgement.denial, &judgement.ruling) {
        (Some(denial), _) => ("deny", denial.determining().to_vec()),
        (None, Ok(Ruling::Forward(passed))) => ("allow", passed.permit.determining().to_vec()),
        (None, _) => ("deny", Vec::new()),
    };
    let (server, name) = match &judgement.found {
        Some(found) => match &found.target {
            Target::Tool(name) | Target::Prompt(name) => (found.server.clone(), name.clone()),
            // A URI may say more than a name.
            Target::Resource { server, .. } => (server.clone(), String::new()),
            Target::Extension { server, method } => (server.clone(), method.as_str().to_owned()),
        },
        None => (String::new(), String::new()),
    };
    Notice {
        call: judgement.call.id,
        decision,
        method: judgement.call.method.as_str(),
        name,
        policies,
        principal: caller.id.clone(),
        principal_kind: caller.kind.entity_type(),
        receivers,
        server,
        tenant: caller.tenant.clone(),
    }
}
