//! What is handed to others: evidence that anybody checks offline, or the records themselves.

use super::made::{Made, failed, place, sent};
use super::records::{Scope as Owned, owned};
use super::search::{allowed, problem, scope};
use crate::api::Api;
use crate::api::input::{Body, Nothing, Params};
use crate::api::problem::{Details, Problem};
use crate::api::visit::Visit;
use crate::audit::bundle::{self, What};
use crate::audit::{Error, Kind, Reader};
use crate::policy::{AdminAction, Level};
use crate::search::{self, Consistency, Mode, Query, Scope, Searcher, export};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// Calls or records that are named at once.
const NAMED: usize = 10_000;
/// Records that are read at once.
const CHUNK: u64 = 1000;
/// How long a checkpoint over the newest record is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    /// A tar with records, proofs, checkpoint, keys, query, manifest and `verify.py`.
    Bundle,
    /// The records, byte for byte, one a line.
    Ndjson,
    /// A table with a header; no cell is a formula to a spreadsheet. Takes a `query`.
    Csv,
    /// OCSF 1.8 API Activity, one event a line. Takes a `query`.
    Ocsf,
}

impl Form {
    /// The form of search's own exports.
    fn of_query(self) -> Option<export::Form> {
        match self {
            Self::Bundle => None,
            Self::Ndjson => Some(export::Form::Ndjson),
            Self::Csv => Some(export::Form::Csv),
            Self::Ocsf => Some(export::Form::Ocsf),
        }
    }
}

/// Which records: one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Selection {
    /// All records of these calls; at most 10000.
    Calls(Vec<Uuid>),
    /// All records that a query asks for, as in search, of those that the log has when the first part is asked for. Nobody
    /// looks at archived ones: `sealgate-archived` says how many there are.
    Query(String),
    /// All records between two numbers, both included: a bundle of them shows that none is missing.
    Range {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// These records; at most 10000. A bundle of them does not show that there are no others.
    Seqs(Vec<u64>),
}

/// What is to be exported.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// In which form.
    form: Form,
    /// Which records.
    select: Selection,
    /// Whose log; your own tenant's if left out.
    #[serde(default)]
    tenant: Option<String>,
    /// Of a query as `ndjson`, `csv` or `ocsf`: go on with an export. The header `sealgate-next` of the part before, or
    /// `sealgate-cursor` of one that broke off. All parts together are, byte for byte, the whole.
    #[serde(default)]
    cursor: Option<String>,
    /// With the `cursor` of a part that broke off: the number of the last record of which the whole line came.
    #[serde(default)]
    after: Option<u64>,
}

/// Records that are meant.
struct Meant {
    what: What,
    /// Records that are archived, so that nobody knows whether a query asks for them.
    archived: u64,
}

/// Whose query it is, in which form, and where it goes on.
struct Asked {
    q: String,
    form: export::Form,
    scope: Scope,
    cursor: Option<String>,
    after: Option<u64>,
}

