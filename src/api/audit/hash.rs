//! Was this value ever seen, and where? Answered from commitments alone: the log holds no values.

use super::records::Scope;
use crate::api::Api;
use crate::api::input::{Body, Nothing, Params};
use crate::api::problem::{Details, Problem};
use crate::api::visit::Visit;
use crate::audit::tree::Prover;
use crate::audit::{Reader, seen};
use crate::policy::{AdminAction, Level};
use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use utoipa::ToSchema;

/// Longest value, in bytes.
const LONGEST: usize = 1 << 20;
/// Sightings in one answer.
const LISTED: usize = 1000;

/// A value to look for. It is neither kept nor recorded.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ValueAsked {
    /// The value, as somebody would write it.
    #[schema(min_length = 1, max_length = 1_048_576)]
    value: String,
}

/// One finding in one record.
#[derive(Debug, Serialize, ToSchema)]
struct SightingShown {
    /// The record's sequence number.
    seq: u64,
    /// When it was written, in microseconds since the Unix epoch.
    t: i64,
    /// The record's kind.
    kind: String,
    /// The call that it belongs to.
    call: Option<String>,
    /// The server, where the record names it.
    server: Option<String>,
    /// The tool, prompt or resource.
    name: Option<String>,
    /// Who called.
    actor: Option<String>,
    /// The type of the finding.
    #[serde(rename = "type")]
    found: String,
    /// Where it stood.
    pointer: String,
    /// How often.
    count: u64,
    /// The keyed commitment under which it is recorded, hexadecimal: search for it, hold or erase by it.
    commitment: String,
}

/// Where a value was seen.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Answer {
    /// Whether it was.
    seen: bool,
    /// Sightings in your tenant's records.
    found: usize,
    /// Those that are listed, oldest first.
    sightings: Vec<SightingShown>,
    /// Whether there are more than are listed.
    truncated: bool,
    /// The commitments under which it was seen, hexadecimal.
    commitments: BTreeSet<String>,
}

/// Asks whether a value was ever seen, and where
///
/// Cedar action `SearchAudit`. The value is read from the body and forgotten; the record says that somebody asked, and
/// how many findings were the answer.
#[utoipa::path(post, path = "/audit/v1/hash", tag = "records", request_body = ValueAsked, responses(
    (status = 200, body = Answer), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn hash(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(_none): Params<Nothing>,
    Body(asked): Body<ValueAsked>,
) -> Result<Json<Answer>, Problem> {
    let tenant = visit.tenant(None);
    visit.may(AdminAction::SearchAudit, &tenant, visit.reading(LISTED as u64, Level::Records))?;
    if asked.value.is_empty() || asked.value.len() > LONGEST {
        return Err(Problem::Malformed("`value` is empty or longer than 1048576 bytes".into()));
    }
    let inspector = visit.rules.inspector.clone();
    let answer =
        api.reading(move |api| looked_for(api, &tenant, &inspector.commitments(&asked.value))).await?;
    visit.rows(answer.found);
    Ok(Json(answer))
}

fn looked_for(api: &Api, tenant: &str, commitments: &[String]) -> Result<Answer, Problem> {
    let all = seen(&api.folder, commitments, &mut |_| {})?;
    let (reader, prover) = (Reader::open(&api.folder)?, Prover::open(&api.folder)?);
    let mut scope = Scope::new(api, &reader, tenant);
    let cut = u64::try_from(all.sightings.len()).is_ok_and(|listed| listed < all.found);
    let (mut sightings, mut found, mut known) = (Vec::new(), 0, BTreeSet::new());
    for one in all.sightings {
        if !scope.has(&prover.record(one.seq)?)? {
            continue;
        }
        found += 1;
        known.insert(one.commitment.clone());
        if sightings.len() < LISTED {
            sightings.push(SightingShown {
                seq: one.seq,
                t: one.t,
                kind: one.kind,
                call: one.call,
                server: one.server,
                name: one.name,
                actor: one.actor,
                found: one.found,
                pointer: one.pointer,
                count: one.count,
                commitment: one.commitment,
            });
        }
    }
    let truncated = cut || sightings.len() < found;
    Ok(Answer { seen: found > 0, found, sightings, truncated, commitments: known })
}
