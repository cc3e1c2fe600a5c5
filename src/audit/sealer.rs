//! The second thread of a log: once a second it has what is new signed, and keeps the anchor file.

use super::anchor::{self, Told};
use super::log::Unrecorded;
use super::orders::{Hands, Order, Refused};
use super::payload::vault::Vault;
use super::receipt::Receipt;
use super::record::Draft;
use super::spool::{self, Outcome};
use super::store::OpenError;
use super::tree::checkpointer::{Checkpointer, Refusal};
use super::tree::{Signed, keys};
use super::writer::{Item, Shared};
use super::{Config, Error};
use crate::clock::Clock;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// How often payloads are looked through for what is over its time.
const RETENTION: Duration = Duration::from_hours(1);

type Answer = oneshot::Sender<Result<serde_json::Value, Refused>>;

enum Message {
    Order(Box<(Order, Answer)>),
    Stop,
}

/// The thread, as the log holds it.
#[derive(Debug)]
pub(super) struct Sealer {
    messages: SyncSender<Message>,
    thread: JoinHandle<()>,
    checkpoints: watch::Receiver<Option<Arc<Signed>>>,
}

/// What the thread works with.
pub(super) struct Parts {
    pub checkpointer: Checkpointer,
    pub vault: Arc<Vault>,
    pub shared: Arc<Shared>,
    pub clock: Clock,
}

impl Sealer {
    /// Starts the thread.
    pub(super) fn start(
        parts: Parts,
        (folder, origin): (&Path, &str),
        config: &Config,
    ) -> std::io::Result<Self> {
        let Parts { checkpointer, vault, shared, clock } = parts;
        let (publish, checkpoints) = watch::channel(checkpointer.last().map(Arc::new));
        let (messages, received) = sync_channel(16);
        let work = Work {
            checkpointer,
            folder: folder.to_owned(),
            origin: origin.to_owned(),
            every: Duration::from_millis(config.checkpoint_ms.max(10)),
            file: config.anchors.file.as_ref().map(|file| anchor::file::path(folder, file)),
            anchor_every: Duration::from_secs(config.anchors.every_s.max(1)),
            anchored: None,
            config: config.clone(),
            vault,
            clock,
            shared,
            publish,
            told: Told::default(),
            failing: false,
            looked: None,
        };
        let thread = std::thread::Builder::new().name("sealer".into()).spawn(move || work.run(&received))?;
        Ok(Self { messages, thread, checkpoints })
    }

    pub(super) fn checkpoints(&self) -> watch::Receiver<Option<Arc<Signed>>> {
        self.checkpoints.clone()
    }

    /// Has an order carried out.
    pub(super) fn order(&self, order: Order) -> oneshot::Receiver<Result<serde_json::Value, Refused>> {
        let (answer, outcome) = oneshot::channel();
        // Full or gone: the answer is dropped with the message, and whoever waits hears that.
        let _ = self.messages.try_send(Message::Order(Box::new((order, answer))));
        outcome
    }

    /// Signs what is left, and ends the thread.
    pub(super) fn stop(self) -> Result<(), Error> {
        let _ = self.messages.send(Message::Stop);
        self.thread.join().map_err(|_| Error::Unclosed)
    }
}

/// Compares the log with what the anchor file remembers.
pub(super) fn confirm(
    checkpointer: &Checkpointer,
    folder: &Path,
    origin: &str,
    config: &Config,
) -> Result<(), OpenError> {
    let Some(file) = &config.anchors.file else { return Ok(()) };
    let path = anchor::file::path(folder, file);
    let known = keys::published(folder)?;
    let newest = anchor::file::newest(&path, origin, &known).map_err(|e| OpenError::Anchor(Box::new(e)))?;
    let Some(head) = newest else { return Ok(()) };
    if checkpointer.agrees(&head).map_err(OpenError::Tree)? {
        return Ok(());
    }
    Err(OpenError::Rollback { anchor: format!("the anchor file `{}`", path.display()), size: head.size })
}

struct Work {
    checkpointer: Checkpointer,
    folder: PathBuf,
    origin: String,
    config: Config,
    vault: Arc<Vault>,
    every: Duration,
    file: Option<PathBuf>,
    anchor_every: Duration,
    anchored: Option<(u64, Instant)>,
    clock: Clock,
    shared: Arc<Shared>,
    publish: watch::Sender<Option<Arc<Signed>>>,
    told: Told,
    failing: bool,
    looked: Option<Instant>,
}

