//! Recorded calls under other policies: what would flip?
//!
//! A record holds who asked, the parameters after redaction, what inspection found, the circumstances, and the
//! digest that leads to the servers and tools of that moment. So the decision can be made again exactly, but for
//! values that were redacted and are looked at: such a call is *undetermined*, counted apart, and never guessed.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::explain::Explanation;
use super::load::Policies;
use super::problem::Problem;
use super::question::{Asked, Item, Question};
use super::reads::Reads;
use super::recorded::{Decision, Recorded};
use super::returned::Waiting;
use super::stamp::DenialKind;
use super::store::{PolicyFiles, Store, Surroundings};

/// Answers kept for calls that are alike.
const MEMORY: usize = 100_000;
/// Flips told one by one; all are counted.
const FLIPS: usize = 100_000;
/// A name that is this long was cut when it was recorded.
const CUT: usize = 256;

/// One decision, as recorded or as made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Yes or no.
    pub decision: Decision,
    /// Why not: the kind of denial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Policies that decided.
    pub policies: Vec<String>,
}

/// A call whose decision changes.
#[derive(Debug, Clone, Serialize)]
pub struct Flip {
    /// The call.
    pub call: Uuid,
    /// Sequence number of its record.
    pub seq: u64,
    /// When, in microseconds since the Unix epoch.
    pub time_us: i64,
    /// `newly_denied` or `newly_allowed`.
    pub change: &'static str,
    /// Which decision: `call`, or `result` for that about what came back.
    pub decides: &'static str,
    /// Who asked.
    pub principal: String,
    /// The method.
    pub method: String,
    /// The server.
    pub server: String,
    /// The tool, prompt or URI.
    pub name: String,
    /// As it was.
    pub recorded: Answer,
    /// As it would be.
    pub candidate: Answer,
}

/// Flips that are alike.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// `newly_denied` or `newly_allowed`.
    pub change: &'static str,
    /// The tool, prompt or URI.
    pub name: String,
    /// Who asked.
    pub principal: String,
    /// Policies that decide now.
    pub policies: Vec<String>,
    /// How many.
    pub count: u64,
    /// One of them.
    pub example: Uuid,
}

/// What a replay found.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Calls that were decided again.
    pub decided: u64,
    /// Calls that could not be.
    pub undetermined: u64,
    /// Results about which was decided again.
    pub results_decided: u64,
    /// Results about which could not be.
    pub results_undetermined: u64,
    /// Why not, with counts, for both.
    pub undetermined_reasons: BTreeMap<String, u64>,
    /// Calls that were refused before policy was asked, by reason: nothing to decide again.
    pub not_policy: BTreeMap<String, u64>,
    /// Flips to a denial.
    pub newly_denied: u64,
    /// Flips to a permit.
    pub newly_allowed: u64,
    /// Calls allowed as before whose obligations differ.
    pub obligations_changed: u64,
    /// Flips that are alike, the most frequent first.
    pub groups: Vec<Group>,
    /// Each flip.
    pub flips: Vec<Flip>,
    /// Flips beyond those that are told one by one.
    pub flips_omitted: u64,
}

