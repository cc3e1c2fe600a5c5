//! A connection that carries whole messages both ways and outlives each request: a process, HTTP+SSE, or a
//! WebSocket. The transports move text; which message belongs to which request is decided here, once for all.

use super::link::{Surroundings, Unasked};
use super::outgoing::{Asker, Outgoing, refusal_of};
use super::question::{Back, Question};
use super::{Error, Inbound, Target};
use crate::mcp::{Ask, Id, JsonLimits, Message, Object, Outcome, check, meta};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Frames of one call that wait for a slow agent; progress beyond this is dropped, a response never.
const FRAMES_WAITING: usize = 1024;
/// Messages that wait for a backend to read its input.
const WRITES_WAITING: usize = 256;

type Frame = Result<Inbound, Error>;

/// What moves the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    /// Standard input and output of a process.
    Process,
    /// HTTP+SSE of 2024-11-05.
    EventStream,
    /// A WebSocket.
    WebSocket,
}

/// One message on its way out.
#[derive(Debug)]
pub(super) struct Write {
    /// The request's id; a notification or a response of ours has none.
    pub id: Option<u64>,
    pub text: String,
}

#[derive(Debug)]
struct Waiting {
    frames: mpsc::UnboundedSender<Frame>,
    queued: Arc<AtomicU64>,
    /// Whether it is a subscription, which stays open and owns no log lines.
    listens: bool,
    asker: Option<Asker>,
}

#[derive(Debug)]
pub(super) struct Shared {
    server: String,
    waiting: Mutex<HashMap<u64, Waiting>>,
    writes: mpsc::Sender<Write>,
    next: AtomicU64,
    closed: OnceLock<Error>,
    limit: usize,
    around: Surroundings,
}

/// An open connection. Dropping the last handle closes it, and ends the process behind it.
#[derive(Debug)]
pub(super) struct Pipe {
    shared: Arc<Shared>,
    carrier: Carrier,
    _stop: DropGuard,
}

/// The transport's end of a pipe.
#[derive(Debug)]
pub(super) struct Ends {
    pub shared: Arc<Shared>,
    pub outbox: mpsc::Receiver<Write>,
    pub unasked: mpsc::Sender<Unasked>,
    /// Cancelled when nobody holds the pipe any more.
    pub stop: CancellationToken,
}

impl Pipe {
    pub(super) fn new(target: &Target, around: &Surroundings, carrier: Carrier) -> (Self, Ends) {
        let (writes, outbox) = mpsc::channel(WRITES_WAITING);
        let shared = Arc::new(Shared {
            server: target.id.clone(),
            waiting: Mutex::default(),
            writes,
            next: AtomicU64::new(1),
            closed: OnceLock::new(),
            limit: target.response_bytes,
            around: around.clone(),
        });
        let stop = CancellationToken::new();
        let ends =
            Ends { shared: shared.clone(), outbox, unasked: around.unasked.clone(), stop: stop.clone() };
        (Self { shared, carrier, _stop: stop.drop_guard() }, ends)
    }

    pub(super) fn carrier(&self) -> Carrier {
        self.carrier
    }

    pub(super) fn next_id(&self) -> u64 {
        self.shared.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.shared.closed.get().is_some()
    }

    pub(super) async fn request(&self, out: &Outgoing) -> Result<PipeInbox, Error> {
        self.send(self.next_id(), out).await
    }

    pub(super) async fn send(&self, id: u64, out: &Outgoing) -> Result<PipeInbox, Error> {
        let (sender, frames) = mpsc::unbounded_channel();
        let queued = Arc::new(AtomicU64::new(0));
        let listens = out.method == "subscriptions/listen";
        let waiting = Waiting { frames: sender, queued: queued.clone(), listens, asker: out.asker.clone() };
        self.shared.lock().insert(id, waiting);
        let inbox = PipeInbox { id, shared: self.shared.clone(), frames, queued, done: false };
        // Checked after the insertion: the reader empties the map when it ends, and sets this first.
        if let Some(why) = self.shared.closed.get() {
            return Err(why.clone());
        }
        self.shared.write(Some(id), out.request(id)).await?;
        Ok(inbox)
    }

