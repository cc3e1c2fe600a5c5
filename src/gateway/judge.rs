//! Judging a call: a pure function of the rules, the caller and the call.

use super::checks::Said;
use super::duties::Met;
use super::seals::Seals;
use super::state::{self, Resume};
use super::tokens::{self, Filled, Opening, Placed};
use super::wanted::{Owner, at_least, milder};
use super::{Call, Refusal, Rules, Trace, tasks};
use crate::audit::Receipt;
use crate::identity::Caller;
use crate::inspect::{Direction, Filtered, Finding, Manner, Operator, Route, Subject, Told};
use crate::mcp::{Edit, Era, Kind as Answerer, Object, quote};
use crate::policy::{Asked, Circumstances, Denial, Item, Obligations, Permit, Question};
use crate::route::{Found, Front, Held, Resolved, Target};
use crate::upstream::{ClearedCall, Destination, Hop};
use std::sync::Arc;
use uuid::Uuid;

/// What was found out about a call.
#[derive(Debug)]
pub(super) struct Judgement {
    pub call: Call,
    pub ruling: Result<Ruling, Refusal>,
    /// Where it would go.
    pub found: Option<Found>,
    /// What policy said against it.
    pub denial: Option<Denial>,
    /// What a recogniser says of them.
    pub told: Told,
    /// The parameters as they may be recorded; absent if they could not be filtered.
    pub recorded: Option<String>,
    /// What inspection found in them.
    pub findings: Vec<Finding>,
    /// What was done about the policies' obligations.
    pub met: Met,
    /// Tokens that are opened on the way.
    pub opened: Vec<Opening>,
    /// The permit of a call that is refused although policy permits it.
    pub withheld: Option<Permit>,
    /// How an unfinished request goes on, if this is a retry.
    pub resume: Option<Resume>,
}

/// What may happen now.
#[derive(Debug)]
pub(super) enum Ruling {
    /// A backend is asked.
    Forward(Box<Passed>),
    /// The gateway answers from its own catalog.
    Own,
}

/// What a call that may be forwarded has passed.
#[derive(Debug)]
pub(super) struct Passed {
    pub permit: Permit,
    pub params: Filtered<String>,
    pub found: Found,
    /// Tokens in the arguments that are to be opened.
    pub open: Vec<Placed>,
    /// The arguments with what they stand for, for the last hop.
    pub filled: Option<Filled>,
}

/// A recorded ruling.
#[derive(Debug)]
pub(super) enum Cleared {
    Forward(Box<ClearedCall>, Option<Parking>),
    Own(Box<Call>, Receipt),
}

/// Where a call waits at a backend, and the key of the input that it waits for.
#[derive(Debug)]
pub(super) struct Parking {
    pub id: Uuid,
    pub key: String,
}

/// Judges a call. No I/O, no time other than what the call carries.
pub(super) fn judge(rules: &Rules, seals: &Seals, caller: &Caller, (call, told): (Call, Told)) -> Judgement {
    let mut judgement = Judgement {
        ruling: Ok(Ruling::Own),
        found: None,
        denial: None,
        recorded: None,
        findings: Vec::new(),
        met: Met::default(),
        opened: Vec::new(),
        withheld: None,
        resume: None,
        told,
        call,
    };
    if let Front::Server(id) = &judgement.call.front
        && rules.catalog.source(id).is_none()
    {
        judgement.ruling = Err(Refusal::UnknownServer);
        return judgement;
    }
    if judgement.call.method.kind() == Answerer::Forwarded {
        judgement.ruling = forward(rules, seals, caller, &mut judgement);
    }
    judgement
}

