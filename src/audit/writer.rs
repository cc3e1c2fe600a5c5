//! The one thread that writes: takes all that waits, one transaction, one fsync, then answers everybody.

use super::Config;
use super::chain::{self, Leaf};
use super::log::{Unrecorded, note_refused};
use super::payload::shelf::Shelf;
use super::receipt::{Batch, Receipt};
use super::record::{Draft, Kind, Place, encode};
use super::store::{OpenError, Row, Store};
use super::tree::note::Signer;
use crate::clock::Clock;
use arc_swap::ArcSwap;
use rustix::fs::statvfs;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use uuid::Uuid;

/// Most records of one transaction.
const BATCH: usize = 256;
/// Records of a commit from which on the next one waits for company.
const CROWD: usize = 3;
/// How often the free space is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Room that is kept for the ends of calls that have begun, in bytes.
const RESERVE: u64 = 256 << 10;
/// Records whose chain is checked before writing goes on after a failure.
pub(super) const TAIL: u64 = 1000;

type Answer = oneshot::Sender<Result<Receipt, Unrecorded>>;

/// A draft and whoever waits for its receipt.
#[derive(Debug)]
pub(super) struct Item {
    pub draft: Draft,
    pub answer: Option<Answer>,
}

/// What callers and the writer share.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub waiting: VecDeque<Item>,
    pub closing: bool,
    pub latched: Option<String>,
    /// What is on disk is not what was written: nothing is recorded until a start has verified the log.
    pub condemned: Option<String>,
    pub low_space: bool,
    pub refused: u64,
    pub refused_while_latched: u64,
    /// Calls whose end could not be written.
    pub unsettled: Vec<Uuid>,
    pub head: Option<(u64, Leaf)>,
    pub records: u64,
    pub commits: u64,
    idle: bool,
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    queue: Mutex<Queue>,
    news: Condvar,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the writer, if it sleeps: while it writes, it will look again by itself.
    pub(super) fn wake(&self, queue: &Queue) {
        if queue.idle {
            self.news.notify_one();
        }
    }

    /// Takes a draft that nobody waits for.
    pub(super) fn append_detached(&self, draft: Draft) {
        let mut queue = self.lock();
        if queue.latched.is_some() || queue.condemned.is_some() || queue.closing || !draft.fits() {
            note_refused(&mut queue, &draft);
            return;
        }
        queue.waiting.push_back(Item { draft, answer: None });
        self.wake(&queue);
    }
}

/// The writer's own state.
pub(super) struct Writer {
    pub store: Store,
    pub shared: Arc<Shared>,
    pub folder: PathBuf,
    pub origin: String,
    pub epoch: u64,
    pub next: u64,
    pub prev: Leaf,
    pub clock: Clock,
    pub config: Config,
    shelf: Shelf,
    name: Arc<str>,
    signers: Arc<ArcSwap<Vec<Signer>>>,
    looked: Option<Instant>,
    failed_us: Option<i64>,
    /// Records of the last commit.
    crowd: usize,
}

/// What a writer begins with.
pub(super) struct Begin {
    pub store: Store,
    /// The next sequence number and its link, as [`check_tail`] found them.
    pub tail: (u64, Leaf),
    pub folder: PathBuf,
    pub origin: String,
    pub config: Config,
    pub clock: Clock,
    /// Keys that were made by this start.
    pub new_keys: Option<Vec<String>>,
    /// The keys that sign now.
    pub signers: Arc<ArcSwap<Vec<Signer>>>,
}

impl Writer {
    /// Takes a store whose end was checked, and writes what a start owes the log.
    pub(super) fn start(begin: Begin, shared: Arc<Shared>) -> Result<Self, OpenError> {
        let Begin { store, tail: (next, prev), folder, origin, config, clock, new_keys, signers } = begin;
        let shelf = Shelf::open(&folder).map_err(OpenError::Payloads)?;
        let (last_open, epochs) = store.epochs()?;
        let mut writer = Self {
            store,
            shared,
            shelf,
            name: origin.as_str().into(),
            signers,
            folder,
            origin,
            epoch: epochs,
            next,
            prev,
            clock,
            config,
            looked: None,
            failed_us: None,
            crowd: 0,
        };
        let mut owed = Vec::new();
        if next == 0 {
            owed.push(
                Draft::new(Kind::LogGenesis)
                    .member("created_by", concat!("sealgate ", env!("CARGO_PKG_VERSION"))),
            );
        }
        owed.push(Draft::new(Kind::LogOpen).member("version", env!("CARGO_PKG_VERSION")));
        if let Some(keys) = new_keys {
            let none: [String; 0] = [];
            owed.push(Draft::new(Kind::KeyRotate).member("after", &keys).member("before", &none));
        }
        for call in writer.store.open_calls(last_open.unwrap_or(0))? {
            owed.push(Draft::new(Kind::CallIndeterminate).call(call).member("reason", "interrupted"));
        }
        // All or nothing: after a start that ended half way, the next one finds the same calls open.
        writer.commit(owed.iter()).map_err(|e| OpenError::Unwritable(e.to_string()))?;
        Ok(writer)
    }

