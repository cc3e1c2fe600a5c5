//! Search and counts, for whoever may see the records of a tenant.

use super::records::Hit;
use crate::api::Api;
use crate::api::input::{Body, Nothing, Params};
use crate::api::problem::{Details, Problem};
use crate::api::visit::Visit;
use crate::policy::{AdminAction, Level, Reading};
use crate::search::query::{Node, Test};
use crate::search::{
    self, AggregateRequest, Aggregates, Aggregation, Answer, Consistency, Mode, PAGE, Query, Request, Scope,
};
use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// What to look for: `actor:alice tool:crm_* latency:>2s -server:mail "drop table"`; everything if left out.
    #[serde(default)]
    #[param(required = false)]
    q: String,
    /// Recorded at or after this time: `2026-11-01`, `2026-11-01T10:00:00Z` or `-24h`.
    from: Option<String>,
    /// Recorded before this time.
    to: Option<String>,
    /// Hits on a page, 1 to 500.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    /// Fields whose values are counted, with commas between them.
    facets: Option<String>,
    /// `index`, or `scan`: trust nothing but the log, and read all of it.
    mode: Option<String>,
    /// `eventual`, `wait` (for all that is in the log now) or `wait:SEQ`.
    consistency: Option<String>,
    /// Oldest first, only what came after the cursor: for whoever asks again and again.
    follow: Option<bool>,
    /// Whose log; your own tenant's if left out.
    tenant: Option<String>,
}

/// A page of hits, newest first. Its members are those of `sealgate audit search -o json`.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "it tells the document what `search::Answer` looks like")]
pub(super) struct Found {
    /// How the query was understood.
    interpreted: String,
    /// How many records there are on all pages: `value`, and `relation`, which is `eq` or `gte`.
    #[schema(value_type = Object)]
    total: (),
    /// The hits. Each was read from the log and hashed again.
    hits: Vec<Hit>,
    /// Counts by value of each field that was asked for, most frequent first.
    #[schema(value_type = Option<Object>)]
    facets: (),
    /// The cursor of the next page, if there is one.
    #[schema(required = true)]
    next: Option<String>,
    /// Records that were searched: those with smaller numbers. The same on all pages.
    snapshot: u64,
    /// `index` or `scan`.
    mode: String,
    /// How far the index is behind the log: `indexed_through`, `log_head`, `records`, `ms`.
    #[schema(value_type = Object)]
    lag: (),
    /// Records under the newest checkpoint.
    #[schema(required = true)]
    checkpoint: Option<u64>,
    /// Records that are archived: nobody looked at them.
    archived: u64,
}

/// Searches the log
///
/// Cedar action `SearchAudit`; `context.reading` tells period, rows, and as level `payloads` if words are looked for.
/// The query is recorded without its words.
#[utoipa::path(get, path = "/audit/v1/search", tag = "records", params(Asked), responses(
    (status = 200, body = Found), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn search(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(asked): Params<Asked>,
) -> Result<Json<Answer>, Problem> {
    let tenant = visit.tenant(asked.tenant.as_deref());
    let rows = asked.limit.unwrap_or(PAGE) as u64;
    let times = (asked.from.as_deref(), asked.to.as_deref());
    allowed(&api, &visit, &tenant, (&asked.q, times, rows), visit.now_us)?;
    let word = |what: &str| Problem::Malformed(format!("`{what}` is none: see `/audit/v1/openapi.json`"));
    let request = Request {
        mode: match asked.mode.as_deref() {
            None | Some("index") => Mode::Index,
            Some("scan") => Mode::Scan,
            Some(_) => return Err(word("mode")),
        },
        consistency: match asked.consistency {
            Some(text) => text.parse::<Consistency>().map_err(|_| word("consistency"))?,
            None => Consistency::default(),
        },
        q: asked.q,
        from: asked.from,
        to: asked.to,
        limit: asked.limit,
        cursor: asked.cursor,
        facets: asked
            .facets
            .iter()
            .flat_map(|facets| facets.split(',').map(str::trim).map(str::to_owned))
            .filter(|field| !field.is_empty())
            .collect(),
        follow: asked.follow.unwrap_or(false),
    };
    let (scope, seen) = (scope(&api, &visit, &tenant), visit.clone());
    let answer =
        api.reading(move |api| api.searcher.search(&request, &scope).map_err(|error| problem(&seen, &error)));
    let answer = answer.await?;
    visit.rows(answer.hits.len());
    visit.member("found", answer.total.value.into());
    Ok(Json(answer))
}

/// What is to be counted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Counting {
    /// Of which records: a query as in search; of all if left out.
    #[serde(default)]
    q: String,
    /// Recorded at or after this time.
    #[serde(default)]
    from: Option<String>,
    /// Recorded before this time.
    #[serde(default)]
    to: Option<String>,
    /// What to count, each under a name of your own; 1 to 10: `{"terms": {"field", "size"}}`,
    /// `{"date_histogram": {"interval", "by"}}`, `{"percentiles": {"field", "percents"}}` or
    /// `{"cardinality": {"field"}}`.
    #[schema(value_type = BTreeMap<String, Object>)]
    aggregations: BTreeMap<String, Aggregation>,
    /// `index` or `scan`.
    #[serde(default)]
    #[schema(value_type = String)]
    mode: Mode,
    /// `eventual`, `wait` or `wait:SEQ`.
    #[serde(default)]
    #[schema(value_type = String)]
    consistency: Consistency,
    /// Whose log; your own tenant's if left out.
    #[serde(default)]
    tenant: Option<String>,
}

