//! The auditors' API, `/audit/v1`: records, calls, proofs, payloads, holds, erasures, exports.

mod erasures;
mod exports;
mod hash;
mod holds;
mod made;
mod pending;
mod proofs;
mod records;
mod search;
mod selector;
mod status;
mod tiles;

pub(super) use pending::Pending;

/// Takes away what a crash left of an export.
pub(super) fn tidy(folder: &std::path::Path) {
    let _ = std::fs::remove_dir_all(folder.join(made::FOLDER));
}

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
        title = "Sealgate: the auditors' API",
        description = "Reads, proves, exports, holds and erases what the audit log holds. Every request needs a \
                       bearer token, is decided by Cedar policy (the action is named at each operation), and is \
                       itself recorded before its answer leaves. A tenant sees its own records only.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    modifiers(&Bearer),
    security(("bearer" = [])),
    components(schemas(Details)),
    servers((url = "/")),
    tags(
        (name = "records", description = "What happened."),
        (name = "proofs", description = "That it is what was written, and that nothing was taken away."),
        (name = "payloads", description = "What was said, after redaction: read, held, erased."),
        (name = "exports", description = "What is handed to others."),
    ),
)]
struct Head;

/// Each handler with what the document says of it: neither can be there without the other.
fn described() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Head::openapi())
        .routes(routes!(records::list))
        .routes(routes!(records::one))
        .routes(routes!(records::call))
        .routes(routes!(records::payload))
        .routes(routes!(search::search))
        .routes(routes!(search::aggregate))
        .routes(routes!(proofs::inclusion))
        .routes(routes!(proofs::consistency))
        .routes(routes!(proofs::newest))
        .routes(routes!(proofs::checkpoint))
        .routes(routes!(proofs::keys))
        .routes(routes!(tiles::tile))
        .routes(routes!(status::status))
        .routes(routes!(hash::hash))
        .routes(routes!(exports::export))
        .routes(routes!(holds::list, holds::set))
        .routes(routes!(holds::lift))
        .routes(routes!(erasures::list, erasures::ask))
        .routes(routes!(erasures::approve))
        .routes(routes!(erasures::withdraw))
}

/// The routes without their state.
pub(super) fn routes() -> Router<Arc<Api>> {
    described().split_for_parts().0
}

/// The OpenAPI 3.1 document of the auditors' API, as it is served and checked in.
///
/// # Errors
/// It cannot be written as JSON.
pub fn document() -> serde_json::Result<String> {
    written(described().split_for_parts().1)
}

/// The document itself tells nothing of the log and needs no credential.
pub(super) async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], document().unwrap_or_default())
}
