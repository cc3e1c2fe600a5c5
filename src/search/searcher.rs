//! Answering: by the index or without it, and never with a record that was not read and hashed again.

use super::Error;
use super::cursor::{Cursor, Sealer};
use super::field::Field;
use super::gathered::{Gathered, Order, Wanted};
use super::index::{Shelf, View};
use super::query::{Node, Query, Test};
use super::request::{
    AggregateRequest, Aggregates, Answer, Consistency, Hit, Lag, MOST_HITS, Mode, PAGE, Relation, Request,
    Scope, Total,
};
use super::scan::scan;
use super::source::{Found, Source, Texts};
use super::tally::{self, Aggregated, Aggregation};
use crate::audit::tree::Prover;
use crate::audit::{Payload, hex};
use crate::clock::Clock;
use serde::Serialize;
use serde_json::value::RawValue;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the index may take to reach a record that is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often is looked whether it has.
const LOOK: Duration = Duration::from_millis(10);
/// Most facets, and most aggregations.
const MOST_COUNTS: usize = 10;
/// Records that are looked up at once when all are wanted.
const AT_ONCE: usize = 10_000;
/// Records that are scanned at once when all are wanted; not more than are looked up at once.
const STRETCH: u64 = 8192;
/// Connections to the log that are kept open.
const IDLE: usize = 4;

/// Answers questions about the log of one data folder. Blocks; may be shared by threads.
#[derive(Debug)]
pub struct Searcher {
    folder: PathBuf,
    clock: Clock,
    sealer: Sealer,
    shelf: Mutex<Shelf>,
    idle: Mutex<Vec<Source>>,
}

/// The state of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IndexStatus {
    /// Whether there is one.
    pub exists: bool,
    /// How far it is behind the log.
    pub lag: Lag,
    /// Its segments.
    pub segments: usize,
    /// Size of its files, in bytes.
    pub bytes: u64,
}

