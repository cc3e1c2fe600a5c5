//! What a backend asks its client, and the one way back for the answer.

use super::http::HttpLink;
use super::pipe::Write;
use super::{ClearedCall, Error};
use crate::audit::{Kind, Receipt};
use crate::inspect::Filtered;
use crate::mcp::{Ask, Edition, Id, Object, codes, quote};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The code with which clients say that a person refused to sample (MCP, Sampling, "Error Handling").
const REJECTED: i64 = -1;

/// A question of a session-era backend. It is answered exactly once: dropping it refuses it.
#[derive(Debug)]
pub struct Question {
    ask: Ask,
    params: String,
    back: Option<Back>,
}

/// Where the answer goes.
#[derive(Debug)]
pub(super) enum Back {
    /// Onto a pipe, under the backend's own id.
    Pipe { writes: mpsc::Sender<Write>, id: Id },
    /// By a POST of its own.
    Http { link: Arc<HttpLink>, id: Id, edition: Edition },
}

impl Question {
    pub(super) fn new(ask: Ask, params: String, back: Back) -> Self {
        Self { ask, params, back: Some(back) }
    }

    /// What is asked.
    pub fn ask(&self) -> Ask {
        self.ask
    }

    /// The raw parameters, as the backend wrote them.
    pub fn params(&self) -> &str {
        &self.params
    }

    /// Answers with what the client said, once that is recorded.
    ///
    /// # Errors
    /// The backend could not be reached, or the record is not that of this answer; then the question is refused.
    pub async fn answer(mut self, result: &Filtered<String>, receipt: &Receipt) -> Result<(), Error> {
        if receipt.kind() != Kind::CallReply || receipt.call() != Some(result.call()) {
            return Err(Error::Unusable("an answer without a record".into()));
        }
        self.send(&format!("\"result\":{}", result.value())).await
    }

    /// Answers with a part of a cleared call: the input that a stateless client sent with its retry.
    ///
    /// # Errors
    /// There is no such input, or the backend could not be reached; then the question is refused.
    pub async fn answer_from(mut self, call: &ClearedCall, key: &str) -> Result<(), Error> {
        let given = Object::parse(call.params()).and_then(|p| p.object("inputResponses"));
        let Some(raw) = given.and_then(|g| g.get(key).map(str::to_owned)) else {
            return Err(Error::Unusable("a retry without its input".into()));
        };
        self.send(&format!("\"result\":{raw}")).await
    }

    /// Answers for the client that it does not want to.
    ///
    /// # Errors
    /// The backend could not be reached.
    pub async fn decline(mut self) -> Result<(), Error> {
        let answer = match declined(self.ask) {
            Some(result) => format!("\"result\":{result}"),
            None => format!("\"error\":{{\"code\":{REJECTED},\"message\":\"the request was rejected\"}}"),
        };
        self.send(&answer).await
    }

    /// Passes on a client's error.
    ///
    /// # Errors
    /// The backend could not be reached.
    pub async fn fail(mut self, code: i64, message: &str) -> Result<(), Error> {
        self.send(&format!("\"error\":{{\"code\":{code},\"message\":{}}}", quote(message))).await
    }

    async fn send(&mut self, answer: &str) -> Result<(), Error> {
        match self.back.take() {
            None => Err(Error::Closed),
            Some(Back::Pipe { writes, id }) => {
                let text = message(&id, answer);
                writes.send(Write { id: None, text }).await.map_err(|_| Error::Closed)
            }
            Some(Back::Http { link, id, edition }) => {
                link.post_notification(message(&id, answer), edition).await
            }
        }
    }
}

/// The result with which a client declines, where the protocol has one.
pub fn declined(ask: Ask) -> Option<&'static str> {
    match ask {
        Ask::Elicit => Some("{\"action\":\"decline\"}"),
        Ask::ListRoots => Some("{\"roots\":[]}"),
        Ask::Sample => None,
    }
}

fn message(id: &Id, answer: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{},{answer}}}", id.raw())
}

impl Drop for Question {
    fn drop(&mut self) {
        let Some(back) = self.back.take() else { return };
        let code = codes::METHOD_NOT_FOUND;
        let answer = format!("\"error\":{{\"code\":{code},\"message\":\"the client cannot be asked\"}}");
        match back {
            Back::Pipe { writes, id } => {
                let _ = writes.try_send(Write { id: None, text: message(&id, &answer) });
            }
            Back::Http { link, id, edition } => link.clone().post_detached(message(&id, &answer), edition),
        }
    }
}
