//! One backend server: kept connected, counted, and never able to take the others with it.

use super::follow::Following;
use super::inbox::Answer;
use super::link::{News, Surroundings, Unasked};
use super::peer::{Peer, Wanted};
use super::{ClearedCall, Error, Listing, SessionMode, Target};
use crate::mcp::Abilities;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore, broadcast, mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Notices within this time are answered by one new listing.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// A session of one principal that nobody used for this long is ended.
const SESSION_IDLE: Duration = Duration::from_mins(30);
/// Most sessions (or processes) of single principals with one backend.
const SESSIONS: usize = 1024;
/// How long a call may wait for a free slot.
const SLOT_WAIT: Duration = Duration::from_secs(5);

/// Whether a backend can be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Not tried yet.
    Starting,
    /// Connected.
    Up,
    /// Not connected, and why; retried with growing pauses.
    Down(Error),
}

/// News of one backend.
#[derive(Debug, Clone)]
pub enum Event {
    /// It is up, or its lists changed.
    Listed(String, Arc<Listing>),
    /// It went down.
    Down(String, Error),
}

struct Session {
    place: Place,
    used: Instant,
}

/// Where a session is, once it has been opened.
type Place = Arc<Mutex<Option<Arc<Peer>>>>;

/// The session of a single call: ended, politely, when the call is over.
#[derive(Debug)]
pub(super) struct Alone {
    peer: Option<Arc<Peer>>,
    tracker: TaskTracker,
}

impl Alone {
    fn new(peer: Arc<Peer>, around: &Surroundings) -> Self {
        Self { peer: Some(peer), tracker: around.tracker.clone() }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        if let Some(peer) = self.peer.take() {
            self.tracker.spawn(async move {
                let _ = timeout(Duration::from_secs(1), peer.close()).await;
            });
        }
    }
}

