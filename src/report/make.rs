//! Making a report: the log is verified, each query asked, each sample hashed again.

use super::{Error, Pack};
use crate::audit::tree::Prover;
use crate::audit::{Verdict, verify};
use crate::search::{Mode, Query, Request, Scope, Searcher};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Records that are named for each query.
const SAMPLES: usize = 5;
/// What every report says of itself.
const CLAIM: &str = "This report says what was checked in the log named above and what was found. It does not say that \
                     anybody complies with anything; that is for an auditor to judge.";

/// What a report is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// From this time on, as in `created:>=`.
    pub from: String,
    /// Until before this time.
    pub to: String,
    /// By the index, or by reading the whole log for each query.
    pub mode: Mode,
    /// Now, in microseconds since the Unix epoch.
    pub now_us: i64,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The pack's title.
    pub title: String,
    /// The log's origin.
    pub log: String,
    /// The period, as it was understood.
    pub period: String,
    /// When the report was made, RFC 3339.
    pub made: String,
    /// Whether the whole log is what was signed.
    pub integrity: Integrity,
    /// What of the log lies in the period.
    pub coverage: Coverage,
    /// The controls.
    pub controls: Vec<Shown>,
    /// How the records were found.
    pub mode: Mode,
    /// The newest checkpoint, a signed note.
    pub checkpoint: Option<String>,
    /// What the report does not say.
    pub claim: String,
}

/// The verdict over the whole log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Integrity {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// Records that were hashed again.
    pub records: u64,
    /// Records that are archived: their hashes were checked, their bytes were not asked for anything below.
    pub archived: u64,
    /// Missing or doubled numbers.
    pub gaps: u64,
    /// Checkpoints that were compared.
    pub checkpoints: u64,
    /// Records under the newest of them.
    pub under_checkpoint: Option<u64>,
    /// What is wrong.
    pub breaks: Vec<String>,
}

/// What of the log lies in the period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The first record's number.
    pub first: Option<u64>,
    /// The last record's number.
    pub last: Option<u64>,
    /// Records.
    pub records: u64,
    /// Calls: forwarded, answered from the catalog, and denied.
    pub calls: u64,
    /// Calls whose end is not known.
    pub unknown_ends: u64,
    /// Times when the log could not be written.
    pub outages: u64,
}

/// A control, and what was found for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Its number in the standard.
    pub id: String,
    /// What it asks for.
    pub asks: String,
    /// What was found.
    pub evidence: Vec<Evidence>,
}

/// What a query found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What it looks for.
    pub name: String,
    /// The query as it was understood, with the period.
    pub query: String,
    /// How many records.
    pub records: u64,
    /// The newest of them: number and hash.
    pub newest: Vec<(u64, String)>,
}

/// Makes a report about the log in `folder`. `progress` hears how much of the log is verified.
///
/// # Errors
/// A query of the pack cannot be read, or the log or its index cannot.
pub fn make(
    folder: &Path,
    (pack, asked): (&Pack, &Asked),
    searcher: &Searcher,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, Error> {
    // Before the log is read: a pack that cannot be asked is no reason to wait.
    for control in &pack.controls {
        for saved in &control.evidence {
            Query::parse(&saved.q, asked.now_us).map_err(|why| Error::Saved {
                control: control.id.clone(),
                name: saved.name.clone(),
                why,
            })?;
        }
    }
    let verdict = verify(folder, progress)?;
    let prover = Prover::open(folder)?;
    let ask = |q: &str| ask(searcher, asked, q);
    let (records, newest, period) = ask("")?;
    let shown = |control: &super::Control| -> Result<Shown, Error> {
        let evidence = control.evidence.iter().map(|saved| {
            let (records, newest, query) = ask(&saved.q)?;
            Ok(Evidence { name: saved.name.clone(), query, records, newest })
        });
        let evidence = evidence.collect::<Result<_, Error>>()?;
        Ok(Shown { id: control.id.clone(), asks: control.asks.clone(), evidence })
    };
    Ok(Report {
        title: pack.title.clone(),
        log: prover.origin()?,
        period,
        made: jiff::Timestamp::from_microsecond(asked.now_us).map(|at| at.to_string()).unwrap_or_default(),
        coverage: Coverage {
            first: first(searcher, asked)?,
            last: newest.first().map(|(seq, _)| *seq),
            records,
            calls: ask("kind:in(call.intent, call.answered, call.denied)")?.0,
            unknown_ends: ask("kind:call.indeterminate")?.0,
            outages: ask("kind:audit.failure")?.0,
        },
        integrity: integrity(&verdict),
        controls: pack.controls.iter().map(shown).collect::<Result<_, _>>()?,
        mode: asked.mode,
        checkpoint: prover.checkpoint()?.map(|signed| signed.note),
        claim: CLAIM.to_owned(),
    })
}

/// How many records a query finds in the period, the newest of them, and how it was understood.
type Found = (u64, Vec<(u64, String)>, String);

fn ask(searcher: &Searcher, asked: &Asked, q: &str) -> Result<Found, Error> {
    let request = Request {
        q: q.to_owned(),
        from: Some(asked.from.clone()),
        to: Some(asked.to.clone()),
        limit: Some(SAMPLES),
        mode: asked.mode,
        ..Request::default()
    };
    let answer = searcher.search(&request, &Scope::default())?;
    let newest = answer.hits.into_iter().map(|hit| (hit.seq, hit.leaf)).collect();
    Ok((answer.total.value, newest, answer.interpreted))
}

fn first(searcher: &Searcher, asked: &Asked) -> Result<Option<u64>, Error> {
    let period = searcher.period(&asked.from, &asked.to)?;
    let snapshot = searcher.snapshot(asked.mode, crate::search::Consistency::Wait)?;
    Ok(searcher.first(&period, asked.mode, snapshot)?)
}

fn integrity(verdict: &Verdict) -> Integrity {
    let text = |b: &crate::audit::Break| {
        let at = b.seq.map(|seq| format!(" at record {seq}")).unwrap_or_default();
        format!("{}{at}: {}", b.kind, b.detail)
    };
    let archived = verdict.archived.iter().map(|one| one.absent).sum();
    Integrity {
        ok: verdict.ok,
        records: verdict.records.saturating_sub(archived),
        archived,
        gaps: verdict.breaks.iter().filter(|b| b.kind == "gap").count() as u64,
        checkpoints: verdict.checkpoints,
        under_checkpoint: verdict.checkpoint,
        breaks: verdict.breaks.iter().map(text).collect(),
    }
}