/// Change, name, principal, and the policies that decide now.
type Alike = (&'static str, String, String, Vec<String>);

enum Again {
    Decided(Answer, Option<Value>),
    Undetermined(String),
}

/// A replay under way.
#[derive(Debug)]
pub struct Replay {
    candidate: PolicyFiles,
    store: Store,
    pub(super) built: HashMap<String, Result<Policies, String>>,
    pub(super) waiting: Waiting,
    memory: HashMap<String, (Answer, Option<Value>)>,
    groups: BTreeMap<Alike, (u64, Uuid)>,
    pub(super) report: Report,
}

impl Replay {
    /// Begins a replay under these policies.
    pub fn new(candidate: PolicyFiles, store: Store) -> Self {
        Self {
            candidate,
            store,
            built: HashMap::new(),
            waiting: Waiting::default(),
            memory: HashMap::new(),
            groups: BTreeMap::new(),
            report: Report::default(),
        }
    }

    /// Takes in one recorded decision.
    ///
    /// # Errors
    /// The candidate does not load for the servers of that moment: every problem of it.
    pub fn add(&mut self, recorded: &Recorded) -> Result<(), Vec<Problem>> {
        let Some(before) = recorded.decision() else {
            *self.report.not_policy.entry(recorded.authz.reason.clone()).or_default() += 1;
            return Ok(());
        };
        match self.again(recorded)? {
            Again::Undetermined(why) => {
                self.wait(recorded, before, None);
                self.report.undetermined += 1;
                *self.report.undetermined_reasons.entry(why).or_default() += 1;
            }
            Again::Decided(answer, obligations) => {
                self.wait(recorded, before, Some(answer.decision));
                self.report.decided += 1;
                if answer.decision != before {
                    let reason = recorded.authz.would.as_ref().unwrap_or(&recorded.authz.reason);
                    let was = Answer {
                        decision: before,
                        reason: (before == Decision::Deny).then(|| reason.clone()),
                        policies: recorded.authz.policies.clone(),
                    };
                    self.flip(recorded, "call", was, answer);
                } else if before == Decision::Allow
                    && recorded.authz.would.is_none()
                    && obligations != recorded.authz.obligations
                {
                    self.report.obligations_changed += 1;
                }
            }
        }
        Ok(())
    }

    /// What was found.
    pub fn finish(mut self) -> Report {
        let group = |((change, name, principal, policies), (count, example))| Group {
            change,
            name,
            principal,
            policies,
            count,
            example,
        };
        self.report.groups = self.groups.into_iter().map(group).collect();
        self.report.groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        self.report
    }

    /// Waits for the result of a call that was made.
    fn wait(&mut self, recorded: &Recorded, before: Decision, again: Option<Decision>) {
        if before == Decision::Allow || recorded.authz.would.is_some() {
            self.waiting.keep(
                recorded,
                again.is_none_or(|again| (before, again) == (Decision::Allow, Decision::Allow)),
            );
        }
    }

    pub(super) fn flip(
        &mut self,
        recorded: &Recorded,
        decides: &'static str,
        was: Answer,
        candidate: Answer,
    ) {
        let change = match candidate.decision {
            Decision::Allow => "newly_allowed",
            Decision::Deny => "newly_denied",
        };
        match candidate.decision {
            Decision::Allow => self.report.newly_allowed += 1,
            Decision::Deny => self.report.newly_denied += 1,
        }
        let who = recorded.who().to_owned();
        let key = (change, recorded.name.clone(), who.clone(), candidate.policies.clone());
        self.groups.entry(key).or_insert((0, recorded.call)).0 += 1;
        if self.report.flips.len() >= FLIPS {
            self.report.flips_omitted += 1;
            return;
        }
        self.report.flips.push(Flip {
            call: recorded.call,
            seq: recorded.seq,
            time_us: recorded.time_us,
            change,
            decides,
            principal: who,
            method: recorded.method.clone(),
            server: recorded.server.clone(),
            name: recorded.name.clone(),
            recorded: was,
            candidate,
        });
    }

    fn again(&mut self, recorded: &Recorded) -> Result<Again, Vec<Problem>> {
        let entities = &recorded.authz.entities;
        if !self.built.contains_key(entities) {
            let made = self.build(entities)?;
            self.built.insert(entities.clone(), made);
        }
        let policies = match self.built.get(entities) {
            Some(Ok(policies)) => policies,
            Some(Err(why)) => return Ok(Again::Undetermined(why.clone())),
            None => return Ok(Again::Undetermined("the policies were not built".to_owned())),
        };
        Ok(decide(policies, recorded, &mut self.memory))
    }

    /// The candidate for the servers of one moment.
    fn build(&self, entities: &str) -> Result<Result<Policies, String>, Vec<Problem>> {
        let parts = match self.store.parts(entities) {
            Ok(parts) => parts,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let surroundings = Surroundings::from_parts(&parts)?;
        let built = self.candidate.build(&surroundings);
        // It may name tools that were not there yet: nobody can have called those.
        built.or_else(|_| self.candidate.build(&surroundings.undiscovered())).map(Ok)
    }
}

fn undetermined(why: impl Into<String>) -> Again {
    Again::Undetermined(why.into())
}

fn decide(
    policies: &Policies,
    recorded: &Recorded,
    memory: &mut HashMap<String, (Answer, Option<Value>)>,
) -> Again {
    let Some(caller) = &recorded.caller else {
        return undetermined("the record is older than what deciding again takes");
    };
    if recorded.is_cut() {
        return undetermined("the name was too long to be recorded whole");
    }
    let params: Option<HashMap<String, &RawValue>> =
        recorded.request.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let arguments = params.as_ref().and_then(|params| params.get("arguments")).map(|raw| raw.get());
    let reference = params.as_ref().and_then(|params| params.get("ref")).map(|raw| raw.get());
    let Some(reads) = policies.looks_at(&recorded.method, &recorded.server, &recorded.name, reference) else {
        return undetermined("this kind of call cannot be decided again");
    };
    let looks_at_arguments = reads.all_args || reads.args_json || !reads.args.is_empty();
    let made;
    let arguments = match (&params, looks_at_arguments) {
        (Some(_), _) => arguments.unwrap_or_default(),
        (None, true) => return undetermined("its parameters were not recorded, and a policy looks at them"),
        (None, false) => {
            // No policy looks: any arguments that fit do.
            made = policies.fitting_arguments(&recorded.name);
            &made
        }
    };
    if params.is_some()
        && let Some(path) = touched(reads, recorded)
    {
        return undetermined(format!("`{path}` was redacted, and a policy looks at it"));
    }
    let key = key(recorded, reads, arguments);
    if let Some((answer, obligations)) = memory.get(&key) {
        return Again::Decided(answer.clone(), obligations.clone());
    }
    let named = named(&recorded.method, arguments);
    let named: Vec<(&str, &str)> = named.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let Some(asked) = asked(recorded, arguments, &named, reference) else {
        return undetermined("this kind of call cannot be decided again");
    };
    let findings: Vec<&str> = recorded.authz.findings.iter().map(String::as_str).collect();
    let circumstances = &recorded.circumstances;
    let question = Question { call: recorded.call, asked, circumstances, findings: &findings };
    let (answer, obligations) = match policies.authorize(caller, &question) {
        Ok(permit) => {
            let policies = permit.determining().to_vec();
            let obligations = permit.obligations().and_then(|wanted| serde_json::to_value(&**wanted).ok());
            (Answer { decision: Decision::Allow, reason: None, policies }, obligations)
        }
        Err(denial) if denial.kind() == DenialKind::InvalidArguments && !recorded.redacted.is_empty() => {
            return undetermined("an argument was redacted, and what stands there now has another type");
        }
        Err(denial) => {
            let (reason, policies) = (Some(denial.kind().as_str().to_owned()), denial.determining().to_vec());
            (Answer { decision: Decision::Deny, reason, policies }, None)
        }
    };
    if memory.len() >= MEMORY {
        memory.clear();
    }
    memory.insert(key, (answer.clone(), obligations.clone()));
    Again::Decided(answer, obligations)
}

/// The first redacted argument that a policy looks at.
fn touched(reads: &Reads, recorded: &Recorded) -> Option<String> {
    let looks = reads.all_args || reads.args_json || !reads.args.is_empty();
    if recorded.more_redacted && looks {
        return Some("more than the record lists".to_owned());
    }
    recorded.redacted.iter().find_map(|pointer| {
        let inside = pointer.strip_prefix("/arguments")?;
        let path: Vec<String> =
            inside.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect();
        (reads.args_json || reads.touches(&path)).then(|| path.join("."))
    })
}

/// What makes two recorded calls alike, for policies that look at no more than these.
fn key(recorded: &Recorded, reads: &Reads, arguments: &str) -> String {
    let now = &recorded.circumstances;
    let mut key = format!(
        "{}\n{:?}\n{}\n{}\n{}\n{:?}\n{:?}\n",
        recorded.authz.entities,
        recorded.caller,
        recorded.method,
        recorded.server,
        recorded.name,
        recorded.authz.findings,
        (&now.client_name, &now.client_version, &now.protocol, &now.transport),
    );
    if reads.time {
        key.push_str(&now.now_us.to_string());
    }
    if reads.source_ip {
        let _ = write!(key, "\n{:?}", now.source_ip);
    }
    if reads.session {
        let facts = (&now.session_id, now.session_started_us, now.session_calls);
        let _ = write!(key, "\n{facts:?}\n{:?}\n{:?}", now.session_taint, now.session_tools);
    }
    key.push('\n');
    key.push_str(arguments);
    key
}

fn named(method: &str, arguments: &str) -> Vec<(String, String)> {
    if method != "prompts/get" {
        return Vec::new();
    }
    let all: BTreeMap<String, Value> = serde_json::from_str(arguments).unwrap_or_default();
    let text = |(name, value)| match value {
        Value::String(value) => Some((name, value)),
        _ => None,
    };
    all.into_iter().filter_map(text).collect()
}

fn asked<'r>(
    recorded: &'r Recorded,
    arguments: &'r str,
    named: &'r [(&'r str, &'r str)],
    reference: Option<&str>,
) -> Option<Asked<'r>> {
    let (server, name) = (recorded.server.as_str(), recorded.name.as_str());
    Some(match recorded.method.as_str() {
        "tools/call" => Asked::CallTool { tool: name, args: arguments },
        "resources/read" => Asked::ReadResource { server, uri: name },
        "resources/subscribe" => Asked::SubscribeResource { server, uri: name },
        "prompts/get" => Asked::GetPrompt { prompt: name, args: named },
        "completion/complete" if of_prompt(reference?) => Asked::Complete { of: Item::Prompt(name) },
        "completion/complete" => Asked::Complete { of: Item::Template { server, uri: name } },
        _ => return None,
    })
}

