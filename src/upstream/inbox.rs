//! What comes back for one request: notifications, then exactly one response.

use super::Error;
use super::http::HttpBody;
use super::pipe::PipeInbox;
use super::question::Question;
use tokio::sync::OwnedSemaphorePermit;

/// One message of a backend, raw.
#[derive(Debug)]
pub enum Inbound {
    /// A notification that belongs to this request: method and raw parameters.
    Notification {
        /// The method's name.
        method: String,
        /// Raw parameters.
        params: String,
    },
    /// Something is asked of the client of this request.
    Question(Question),
    /// The raw `result`: nothing follows.
    Result(String),
    /// The raw `error`: nothing follows.
    Error(String),
}

/// The stream of one request's frames. Dropping it before the end cancels the request.
#[derive(Debug)]
pub(super) enum Inbox {
    /// From a connection that many requests share.
    Pipe(PipeInbox),
    /// From an HTTP response.
    Http(Box<HttpBody>),
}

impl Inbox {
    pub(super) async fn next(&mut self) -> Result<Inbound, Error> {
        match self {
            Self::Pipe(inbox) => inbox.next().await,
            Self::Http(body) => body.next().await,
        }
    }
}

/// A backend's answer to one cleared call.
#[derive(Debug)]
pub struct Answer {
    pub(super) inbox: Inbox,
    pub(super) edition: crate::mcp::Edition,
    /// Declared after the inbox: the session ends when the call has.
    pub(super) _alone: Option<super::server::Alone>,
    /// Held until the answer is complete or dropped.
    pub(super) _slot: OwnedSemaphorePermit,
}

impl Answer {
    /// The next frame. After a result or an error there is none.
    ///
    /// # Errors
    /// Returns why no further frame can come; that is a last frame too.
    pub async fn next(&mut self) -> Result<Inbound, Error> {
        self.inbox.next().await
    }

    /// The revision that the backend speaks.
    pub fn edition(&self) -> crate::mcp::Edition {
        self.edition
    }
}
