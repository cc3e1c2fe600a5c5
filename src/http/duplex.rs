//! A way in that carries whole messages both ways for as long as it stays open: a WebSocket, HTTP+SSE, standard input
//! and output. One connection is one session of the old era, or any number of stateless requests; messages are taken
//! in order, requests run side by side, and what is said of each request leaves in order.

use super::connection::Way;
use super::edge::Edge;
use super::modern::Asked;
use super::respond::{Gone, Step, envelope, message, next, step};
use super::sessions::{Running, Session};
use super::slots::Slots;
use super::stream::Standing;
use super::{Rejection, batch, legacy, modern};
use crate::gateway::{Call, Refusal, Reply, Said};
use crate::identity::Authenticated;
use crate::mcp::{Edition, Era, Id, Message, MessageError, Method, Object, Outcome, check, meta};
use http::HeaderMap;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often an open connection shows that its session is in use.
const TOUCH: Duration = Duration::from_secs(30);

/// An open connection.
#[derive(Debug)]
pub(super) struct Duplex {
    edge: Arc<Edge>,
    way: Way,
    who: Authenticated,
    changes: watch::Receiver<u64>,
    out: mpsc::Sender<String>,
    session: OnceLock<Arc<Session>>,
    listening: OnceLock<()>,
    /// Stateless requests under way; those of a session are in the session.
    running: Mutex<HashMap<Id, CancellationToken>>,
    /// What is under way.
    requests: TaskTracker,
    over: CancellationToken,
}

/// A request that is known to the connection, so that it can be cancelled.
pub(super) struct Begun {
    id: Id,
    method: String,
    params: String,
    cancel: CancellationToken,
    _held: Held,
}

/// Takes a request off the list again.
enum Held {
    InSession { _running: Running },
    Stateless(Arc<Duplex>, Id),
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Self::Stateless(duplex, id) = self {
            duplex.running().remove(id);
        }
    }
}

impl Duplex {
    pub(super) fn new(
        edge: Arc<Edge>,
        way: Way,
        (who, changes): (Authenticated, watch::Receiver<u64>),
        out: mpsc::Sender<String>,
    ) -> Self {
        let (session, listening, over) =
            (OnceLock::new(), OnceLock::new(), edge.gateway.closing().child_token());
        Self {
            edge,
            way,
            who,
            changes,
            out,
            session,
            listening,
            running: Mutex::default(),
            requests: TaskTracker::new(),
            over,
        }
    }

    /// The same within a session that is open already.
    pub(super) fn within(self, session: Arc<Session>) -> Self {
        let _ = self.session.set(session);
        self
    }

    /// Whose it is.
    pub(super) fn who(&self) -> &Authenticated {
        &self.who
    }

    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    /// Largest message that is taken, in bytes.
    pub(super) fn limit(&self) -> usize {
        self.edge.json.bytes
    }

    pub(super) fn over(&self) -> &CancellationToken {
        &self.over
    }

    /// Ends the session and all that runs on the connection.
    pub(super) fn end(&self) {
        self.over.cancel();
        if let Some(session) = self.session.get() {
            self.edge.sessions.end(session);
        }
    }

