//! A backend that has said which era it speaks: the handshake, and requests of our own.

use super::inbox::{Inbound, Inbox};
use super::link::{Link, Surroundings};
use super::outgoing::{Outgoing, client_info};
use super::{ClearedCall, EraChoice, Error, Target};
use crate::mcp::{Abilities, Edition, Era, Method, Object, array_items, codes, quote, string_value};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long a process may take over a probe that it does not understand before it counts as legacy.
const PROBE: Duration = Duration::from_secs(5);

/// A subscription that lasted this long was meant to.
const LASTING: Duration = Duration::from_secs(5);

/// An initialised or discovered backend.
#[derive(Debug)]
pub(super) struct Peer {
    link: Arc<Link>,
    edition: Edition,
    /// The raw `capabilities` object.
    capabilities: String,
    instructions: Option<String>,
    call_timeout: Duration,
    /// Ends what listens now; replaced when more is to be listened for.
    listening: Mutex<Option<DropGuard>>,
    around: Surroundings,
}

/// What `initialize` came to.
enum Opened {
    /// The agreed revision and the raw result.
    Legacy(Edition, String),
    /// It was refused; perhaps because the connection speaks 2026-07-28.
    Refused { modern: bool },
}

enum Probe {
    Modern(String),
    Legacy,
}

impl Peer {
    /// Connects and shakes hands.
    ///
    /// A session-era backend is told once what its client can be asked: `abilities`. A stateless one is told with
    /// each request.
    pub(super) async fn connect(
        target: &Target,
        around: &Surroundings,
        abilities: &Abilities,
    ) -> Result<Self, Error> {
        let handshake = Self::handshake(target, around, abilities);
        timeout(target.start_timeout, handshake).await.unwrap_or(Err(Error::Timeout))
    }

    /// Shakes hands; where a server refuses to be posted to and it was left open what it speaks, once more by the
    /// transport of 2024-11-05. What is told in the end is the first refusal: the second follows from it.
    async fn handshake(target: &Target, around: &Surroundings, abilities: &Abilities) -> Result<Self, Error> {
        let refused = match Self::shake_hands(target, around, abilities).await {
            Err(Error::Status(code @ (400 | 404 | 405))) => Error::Status(code),
            shaken => return shaken,
        };
        let Some(older) = target.by_event_stream() else { return Err(refused) };
        Self::shake_hands(&older, around, abilities).await.map_err(|_| refused)
    }

    async fn shake_hands(
        target: &Target,
        around: &Surroundings,
        abilities: &Abilities,
    ) -> Result<Self, Error> {
        let link = Link::open(target, around)?;
        let found = match target.era {
            EraChoice::Legacy => Probe::Legacy,
            EraChoice::Modern => match probe(&link).await? {
                Probe::Modern(result) => Probe::Modern(result),
                Probe::Legacy => return Err(Error::Handshake("it does not speak 2026-07-28".into())),
            },
            // A server of 2024-11-05's transport may hang up on what it does not know; none speaks modern.
            EraChoice::Auto if link.is_legacy_only() => Probe::Legacy,
            EraChoice::Auto => match timeout(PROBE, probe(&link)).await {
                Ok(Ok(found)) => found,
                // A process may exit on, or ignore, what it does not know. HTTP failures decide nothing.
                Ok(Err(Error::Closed)) | Err(_) if link.is_pipe() => Probe::Legacy,
                Ok(Err(e)) => return Err(e),
                Err(_) => return Err(Error::Timeout),
            },
        };
        let link = if link.is_closed() { Link::open(target, around)? } else { link };
        let (edition, answer) = match found {
            Probe::Modern(result) => (Edition::LATEST, result),
            Probe::Legacy => match initialize(&link, abilities).await? {
                Opened::Legacy(edition, answer) => (edition, answer),
                // It was slow to start, not silent: the probe reached it first and settled the era.
                Opened::Refused { modern: true } if target.era == EraChoice::Auto => {
                    match probe(&link).await? {
                        Probe::Modern(result) => (Edition::LATEST, result),
                        Probe::Legacy => return Err(Error::Handshake("it refused both eras".into())),
                    }
                }
                Opened::Refused { .. } => {
                    return Err(Error::Handshake("it refused `initialize`".into()));
                }
            },
        };
        let object = Object::parse(&answer).ok_or_else(|| Error::Handshake("not an object".into()))?;
        let peer = Self {
            capabilities: object.get("capabilities").unwrap_or("{}").to_owned(),
            instructions: object.str("instructions").map(std::borrow::Cow::into_owned),
            link: Arc::new(link),
            edition,
            call_timeout: target.call_timeout,
            listening: Mutex::default(),
            around: around.clone(),
        };
        if edition.era() == Era::Legacy {
            peer.link.notify("notifications/initialized", edition).await?;
        }
        peer.listen();
        Ok(peer)
    }

