//! One connection to one backend, over either transport.

use super::http::HttpLink;
use super::inbox::Inbox;
use super::outgoing::Outgoing;
use super::stdio::StdioLink;
use super::{Endpoint, Error, Target};
use crate::mcp::Edition;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// Something that a backend says without being asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unasked {
    /// One of its lists changed.
    ListChanged,
    /// The connection or process ended.
    Closed,
}

/// What a link needs from its surroundings.
#[derive(Clone)]
pub(super) struct Surroundings {
    pub tracker: TaskTracker,
    pub http: reqwest::Client,
    pub unasked: mpsc::Sender<Unasked>,
}

/// A live connection.
#[derive(Debug)]
pub(super) enum Link {
    Stdio(StdioLink),
    Http(HttpLink),
}

impl Link {
    pub(super) fn open(target: &Target, around: &Surroundings) -> Result<Self, Error> {
        match &target.endpoint {
            Endpoint::Stdio { .. } => StdioLink::spawn(target, around).map(Self::Stdio),
            Endpoint::Http { url, headers } => {
                HttpLink::new(url.clone(), headers, target.response_bytes, around.http.clone())
                    .map(Self::Http)
            }
        }
    }

    /// Sends a request; frames come through the inbox.
    pub(super) async fn request(&self, out: &Outgoing, edition: Edition) -> Result<Inbox, Error> {
        match self {
            Self::Stdio(link) => link.request(out).await.map(Inbox::Stdio),
            Self::Http(link) => link.request(out, edition).await.map(|body| Inbox::Http(Box::new(body))),
        }
    }

    /// A fresh request id; requests are built with it before they are sent.
    pub(super) fn next_id(&self) -> u64 {
        match self {
            Self::Stdio(link) => link.next_id(),
            Self::Http(link) => link.next_id(),
        }
    }

    /// Sends an already numbered request.
    pub(super) async fn send(&self, id: u64, out: &Outgoing, edition: Edition) -> Result<Inbox, Error> {
        match self {
            Self::Stdio(link) => link.send(id, out).await.map(Inbox::Stdio),
            Self::Http(link) => link.send(id, out, edition).await.map(|body| Inbox::Http(Box::new(body))),
        }
    }

    /// Sends a notification.
    pub(super) async fn notify(&self, method: &str, edition: Edition) -> Result<(), Error> {
        let text = format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\"}}");
        match self {
            Self::Stdio(link) => link.write(text).await,
            Self::Http(link) => link.post_notification(text, edition).await,
        }
    }

    /// Keeps the HTTP session id that `initialize` answered with.
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Stdio(link) => link.is_closed(),
            Self::Http(_) => false,
        }
    }
}
