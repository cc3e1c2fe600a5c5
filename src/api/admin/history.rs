//! What rules would have meant for recorded calls of the caller's tenant: replay, shadow, coverage.

use super::policies::{Files, surroundings, unfit};
use crate::api::Api;
use crate::api::input::{Body, Nothing, Params};
use crate::api::problem::{Details, Problem};
use crate::api::visit::Visit;
use crate::audit::{Entry, Payload, Payloads, Reader};
use crate::policy::{AdminAction, Decided, PolicyFiles, Recorded, Replay, Report, Store, Tally};
use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Records that are read at once.
const CHUNK: u64 = 1000;
/// Most calls whose results are waited for.
const WAITING: usize = 100_000;

/// Policy files out of a body.
pub(super) fn candidate(files: Files) -> PolicyFiles {
    PolicyFiles::from_parts(&files.into_iter().collect())
}

/// Decisions about calls of the caller's tenant, and about their results.
struct Own<'a> {
    tenant: String,
    payloads: &'a Payloads,
    /// Calls whose results may still come; an outcome does not say whose it is.
    calls: HashSet<Uuid>,
}

impl Own<'_> {
    /// What a record decides, with the parameters that are kept, if it is the caller's to see.
    fn decided(&mut self, entry: &Entry) -> Option<Decided> {
        let decided = Decided::parse(&entry.record)?;
        match &decided {
            Decided::Call(recorded) => {
                recorded.caller.as_ref().filter(|caller| caller.tenant == self.tenant)?;
                if self.calls.len() >= WAITING {
                    self.calls.clear();
                }
                self.calls.insert(recorded.call);
            }
            Decided::Return(recorded) => {
                if !self.calls.remove(&recorded.call) {
                    return None;
                }
            }
        }
        Some(decided.or_request(|| match self.payloads.read(&entry.record) {
            Ok(Payload::Text(text)) => Some(text),
            _ => None,
        }))
    }
}

/// The decision about a call of the caller's tenant, among the records of the call.
pub(super) fn of_call(visit: &Visit, payloads: &Payloads, entries: &[Entry]) -> Option<Recorded> {
    let mut own = Own { tenant: visit.tenant(None), payloads, calls: HashSet::new() };
    entries.iter().find_map(|entry| match own.decided(entry)? {
        Decided::Call(recorded) => Some(*recorded),
        Decided::Return(_) => None,
    })
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

/// Which decisions are looked at.
struct Range {
    /// Records from this number on; the newest, if nothing is said.
    from: Option<u64>,
    since: i64,
    until: i64,
}

impl Range {
    fn new(from: Option<u64>, since: Option<&str>, until: Option<&str>) -> Result<Self, Problem> {
        let (since, until) = (moment(since)?, moment(until)?);
        Ok(Self { from, since: since.unwrap_or(i64::MIN), until: until.unwrap_or(i64::MAX) })
    }
}

/// Which records were looked at: one request looks at `auditApi.exportSize` of them at most.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Looked {
    /// The first.
    from: u64,
    /// The one after the last: where to go on.
    next: u64,
    /// How many there were in the log.
    records: u64,
}

/// An answer, and what it was made from.
#[derive(Debug, Serialize)]
pub(super) struct Answered<T> {
    #[serde(flatten)]
    answer: T,
    looked_at: Looked,
}

/// Tells `each` the decisions of a range, newest last, of as many records as one request may look at.
fn each(
    api: &Api,
    visit: &Visit,
    range: &Range,
    mut each: impl FnMut(&Decided) -> Result<(), Problem>,
) -> Result<Looked, Problem> {
    let (reader, payloads) = (Reader::open(&api.folder)?, Payloads::open(&api.folder)?);
    let records = reader.head()?.map_or(0, |head| head + 1);
    let from = range.from.unwrap_or(records.saturating_sub(api.limits.export)).min(records);
    let end = from.saturating_add(api.limits.export).min(records);
    let mut own = Own { tenant: visit.tenant(None), payloads: &payloads, calls: HashSet::new() };
    let mut next = from;
    while next < end {
        let entries = reader.since(next, CHUNK.min(end - next))?;
        let Some(last) = entries.last() else { break };
        next = last.seq + 1;
        for decided in entries.iter().filter_map(|entry| own.decided(entry)) {
            if (range.since..range.until).contains(&decided.time_us()) {
                each(&decided)?;
            }
        }
    }
    Ok(Looked { from, next, records })
}

/// A candidate, and which calls it is tried on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Trial {
    /// Text of each policy file, by name.
    files: Files,
    /// From this record on (`looked_at.next` of the answer before); the newest records, if nothing is said.
    #[serde(default)]
    from: Option<u64>,
    /// From this moment on: `2026-01-31T00:00:00Z`.
    #[serde(default)]
    since: Option<String>,
    /// Before this moment.
    #[serde(default)]
    until: Option<String>,
}

/// Decides recorded calls again under a candidate
///
/// Cedar action `ReplayPolicy`. The answer is that of `sealgate policy replay -o json`, with `looked_at`: one request looks
/// at `auditApi.exportSize` records at most, the newest, or those after `from`. Ask again with `from` for the rest.
#[utoipa::path(post, path = "/admin/v1/policies/replay", tag = "policies", request_body = Trial, responses(
    (status = 200, body = Object), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn replay(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(_none): Params<Nothing>,
    Body(trial): Body<Trial>,
) -> Result<Json<Answered<Report>>, Problem> {
    visit.may_administer(AdminAction::ReplayPolicy)?;
    let (around, seen) = (surroundings(&visit)?, visit.clone());
    let report = api.reading(move |api| {
        let range = Range::new(trial.from, trial.since.as_deref(), trial.until.as_deref())?;
        let files = candidate(trial.files);
        files.build(&around).map_err(|problems| unfit(&problems))?;
        let mut replay = Replay::new(files, Store::of(&api.folder));
        let take = |decided: &Decided| replay.take(decided).map_err(|problems| unfit(&problems));
        let looked_at = each(api, &seen, &range, take)?;
        Ok(Answered { answer: replay.finish(), looked_at })
    });
    Ok(Json(report.await?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Period {
    /// From this record on (`looked_at.next` of the answer before); the newest records, if nothing is said.
    from: Option<u64>,
    /// From this moment on: `2026-01-31T00:00:00Z`.
    since: Option<String>,
    /// Before this moment.
    until: Option<String>,
}

async fn tally(api: &Arc<Api>, visit: &Arc<Visit>, period: Period) -> Result<(Tally, Looked), Problem> {
    let seen = visit.clone();
    let tallied = api.reading(move |api| {
        let range = Range::new(period.from, period.since.as_deref(), period.until.as_deref())?;
        let mut tally = Tally::default();
        let looked_at = each(api, &seen, &range, |decided| {
            tally.add(decided);
            Ok(())
        })?;
        Ok((tally, looked_at))
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
    let (tally, looked_at) = tally(&api, &visit, period).await?;
    let (decisions, shadow) = (tally.decisions, tally.shadow);
    Ok(Json(serde_json::json!({"decisions": decisions, "shadow": shadow, "looked_at": looked_at})))
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
    /// Which records were looked at.
    looked_at: Looked,
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
    let (tally, looked_at) = tally(&api, &visit, period).await?;
    let policies = &visit.rules.policies;
    let never = policies.ids().filter(|id| !tally.matched.contains_key(*id)).map(str::to_owned);
    Ok(Json(Coverage {
        decisions: tally.decisions,
        never_matched: never.collect(),
        unnamed_tools: policies.unnamed_tools(),
        matched: tally.matched,
        looked_at,
    }))
}
