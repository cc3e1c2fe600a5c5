//! HTTP+SSE, the deprecated transport of 2024-11-05: a stream that begins with the address to post to, and posts that
//! are answered on it.

use super::Rejection;
use super::connection::{Connection, Way};
use super::duplex::Duplex;
use super::edge::{Edge, accepted_empty};
use super::respond::{KEEP_ALIVE, accepted, event, stream_response};
use super::serve::PeerAddress;
use super::slots::Slots;
use crate::identity::Caller;
use crate::route::Front;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use futures_util::stream::unfold;
use http::request::Parts as Head;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The open streams, by the id in the address to post to (122 random bits).
#[derive(Debug, Default)]
pub(super) struct EventStreams {
    open: Mutex<HashMap<String, Arc<Duplex>>>,
}

impl EventStreams {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Duplex>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream of that id. Another principal's looks like none.
    fn find(&self, id: &str, caller: &Caller, front: &Front) -> Result<Arc<Duplex>, Rejection> {
        let found = self.lock().get(id).cloned().ok_or(Rejection::UnknownSession)?;
        let owner = &found.who().caller;
        let same = owner.tenant == caller.tenant
            && owner.kind == caller.kind
            && owner.id == caller.id
            && owner.agent == caller.agent;
        if same && found.way().front == *front { Ok(found) } else { Err(Rejection::UnknownSession) }
    }
}

/// One open stream; dropped when the agent is gone.
struct Open {
    edge: Arc<Edge>,
    id: String,
    connection: Connection,
    first: Option<Bytes>,
    _place: Slots,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.edge.event_streams.lock().remove(&self.id);
    }
}

impl Open {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let over = self.connection.over().clone();
        tokio::select! {
            biased;
            () = over.cancelled() => None,
            message = self.connection.next() => {
                let mut bytes = b"event: message\n".to_vec();
                bytes.extend_from_slice(&event(&message?));
                Some(bytes.into())
            }
            () = tokio::time::sleep(KEEP_ALIVE) => Some(Bytes::from_static(b":\n\n")),
        }
    }
}

pub(super) async fn open_all(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    answered(&edge, request, Front::All, Want::Stream).await
}

pub(super) async fn open_one(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    answered(&edge, request, Front::Server(id), Want::Stream).await
}

pub(super) async fn post_all(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    answered(&edge, request, Front::All, Want::Post).await
}

pub(super) async fn post_one(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    answered(&edge, request, Front::Server(id), Want::Post).await
}

#[derive(Debug, Clone, Copy)]
enum Want {
    Stream,
    Post,
}

async fn answered(edge: &Arc<Edge>, request: Request, front: Front, want: Want) -> Response {
    let (head, body) = request.into_parts();
    let source = head.extensions.get::<PeerAddress>().map(|peer| peer.0.ip());
    let answer = match want {
        Want::Stream => edge.open_event_stream(&head, front),
        Want::Post => edge.post_to_event_stream(&head, body, &front).await,
    };
    answer.unwrap_or_else(|rejection| edge.turned_away(&rejection, source))
}

impl Edge {
    fn open_event_stream(self: &Arc<Self>, head: &Head, front: Front) -> Result<Response, Rejection> {
        let (who, changes) = self.enter(head)?;
        if head.method != http::Method::GET {
            return Err(Rejection::HttpMethod("GET"));
        }
        if !accepted(&head.headers).is_some_and(|accepts| accepts.events) {
            return Err(Rejection::Accept);
        }
        let place = self.places.stream()?;
        let source = head.extensions.get::<PeerAddress>().map(|peer| peer.0.ip());
        let id = uuid::Uuid::new_v4().simple().to_string();
        // Relative to the stream's own address, so that it holds behind any proxy.
        let first = format!("event: endpoint\ndata: messages?session_id={id}\n\n").into();
        let connection = Connection::open(self, Way { front, transport: "sse", source }, who, changes);
        self.event_streams.lock().insert(id.clone(), connection.duplex.clone());
        let open = Open { edge: self.clone(), id, connection, first: Some(first), _place: place };
        let events = unfold(open, |mut open| async move {
            let bytes = open.next().await?;
            Some((Ok::<_, Infallible>(bytes), open))
        });
        Ok(stream_response(Body::from_stream(events)))
    }

    async fn post_to_event_stream(
        self: &Arc<Self>,
        head: &Head,
        body: Body,
        front: &Front,
    ) -> Result<Response, Rejection> {
        let (who, _) = self.enter(head)?;
        if head.method != http::Method::POST {
            return Err(Rejection::HttpMethod("POST"));
        }
        if !super::edge::is_json(&head.headers) {
            return Err(Rejection::ContentType);
        }
        let query = url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
        let id = query.into_iter().find(|(name, _)| name == "session_id").map(|(_, id)| id.into_owned());
        let duplex = self.event_streams.find(&id.ok_or(Rejection::NoSession)?, &who.caller, front)?;
        let bytes = self.read(body).await?;
        duplex.take(&who, &bytes).await;
        Ok(accepted_empty())
    }
}
