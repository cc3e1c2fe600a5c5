//! Why was it decided so, and what would have to change?

use std::str::FromStr as _;
use std::sync::Arc;

use cedar_policy::pst::{BinaryOp, Clause, Expr};
use cedar_policy::{
    Effect, Entities, EvalResult, Expression, Policy, PrincipalConstraint, Request, ResourceConstraint,
    eval_expression,
};
use serde::Serialize;

use super::load::Policies;
use super::question::Question;
use super::recorded::Decision;
use super::settle::Shadow;
use crate::identity::Caller;

/// A policy and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Placed {
    /// Its id.
    pub policy: String,
    /// Its file.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
}

/// A condition that was not met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// The condition, in Cedar.
    pub condition: String,
    /// What would have to change.
    pub remedy: String,
}

/// A permit for this action and resource that was not satisfied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Near {
    /// Which.
    #[serde(flatten)]
    pub place: Placed,
    /// What stopped it, in the order of the policy; the last one may hide others behind it.
    pub stopped_by: Vec<Stop>,
}

/// A decision with its reasons.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// Yes or no.
    pub decision: Decision,
    /// Why not: the kind of denial, and the argument that does not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Policies that decided.
    pub decided_by: Vec<Placed>,
    /// Permits that were satisfied.
    pub satisfied: Vec<Placed>,
    /// Policies that failed to evaluate.
    pub errors: Vec<String>,
    /// What must be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obligations: Option<serde_json::Value>,
    /// Shadow policies that matched.
    pub shadow: Vec<Shadow>,
    /// If nothing permits it: the permits that come closest, the closest first.
    pub near_misses: Vec<Near>,
}

impl Policies {
    /// Decides a question and says why.
    pub fn explain(&self, caller: &Caller, question: &Question<'_>) -> Explanation {
        let mut explanation = match self.authorize(caller, question) {
            Ok(permit) => Explanation {
                decision: if permit.overruled().is_some() { Decision::Deny } else { Decision::Allow },
                reason: permit.overruled().map(|denial| denial.kind().as_str().to_owned()),
                decided_by: self.placed(permit.determining()),
                satisfied: self.placed(permit.satisfied()),
                errors: permit.errors().iter().map(ToString::to_string).collect(),
                obligations: permit.obligations().and_then(|wanted| serde_json::to_value(&**wanted).ok()),
                shadow: permit.shadow().to_vec(),
                near_misses: Vec::new(),
            },
            Err(denial) => Explanation {
                decision: Decision::Deny,
                reason: Some(match denial.misfit() {
                    Some(misfit) => format!("{}: {misfit}", denial.kind().as_str()),
                    None => denial.kind().as_str().to_owned(),
                }),
                decided_by: self.placed(denial.determining()),
                satisfied: self.placed(denial.satisfied()),
                errors: denial.errors().iter().map(ToString::to_string).collect(),
                obligations: None,
                shadow: denial.shadow().to_vec(),
                near_misses: Vec::new(),
            },
        };
        if explanation.decision == Decision::Deny && explanation.satisfied.is_empty() {
            explanation.near_misses = self.near_misses(caller, question).unwrap_or_default();
        }
        explanation
    }

    /// File and line of a policy.
    pub fn place(&self, policy: &str) -> Option<(&str, usize)> {
        self.rules.places.get(policy).map(|(file, line)| (file.as_str(), *line))
    }

    fn placed(&self, ids: &[String]) -> Vec<Placed> {
        ids.iter().map(|id| self.placed_one(id)).collect()
    }

    fn placed_one(&self, id: &str) -> Placed {
        let (file, line) = self.place(id).unwrap_or_default();
        Placed { policy: id.to_owned(), file: file.to_owned(), line }
    }

