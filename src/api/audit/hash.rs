//! Was this value ever seen, and where? Answered from commitments alone: the log holds no values.

use super::search::{problem, scope};
use crate::api::Api;
use crate::api::input::{Body, Nothing, Params};
use crate::api::problem::{Details, Problem};
use crate::api::visit::Visit;
use crate::policy::{AdminAction, Level};
use crate::search::{Mode, Sighting, Sightings};
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
    /// `index`, or `scan`: trust nothing but the log, and read all of it.
    #[serde(default)]
    #[schema(value_type = String)]
    mode: Mode,
}

/// One finding in one record.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "it tells the document what `search::Sighting` looks like")]
struct SightingShown {
    /// The record's sequence number.
    seq: u64,
    /// When it was written, in microseconds since the Unix epoch.
    t: i64,
    /// The record's kind.
    kind: String,
    /// The call that it belongs to.
    call: Option<String>,
    /// The server, where the record or the first of its call names it.
    server: Option<String>,
    /// The tool, prompt or resource.
    name: Option<String>,
    /// Who called.
    actor: Option<String>,
    /// The type of the finding.
    #[schema(rename = "type")]
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
    found: u64,
    /// Those that are listed, oldest first.
    #[schema(value_type = Vec<SightingShown>)]
    sightings: Vec<Sighting>,
    /// Whether there are more than are listed.
    truncated: bool,
    /// The commitments under which it was seen, hexadecimal.
    commitments: BTreeSet<String>,
    /// `index`: the index named the records, once it had the whole log. `scan`: the whole log was read, since that was
    /// asked for, or since there is no index that has it. Either way each record that is listed was hashed again.
    #[schema(value_type = String)]
    mode: Mode,
    /// Records of the log that are archived: nobody looked at them.
    archived: u64,
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
    let commitments = visit.rules.inspector.commitments(&asked.value);
    let (scope, seen, mode) = (scope(&api, &visit, &tenant), visit.clone(), asked.mode);
    let all = api.reading(move |api| {
        api.searcher.seen(&commitments, &scope, mode).map_err(|error| problem(&seen, &error))
    });
    let answer = Answer::of(all.await?);
    visit.rows(usize::try_from(answer.found).unwrap_or(usize::MAX));
    Ok(Json(answer))
}

impl Answer {
    fn of(all: Sightings) -> Self {
        let Sightings { mode, archived, found, commitments, mut sightings, .. } = all;
        sightings.truncate(LISTED);
        let truncated = sightings.len() as u64 != found;
        Self { seen: found > 0, found, sightings, truncated, commitments, mode, archived }
    }
}
