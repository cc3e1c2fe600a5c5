//! Records as they were written, and what was said in them.

use crate::api::Api;
use crate::api::input::{Named, Params};
use crate::api::problem::{Details, Problem};
use crate::api::visit::Visit;
use crate::audit::{Entry, Kind, Owners, Payload, Payloads, Reader, hex};
use crate::policy::{AdminAction, Level};
use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Records that are looked through for one page, so that a page always comes.
const LOOKED_THROUGH: u64 = 20_000;
/// Records that are read at once.
const CHUNK: u64 = 1000;
/// Records of one call that are shown.
const IN_CALL: usize = 10_000;

/// A record, with its place and its hash.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Hit {
    /// Its sequence number.
    pub seq: u64,
    /// SHA-256 of `0x00` and its exact bytes, hexadecimal: the leaf of the Merkle tree.
    pub leaf: String,
    /// `ok`: the bytes were read from the log and hashed for this answer.
    pub integrity: &'static str,
    /// The record, byte for byte.
    #[schema(value_type = Object)]
    pub record: Box<RawValue>,
}

impl Hit {
    /// # Errors
    /// The record is not what was written.
    pub(super) fn of(entry: &Entry) -> Result<Self, Problem> {
        let leaf = entry.leaf()?;
        let text = std::str::from_utf8(&entry.record).map_err(|_| Problem::Tampered(entry.seq))?;
        let record = RawValue::from_string(text.to_owned()).map_err(|_| Problem::Tampered(entry.seq))?;
        Ok(Self { seq: entry.seq, leaf: hex(&leaf), integrity: "ok", record })
    }
}

/// Whose records are shown.
pub(super) struct Scope<'r> {
    owners: Owners<'r>,
    tenant: String,
    /// Whether the gateway's own records are among them.
    operator: bool,
}

impl<'r> Scope<'r> {
    pub(super) fn new(api: &Api, reader: &'r Reader, tenant: &str) -> Self {
        let operator = tenant == api.limits.operator_tenant;
        Self { owners: Owners::new(reader), tenant: tenant.to_owned(), operator }
    }

    /// Whether a record belongs to the tenant.
    pub(super) fn has(&mut self, entry: &Entry) -> Result<bool, Problem> {
        Ok(match self.owners.of(entry)? {
            Some(owner) => owner == self.tenant,
            None => self.operator,
        })
    }
}

/// Which way a list goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    #[default]
    Desc,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// Where to go on: `next` of the page before. A sequence number: the first that is looked at.
    cursor: Option<u64>,
    /// Most records on the page; the gateway has a bound of its own (`auditApi.pageSize`).
    #[param(minimum = 1)]
    limit: Option<u64>,
    /// `desc` (newest first) or `asc`.
    #[param(inline)]
    order: Option<Order>,
    /// Only records of this kind, such as `call.denied`.
    kind: Option<String>,
    /// Whose log; your own tenant's if left out.
    tenant: Option<String>,
}

/// A page of records.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Records {
    /// The records.
    hits: Vec<Hit>,
    /// The cursor of the next page; null at the end. A page may be empty and have a next one.
    next: Option<u64>,
}

/// Lists records
///
/// Cedar action `ReadRecord`. In the order of their sequence numbers; for anything else there is search.
#[utoipa::path(get, path = "/audit/v1/records", tag = "records", params(Page), responses(
    (status = 200, body = Records), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(page): Params<Page>,
) -> Result<Json<Records>, Problem> {
    let tenant = visit.tenant(page.tenant.as_deref());
    let limit = page.limit.unwrap_or(100).clamp(1, api.limits.page);
    visit.param("cursor", page.cursor);
    visit.param("kind", page.kind.as_deref());
    visit.param("limit", limit);
    visit.may(AdminAction::ReadRecord, &tenant, visit.reading(limit, Level::Records))?;
    let kind = match page.kind.as_deref() {
        Some(name) => {
            Some(Kind::parse(name).ok_or_else(|| Problem::Malformed("`kind` is no kind of record".into()))?)
        }
        None => None,
    };
    let records = api.reading(move |api| paged(api, &tenant, &page, (kind, limit))).await?;
    visit.rows(records.hits.len());
    Ok(Json(records))
}

fn paged(
    api: &Api,
    tenant: &str,
    page: &Page,
    (kind, limit): (Option<Kind>, u64),
) -> Result<Records, Problem> {
    let reader = Reader::open(&api.folder)?;
    let mut scope = Scope::new(api, &reader, tenant);
    let ascending = page.order.unwrap_or_default() == Order::Asc;
    let mut hits = Vec::new();
    let mut next = page.cursor;
    let mut looked_through = 0;
    loop {
        let chunk = CHUNK.min(LOOKED_THROUGH - looked_through);
        let entries = match (ascending, next) {
            (true, from) => reader.since(from.unwrap_or(0), chunk)?,
            (false, from) => reader.before(from.map_or(u64::MAX, |seq| seq.saturating_add(1)), chunk)?,
        };
        if entries.is_empty() {
            return Ok(Records { hits, next: None });
        }
        for entry in entries {
            looked_through += 1;
            let following = if ascending { entry.seq.checked_add(1) } else { entry.seq.checked_sub(1) };
            if kind.is_none_or(|kind| entry.kind() == Some(kind)) && scope.has(&entry)? {
                hits.push(Hit::of(&entry)?);
            }
            next = following;
            let full = u64::try_from(hits.len()).unwrap_or(u64::MAX) >= limit;
            if next.is_none() || full || looked_through >= LOOKED_THROUGH {
                return Ok(Records { hits, next });
            }
        }
    }
}

