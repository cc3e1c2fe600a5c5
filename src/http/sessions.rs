//! Sessions of the legacy era: bound to their principal, bounded in number and age.

use super::Rejection;
use crate::gateway::{Client, SessionFacts};
use crate::identity::Caller;
use crate::mcp::{Edition, Id};
use crate::route::Front;
use crate::upstream::LogLevel;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// One legacy session.
#[derive(Debug)]
pub(super) struct Session {
    pub id: String,
    pub edition: Edition,
    pub client: Client,
    /// Cancelled when the session ends: its streams end with it.
    pub ended: CancellationToken,
    owner: Owner,
    front: Front,
    started_us: i64,
    used_us: AtomicI64,
    calls: AtomicI64,
    level: Mutex<Option<LogLevel>>,
    running: Mutex<HashMap<Id, CancellationToken>>,
}

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

    /// Notes a running request, so that it can be cancelled.
    pub(super) fn begin(self: &Arc<Self>, id: Id) -> Running {
        let cancel = self.ended.child_token();
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), cancel.clone());
        Running { session: self.clone(), id, cancel }
    }

    /// Cancels a running request; an unknown one has just ended.
    pub(super) fn cancel(&self, id: &Id) {
        if let Some(cancel) = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(id) {
            cancel.cancel();
        }
    }
}

/// A request that is running; dropped when it ends.
#[derive(Debug)]
pub(super) struct Running {
    session: Arc<Session>,
    id: Id,
    pub cancel: CancellationToken,
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
        edition: Edition,
        client: Client,
        now_us: i64,
    ) -> Result<Arc<Session>, Rejection> {
        let session = Arc::new(Session {
            id: uuid::Uuid::new_v4().simple().to_string(),
            edition,
            client,
            ended: CancellationToken::new(),
            owner: Owner::of(caller),
            front,
            started_us: now_us,
            used_us: AtomicI64::new(now_us),
            calls: AtomicI64::new(0),
            level: Mutex::default(),
            running: Mutex::default(),
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
        let mut open = self.lock();
        open.retain(|_, session| {
            let fresh = self.is_fresh(session, now_us);
            if !fresh {
                session.ended.cancel();
            }
            fresh
        });
    }
}