/// A backend server and its connections.
pub struct Upstream {
    target: Target,
    around: Surroundings,
    /// The connection that lists, and that all share in shared mode.
    shared: Mutex<Option<Arc<Peer>>>,
    /// Sessions of one principal, by principal and what its client can be asked.
    own: Mutex<HashMap<(String, Abilities), Session>>,
    slots: Arc<Semaphore>,
    health: watch::Sender<Health>,
    pub(super) following: Following,
    stop: CancellationToken,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Upstream {
    /// Starts to connect; news go to `events`.
    pub fn start(
        target: Target,
        http: reqwest::Client,
        tracker: &TaskTracker,
        (events, told): (mpsc::UnboundedSender<Event>, broadcast::Sender<News>),
    ) -> Arc<Self> {
        let (unasked, notices) = mpsc::channel(64);
        let server = target.id.as_str().into();
        let upstream = Arc::new(Self {
            around: Surroundings { tracker: tracker.clone(), http, unasked, notices: told, server },
            following: Following::default(),
            shared: Mutex::default(),
            own: Mutex::default(),
            slots: Arc::new(Semaphore::new(target.concurrency)),
            health: watch::channel(Health::Starting).0,
            stop: CancellationToken::new(),
            target,
        });
        tracker.spawn(upstream.clone().supervise(notices, events));
        upstream
    }

    /// The resolved configuration.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Whether it can be called.
    pub fn health(&self) -> Health {
        self.health.borrow().clone()
    }

    /// Waits until the first attempt to connect has ended, well or not.
    pub async fn tried(&self) {
        let mut health = self.health.subscribe();
        let _ = health.wait_for(|h| *h != Health::Starting).await;
    }

    /// Ends all connections and processes.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Sends a cleared call. The answer's frames are read from the returned stream.
    ///
    /// # Errors
    /// Returns why the backend could not be asked.
    pub async fn send(&self, call: &ClearedCall) -> Result<Answer, Error> {
        let slot = timeout(SLOT_WAIT, self.slots.clone().acquire_owned());
        let slot = slot.await.map_err(|_| Error::Busy)?.map_err(|_| Error::Closed)?;
        let mut peer = self.peer_for(call).await?;
        let inbox = match peer.send(call).await {
            Err(Error::SessionExpired) => {
                // 404 on a session means that nothing ran: the one case in which sending again is safe.
                self.forget(&peer).await;
                peer = self.peer_for(call).await?;
                peer.send(call).await?
            }
            sent => sent?,
        };
        let edition = peer.edition();
        let alone = (self.target.session == SessionMode::PerRequest).then(|| Alone::new(peer, &self.around));
        Ok(Answer { inbox, edition, _alone: alone, _slot: slot })
    }

    async fn peer_for(&self, call: &ClearedCall) -> Result<Arc<Peer>, Error> {
        match self.target.session {
            SessionMode::Shared => {
                let mut shared = self.shared.lock().await;
                match shared.as_ref().filter(|peer| !peer.is_closed()) {
                    Some(peer) => Ok(peer.clone()),
                    None => match self.health() {
                        Health::Up => {
                            let peer =
                                Peer::connect(&self.target, &self.around, &Abilities::carried()).await?;
                            let peer = Arc::new(peer);
                            *shared = Some(peer.clone());
                            Ok(peer)
                        }
                        Health::Starting => Err(Error::Down("it is starting".into())),
                        Health::Down(why) => Err(Error::Down(why.to_string())),
                    },
                }
            }
            SessionMode::PerPrincipal => {
                let place = self.place(call).await?;
                // Only those wait for a start that need this very session.
                let mut peer = place.lock().await;
                if let Some(peer) = peer.as_ref().filter(|peer| !peer.is_closed()) {
                    return Ok(peer.clone());
                }
                let fresh = Peer::connect(&self.target, &self.around, &call.hop().abilities).await?;
                let fresh = Arc::new(fresh);
                *peer = Some(fresh.clone());
                Ok(fresh)
            }
            SessionMode::PerRequest => {
                Peer::connect(&self.target, &self.around, &call.hop().abilities).await.map(Arc::new)
            }
        }
    }

    /// The place of a principal's own session, which may be empty.
    async fn place(&self, call: &ClearedCall) -> Result<Place, Error> {
        let mut own = self.own.lock().await;
        let now = Instant::now();
        // Extensions are told with each request: an agent cannot open session after session by varying them.
        let key = (call.to().principal.clone(), call.hop().abilities.questions());
        if let Some(session) = own.get_mut(&key) {
            session.used = now;
            return Ok(session.place.clone());
        }
        own.retain(|_, session| now.duration_since(session.used) < SESSION_IDLE);
        if own.len() >= SESSIONS {
            return Err(Error::Busy);
        }
        let place = Place::default();
        own.insert(key, Session { place: place.clone(), used: now });
        Ok(place)
    }

    async fn forget(&self, stale: &Arc<Peer>) {
        let mut shared = self.shared.lock().await;
        if shared.as_ref().is_some_and(|peer| Arc::ptr_eq(peer, stale)) {
            *shared = None;
        }
        drop(shared);
        let places: Vec<Place> =
            self.own.lock().await.values().map(|session| session.place.clone()).collect();
        for place in places {
            let mut peer = place.lock().await;
            if peer.as_ref().is_some_and(|peer| Arc::ptr_eq(peer, stale)) {
                *peer = None;
            }
        }
    }

    /// Connects, lists, listens, and begins again when the connection ends.
    async fn supervise(
        self: Arc<Self>,
        mut notices: mpsc::Receiver<Unasked>,
        events: mpsc::UnboundedSender<Event>,
    ) {
        let mut pause = FIRST_PAUSE;
        while !self.stop.is_cancelled() {
            let ended = tokio::select! {
                ended = self.live(&mut notices, &events) => ended,
                () = self.stop.cancelled() => break,
            };
            let was_up = *self.health.borrow() == Health::Up;
            if was_up {
                pause = FIRST_PAUSE;
            }
            *self.shared.lock().await = None;
            tracing::warn!(server = self.target.id, "backend down: {ended}");
            self.health.send_replace(Health::Down(ended.clone()));
            let _ = events.send(Event::Down(self.target.id.clone(), ended));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => break,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
            while notices.try_recv().is_ok() {}
        }
        let peers: Vec<_> = self.shared.lock().await.take().into_iter().collect();
        let places: Vec<_> = self.own.lock().await.drain().map(|(_, session)| session.place).collect();
        let own: Vec<_> = places.iter().filter_map(|place| place.try_lock().ok()?.take()).collect();
        for peer in peers.iter().chain(&own) {
            let _ = timeout(Duration::from_secs(1), peer.close()).await;
        }
    }

    /// One life of the shared connection; returns why it ended.
    async fn live(
        &self,
        notices: &mut mpsc::Receiver<Unasked>,
        events: &mpsc::UnboundedSender<Event>,
    ) -> Error {
        let peer = match Peer::connect(&self.target, &self.around, &Abilities::carried()).await {
            Ok(peer) => Arc::new(peer),
            Err(e) => return e,
        };
        *self.shared.lock().await = Some(peer.clone());
        let mut last: Option<Arc<Listing>> = None;
        // A fresh connection follows nothing yet.
        let mut followed = Wanted::default();
        loop {
            match Listing::gather(&peer).await {
                Ok(listing) => {
                    let listing = Arc::new(listing);
                    if last.as_ref() != Some(&listing) {
                        last = Some(listing.clone());
                        let _ = events.send(Event::Listed(self.target.id.clone(), listing));
                    }
                    self.health.send_replace(Health::Up);
                }
                Err(e) => return e,
            }
            loop {
                let notice = tokio::select! {
                    notice = notices.recv() => notice,
                    wanted = self.following.changed(&followed) => {
                        if let Err(e) = peer.follow(&followed, &wanted).await {
                            tracing::warn!(server = self.target.id, "cannot follow resources: {e}");
                        }
                        followed = wanted;
                        self.following.applied(&followed);
                        continue;
                    }
                };
                match notice {
                    Some(Unasked::ListChanged) => break,
                    // A session of one principal may have ended, not the shared one.
                    Some(Unasked::Closed) if !peer.is_closed() => {}
                    Some(Unasked::Closed) | None => return Error::Closed,
                }
            }
            tokio::time::sleep(DEBOUNCE).await;
            while let Ok(notice) = notices.try_recv() {
                if notice == Unasked::Closed && peer.is_closed() {
                    return Error::Closed;
                }
            }
        }
    }
}