impl Searcher {
    /// Opens the log and the index in `folder`.
    ///
    /// # Errors
    /// There is no log, or it cannot be read.
    pub fn open(folder: &Path, clock: Clock) -> Result<Self, Error> {
        let first = Source::open(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            clock,
            sealer: Sealer::open(folder)?,
            shelf: Mutex::new(Shelf::new(folder)),
            idle: Mutex::new(vec![first]),
        })
    }

    /// Finds records.
    ///
    /// # Errors
    /// [`Error::is_askers`] tells whether the request is wrong, or log or index are.
    pub fn search(&self, request: &Request, scope: &Scope) -> Result<Answer, Error> {
        let limit = request.limit.unwrap_or(PAGE);
        if !(1..=MOST_HITS).contains(&limit) {
            return Err(Error::Limit);
        }
        let counts = facets(&request.facets)?;
        let now_us = match &request.cursor {
            Some(cursor) => Sealer::peek_now(cursor)?,
            None => self.clock.now_us(),
        };
        let asked = understood((&request.q, &request.from, &request.to), now_us)?;
        let order = if request.follow { Order::Oldest } else { Order::Newest };
        let bound = bound(&asked, order, scope);
        let cursor =
            request.cursor.as_ref().map(|cursor| self.sealer.open_cursor(cursor, &bound)).transpose()?;
        let node = within(&asked.node, scope);
        self.with_source(|source| {
            let (view, end) = self.view(request.mode, request.consistency, source)?;
            let snapshot = match (cursor, order) {
                (Some(cursor), Order::Newest) if cursor.snapshot > end => {
                    return Err(Error::Behind { wanted: cursor.snapshot - 1, indexed: end.checked_sub(1) });
                }
                (Some(cursor), Order::Newest) => cursor.snapshot,
                _ => end,
            };
            let last = cursor.map(|cursor| cursor.last);
            let wanted = Wanted {
                node: &node,
                snapshot,
                order,
                before: last.filter(|_| order == Order::Newest),
                after: if order == Order::Oldest {
                    Some(last.unwrap_or(snapshot.saturating_sub(1)))
                } else {
                    None
                },
                limit: limit + 1,
                counts: &counts,
            };
            let mut gathered = gather(view.as_ref(), source, &wanted)?;
            let more = gathered.seqs.len() > limit;
            gathered.seqs.truncate(limit);
            let end_of_page = gathered.seqs.last().copied();
            let next = match order {
                Order::Newest => end_of_page.filter(|_| more),
                Order::Oldest if more => end_of_page,
                Order::Oldest => Some(wanted.after.unwrap_or(0).max(snapshot.saturating_sub(1))),
            };
            let next = next.map(|last| self.sealer.seal(Cursor { now_us, snapshot, last }, &bound));
            let hits = hits(source, &gathered.seqs, &node)?;
            let facets = counts.iter().zip(gathered.tallies).filter_map(|(count, tally)| {
                match (count, tally.finish(count)) {
                    (Aggregation::Terms { field, .. }, Aggregated::Terms { buckets, .. }) => {
                        Some((*field, buckets))
                    }
                    _ => None,
                }
            });
            Ok(Answer {
                interpreted: asked.to_string(),
                total: Total { value: gathered.total, relation: Relation::Eq },
                hits,
                facets: facets.collect(),
                next,
                snapshot,
                mode: request.mode,
                lag: self.lag(view.as_ref(), source)?,
                checkpoint: self.checkpoint()?,
                archived: gathered.archived,
            })
        })
    }

    /// Counts records.
    ///
    /// # Errors
    /// [`Error::is_askers`] tells whether the request is wrong, or log or index are.
    pub fn aggregate(&self, request: &AggregateRequest, scope: &Scope) -> Result<Aggregates, Error> {
        if request.aggregations.is_empty() || request.aggregations.len() > MOST_COUNTS {
            return Err(Error::Counts(MOST_COUNTS));
        }
        let counts: Vec<Aggregation> = request.aggregations.values().cloned().collect();
        counts.iter().try_for_each(tally::check)?;
        let asked = understood((&request.q, &request.from, &request.to), self.clock.now_us())?;
        let node = within(&asked.node, scope);
        self.with_source(|source| {
            let (view, snapshot) = self.view(request.mode, request.consistency, source)?;
            let order = Order::Newest;
            let wanted =
                Wanted { node: &node, snapshot, order, before: None, after: None, limit: 0, counts: &counts };
            let gathered = gather(view.as_ref(), source, &wanted)?;
            let finished = counts.iter().zip(gathered.tallies).map(|(count, tally)| tally.finish(count));
            Ok(Aggregates {
                interpreted: asked.to_string(),
                total: Total { value: gathered.total, relation: Relation::Eq },
                aggregations: request.aggregations.keys().cloned().zip(finished).collect(),
                snapshot,
                mode: request.mode,
                lag: self.lag(view.as_ref(), source)?,
                checkpoint: self.checkpoint()?,
                archived: gathered.archived,
            })
        })
    }

    /// All records that a query asks for, oldest first, from `from` on, of those with numbers below `snapshot`; each
    /// hashed again.
    pub(super) fn each(
        &self,
        (query, scope, mode): (&Query, &Scope, Mode),
        (from, snapshot): (u64, u64),
        take: &mut dyn FnMut(Found) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let node = within(&query.node, scope);
        let mut source = Source::open(&self.folder)?;
        let mut after = from.checked_sub(1);
        loop {
            let view = self.look(mode)?;
            // Somebody may make it anew meanwhile: then it has only a part.
            let indexed = view.as_ref().map_or(Ok(snapshot), View::end)?;
            if let Some(wanted) = snapshot.checked_sub(1).filter(|wanted| *wanted >= indexed) {
                return Err(Error::Behind { wanted, indexed: indexed.checked_sub(1) });
            }
            // Without an index stretch by stretch, so that it is one pass over the log.
            let stretch = after.map_or(0, |after| after + 1).saturating_add(STRETCH);
            let end = if view.is_some() { snapshot } else { stretch.min(snapshot) };
            let wanted = Wanted {
                node: &node,
                snapshot: end,
                order: Order::Oldest,
                before: None,
                after,
                limit: AT_ONCE,
                counts: &[],
            };
            let seqs = gather(view.as_ref(), &mut source, &wanted)?.seqs;
            for seqs in seqs.chunks(MOST_HITS) {
                checked(&mut source, seqs, &node)?.into_iter().try_for_each(&mut *take)?;
            }
            match seqs.last() {
                Some(last) if seqs.len() == AT_ONCE => after = Some(*last),
                _ if end >= snapshot => return Ok(()),
                _ => after = end.checked_sub(1),
            }
        }
    }

    /// A query as it is understood now, for [`Searcher::export`].
    ///
    /// # Errors
    /// It cannot be read.
    pub fn understand(&self, q: &str) -> Result<Query, Error> {
        self.understand_at(q, self.clock.now_us())
    }

    /// A query as it was understood at a time, in microseconds since the Unix epoch.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn understand_at(&self, q: &str, now_us: i64) -> Result<Query, Error> {
        Ok(Query::parse(q, now_us)?)
    }

    /// The query for a period, as it is understood now.
    ///
    /// # Errors
    /// A time cannot be read.
    pub fn period(&self, from: &str, to: &str) -> Result<Query, Error> {
        understood(("", &Some(from.to_owned()), &Some(to.to_owned())), self.clock.now_us())
    }

    /// The number of the first record that a query asks for, of those with numbers below `snapshot`.
    ///
    /// # Errors
    /// Log or index cannot be read.
    pub fn first(&self, query: &Query, mode: Mode, snapshot: u64) -> Result<Option<u64>, Error> {
        let order = Order::Oldest;
        let wanted =
            Wanted { node: &query.node, snapshot, order, before: None, after: None, limit: 1, counts: &[] };
        let view = self.look(mode)?;
        self.with_source(|source| Ok(gather(view.as_ref(), source, &wanted)?.seqs.first().copied()))
    }

    /// Records that an answer looks at now: all with smaller numbers.
    ///
    /// # Errors
    /// The index is not there, or too far behind.
    pub fn snapshot(&self, mode: Mode, consistency: Consistency) -> Result<u64, Error> {
        self.with_source(|source| self.view(mode, consistency, source).map(|(_, end)| end))
    }

    /// The numbers of all records that a query asks for, oldest first, of those with numbers below `snapshot`.
    ///
    /// # Errors
    /// Log or index cannot be read, or a record is not what its hash says.
    pub fn numbers(
        &self,
        query: &Query,
        (scope, mode): (&Scope, Mode),
        snapshot: u64,
    ) -> Result<Vec<u64>, Error> {
        let mut numbers = Vec::new();
        self.each((query, scope, mode), (0, snapshot), &mut |found| {
            numbers.push(found.seq);
            Ok(())
        })?;
        Ok(numbers)
    }

    /// Records that are archived (`docs/archive.md`): no answer knows whether they are what is asked for.
    ///
    /// # Errors
    /// Log or index cannot be read, or the index is not there.
    pub fn archived(&self, mode: Mode) -> Result<u64, Error> {
        let view = self.look(mode)?;
        self.with_source(|source| view.map_or_else(|| source.archived(), |view| view.archived()))
    }

    /// The state of the index.
    ///
    /// # Errors
    /// Log or index cannot be read.
    pub fn status(&self) -> Result<IndexStatus, Error> {
        self.with_source(|source| {
            let view = self.shelf().view()?;
            let lag = self.lag(view.as_ref(), source)?;
            let bytes = size_of(&super::index::folder(&self.folder));
            Ok(IndexStatus {
                exists: view.is_some(),
                lag,
                segments: view.as_ref().map_or(0, View::segments),
                bytes,
            })
        })
    }

    pub(super) fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_source<T>(&self, ask: impl FnOnce(&mut Source) -> Result<T, Error>) -> Result<T, Error> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let mut source = kept.map_or_else(|| Source::open(&self.folder), Ok)?;
        let answer = ask(&mut source);
        let mut idle = idle();
        if idle.len() < IDLE {
            idle.push(source);
        }
        answer
    }

    /// The index, if it is to be asked.
    fn look(&self, mode: Mode) -> Result<Option<View>, Error> {
        match mode {
            Mode::Scan => Ok(None),
            Mode::Index => {
                let mut shelf = self.shelf();
                let view = shelf.view().or_else(|_| {
                    // Somebody makes it anew at this moment.
                    shelf.forget();
                    shelf.view()
                });
                view?.map(Some).ok_or(Error::Missing)
            }
        }
    }

    /// What is asked, and how far it reaches, once it reaches as far as it must.
    fn view(
        &self,
        mode: Mode,
        consistency: Consistency,
        source: &mut Source,
    ) -> Result<(Option<View>, u64), Error> {
        let head = source.head()?;
        let needed = match consistency {
            Consistency::Eventual => None,
            Consistency::Wait => head,
            Consistency::WaitFor(seq) => Some(seq),
        };
        let begun = Instant::now();
        loop {
            let (view, end) = match self.look(mode) {
                Ok(Some(view)) => {
                    let end = view.end()?;
                    (Some(view), end)
                }
                Ok(None) => (None, source.head()?.map_or(0, |head| head + 1)),
                Err(Error::Missing) if needed.is_some() && begun.elapsed() < PATIENCE => (None, 0),
                Err(other) => return Err(other),
            };
            let Some(seq) = needed.filter(|seq| *seq >= end) else { return Ok((view, end)) };
            if begun.elapsed() >= PATIENCE {
                return Err(Error::Behind { wanted: seq, indexed: end.checked_sub(1) });
            }
            std::thread::sleep(LOOK);
        }
    }

    fn lag(&self, view: Option<&View>, source: &mut Source) -> Result<Lag, Error> {
        let end = match view {
            Some(view) => view.end()?,
            // An answer without the index does not hang on whether the index can be read.
            None => self.shelf().view().ok().flatten().map_or(Ok(0), |view| view.end())?,
        };
        let head = source.head()?;
        let records = head.map_or(0, |head| (head + 1).saturating_sub(end));
        let since = if records > 0 { source.time_of(end)? } else { None };
        let age = since.map_or(0, |time| u64::try_from(self.clock.now_us() - time).unwrap_or(0) / 1000);
        Ok(Lag { indexed_through: end.checked_sub(1), log_head: head, records, ms: age })
    }

    fn checkpoint(&self) -> Result<Option<u64>, Error> {
        Ok(Prover::open(&self.folder)?.checkpoint()?.map(|signed| signed.size))
    }
}