/// Shows one record
///
/// Cedar action `ReadRecord`.
#[utoipa::path(get, path = "/audit/v1/records/{seq}", tag = "records", params(("seq" = u64, Path, description = "Its sequence number."), Of),
    responses((status = 200, body = Hit), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn one(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Named(seq): Named<u64>,
    Params(of): Params<Of>,
) -> Result<Json<Hit>, Problem> {
    let tenant = visit.tenant(of.tenant.as_deref());
    visit.param("seq", seq);
    visit.may(AdminAction::ReadRecord, &tenant, visit.reading(1, Level::Records))?;
    let hit = api.reading(move |api| Hit::of(&owned(api, &tenant, seq)?)).await?;
    visit.rows(1);
    Ok(Json(hit))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Of {
    /// Whose log; your own tenant's if left out.
    pub tenant: Option<String>,
}

/// A record, if it belongs to the tenant: one of another tenant looks like one that does not exist.
pub(super) fn owned(api: &Api, tenant: &str, seq: u64) -> Result<Entry, Problem> {
    let reader = Reader::open(&api.folder)?;
    let found = reader.since(seq, 1)?.into_iter().find(|entry| entry.seq == seq);
    let entry = found.ok_or(Problem::NotFound("record"))?;
    if Scope::new(api, &reader, tenant).has(&entry)? { Ok(entry) } else { Err(Problem::NotFound("record")) }
}

/// All records of one call.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OfCall {
    /// Its id.
    call: Uuid,
    /// Its records, oldest first: the decision, questions and answers, the outcome, and what was said about it since.
    hits: Vec<Hit>,
    /// Whether there are more than are shown.
    truncated: bool,
}

/// Shows all records of one call
///
/// Cedar action `ReadRecord`.
#[utoipa::path(get, path = "/audit/v1/calls/{call}", tag = "records", params(("call" = Uuid, Path, description = "The call's id."), Of),
    responses((status = 200, body = OfCall), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn call(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Named(id): Named<Uuid>,
    Params(of): Params<Of>,
) -> Result<Json<OfCall>, Problem> {
    let tenant = visit.tenant(of.tenant.as_deref());
    visit.param("call", id.to_string());
    visit.may(AdminAction::ReadRecord, &tenant, visit.reading(api.limits.page, Level::Records))?;
    let call = api.reading(move |api| of_call(api, &tenant, id)).await?;
    visit.rows(call.hits.len());
    Ok(Json(call))
}

fn of_call(api: &Api, tenant: &str, id: Uuid) -> Result<OfCall, Problem> {
    let reader = Reader::open(&api.folder)?;
    let mut scope = Scope::new(api, &reader, tenant);
    let mut hits = Vec::new();
    let entries = reader.by_call(id)?;
    for entry in &entries {
        if scope.has(entry)? {
            hits.push(Hit::of(entry)?);
        }
        if hits.len() >= IN_CALL {
            break;
        }
    }
    if hits.is_empty() {
        return Err(Problem::NotFound("call"));
    }
    Ok(OfCall { call: id, truncated: hits.len() < entries.len() && hits.len() >= IN_CALL, hits })
}

/// What was said, after redaction.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Said {
    /// The record that names it.
    seq: u64,
    /// `ok`, `none` (the record names none), `erased`, `expired`, `missing` or `altered`.
    #[schema(example = "ok")]
    state: &'static str,
    /// The text, exactly as it was sealed; only where `state` is `ok`.
    payload: Option<String>,
}

/// Shows what was said in one record
///
/// Cedar action `ReadPayload`. The reading is recorded as `payload.read`.
#[utoipa::path(get, path = "/audit/v1/records/{seq}/payload", tag = "payloads", params(("seq" = u64, Path, description = "The record's sequence number."), Of),
    responses((status = 200, body = Said), (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn payload(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Named(seq): Named<u64>,
    Params(of): Params<Of>,
) -> Result<Json<Said>, Problem> {
    let tenant = visit.tenant(of.tenant.as_deref());
    visit.kind(Kind::PayloadRead);
    visit.param("seq", seq);
    visit.may(AdminAction::ReadPayload, &tenant, visit.reading(1, Level::Payloads))?;
    let said = api.reading(move |api| {
        let entry = owned(api, &tenant, seq)?;
        entry.leaf()?;
        let payload = Payloads::open(&api.folder)?.read(&entry.record)?;
        let state = payload.state();
        let text = if let Payload::Text(text) = payload { Some(text) } else { None };
        Ok(Said { seq, state, payload: text })
    });
    let said = said.await?;
    visit.rows(usize::from(said.payload.is_some()));
    Ok(Json(said))
}