    /// Writes until told to close and nothing waits any more.
    pub(super) fn run(mut self) {
        let heartbeat = Duration::from_secs(self.config.heartbeat_s.max(1));
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            self.look_at_space();
            let latched = {
                let mut queue = self.shared.lock();
                while queue.waiting.is_empty() && !queue.closing && queue.latched.is_none() {
                    queue.idle = true;
                    let pause = if queue.low_space { LOOK } else { heartbeat };
                    let (woken, timeout) =
                        self.shared.news.wait_timeout(queue, pause).unwrap_or_else(PoisonError::into_inner);
                    queue = woken;
                    queue.idle = false;
                    if timeout.timed_out() && queue.waiting.is_empty() {
                        if pause == heartbeat {
                            let draft = Draft::new(Kind::LogHeartbeat);
                            queue.waiting.push_back(Item { draft, answer: None });
                        }
                        break;
                    }
                }
                let queue = &mut self.gathered(queue);
                let take = queue.waiting.len().min(BATCH);
                batch.extend(queue.waiting.drain(..take));
                if batch.is_empty() && queue.closing {
                    break;
                }
                queue.latched.is_some()
            };
            if latched {
                self.refuse(&mut batch);
                self.recover();
                continue;
            }
            if !batch.is_empty() {
                self.write(&mut batch);
            }
        }
        if self.shared.lock().latched.is_none() {
            let _ = self.commit([Draft::new(Kind::LogClose)].iter());
        }
        // The signing thread still reads, so closing alone would leave everything in the write-ahead log.
        self.store.settle();
    }

    /// What waits, a moment later if many come at once: a commit costs much the same for one record as for ten, in
    /// time of the processor too. A lone caller never waits for others.
    fn gathered<'q>(&'q self, queue: MutexGuard<'q, Queue>) -> MutexGuard<'q, Queue> {
        let alone = self.crowd < CROWD || queue.waiting.is_empty() || queue.waiting.len() >= BATCH;
        if alone || queue.closing || queue.latched.is_some() {
            return queue;
        }
        drop(queue);
        std::thread::sleep(Duration::from_micros(self.config.commit_delay_us));
        self.shared.lock()
    }

    fn write(&mut self, batch: &mut Vec<Item>) {
        let first = self.next;
        self.crowd = batch.len();
        match self.commit(batch.iter().map(|item| &item.draft)) {
            Ok(leaves) => {
                let signs = self.config.receipts == super::Receipts::Signed;
                let signer = signs.then(|| self.signers.load_full());
                let commit = Arc::new(Batch::new((self.name.clone(), first), leaves.clone(), signer));
                for ((item, leaf), seq) in batch.drain(..).zip(leaves).zip(first..) {
                    if let Some(answer) = item.answer {
                        let about = (item.draft.call_id(), item.draft.kind());
                        let _ = answer.send(Ok(Receipt::new(seq, leaf, about, commit.clone())));
                    }
                }
            }
            Err(error) => {
                let why = error.to_string();
                tracing::error!("the audit log cannot be written, calls are refused: {why}");
                self.failed_us = Some(self.clock.now_us());
                self.shared.lock().latched = Some(why);
                self.refuse(batch);
            }
        }
    }

    /// Answers everybody that nothing was recorded, and remembers which calls lost their end by that.
    fn refuse(&mut self, batch: &mut Vec<Item>) {
        let mut queue = self.shared.lock();
        let waiting: Vec<Item> = queue.waiting.drain(..).collect();
        for item in batch.drain(..).chain(waiting) {
            queue.refused += 1;
            queue.refused_while_latched += 1;
            if item.draft.kind().ends_call() {
                queue.unsettled.extend(item.draft.call_id());
            }
            if let Some(answer) = item.answer {
                let _ = answer.send(Err(Unrecorded::Latched));
            }
        }
    }

    /// Encodes, chains and commits drafts. Nothing changes in here if that fails.
    fn commit<'d>(&mut self, drafts: impl Iterator<Item = &'d Draft>) -> Result<Vec<Leaf>, rusqlite::Error> {
        let (mut rows, mut payloads) = (Vec::new(), Vec::new());
        let (mut seq, mut prev) = (self.next, self.prev);
        let mut text = String::new();
        for draft in drafts {
            let time_us = self.clock.now_us();
            let link = chain::hex(&prev);
            let place = Place { log: &self.origin, epoch: self.epoch, seq, time_us, prev: &link };
            encode(draft, &place, &mut text);
            let leaf = chain::leaf(text.as_bytes());
            let (kind, call) = (draft.kind().code(), draft.call_id());
            payloads.extend(draft.sealed_payload().map(|sealed| (seq, time_us, sealed)));
            rows.push(Row { seq, time_us, kind, call, record: text.as_bytes().to_vec(), leaf });
            prev = leaf;
            seq += 1;
        }
        if !payloads.is_empty() {
            self.shelf.append(&payloads)?;
        }
        self.store.append(&rows)?;
        (self.next, self.prev) = (seq, prev);
        let mut queue = self.shared.lock();
        queue.head = seq.checked_sub(1).map(|head| (head, prev));
        queue.records += rows.len() as u64;
        queue.commits += 1;
        Ok(rows.into_iter().map(|row| row.leaf).collect())
    }

    /// After a failure: a fresh connection, the end verified again, the gap told; only then is it open again.
    fn recover(&mut self) {
        std::thread::sleep(Duration::from_millis(self.config.retry_ms.max(10)));
        if self.shared.lock().closing {
            self.shared.lock().latched = None;
            return;
        }
        let Ok(store) = Store::open(&self.folder, self.config.max_size_mb) else { return };
        let Ok((next, prev)) = check_tail(&store) else { return };
        let Ok(shelf) = Shelf::open(&self.folder) else { return };
        (self.store, self.shelf) = (store, shelf);
        // A commit that reported failure may have reached the disk all the same.
        (self.next, self.prev) = (next, prev);
        if !self.has_room() {
            return;
        }
        let (unsettled, refused) = {
            let queue = self.shared.lock();
            (queue.unsettled.clone(), queue.refused_while_latched)
        };
        let (from, to) = (self.failed_us.unwrap_or_default(), self.clock.now_us());
        let mut drafts = vec![
            Draft::new(Kind::AuditFailure)
                .member("from", &from)
                .member("refused", &refused)
                .member("to", &to),
            Draft::new(Kind::AuditRecovered),
        ];
        let open = self.store.open_calls(0).unwrap_or_default();
        let lost = unsettled.iter().filter(|call| open.contains(call));
        drafts.extend(
            lost.map(|call| {
                Draft::new(Kind::CallIndeterminate).call(*call).member("reason", "audit_failure")
            }),
        );
        if self.commit(drafts.iter()).is_err() {
            return;
        }
        let mut queue = self.shared.lock();
        queue.unsettled.retain(|call| !unsettled.contains(call));
        queue.latched = None;
        queue.refused_while_latched = 0;
        self.failed_us = None;
        tracing::info!("the audit log can be written again");
    }

    fn has_room(&self) -> bool {
        let in_store = self.store.room().is_ok_and(|room| room.is_none_or(|bytes| bytes > RESERVE));
        let left = statvfs(&self.folder).map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize));
        in_store && left.is_ok_and(|bytes| bytes >= self.config.admin_space_left_mb << 20)
    }

    /// While there is little room, calls are refused and their ends still go in.
    fn look_at_space(&mut self) {
        let limited = self.config.max_size_mb.is_some();
        if !limited && self.looked.is_some_and(|at| at.elapsed() < LOOK) {
            return;
        }
        self.looked = Some(Instant::now());
        let low = !self.has_room();
        let mut queue = self.shared.lock();
        if low && !queue.low_space {
            tracing::error!("little room is left for the audit log: new calls are refused");
        }
        queue.low_space = low;
    }
}

/// Checks the chain of the newest records. Returns the next sequence number and its link.
pub(super) fn check_tail(store: &Store) -> Result<(u64, Leaf), OpenError> {
    let Some(last) = store.last()? else { return Ok((0, chain::NO_LINK)) };
    let from = last.seq.saturating_sub(TAIL);
    let mut prev = store.link_before(from)?;
    for (row, seq) in store.since(from)?.into_iter().zip(from..) {
        let broken = |what| OpenError::Tampered { seq, what };
        if row.seq != seq {
            return Err(broken("a record is missing"));
        }
        if chain::leaf(&row.record) != row.leaf {
            return Err(broken("its bytes do not give its hash"));
        }
        let record: serde_json::Value =
            serde_json::from_slice(&row.record).map_err(|_| broken("it is not JSON"))?;
        if record.get("prev").and_then(serde_json::Value::as_str) != Some(&chain::hex(&prev)) {
            return Err(broken("it is not linked to the record before it"));
        }
        prev = row.leaf;
    }
    Ok((last.seq + 1, prev))
}