    fn near_misses(&self, caller: &Caller, question: &Question<'_>) -> Option<Vec<Near>> {
        let known = self.callers.known(&self.world, caller).ok()?;
        let case = self.case(&known, question).ok()?;
        let (slice, entities) = (case.slice, Arc::clone(&case.entities));
        let request = self.request(&known, question, case).ok()?;
        let enforced = |id: &str| {
            slice.special.get(id).is_none_or(|notes| notes.mode == super::annotations::Mode::Enforced)
        };
        let permits = slice.permits.policies().filter(|policy| policy.effect() == Effect::Permit);
        let mut near: Vec<Near> = permits
            .filter(|policy| enforced(policy.id().as_ref()))
            .filter_map(|policy| {
                let stopped_by = stops(policy, &request, &entities)?;
                Some(Near { place: self.placed_one(policy.id().as_ref()), stopped_by })
            })
            .collect();
        near.sort_by(|one, other| {
            (one.stopped_by.len(), &one.place.policy).cmp(&(other.stopped_by.len(), &other.place.policy))
        });
        Some(near)
    }
}

/// Conditions of a permit that are not met.
fn stops(policy: &Policy, request: &Request, entities: &Entities) -> Option<Vec<Stop>> {
    let mut found = Vec::new();
    for scope in [principal(policy), resource(policy)].into_iter().flatten() {
        if holds(&scope, request, entities) != Some(true) {
            found.push(Stop { remedy: remedy(&scope), condition: scope });
        }
    }
    let tree = policy.to_pst().ok()?;
    for clause in tree.body().clauses() {
        let (parts, wanted) = match clause {
            Clause::When(expr) => (split(expr, BinaryOp::And), true),
            Clause::Unless(expr) => (split(expr, BinaryOp::Or), false),
        };
        for part in parts {
            let text = part.to_string();
            let held = holds(&text, request, entities);
            if held == Some(wanted) {
                continue;
            }
            let condition = if wanted { text.clone() } else { format!("!({text})") };
            found.push(Stop { condition, remedy: remedy(&text) });
            // Later conditions may lean on this one, and fail without it.
            if held.is_none() || wanted {
                break;
            }
        }
    }
    Some(found)
}

fn principal(policy: &Policy) -> Option<String> {
    match policy.principal_constraint() {
        PrincipalConstraint::Any => None,
        PrincipalConstraint::Eq(entity) => Some(format!("principal == {entity}")),
        PrincipalConstraint::In(entity) => Some(format!("principal in {entity}")),
        PrincipalConstraint::Is(kind) => Some(format!("principal is {kind}")),
        PrincipalConstraint::IsIn(kind, entity) => Some(format!("principal is {kind} in {entity}")),
    }
}

fn resource(policy: &Policy) -> Option<String> {
    match policy.resource_constraint() {
        ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
        ResourceConstraint::Eq(entity) => Some(format!("resource == {entity}")),
        ResourceConstraint::In(entity) | ResourceConstraint::IsIn(_, entity) => {
            Some(format!("resource in {entity}"))
        }
    }
}

/// The parts of a conjunction or a disjunction, from left to right.
fn split(expr: &Arc<Expr>, by: BinaryOp) -> Vec<&Arc<Expr>> {
    match expr.as_ref() {
        Expr::BinaryOp { op, left, right } if *op == by => {
            let mut parts = split(left, by);
            parts.extend(split(right, by));
            parts
        }
        _ => vec![expr],
    }
}

fn holds(text: &str, request: &Request, entities: &Entities) -> Option<bool> {
    let expression = Expression::from_str(text).ok()?;
    match eval_expression(request, entities, &expression) {
        Ok(EvalResult::Bool(value)) => Some(value),
        _ => None,
    }
}

/// What would have to change, by what the condition looks at.
fn remedy(condition: &str) -> String {
    let quoted = condition.split('"').nth(1).unwrap_or_default();
    let about = |what: &str| condition.contains(what);
    if about("context.args") {
        "other arguments".to_owned()
    } else if about("context.findings") {
        "arguments without such content".to_owned()
    } else if about("context.session") {
        "a fresh session".to_owned()
    } else if about("context.request.agent") {
        "an agent that is approved or in that group".to_owned()
    } else if about("context.request") {
        "another time, address or client".to_owned()
    } else if about("principal in Role::") || (about("principal is") && about("Role::")) {
        format!("the role `{quoted}` for the caller")
    } else if about("Team::") {
        format!("the team `{quoted}` for the caller")
    } else if about("principal") {
        "another caller".to_owned()
    } else {
        "another tool, or other settings of it".to_owned()
    }
}
