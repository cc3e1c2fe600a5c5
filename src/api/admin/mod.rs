//! The administrative API, `/admin/v1`: approvals, policies, pins, status, reload.

pub(super) mod approvals;
mod history;
mod pins;
mod policies;
mod status;

use super::Api;
use super::openapi::{Bearer, written};
use super::problem::Details;
use axum::Router;
use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use std::sync::Arc;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The head of the document; each handler adds its own path.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sealgate: the administrative API",
        description = "Approvals, policies, pins of definitions, status and reload. Every request needs a bearer token, \
                       is decided by Cedar policy (the action is named at each operation), and is itself recorded \
                       before its answer leaves. Of recorded calls only those of the caller's own tenant are looked at.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    modifiers(&Bearer),
    security(("bearer" = [])),
    components(schemas(Details)),
    servers((url = "/")),
    tags(
        (name = "approvals", description = "Calls that a policy holds back until a person approves."),
        (name = "policies", description = "What a rule does, before it does it."),
        (name = "servers", description = "What servers say of their tools, and which of it is approved."),
        (name = "gateway", description = "How it is, and reading its files again."),
    ),
)]
struct Head;

/// Each handler with what the document says of it.
fn described() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Head::openapi())
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::show))
        .routes(routes!(approvals::approve))
        .routes(routes!(approvals::reject))
        .routes(routes!(policies::in_force))
        .routes(routes!(policies::check))
        .routes(routes!(policies::test))
        .routes(routes!(policies::explain))
        .routes(routes!(history::replay))
        .routes(routes!(history::shadow))
        .routes(routes!(history::coverage))
        .routes(routes!(pins::list))
        .routes(routes!(pins::approve))
        .routes(routes!(pins::reject))
        .routes(routes!(status::status))
        .routes(routes!(status::reload))
}

/// The routes without their state.
pub(super) fn routes() -> Router<Arc<Api>> {
    described().split_for_parts().0
}

/// The OpenAPI 3.1 document of the administrative API, as it is served and checked in.
///
/// # Errors
/// It cannot be written as JSON.
pub fn document() -> serde_json::Result<String> {
    written(described().split_for_parts().1)
}

/// The document itself tells nothing of the gateway and needs no credential.
pub(super) async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], document().unwrap_or_default())
}
