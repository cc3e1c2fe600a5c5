//! The standalone stream of a legacy session: tells an agent when its own view of a list has changed.

use super::edge::Edge;
use super::respond::{Gone, KEEP_ALIVE, event, stream_response};
use super::sessions::Session;
use crate::gateway::Views;
use crate::identity::Authenticated;
use crate::route::Front;
use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream::unfold;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::watch;

struct Standing {
    edge: Arc<Edge>,
    session: Arc<Session>,
    who: Authenticated,
    front: Front,
    gone: Gone,
    adopted: watch::Receiver<u64>,
    views: Views,
    waiting: VecDeque<&'static str>,
}

/// The stream of one GET.
pub(super) fn standalone(
    edge: Arc<Edge>,
    session: Arc<Session>,
    (who, changes): (Authenticated, watch::Receiver<u64>),
    front: Front,
) -> Response {
    let adopted = edge.gateway.adoptions();
    let views = edge.gateway.views(&who.caller, &front);
    let gone = Gone::new(&edge, who.clone(), changes);
    let standing = Standing { edge, session, who, front, gone, adopted, views, waiting: VecDeque::new() };
    let events = unfold(standing, |mut standing| async move {
        let bytes = standing.next().await?;
        Some((Ok::<_, Infallible>(bytes), standing))
    });
    stream_response(Body::from_stream(events))
}

impl Standing {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(method) = self.waiting.pop_front() {
                return Some(event(&format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\"}}")));
            }
            tokio::select! {
                () = self.session.ended.cancelled() => return None,
                () = self.gone.revoked() => return None,
                changed = self.adopted.changed() => {
                    changed.ok()?;
                    self.compare();
                }
                () = tokio::time::sleep(KEEP_ALIVE) => return Some(Bytes::from_static(b":\n\n")),
            }
        }
    }

    /// Only what changed for this very caller is told: a change of hidden tools must not show.
    fn compare(&mut self) {
        let views = self.edge.gateway.views(&self.who.caller, &self.front);
        if views.tools != self.views.tools {
            self.waiting.push_back("notifications/tools/list_changed");
        }
        if views.prompts != self.views.prompts {
            self.waiting.push_back("notifications/prompts/list_changed");
        }
        if views.resources != self.views.resources {
            self.waiting.push_back("notifications/resources/list_changed");
        }
        self.views = views;
    }
}
