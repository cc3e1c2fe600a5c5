//! One connection to one backend, over any transport.

use super::http::HttpLink;
use super::inbox::Inbox;
use super::outgoing::Outgoing;
use super::pipe::{Carrier, Pipe};
use super::{Endpoint, Error, Target, Wire, event_stream, stdio, websocket};
use crate::mcp::{Edition, Object};
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc};
use tokio_util::task::TaskTracker;

/// Something that a backend says without being asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unasked {
    /// One of its lists changed.
    ListChanged,
    /// The connection or process ended.
    Closed,
}

/// News of one resource or task, for whoever follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// `notifications/resources/updated`, with the backend's own URI.
    Updated {
        /// The server's id.
        server: Arc<str>,
        /// The URI: the one that is followed, or one below it.
        uri: String,
    },
    /// `notifications/tasks` (2026-07-28): raw parameters, with the backend's own task id in them.
    Task {
        /// The server's id.
        server: Arc<str>,
        /// Raw parameters.
        params: String,
    },
}

/// What a link needs from its surroundings.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    pub tracker: TaskTracker,
    pub http: reqwest::Client,
    pub unasked: mpsc::Sender<Unasked>,
    pub notices: broadcast::Sender<News>,
    pub server: Arc<str>,
}

impl Surroundings {
    /// Passes on what a backend tells without being asked. Nothing waits and nothing is lost: a follower that falls
    /// behind is told that it has.
    pub(super) fn told(&self, method: &str, params: &str) {
        let server = self.server.clone();
        let notice = match method {
            "notifications/resources/updated" => {
                let uri = Object::parse(params).and_then(|p| p.str("uri").map(std::borrow::Cow::into_owned));
                uri.map(|uri| News::Updated { server, uri })
            }
            "notifications/tasks" => Some(News::Task { server, params: params.to_owned() }),
            _ if method.ends_with("/list_changed") => {
                let _ = self.unasked.try_send(Unasked::ListChanged);
                None
            }
            _ => None,
        };
        if let Some(notice) = notice {
            let _ = self.notices.send(notice);
        }
    }
}

/// A live connection.
#[derive(Debug)]
pub(super) enum Link {
    Pipe(Pipe),
    Http(Arc<HttpLink>),
}

impl Link {
    pub(super) fn open(target: &Target, around: &Surroundings) -> Result<Self, Error> {
        match &target.endpoint {
            Endpoint::Stdio { .. } => stdio::spawn(target, around).map(Self::Pipe),
            Endpoint::Remote { wire: Wire::EventStream, url, headers, .. } => {
                event_stream::open(target, (url, headers), around).map(Self::Pipe)
            }
            Endpoint::Remote { wire: Wire::WebSocket, url, headers, .. } => {
                websocket::open(target, (url, headers), around).map(Self::Pipe)
            }
            Endpoint::Remote { wire: Wire::StreamableHttp | Wire::Http, url, headers, .. } => {
                HttpLink::new(url.clone(), headers, target.response_bytes, around)
                    .map(Arc::new)
                    .map(Self::Http)
            }
        }
    }

    /// Sends a request; frames come through the inbox.
    pub(super) async fn request(&self, out: &Outgoing, edition: Edition) -> Result<Inbox, Error> {
        match self {
            Self::Pipe(pipe) => pipe.request(out).await.map(Inbox::Pipe),
            Self::Http(link) => link.request(out, edition).await.map(|body| Inbox::Http(Box::new(body))),
        }
    }

    /// A fresh request id; requests are built with it before they are sent.
    pub(super) fn next_id(&self) -> u64 {
        match self {
            Self::Pipe(pipe) => pipe.next_id(),
            Self::Http(link) => link.next_id(),
        }
    }

    /// Sends an already numbered request.
    pub(super) async fn send(&self, id: u64, out: &Outgoing, edition: Edition) -> Result<Inbox, Error> {
        match self {
            Self::Pipe(pipe) => pipe.send(id, out).await.map(Inbox::Pipe),
            Self::Http(link) => link.send(id, out, edition).await.map(|body| Inbox::Http(Box::new(body))),
        }
    }

    /// Sends a notification.
    pub(super) async fn notify(&self, method: &str, edition: Edition) -> Result<(), Error> {
        let text = format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\"}}");
        match self {
            Self::Pipe(pipe) => pipe.write(text).await,
            Self::Http(link) => link.post_notification(text, edition).await,
        }
    }

    /// Whether many requests share one connection, on which a server also says what nobody asked.
    pub(super) fn is_pipe(&self) -> bool {
        matches!(self, Self::Pipe(_))
    }

    /// Whether the transport itself belongs to the legacy era.
    pub(super) fn is_legacy_only(&self) -> bool {
        matches!(self, Self::Pipe(pipe) if pipe.carrier() == Carrier::EventStream)
    }

    /// Whether the connection has ended.
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Pipe(pipe) => pipe.is_closed(),
            Self::Http(link) => link.is_lost(),
        }
    }

    /// A stateless backend has let go of the subscription that was to last: what it tells is heard again only by
    /// connecting anew.
    pub(super) fn lose_subscription(&self) {
        if let Self::Http(link) = self {
            link.lose();
        }
    }
}
