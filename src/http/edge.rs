//! The door: every request passes the same checks in the same order, then becomes a call.

use super::Rejection;
use super::connection::Way;
use super::event_stream::{self, EventStreams};
use super::guard::Origins;
use super::legacy;
use super::modern::{self, Asked};
use super::respond::{Answering, Gone, accepted, json, plain, respond};
use super::serve::PeerAddress;
use super::sessions::Sessions;
use super::slots::Places;
use super::websocket;
use crate::gateway::{Call, Fold, Gateway, Refusal, Reply};
use crate::identity::{Authenticated, Challenge, Refused, Tokens, bearer};
use crate::mcp::{Era, Id, JsonLimits, Message, MessageError, Method, Object, check, meta};
use crate::route::Front;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts as Head;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Limited};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// How long a body may take to arrive.
const BODY_WAIT: Duration = Duration::from_secs(30);

/// Bounds of the edge.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest request body, in bytes.
    pub request_bytes: usize,
    /// Deepest nesting of a request.
    pub depth: usize,
    /// Most calls at once.
    pub calls: usize,
    /// Most calls at once of one principal.
    pub calls_per_principal: usize,
    /// Most legacy sessions.
    pub sessions: usize,
    /// How long an agent may leave a stream of events unread.
    pub unread: Duration,
    /// Idle time after which a session ends, in microseconds.
    pub session_idle_us: i64,
}

/// What the edge is made of.
#[derive(Debug)]
pub struct Parts {
    /// The trunk.
    pub gateway: Arc<Gateway>,
    /// Who is calling.
    pub tokens: Arc<Tokens>,
    /// Which hosts and origins are ours.
    pub origins: Origins,
    /// Bounds.
    pub limits: Limits,
    /// Where tasks run.
    pub tracker: TaskTracker,
    /// The protected-resource metadata that a challenge names, if there is any.
    pub resource_metadata: Option<String>,
}

/// The agent-facing edge.
#[derive(Debug)]
pub struct Edge {
    pub(super) gateway: Arc<Gateway>,
    pub(super) tokens: Arc<Tokens>,
    pub(super) sessions: Sessions,
    pub(super) tracker: TaskTracker,
    fold: Arc<Fold>,
    origins: Origins,
    pub(super) json: JsonLimits,
    pub(super) unread: Duration,
    pub(super) places: Places,
    pub(super) event_streams: EventStreams,
    resource_metadata: Option<String>,
}

/// All routes of the agents' listener, on one screen.
pub fn routes(edge: Arc<Edge>) -> Router {
    Router::new()
        .route("/mcp", any(all))
        .route("/servers/{id}/mcp", any(one))
        .route("/sse", any(event_stream::open_all))
        .route("/servers/{id}/sse", any(event_stream::open_one))
        .route("/messages", any(event_stream::post_all))
        .route("/servers/{id}/messages", any(event_stream::post_one))
        .fallback(nothing)
        .with_state(edge)
}

async fn all(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    edge.receive(Front::All, request).await
}

async fn one(State(edge): State<Arc<Edge>>, Path(id): Path<String>, request: Request) -> Response {
    edge.receive(Front::Server(id), request).await
}

async fn nothing() -> Response {
    plain(StatusCode::NOT_FOUND, "{\"error\":\"no such endpoint: use /mcp or /servers/{id}/mcp\"}")
}

/// A reply that another task is waiting for.
type Served = oneshot::Receiver<Result<Reply, Refusal>>;

/// A rejection and the id of the request, where it could be read.
type Turned = (Rejection, Option<Id>);

impl Edge {
    /// Builds the edge.
    pub fn new(parts: Parts) -> Self {
        let limits = parts.limits;
        Self {
            gateway: parts.gateway,
            tokens: parts.tokens,
            sessions: Sessions::new(limits.sessions, limits.session_idle_us),
            tracker: parts.tracker,
            fold: Arc::default(),
            origins: parts.origins,
            json: JsonLimits { bytes: limits.request_bytes, depth: limits.depth, ..JsonLimits::default() },
            unread: limits.unread,
            places: Places::new(limits.calls, limits.calls_per_principal, limits.sessions),
            event_streams: EventStreams::default(),
            resource_metadata: parts.resource_metadata,
        }
    }

    /// What counts the requests that are not heard.
    pub fn fold(&self) -> Arc<Fold> {
        self.fold.clone()
    }

    /// How many legacy sessions are open.
    pub fn open_sessions(&self) -> usize {
        self.sessions.count()
    }

    /// Ends idle sessions. Called now and then.
    pub fn sweep(&self) {
        self.sessions.sweep(self.gateway.clock().now_us());
        self.places.sweep();
    }

