//! What rules would have meant for recorded calls of the caller's tenant: replay, shadow, coverage.

use super::policies::{Files, surroundings, unfit};
use crate::api::Api;
use crate::api::input::{Body, Nothing, Params};
use crate::api::problem::{Details, Problem};
use crate::api::visit::Visit;
use crate::audit::{Entry, Payload, Payloads, Reader};
use crate::policy::{AdminAction, PolicyFiles, Recorded, Replay, Report, Store, Tally};
use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Records that are read at once.
const CHUNK: u64 = 1000;

/// Policy files out of a body.
pub(super) fn candidate(files: Files) -> PolicyFiles {
    PolicyFiles::from_parts(&files.into_iter().collect())
}

/// The decisions among records, of the caller's tenant, with the parameters that are kept.
pub(super) fn decisions(visit: &Visit, payloads: &Payloads, entries: &[Entry]) -> Vec<Recorded> {
    let tenant = visit.tenant(None);
    let parameters = |record: &[u8]| match payloads.read(record) {
        Ok(Payload::Text(text)) => Some(text),
        _ => None,
    };
    let all = entries.iter().filter_map(|entry| Some((entry, Recorded::parse(&entry.record)?)));
    let own =
        all.filter(|(_, recorded)| recorded.caller.as_ref().is_some_and(|caller| caller.tenant == tenant));
    own.map(|(entry, recorded)| recorded.or_request(|| parameters(&entry.record))).collect()
}

fn moment(text: Option<&str>) -> Result<Option<i64>, Problem> {
    let parse = |text: &str| {
        let moment: Result<jiff::Timestamp, _> = text.parse();
        let wrong =
            |_| Problem::Malformed("`since` or `until` is no moment: write 2026-01-31T00:00:00Z".into());
        moment.map(jiff::Timestamp::as_microsecond).map_err(wrong)
    };
    text.map(parse).transpose()
}

/// Tells `each` the decisions of a period, newest records last, of as many records as one request may look at.
fn each(
    api: &Api,
    visit: &Visit,
    (since, until): (Option<i64>, Option<i64>),
    mut each: impl FnMut(&Recorded) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let (reader, payloads) = (Reader::open(&api.folder)?, Payloads::open(&api.folder)?);
    let head = reader.head()?.map_or(0, |head| head + 1);
    let mut next = head.saturating_sub(api.limits.export);
    loop {
        let entries = reader.since(next, CHUNK)?;
        let Some(last) = entries.last() else { return Ok(()) };
        next = last.seq + 1;
        for recorded in decisions(visit, &payloads, &entries) {
            if (since.unwrap_or(i64::MIN)..until.unwrap_or(i64::MAX)).contains(&recorded.time_us) {
                each(&recorded)?;
            }
        }
    }
}

/// A candidate, and which calls it is tried on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Trial {
    /// Text of each policy file, by name.
    files: Files,
    /// From this moment on: `2026-01-31T00:00:00Z`.
    #[serde(default)]
    since: Option<String>,
    /// Before this moment.
    #[serde(default)]
    until: Option<String>,
}

/// Decides recorded calls again under a candidate
///
/// Cedar action `ReplayPolicy`. The answer is that of `sealgate policy replay -o json`. Of the log, the newest
/// `auditApi.exportSize` records are looked at.
#[utoipa::path(post, path = "/admin/v1/policies/replay", tag = "policies", request_body = Trial, responses(
    (status = 200, body = Object), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn replay(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(_none): Params<Nothing>,
    Body(trial): Body<Trial>,
) -> Result<Json<Report>, Problem> {
    visit.may_administer(AdminAction::ReplayPolicy)?;
    let (around, seen) = (surroundings(&visit)?, visit.clone());
    let report = api.reading(move |api| {
        let period = (moment(trial.since.as_deref())?, moment(trial.until.as_deref())?);
        let files = candidate(trial.files);
        files.build(&around).map_err(|problems| unfit(&problems))?;
        let mut replay = Replay::new(files, Store::of(&api.folder));
        each(api, &seen, period, |recorded| replay.add(recorded).map_err(|problems| unfit(&problems)))?;
        Ok(replay.finish())
    });
    Ok(Json(report.await?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Period {
    /// From this moment on: `2026-01-31T00:00:00Z`.
    since: Option<String>,
    /// Before this moment.
    until: Option<String>,
}

async fn tally(api: &Arc<Api>, visit: &Arc<Visit>, period: Period) -> Result<Tally, Problem> {
    let seen = visit.clone();
    let tallied = api.reading(move |api| {
        let period = (moment(period.since.as_deref())?, moment(period.until.as_deref())?);
        let mut tally = Tally::default();
        each(api, &seen, period, |recorded| {
            tally.add(recorded);
            Ok(())
        })?;
        Ok(tally)
    });
    tallied.await
}

/// Shows what shadow policies would have done
///
/// Cedar action `ReadShadow`.
#[utoipa::path(get, path = "/admin/v1/policies/shadow", tag = "policies", params(Period), responses(
    (status = 200, body = Object), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn shadow(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(period): Params<Period>,
) -> Result<Json<serde_json::Value>, Problem> {
    visit.may_administer(AdminAction::ReadShadow)?;
    let tally = tally(&api, &visit, period).await?;
    Ok(Json(serde_json::json!({"decisions": tally.decisions, "shadow": tally.shadow})))
}

/// What matched in a period, and what did not.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Coverage {
    /// Recorded decisions.
    decisions: u64,
    /// Matches, by policy.
    matched: BTreeMap<String, u64>,
    /// Policies that never matched.
    never_matched: Vec<String>,
    /// Tools that no policy names.
    unnamed_tools: Vec<String>,
}

/// Shows which policies never matched, and which tools no policy names
///
/// Cedar action `ReadCoverage`.
#[utoipa::path(get, path = "/admin/v1/policies/coverage", tag = "policies", params(Period), responses(
    (status = 200, body = Coverage), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn coverage(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(period): Params<Period>,
) -> Result<Json<Coverage>, Problem> {
    visit.may_administer(AdminAction::ReadCoverage)?;
    let tally = tally(&api, &visit, period).await?;
    let policies = &visit.rules.policies;
    let never = policies.ids().filter(|id| !tally.matched.contains_key(*id)).map(str::to_owned);
    Ok(Json(Coverage {
        decisions: tally.decisions,
        never_matched: never.collect(),
        unnamed_tools: policies.unnamed_tools(),
        matched: tally.matched,
    }))
}
