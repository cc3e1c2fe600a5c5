//! From files to policies that are known to be sound: parsed, named, annotated, validated.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::ffi::DetailedError;
use cedar_policy::pst::{self, Clause, Expr, Literal, StaticPolicy};
use cedar_policy::{
    ActionConstraint, Effect, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator,
};

use super::actions::CALL_TOOL;
use super::annotations::{self, Notes};
use super::folder::Source;
use super::model::ServerModel;
use super::obligations::Abilities;
use super::problem::{Problem, closest};

/// Hops from an entity to another that a policy may take: what questions carry covers these.
const DEREFERENCES: u32 = 2;

/// The policies in force.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) policies: BTreeMap<String, Policy>,
    /// What the annotations say, by policy id.
    pub(super) notes: BTreeMap<String, Notes>,
    /// File and line, by policy id; of waiting policies too.
    pub(super) places: BTreeMap<String, (String, usize)>,
    /// Policies that wait for a server, and parts that do.
    pub(super) warnings: Vec<Problem>,
}

/// A policy and the place where it was written.
struct Written<'s> {
    policy: Policy,
    notes: Option<Notes>,
    source: &'s Source,
    offset: usize,
}

impl Written<'_> {
    fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::at(&self.source.path, &self.source.text, self.offset, message)
    }

    /// A problem where the name that the message quotes first stands in the policy, if it does.
    fn problem_at_name(&self, message: &str) -> Problem {
        let quoted = message.split('`').nth(1).map(|name| format!("\"{name}\""));
        let rest = self.source.text.get(self.offset..).unwrap_or_default();
        let found = quoted.and_then(|name| rest.find(&name)).map_or(self.offset, |at| self.offset + at);
        Problem::at(&self.source.path, &self.source.text, found, message)
    }
}

/// Parses and validates; every problem is reported, not only the first.
pub(super) fn rules(
    sources: &[Source],
    schema: &Schema,
    servers: &[ServerModel],
    able: Option<&Abilities>,
) -> Result<Rules, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut written: BTreeMap<String, Written<'_>> = BTreeMap::new();
    let mut parsed = Vec::new();
    for source in sources {
        parsed.append(&mut parse(source, able, &mut problems));
    }
    for found in parsed {
        let id = found.policy.id().to_string();
        match written.get(&id) {
            None => drop(written.insert(id, found)),
            Some(first) => {
                let at = first.problem("");
                let at = format!("{}:{}:{}", at.file, at.line, at.column);
                problems.push(
                    found
                        .problem(format!("another policy has the id `{id}` already"))
                        .help(format!("it is at {at}; give one of them a new id")),
                );
            }
        }
    }
    let known = Known::new(schema, servers);
    let mut rules = Rules::default();
    for (id, found) in &written {
        problems.extend(misused_group(found));
        match settle(&found.policy, &known) {
            Ok(Settled::Whole) => drop(rules.policies.insert(id.clone(), found.policy.clone())),
            Ok(Settled::Part(policy, names)) => {
                rules
                    .warnings
                    .push(found.problem(format!(
                        "a part of `{id}` waits for tools that are not known yet: {names}"
                    )));
                rules.policies.insert(id.clone(), *policy);
            }
            Ok(Settled::Nothing(names)) => rules
                .warnings
                .push(found.problem(format!("`{id}` waits for tools that are not known yet: {names}"))),
            Err((message, help)) => problems.push(found.problem_at_name(&message).help(help)),
        }
        let place = found.problem("");
        rules.places.insert(id.clone(), (place.file, place.line));
        if let Some(notes) = &found.notes {
            rules.notes.insert(id.clone(), notes.clone());
        }
    }
    problems.extend(validate(&rules, schema, &written));
    problems.sort();
    problems.dedup();
    if problems.is_empty() { Ok(rules) } else { Err(problems) }
}

