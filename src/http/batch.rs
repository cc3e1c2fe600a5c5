//! Batches: arrays of messages, which only MCP 2025-03-26 had. Each element is judged and recorded on its own.

use super::Rejection;
use super::connection::Way;
use super::duplex::{Begun, Duplex, has_batches};
use super::edge::{Edge, accepted_empty};
use super::respond::{Accepts, Gone, event, json, stream_response};
use super::sessions::Session;
use crate::identity::Authenticated;
use crate::mcp::{MessageError, array_items};
use axum::body::Body;
use axum::response::Response;
use futures_util::future::join_all;
use futures_util::stream::unfold;
use http::StatusCode;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Most elements of a batch.
const ELEMENTS: usize = 50;

/// The elements of a batch, if this session may send one.
pub(super) fn elements<'t>(session: Option<&Arc<Session>>, text: &'t str) -> Result<Vec<&'t str>, Rejection> {
    if !session.is_some_and(|session| has_batches(session)) {
        return Err(Rejection::Message(MessageError::Batch));
    }
    let elements = array_items(text).unwrap_or_default();
    if elements.is_empty() || elements.len() > ELEMENTS {
        return Err(Rejection::BatchLength(ELEMENTS));
    }
    Ok(elements)
}

/// Runs the requests of a batch side by side. The answers stand in one array; a batch without requests has none.
pub(super) async fn answer(
    duplex: &Duplex,
    who: &Authenticated,
    begun: Vec<Result<Begun, String>>,
) -> Option<String> {
    let all = begun.into_iter().map(|one| async {
        match one {
            Ok(begun) => duplex.ask(who, &begun).await,
            Err(answer) => Some(answer),
        }
    });
    let answers: Vec<String> = join_all(all).await.into_iter().flatten().collect();
    (!answers.is_empty()).then(|| format!("[{}]", answers.join(",")))
}

impl Edge {
    /// A batch over Streamable HTTP. The calls go on if the connection is lost, as in the session era any call does.
    pub(super) async fn batch(
        self: &Arc<Self>,
        way: Way,
        gone: Gone,
        (session, text): (Option<Arc<Session>>, &str),
        accepts: Accepts,
    ) -> Result<Response, Rejection> {
        let elements = elements(session.as_ref(), text)?;
        let session = session.ok_or(Rejection::NoSession)?;
        let (out, said) = mpsc::channel(ELEMENTS);
        let who = gone.who.clone();
        let duplex = Duplex::new(self.clone(), way, (who.clone(), gone.changes), out.clone()).within(session);
        let duplex = Arc::new(duplex);
        let begun = duplex.begin_all(&who, &elements);
        if begun.is_empty() {
            return Ok(accepted_empty());
        }
        self.tracker.spawn(async move {
            // The last message is the one that is an array.
            if let Some(answer) = answer(&duplex, &who, begun).await {
                let _ = out.send(answer).await;
            }
        });
        Ok(if accepts.events { events(said) } else { collected(said).await })
    }
}

fn events(said: mpsc::Receiver<String>) -> Response {
    let events = unfold(said, |mut said| async move {
        let message = said.recv().await?;
        Some((Ok::<_, Infallible>(event(&message)), said))
    });
    stream_response(Body::from_stream(events))
}

async fn collected(mut said: mpsc::Receiver<String>) -> Response {
    let mut last = "[]".to_owned();
    while let Some(message) = said.recv().await {
        last = message;
    }
    json(StatusCode::OK, last)
}
