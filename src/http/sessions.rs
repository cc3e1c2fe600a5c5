//! Sessions of the legacy era: bound to their principal, bounded in number and age.

use super::Rejection;
use super::legacy::Opening;
use super::replay::Stream;
use crate::gateway::{Client, Followed, Said, SessionFacts, Views};
use crate::identity::Caller;
use crate::mcp::{Abilities, Edition, Id, quote};
use crate::route::Front;
use crate::upstream::LogLevel;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// One legacy session.
#[derive(Debug)]
pub(super) struct Session {
    pub id: String,
    pub edition: Edition,
    pub client: Client,
    /// What the agent can be asked.
    pub abilities: Abilities,
    /// Cancelled when the session ends: its streams end with it.
    pub ended: CancellationToken,
    owner: Owner,
    front: Front,
    started_us: i64,
    used_us: AtomicI64,
    calls: AtomicI64,
    level: Mutex<Option<LogLevel>>,
    running: Mutex<HashMap<Id, CancellationToken>>,
    /// Questions that the agent has not answered, by our id.
    asked: Mutex<HashMap<Id, oneshot::Sender<Said>>>,
    streams: Mutex<Streams>,
    /// Resources that the agent follows.
    followed: Mutex<Vec<Followed>>,
    /// What the agent was last told of its view of the lists.
    told: Mutex<Option<Views>>,
}

/// The streams of a session that can be come back to.
#[derive(Debug, Default)]
struct Streams {
    opened: u64,
    kept: Vec<Arc<Stream>>,
}

/// Most streams of one session that are kept; the oldest goes first.
const STREAMS: usize = 64;
/// Most resources that one session follows; the oldest goes first.
const FOLLOWED: usize = 1000;
/// Most questions of one session that wait for an answer; beyond that a question is as good as refused.
const QUESTIONS: usize = 256;

/// Who may use a session: the principal behind a credential, not the credential.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner(String);

impl Owner {
    fn of(caller: &Caller) -> Self {
        Self(format!("{}\n{}\n{}\n{}", caller.tenant, caller.kind.entity_type(), caller.id, caller.agent))
    }
}

impl Session {
    /// The facts that policy and the log see. Counts the call.
    pub(super) fn facts(&self) -> SessionFacts {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        SessionFacts { id: self.id.clone(), started_us: self.started_us, calls, ..SessionFacts::default() }
    }

    pub(super) fn level(&self) -> Option<LogLevel> {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_level(&self, level: LogLevel) {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner) = Some(level);
    }

    /// The session is in use, though nothing was called.
    pub(super) fn touch(&self, now_us: i64) {
        self.used_us.store(now_us, Ordering::Relaxed);
    }

    /// Keeps a place for the answer to a question, under an id that nobody can guess (122 random bits).
    pub(super) fn ask(&self, answer: oneshot::Sender<Said>) -> Id {
        let id =
            Id::from_raw(&quote(&uuid::Uuid::new_v4().simple().to_string())).unwrap_or_else(|| Id::number(0));
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, waiting| !waiting.is_closed());
        if asked.len() < QUESTIONS {
            asked.insert(id.clone(), answer);
        }
        id
    }

    /// Takes the answer to a question, once. One to a question of nobody's has no effect.
    pub(super) fn answer(&self, id: &Id, said: Said) {
        let waiting = self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        if let Some(waiting) = waiting {
            let _ = waiting.send(said);
        }
    }

    /// A new stream that can be come back to.
    pub(super) fn open_stream(&self) -> Arc<Stream> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.opened += 1;
        let stream = Arc::new(Stream::new(streams.opened));
        streams.keep(stream.clone());
        stream
    }

    /// The stream of that number, if it is still kept.
    pub(super) fn stream(&self, number: u64) -> Option<Arc<Stream>> {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.kept.iter().find(|stream| stream.number == number).cloned()
    }

    /// The standalone stream, number 0.
    pub(super) fn standalone(&self) -> Arc<Stream> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stream) = streams.kept.iter().find(|stream| stream.number == 0) {
            return stream.clone();
        }
        let stream = Arc::new(Stream::new(0));
        streams.keep(stream.clone());
        stream
    }

    /// Follows a resource from now on; one that was followed already is followed once.
    pub(super) fn follow(&self, followed: Followed) {
        let mut all = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| known.shown != followed.shown);
        if all.len() >= FOLLOWED {
            all.remove(0);
        }
        all.push(followed);
    }

    /// Follows a resource no more.
    pub(super) fn unfollow(&self, shown: &str) {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| known.shown != shown);
    }

    /// The resources that the agent follows.
    pub(super) fn followed(&self) -> MutexGuard<'_, Vec<Followed>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the agent was last told of its view of the lists.
    pub(super) fn told(&self) -> Option<Views> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The agent has been told of this view.
    pub(super) fn tell(&self, views: Views) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(views);
    }

    /// Notes a running request, so that it can be cancelled.
    ///
    /// # Errors
    /// A request with that id is under way (ids are not reused within a session, MCP Base Protocol).
    pub(super) fn begin(self: &Arc<Self>, id: Id) -> Result<Running, Rejection> {
        let cancel = self.ended.child_token();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.contains_key(&id) {
            return Err(Rejection::IdInUse);
        }
        running.insert(id.clone(), cancel.clone());
        drop(running);
        Ok(Running { session: self.clone(), id, cancel })
    }

    /// Cancels a running request; an unknown one has just ended.
    pub(super) fn cancel(&self, id: &Id) {
        if let Some(cancel) = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(id) {
            cancel.cancel();
        }
    }
}

