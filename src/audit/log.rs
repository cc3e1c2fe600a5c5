//! The handle that the pipeline holds: append, and wait until it is durable.

use super::chain::{self, Leaf};
use super::record::{Draft, Kind};
use super::store::OpenError;
use super::writer::{Item, Queue, Shared, Writer};
use super::{Config, Error};
use crate::clock::Clock;
use serde::Serialize;
use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::oneshot;
use uuid::Uuid;

/// The file whose lock keeps a second writer away.
const LOCK: &str = "audit.lock";

/// Proof that a record is durable. Only the log makes one:
///
/// ```compile_fail
/// let forged = sealgate::audit::Receipt { seq: 0, leaf: [0; 32], call: None, kind: sealgate::audit::Kind::CallIntent };
/// ```
///
/// ```compile_fail
/// fn alter(receipt: &mut sealgate::audit::Receipt) { receipt.seq = 7; }
/// ```
///
/// ```compile_fail
/// fn twice(receipt: &sealgate::audit::Receipt) -> sealgate::audit::Receipt { receipt.clone() }
/// ```
#[derive(Debug)]
pub struct Receipt {
    seq: u64,
    leaf: Leaf,
    call: Option<Uuid>,
    kind: Kind,
}

impl Receipt {
    pub(super) fn new(seq: u64, leaf: Leaf, call: Option<Uuid>, kind: Kind) -> Self {
        Self { seq, leaf, call, kind }
    }

    /// The record's sequence number.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The record's hash.
    pub fn leaf(&self) -> &Leaf {
        &self.leaf
    }

    /// The call that it belongs to.
    pub fn call(&self) -> Option<Uuid> {
        self.call
    }

    /// What it is about.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

/// Why nothing was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unrecorded {
    /// Too many records wait for the disk.
    #[error("too many records wait for the disk")]
    Overloaded,
    /// The log failed and has not recovered.
    #[error("the log failed and has not recovered")]
    Latched,
    /// There is too little room to begin anything.
    #[error("there is too little room left for new calls")]
    NoRoom,
    /// The record is larger than the format allows.
    #[error("the record is larger than the format allows")]
    TooLarge,
    /// The log is being closed.
    #[error("the log is being closed")]
    Closed,
}

/// The state of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Whether calls can be recorded now.
    pub writable: bool,
    /// Why not, if it failed.
    pub latched: Option<String>,
    /// Whether new calls are refused for lack of room.
    pub low_space: bool,
    /// Sequence number of the newest record.
    pub head: Option<u64>,
    /// Its hash, hexadecimal.
    pub leaf: Option<String>,
    /// Records written since the start.
    pub records: u64,
    /// Commits since the start.
    pub commits: u64,
    /// Records refused since the start.
    pub refused: u64,
    /// Records that wait for the disk.
    pub queue: usize,
}

/// The audit log of one gateway. Clones share one writer.
#[derive(Debug, Clone)]
pub struct Log {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    most: usize,
    /// Held as long as the log is open; the system lets go of it when the process ends, however it ends.
    _lock: File,
}

impl Log {
    /// Opens the log in `folder`, or makes it. Before this returns, the end of the log is verified, the epoch
    /// begun, and every call without an end has one.
    ///
    /// # Errors
    /// Refuses a log that is in use, tampered with, foreign, or not writable.
    pub fn open(folder: &Path, origin: &str, config: &Config, clock: Clock) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(io)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(LOCK));
        let lock = lock.map_err(io)?;
        lock.try_lock().map_err(|_| OpenError::Locked(folder.to_owned()))?;
        let shared = Arc::new(Shared::default());
        let writer =
            Writer::start(folder.to_owned(), origin.to_owned(), config.clone(), clock, shared.clone())?;
        let thread =
            std::thread::Builder::new().name("audit".into()).spawn(move || writer.run()).map_err(io)?;
        let inner =
            Inner { shared, thread: Mutex::new(Some(thread)), most: config.queue.max(1), _lock: lock };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether another process writes the log in `folder`.
    pub fn is_in_use(folder: &Path) -> bool {
        File::open(folder.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_err())
    }

    /// Records a draft, and returns when it is durable.
    ///
    /// # Errors
    /// Nothing was recorded, and why.
    pub async fn append(&self, draft: Draft) -> Result<Receipt, Unrecorded> {
        let (answer, receipt) = oneshot::channel();
        self.enqueue(draft, answer)?;
        receipt.await.unwrap_or(Err(Unrecorded::Closed))
    }

    fn enqueue(
        &self,
        draft: Draft,
        answer: oneshot::Sender<Result<Receipt, Unrecorded>>,
    ) -> Result<(), Unrecorded> {
        let mut queue = self.inner.shared.lock();
        let refusal = if !draft.fits() {
            Some(Unrecorded::TooLarge)
        } else if queue.closing {
            Some(Unrecorded::Closed)
        } else if queue.latched.is_some() {
            Some(Unrecorded::Latched)
        } else if queue.low_space && draft.kind().opens_call() {
            Some(Unrecorded::NoRoom)
        } else if queue.waiting.len() >= self.inner.most && !draft.kind().ends_call() {
            Some(Unrecorded::Overloaded)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            note_refused(&mut queue, &draft);
            return Err(refusal);
        }
        queue.waiting.push_back(Item { draft, answer: Some(answer) });
        self.inner.shared.wake(&queue);
        Ok(())
    }

    /// Records a draft that nobody waits for. It is in the queue when this returns; a log that has failed
    /// counts it, and tells when it has recovered.
    pub fn append_detached(&self, draft: Draft) {
        let mut queue = self.inner.shared.lock();
        if queue.latched.is_some() || queue.closing || !draft.fits() {
            note_refused(&mut queue, &draft);
            return;
        }
        queue.waiting.push_back(Item { draft, answer: None });
        self.inner.shared.wake(&queue);
    }

    /// The state of the log.
    pub fn status(&self) -> Status {
        let queue = self.inner.shared.lock();
        Status {
            writable: queue.latched.is_none() && !queue.low_space && !queue.closing,
            latched: queue.latched.clone(),
            low_space: queue.low_space,
            head: queue.head.map(|(seq, _)| seq),
            leaf: queue.head.map(|(_, leaf)| chain::hex(&leaf)),
            records: queue.records,
            commits: queue.commits,
            refused: queue.refused,
            queue: queue.waiting.len(),
        }
    }

    /// Writes what waits and the closing record, and ends the writer. Blocks.
    ///
    /// # Errors
    /// The writer panicked.
    pub fn close(self) -> Result<(), Error> {
        {
            let mut queue = self.inner.shared.lock();
            queue.closing = true;
            self.inner.shared.wake(&queue);
        }
        let thread = self.inner.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        thread.map_or(Ok(()), |thread| thread.join().map_err(|_| Error::Unclosed))
    }
}

fn note_refused(queue: &mut Queue, draft: &Draft) {
    queue.refused += 1;
    if queue.latched.is_some() {
        queue.refused_while_latched += 1;
    }
    if draft.kind().ends_call() {
        queue.unsettled.extend(draft.call_id());
    }
}
