//! How the gateway is, and reading its files again.

use crate::api::Api;
use crate::api::input::{Nothing, Params};
use crate::api::problem::{Details, Problem};
use crate::api::visit::Visit;
use crate::app::Ready;
use crate::policy::AdminAction;
use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use std::sync::Arc;

/// Shows how the gateway is
///
/// Cedar action `ReadStatus`. The answer is that of `/readyz`, whatever it says.
#[utoipa::path(get, path = "/admin/v1/status", tag = "gateway", responses(
    (status = 200, body = Object), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn status(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(_none): Params<Nothing>,
) -> Result<Json<Ready>, Problem> {
    visit.may_administer(AdminAction::ReadStatus)?;
    Ok(Json(api.status.ready()))
}

/// Has configuration and policies read again
///
/// Cedar action `ReloadRules`. Recorded before it is done; what changes is recorded as a change of its own. Whether it was
/// taken up, `/admin/v1/status` tells (`rejected_change`).
#[utoipa::path(post, path = "/admin/v1/reload", tag = "gateway", responses(
    (status = 202), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn reload(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(_none): Params<Nothing>,
) -> Result<StatusCode, Problem> {
    visit.may_administer(AdminAction::ReloadRules)?;
    visit.begin().await?;
    api.status.reload();
    Ok(StatusCode::ACCEPTED)
}
