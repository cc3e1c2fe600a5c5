//! The near end of a connection, as the transports hold it.

use super::Rejection;
use super::duplex::Duplex;
use super::edge::Edge;
use crate::identity::{Authenticated, NewToken, Refused};
use crate::route::Front;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Messages that wait for a slow agent. Calls wait behind them, and backends behind those.
const WAITING: usize = 64;

/// How a connection came.
#[derive(Debug, Clone)]
pub struct Way {
    /// The endpoint.
    pub front: Front,
    /// What records say: `websocket`, `sse` or `stdio`.
    pub transport: &'static str,
    /// Where from.
    pub source: Option<IpAddr>,
}

/// The near end of an open connection. Dropping it ends the session and all that runs in it.
#[derive(Debug)]
pub struct Connection {
    pub(super) duplex: Arc<Duplex>,
    /// What is to be written, in order.
    pub(super) messages: Option<mpsc::Receiver<String>>,
}

/// Who opens a connection within this process.
#[derive(Debug)]
pub enum Credential<'a> {
    /// Whoever this bearer token stands for.
    Token(&'a str),
    /// Whoever may start the gateway with its data folder says so.
    Local(&'a NewToken),
}

impl Connection {
    /// Opens a connection for `who`; `changes` is from before that was checked.
    pub(super) fn open(
        edge: &Arc<Edge>,
        way: Way,
        who: Authenticated,
        changes: watch::Receiver<u64>,
    ) -> Self {
        let (out, messages) = mpsc::channel(WAITING);
        let duplex = Arc::new(Duplex::new(edge.clone(), way, (who, changes), out));
        edge.tracker.spawn(duplex.clone().keep());
        Self { duplex, messages: Some(messages) }
    }

    /// What is to be written, in order; to be taken once.
    pub fn take_messages(&mut self) -> Option<mpsc::Receiver<String>> {
        self.messages.take()
    }

    /// The next message to be written; `None` when there is none any more.
    pub(super) async fn next(&mut self) -> Option<String> {
        self.messages.as_mut()?.recv().await
    }

    /// Takes one message. What is wrong with it is said on the connection.
    pub async fn take(&self, message: &[u8]) {
        self.duplex.take(self.duplex.who(), message).await;
    }

    /// Waits until nothing is under way any more. To be called when nothing follows.
    pub async fn idle(&self) {
        self.duplex.idle().await;
    }

    /// Says why a message could not be taken.
    pub async fn turn_away(&self, rejection: &Rejection) {
        self.duplex.turn_away(rejection, None).await;
    }

    /// Largest message that is taken, in bytes.
    pub fn limit(&self) -> usize {
        self.duplex.limit()
    }

    /// Cancelled when the credential is good no more, the session has ended, or the gateway stops.
    pub fn over(&self) -> &CancellationToken {
        self.duplex.over()
    }
}

impl Edge {
    /// Opens a connection within this process.
    ///
    /// # Errors
    /// Returns why nobody is let in.
    pub fn connect(self: &Arc<Self>, way: Way, credential: &Credential<'_>) -> Result<Connection, Refused> {
        let changes = self.tokens.changes();
        let who = match credential {
            Credential::Token(token) => self.tokens.authenticate(token)?,
            Credential::Local(named) => self.tokens.local(named).map_err(|_| Refused::Unknown)?,
        };
        Ok(Connection::open(self, way, who, changes))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.duplex.end();
    }
}
