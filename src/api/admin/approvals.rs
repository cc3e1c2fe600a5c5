//! Calls that a policy holds back until a person approves them.

use crate::api::Api;
use crate::api::input::{Body, Named, Nothing, Params};
use crate::api::problem::{Details, Problem};
use crate::api::visit::Visit;
use crate::approval::{self, Ballot, Held};
use crate::policy::{AdminAction, Asked, Item};
use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Longest note, in characters.
const NOTE: usize = 1000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Also those that were used, rejected or have expired.
    all: Option<bool>,
}

/// Calls of your tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Approvals {
    /// As `sealgate approval list -o json` tells them.
    #[schema(value_type = Vec<Object>)]
    approvals: Vec<Held>,
}

fn problem(error: &approval::Error) -> Problem {
    match error {
        approval::Error::Unknown(_) => Problem::NotFound("call that waits for approval"),
        approval::Error::ForeignTenant => Problem::NotFound("call that waits for approval"),
        approval::Error::Settled(_) | approval::Error::OwnCall => Problem::Conflict(error.to_string()),
        approval::Error::NoRole(_) => {
            Problem::Conflict("you have none of the roles that must approve".into())
        }
        other => {
            tracing::error!("the approvals cannot be used: {other}");
            Problem::Unavailable
        }
    }
}

/// Lists calls that wait for approval
///
/// Cedar action `ReadApprovals`. Parameters are shown after redaction.
#[utoipa::path(get, path = "/admin/v1/approvals", tag = "approvals", params(Which), responses(
    (status = 200, body = Approvals), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(which): Params<Which>,
) -> Result<Json<Approvals>, Problem> {
    visit.may_administer(AdminAction::ReadApprovals)?;
    let (tenant, all) = (visit.tenant(None), which.all.unwrap_or(false));
    let held = api.reading(move |api| api.approvals.list(all).map_err(|e| problem(&e))).await?;
    let approvals: Vec<Held> = held.into_iter().filter(|one| one.requester.tenant == tenant).collect();
    visit.rows(approvals.len());
    Ok(Json(Approvals { approvals }))
}

/// One call of the tenant.
async fn found(api: &Arc<Api>, visit: &Visit, reference: Uuid) -> Result<Held, Problem> {
    visit.param("reference", reference.to_string());
    let tenant = visit.tenant(None);
    let shown = api.reading(move |api| api.approvals.show(&reference.to_string()).map_err(|e| problem(&e)));
    let held = shown.await?;
    if held.requester.tenant == tenant {
        Ok(held)
    } else {
        Err(Problem::NotFound("call that waits for approval"))
    }
}

/// Shows one call that waits for approval
///
/// Cedar action `ReadApprovals`.
#[utoipa::path(get, path = "/admin/v1/approvals/{reference}", tag = "approvals",
    params(("reference" = Uuid, Path, description = "Id of the call that was refused.")),
    responses((status = 200, body = Object), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Named(reference): Named<Uuid>,
    Params(_none): Params<Nothing>,
) -> Result<Json<Held>, Problem> {
    visit.may_administer(AdminAction::ReadApprovals)?;
    Ok(Json(found(&api, &visit, reference).await?))
}

/// What an approver says besides yes or no.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    /// Why.
    #[serde(default)]
    #[schema(max_length = 1000)]
    note: String,
}

/// One call of the tenant, for somebody who may approve it.
pub(in crate::api) async fn approvable(
    api: &Arc<Api>,
    visit: &Visit,
    reference: Uuid,
) -> Result<Held, Problem> {
    let held = found(api, visit, reference).await;
    // Whoever may approve nothing learns nothing of what waits.
    let held = match held {
        Ok(held) => held,
        Err(problem) => {
            visit.may_administer(AdminAction::ReadApprovals)?;
            return Err(problem);
        }
    };
    let what = match held.target.as_str() {
        "tool" => Item::Tool(&held.name),
        "prompt" => Item::Prompt(&held.name),
        _ => Item::Resource { server: &held.server, uri: &held.name },
    };
    visit.may_do("ApproveCall", Asked::ApproveCall { what, requested_by: &held.requester.id })?;
    Ok(held)
}

/// Says yes or no, on every way to the same rows and records.
pub(in crate::api) async fn decide(
    api: &Arc<Api>,
    visit: &Visit,
    (reference, note): (Uuid, String),
    approve: bool,
) -> Result<Held, Problem> {
    if note.chars().count() > NOTE {
        return Err(Problem::Malformed("`note` is longer than 1000 characters".into()));
    }
    let held = approvable(api, visit, reference).await?;
    let policies = &visit.rules.policies;
    let covers = held.roles.iter().filter(|role| policies.has_role(visit.caller(), role)).cloned().collect();
    let note = visit.rules.inspector.redact_text(&note).into_owned();
    visit.begin().await?;
    let who = visit.who.caller.clone();
    let voted = api.reading(move |api| {
        let ballot = Ballot { approve, covers, note: &note };
        api.approvals.vote(&reference.to_string(), &who, ballot).map_err(|e| problem(&e))
    });
    voted.await
}

/// Approves a call of somebody else
///
/// Cedar action `ApproveCall` on what the call is for. Recorded before it is done, and as `approval.granted`.
#[utoipa::path(post, path = "/admin/v1/approvals/{reference}/approve", tag = "approvals", request_body = Said,
    params(("reference" = Uuid, Path, description = "Id of the call that was refused.")),
    responses((status = 200, body = Object), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn approve(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Named(reference): Named<Uuid>,
    Params(_none): Params<Nothing>,
    Body(said): Body<Said>,
) -> Result<Json<Held>, Problem> {
    Ok(Json(decide(&api, &visit, (reference, said.note), true).await?))
}

/// Rejects a call of somebody else
///
/// Cedar action `ApproveCall` on what the call is for. Recorded before it is done, and as `approval.rejected`.
#[utoipa::path(post, path = "/admin/v1/approvals/{reference}/reject", tag = "approvals", request_body = Said,
    params(("reference" = Uuid, Path, description = "Id of the call that was refused.")),
    responses((status = 200, body = Object), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn reject(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Named(reference): Named<Uuid>,
    Params(_none): Params<Nothing>,
    Body(said): Body<Said>,
) -> Result<Json<Held>, Problem> {
    Ok(Json(decide(&api, &visit, (reference, said.note), false).await?))
}
