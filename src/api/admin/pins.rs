//! What servers say of their tools, and which of it somebody approved.

use crate::api::Api;
use crate::api::input::{Body, Nothing, Params};
use crate::api::problem::{Details, Problem};
use crate::api::visit::Visit;
use crate::policy::AdminAction;
use crate::route::{Pin, PinError, PinStore, What};
use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Only this server.
    server: Option<String>,
}

/// A definition that was seen or approved.
#[derive(Debug, Serialize, ToSchema)]
struct Definition {
    /// Its digest.
    digest: String,
    /// The definition, as RFC 8785 writes it.
    text: String,
}

/// A tool and what is approved of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PinShown {
    /// The server.
    server: String,
    /// The tool, by the server's own name.
    tool: String,
    /// `pinned`, `drifted`, `quarantined` or `rejected`.
    state: &'static str,
    /// What is approved.
    approved: Option<Definition>,
    /// What was seen last.
    seen: Option<Definition>,
    /// Types of the signs against it.
    reasons: Vec<String>,
    /// When it changed last, in microseconds since the Unix epoch.
    changed_us: i64,
    /// Who changed it.
    changed_by: String,
}

impl From<Pin> for PinShown {
    fn from(pin: Pin) -> Self {
        let shown =
            |version: crate::route::Version| Definition { digest: version.digest, text: version.text };
        Self {
            state: pin.state.as_str(),
            approved: pin.approved.map(shown),
            seen: pin.seen.map(shown),
            server: pin.server,
            tool: pin.tool,
            reasons: pin.reasons,
            changed_us: pin.changed_us,
            changed_by: pin.changed_by,
        }
    }
}

/// All pins.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Pins {
    /// By server and tool.
    pins: Vec<PinShown>,
}

fn problem(error: &PinError) -> Problem {
    match error {
        PinError::Unknown { .. } => Problem::NotFound("tool that was seen"),
        PinError::Other { .. } => {
            Problem::Conflict("another definition was seen meanwhile: look again".into())
        }
        other => {
            tracing::error!("the pins cannot be used: {other}");
            Problem::Unavailable
        }
    }
}

/// Lists the pins of definitions
///
/// Cedar action `ReadPins`.
#[utoipa::path(get, path = "/admin/v1/pins", tag = "servers", params(Which), responses(
    (status = 200, body = Pins), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(which): Params<Which>,
) -> Result<Json<Pins>, Problem> {
    visit.may_administer(AdminAction::ReadPins)?;
    let pins = api.reading(|api| {
        let store = PinStore::open(&api.folder).map_err(|e| problem(&e))?;
        store.pins().map_err(|e| problem(&e))
    });
    let wanted = |pin: &Pin| which.server.as_ref().is_none_or(|server| pin.server == *server);
    let pins: Vec<PinShown> = pins.await?.into_iter().filter(wanted).map(PinShown::from).collect();
    visit.rows(pins.len());
    Ok(Json(Pins { pins }))
}

/// A definition to decide about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Decision {
    /// The server.
    server: String,
    /// The tool, by the server's own name.
    tool: String,
    /// The whole digest that was looked at: anything else is not decided about.
    #[schema(pattern = "^sha256:[0-9a-f]{64}$")]
    digest: String,
}

async fn decide(
    api: &Arc<Api>,
    visit: &Arc<Visit>,
    decision: Decision,
    what: What,
) -> Result<Json<PinShown>, Problem> {
    visit.may_administer(AdminAction::PinTool)?;
    let hex = decision.digest.strip_prefix("sha256:").and_then(crate::audit::parse_hex);
    if hex.is_none() {
        return Err(Problem::Malformed("`digest` is not `sha256:` and 64 hexadecimal digits".into()));
    }
    visit.param("digest", decision.digest.as_str());
    visit.param("server", decision.server.as_str());
    visit.param("tool", decision.tool.as_str());
    visit.begin().await?;
    let (by, now) = (visit.person(), visit.now_us);
    let decided = api.reading(move |api| {
        let store = PinStore::open(&api.folder).map_err(|e| problem(&e))?;
        let Decision { server, tool, digest } = &decision;
        store.decide((server, tool), what, Some(digest), (&by, now)).map_err(|e| problem(&e))
    });
    Ok(Json(decided.await?.into()))
}

/// Approves the definition that was seen last
///
/// Cedar action `PinTool`. The gateway follows within a second, and records it as `definition.approve`.
#[utoipa::path(post, path = "/admin/v1/pins/approve", tag = "servers", request_body = Decision, responses(
    (status = 200, body = PinShown), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn approve(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(_none): Params<Nothing>,
    Body(decision): Body<Decision>,
) -> Result<Json<PinShown>, Problem> {
    decide(&api, &visit, decision, What::Approve).await
}

/// Refuses the definition that was seen last
///
/// Cedar action `PinTool`. The gateway follows within a second, and records it as `definition.reject`.
#[utoipa::path(post, path = "/admin/v1/pins/reject", tag = "servers", request_body = Decision, responses(
    (status = 200, body = PinShown), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn reject(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(_none): Params<Nothing>,
    Body(decision): Body<Decision>,
) -> Result<Json<PinShown>, Problem> {
    decide(&api, &visit, decision, What::Reject).await
}