    pub(super) fn edition(&self) -> Edition {
        self.edition
    }

    pub(super) fn instructions(&self) -> Option<&str> {
        self.instructions.as_deref()
    }

    pub(super) fn has_capability(&self, name: &str) -> bool {
        Object::parse(&self.capabilities).is_some_and(|c| c.get(name).is_some())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.link.is_closed()
    }

    /// Sends a cleared call.
    pub(super) async fn send(&self, call: &ClearedCall) -> Result<Inbox, Error> {
        let id = self.link.next_id();
        let out = Outgoing::of(call, self.edition, id);
        self.link.send(id, &out, self.edition).await
    }

    /// Asks something on our own behalf and waits for the response.
    pub(super) async fn ask(&self, method: Method, params: &str) -> Result<Inbound, Error> {
        let out = Outgoing::own(method, self.edition, params);
        let answer = async {
            let mut inbox = self.link.request(&out, self.edition).await?;
            last(&mut inbox).await
        };
        timeout(self.call_timeout, answer).await.unwrap_or(Err(Error::Timeout))
    }

    /// Whether its resources can be subscribed to.
    pub(super) fn has_subscriptions(&self) -> bool {
        let resources = Object::parse(&self.capabilities).and_then(|c| c.object("resources"));
        resources.is_some_and(|r| r.get("subscribe") == Some("true"))
    }

    /// Whether its tools may start tasks.
    pub(super) fn has_tasks(&self) -> bool {
        let extensions = Object::parse(&self.capabilities).and_then(|c| c.object("extensions"));
        self.edition.era() == Era::Modern
            && extensions.is_some_and(|e| e.get("io.modelcontextprotocol/tasks").is_some())
    }

    /// Listens for what the backend says unasked. A process of the session era says it on its pipe; an HTTP session has a
    /// stream of its own; a stateless backend answers a subscription.
    fn listen(&self) {
        let changes = ["tools", "prompts", "resources"].iter().any(|list| {
            Object::parse(&self.capabilities)
                .and_then(|c| c.object(list))
                .is_some_and(|c| c.get("listChanged") == Some("true"))
        });
        let legacy = self.edition.era() == Era::Legacy;
        let by_pipe = self.link.is_pipe();
        if (legacy && by_pipe) || !(changes || self.has_subscriptions()) {
            return;
        }
        let (link, edition, around) = (self.link.clone(), self.edition, self.around.clone());
        // Only weakly: the peer's drop must close the link.
        let weak = Arc::downgrade(&link);
        let (lasting, began) = (weak.clone(), Instant::now());
        drop(link);
        let started = async move {
            let link = weak.upgrade()?;
            match (&*link, edition.era()) {
                (Link::Http(http), Era::Legacy) => http.listen(edition).await.map(Inbox::from),
                _ => link.request(&subscription(edition, &Wanted::default()), edition).await.ok(),
            }
        };
        let stop = CancellationToken::new();
        self.hold(stop.clone().drop_guard());
        self.around.tracker.spawn(async move {
            tokio::select! {
                () = async {
                    if let Some(inbox) = started.await {
                        hear(inbox, &around, None).await;
                        unheard(&lasting, edition, began);
                    }
                } => {}
                () = stop.cancelled() => {}
            }
        });
    }

