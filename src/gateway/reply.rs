//! What goes back: frames, each filtered, and before the last one the durable outcome.

use super::Refusal;
use super::held::Held;
use super::listen::{Followed, Listening};
use super::running::{Running, Step};
use crate::inspect::Filtered;
use crate::mcp::{Ask, Edition};
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::oneshot;
use uuid::Uuid;

/// One frame for the agent. The edge adds the envelope: the agent's own id goes back as it came.
#[derive(Debug)]
pub enum Frame {
    /// Something on the way: method and raw parameters.
    Notification {
        /// The method's name.
        method: &'static str,
        /// Raw parameters.
        params: Filtered<String>,
    },
    /// A question of the backend, for agents of the session era. The edge gives it an id that nobody can guess;
    /// dropping the sender says that there is no answer.
    Question {
        /// What is asked.
        ask: Ask,
        /// Raw parameters.
        params: Filtered<String>,
        /// Takes the answer.
        answer: oneshot::Sender<Said>,
    },
    /// The raw `result`, and the receipt of its record as raw JSON, if the agent gets one; the last frame.
    Result(Arc<Filtered<String>>, Option<String>),
    /// The raw `error` of a backend; the last frame.
    Error(Filtered<String>),
    /// A refusal and its reference; the last frame.
    Refused(Refusal, Uuid),
}

/// What an agent answered to a question, raw and not yet inspected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The raw `result`.
    Result(String),
    /// The raw `error`.
    Error(String),
}

impl Frame {
    /// Whether nothing follows.
    pub fn is_last(&self) -> bool {
        !matches!(self, Self::Notification { .. } | Self::Question { .. })
    }
}

/// The beginning of an answer, under way.
pub(super) type Opening = Pin<Box<dyn Future<Output = Reply> + Send>>;

enum Source {
    Opening(Opening),
    Ready(Option<Frame>),
    Backend(Box<Running>),
    Listening(Box<Listening>),
    Held(Box<Held>),
    Done,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Opening(_) => "Opening",
            Self::Ready(_) => "Ready",
            Self::Backend(_) => "Backend",
            Self::Listening(_) => "Listening",
            Self::Held(_) => "Held",
            Self::Done => "Done",
        })
    }
}

/// The frames of one answer. Dropping it before the last frame cancels the call and records that.
#[derive(Debug)]
pub struct Reply {
    edition: Edition,
    source: Source,
    followed: Option<Followed>,
}

impl Reply {
    /// An answer without content, for `ping`.
    pub(super) fn empty(edition: Edition) -> Self {
        Self { edition, source: Source::Done, followed: None }
    }

    /// An answer of one frame.
    pub(super) fn ready(edition: Edition, frame: Frame) -> Self {
        Self { edition, source: Source::Ready(Some(frame)), followed: None }
    }

    /// The answer of a backend that has not begun it yet.
    pub(super) fn opening(edition: Edition, opening: Opening) -> Self {
        Self { edition, source: Source::Opening(opening), followed: None }
    }

    /// The answer of a backend.
    pub(super) fn running(edition: Edition, running: Running) -> Self {
        Self { edition, source: Source::Backend(Box::new(running)), followed: None }
    }

    /// A subscription of a stateless agent.
    pub(super) fn listening(edition: Edition, listening: Listening) -> Self {
        Self { edition, source: Source::Listening(Box::new(listening)), followed: None }
    }

    /// The answer to a call that waits for an approval.
    pub(super) fn held(edition: Edition, held: Held) -> Self {
        Self { edition, source: Source::Held(Box::new(held)), followed: None }
    }

    /// The answer to an agent of the session era that follows a resource from now on.
    pub(super) fn following(edition: Edition, frame: Frame, followed: Option<Followed>) -> Self {
        Self { edition, source: Source::Ready(Some(frame)), followed }
    }

    /// What the agent's session follows from now on, once.
    pub fn take_followed(&mut self) -> Option<Followed> {
        self.followed.take()
    }

    /// The revision that the agent speaks.
    pub fn edition(&self) -> Edition {
        self.edition
    }

    /// The next frame; `None` after the last.
    pub async fn next(&mut self) -> Option<Frame> {
        if let Source::Held(held) = &mut self.source {
            match held.next().await {
                Ok(frame) => return Some(frame),
                Err(then) => *self = then,
            }
        }
        if let Source::Opening(opening) = &mut self.source {
            *self = opening.await;
        }
        let running = match &mut self.source {
            // What these lead to is neither.
            Source::Held(_) | Source::Opening(_) => return None,
            Source::Ready(frame) => return frame.take(),
            Source::Done => return None,
            Source::Listening(listening) => return listening.next().await,
            Source::Backend(running) => running,
        };
        loop {
            match running.step().await {
                Step::On => {}
                Step::Frame(frame) => return Some(frame),
                Step::Last(status, frame) => {
                    let frame = running.owed.seal(status, frame).await;
                    self.source = Source::Done;
                    return Some(frame);
                }
                Step::Park(status, frame, question, id) => {
                    let frame = running.owed.seal(status, frame).await;
                    // Only what the agent will hear of can be come back for.
                    if let (Frame::Result(..), Source::Backend(running)) =
                        (&frame, std::mem::replace(&mut self.source, Source::Done))
                    {
                        running.park(id, question);
                    }
                    self.source = Source::Done;
                    return Some(frame);
                }
            }
        }
    }
}
