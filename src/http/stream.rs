//! The standalone stream of a session: tells an agent when its own view of a list has changed, or a resource that it
//! follows.

use super::edge::Edge;
use super::replay::{Read, Reader, Stream};
use super::respond::{Gone, KEEP_ALIVE, stream_response};
use super::sessions::Session;
use crate::gateway::Views;
use crate::identity::Authenticated;
use crate::route::Front;
use crate::upstream::News;
use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream::unfold;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

/// What a session is told unasked, as messages.
pub(super) struct Standing {
    edge: Arc<Edge>,
    session: Arc<Session>,
    front: Front,
    gone: Gone,
    adopted: watch::Receiver<u64>,
    notices: broadcast::Receiver<News>,
    views: Views,
}

impl Standing {
    /// Listens from now on; changes since the session was last told are told at once.
    pub(super) fn new(edge: Arc<Edge>, session: Arc<Session>, gone: Gone, front: Front) -> Self {
        let (mut adopted, notices) = (edge.gateway.adoptions(), edge.gateway.notices());
        let views = session.told().unwrap_or_else(|| edge.gateway.views(&gone.who.caller, &front));
        adopted.mark_changed();
        Self { edge, session, front, gone, adopted, notices, views }
    }

    /// The messages of the next event, possibly none; `None` when the session, the credential or the gateway ends. Can be
    /// cancelled without losing one.
    pub(super) async fn next(&mut self) -> Option<Vec<String>> {
        tokio::select! {
            () = self.session.ended.cancelled() => None,
            () = self.edge.gateway.closing().cancelled() => None,
            () = self.gone.revoked() => None,
            changed = self.adopted.changed() => {
                changed.ok()?;
                Some(self.compare())
            }
            notice = self.notices.recv() => self.noticed(notice),
        }
    }

    /// Only what changed for this very caller is told: a change of hidden tools must not show.
    fn compare(&mut self) -> Vec<String> {
        let views = self.edge.gateway.views(&self.gone.who.caller, &self.front);
        let changed = [
            ("notifications/tools/list_changed", views.tools != self.views.tools),
            ("notifications/prompts/list_changed", views.prompts != self.views.prompts),
            ("notifications/resources/list_changed", views.resources != self.views.resources),
        ];
        self.session.tell(views.clone());
        self.views = views;
        let changed = changed.into_iter().filter(|(_, changed)| *changed);
        changed.map(|(method, _)| format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\"}}")).collect()
    }

    fn noticed(&self, notice: Result<News, RecvError>) -> Option<Vec<String>> {
        let updated = |params: &str| {
            format!(
                "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{params}}}"
            )
        };
        let followed = self.session.followed();
        let told = |about: (&str, &str)| {
            let params = self.edge.gateway.update_for(&self.gone.who.caller, &self.front, &followed, about);
            params.map(|params| updated(params.value()))
        };
        match notice {
            Ok(News::Updated { server, uri }) => Some(told((&server, &uri)).into_iter().collect()),
            Ok(News::Task { .. }) => Some(Vec::new()),
            // It fell behind: rather one notice too many than one too few, of what it may still read.
            Err(RecvError::Lagged(_)) => Some(followed.iter().filter_map(|f| told(f.about())).collect()),
            Err(RecvError::Closed) => None,
        }
    }
}

struct Connection {
    standing: Standing,
    stream: Arc<Stream>,
    reader: Reader,
}

/// The stream of one GET. With `from`, it begins with what was sent since.
pub(super) fn standalone(
    edge: Arc<Edge>,
    session: Arc<Session>,
    (who, front): (Authenticated, Front),
    (changes, from): (watch::Receiver<u64>, Option<u64>),
) -> Response {
    let stream = session.standalone();
    let reader = match from {
        Some(from) => stream.reader(from),
        None => stream.tail(),
    };
    if from.is_none() && session.edition >= crate::mcp::Edition::V2025_11_25 {
        stream.prime();
    }
    let gone = Gone::new(&edge, who, changes);
    let standing = Standing::new(edge, session, gone, front);
    let events = unfold(Connection { standing, stream, reader }, |mut connection| async move {
        let bytes = connection.next().await?;
        Some((Ok::<_, Infallible>(bytes), connection))
    });
    stream_response(Body::from_stream(events))
}

impl Connection {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            tokio::select! {
                read = self.reader.next() => return match read {
                    Read::Event(bytes) => Some(bytes),
                    Read::End => None,
                },
                messages = self.standing.next() => {
                    for message in messages? {
                        self.stream.push(&message);
                    }
                }
                () = tokio::time::sleep(KEEP_ALIVE) => return Some(Bytes::from_static(b":\n\n")),
            }
        }
    }
}