/// Exports records
///
/// Cedar action `ExportAudit`. The export is recorded as `audit.export` before its first byte leaves. A range in which
/// there are records of other tenants is refused: it could not be complete. A query as `ndjson`, `csv` or `ocsf` comes in
/// parts of at most `auditApi.exportSize` records; each is a request of its own, with the cursor of the one before.
#[utoipa::path(post, path = "/audit/v1/exports", tag = "exports", request_body = Wanted, responses(
    (status = 200, content((Vec<u8> = "application/x-tar"), (String = "application/x-ndjson"), (String = "text/csv")),
        headers(
            ("sealgate-archived" = u64, description = "Records that are archived: a query did not look at them. 0 where records are named: of those an archived one is refused"),
            ("sealgate-cursor" = String, description = "The cursor of this part, to ask for the rest of it anew"),
            ("sealgate-next" = String, description = "The cursor of the next part; absent on the last"))),
    (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn export(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Params(_none): Params<Nothing>,
    Body(wanted): Body<Wanted>,
) -> Result<Response, Problem> {
    let tenant = visit.tenant(wanted.tenant.as_deref());
    visit.kind(Kind::AuditExport);
    let asked = match &wanted.select {
        Selection::Range { first, last } => last.saturating_sub(*first).saturating_add(1),
        Selection::Seqs(seqs) => seqs.len() as u64,
        // Of a call there are two records, mostly.
        Selection::Calls(calls) => calls.len() as u64 * 2,
        Selection::Query(_) => api.limits.export,
    };
    visit.may(AdminAction::ExportAudit, &tenant, visit.reading(asked, Level::Records))?;
    if asked > api.limits.export {
        return Err(too_many(&api));
    }
    let (form, select, id, now) = (wanted.form, wanted.select, visit.id, visit.now_us);
    let parts = form.of_query().filter(|_| matches!(select, Selection::Query(_)));
    if parts.is_none() && (wanted.cursor.is_some() || wanted.after.is_some()) {
        return Err(Problem::Malformed(
            "`cursor` and `after` take a `query` as `ndjson`, `csv` or `ocsf`".into(),
        ));
    }
    if wanted.cursor.is_none() && wanted.after.is_some() {
        return Err(Problem::Malformed("`after` takes the `cursor` of the part that broke off".into()));
    }
    let begun = wanted.cursor.as_deref().map(Searcher::part_begun).transpose();
    let begun = begun.map_err(|error| problem(&visit, &error))?.unwrap_or(now);
    let asks = match &select {
        // Words need a policy of their own, and the record does not keep them.
        Selection::Query(q) => Some(allowed(&api, &visit, &tenant, (q, (None, None), asked), begun)?),
        _ => None,
    };
    if let (Some(query), Some(form_of_query), Selection::Query(q)) = (asks.clone(), parts, &select) {
        let scope = scope(&api, &visit, &tenant);
        let asked =
            Asked { q: q.clone(), form: form_of_query, scope, cursor: wanted.cursor, after: wanted.after };
        let seen = visit.clone();
        let made = api.reading(move |api| found(api, &seen, query, &asked)).await?;
        visit.rows(made.rows);
        visit.member("export", made.note.clone());
        return Ok(sent(made, form, id));
    }
    if matches!(form, Form::Csv | Form::Ocsf) {
        return Err(Problem::Malformed("`csv` and `ocsf` take a `query`: `seq:17` or `call:ID`".into()));
    }
    let (seen, named, asking) = (visit.clone(), select.clone(), asks.clone());
    let meant = api.reading(move |api| match asking {
        Some(asks) => numbers(api, &seen, &tenant, &asks),
        None => resolved(api, &tenant, named).map(|what| Meant { what, archived: 0 }),
    });
    let meant = meant.await?;
    let query = match (&select, &asks) {
        (Selection::Query(q), Some(asks)) => {
            json!({"archived": meant.archived, "interpreted": asks.to_string(), "query": q})
        }
        (select, _) => serde_json::to_value(select).map_err(|_| Problem::Internal)?,
    };
    if form == Form::Bundle {
        signed(&api, last(&meant.what)).await?;
    }
    let made = api.reading(move |api| match form {
        Form::Bundle => bundled(api, &meant, (&query, now), id),
        Form::Ndjson | Form::Csv | Form::Ocsf => lines(api, &meant, id),
    });
    let made = made.await?;
    visit.rows(made.rows);
    visit.member("export", made.note.clone());
    Ok(sent(made, form, id))
}

/// The records that are meant, if all of them are the tenant's.
fn resolved(api: &Api, tenant: &str, select: Selection) -> Result<What, Problem> {
    let reader = Reader::open(&api.folder)?;
    let mut scope = Owned::new(api, &reader, tenant);
    let unfit = || Problem::Malformed("`select` names none, or more than 10000".into());
    match select {
        Selection::Range { first, last } if first <= last => {
            let mut next = first;
            while next <= last {
                let entries = reader.since(next, CHUNK.min(last - next + 1))?;
                if entries.first().is_none_or(|entry| entry.seq != next) {
                    return Err(Problem::NotFound("record"));
                }
                for entry in entries {
                    if !scope.has(&entry)? {
                        let why = "the range holds records of other tenants: select calls or records instead";
                        return Err(Problem::Foreign(why));
                    }
                    next = entry.seq + 1;
                }
            }
            Ok(What::Range(first, last))
        }
        Selection::Query(_) => Err(Problem::Internal),
        Selection::Range { .. } => Err(Problem::Malformed("`first` must not be larger than `last`".into())),
        Selection::Seqs(seqs) => {
            if seqs.is_empty() || seqs.len() > NAMED {
                return Err(unfit());
            }
            seqs.iter().try_for_each(|seq| owned(api, tenant, *seq).map(|_| ()))?;
            Ok(What::Selected(sorted(seqs)))
        }
        Selection::Calls(calls) => {
            if calls.is_empty() || calls.len() > NAMED {
                return Err(unfit());
            }
            let mut seqs = Vec::new();
            for call in calls {
                let entries = reader.by_call(call)?;
                if entries.is_empty() {
                    return Err(Problem::NotFound("call"));
                }
                for entry in entries {
                    if !scope.has(&entry)? {
                        return Err(Problem::NotFound("call"));
                    }
                    seqs.push(entry.seq);
                }
                if seqs.len() as u64 > api.limits.export {
                    return Err(Problem::TooMuch("the calls have too many records: name fewer".into()));
                }
            }
            Ok(What::Selected(sorted(seqs)))
        }
    }
}

/// The records of this moment that a query finds.
fn numbers(api: &Api, visit: &Visit, tenant: &str, query: &Query) -> Result<Meant, Problem> {
    let wrong = |error| problem(visit, &error);
    let snapshot = api.searcher.snapshot(Mode::Index, Consistency::Wait).map_err(wrong)?;
    let scope = scope(api, visit, tenant);
    let seqs = api.searcher.numbers(query, (&scope, Mode::Index), snapshot).map_err(wrong)?;
    if seqs.is_empty() {
        return Err(Problem::NotFound("record that the query asks for"));
    }
    if seqs.len() as u64 > api.limits.export {
        return Err(too_many(api));
    }
    let archived = api.searcher.archived(Mode::Index).map_err(wrong)?;
    Ok(Meant { what: What::Selected(seqs), archived })
}

fn too_many(api: &Api) -> Problem {
    Problem::TooMuch(format!("more than {} records (`auditApi.exportSize`): split it", api.limits.export))
}

/// What a query finds, in a form of search's own: a part of it, if it is more than may be had at once.
fn found(api: &Api, visit: &Visit, query: Query, asked: &Asked) -> Result<Made, Problem> {
    let wrong = |error: &search::Error| problem(visit, error);
    let Asked { q, form, scope, cursor, after } = asked;
    let (form, bound) = (*form, (q.as_str(), *form));
    // What has been recorded by now is in it: an auditor is not told less because the index is a moment behind.
    let consistency = if cursor.is_some() { Consistency::Eventual } else { Consistency::Wait };
    let newest = api.searcher.snapshot(Mode::Index, consistency).map_err(|e| wrong(&e))?;
    let part = match cursor {
        Some(cursor) => api.searcher.part(cursor, bound, scope).map_err(|e| wrong(&e))?,
        None => export::Part { now_us: visit.now_us, snapshot: newest, from: 0 },
    };
    // An index that is made anew may not have all of it yet.
    if part.snapshot > newest {
        return Err(wrong(&search::Error::Behind {
            wanted: part.snapshot - 1,
            indexed: newest.checked_sub(1),
        }));
    }
    let from = after.map_or(part.from, |after| part.from.max(after.saturating_add(1)));
    let path = place(api, &format!("{}.{}", visit.id, form.as_str()))?;
    let writing = fs::OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed)?;
    let file = File::open(&path).map_err(failed)?;
    fs::remove_file(&path).map_err(failed)?;
    let (mode, snapshot, most) = (Mode::Index, part.snapshot, Some(api.limits.export));
    let export = export::Export { query, mode, form, from, snapshot, most };
    let mut out = BufWriter::new(writing);
    let made = api.searcher.export(&export, scope, &mut |batch, _| {
        out.write_all(batch).map_err(|source| search::Error::File { path: path.clone(), source })
    });
    let made = made.map_err(|e| wrong(&e))?;
    out.flush().map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let sealed = |from| api.searcher.part_cursor(export::Part { from, ..part }, bound, scope);
    let archived = api.searcher.archived(mode).map_err(|e| wrong(&e))?;
    let note = json!({
        "archived": archived, "form": form.as_str(), "from": from, "next": made.next, "records": made.records,
        "selection": "query", "snapshot": snapshot,
    });
    Ok(Made {
        file,
        length,
        note,
        archived,
        rows: usize::try_from(made.records).unwrap_or(usize::MAX),
        cursors: Some((sealed(part.from), made.next.map(sealed))),
    })
}