fn gather(view: Option<&View>, source: &mut Source, wanted: &Wanted<'_>) -> Result<Gathered, Error> {
    view.map_or_else(|| scan(source, wanted), |view| view.gather(wanted))
}

fn facets(names: &[String]) -> Result<Vec<Aggregation>, Error> {
    if names.len() > MOST_COUNTS {
        return Err(Error::Counts(MOST_COUNTS));
    }
    let facet = |name: &String| {
        let guess = Field::guess(name).map(str::to_owned);
        let field = Field::parse(name).ok_or_else(|| Error::NoField { name: name.clone(), guess })?;
        let count = Aggregation::Terms { field, size: None };
        tally::check(&count).map(|()| count)
    };
    names.iter().map(facet).collect()
}

fn understood((q, from, to): (&str, &Option<String>, &Option<String>), now_us: i64) -> Result<Query, Error> {
    let asked = Query::parse(q, now_us)?;
    let bound = |operator: &str, time: &Option<String>| -> Result<Option<Node>, Error> {
        let Some(time) = time else { return Ok(None) };
        let parsed =
            Query::parse(&format!("created:{operator}\"{}\"", time.replace(['"', '\\'], "")), now_us);
        parsed.map(|query| Some(query.node)).map_err(|_| Error::Time(time.clone()))
    };
    let mut nodes = vec![asked.node];
    nodes.extend(bound(">=", from)?);
    nodes.extend(bound("<", to)?);
    Ok(Query { node: Node::all(nodes) })
}

