//! The second decision, about what came back: as records hold it, and decided again.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::obligations::Obligations;
use super::problem::Problem;
use super::question::{Asked, Item, Question};
use super::recorded::{Decision, Recorded, RecordedShadow};
use super::replay::{Answer, Replay};
use super::settle::Shadow;
use super::stamp::{Denial, Permit};

/// Calls that wait for their results in a replay.
const WAITING: usize = 100_000;

/// What an outcome says of the decision about its result.
#[derive(Debug, Serialize)]
pub struct Returned {
    bytes: u64,
    decision: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    error: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    obligations: Option<std::sync::Arc<Obligations>>,
    policies: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shadow: Vec<Shadow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    would: Option<&'static str>,
}

impl Returned {
    /// For a result of that size, with these kinds of findings, which the backend marked as an error or not.
    pub fn new((bytes, error): (u64, bool), findings: &[&str], decided: Result<&Permit, &Denial>) -> Self {
        let findings = findings.iter().map(|kind| (*kind).to_owned()).collect();
        let of = |decision, policies: &[String], shadow: &[Shadow]| Self {
            bytes,
            decision,
            error,
            findings,
            obligations: None,
            policies: policies.to_vec(),
            reason: None,
            shadow: shadow.to_vec(),
            would: None,
        };
        match decided {
            Ok(permit) => {
                let overruled = permit.overruled();
                let policies = overruled.map_or(permit.determining(), Denial::determining);
                let shadow = overruled.map_or(permit.shadow(), Denial::shadow);
                let mut told = of("allow", policies, shadow);
                told.obligations = permit.obligations().cloned();
                told.would = overruled.map(|denial| denial.kind().as_str());
                told
            }
            Err(denial) => {
                let mut told = of("deny", denial.determining(), denial.shadow());
                told.reason = Some(denial.kind().as_str());
                told
            }
        }
    }
}

/// A recorded decision about a result.
#[derive(Debug, Clone)]
pub struct RecordedReturn {
    /// Sequence number of the outcome's record.
    pub seq: u64,
    /// When, in microseconds since the Unix epoch.
    pub time_us: i64,
    /// The call.
    pub call: Uuid,
    /// What was decided, from which facts; none in records that are older than this.
    pub(super) said: Option<Box<Said>>,
    /// Whether anything came back.
    brought: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    bytes: u64,
    decision: String,
    error: bool,
    findings: Vec<String>,
    obligations: Option<Value>,
    pub(super) policies: Vec<String>,
    reason: Option<String>,
    pub(super) shadow: Vec<RecordedShadow>,
    would: Option<String>,
}

impl Said {
    /// What policy had said.
    pub(super) fn decision(&self) -> Decision {
        if self.decision == "allow" && self.would.is_none() { Decision::Allow } else { Decision::Deny }
    }
}

#[derive(Deserialize)]
struct Line {
    kind: String,
    seq: u64,
    t: i64,
    call: Option<Uuid>,
    #[serde(default)]
    status: String,
    returned: Option<Box<Said>>,
}

impl RecordedReturn {
    /// Reads a record; none if it is not of the end of a call.
    pub fn parse(record: &[u8]) -> Option<Self> {
        let line: Line = serde_json::from_slice(record).ok()?;
        if line.kind != "call.outcome" {
            return None;
        }
        Some(Self {
            seq: line.seq,
            time_us: line.t,
            call: line.call?,
            brought: line.returned.is_some() || matches!(line.status.as_str(), "ok" | "tool_error"),
            said: line.returned,
        })
    }
}

/// One recorded decision, of either sort.
#[derive(Debug, Clone)]
pub enum Decided {
    /// About a call.
    Call(Box<Recorded>),
    /// About what came back.
    Return(RecordedReturn),
}

impl Decided {
    /// Reads a record; none if it holds no decision.
    pub fn parse(record: &[u8]) -> Option<Self> {
        let call = Recorded::parse(record).map(|recorded| Self::Call(Box::new(recorded)));
        call.or_else(|| RecordedReturn::parse(record).map(Self::Return))
    }

    /// The same with a text of the call's parameters, where its record itself holds none.
    #[must_use]
    pub fn or_request(self, text: impl FnOnce() -> Option<String>) -> Self {
        match self {
            Self::Call(recorded) => Self::Call(Box::new(recorded.or_request(text))),
            other @ Self::Return(_) => other,
        }
    }

