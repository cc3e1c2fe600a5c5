//! What an agent of the session era does beside calling: opens and ends its session, cancels, answers questions, and
//! listens.

use super::edge::{Edge, accepted_empty, refused};
use super::legacy;
use super::modern::Asked;
use super::respond::{Answering, Gone, accepted, follow, respond};
use super::sessions::Session;
use super::slots::Slots;
use super::{Rejection, replay, stream};
use crate::gateway::{Refusal, Said};
use crate::identity::Authenticated;
use crate::mcp::{Id, Object, Outcome};
use crate::route::Front;
use axum::body::Body;
use axum::response::Response;
use http::request::Parts as Head;
use http::{HeaderValue, StatusCode};
use std::sync::Arc;
use tokio::sync::watch;

impl Edge {
    pub(super) async fn initialize(
        self: &Arc<Self>,
        head: &Head,
        gone: Gone,
        asked: &Asked<'_>,
        answering: Answering,
    ) -> Result<Response, Rejection> {
        let who = gone.who.clone();
        let Some(opening) = legacy::opening(asked.params) else {
            let why = "`protocolVersion`, `capabilities` and `clientInfo` are required";
            return Ok(refused(&Refusal::InvalidParams(why.into()), asked.id, &answering.id));
        };
        let call = legacy::initialize(asked, &opening, &head.headers);
        let reply = match self.gateway.serve(&who.caller, call).await {
            Ok(reply) => reply,
            Err(refusal) => return Ok(refused(&refusal, asked.id, &answering.id)),
        };
        let now = self.gateway.clock().now_us();
        let session = self.sessions.open(&who.caller, asked.front.clone(), &opening, now)?;
        let mut response = respond(self, reply, answering, gone, None, Slots::none()).await;
        if let Ok(value) = HeaderValue::try_from(session.id.as_str()) {
            response.headers_mut().insert(legacy::SESSION, value);
        }
        Ok(response)
    }

    pub(super) fn notification(
        &self,
        head: &Head,
        who: &Authenticated,
        front: &Front,
        (method, params): (&str, Option<&str>),
    ) -> Result<Response, Rejection> {
        // The stateless era has no notifications from clients over HTTP: accepted, and without effect.
        if let Some(id) = legacy::session_id(&head.headers) {
            let session = self.sessions.find(id, &who.caller, front, self.gateway.clock().now_us())?;
            if method == "notifications/cancelled" {
                let request =
                    params.and_then(Object::parse).and_then(|p| p.get("requestId")).and_then(Id::from_raw);
                if let Some(request) = request {
                    session.cancel(&request);
                }
            }
        }
        Ok(accepted_empty())
    }

    /// An agent of the session era answers a question. What is no answer to anything is accepted, and has no effect.
    pub(super) fn answer(
        &self,
        head: &Head,
        who: &Authenticated,
        front: &Front,
        (id, outcome): (Option<Id>, Outcome<'_>),
    ) -> Result<Response, Rejection> {
        let session = self.session(head, who, front)?;
        if let Some(id) = id {
            session.answer(
                &id,
                match outcome {
                    Outcome::Result(raw) => Said::Result(raw.to_owned()),
                    Outcome::Error(raw) => Said::Error(raw.to_owned()),
                },
            );
        }
        Ok(accepted_empty())
    }

    pub(super) fn session(
        &self,
        head: &Head,
        who: &Authenticated,
        front: &Front,
    ) -> Result<Arc<Session>, Rejection> {
        let id = legacy::session_id(&head.headers).ok_or(Rejection::NoSession)?;
        self.sessions.find(id, &who.caller, front, self.gateway.clock().now_us())
    }

    /// GET: the legacy stream of what the server says unasked. The stateless era has none.
    pub(super) fn listen(
        self: &Arc<Self>,
        head: &Head,
        who: Authenticated,
        changes: watch::Receiver<u64>,
        front: Front,
    ) -> Result<Response, Rejection> {
        if legacy::session_id(&head.headers).is_none() {
            return Err(Rejection::HttpMethod("POST"));
        }
        if !accepted(&head.headers).is_some_and(|a| a.events) {
            return Err(Rejection::Accept);
        }
        let session = self.session(head, &who, &front)?;
        let last = head.headers.get("last-event-id").and_then(|v| v.to_str().ok()).and_then(replay::after);
        match last.and_then(|(number, from)| Some((session.stream(number)?, from))) {
            Some((stream, from)) if stream.number != 0 => Ok(follow(&session, &stream, from)),
            resumed => {
                let from = resumed.map(|(_, from)| from);
                Ok(stream::standalone(self.clone(), session, (who, front), (changes, from)))
            }
        }
    }

    /// DELETE: the end of a legacy session.
    pub(super) fn end(&self, head: &Head, who: &Authenticated, front: &Front) -> Result<Response, Rejection> {
        if legacy::session_id(&head.headers).is_none() {
            return Err(Rejection::HttpMethod("POST"));
        }
        let session = self.session(head, who, front)?;
        self.sessions.end(&session);
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }
}
