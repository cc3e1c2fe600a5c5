//! Erasures: one person asks, another approves, and the keys are destroyed. Records and proofs stay.

use super::pending::Asked;
use super::selector::{Which, ordered, reason, selected};
use crate::api::Api;
use crate::api::input::{Body, Named, Nothing, Params};
use crate::api::problem::{Details, Problem};
use crate::api::visit::Visit;
use crate::audit::{Erasure, Order};
use crate::policy::{AdminAction, Level};
use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;

/// An erasure to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewErasure {
    /// What is to be erased.
    selector: Which,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
}

/// An erasure that waits for a second person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Waiting {
    /// Its id.
    id: Uuid,
    /// What is to be erased.
    selector: Which,
    /// Why.
    reason: String,
    /// Who asked: kind, tenant and id.
    by: String,
    /// When, in microseconds since the Unix epoch.
    t: i64,
    /// From when on it is forgotten.
    expires: i64,
}

impl From<Asked> for Waiting {
    fn from(asked: Asked) -> Self {
        let expires = asked.expires();
        let Asked { id, selector, reason, by, t, .. } = asked;
        Self { id, selector: selector.into(), reason, by, t, expires }
    }
}

/// Erasures that wait.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Erasures {
    /// Those of your tenant, oldest first.
    erasures: Vec<Waiting>,
}

fn unusable(error: std::io::Error) -> Problem {
    tracing::error!("the erasures that wait cannot be kept: {error}");
    Problem::Unavailable
}

/// Lists erasures that wait for a second person
///
/// Cedar action `EraseSubject`.
#[utoipa::path(get, path = "/audit/v1/erasures", tag = "payloads", responses(
    (status = 200, body = Erasures), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(_none): Params<Nothing>,
) -> Result<Json<Erasures>, Problem> {
    let tenant = visit.tenant(None);
    visit.may(AdminAction::EraseSubject, &tenant, visit.reading(0, Level::Hashes))?;
    let now = visit.now_us;
    let all = api.reading(move |api| api.erasures.list(now).map_err(unusable)).await?;
    let own = all.into_iter().filter(|asked| asked.tenant == tenant);
    let erasures: Vec<Waiting> = own.map(Waiting::from).collect();
    visit.rows(erasures.len());
    Ok(Json(Erasures { erasures }))
}

/// Asks for an erasure
///
/// Cedar action `EraseSubject`. Nothing is erased until somebody else approves, within seven days.
#[utoipa::path(post, path = "/audit/v1/erasures", tag = "payloads", request_body = NewErasure, responses(
    (status = 202, body = Waiting), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn ask(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(_none): Params<Nothing>,
    Body(new): Body<NewErasure>,
) -> Result<(StatusCode, Json<Waiting>), Problem> {
    let tenant = visit.tenant(None);
    visit.may(AdminAction::EraseSubject, &tenant, visit.reading(0, Level::Hashes))?;
    let reason = reason(&visit, &new.reason)?;
    let selector = new.selector.noted(&visit)?;
    let (by, t) = (visit.person(), visit.now_us);
    let asked = Asked { id: Uuid::now_v7(), selector, reason, by, tenant, t };
    visit.param("erasure", asked.id.to_string());
    let (counted, kept) = (asked.clone(), asked.clone());
    let payloads = api.reading(move |api| selected(api, &counted.tenant, &counted.selector)).await?;
    if payloads == 0 {
        return Err(Problem::Conflict(
            "nothing is there to erase: it was erased before, or never kept".into(),
        ));
    }
    visit.param("payloads", payloads);
    visit.begin().await?;
    if !api.reading(move |api| api.erasures.add(kept, t).map_err(unusable)).await? {
        return Err(Problem::Conflict("too many erasures wait: approve or withdraw some".into()));
    }
    Ok((StatusCode::ACCEPTED, Json(asked.into())))
}

/// An erasure that was carried out.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Erased {
    /// Payloads that are gone.
    payloads: u64,
    /// The sequence number of its record.
    seq: u64,
}

/// Approves an erasure that somebody else has asked for, and carries it out
///
/// Cedar action `EraseSubject`. Recorded before it is done, and as `erase`.
#[utoipa::path(post, path = "/audit/v1/erasures/{id}/approve", tag = "payloads", params(("id" = Uuid, Path, description = "The erasure's id.")),
    responses((status = 200, body = Erased), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn approve(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Named(id): Named<Uuid>,
    Params(_none): Params<Nothing>,
) -> Result<Json<Erased>, Problem> {
    let (tenant, now) = (visit.tenant(None), visit.now_us);
    visit.param("erasure", id.to_string());
    visit.may(AdminAction::EraseSubject, &tenant, visit.reading(0, Level::Payloads))?;
    let person = visit.person();
    let asked = api.reading(move |api| {
        let all = api.erasures.list(now).map_err(unusable)?;
        let found = all.into_iter().find(|asked| asked.id == id && asked.tenant == tenant);
        let asked = found.ok_or(Problem::NotFound("erasure"))?;
        if asked.by == person {
            return Err(Problem::Conflict("it takes two people: somebody else must approve it".into()));
        }
        // What fits the selector may have grown since it was asked for.
        selected(api, &asked.tenant, &asked.selector)?;
        Ok(asked)
    });
    let tenant = asked.await?.tenant;
    visit.begin().await?;
    let taken = api.reading(move |api| api.erasures.take(id, &tenant, now).map_err(unusable)).await?;
    let asked = taken.ok_or(Problem::NotFound("erasure"))?;
    let approvers = vec![asked.by.clone(), visit.person()];
    let (selector, reason) = (asked.selector.clone(), asked.reason.clone());
    let done = api.gateway.log().perform(Order::Erase(Erasure { selector, approvers, reason })).await;
    match ordered(done) {
        Ok(done) => {
            let number = |name: &str| done.get(name).and_then(serde_json::Value::as_u64).unwrap_or_default();
            Ok(Json(Erased { payloads: number("payloads"), seq: number("seq") }))
        }
        Err(problem) => {
            // It may be approved again, when the hold is lifted or the log can be written.
            api.reading(move |api| api.erasures.add(asked, now).map_err(unusable)).await?;
            Err(problem)
        }
    }
}

/// Withdraws an erasure that waits
///
/// Cedar action `EraseSubject`.
#[utoipa::path(delete, path = "/audit/v1/erasures/{id}", tag = "payloads", params(("id" = Uuid, Path, description = "The erasure's id.")),
    responses((status = 204), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn withdraw(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Named(id): Named<Uuid>,
    Params(_none): Params<Nothing>,
) -> Result<StatusCode, Problem> {
    let (tenant, now) = (visit.tenant(None), visit.now_us);
    visit.param("erasure", id.to_string());
    visit.may(AdminAction::EraseSubject, &tenant, visit.reading(0, Level::Hashes))?;
    visit.begin().await?;
    let taken = api.reading(move |api| api.erasures.take(id, &tenant, now).map_err(unusable)).await?;
    taken.map(|_| StatusCode::NO_CONTENT).ok_or(Problem::NotFound("erasure"))
}
