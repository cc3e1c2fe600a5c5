//! How the log is: written, signed, anchored.

use super::search::problem;
use crate::api::Api;
use crate::api::input::{Nothing, Params};
use crate::api::problem::{Details, Problem};
use crate::api::visit::Visit;
use crate::audit::hex;
use crate::audit::tree::Prover;
use crate::policy::{AdminAction, Level};
use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// What an anchor has taken last.
#[derive(Debug, Serialize, ToSchema)]
struct AnchorShown {
    /// The anchor.
    target: String,
    /// Records under the checkpoint.
    size: u64,
    /// When, in microseconds since the Unix epoch.
    t: i64,
}

/// The newest checkpoint.
#[derive(Debug, Serialize, ToSchema)]
struct Head {
    /// Records under it.
    size: u64,
    /// The Merkle tree hash over them, hexadecimal.
    root: String,
    /// When it was signed, in microseconds since the Unix epoch.
    t: i64,
}

/// The state of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LogState {
    /// Whether calls can be recorded now.
    writable: bool,
    /// Why not, if it failed.
    latched: Option<String>,
    /// Whether new calls are refused for lack of room.
    low_space: bool,
    /// Records in the log.
    records: u64,
    /// The newest checkpoint.
    checkpoint: Option<Head>,
    /// Records that no checkpoint covers yet.
    unsigned: u64,
    /// What each anchor has taken last: what cannot be changed any more, even by whoever has the keys.
    anchors: Vec<AnchorShown>,
    /// Whether there is an index of the log, and how far it is behind.
    index: IndexState,
    /// Digest of the policies in force.
    policy_set: String,
}

/// The index.
#[derive(Debug, Serialize, ToSchema)]
struct IndexState {
    /// Whether there is one.
    exists: bool,
    /// Records that it does not have.
    behind: u64,
    /// Age of the oldest of them, in milliseconds.
    behind_ms: u64,
    /// Size of its files, in bytes.
    bytes: u64,
}

/// Shows how the log is
///
/// Cedar action `VerifyAudit`.
#[utoipa::path(get, path = "/audit/v1/status", tag = "proofs", responses(
    (status = 200, body = LogState), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn status(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(_none): Params<Nothing>,
) -> Result<Json<LogState>, Problem> {
    visit.may(AdminAction::VerifyAudit, &visit.tenant(None), visit.reading(0, Level::Hashes))?;
    let policy_set = visit.rules.policies.digests().policy_set.clone();
    let seen = visit.clone();
    let state = api.reading(move |api| {
        let prover = Prover::open(&api.folder)?;
        let (log, records) = (api.gateway.log().status(), prover.size()?);
        let checkpoint = prover.checkpoint()?;
        let signed = checkpoint.as_ref().map_or(0, |signed| signed.size);
        let anchors = prover.anchors()?.into_iter();
        let index = api.searcher.status().map_err(|error| problem(&seen, &error))?;
        Ok(LogState {
            writable: log.writable,
            latched: log.latched,
            low_space: log.low_space,
            records,
            checkpoint: checkpoint.map(|signed| Head {
                size: signed.size,
                root: hex(&signed.root),
                t: signed.time_us,
            }),
            unsigned: records.saturating_sub(signed),
            anchors: anchors.map(|a| AnchorShown { target: a.target, size: a.size, t: a.t }).collect(),
            index: IndexState {
                exists: index.exists,
                behind: index.lag.records,
                behind_ms: index.lag.ms,
                bytes: index.bytes,
            },
            policy_set,
        })
    });
    Ok(Json(state.await?))
}