    pub(super) async fn write(&self, text: String) -> Result<(), Error> {
        self.shared.write(None, text).await
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write(&self, id: Option<u64>, text: String) -> Result<(), Error> {
        let sent = self.writes.send(Write { id, text }).await;
        sent.map_err(|_| self.closed.get().cloned().unwrap_or(Error::Closed))
    }

    /// Largest message that is taken, in bytes.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Ends all requests that still wait.
    pub(super) fn close(&self, why: &Error) {
        let _ = self.closed.set(why.clone());
        for (_, waiting) in self.lock().drain() {
            let _ = waiting.frames.send(Err(why.clone()));
        }
    }

    /// Ends one request that could not be sent.
    pub(super) fn fail(&self, id: u64, why: Error) {
        if let Some(waiting) = self.lock().remove(&id) {
            let _ = waiting.frames.send(Err(why));
        }
    }

    fn respond(&self, id: u64, frame: Inbound) {
        let waiting = self.lock().remove(&id);
        if let Some(waiting) = waiting {
            drop(waiting.frames.send(Ok(frame)));
        } else {
            tracing::warn!(server = self.server, "an answer to no open request was dropped");
        }
    }

    /// Hands a question to the call that it concerns. On one pipe nothing names that call, so it is known only if all
    /// the calls under way whose client could answer are of one principal; then it is the newest.
    fn asked(&self, id: Id, method: &str, params: &str) {
        let Some(ask) = Ask::parse(method) else {
            let _ = self.writes.try_send(Write { id: None, text: refusal_of(&id, method) });
            return;
        };
        // Dropping a question refuses it.
        let question = Question::new(ask, params.to_owned(), Back::Pipe { writes: self.writes.clone(), id });
        let waiting = self.lock();
        let able = |w: &&Waiting| w.asker.as_ref().is_some_and(|a| a.abilities.can_answer(ask, params));
        let mut principals = waiting.values().filter(able).filter_map(|w| w.asker.as_ref());
        let Some(first) = principals.next() else { return };
        if principals.any(|other| other.principal != first.principal) {
            tracing::warn!(server = self.server, "a question that could concern several callers was refused");
            return;
        }
        let newest = waiting.iter().filter(|(_, w)| able(w)).max_by_key(|(id, _)| **id);
        if let Some((_, newest)) = newest {
            let _ = newest.frames.send(Ok(Inbound::Question(question)));
        }
    }

    /// Hands a notification to the call that it belongs to, if that can be known.
    fn tell(&self, method: String, params: &str) {
        let waiting = self.lock();
        let target = match method.as_str() {
            "notifications/progress" => Object::parse(params)
                .and_then(|p| p.get("progressToken"))
                .and_then(|raw| raw.parse::<u64>().ok())
                .and_then(|id| waiting.get(&id)),
            "notifications/subscriptions/acknowledged" => Object::parse(params)
                .and_then(|p| p.object("_meta"))
                .and_then(|m| m.get(meta::SUBSCRIPTION_ID))
                .and_then(|raw| raw.parse::<u64>().ok())
                .and_then(|id| waiting.get(&id)),
            // On one pipe a log line names no request: only a lone call can own it.
            "notifications/message" => {
                let mut calls = waiting.values().filter(|waiting| !waiting.listens);
                calls.next().filter(|_| calls.next().is_none())
            }
            _ => None,
        };
        let Some(target) = target else { return };
        if target.queued.fetch_add(1, Ordering::Relaxed) >= FRAMES_WAITING as u64 {
            target.queued.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let _ = target.frames.send(Ok(Inbound::Notification { method, params: params.to_owned() }));
    }
}

/// The frames of one request on a pipe.
#[derive(Debug)]
pub(super) struct PipeInbox {
    id: u64,
    shared: Arc<Shared>,
    frames: mpsc::UnboundedReceiver<Frame>,
    queued: Arc<AtomicU64>,
    done: bool,
}

impl PipeInbox {
    pub(super) async fn next(&mut self) -> Result<Inbound, Error> {
        let frame = self.frames.recv().await.unwrap_or(Err(Error::Closed));
        match &frame {
            Ok(Inbound::Notification { .. }) => drop(self.queued.fetch_sub(1, Ordering::Relaxed)),
            Ok(Inbound::Question(_)) => {}
            _ => self.done = true,
        }
        frame
    }
}

impl Drop for PipeInbox {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        self.shared.lock().remove(&self.id);
        let text = format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{}}}}}",
            self.id
        );
        let _ = self.shared.writes.try_send(Write { id: None, text });
    }
}

/// Hands one message to whom it belongs.
pub(super) fn dispatch(shared: &Shared, message: &[u8]) -> Result<(), Error> {
    let limits = JsonLimits { bytes: shared.limit, ..JsonLimits::default() };
    let text = check(message, &limits).map_err(|e| Error::Garbage(e.to_string()))?.trim();
    match Message::parse(text).map_err(|e| Error::Garbage(e.to_string()))? {
        Message::Response { id, outcome } => {
            let Some(id) = id.as_ref().and_then(Id::as_u64) else {
                return Err(Error::Garbage("an answer without a known id".into()));
            };
            shared.respond(
                id,
                match outcome {
                    Outcome::Result(raw) => Inbound::Result(raw.to_owned()),
                    Outcome::Error(raw) => Inbound::Error(raw.to_owned()),
                },
            );
        }
        Message::Notification { method, params } => {
            let params = params.unwrap_or("{}");
            shared.around.told(&method, params);
            shared.tell(method, params);
        }
        Message::Request { id, method, params } => shared.asked(id, &method, params.unwrap_or("{}")),
    }
    Ok(())
}