    async fn receive(self: Arc<Self>, front: Front, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let source = head.extensions.get::<PeerAddress>().map(|peer| peer.0.ip());
        if websocket::wanted(&head) {
            let upgraded = self.upgrade(head, front).await;
            return upgraded.unwrap_or_else(|rejection| self.turned_away(&rejection, source));
        }
        match self.admit(&head, body, front, source).await {
            Ok(response) => response,
            Err((rejection, id)) => {
                if let Some(why) = rejection.unheard() {
                    self.fold.note(&self.gateway, source, why);
                }
                rejection.response(id.as_ref().map(Id::raw))
            }
        }
    }

    /// The checks, in order: origin, credential, form, bounds, envelope, era.
    async fn admit(
        self: &Arc<Self>,
        head: &Head,
        body: Body,
        front: Front,
        source: Option<IpAddr>,
    ) -> Result<Response, Turned> {
        let early = |rejection| (rejection, None);
        let (who, changes) = self.enter(head).map_err(early)?;
        match head.method {
            http::Method::POST => {}
            http::Method::GET => return self.listen(head, who, changes, front).map_err(early),
            http::Method::DELETE => return self.end(head, &who, &front).map_err(early),
            _ => return Err(early(Rejection::HttpMethod("POST, GET, DELETE"))),
        }
        let accepts = accepted(&head.headers).ok_or_else(|| early(Rejection::Accept))?;
        if !is_json(&head.headers) {
            return Err(early(Rejection::ContentType));
        }
        let bytes = self.read(body).await.map_err(early)?;
        let text = check(&bytes, &self.json).map_err(|e| early(e.into()))?;
        let parsed = match Message::parse(text.trim()) {
            Err(MessageError::Batch) => {
                let session = legacy::session_id(&head.headers).map(|_| self.session(head, &who, &front));
                let session = session.transpose().map_err(early)?;
                let (way, gone) = (Way { front, transport: "http", source }, Gone::new(self, who, changes));
                return self.batch(way, gone, (session, text.trim()), accepts).await.map_err(early);
            }
            parsed => parsed.map_err(|e| early(e.into()))?,
        };
        match parsed {
            Message::Request { id, method, params } => {
                let asked = Asked {
                    id: self.call_id(),
                    rpc_id: id.raw(),
                    method: &method,
                    params: params.unwrap_or("{}"),
                    front,
                    source,
                    transport: "http",
                };
                let answering = Answering { id: id.clone(), accepts };
                let gone = Gone::new(self, who, changes);
                self.request(head, gone, &asked, answering).await.map_err(|rejection| (rejection, Some(id)))
            }
            Message::Notification { method, params } => {
                self.notification(head, &who, &front, (&method, params)).map_err(early)
            }
            Message::Response { id, outcome } => {
                self.answer(head, &who, &front, (id, outcome)).map_err(early)
            }
        }
    }

    /// Call ids carry the time of the gateway's own clock.
    pub(super) fn call_id(&self) -> Uuid {
        self.gateway.call_id()
    }

    /// The checks that come first, whatever the transport: origin, then credential. What is returned beside the
    /// caller is from before the check: a revocation from then on is noticed, also while a body arrives.
    pub(super) fn enter(&self, head: &Head) -> Result<(Authenticated, watch::Receiver<u64>), Rejection> {
        self.origins.check(&head.headers, &head.uri)?;
        let changes = self.tokens.changes();
        Ok((self.authenticate(&head.headers)?, changes))
    }

    /// The answer to a request that is no call, which is counted.
    pub(super) fn turned_away(&self, rejection: &Rejection, source: Option<IpAddr>) -> Response {
        if let Some(why) = rejection.unheard() {
            self.fold.note(&self.gateway, source, why);
        }
        rejection.response(None)
    }

    fn authenticate(&self, headers: &HeaderMap) -> Result<Authenticated, Rejection> {
        let authenticated = bearer(headers).and_then(|token| self.tokens.authenticate(token));
        authenticated.map_err(|refused| self.challenge(&refused))
    }

    fn challenge(&self, refused: &Refused) -> Rejection {
        self.gateway.metrics().auth_failed(refused.reason());
        let mut challenge = Challenge::new(refused);
        if let Some(url) = &self.resource_metadata {
            challenge = challenge.with_resource_metadata(url.clone());
        }
        match refused {
            Refused::Missing => Rejection::NoCredential(challenge.header_value()),
            Refused::Unavailable => Rejection::TokensUnavailable,
            _ => Rejection::BadCredential(challenge.header_value()),
        }
    }

    /// The answer to a caller whose credential was good when the request came, and is no more.
    pub(super) fn revoked(&self, who: &Authenticated) -> Rejection {
        self.challenge(&Refused::Revoked { credential: who.credential.clone() })
    }