fn sorted(mut seqs: Vec<u64>) -> Vec<u64> {
    seqs.sort_unstable();
    seqs.dedup();
    seqs
}

fn last(what: &What) -> u64 {
    match what {
        What::Range(_, last) => *last,
        What::Selected(seqs) => seqs.last().copied().unwrap_or_default(),
    }
}

/// Waits until a checkpoint covers a record.
async fn signed(api: &Api, seq: u64) -> Result<(), Problem> {
    let mut newest = api.gateway.log().checkpoints();
    let covered = newest.wait_for(|signed| signed.as_ref().is_some_and(|signed| signed.size > seq));
    match tokio::time::timeout(PATIENCE, covered).await {
        Ok(Ok(_)) => Ok(()),
        _ => Err(Problem::NotYet),
    }
}

fn bundled(api: &Api, meant: &Meant, (query, now): (&Value, i64), id: Uuid) -> Result<Made, Problem> {
    let path = place(api, &format!("sealgate-{id}.tar"))?;
    let made = bundle::write(&api.folder, &meant.what, (query, now), &path, &mut |_, _| {});
    let made = made.map_err(|error| match error {
        Error::File { source, .. } => failed(source),
        other => other.into(),
    })?;
    let file = File::open(&path).map_err(failed)?;
    fs::remove_file(&path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let note = json!({
        "archived": meant.archived, "checkpoint": made.checkpoint_size, "form": "bundle", "from": made.from,
        "manifest": made.manifest, "records": made.records, "selection": made.kind, "to": made.to,
    });
    let rows = usize::try_from(made.records).unwrap_or(usize::MAX);
    Ok(Made { file, length, note, rows, archived: meant.archived, cursors: None })
}

fn lines(api: &Api, Meant { what, archived }: &Meant, id: Uuid) -> Result<Made, Problem> {
    let path = place(api, &format!("{id}.ndjson"))?;
    let writing = fs::OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed)?;
    let file = File::open(&path).map_err(failed)?;
    fs::remove_file(&path).map_err(failed)?;
    let reader = Reader::open(&api.folder)?;
    let mut out = BufWriter::new(writing);
    let mut rows = 0;
    let mut put = |entry: &crate::audit::Entry| -> Result<(), Problem> {
        entry.leaf()?;
        rows += 1;
        out.write_all(&entry.record).and_then(|()| out.write_all(b"\n")).map_err(failed)
    };
    let (from, to) = match what {
        What::Range(first, last) => {
            let mut next = *first;
            while next <= *last {
                for entry in reader.since(next, CHUNK.min(*last - next + 1))? {
                    put(&entry)?;
                    next = entry.seq + 1;
                }
            }
            (*first, *last)
        }
        What::Selected(seqs) => {
            for seq in seqs {
                for entry in reader.since(*seq, 1)? {
                    put(&entry)?;
                }
            }
            (seqs.first().copied().unwrap_or_default(), last(what))
        }
    };
    out.flush().map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let selection = if matches!(what, What::Range(..)) { "range" } else { "selected" };
    let note = json!({
        "archived": archived, "form": "ndjson", "from": from, "records": rows, "selection": selection, "to": to,
    });
    Ok(Made { file, length, note, rows, archived: *archived, cursors: None })
}