/// The policies of one file under their own ids.
fn parse<'s>(source: &'s Source, able: Option<&Abilities>, problems: &mut Vec<Problem>) -> Vec<Written<'s>> {
    let set: PolicySet = match source.text.parse() {
        Ok(set) => set,
        Err(errors) => {
            let errors: cedar_policy::ParseErrors = errors;
            problems.extend(errors.iter().map(|error| {
                Problem::from_cedar(&source.path, &source.text, 0, &DetailedError::from(error))
            }));
            return Vec::new();
        }
    };
    for template in set.templates() {
        let offset = match template.as_ref().loc() {
            Some(place) => place.start(),
            None => 0,
        };
        problems.push(
            Problem::at(&source.path, &source.text, offset, "templates are not supported by this version")
                .help("write the principal and the resource out instead of ?principal and ?resource"),
        );
    }
    let mut all = Vec::new();
    for policy in set.policies() {
        let offset = match policy.as_ref().loc() {
            Some(place) => place.start(),
            None => 0,
        };
        let mut found = Written { policy: policy.clone(), notes: None, source, offset };
        match annotations::notes(policy, able) {
            Ok(notes) => found.notes = Some(notes),
            Err(complaints) => problems
                .extend(complaints.into_iter().map(|(message, help)| found.problem(message).help(help))),
        }
        match annotations::id_of(policy) {
            Ok(id) => all.push(Written { policy: policy.new_id(PolicyId::new(id)), ..found }),
            Err((message, help)) => problems.push(found.problem(message).help(help)),
        }
    }
    all.sort_by_key(|found| found.offset);
    all
}

/// `action == Action::"CallTool"` is valid and matches nothing: no call has a group as its action.
fn misused_group(found: &Written<'_>) -> Option<Problem> {
    let ActionConstraint::Eq(action) = found.policy.action_constraint() else { return None };
    let id = action.id().unescaped();
    (id == CALL_TOOL || id.ends_with("_*")).then(|| {
        found
            .problem(format!("no call has the action `{id}` itself: it is a group"))
            .help(format!("did you mean `action in Action::\"{id}\"`?"))
    })
}

/// How much of a policy can be in force.
enum Settled {
    Whole,
    /// The policy without the actions named.
    Part(Box<Policy>, String),
    Nothing(String),
}

/// The actions that there are, and the servers that may have more.
struct Known {
    actions: BTreeSet<String>,
    /// What the names of tools begin with, for servers whose tools are not known.
    waiting: Vec<String>,
}

impl Known {
    fn new(schema: &Schema, servers: &[ServerModel]) -> Self {
        let actions = schema.action_entities().into_iter().flatten();
        let waiting = servers.iter().filter(|server| !server.discovered);
        Self {
            actions: actions.map(|action| action.uid().id().unescaped().to_owned()).collect(),
            waiting: waiting.map(|server| format!("{}_", server.id)).collect(),
        }
    }

    fn waits(&self, id: &str) -> bool {
        !self.actions.contains(id) && self.waiting.iter().any(|start| id.starts_with(start))
    }

    /// A complaint about a name that means nothing.
    fn complaint(&self, id: &str) -> Option<annotations::Complaint> {
        if self.actions.contains(id) || self.waits(id) {
            return None;
        }
        let help = match closest(id, self.actions.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean `Action::\"{meant}\"`?"),
            None => "a tool's action is server_tool, as agents see it".to_owned(),
        };
        Some((format!("there is no action `{}`", id.escape_debug()), help))
    }
}