    fn hold(&self, guard: DropGuard) {
        *self.listening.lock().unwrap_or_else(PoisonError::into_inner) = Some(guard);
    }

    /// Follows exactly these resources and tasks from now on. The filter of a subscription cannot be changed, so a
    /// stateless backend gets a new one before the old one ends.
    pub(super) async fn follow(&self, before: &Wanted, wanted: &Wanted) -> Result<(), Error> {
        if self.edition.era() == Era::Legacy {
            for (method, uris) in [
                ("resources/subscribe", wanted.uris.difference(&before.uris)),
                ("resources/unsubscribe", before.uris.difference(&wanted.uris)),
            ] {
                for uri in uris {
                    let mut out = Outgoing::own(Method::ResourcesRead, self.edition, &uri_member(uri));
                    out.method = method;
                    let answer = async { last(&mut self.link.request(&out, self.edition).await?).await };
                    let answer = timeout(self.call_timeout, answer).await.unwrap_or(Err(Error::Timeout))?;
                    if let Inbound::Error(_) = answer {
                        tracing::warn!(server = &*self.around.server, "the backend refused `{method}`");
                    }
                }
            }
            return Ok(());
        }
        let out = subscription(self.edition, wanted);
        let inbox = self.link.request(&out, self.edition).await?;
        let (acknowledged, ready) = oneshot::channel();
        let (stop, around) = (CancellationToken::new(), self.around.clone());
        let (lasting, edition, began) = (Arc::downgrade(&self.link), self.edition, Instant::now());
        let stopped = stop.clone();
        self.around.tracker.spawn(async move {
            tokio::select! {
                () = hear(inbox, &around, Some(acknowledged)) => unheard(&lasting, edition, began),
                () = stopped.cancelled() => {}
            }
        });
        let acknowledged = timeout(self.call_timeout, ready).await;
        self.hold(stop.drop_guard());
        acknowledged.map_err(|_| Error::Timeout)?.map_err(|_| Error::Closed)
    }

    /// Ends a legacy HTTP session politely.
    pub(super) async fn close(&self) {
        if let Link::Http(link) = &*self.link {
            link.end_session(self.edition).await;
        }
    }
}

/// What is followed beside the lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The backend's own URIs.
    pub uris: BTreeSet<String>,
    /// The backend's own task ids.
    pub tasks: BTreeSet<String>,
}

fn uri_member(uri: &str) -> String {
    format!("\"uri\":{}", quote(uri))
}

fn subscription(edition: Edition, wanted: &Wanted) -> Outgoing {
    let mut filter = "\"notifications\":{\"toolsListChanged\":true,\"promptsListChanged\":true,\
                      \"resourcesListChanged\":true"
        .to_owned();
    for (key, values) in [("resourceSubscriptions", &wanted.uris), ("taskIds", &wanted.tasks)] {
        if !values.is_empty() {
            let values: Vec<String> = values.iter().map(|value| quote(value)).collect();
            let _ = write!(filter, ",\"{key}\":[{}]", values.join(","));
        }
    }
    filter.push('}');
    let mut out = Outgoing::own(Method::Listen, edition, &filter);
    out.asker = None;
    out
}

/// Passes on what comes until the stream ends. The acknowledgement comes first (MCP 2026-07-28, Subscriptions).
async fn hear(mut inbox: Inbox, around: &Surroundings, mut acknowledged: Option<oneshot::Sender<()>>) {
    while let Ok(frame) = inbox.next().await {
        match frame {
            Inbound::Notification { method, params } => {
                if let Some(acknowledged) = acknowledged.take() {
                    let _ = acknowledged.send(());
                }
                around.told(&method, &params);
            }
            // A question outside of any call concerns nobody: dropped, and thereby refused.
            Inbound::Question(_) => {}
            Inbound::Result(_) | Inbound::Error(_) => return,
        }
    }
}