    pub(super) async fn read(&self, body: Body) -> Result<Bytes, Rejection> {
        let limited = Limited::new(body, self.json.bytes);
        match timeout(BODY_WAIT, limited.collect()).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(e)) if e.is::<http_body_util::LengthLimitError>() => {
                Err(Rejection::TooLarge(self.json.bytes))
            }
            _ => Err(Rejection::Body),
        }
    }

    /// A request of either era, from its selector to its answer.
    async fn request(
        self: &Arc<Self>,
        head: &Head,
        mut gone: Gone,
        asked: &Asked<'_>,
        answering: Answering,
    ) -> Result<Response, Rejection> {
        let who = gone.who.clone();
        let listens = asked.method == Method::Listen.as_str();
        if listens && !answering.accepts.events {
            return Err(Rejection::Accept);
        }
        let slots = if listens { self.places.stream()? } else { self.places.take(&who.caller)? };
        if is_modern(head, asked) {
            let call = modern::call(asked, Some(&head.headers))?;
            let served = tokio::select! {
                biased;
                () = gone.revoked() => return Err(self.revoked(&who)),
                served = self.gateway.serve(&who.caller, call) => served,
            };
            return Ok(match served {
                Ok(reply) => respond(self, reply, answering, gone, None, slots).await,
                Err(refusal) => refused(&refusal, asked.id, &answering.id),
            });
        }
        legacy::check_version(&head.headers)?;
        if asked.method == Method::Initialize.as_str() {
            return self.initialize(head, gone, asked, answering).await;
        }
        let id = legacy::session_id(&head.headers).ok_or(Rejection::NoSession)?;
        let session = self.sessions.find(id, &who.caller, &asked.front, self.gateway.clock().now_us())?;
        let mut call = legacy::call(asked, &session, &head.headers)?;
        if !answering.accepts.events {
            // A question goes on the stream of the request that it belongs to; without one nothing can be asked.
            call.abilities = call.abilities.silent();
        }
        let effects = match legacy::Effects::of(&call) {
            Ok(effects) => effects,
            Err(refusal) => return Ok(refused(&refusal, asked.id, &answering.id)),
        };
        let running = session.begin(answering.id.clone())?;
        let (served, serving) = self.serve_to_the_end(&who, call);
        let served = tokio::select! {
            biased;
            () = gone.revoked() => Err(self.revoked(&who)),
            () = running.cancel.cancelled() => Err(Rejection::Cancelled),
            served = served => Ok(served.unwrap_or(Err(Refusal::Internal))),
        };
        let served = served.inspect_err(|_| serving.abort())?;
        Ok(match served {
            Ok(mut reply) => {
                effects.apply(&session, &mut reply);
                respond(self, reply, answering, gone, Some(running), slots).await
            }
            Err(refusal) => refused(&refusal, asked.id, &answering.id),
        })
    }

    /// In the legacy era a lost connection is no cancellation: the call goes on, and its outcome is true.
    fn serve_to_the_end(&self, who: &Authenticated, call: Call) -> (Served, AbortHandle) {
        let (sender, receiver) = oneshot::channel();
        let (gateway, caller) = (self.gateway.clone(), who.caller.clone());
        let serving = self.tracker.spawn(async move {
            let served = gateway.serve(&caller, call).await;
            if let Err(Ok(mut unheard)) = sender.send(served) {
                while unheard.next().await.is_some() {}
            }
        });
        (receiver, serving.abort_handle())
    }
}

/// The selector: a revision in `_meta` is modern; `initialize` or a session is legacy; what is left tells
/// by its headers which error it deserves.
fn is_modern(head: &Head, asked: &Asked<'_>) -> bool {
    let in_meta = Object::parse(asked.params)
        .and_then(|p| p.object("_meta"))
        .is_some_and(|m| m.get(meta::PROTOCOL_VERSION).is_some());
    if in_meta {
        return true;
    }
    if asked.method == Method::Initialize.as_str() || legacy::session_id(&head.headers).is_some() {
        return false;
    }
    let version = head.headers.get(modern::VERSION).and_then(|v| v.to_str().ok());
    let known_legacy = version.and_then(crate::mcp::Edition::parse).is_some_and(|e| e.era() == Era::Legacy);
    asked.method == Method::Discover.as_str() || (version.is_some() && !known_legacy)
}

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split(';').next())
        .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

/// The plain answer to a refused call.
pub(super) fn refused(refusal: &Refusal, reference: Uuid, id: &Id) -> Response {
    let status = StatusCode::from_u16(refusal.text().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json(
        status,
        format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"error\":{}}}", id.raw(), refusal.error(reference)),
    )
}

pub(super) fn accepted_empty() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}
