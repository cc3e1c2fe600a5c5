//! The answer to a call that waits for an approval, as frames: what is said while it waits, then what it leads to.

use super::reply::{Frame, Reply};
use std::pin::Pin;
use tokio::sync::mpsc::Receiver;

/// How a wait goes on, to what it leads to.
pub(super) type Wait = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// A wait, and what is said meanwhile. Dropping it ends the wait.
pub(super) struct Held {
    wait: Wait,
    frames: Receiver<Frame>,
    then: Option<Reply>,
}

impl Held {
    pub(super) fn new(wait: Wait, frames: Receiver<Frame>) -> Self {
        Self { wait, frames, then: None }
    }

    /// The next frame, or what the wait has led to once all is said.
    pub(super) async fn next(&mut self) -> Result<Frame, Reply> {
        let then = if let Some(then) = self.then.take() {
            then
        } else {
            tokio::select! {
                biased;
                Some(frame) = self.frames.recv() => return Ok(frame),
                then = &mut self.wait => then,
            }
        };
        // What was said last may still be on its way.
        match self.frames.try_recv() {
            Ok(frame) => {
                self.then = Some(then);
                Ok(frame)
            }
            Err(_) => Err(then),
        }
    }
}
