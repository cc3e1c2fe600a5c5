//! Holds: payloads that neither erasure nor retention touches.

use super::selector::{Which, ordered, reason, selected};
use crate::api::Api;
use crate::api::input::{Body, Named, Nothing, Params};
use crate::api::problem::{Details, Problem};
use crate::api::visit::Visit;
use crate::audit::{Hold, Order, Payloads};
use crate::policy::{AdminAction, Level};
use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// A hold in force.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HoldShown {
    /// Its id.
    id: String,
    /// What is held.
    selector: Which,
    /// Why.
    reason: String,
    /// Since when, in microseconds since the Unix epoch.
    t: i64,
    /// Who set it: kind, tenant and id.
    by: String,
}

/// The holds of a tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Holds {
    /// The holds in force, oldest first.
    holds: Vec<HoldShown>,
}

/// Whether somebody of the tenant set a hold.
fn of_tenant(hold: &Hold, tenant: &str) -> bool {
    let rest = ["User:", "ServiceAccount:"].iter().find_map(|kind| hold.by.strip_prefix(kind));
    rest.and_then(|rest| rest.strip_prefix(tenant)).is_some_and(|rest| rest.starts_with(':'))
}

/// Lists the holds that people of your tenant have set
///
/// Cedar action `PlaceHold`.
#[utoipa::path(get, path = "/audit/v1/holds", tag = "payloads", responses(
    (status = 200, body = Holds), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(_none): Params<Nothing>,
) -> Result<Json<Holds>, Problem> {
    let tenant = visit.tenant(None);
    visit.may(AdminAction::PlaceHold, &tenant, visit.reading(0, Level::Hashes))?;
    let holds = api.reading(|api| Ok(Payloads::open(&api.folder)?.holds()?)).await?;
    let own = holds.into_iter().filter(|hold| of_tenant(hold, &tenant));
    let holds: Vec<HoldShown> = own
        .map(|Hold { id, selector, reason, t, by }| HoldShown {
            id,
            selector: selector.into(),
            reason,
            t,
            by,
        })
        .collect();
    visit.rows(holds.len());
    Ok(Json(Holds { holds }))
}

/// A hold to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewHold {
    /// What is to be held.
    selector: Which,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
}

/// A hold that was set.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HoldSet {
    /// Its id.
    hold: String,
    /// Payloads that it keeps now; later ones that fit are kept too.
    payloads: u64,
    /// The sequence number of its record.
    seq: u64,
}

/// Sets a hold
///
/// Cedar action `PlaceHold`. Recorded before it is done, and as `hold.set`.
#[utoipa::path(post, path = "/audit/v1/holds", tag = "payloads", request_body = NewHold, responses(
    (status = 201, body = HoldSet), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn set(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(_none): Params<Nothing>,
    Body(new): Body<NewHold>,
) -> Result<(StatusCode, Json<HoldSet>), Problem> {
    let tenant = visit.tenant(None);
    visit.may(AdminAction::PlaceHold, &tenant, visit.reading(0, Level::Hashes))?;
    let reason = reason(&visit, &new.reason)?;
    let selector = new.selector.noted(&visit)?;
    let counted = selector.clone();
    let payloads = api.reading(move |api| selected(api, &tenant, &counted)).await?;
    visit.begin().await?;
    let done = api.gateway.log().perform(Order::Hold { selector, reason, by: visit.person() }).await;
    let done = ordered(done)?;
    let hold = done.get("hold").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
    let seq = done.get("seq").and_then(serde_json::Value::as_u64).unwrap_or_default();
    Ok((StatusCode::CREATED, Json(HoldSet { hold, payloads, seq })))
}

/// Lifts a hold
///
/// Cedar action `PlaceHold`. Recorded before it is done, and as `hold.release`.
#[utoipa::path(delete, path = "/audit/v1/holds/{id}", tag = "payloads", params(("id" = Uuid, Path, description = "The hold's id.")),
    responses((status = 204), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn lift(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Named(id): Named<uuid::Uuid>,
    Params(_none): Params<Nothing>,
) -> Result<StatusCode, Problem> {
    let tenant = visit.tenant(None);
    let id = id.to_string();
    visit.param("hold", id.as_str());
    visit.may(AdminAction::PlaceHold, &tenant, visit.reading(0, Level::Hashes))?;
    let wanted = id.clone();
    let own = api.reading(move |api| {
        let holds = Payloads::open(&api.folder)?.holds()?;
        Ok(holds.iter().any(|hold| hold.id == wanted && of_tenant(hold, &tenant)))
    });
    if !own.await? {
        return Err(Problem::NotFound("hold"));
    }
    visit.begin().await?;
    ordered(api.gateway.log().perform(Order::Lift { id, by: visit.person() }).await)?;
    Ok(StatusCode::NO_CONTENT)
}