fn forward(
    rules: &Rules,
    seals: &Seals,
    caller: &Caller,
    judgement: &mut Judgement,
) -> Result<Ruling, Refusal> {
    let call = &judgement.call;
    let params = Object::parse(&call.params).ok_or(Refusal::Internal)?;
    let resolved = if call.method.follows_task() {
        tasks::resolve(rules, seals, caller, call, &params)
    } else {
        rules.catalog.resolve(&call.front, call.method, &params)
    };
    let route = match &resolved {
        Resolved::Found(found) => route_of(found),
        Resolved::Unknown | Resolved::Malformed(_) => Route::default(),
    };
    // What inspection refuses is not recorded either; so it goes first.
    let filtered = inspected(rules, caller, (call, &judgement.told), (route, &[]))?;
    judgement.recorded = Some(without_state(filtered.value()));
    judgement.findings = filtered.findings().to_vec();
    let found_first = judgement.findings.len();
    let found = match resolved {
        // Whoever has no part in the extension learns nothing of tasks (MCP tasks extension, "Capability negotiation").
        _ if call.method.follows_task() && !call.abilities.tasks => {
            return Err(Refusal::MissingCapability(tasks::CAPABILITY));
        }
        Resolved::Unknown if call.method.follows_task() => return Err(Refusal::UnknownTask),
        Resolved::Found(found) => found,
        Resolved::Unknown => return Err(Refusal::Denied),
        Resolved::Malformed(why) => return Err(Refusal::InvalidParams(why.into())),
    };
    judgement.found = Some(found.clone());
    // A URI names its target, so it cannot be masked: one that holds personal data goes nowhere.
    if let Target::Resource { uri, .. } = &found.target
        && rules.inspector.redact_text(uri) != uri.as_str()
    {
        return Err(Refusal::Blocked("the URI holds personal or secret data".into()));
    }
    judgement.resume = resume(seals, caller, call, (&found.server, &params))?;
    let arguments = params.get("arguments").unwrap_or_default();
    let said = match &found.target {
        // What follows a task names its tool, but carries none of its arguments.
        Target::Tool(_) if call.method == crate::mcp::Method::ToolsCall => {
            rules.checks.of(Some(&found.target), &found.server).arguments(&rules.sanitizer, arguments)
        }
        _ => Said::default(),
    };
    judgement.findings.extend(said.judged.findings());
    let mut kinds: Vec<&str> = judgement.findings.iter().map(|f| f.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let circumstances = circumstances(call);
    let named = match &found.target {
        Target::Prompt(_) => named_arguments(arguments),
        _ => Vec::new(),
    };
    let named: Vec<(&str, &str)> = named.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let asked = asked(&found, call, arguments, &named);
    let question = Question { call: call.id, asked, circumstances: &circumstances, findings: &kinds };
    match rules.policies.authorize(caller, &question) {
        Ok(permit) => {
            let passed = Passed { permit, params: filtered, found, open: Vec::new(), filled: None };
            permitted(rules, caller, judgement, (passed, said, found_first)).map(Ruling::Forward)
        }
        Err(denial) => {
            // What is wrong with the arguments of a tool is told to those only who can see the tool.
            let visible = matches!(&found.target, Target::Tool(tool)
                if rules.policies.may_list(caller, &circumstances, Item::Tool(tool)));
            // So is what a policy has to say: the text would tell that there is such a tool.
            let refusal = match (denial.misfit(), denial.reply()) {
                (Some(misfit), _) if visible => Refusal::InvalidParams(misfit.to_string()),
                (_, Some(reply)) if visible => Refusal::DeniedBecause(reply.to_owned()),
                _ => Refusal::Denied,
            };
            judgement.denial = Some(denial);
            Err(refusal)
        }
    }
}

/// What is still to be done, and may stand against it, once policy has permitted a call.
fn permitted(
    rules: &Rules,
    caller: &Caller,
    judgement: &mut Judgement,
    (mut passed, said, found_first): (Passed, Said, usize),
) -> Result<Box<Passed>, Refusal> {
    let call = &judgement.call;
    let wanted = at_least(passed.permit.obligations().map(|wanted| &**wanted));
    if milder(passed.params.findings(), &wanted) {
        passed.params =
            inspected(rules, caller, (call, &judgement.told), (route_of(&passed.found), &wanted))?;
        judgement.recorded = Some(without_state(passed.params.value()));
        judgement.findings.splice(..found_first, passed.params.findings().iter().cloned());
    }
    if let Target::Tool(tool) = &passed.found.target
        && call.method == crate::mcp::Method::ToolsCall
    {
        let params = Object::parse(passed.params.value());
        let arguments = params.as_ref().and_then(|params| params.get("arguments")).unwrap_or_default();
        passed.open = tokens::to_open(rules, caller, (call, tool), arguments)?;
    }
    // After policy: before it, the answer would tell that the tool exists. A token is not what it stands for: with that,
    // all is looked at again before it is recorded.
    stands(&passed.found, if passed.open.is_empty() { said } else { Said::default() })?;
    if let (Some(mirrored), Some(given)) = (&passed.found.mirrored, &call.param_headers) {
        let params = Object::parse(&call.params).ok_or(Refusal::Internal)?;
        let arguments = params.get("arguments").unwrap_or_default();
        mirrored.check(arguments, given).map_err(Refusal::HeaderMismatch)?;
    }
    Ok(Box::new(passed))
}

fn route_of(found: &Found) -> Route<'_> {
    Route { server: Some(&found.server), tool: Some(&found.own), principal: None }
}

