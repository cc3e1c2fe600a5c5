//! What a rule does, before it does it: check, test, explain.

use super::history::{candidate, of_call};
use crate::api::Api;
use crate::api::input::{Body, Nothing, Params};
use crate::api::problem::{Details, Problem};
use crate::api::visit::Visit;
use crate::audit::{Payloads, Reader};
use crate::policy::{
    self, AdminAction, Asked, Explanation, Person, Policies, PolicyFiles, Question, Row, Store, Surroundings,
    Table,
};
use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;

/// Text of policy files by name.
pub(super) type Files = BTreeMap<String, String>;

/// One thing that is wrong, or worth knowing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Finding {
    /// The file.
    file: String,
    /// Line, from 1; 0 if it is not about a place.
    line: usize,
    /// Column, from 1.
    column: usize,
    /// What is wrong.
    message: String,
    /// What to do.
    help: Option<String>,
}

pub(super) fn findings(problems: &[policy::Problem]) -> Vec<Finding> {
    let one = |problem: &policy::Problem| Finding {
        file: problem.file.clone(),
        line: problem.line,
        column: problem.column,
        message: problem.message.clone(),
        help: problem.help.clone(),
    };
    problems.iter().map(one).collect()
}

/// What policies are judged against now.
pub(super) fn surroundings(visit: &Visit) -> Result<Surroundings, Problem> {
    Surroundings::from_parts(&visit.rules.policies.archive().entities).map_err(|_| Problem::Internal)
}

/// Problems of a candidate, as one problem with all of them.
pub(super) fn unfit(problems: &[policy::Problem]) -> Problem {
    Problem::Query {
        detail: format!("the candidate has {} problem(s)", problems.len()),
        more: Map::from_iter([(
            "problems".to_owned(),
            serde_json::to_value(findings(problems)).unwrap_or_default(),
        )]),
    }
}

/// The policies in force.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InForce {
    /// Text of each file, by name.
    files: Files,
    /// Digest of the policy files.
    policy_set: String,
    /// Digest of the schema.
    schema: String,
    /// Digest of servers, groups and time zone.
    entities: String,
    /// Whether denials are only observed.
    observing: bool,
    /// What is worth knowing.
    warnings: Vec<Finding>,
}

/// Shows the policies in force
///
/// Cedar action `ReadPolicy`.
#[utoipa::path(get, path = "/admin/v1/policies", tag = "policies", responses(
    (status = 200, body = InForce), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn in_force(
    Extension(visit): Extension<Arc<Visit>>,
    Params(_none): Params<Nothing>,
) -> Result<Json<InForce>, Problem> {
    visit.may_administer(AdminAction::ReadPolicy)?;
    let policies = &visit.rules.policies;
    let digests = policies.digests();
    Ok(Json(InForce {
        files: policies.archive().policy_set.iter().cloned().collect(),
        policy_set: digests.policy_set.clone(),
        schema: digests.schema.clone(),
        entities: digests.entities.clone(),
        observing: policies.observing(),
        warnings: findings(policies.warnings()),
    }))
}

/// A candidate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Candidate {
    /// Text of each policy file, by name: `10-employees.cedar`.
    files: Files,
}

/// What a strict load found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Checked {
    /// Whether it could be put in force.
    ok: bool,
    /// How many policies there are.
    policies: usize,
    /// The digest that it would have.
    policy_set: Option<String>,
    /// What is wrong.
    problems: Vec<Finding>,
    /// What is worth knowing.
    warnings: Vec<Finding>,
}

/// Loads a candidate strictly, against the servers of now, and puts nothing in force
///
/// Cedar action `CheckPolicy`.
#[utoipa::path(post, path = "/admin/v1/policies/check", tag = "policies", request_body = Candidate, responses(
    (status = 200, body = Checked), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn check(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(_none): Params<Nothing>,
    Body(given): Body<Candidate>,
) -> Result<Json<Checked>, Problem> {
    visit.may_administer(AdminAction::CheckPolicy)?;
    let around = surroundings(&visit)?;
    let built = api.reading(move |_| Ok(candidate(given.files).build(&around))).await?;
    Ok(Json(match built {
        Ok(policies) => Checked {
            ok: true,
            policies: policies.ids().count(),
            policy_set: Some(policies.digests().policy_set.clone()),
            problems: Vec::new(),
            warnings: findings(policies.warnings()),
        },
        Err(problems) => Checked {
            ok: false,
            policies: 0,
            policy_set: None,
            problems: findings(&problems),
            warnings: Vec::new(),
        },
    }))
}

/// A table to play.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Play {
    /// Text of each policy file, by name; the policies in force if left out.
    #[serde(default)]
    files: Option<Files>,
    /// People and rows, as in `policies/tests/*.yaml`.
    #[schema(value_type = Object)]
    table: Table,
}

/// A row that does not hold.
#[derive(Debug, Serialize, ToSchema)]
struct Wrong {
    /// The row, from 1.
    row: usize,
    /// What came instead.
    message: String,
}

/// What a table came to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlayedTable {
    /// Whether every row holds.
    ok: bool,
    /// How many rows there are.
    rows: usize,
    /// Those that do not hold.
    failed: Vec<Wrong>,
}