impl Streams {
    fn keep(&mut self, stream: Arc<Stream>) {
        let now = Instant::now();
        self.kept.retain(|stream| !stream.is_old(now));
        if self.kept.len() >= STREAMS {
            self.kept.remove(0);
        }
        self.kept.push(stream);
    }
}

/// A request that is running; dropped when it ends.
#[derive(Debug)]
pub(super) struct Running {
    session: Arc<Session>,
    id: Id,
    pub cancel: CancellationToken,
}

impl Running {
    /// The session that it runs in.
    pub(super) fn session(&self) -> &Arc<Session> {
        &self.session
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.session.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// All sessions.
#[derive(Debug)]
pub(super) struct Sessions {
    open: Mutex<HashMap<String, Arc<Session>>>,
    most: usize,
    idle_us: i64,
}

impl Sessions {
    pub(super) fn new(most: usize, idle_us: i64) -> Self {
        Self { open: Mutex::default(), most, idle_us }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session under an id that cannot be guessed (UUID version 4, 122 random bits).
    pub(super) fn open(
        &self,
        caller: &Caller,
        front: Front,
        opening: &Opening,
        now_us: i64,
    ) -> Result<Arc<Session>, Rejection> {
        let session = Arc::new(Session {
            id: uuid::Uuid::new_v4().simple().to_string(),
            edition: opening.edition,
            client: opening.client.clone(),
            abilities: opening.abilities.clone(),
            ended: CancellationToken::new(),
            owner: Owner::of(caller),
            front,
            started_us: now_us,
            used_us: AtomicI64::new(now_us),
            calls: AtomicI64::new(0),
            level: Mutex::default(),
            running: Mutex::default(),
            asked: Mutex::default(),
            streams: Mutex::default(),
            followed: Mutex::default(),
            told: Mutex::default(),
        });
        let mut open = self.lock();
        if open.len() >= self.most {
            open.retain(|_, s| self.is_fresh(s, now_us));
        }
        if open.len() >= self.most {
            return Err(Rejection::TooManySessions);
        }
        open.insert(session.id.clone(), session.clone());
        Ok(session)
    }

    /// The caller's session of that id. Another principal's looks like none.
    pub(super) fn find(
        &self,
        id: &str,
        caller: &Caller,
        front: &Front,
        now_us: i64,
    ) -> Result<Arc<Session>, Rejection> {
        let session = self.lock().get(id).cloned().ok_or(Rejection::UnknownSession)?;
        if session.owner != Owner::of(caller) || session.front != *front {
            return Err(Rejection::UnknownSession);
        }
        if !self.is_fresh(&session, now_us) {
            self.end(&session);
            return Err(Rejection::UnknownSession);
        }
        session.used_us.store(now_us, Ordering::Relaxed);
        Ok(session)
    }

    fn is_fresh(&self, session: &Session, now_us: i64) -> bool {
        let busy = !session.running.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        busy || now_us - session.used_us.load(Ordering::Relaxed) < self.idle_us
    }

    /// Ends a session and all that runs in it.
    pub(super) fn end(&self, session: &Session) {
        self.lock().remove(&session.id);
        session.ended.cancel();
    }

    /// How many sessions are open.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Ends the sessions that nobody used for too long.
    pub(super) fn sweep(&self, now_us: i64) {
        let now = Instant::now();
        let mut open = self.lock();
        for session in open.values() {
            session.streams.lock().unwrap_or_else(PoisonError::into_inner).kept.retain(|s| !s.is_old(now));
        }
        open.retain(|_, session| {
            let fresh = self.is_fresh(session, now_us);
            if !fresh {
                session.ended.cancel();
            }
            fresh
        });
    }
}