/// The parameters as they may go on. Only handles of our own are exempt: names and tokens of the protocol are the
/// client's words too, and what they lead to is taken from the unfiltered parameters.
fn inspected(
    rules: &Rules,
    caller: &Caller,
    (call, told): (&Call, &Told),
    (route, at_least): (Route<'_>, &[(&str, Operator)]),
) -> Result<Filtered<String>, Refusal> {
    let subject = subject(call);
    let owner = Owner::of(caller, call);
    let route = Route { principal: Some(&caller.id), ..route };
    let tokens = rules.vaulted.is_some();
    let manner = Manner { route, whose: owner.whose(), at_least, tokens, told: Some(told) };
    let filtered = rules.inspector.filter_as(call.params.clone(), &subject, &manner);
    filtered.map_err(Refusal::from)
}

/// How the parameters of a call are inspected.
pub(super) fn subject(call: &Call) -> Subject<'_> {
    Subject { call: call.id, direction: Direction::Request, exempt: handles(call) }
}

/// Parameters that hold a handle which the gateway made: sealed, so there is nothing in them to inspect.
fn handles(call: &Call) -> &'static [&'static str] {
    match call.edition.era() {
        Era::Modern if call.method.follows_task() => &["/taskId"],
        Era::Modern if call.method.may_need_input() => &["/requestState"],
        _ => &[],
    }
}

/// Parameters as they may be recorded: a sealed state says nothing to anybody, and is long.
fn without_state(params: &str) -> String {
    // Hardly any request is a retry: one search is cheaper than a parse.
    if memchr::memmem::find(params.as_bytes(), b"requestState").is_none() {
        return params.to_owned();
    }
    match Edit::of(params) {
        Some(edit) if Object::parse(params).is_some_and(|p| p.get("requestState").is_some()) => {
            edit.set("requestState", "\"[SEALED]\"").finish()
        }
        _ => params.to_owned(),
    }
}

fn resume(
    seals: &Seals,
    caller: &Caller,
    call: &Call,
    (server, params): (&str, &Object<'_>),
) -> Result<Option<Resume>, Refusal> {
    let Some(raw) = params.get("requestState").filter(|_| call.edition.era() == Era::Modern) else {
        return Ok(None);
    };
    if !call.method.may_need_input() {
        return Ok(None);
    }
    let resume = state::open(seals, caller, call, (server, raw), now_of(call)).ok_or(Refusal::BadState)?;
    let key = match &resume {
        Resume::Parked { key, .. } => Some(key.as_str()),
        Resume::Approval { .. } => Some(super::hold::KEY),
        Resume::Relay { .. } | Resume::Again => None,
    };
    if let Some(key) = key
        && params.object("inputResponses").is_none_or(|given| given.get(key).is_none())
    {
        return Err(Refusal::InvalidParams(format!("`params.inputResponses` must answer `{key}`")));
    }
    Ok(Some(resume))
}

/// Whether the tool may be used, and with these arguments.
fn stands(found: &Found, said: Said) -> Result<(), Refusal> {
    match found.held {
        Some(Held::Drifted) => return Err(Refusal::Held("drifted")),
        Some(Held::Quarantined) => return Err(Refusal::Held("quarantined")),
        None => {}
    }
    if let Some(why) = said.judged.refusal() {
        return Err(Refusal::Blocked(why));
    }
    said.misfit.map_or(Ok(()), |misfit| Err(Refusal::InvalidParams(misfit)))
}

/// Arguments of a prompt: names and string values (MCP, `GetPromptRequest`).
fn named_arguments(arguments: &str) -> Vec<(String, String)> {
    let object = Object::parse(arguments);
    let members = object.iter().flat_map(Object::iter);
    members
        .filter_map(|(key, raw)| Some((key.to_owned(), crate::mcp::string_value(raw)?.into_owned())))
        .collect()
}

fn asked<'a>(
    found: &'a Found,
    call: &Call,
    arguments: &'a str,
    named: &'a [(&'a str, &'a str)],
) -> Asked<'a> {
    let completing = call.method == crate::mcp::Method::Complete;
    match &found.target {
        Target::Tool(tool) if call.method.follows_task() => Asked::FollowTask { tool },
        Target::Tool(tool) => Asked::CallTool { tool, args: arguments },
        Target::Prompt(prompt) if completing => Asked::Complete { of: Item::Prompt(prompt) },
        Target::Prompt(prompt) => Asked::GetPrompt { prompt, args: named },
        Target::Resource { server, uri } if completing => {
            Asked::Complete { of: Item::Template { server, uri } }
        }
        Target::Resource { server, uri } if call.method == crate::mcp::Method::Subscribe => {
            Asked::SubscribeResource { server, uri }
        }
        Target::Resource { server, uri } => Asked::ReadResource { server, uri },
        Target::Extension { server, method } => Asked::CallExtension { server, method: method.as_str() },
    }
}

