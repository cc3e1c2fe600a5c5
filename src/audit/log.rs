//! The handle that the pipeline holds: append, and wait until it is durable.

use super::chain;
use super::orders::{Order, Refused};
use super::payload::vault::Vault;
use super::payload::{Body, Role};
use super::receipt::Receipt;
use super::record::Draft;
use super::sealer::{self, Sealer};
use super::spool::{self, Outcome};
use super::store::{OpenError, Store};
use super::tree::checkpointer::Checkpointer;
use super::tree::{Signed, keys};
use super::writer::{Begin, Item, Queue, Shared, Writer, check_tail};
use super::{Config, Error, Receipts};
use crate::clock::Clock;
use serde::Serialize;
use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// The file whose lock keeps a second writer away.
const LOCK: &str = "audit.lock";

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
    /// The payload cannot be encrypted or named.
    #[error("the payload cannot be encrypted")]
    Unsealed,
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
    /// Records under the newest signed checkpoint.
    pub checkpoint: Option<u64>,
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
    sealer: Mutex<Option<Sealer>>,
    checkpoints: watch::Receiver<Option<Arc<Signed>>>,
    vault: Arc<Vault>,
    receipts: bool,
    most: usize,
    /// Held as long as the log is open; the system lets go of it when the process ends, however it ends.
    _lock: File,
}

impl Log {
    /// Opens the log in `folder`, or makes it. Before this returns, the end of the log is verified and compared
    /// with its newest checkpoint and that of the anchor file, the epoch begun, and every call without an end
    /// has one.
    ///
    /// # Errors
    /// Refuses a log that is in use, tampered with, rolled back, foreign, or not writable.
    pub fn open(folder: &Path, origin: &str, config: &Config, clock: Clock) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(io)?;
        let lock = Self::lock(folder)?;
        let store = Store::open(folder, config.max_size_mb)?;
        let tail = check_tail(&store)?;
        let made = !folder.join(keys::SECRET).exists();
        let checkpointer = Checkpointer::open(folder, origin, clock.clone())?;
        sealer::confirm(&checkpointer, folder, origin, config)?;
        let vault =
            Vault::open(folder, origin, &config.payloads, clock.clone()).map_err(OpenError::Payloads)?;
        let vault = Arc::new(vault);
        let shared = Arc::new(Shared::default());
        let begin = Begin {
            store,
            tail,
            folder: folder.to_owned(),
            origin: origin.to_owned(),
            config: config.clone(),
            clock: clock.clone(),
            new_keys: made.then(|| checkpointer.signing()),
            signers: checkpointer.signers(),
        };
        let writer = Writer::start(begin, shared.clone())?;
        let thread =
            std::thread::Builder::new().name("audit".into()).spawn(move || writer.run()).map_err(io)?;
        let parts = sealer::Parts { checkpointer, vault: vault.clone(), shared: shared.clone(), clock };
        let sealer = Sealer::start(parts, (folder, origin), config).map_err(io)?;
        let inner = Inner {
            shared,
            thread: Mutex::new(Some(thread)),
            checkpoints: sealer.checkpoints(),
            sealer: Mutex::new(Some(sealer)),
            vault,
            receipts: config.receipts != Receipts::None,
            most: config.queue.max(1),
            _lock: lock,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Keeps every other writer away as long as the file is held.
    pub(super) fn lock(folder: &Path) -> Result<File, OpenError> {
        let io = |source| OpenError::Io { path: folder.to_owned(), source };
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(LOCK));
        let lock = lock.map_err(io)?;
        lock.try_lock().map_err(|_| OpenError::Locked(folder.to_owned()))?;
        Ok(lock)
    }

    /// Whether another process writes the log in `folder`.
    pub fn is_in_use(folder: &Path) -> bool {
        File::open(folder.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_err())
    }

