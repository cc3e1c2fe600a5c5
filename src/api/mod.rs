//! What may operators and auditors ask? Health, metrics and administration on the administrative listener, the log's own
//! API on that of the auditors.
//!
//! Health and metrics need no credential. Everything else passes [`door`]: host, credential, rate; policy is asked by
//! each handler, and what came of the request is recorded before its answer leaves.

mod admin;
mod audit;
mod door;
mod input;
mod openapi;
mod page;
mod problem;
mod visit;

pub use admin::document as admin_document;
pub use audit::document as audit_document;

use crate::app::Status;
use crate::approval::Approvals;
use crate::gateway::{Fold, Gateway};
use crate::http::Origins;
use crate::identity::Tokens;
use crate::search::Searcher;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use problem::Problem;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Requests that read the stores at once; others wait.
const READERS: usize = 8;

/// What both APIs are made of.
#[derive(Debug)]
pub struct Parts {
    /// The trunk, for its rules and its log.
    pub gateway: Arc<Gateway>,
    /// Who is calling.
    pub tokens: Arc<Tokens>,
    /// Which hosts and origins are ours.
    pub origins: Origins,
    /// What counts the requests that are not heard.
    pub fold: Arc<Fold>,
    /// The data folder.
    pub folder: PathBuf,
    /// Calls that wait for a person.
    pub approvals: Arc<Approvals>,
    /// Whether people approve them on a page of the administrative listener.
    pub page: bool,
    /// How the gateway is.
    pub status: Arc<Status>,
    /// Bounds.
    pub limits: Limits,
}

/// Bounds of both APIs.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The tenant to which the gateway's own records belong.
    pub operator_tenant: String,
    /// Most requests of one principal in a minute.
    pub requests_per_minute: NonZeroU32,
    /// Most records on one page.
    pub page: u64,
    /// Most records in one export.
    pub export: u64,
}

/// What answers auditors and operators.
#[derive(Debug)]
pub struct Api {
    approvals: Arc<Approvals>,
    page: bool,
    status: Arc<Status>,
    gateway: Arc<Gateway>,
    tokens: Arc<Tokens>,
    origins: Origins,
    fold: Arc<Fold>,
    folder: PathBuf,
    limits: Limits,
    rates: door::Rates,
    readers: Arc<Semaphore>,
    erasures: audit::Pending,
    searcher: Searcher,
}

impl Api {
    /// Builds the APIs, once the log is open.
    ///
    /// # Errors
    /// The log cannot be searched.
    pub fn new(parts: Parts) -> Result<Self, crate::search::Error> {
        let Parts { gateway, tokens, origins, fold, folder, approvals, page, status, limits } = parts;
        audit::tidy(&folder);
        Ok(Self {
            searcher: Searcher::open(&folder, gateway.clock().clone())?,
            rates: door::rates(limits.requests_per_minute),
            readers: Arc::new(Semaphore::new(READERS)),
            erasures: audit::Pending::of(&folder),
            approvals,
            page,
            status,
            gateway,
            tokens,
            origins,
            fold,
            folder,
            limits,
        })
    }

    /// Reads the stores off the async threads, a bounded number of requests at once.
    async fn reading<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let place = self.readers.clone().acquire_owned().await.map_err(|_| Problem::Internal)?;
        let api = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            work(&api)
        });
        done.await.unwrap_or(Err(Problem::Internal))
    }
}

/// All routes of the administrative listener. Health and metrics are for machines beside it and need no credential.
pub fn operators(api: Arc<Api>) -> Router {
    let open = Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(api.status.clone());
    let guarded = admin::routes()
        .route_layer(axum::middleware::from_fn_with_state(api.clone(), door::of_operators))
        .with_state(api.clone());
    let pages = if api.page { page::routes().with_state(api) } else { Router::new() };
    open.route("/admin/v1/openapi.json", get(admin::openapi)).merge(guarded).merge(pages)
}

/// All routes of the auditors' listener.
pub fn auditors(api: Arc<Api>) -> Router {
    let guarded = audit::routes()
        .fallback(|| async { Problem::NotFound("endpoint") })
        .layer(axum::middleware::from_fn_with_state(api.clone(), door::of_auditors))
        .with_state(api);
    Router::new().route("/audit/v1/openapi.json", get(audit::openapi)).merge(guarded)
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