/// What policy may ask about the circumstances of a call.
pub(super) fn circumstances(call: &Call) -> Circumstances {
    Circumstances {
        client_name: call.client.name.clone(),
        client_version: call.client.version.clone(),
        protocol: call.edition.as_str().to_owned(),
        transport: call.transport.to_owned(),
        now_us: now_of(call),
        source_ip: call.source,
        session_id: call.session.id.clone(),
        session_started_us: call.session.started_us,
        session_calls: call.session.calls,
        session_taint: call.session.taint.clone(),
        session_tools: call.session.tools.clone(),
    }
}

/// The call's own time, from its id: judging the same call again gives the same answer.
pub(super) fn now_of(call: &Call) -> i64 {
    call.id.get_timestamp().map_or(0, |stamp| {
        let (seconds, nanos) = stamp.to_unix();
        i64::try_from(seconds).unwrap_or(0) * 1_000_000 + i64::from(nanos / 1000)
    })
}

impl Judgement {
    /// Refuses a call that policy permits.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        if let Ok(Ruling::Forward(passed)) = std::mem::replace(&mut self.ruling, Err(refusal)) {
            self.withheld = Some(passed.permit);
        }
    }

    /// What policy asks for, if anything.
    pub(super) fn obligations(&self) -> Option<&Arc<Obligations>> {
        match &self.ruling {
            Ok(Ruling::Forward(passed)) => passed.permit.obligations(),
            Ok(Ruling::Own) => None,
            Err(_) => self.withheld.as_ref().and_then(Permit::obligations),
        }
    }

    /// Joins the ruling with the receipt of its record.
    pub(super) fn clear(self, caller: &Caller, receipt: Receipt, trace: Trace) -> Result<Cleared, Refusal> {
        match self.ruling? {
            Ruling::Own => Ok(Cleared::Own(Box::new(self.call), receipt)),
            Ruling::Forward(passed) => {
                let Passed { permit, params, found, filled, .. } = *passed;
                let (call, resume) = (self.call, self.resume);
                let mut edits: Vec<_> =
                    found.rewrite.map(|(key, raw)| (key, Some(raw))).into_iter().collect();
                // The last hop: what is recorded, shown and traced holds the tokens.
                edits.extend(filled.map(|filled| ("arguments", Some(filled.arguments))));
                let parking = continued(&params, resume, &mut edits);
                let to = Destination {
                    server: found.server,
                    method: call.method,
                    edits,
                    own_name: call.method.target_param().map(|_| found.own),
                    mirrored: found.mirrored,
                    principal: state::principal(caller),
                    edition: call.edition,
                };
                let hop = Hop {
                    progress: call.progress_token.is_some(),
                    log_level: call.log_level,
                    abilities: call.abilities,
                    traceparent: trace.parent,
                    tracestate: trace.state,
                };
                ClearedCall::new(permit, params, receipt, to, hop)
                    .map(|cleared| Cleared::Forward(Box::new(cleared), parking))
                    .map_err(|why| {
                        tracing::error!("{why}");
                        Refusal::Internal
                    })
            }
        }
    }
}

/// How the parameters of a retry differ on the way to the backend.
fn continued(
    params: &Filtered<String>,
    resume: Option<Resume>,
    edits: &mut Vec<(&'static str, Option<String>)>,
) -> Option<Parking> {
    match resume? {
        Resume::Parked { id, key } => return Some(Parking { id, key }),
        Resume::Again | Resume::Approval { .. } => {
            edits.push(("requestState", None));
            edits.push(("inputResponses", None));
        }
        Resume::Relay { inner, declined } => {
            edits.push(("requestState", inner));
            if !declined.is_empty() {
                let given = Object::parse(params.value()).and_then(|p| p.object("inputResponses"));
                let given =
                    given.iter().flat_map(Object::iter).filter(|(key, _)| !declined.contains_key(*key));
                let ours = declined.iter().map(|(key, raw)| (key.as_str(), raw.as_str()));
                let all: Vec<String> =
                    given.chain(ours).map(|(key, raw)| format!("{}:{raw}", quote(key))).collect();
                edits.push(("inputResponses", Some(format!("{{{}}}", all.join(",")))));
            }
        }
    }
    None
}