    /// The newest signed checkpoint, and each that follows.
    pub fn checkpoints(&self) -> watch::Receiver<Option<Arc<Signed>>> {
        self.inner.checkpoints.clone()
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
        let draft = self.seal(draft)?;
        let mut queue = self.inner.shared.lock();
        let refusal = if !draft.fits() {
            Some(Unrecorded::TooLarge)
        } else if queue.closing {
            Some(Unrecorded::Closed)
        } else if queue.latched.is_some() || queue.condemned.is_some() {
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

    /// A text for [`Draft::payload`]: whose it is, of which class, and what. It is kept if `keep` says so, else as the
    /// configuration does; of what is not kept, or is too long, the record holds the length.
    pub fn captured(
        &self,
        role: Role,
        (subject, class): (&str, &str),
        text: &str,
        keep: Option<bool>,
    ) -> Body {
        let vault = &self.inner.vault;
        let kept = keep.unwrap_or_else(|| vault.keeps(role)) && text.len() <= vault.largest();
        Body {
            role,
            subject: subject.to_owned(),
            class: class.to_owned(),
            len: text.len(),
            text: if kept { text.to_owned() } else { String::new() },
        }
    }

    /// What an agent gets as evidence of a record, as JSON, if it gets any.
    pub fn evidence(&self, receipt: &Receipt) -> Option<String> {
        if self.inner.receipts { serde_json::to_string(&receipt.evidence()).ok() } else { None }
    }

    /// Encrypts a draft's payload. The end of a call is recorded without it rather than not at all.
    fn seal(&self, mut draft: Draft) -> Result<Draft, Unrecorded> {
        let (Some(body), Some(call)) = (draft.take_body(), draft.call_id()) else { return Ok(draft) };
        if body.len > body.text.len() {
            let name = if body.role == Role::Request { "request_omitted" } else { "response_omitted" };
            return Ok(draft.member(name, &body.len));
        }
        match self.inner.vault.seal(call, &body) {
            Ok(sealed) => Ok(draft.sealed(sealed, body.len, body.role.as_str())),
            Err(why) => {
                tracing::error!("a payload cannot be encrypted: {why}");
                if draft.kind().ends_call() {
                    return Ok(draft.member("payload_omitted", "unsealed"));
                }
                Err(Unrecorded::Unsealed)
            }
        }
    }

    /// Carries out an order, and records that.
    ///
    /// # Errors
    /// It was not carried out.
    pub async fn perform(&self, order: Order) -> Result<serde_json::Value, Refused> {
        let outcome = {
            let sealer = self.inner.sealer.lock().unwrap_or_else(PoisonError::into_inner);
            sealer.as_ref().ok_or(Refused::Closed)?.order(order)
        };
        outcome.await.unwrap_or(Err(Refused::Closed))
    }

    /// Gives an order to whoever writes the log in `folder`: the gateway, if one runs, else a log that is opened for
    /// it. Blocks. `None` if nobody carried it out in time.
    ///
    /// # Errors
    /// The log cannot be opened, or the order not be given.
    pub fn order(
        folder: &Path,
        config: &Config,
        order: &Order,
        patience: Duration,
    ) -> Result<Option<Outcome>, OpenError> {
        let origin = fs::read_to_string(folder.join("origin"));
        let origin = origin.map_err(|source| OpenError::Io { path: folder.join("origin"), source })?;
        // Orders are taken up when checkpoints are due; nobody else gives this log anything to do.
        let prompt = Config { checkpoint_ms: config.checkpoint_ms.min(50), ..config.clone() };
        let own = match Self::open(folder, origin.trim(), &prompt, Clock::system()) {
            Ok(log) => Some(log),
            Err(OpenError::Locked(_)) => None,
            Err(other) => return Err(other),
        };
        let done = spool::give(folder, order).map_err(OpenError::Tree)?;
        let outcome = spool::wait(&done, patience).map_err(OpenError::Tree)?;
        if let Some(log) = own {
            log.close().map_err(OpenError::Tree)?;
        }
        Ok(outcome)
    }

    /// Records a draft that nobody waits for. It is in the queue when this returns; a log that has failed
    /// counts it, and tells when it has recovered.
    pub fn append_detached(&self, draft: Draft) {
        if let Ok(draft) = self.seal(draft) {
            self.inner.shared.append_detached(draft);
        }
    }

    /// The state of the log.
    pub fn status(&self) -> Status {
        let queue = self.inner.shared.lock();
        Status {
            writable: queue.latched.is_none()
                && queue.condemned.is_none()
                && !queue.low_space
                && !queue.closing,
            latched: queue.latched.clone().or_else(|| queue.condemned.clone()),
            low_space: queue.low_space,
            head: queue.head.map(|(seq, _)| seq),
            leaf: queue.head.map(|(_, leaf)| chain::hex(&leaf)),
            records: queue.records,
            commits: queue.commits,
            refused: queue.refused,
            queue: queue.waiting.len(),
            checkpoint: self.inner.checkpoints.borrow().as_ref().map(|signed| signed.size),
        }
    }

    /// Writes what waits and the closing record, ends the writer, and signs the last checkpoint. Blocks.
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
        let ended = thread.map_or(Ok(()), |thread| thread.join().map_err(|_| Error::Unclosed));
        let sealer = self.inner.sealer.lock().unwrap_or_else(PoisonError::into_inner).take();
        ended.and(sealer.map_or(Ok(()), Sealer::stop))
    }
}

pub(super) fn note_refused(queue: &mut Queue, draft: &Draft) {
    queue.refused += 1;
    if queue.latched.is_some() {
        queue.refused_while_latched += 1;
    }
    if draft.kind().ends_call() {
        queue.unsettled.extend(draft.call_id());
    }
}