impl Work {
    fn run(mut self, messages: &Receiver<Message>) {
        if let Err(why) = self.hands(&|draft| self.record(draft)).resume() {
            tracing::error!("an erasure that was interrupted cannot be finished: {why}");
        }
        let mut due = Instant::now() + self.every;
        loop {
            let left = due.saturating_duration_since(Instant::now());
            let last = match messages.recv_timeout(left) {
                Ok(Message::Order(order)) => {
                    let (order, answer) = *order;
                    let _ = answer.send(self.hands(&|draft| self.record(draft)).perform(order));
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => false,
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => true,
            };
            due = Instant::now() + self.every;
            if !last {
                self.obey();
                self.expire();
            }
            self.sign();
            self.anchor(last);
            if last {
                return;
            }
        }
    }

    fn hands<'w>(&'w self, record: &'w dyn Fn(Draft) -> Result<Receipt, Unrecorded>) -> Hands<'w> {
        Hands {
            folder: &self.folder,
            origin: &self.origin,
            config: &self.config,
            vault: &self.vault,
            newest: self.publish.borrow().clone(),
            now_us: self.clock.now_us(),
            record,
        }
    }

    /// Records, and returns when it is durable.
    fn record(&self, draft: Draft) -> Result<Receipt, Unrecorded> {
        let (answer, receipt) = oneshot::channel();
        {
            let mut queue = self.shared.lock();
            if queue.closing {
                return Err(Unrecorded::Closed);
            }
            if queue.latched.is_some() || queue.condemned.is_some() {
                return Err(Unrecorded::Latched);
            }
            if !draft.fits() {
                return Err(Unrecorded::TooLarge);
            }
            queue.waiting.push_back(Item { draft, answer: Some(answer) });
            self.shared.wake(&queue);
        }
        receipt.blocking_recv().unwrap_or(Err(Unrecorded::Closed))
    }

    /// Carries out orders that came by file.
    fn obey(&self) {
        for (done, order) in spool::take(&self.folder) {
            let performed = order.map(|order| self.hands(&|draft| self.record(draft)).perform(order));
            let outcome = match performed {
                Some(Ok(value)) => Outcome::Done(value),
                Some(Err(why)) => Outcome::Refused(why.to_string()),
                None => Outcome::Refused("it is not an order".into()),
            };
            if let Err(why) = spool::answer(&done, &outcome) {
                tracing::error!("an order's outcome cannot be told: {why}");
            }
        }
    }

    fn expire(&mut self) {
        let keeps_all = self.config.payloads.retention == super::payload::Retention::default();
        if keeps_all || self.looked.is_some_and(|at| at.elapsed() < RETENTION) {
            return;
        }
        self.looked = Some(Instant::now());
        if let Err(why) = self.hands(&|draft| self.record(draft)).expire() {
            tracing::error!("payloads whose time is over are still there: {why}");
        }
    }

    fn sign(&mut self) {
        let vault = &self.vault;
        match self.checkpointer.sign(&|| vault.sync()) {
            Ok(signed) => {
                if let Some(signed) = signed {
                    self.publish.send_replace(Some(Arc::new(signed)));
                }
                self.failing = false;
            }
            Err(broken @ Refusal::Broken { .. }) => {
                let why = broken.to_string();
                let mut queue = self.shared.lock();
                if queue.condemned.is_none() {
                    tracing::error!("nothing is signed and calls are refused: {why}");
                    queue.condemned = Some(why);
                }
            }
            Err(Refusal::Unusable(why)) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!("no checkpoint can be signed now: {why}");
                }
            }
        }
    }

    fn anchor(&mut self, last: bool) {
        let Some(path) = &self.file else { return };
        let Some(signed) = self.publish.borrow().clone() else { return };
        let due = self.anchored.is_none_or(|(_, at)| last || at.elapsed() >= self.anchor_every);
        if !due || self.anchored.is_some_and(|(size, _)| size == signed.size) {
            return;
        }
        let done = anchor::file::append(path, &signed.note, self.clock.now_us());
        self.anchored = Some((signed.size, Instant::now()));
        let name = format!("file:{}", path.file_name().unwrap_or_default().to_string_lossy());
        let shared = &self.shared;
        self.told.tell(&|draft| shared.append_detached(draft), &name, signed.size, done.err());
    }
}
