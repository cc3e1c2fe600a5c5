//! Calls that must be denied, made before the first real one.
//!
//! A gateway that wrongly allows looks healthy. So at every load the engine, as wired up here, is shown
//! questions whose answer is certain; one wrong answer and the policies are not served.

use cedar_policy::{Context, Entities, ParseErrors, Policy, PolicyId, PolicySet, Request};
use uuid::Uuid;

use super::actions::uid;
use super::decide::{Verdict, evaluate};
use super::load::Policies;
use super::question::{Asked, Circumstances, Question};
use super::stamp::DenialKind;
use crate::identity::{Caller, Claims, PrincipalKind};

const PERMIT_ALL: &str = "permit (principal, action, resource);";
const FORBID_ALL: &str = "forbid (principal, action, resource);";
/// It overflows whenever it is evaluated.
const FORBID_BROKEN: &str = "forbid (principal, action, resource) when { 9223372036854775807 + 1 > 0 };";
/// A name that no server can have.
const NOBODY: &str = "_self_test";

/// What went wrong, if anything did.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the self-test could not be set up")]
    Setup,
    #[error("the self-test found that {0}")]
    Wrong(&'static str),
}

impl From<ParseErrors> for Failure {
    fn from(_: ParseErrors) -> Self {
        Self::Setup
    }
}

/// Shows the loaded policies what they must deny.
pub(super) fn run(policies: &Policies) -> Result<(), Failure> {
    engine(policies)?;
    every_tool(policies)?;
    strangers(policies)
}

/// The engine itself, with policies whose answer is certain.
fn engine(policies: &Policies) -> Result<(), Failure> {
    let ask = |permits: &[&str], forbids: &[&str]| -> Result<Verdict, Failure> {
        let request = request(policies, NOBODY)?;
        Ok(evaluate(&set(permits)?, &set(forbids)?, &request, &Entities::empty()))
    };
    if ask(&[], &[])?.allows() {
        return Err(Failure::Wrong("no policies at all allow a call"));
    }
    if !ask(&[PERMIT_ALL], &[])?.allows() {
        return Err(Failure::Wrong("a permit without conditions allows nothing"));
    }
    if ask(&[PERMIT_ALL], &[FORBID_ALL])?.allows() {
        return Err(Failure::Wrong("a forbid does not override a permit"));
    }
    let broken = ask(&[PERMIT_ALL], &[FORBID_BROKEN])?;
    if broken.allows() || broken.failed_forbids.is_empty() {
        return Err(Failure::Wrong("a forbid that fails to evaluate does not deny"));
    }
    Ok(())
}

/// Every tool's own policies, with a forbid among them.
fn every_tool(policies: &Policies) -> Result<(), Failure> {
    let forbid = Policy::parse(Some(PolicyId::new(NOBODY)), FORBID_ALL)?;
    for (name, tool) in &policies.world.tools {
        let mut forbids = tool.call.slice.forbids.clone();
        forbids.add(forbid.clone()).map_err(|_| Failure::Setup)?;
        let request = request(policies, name)?;
        if evaluate(&tool.call.slice.permits, &forbids, &request, &Entities::empty()).allows() {
            return Err(Failure::Wrong("a forbid on every call does not stop a call of a tool"));
        }
    }
    Ok(())
}

/// A tool that does not exist, asked for by somebody with no roles.
fn strangers(policies: &Policies) -> Result<(), Failure> {
    let caller = Caller {
        kind: PrincipalKind::User,
        id: NOBODY.to_owned(),
        agent: NOBODY.to_owned(),
        agent_approved: false,
        roles: Vec::new(),
        teams: Vec::new(),
        tenant: NOBODY.to_owned(),
        claims: Claims::new(),
        credential: NOBODY.to_owned(),
    };
    let circumstances = Circumstances {
        client_name: String::new(),
        client_version: String::new(),
        protocol: String::new(),
        transport: String::new(),
        now_us: 0,
        source_ip: None,
        session_id: String::new(),
        session_started_us: 0,
        session_calls: 0,
        session_taint: Vec::new(),
        session_tools: Vec::new(),
    };
    let question = Question {
        call: Uuid::nil(),
        asked: Asked::CallTool { tool: NOBODY, args: "" },
        circumstances: &circumstances,
        findings: &[],
    };
    match policies.authorize(&caller, &question) {
        Err(denial) if denial.kind() == DenialKind::Unknown => Ok(()),
        Err(_) => Err(Failure::Wrong("a tool that does not exist is denied for another reason")),
        Ok(_) => Err(Failure::Wrong("a tool that does not exist can be called")),
    }
}

fn request(policies: &Policies, tool: &str) -> Result<Request, Failure> {
    let types = &policies.world.types;
    let (principal, action, resource) =
        (uid(&types.user, NOBODY), types.action(tool), uid(&types.tool, tool));
    Request::new(principal, action, resource, Context::empty(), None).map_err(|_| Failure::Setup)
}

fn set(texts: &[&str]) -> Result<PolicySet, Failure> {
    let mut set = PolicySet::new();
    for (index, text) in texts.iter().enumerate() {
        let policy = Policy::parse(Some(PolicyId::new(format!("{NOBODY}{index}"))), text)?;
        set.add(policy).map_err(|_| Failure::Setup)?;
    }
    Ok(set)
}