/// A subscription has ended that was to last. One that ends at once is how that backend is: nothing is gained by trying
/// again and again. Sessions end their streams as they like, and take them up again.
fn unheard(link: &Weak<Link>, edition: Edition, began: Instant) {
    if edition.era() == Era::Modern
        && began.elapsed() > LASTING
        && let Some(link) = link.upgrade()
    {
        link.lose_subscription();
    }
}

async fn last(inbox: &mut Inbox) -> Result<Inbound, Error> {
    loop {
        match inbox.next().await? {
            Inbound::Notification { .. } | Inbound::Question(_) => {}
            frame => return Ok(frame),
        }
    }
}

/// Asks `server/discover`, and reads what any answer says about the era.
async fn probe(link: &Link) -> Result<Probe, Error> {
    let out = Outgoing::own(Method::Discover, Edition::LATEST, "");
    let mut inbox = match link.request(&out, Edition::LATEST).await {
        Ok(inbox) => inbox,
        // These decide nothing: the server was not reached, or wants something else first.
        Err(Error::Status(code @ (401 | 403 | 407 | 408 | 429 | 500..=599))) => {
            return Err(Error::Status(code));
        }
        Err(Error::Status(_) | Error::Garbage(_)) => return Ok(Probe::Legacy),
        Err(e) => return Err(e),
    };
    match last(&mut inbox).await? {
        Inbound::Result(raw) => {
            let versions = Object::parse(&raw).and_then(|r| r.get("supportedVersions"));
            let modern = versions.is_some_and(|list| names(list, Edition::LATEST));
            Ok(if modern { Probe::Modern(raw) } else { Probe::Legacy })
        }
        Inbound::Error(raw) => {
            if wants_modern(&raw) {
                return Err(Error::Handshake("it refuses 2026-07-28 and lists it as supported".into()));
            }
            Ok(Probe::Legacy)
        }
        Inbound::Notification { .. } | Inbound::Question(_) => Ok(Probe::Legacy),
    }
}

/// Whether an error says that 2026-07-28 is what should be spoken.
fn wants_modern(error: &str) -> bool {
    let error = Object::parse(error);
    let code = error.as_ref().and_then(|e| e.get("code")).and_then(|c| c.parse::<i64>().ok());
    let supported = error.as_ref().and_then(|e| e.object("data")).and_then(|d| d.get("supported"));
    code == Some(codes::UNSUPPORTED_VERSION) && supported.is_some_and(|list| names(list, Edition::LATEST))
}

fn names(list: &str, edition: Edition) -> bool {
    array_items(list)
        .unwrap_or_default()
        .into_iter()
        .any(|raw| string_value(raw).is_some_and(|name| name == edition.as_str()))
}

/// The legacy handshake.
async fn initialize(link: &Link, abilities: &Abilities) -> Result<Opened, Error> {
    let params = format!(
        "\"protocolVersion\":\"{}\",\"capabilities\":{},\"clientInfo\":{}",
        Edition::LATEST_LEGACY,
        abilities.raw(Edition::LATEST_LEGACY),
        client_info()
    );
    let out = Outgoing::own(Method::Initialize, Edition::LATEST_LEGACY, &params);
    let mut inbox = link.request(&out, Edition::LATEST_LEGACY).await?;
    match last(&mut inbox).await? {
        Inbound::Result(raw) => {
            let version =
                Object::parse(&raw).and_then(|r| r.str("protocolVersion").map(std::borrow::Cow::into_owned));
            let edition = version.as_deref().and_then(Edition::parse).filter(|e| e.era() == Era::Legacy);
            let edition =
                edition.ok_or_else(|| Error::Handshake("it chose a revision that we do not speak".into()))?;
            Ok(Opened::Legacy(edition, raw))
        }
        Inbound::Error(raw) => Ok(Opened::Refused { modern: wants_modern(&raw) }),
        Inbound::Notification { .. } | Inbound::Question(_) => Ok(Opened::Refused { modern: false }),
    }
}