fn of_prompt(reference: &str) -> bool {
    let value: Option<Value> = serde_json::from_str(reference).ok();
    value.is_some_and(|value| value.get("type").and_then(Value::as_str) == Some("ref/prompt"))
}

impl Recorded {
    /// Whether its name was too long to be recorded whole.
    pub(super) fn is_cut(&self) -> bool {
        self.name.chars().count() >= CUT
    }

    /// Whether it completes an argument of a prompt.
    pub(super) fn completes_prompt(&self) -> bool {
        let params: Option<Value> = self.request.as_deref().and_then(|text| serde_json::from_str(text).ok());
        params.is_some_and(|params| params.pointer("/ref/type").and_then(Value::as_str) == Some("ref/prompt"))
    }
}

impl Policies {
    /// Decides a recorded call again and says why; none if the record does not hold what that takes.
    pub fn explain_recorded(&self, recorded: &Recorded) -> Option<Explanation> {
        let caller = recorded.caller.as_ref()?;
        let params: Option<HashMap<String, &RawValue>> =
            recorded.request.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let raw = |name: &str| params.as_ref().and_then(|params| params.get(name)).map(|raw| raw.get());
        let made = self.fitting_arguments(&recorded.name);
        let arguments = if params.is_some() { raw("arguments").unwrap_or_default() } else { &made };
        let named = named(&recorded.method, arguments);
        let named: Vec<(&str, &str)> = named.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let asked = asked(recorded, arguments, &named, raw("ref"))?;
        let findings: Vec<&str> = recorded.authz.findings.iter().map(String::as_str).collect();
        let circumstances = &recorded.circumstances;
        let question = Question { call: recorded.call, asked, circumstances, findings: &findings };
        Some(self.explain(caller, &question))
    }

    /// What the policies for one kind of recorded call look at; nothing is known of other kinds. A thing that
    /// does not exist is looked at by no policy.
    fn looks_at(&self, method: &str, server: &str, name: &str, reference: Option<&str>) -> Option<&Reads> {
        let world = &self.world;
        let deed = match method {
            "tools/call" => world.tools.get(name).map(|tool| &tool.call),
            "resources/read" => world.servers.get(server).map(|server| &server.read),
            "resources/subscribe" => world.servers.get(server).map(|server| &server.subscribe),
            "prompts/get" => world.prompts.get(name).map(|prompt| &prompt.get),
            "completion/complete" if of_prompt(reference?) => {
                world.prompts.get(name).map(|prompt| &prompt.complete)
            }
            "completion/complete" => world.servers.get(server).map(|server| &server.complete),
            _ => return None,
        };
        Some(deed.map_or(&self.nothing, |deed| &deed.slice.decides))
    }

    /// Some arguments that fit a tool's types.
    fn fitting_arguments(&self, tool: &str) -> String {
        let shape = self.world.tools.get(tool).and_then(|tool| tool.args.as_ref());
        shape.map_or_else(|| "{}".to_owned(), |shape| shape.sample().to_string())
    }
}
