//! A stream of events whose agent does not take them: it is given up after a time, and the call with it, so that its
//! place is free for others. The deadline of a call cannot do that, since nobody looks at it while nothing is read.

use axum::body::{Body, Bytes};
use futures_util::{Stream, StreamExt as _};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::TaskTracker;

/// Events that may wait to be taken, besides what the connection holds.
const WAITING: usize = 1;

/// A body of these events. When the agent hangs up, or leaves one for `patience`, the events are dropped.
pub(super) fn body(
    events: impl Stream<Item = Bytes> + Send + 'static,
    tracker: &TaskTracker,
    patience: Duration,
) -> Body {
    let (taken, bytes) = mpsc::channel(WAITING);
    tracker.spawn(async move {
        let mut events = Box::pin(events);
        loop {
            let event = tokio::select! {
                biased;
                () = taken.closed() => return,
                event = events.next() => event,
            };
            let Some(event) = event else { return };
            match timeout(patience, taken.send(event)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => {
                    tracing::debug!("an agent does not read its stream: given up");
                    return;
                }
            }
        }
    });
    Body::from_stream(ReceiverStream::new(bytes).map(Ok::<_, Infallible>))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream::repeat;
    use http_body_util::BodyExt as _;
    use std::sync::Arc;

    #[tokio::test]
    async fn events_that_nobody_takes_are_dropped() {
        let tracker = TaskTracker::new();
        let call = Arc::new(());
        // Each event holds the call, as the frames of a reply do.
        let endless = repeat(call.clone()).map(|_call| Bytes::from_static(b"data: 1\n\n"));
        let mut unread = body(endless, &tracker, Duration::from_millis(50));
        for _ in 0..10 {
            assert!(unread.frame().await.is_some());
        }
        tracker.close();
        tracker.wait().await;
        assert_eq!(Arc::strong_count(&call), 1, "the call is given up");
        while unread.frame().await.is_some() {}
    }

    #[tokio::test]
    async fn an_agent_that_hangs_up_ends_the_events_at_once() {
        let tracker = TaskTracker::new();
        let silent = body(futures_util::stream::pending(), &tracker, Duration::from_mins(1));
        drop(silent);
        tracker.close();
        tracker.wait().await;
    }
}
