//! That a record is what was written, and that nothing was taken away.

use crate::api::Api;
use crate::api::input::{Named, Nothing, Params};
use crate::api::problem::{Details, Problem};
use crate::api::visit::Visit;
use crate::audit::hex;
use crate::audit::tree::{Prover, Signed};
use crate::policy::{AdminAction, Level};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// The form of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Form {
    /// JSON.
    #[default]
    Json,
    /// The text that C2SP specifies.
    Text,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Under {
    /// Under the checkpoint of exactly so many records; else under the newest.
    size: Option<u64>,
    /// `json`, or `text`: a C2SP tlog-proof.
    #[param(inline)]
    form: Option<Form>,
}

/// A proof that a record is under a signed checkpoint (RFC 6962 §2.1.1).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Inclusion {
    /// The record's sequence number: its index in the tree.
    seq: u64,
    /// Its hash, hexadecimal.
    leaf: String,
    /// Hashes from the leaf's sibling up, hexadecimal.
    path: Vec<String>,
    /// Records under the checkpoint.
    size: u64,
    /// The checkpoint as a signed note, with the cosignatures that it has.
    checkpoint: String,
}

/// Proves that a record is under a signed checkpoint
///
/// Cedar action `VerifyAudit`. A proof holds hashes only.
#[utoipa::path(get, path = "/audit/v1/proofs/{seq}", tag = "proofs",
    params(("seq" = u64, Path, description = "The record's sequence number."), Under), responses(
    (status = 200, content((Inclusion = "application/json"), (String = "text/plain"))),
    (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn inclusion(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Named(seq): Named<u64>,
    Params(under): Params<Under>,
) -> Result<Response, Problem> {
    visit.param("seq", seq);
    visit.param("size", under.size);
    visit.may(AdminAction::VerifyAudit, &visit.tenant(None), visit.reading(1, Level::Hashes))?;
    let proof = api.reading(move |api| {
        let prover = Prover::open(&api.folder)?;
        if seq >= prover.size()? {
            return Err(Problem::NotFound("record"));
        }
        if let Some(size) = under.size
            && prover.checkpoint_of(size)?.is_none_or(|signed| signed.size <= seq)
        {
            return Err(Problem::NotFound("checkpoint over that record"));
        }
        Ok(prover.inclusion(seq, under.size)?)
    });
    let proof = proof.await?;
    if under.form == Some(Form::Text) {
        return Ok(([(CONTENT_TYPE, TEXT)], proof.text()).into_response());
    }
    let path = proof.path.iter().map(|hash| hex(hash)).collect();
    let (leaf, size, checkpoint) = (hex(&proof.leaf), proof.size, proof.checkpoint);
    Ok(Json(Inclusion { seq, leaf, path, size, checkpoint }).into_response())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Between {
    /// Records of the older log.
    old: u64,
    /// Records of the newer one; all that are signed if left out.
    new: Option<u64>,
}

/// A size of the log, and its root.
#[derive(Debug, Serialize, ToSchema)]
struct TreeHead {
    /// Records.
    size: u64,
    /// The Merkle tree hash, hexadecimal.
    root: String,
}

/// A proof that one log is the beginning of another (RFC 6962 §2.1.2).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Consistency {
    /// The older log.
    old: TreeHead,
    /// The newer one.
    new: TreeHead,
    /// Hashes, hexadecimal.
    proof: Vec<String>,
}

/// Proves that the log of so many records is the beginning of the log of more
///
/// Cedar action `VerifyAudit`.
#[utoipa::path(get, path = "/audit/v1/consistency", tag = "proofs", params(Between), responses(
    (status = 200, body = Consistency), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn consistency(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(between): Params<Between>,
) -> Result<Json<Consistency>, Problem> {
    visit.param("new", between.new);
    visit.param("old", between.old);
    visit.may(AdminAction::VerifyAudit, &visit.tenant(None), visit.reading(0, Level::Hashes))?;
    let consistency = api.reading(move |api| {
        let prover = Prover::open(&api.folder)?;
        let signed = prover.checkpoint()?.map_or(0, |signed| signed.size);
        let (old, new) = (between.old, between.new.unwrap_or(signed));
        if old > new || new > prover.size()? {
            let why = "`old` must not be larger than `new`, and `new` not larger than the log";
            return Err(Problem::Malformed(why.into()));
        }
        let proof = prover.consistency(old, new)?.iter().map(|hash| hex(hash)).collect();
        let head = |size| Ok::<_, Problem>(TreeHead { size, root: hex(&prover.root(size)?) });
        Ok(Consistency { old: head(old)?, new: head(new)?, proof })
    });
    Ok(Json(consistency.await?))
}

/// The newest signed checkpoint, as C2SP tlog-tiles names it
///
/// Cedar action `VerifyAudit`. A C2SP tlog-checkpoint (signed note), with the cosignatures that it has.
#[utoipa::path(get, path = "/audit/v1/checkpoint", tag = "proofs", responses(
    (status = 200, body = String, content_type = "text/plain"),
    (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn newest(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(_none): Params<Nothing>,
) -> Result<Response, Problem> {
    visit.may(AdminAction::VerifyAudit, &visit.tenant(None), visit.reading(0, Level::Hashes))?;
    let newest = api.reading(|api| Prover::open(&api.folder)?.checkpoint()?.ok_or(Problem::NotYet)).await?;
    Ok(([(CONTENT_TYPE, TEXT)], newest.note).into_response())
}

/// A signed checkpoint.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Checkpoint {
    /// Records under it.
    size: u64,
    /// The Merkle tree hash over them, hexadecimal.
    root: String,
    /// When it was signed, in microseconds since the Unix epoch.
    t: i64,
    /// The signed note, with its cosignatures.
    note: String,
}

impl From<Signed> for Checkpoint {
    fn from(signed: Signed) -> Self {
        Self { size: signed.size, root: hex(&signed.root), t: signed.time_us, note: signed.note }
    }
}

/// The checkpoint of exactly so many records
///
/// Cedar action `VerifyAudit`.
#[utoipa::path(get, path = "/audit/v1/checkpoints/{size}", tag = "proofs", params(("size" = u64, Path, description = "Records under it.")),
    responses((status = 200, body = Checkpoint), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn checkpoint(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Named(size): Named<u64>,
    Params(_none): Params<Nothing>,
) -> Result<Json<Checkpoint>, Problem> {
    visit.param("size", size);
    visit.may(AdminAction::VerifyAudit, &visit.tenant(None), visit.reading(0, Level::Hashes))?;
    let found = api.reading(move |api| {
        Prover::open(&api.folder)?.checkpoint_of(size)?.ok_or(Problem::NotFound("checkpoint"))
    });
    Ok(Json(found.await?.into()))
}

/// The published verification keys, one a line
///
/// Cedar action `VerifyAudit`. C2SP signed-note verifier keys. Compare them with those that you were given another way.
#[utoipa::path(get, path = "/audit/v1/keys", tag = "proofs", responses(
    (status = 200, body = String, content_type = "text/plain"),
    (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn keys(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(_none): Params<Nothing>,
) -> Result<Response, Problem> {
    visit.may(AdminAction::VerifyAudit, &visit.tenant(None), visit.reading(0, Level::Hashes))?;
    let keys = api.reading(|api| Ok(Prover::open(&api.folder)?.keys()?)).await?;
    let text: String = keys.iter().flat_map(|key| [key.to_string(), "\n".into()]).collect();
    Ok(([(CONTENT_TYPE, TEXT)], text).into_response())
}