/// Plays a table of expectations
///
/// Cedar action `TestPolicy`.
#[utoipa::path(post, path = "/admin/v1/policies/test", tag = "policies", request_body = Play, responses(
    (status = 200, body = PlayedTable), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn test(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(_none): Params<Nothing>,
    Body(play): Body<Play>,
) -> Result<Json<PlayedTable>, Problem> {
    visit.may_administer(AdminAction::TestPolicy)?;
    let (around, rules) = (surroundings(&visit)?, visit.rules.clone());
    let played = api.reading(move |_| {
        let built = play.files.map(|files| candidate(files).build(&around)).transpose();
        let built = built.map_err(|problems| unfit(&problems))?;
        Ok(outcome(built.as_ref().unwrap_or(&rules.policies), &play.table))
    });
    Ok(Json(played.await?))
}

fn outcome(policies: &Policies, table: &Table) -> PlayedTable {
    let wrong = |(index, row): (usize, &Row)| {
        let message = match table.play(policies, row) {
            Ok(played) if row.holds(&played) => return None,
            Ok(played) => format!("came out as {} by {:?}", played.came, played.by),
            Err(error) => error.to_string(),
        };
        Some(Wrong { row: index + 1, message })
    };
    let failed: Vec<Wrong> = table.rows.iter().enumerate().filter_map(wrong).collect();
    PlayedTable { ok: failed.is_empty(), rows: table.rows.len(), failed }
}

/// What is to be explained: a recorded call, or one that could be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    /// A recorded call of your tenant.
    #[serde(default)]
    call: Option<Uuid>,
    /// A tool, by the name that agents see.
    #[serde(default)]
    tool: Option<String>,
    /// Its arguments.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    args: Option<Value>,
    /// Who asks: `roles`, `teams`, `agent`, `approved`, `kind`; the tenant is yours.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    person: Person,
    /// Their id.
    #[serde(default)]
    user: Option<String>,
    /// Text of each policy file, by name; left out: those that decided the recorded call, else those in force.
    #[serde(default)]
    files: Option<Files>,
}

/// Says why a call is decided so, and what would have to change
///
/// Cedar action `ExplainPolicy`. The answer is that of `sealgate policy explain -o json`.
#[utoipa::path(post, path = "/admin/v1/policies/explain", tag = "policies", request_body = Why, responses(
    (status = 200, body = Object), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn explain(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(_none): Params<Nothing>,
    Body(why): Body<Why>,
) -> Result<Json<Explanation>, Problem> {
    visit.may_administer(AdminAction::ExplainPolicy)?;
    let seen = visit.clone();
    let explained = api.reading(move |api| match (why.call, &why.tool) {
        (Some(call), None) => recorded(api, &seen, call, why.files),
        (None, Some(_)) => hypothetical(&seen, why),
        _ => Err(Problem::Malformed("give `call` or `tool`, and not both".into())),
    });
    Ok(Json(explained.await?))
}

fn hypothetical(visit: &Visit, why: Why) -> Result<Explanation, Problem> {
    let around = surroundings(visit)?;
    let built = why.files.map(|files| candidate(files).build(&around)).transpose();
    let built = built.map_err(|problems| unfit(&problems))?;
    let policies = built.as_ref().unwrap_or(&visit.rules.policies);
    let person = Person { tenant: Some(visit.tenant(None)), ..why.person };
    let malformed = |_| Problem::Malformed("`person` is none: see `kind`".into());
    let caller = person.caller(why.user.as_deref().unwrap_or("somebody")).map_err(malformed)?;
    let at = jiff::Timestamp::from_microsecond(visit.now_us).map(|now| now.to_string()).ok();
    let circumstances = Row { at, ..Row::default() }.circumstances().map_err(malformed)?;
    let args = why.args.as_ref().map_or_else(|| "{}".to_owned(), Value::to_string);
    let asked = Asked::CallTool { tool: why.tool.as_deref().unwrap_or_default(), args: &args };
    let question = Question { call: visit.id, asked, circumstances: &circumstances, findings: &[] };
    Ok(policies.explain(&caller, &question))
}

fn recorded(api: &Api, visit: &Visit, call: Uuid, files: Option<Files>) -> Result<Explanation, Problem> {
    visit.param("call", call.to_string());
    let (reader, payloads) = (Reader::open(&api.folder)?, Payloads::open(&api.folder)?);
    let entries = reader.by_call(call)?;
    let recorded =
        of_call(visit, &payloads, &entries).ok_or(Problem::NotFound("recorded decision about that call"))?;
    let store = Store::of(&api.folder);
    let gone = |_| Problem::Conflict("the files behind the record's digests are gone".into());
    let parts = store.parts(&recorded.authz.entities).map_err(gone)?;
    let around = Surroundings::from_parts(&parts).map_err(|problems| unfit(&problems))?;
    let files = match files {
        Some(files) => candidate(files),
        None => PolicyFiles::from_parts(&store.parts(&recorded.authz.policy_set).map_err(gone)?),
    };
    let built = files.build(&around).or_else(|_| files.build(&around.undiscovered()));
    built
        .map_err(|problems| unfit(&problems))?
        .explain_recorded(&recorded)
        .ok_or_else(|| Problem::Conflict("the record does not hold all that deciding again takes".into()))
}