/// What was counted.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "it tells the document what `search::Aggregates` looks like")]
pub(super) struct Counted {
    /// How the query was understood.
    interpreted: String,
    /// How many records were counted: `value`, and `relation`, which is `eq` or `gte`.
    #[schema(value_type = Object)]
    total: (),
    /// By the names of the request.
    #[schema(value_type = Object)]
    aggregations: (),
    /// Records that were searched: those with smaller numbers.
    snapshot: u64,
    /// `index` or `scan`.
    mode: String,
    /// How far the index is behind the log.
    #[schema(value_type = Object)]
    lag: (),
    /// Records under the newest checkpoint.
    #[schema(required = true)]
    checkpoint: Option<u64>,
    /// Records that are archived: nobody looked at them.
    archived: u64,
}

/// Counts records
///
/// Cedar action `SearchAudit`, with no rows.
#[utoipa::path(post, path = "/audit/v1/aggregate", tag = "records", request_body = Counting, responses(
    (status = 200, body = Counted), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn aggregate(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(_none): Params<Nothing>,
    Body(counting): Body<Counting>,
) -> Result<Json<Aggregates>, Problem> {
    let tenant = visit.tenant(counting.tenant.as_deref());
    let times = (counting.from.as_deref(), counting.to.as_deref());
    allowed(&api, &visit, &tenant, (&counting.q, times, 0), visit.now_us)?;
    let Counting { q, from, to, aggregations, mode, consistency, .. } = counting;
    let request = AggregateRequest { q, from, to, aggregations, mode, consistency };
    let (scope, seen) = (scope(&api, &visit, &tenant), visit.clone());
    let answer = api
        .reading(move |api| api.searcher.aggregate(&request, &scope).map_err(|error| problem(&seen, &error)));
    let answer = answer.await?;
    visit.member("found", answer.total.value.into());
    Ok(Json(answer))
}

/// Asks policy about a search, notes the query without its words, and then says whether it can be read at all.
pub(super) fn allowed(
    api: &Api,
    visit: &Visit,
    tenant: &str,
    (q, (from, to), rows): (&str, (Option<&str>, Option<&str>), u64),
    now_us: i64,
) -> Result<Query, Problem> {
    let read = api.searcher.understand_at(q, now_us);
    let words = read.as_ref().is_ok_and(|query| query.node.asks_for_texts());
    let moment = |time: Option<&str>| time.and_then(|time| moment(api, time));
    let reading = Reading {
        from_us: moment(from).unwrap_or(0),
        to_us: moment(to).unwrap_or(visit.now_us),
        rows,
        level: if words { Level::Payloads } else { Level::Records },
    };
    if let Ok(query) = &read {
        visit.param("q", query.without_words());
    }
    visit.param("from", from);
    visit.param("to", to);
    visit.param("limit", rows);
    visit.may(AdminAction::SearchAudit, tenant, reading)?;
    read.map_err(|error| problem(visit, &error))
}

/// A time as queries write it, in microseconds since the Unix epoch.
fn moment(api: &Api, time: &str) -> Option<i64> {
    let query = api.searcher.understand(&format!("created:>=\"{}\"", time.replace(['"', '\\'], "")));
    match query.ok()?.node {
        Node::Is(_, Test::Within { from, .. }) => from,
        _ => None,
    }
}

/// What a reader may see, and whose cursors theirs are.
pub(super) fn scope(api: &Api, visit: &Visit, tenant: &str) -> Scope {
    Scope {
        reader: visit.person(),
        tenants: Some(vec![tenant.to_owned()]),
        ownerless: tenant == api.limits.operator_tenant,
    }
}

/// What cannot be searched. What was written is told only after redaction.
pub(super) fn problem(visit: &Visit, error: &search::Error) -> Problem {
    let clean = |text: &str| visit.rules.inspector.redact_text(text).into_owned();
    match error {
        search::Error::Query(misread) => Problem::Query {
            detail: clean(&misread.what),
            more: Map::from_iter([
                ("position".to_owned(), json!(misread.at)),
                ("length".to_owned(), json!(misread.length)),
                (
                    "suggestion".to_owned(),
                    misread.suggestion.as_deref().map(clean).map_or(Value::Null, Value::from),
                ),
            ]),
        },
        search::Error::NoField { guess, .. } => Problem::Query {
            detail: clean(&error.to_string()),
            more: Map::from_iter([("suggestion".to_owned(), json!(guess))]),
        },
        search::Error::Behind { .. } | search::Error::Missing | search::Error::Busy => {
            Problem::Index(error.to_string())
        }
        search::Error::Forged(seq) => Problem::Tampered(*seq),
        search::Error::Log(crate::audit::Error::Altered(seq) | crate::audit::Error::Contradicted(seq)) => {
            Problem::Tampered(*seq)
        }
        asker if asker.is_askers() => Problem::Query { detail: clean(&asker.to_string()), more: Map::new() },
        other => {
            tracing::error!("the log cannot be searched: {other}");
            Problem::Unavailable
        }
    }
}