    /// Waits until nothing is under way any more. To be called when nothing follows.
    pub(super) async fn idle(&self) {
        self.requests.close();
        self.requests.wait().await;
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Id, CancellationToken>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection when its credential, its session or the gateway does.
    pub(super) async fn keep(self: Arc<Self>) {
        let mut gone = Gone::new(&self.edge, self.who.clone(), self.changes.clone());
        let ended = async {
            loop {
                tokio::time::sleep(TOUCH).await;
                if let Some(session) = self.session.get() {
                    session.touch(self.edge.gateway.clock().now_us());
                    if session.ended.is_cancelled() {
                        return;
                    }
                }
            }
        };
        tokio::select! {
            () = gone.revoked() => {}
            () = ended => {}
            () = self.over.cancelled() => {}
        }
        self.over.cancel();
    }

    /// Takes one message, or a batch.
    pub(super) async fn take(self: &Arc<Self>, who: &Authenticated, bytes: &[u8]) {
        let text = match check(bytes, &self.edge.json) {
            Ok(text) => text.trim(),
            Err(e) => return self.turn_away(&e.into(), None).await,
        };
        match Message::parse(text) {
            Ok(parsed) => self.take_one(who, parsed).await,
            Err(MessageError::Batch) => match batch::elements(self.session.get(), text) {
                Ok(elements) => {
                    let begun = self.begin_all(who, &elements);
                    let (duplex, who) = (self.clone(), who.clone());
                    let under_way = self.requests.token();
                    self.edge.tracker.spawn(async move {
                        let _under_way = under_way;
                        if let Some(answer) = batch::answer(&duplex, &who, begun).await {
                            duplex.say(answer).await;
                        }
                    });
                }
                Err(rejection) => self.turn_away(&rejection, None).await,
            },
            Err(e) => self.turn_away(&e.into(), None).await,
        }
    }

    async fn take_one(self: &Arc<Self>, who: &Authenticated, parsed: Message<'_>) {
        match parsed {
            Message::Request { id, method, params } if method == Method::Initialize.as_str() => {
                let answer = self.initialize(who, &id, params.unwrap_or("{}")).await;
                self.say(answer).await;
            }
            Message::Request { id, method, params } => {
                let begun = match self.begin(id.clone(), method, params.unwrap_or("{}")) {
                    Ok(begun) => begun,
                    Err(rejection) => return self.turn_away(&rejection, Some(&id)).await,
                };
                let (duplex, who) = (self.clone(), who.clone());
                let under_way = self.requests.token();
                self.edge.tracker.spawn(async move {
                    let _under_way = under_way;
                    if let Some(answer) = duplex.ask(&who, &begun).await {
                        duplex.say(answer).await;
                    }
                });
            }
            Message::Notification { method, params } => self.told(who, &method, params),
            Message::Response { id, outcome } => self.heard(id.as_ref(), outcome),
        }
    }

    /// Begins all of a batch; what cannot begin is answered at once.
    pub(super) fn begin_all(
        self: &Arc<Self>,
        who: &Authenticated,
        elements: &[&str],
    ) -> Vec<Result<Begun, String>> {
        let mut all = Vec::new();
        for element in elements {
            match Message::parse(element) {
                Ok(Message::Request { id, method, params }) => {
                    // `initialize` must not be part of a batch (MCP 2025-03-26, Lifecycle).
                    let begun = self.begin(id.clone(), method, params.unwrap_or("{}"));
                    all.push(begun.map_err(|rejection| self.rejected(&rejection, Some(&id))));
                }
                Ok(Message::Notification { method, params }) => self.told(who, &method, params),
                Ok(Message::Response { id, outcome }) => self.heard(id.as_ref(), outcome),
                Err(e) => all.push(Err(self.rejected(&e.into(), None))),
            }
        }
        all
    }

    fn begin(self: &Arc<Self>, id: Id, method: String, params: &str) -> Result<Begun, Rejection> {
        let params = params.to_owned();
        if !is_modern(&params) && method != Method::Discover.as_str() {
            let session = self.session.get().ok_or(Rejection::NoSession)?;
            let running = session.begin(id.clone())?;
            let cancel = running.cancel.clone();
            return Ok(Begun { id, method, params, cancel, _held: Held::InSession { _running: running } });
        }
        let cancel = self.over.child_token();
        let mut running = self.running();
        if running.contains_key(&id) {
            return Err(Rejection::IdInUse);
        }
        running.insert(id.clone(), cancel.clone());
        drop(running);
        Ok(Begun { id: id.clone(), method, params, cancel, _held: Held::Stateless(self.clone(), id) })
    }

    /// Runs a request. What comes first is said; what comes last is returned; a request that was cancelled has no
    /// last word.
    pub(super) async fn ask(&self, who: &Authenticated, begun: &Begun) -> Option<String> {
        let listens = begun.method == Method::Listen.as_str();
        let places = &self.edge.places;
        let slots = if listens { places.stream() } else { places.take(&who.caller) };
        let prepared = slots.and_then(|slots| {
            let asked = self.asked(&begun.id, &begun.method, &begun.params);
            Ok((slots, asked.id, self.call(&asked)?))
        });
        match prepared {
            Ok((slots, reference, call)) => self.run(who, begun, (slots, reference, call)).await,
            Err(rejection) => Some(self.rejected(&rejection, Some(&begun.id))),
        }
    }

    fn asked<'a>(&self, id: &'a Id, method: &'a str, params: &'a str) -> Asked<'a> {
        Asked {
            id: self.edge.call_id(),
            rpc_id: id.raw(),
            method,
            params,
            front: self.way.front.clone(),
            source: self.way.source,
            transport: self.way.transport,
        }
    }

    /// The call of a request, in the era that it says.
    fn call(&self, asked: &Asked<'_>) -> Result<Call, Rejection> {
        match self.session.get() {
            Some(session) if !is_modern(asked.params) => legacy::call(asked, session, &HeaderMap::new()),
            _ => modern::call(asked, None),
        }
    }

    async fn run(
        &self,
        who: &Authenticated,
        begun: &Begun,
        (_slots, reference, call): (Slots, uuid::Uuid, Call),
    ) -> Option<String> {
        let effects = match legacy::Effects::of(&call) {
            Ok(effects) => effects,
            Err(refusal) => return Some(refused(&refusal, reference, &begun.id)),
        };
        let mut gone = Gone::new(&self.edge, who.clone(), self.changes.clone());
        let served = tokio::select! {
            biased;
            () = gone.revoked() => return Some(self.rejected(&self.edge.revoked(who), Some(&begun.id))),
            () = begun.cancel.cancelled() => return None,
            served = self.edge.gateway.serve(&who.caller, call) => served,
        };
        let mut reply = match served {
            Ok(reply) => reply,
            Err(refusal) => return Some(refused(&refusal, reference, &begun.id)),
        };
        if let Some(session) = self.session.get() {
            effects.apply(session, &mut reply);
        }
        self.frames(reply, begun, gone).await
    }

    async fn frames(&self, reply: Reply, begun: &Begun, mut gone: Gone) -> Option<String> {
        let legacy = reply.edition().era() == Era::Legacy;
        let mut waiting = Some(next(reply));
        loop {
            match step(&mut waiting, &mut gone, begun.cancel.cancelled()).await {
                Step::Frame(frame) => {
                    let last = frame.is_last();
                    let text = match self.session.get().filter(|_| legacy) {
                        Some(session) => message(session, frame, &begun.id),
                        None => envelope(&frame, &begun.id),
                    };
                    if last {
                        return Some(text);
                    }
                    self.say(text).await;
                }
                Step::Over => {
                    return Some(format!(
                        "{{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{{}}}}",
                        begun.id.raw()
                    ));
                }
                Step::Cancelled => return None,
                Step::Revoked => {
                    return Some(self.rejected(&self.edge.revoked(&gone.who), Some(&begun.id)));
                }
            }
        }
    }

    async fn initialize(&self, who: &Authenticated, id: &Id, params: &str) -> String {
        let asked = self.asked(id, Method::Initialize.as_str(), params);
        if self.session.get().is_some() {
            return refused(&Refusal::InvalidParams("the session is open already".into()), asked.id, id);
        }
        let Some(opening) = legacy::opening(params) else {
            let why = "`protocolVersion`, `capabilities` and `clientInfo` are required";
            return refused(&Refusal::InvalidParams(why.into()), asked.id, id);
        };
        let call = legacy::initialize(&asked, &opening, &HeaderMap::new());
        let mut reply = match self.edge.gateway.serve(&who.caller, call).await {
            Ok(reply) => reply,
            Err(refusal) => return refused(&refusal, asked.id, id),
        };
        let now = self.edge.gateway.clock().now_us();
        match self.edge.sessions.open(&who.caller, asked.front.clone(), &opening, now) {
            Ok(session) => drop(self.session.set(session)),
            Err(rejection) => return self.rejected(&rejection, Some(id)),
        }
        while let Some(frame) = reply.next().await {
            if frame.is_last() {
                return envelope(&frame, id);
            }
        }
        refused(&Refusal::Internal, asked.id, id)
    }

    /// A notification of the agent.
    fn told(self: &Arc<Self>, who: &Authenticated, method: &str, params: Option<&str>) {
        match method {
            "notifications/cancelled" => {
                let id =
                    params.and_then(Object::parse).and_then(|p| p.get("requestId")).and_then(Id::from_raw);
                let Some(id) = id else { return };
                if let Some(cancel) = self.running().remove(&id) {
                    cancel.cancel();
                } else if let Some(session) = self.session.get() {
                    session.cancel(&id);
                }
            }
            "notifications/initialized" => {
                let Some(session) = self.session.get() else { return };
                if self.listening.set(()).is_ok() {
                    let gone = Gone::new(&self.edge, who.clone(), self.changes.clone());
                    let front = self.way.front.clone();
                    let mut standing = Standing::new(self.edge.clone(), session.clone(), gone, front);
                    let duplex = self.clone();
                    self.edge.tracker.spawn(async move {
                        while let Some(Some(messages)) =
                            duplex.over.run_until_cancelled(standing.next()).await
                        {
                            for message in messages {
                                duplex.say(message).await;
                            }
                        }
                    });
                }
            }
            _ => {}
        }
    }

    /// The answer to a question. What is no answer to anything has no effect.
    fn heard(&self, id: Option<&Id>, outcome: Outcome<'_>) {
        if let (Some(session), Some(id)) = (self.session.get(), id) {
            let said = match outcome {
                Outcome::Result(raw) => Said::Result(raw.to_owned()),
                Outcome::Error(raw) => Said::Error(raw.to_owned()),
            };
            session.answer(id, said);
        }
    }

    /// Puts a message behind those that wait. When the connection is over, nobody hears it.
    async fn say(&self, message: String) {
        let _ = self.over.run_until_cancelled(self.out.send(message)).await;
    }

    pub(super) async fn turn_away(&self, rejection: &Rejection, id: Option<&Id>) {
        let answer = self.rejected(rejection, id);
        self.say(answer).await;
    }

    fn rejected(&self, rejection: &Rejection, id: Option<&Id>) -> String {
        if let Some(why) = rejection.unheard() {
            self.edge.fold().note(&self.edge.gateway, self.way.source, why);
        }
        rejection.message(id.map(Id::raw))
    }
}

/// A revision in `_meta` makes a request stateless.
fn is_modern(params: &str) -> bool {
    Object::parse(params)
        .and_then(|p| p.object("_meta"))
        .is_some_and(|m| m.get(meta::PROTOCOL_VERSION).is_some())
}

fn refused(refusal: &Refusal, reference: uuid::Uuid, id: &Id) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"error\":{}}}", id.raw(), refusal.error(reference))
}

/// Whether the session agreed on the one revision that has batches.
pub(super) fn has_batches(session: &Session) -> bool {
    session.edition == Edition::V2025_03_26
}
