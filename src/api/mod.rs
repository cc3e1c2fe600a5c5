//! What may operators ask? Health and metrics, on a listener of their own.

use crate::app::Status;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use std::sync::Arc;

/// All routes of the administrative listener, on one screen.
pub fn routes(status: Arc<Status>) -> Router {
    Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(status)
}

/// The process answers.
async fn health() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], "{\"status\":\"ok\"}")
}

/// Calls are served.
async fn ready(State(status): State<Arc<Status>>) -> impl IntoResponse {
    let ready = status.ready();
    let code = if ready.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, axum::Json(ready))
}

async fn metrics(State(status): State<Arc<Status>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], status.metrics())
}
