//! Streams that a session-era agent can come back to (MCP 2025-03-26 to 2025-11-25, "Resumability and Redelivery"): what
//! was sent is kept for a while, bounded, and belongs to the session.

use axum::body::Bytes;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Most bytes of one stream that are kept.
const BYTES: usize = 1 << 20;
/// Most events of one stream that are kept.
const EVENTS: usize = 1024;
/// How long a stream that has ended is kept.
const KEPT: Duration = Duration::from_mins(1);
/// How long an agent should wait before it comes back.
const RETRY_MS: u32 = 1000;

/// One stream of a session.
#[derive(Debug)]
pub(super) struct Stream {
    /// Its number within the session; 0 is the standalone one.
    pub number: u64,
    kept: Mutex<Kept>,
    news: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<(u64, Bytes)>,
    bytes: usize,
    next: u64,
    /// The next event that a connected reader wants; absent without one.
    wanted: Option<u64>,
    /// Readers so far: the newest is the one that reads.
    readers: u64,
    ended: Option<Instant>,
}

/// What a reader gets.
pub(super) enum Read {
    Event(Bytes),
    /// Nothing follows.
    End,
}

impl Stream {
    pub(super) fn new(number: u64) -> Self {
        Self { number, kept: Mutex::default(), news: watch::channel(0).0 }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first event: no data, only the id to come back with and when (from 2025-11-25 on).
    pub(super) fn prime(&self) {
        self.push_event(|id| format!("id: {id}\nretry: {RETRY_MS}\ndata: \n\n").into());
    }

    /// Adds a message.
    pub(super) fn push(&self, message: &str) {
        self.push_event(|id| {
            let mut out = String::with_capacity(message.len() + 40);
            out.push_str("id: ");
            out.push_str(id);
            out.push('\n');
            super::respond::data_lines(message, &mut out);
            out.into()
        });
    }

    fn push_event(&self, build: impl FnOnce(&str) -> Bytes) {
        let mut kept = self.lock();
        let sequence = kept.next;
        let event = build(&format!("{}/{sequence}", self.number));
        kept.next += 1;
        kept.bytes += event.len();
        kept.events.push_back((sequence, event));
        // What a connected reader has not had yet stays, whatever its size: `room` holds the writer back.
        while kept.events.len() > EVENTS || kept.bytes > BYTES {
            let had = kept.events.front().is_some_and(|(s, _)| kept.wanted.is_none_or(|w| *s < w));
            let Some((_, old)) = had.then(|| kept.events.pop_front()).flatten() else { break };
            kept.bytes -= old.len();
        }
        let next = kept.next;
        drop(kept);
        self.news.send_replace(next);
    }

    /// Waits until a connected reader has caught up far enough.
    pub(super) async fn room(&self) {
        let mut news = self.news.subscribe();
        while self.lock().is_full() {
            if news.changed().await.is_err() {
                return;
            }
        }
    }

    /// Nothing follows.
    pub(super) fn end(&self) {
        self.lock().ended.get_or_insert_with(Instant::now);
        self.news.send_modify(|_| {});
    }

    /// Whether it can be forgotten.
    pub(super) fn is_old(&self, now: Instant) -> bool {
        self.lock().ended.is_some_and(|ended| now.duration_since(ended) > KEPT)
    }

    /// Events from `from` on. Of several readers only the newest gets any: a message is never sent twice at once.
    pub(super) fn reader(self: &std::sync::Arc<Self>, from: u64) -> Reader {
        let mut kept = self.lock();
        kept.wanted = Some(from);
        kept.readers += 1;
        let number = kept.readers;
        drop(kept);
        // Whoever read before learns that it does no more.
        self.news.send_modify(|_| {});
        Reader { stream: self.clone(), news: self.news.subscribe(), number, next: from }
    }
}

impl Stream {
    /// Events from the next one on.
    pub(super) fn tail(self: &std::sync::Arc<Self>) -> Reader {
        let next = self.lock().next;
        self.reader(next)
    }
}

impl Kept {
    fn is_full(&self) -> bool {
        self.wanted.is_some() && (self.bytes > BYTES || self.events.len() > EVENTS)
    }
}

/// One connected reader of a stream.
#[derive(Debug)]
pub(super) struct Reader {
    stream: std::sync::Arc<Stream>,
    news: watch::Receiver<u64>,
    number: u64,
    next: u64,
}

impl Reader {
    /// The next event. Can be cancelled without losing one.
    pub(super) async fn next(&mut self) -> Read {
        loop {
            self.news.mark_unchanged();
            {
                let mut kept = self.stream.lock();
                if kept.readers != self.number {
                    return Read::End; // somebody else reads now
                }
                let found = kept.events.iter().find(|(sequence, _)| *sequence >= self.next);
                if let Some((sequence, event)) = found.cloned() {
                    self.next = sequence + 1;
                    kept.wanted = Some(self.next);
                    drop(kept);
                    self.stream.news.send_modify(|_| {});
                    return Read::Event(event);
                }
                if kept.ended.is_some() {
                    return Read::End;
                }
            }
            if self.news.changed().await.is_err() {
                return Read::End;
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut kept = self.stream.lock();
        if kept.readers == self.number {
            kept.wanted = None;
        }
        drop(kept);
        self.stream.news.send_modify(|_| {});
    }
}

/// Stream and next sequence number after a `Last-Event-ID`.
pub(super) fn after(id: &str) -> Option<(u64, u64)> {
    let (stream, sequence) = id.split_once('/')?;
    Some((stream.parse().ok()?, sequence.parse::<u64>().ok()?.checked_add(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    async fn text(reader: &mut Reader) -> Option<String> {
        match reader.next().await {
            Read::Event(bytes) => Some(String::from_utf8(bytes.to_vec()).unwrap()),
            Read::End => None,
        }
    }

    #[tokio::test]
    async fn a_reader_that_comes_back_gets_what_it_missed() {
        let stream = Arc::new(Stream::new(3));
        stream.prime();
        stream.push("{\"a\":1}");
        let mut first = stream.reader(0);
        assert_eq!(text(&mut first).await.unwrap(), "id: 3/0\nretry: 1000\ndata: \n\n");
        drop(first);
        stream.push("{\"b\":2}");
        stream.end();
        let (number, from) = after("3/0").unwrap();
        assert_eq!((number, from), (3, 1));
        let mut again = stream.reader(from);
        assert_eq!(text(&mut again).await.unwrap(), "id: 3/1\ndata: {\"a\":1}\n\n");
        assert_eq!(text(&mut again).await.unwrap(), "id: 3/2\ndata: {\"b\":2}\n\n");
        assert!(text(&mut again).await.is_none());
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded_and_a_second_reader_takes_over() {
        let stream = Arc::new(Stream::new(1));
        for n in 0..3000 {
            stream.push(&format!("{{\"n\":{n}}}"));
        }
        assert!(stream.lock().events.len() <= EVENTS);
        let mut first = stream.reader(0);
        assert!(text(&mut first).await.unwrap().starts_with(&format!("id: 1/{}", 3000 - EVENTS)));
        let mut second = stream.reader(2999);
        assert!(text(&mut first).await.is_none());
        // That the first one goes does not end the second, even where both waited for the same event.
        drop(first);
        assert!(text(&mut second).await.unwrap().starts_with("id: 1/2999"));
    }
}