    /// When, in microseconds since the Unix epoch.
    pub fn time_us(&self) -> i64 {
        match self {
            Self::Call(recorded) => recorded.time_us,
            Self::Return(recorded) => recorded.time_us,
        }
    }
}

/// Calls whose results are still to come.
#[derive(Debug, Default)]
pub(super) struct Waiting(HashMap<Uuid, Option<Box<Recorded>>>);

impl Waiting {
    /// Waits for the result of a call that was made; `stands` if it would be now.
    pub(super) fn keep(&mut self, recorded: &Recorded, stands: bool) {
        if self.0.len() >= WAITING {
            self.0.clear();
        }
        // A call that flips is told once, and what is not called brings nothing back.
        let asked = stands.then(|| Box::new(recorded.clone()));
        self.0.insert(recorded.call, asked);
    }
}

impl Replay {
    /// Takes in one recorded decision of either sort, in the order of the log.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn take(&mut self, decided: &Decided) -> Result<(), Vec<Problem>> {
        match decided {
            Decided::Call(recorded) => self.add(recorded),
            Decided::Return(recorded) => {
                self.add_return(recorded);
                Ok(())
            }
        }
    }

    /// Takes in one recorded decision about a result, after the call's own.
    pub fn add_return(&mut self, recorded: &RecordedReturn) {
        let call = match self.waiting.0.remove(&recorded.call) {
            Some(None) => return,
            Some(call) => call,
            None => None,
        };
        // To follow a resource brings nothing that policy is asked about.
        let quiet = call.as_ref().is_some_and(|call| call.method == "resources/subscribe");
        if recorded.said.is_none() && (quiet || !recorded.brought) {
            return;
        }
        let result = match call {
            Some(call) => self.returned(&call, recorded),
            None => Err("its call is not among the records"),
        };
        match result {
            Ok(()) => self.report.results_decided += 1,
            Err(why) => {
                self.report.results_undetermined += 1;
                *self.report.undetermined_reasons.entry(format!("a result: {why}")).or_default() += 1;
            }
        }
    }

    fn returned(&mut self, call: &Recorded, recorded: &RecordedReturn) -> Result<(), &'static str> {
        const OLDER: &str = "the record is older than what deciding again takes";
        let (Some(said), Some(caller)) = (&recorded.said, &call.caller) else { return Err(OLDER) };
        if call.is_cut() {
            return Err("the name was too long to be recorded whole");
        }
        let Some(Ok(policies)) = self.built.get(&call.authz.entities) else {
            return Err("the servers of that moment are not known");
        };
        let findings: Vec<&str> = said.findings.iter().map(String::as_str).collect();
        let question = Question {
            call: call.call,
            asked: Asked::ReturnResult { what: call.item(), bytes: said.bytes, is_error: said.error },
            circumstances: &call.circumstances,
            findings: &findings,
        };
        let mut obligations = None;
        let candidate = match policies.authorize(caller, &question) {
            Ok(permit) => {
                obligations = permit.obligations().and_then(|wanted| serde_json::to_value(&**wanted).ok());
                Answer { decision: Decision::Allow, reason: None, policies: permit.determining().to_vec() }
            }
            Err(denial) => Answer {
                decision: Decision::Deny,
                reason: Some(denial.kind().as_str().to_owned()),
                policies: denial.determining().to_vec(),
            },
        };
        let before = said.decision();
        if candidate.decision != before {
            let reason = said.would.clone().or_else(|| said.reason.clone());
            let was = Answer { decision: before, reason, policies: said.policies.clone() };
            self.flip(call, "result", was, candidate);
        } else if before == Decision::Allow && said.would.is_none() && obligations != said.obligations {
            self.report.obligations_changed += 1;
        }
        Ok(())
    }
}

impl Recorded {
    /// What its result came from.
    fn item(&self) -> Item<'_> {
        let (server, name) = (self.server.as_str(), self.name.as_str());
        match self.method.as_str() {
            "tools/call" | "tasks/get" | "tasks/update" | "tasks/cancel" => Item::Tool(name),
            "prompts/get" => Item::Prompt(name),
            "resources/read" | "resources/subscribe" => Item::Resource { server, uri: name },
            "completion/complete" if self.completes_prompt() => Item::Prompt(name),
            "completion/complete" => Item::Resource { server, uri: name },
            _ => Item::Server(server),
        }
    }
}