/// Takes out the actions of servers whose tools are not known.
///
/// No call can have such an action, so the rest of the policy means the same without it. When the server
/// has been discovered, the policies are loaded again.
fn settle(policy: &Policy, known: &Known) -> Result<Settled, annotations::Complaint> {
    let broken = |error: &dyn std::fmt::Display| {
        (format!("this policy could not be taken apart: {error}"), "write it in a simpler way".to_owned())
    };
    let tree = policy.to_pst().map_err(|error| broken(&error))?;
    let body = tree.body();
    let mut inner = Vec::new();
    for Clause::When(expr) | Clause::Unless(expr) in body.clauses() {
        inner.extend(action_literals(expr));
    }
    let scope: Vec<String> = match &body.action {
        pst::ActionConstraint::Any => Vec::new(),
        pst::ActionConstraint::Eq(action) => vec![action.eid.to_string()],
        pst::ActionConstraint::In(actions) => actions.iter().map(|action| action.eid.to_string()).collect(),
    };
    if let Some(complaint) = scope.iter().chain(&inner).find_map(|id| known.complaint(id)) {
        return Err(complaint);
    }
    inner.retain(|id| known.waits(id));
    if !inner.is_empty() {
        let names = listed(&inner);
        return match policy.effect() {
            Effect::Permit => Ok(Settled::Nothing(names)),
            // Without it, the gateway would allow what somebody wanted to forbid.
            Effect::Forbid => Err((
                format!("a condition of this forbid names tools that are not known yet: {names}"),
                "name the actions in the policy's scope instead, or start the server".to_owned(),
            )),
        };
    }
    let missing: Vec<String> = scope.iter().filter(|id| known.waits(id)).cloned().collect();
    if missing.is_empty() {
        return Ok(Settled::Whole);
    }
    let names = listed(&missing);
    if missing.len() == scope.len() {
        return Ok(Settled::Nothing(names));
    }
    let mut part = body.clone();
    if let pst::ActionConstraint::In(actions) = &mut part.action {
        actions.retain(|action| !known.waits(action.eid.as_str()));
    }
    let part = StaticPolicy::try_from(part).map_err(|error| broken(&error))?;
    let part = Policy::from_pst(pst::Policy::Static(part)).map_err(|error| broken(&error))?;
    Ok(Settled::Part(Box::new(part), names))
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Ids of the actions that an expression names.
fn action_literals(expr: &Expr) -> Vec<String> {
    expr.reduce(
        &|part| match part {
            Expr::Literal(Literal::EntityUID(uid)) if uid.ty.to_string() == "Action" => {
                Some(vec![uid.eid.to_string()])
            }
            _ => None,
        },
        &|mut left: Vec<String>, right| {
            left.extend(right);
            left
        },
        Vec::new(),
    )
}

/// Strict validation, with warnings as errors.
fn validate(rules: &Rules, schema: &Schema, written: &BTreeMap<String, Written<'_>>) -> Vec<Problem> {
    let set = match PolicySet::from_policies(rules.policies.values().cloned()) {
        Ok(set) => set,
        Err(error) => return vec![Problem::with_file("policies", error.to_string())],
    };
    let outcome =
        Validator::new(schema.clone()).validate_with_level(&set, ValidationMode::Strict, DEREFERENCES);
    let place = |id: &PolicyId, report: DetailedError| match written.get(&id.to_string()) {
        Some(found) => {
            // The place says which policy it is.
            let prefix = format!("for policy `{id}`, ");
            let message = report.message.replace(&prefix, "");
            let help = report.help.map(|help| help.replace(&prefix, ""));
            let report = DetailedError { message, help, ..report };
            Problem::from_cedar(&found.source.path, &found.source.text, found.offset, &report)
        }
        None => Problem::with_file("policies", report.message),
    };
    let wrong: BTreeSet<String> =
        outcome.validation_errors().map(|error| error.policy_id().to_string()).collect();
    let errors =
        outcome.validation_errors().map(|error| place(error.policy_id(), DetailedError::from(error)));
    // What is warned of beside an error mostly follows from it.
    let warnings = outcome
        .validation_warnings()
        .filter(|warning| !wrong.contains(&warning.policy_id().to_string()))
        .map(|warning| place(warning.policy_id(), DetailedError::from(warning)));
    errors.chain(warnings).collect()
}