/// What is asked, of what may be seen.
fn within(node: &Node, scope: &Scope) -> Node {
    let Some(tenants) = &scope.tenants else { return node.clone() };
    let tenants = tenants.iter().map(|tenant| Node::Is(Field::Tenant, Test::Equals(tenant.clone())));
    let ownerless = scope.ownerless.then(|| Node::Not(Box::new(Node::Is(Field::Tenant, Test::Exists))));
    // Not `Node::any`: of no tenants nothing may be seen, and that is what an empty one matches.
    Node::All(vec![node.clone(), Node::Any(tenants.chain(ownerless).collect())])
}

/// What a cursor is bound to.
fn bound(query: &Query, order: Order, scope: &Scope) -> String {
    format!("{order:?}\n{scope:?}\n{query}")
}

fn hits(source: &mut Source, seqs: &[u64], node: &Node) -> Result<Vec<Hit>, Error> {
    let hit = |found: Found| {
        let altered = Error::Log(crate::audit::Error::Altered(found.seq));
        let text = String::from_utf8(found.record).ok();
        let record = text.and_then(|text| RawValue::from_string(text).ok()).ok_or(altered)?;
        Ok(Hit { seq: found.seq, leaf: hex(&found.leaf), integrity: "ok", record })
    };
    checked(source, seqs, node)?.into_iter().map(hit).collect()
}

/// Reads records again: each must be what the log's hashes say, and what was asked for.
fn checked(source: &mut Source, seqs: &[u64], node: &Node) -> Result<Vec<Found>, Error> {
    let by_text = node.asks_for_texts();
    let mut all = Vec::with_capacity(seqs.len());
    for seq in seqs {
        let found = source.one(*seq, if by_text { Texts::With } else { Texts::Without })?;
        if found.doc.answers(node) {
            all.push(found);
            continue;
        }
        // Erased a moment ago, and not yet out of the index: no hit any more, and no forgery.
        let gone = [Payload::Erased, Payload::Expired, Payload::Missing];
        if !(by_text && found.payload.is_some_and(|payload| gone.contains(&payload))) {
            return Err(Error::Forged(*seq));
        }
    }
    Ok(all)
}

fn size_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
}
