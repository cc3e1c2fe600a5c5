//! Frames to bytes: one JSON body where one frame is all, a stream of events where more come first.

use super::Rejection;
use super::edge::Edge;
use super::replay::{Read, Stream};
use super::sessions::{Running, Session};
use super::slots::Slots;
use super::unread;
use crate::gateway::{Frame, Reply};
use crate::identity::Authenticated;
use crate::mcp::{Edit, Edition, Era, Id, Object, codes, meta};
use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream::unfold;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::borrow::Cow;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// A silent answer becomes a stream after this time, so that nothing on the way takes it for dead.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a silent stream shows that it lives.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What the agent accepts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Accepts {
    pub events: bool,
}

/// What the agent accepts, or `None` if we have nothing for it. A missing header accepts all.
pub(super) fn accepted(headers: &HeaderMap) -> Option<Accepts> {
    let mut any = false;
    let (mut json, mut events) = (false, false);
    for value in headers.get_all(ACCEPT) {
        any = true;
        for media in value.to_str().ok()?.split(',') {
            match media.split(';').next().map(str::trim) {
                Some("*/*") => (json, events) = (true, true),
                Some("application/json" | "application/*") => json = true,
                Some("text/event-stream" | "text/*") => events = true,
                _ => {}
            }
        }
    }
    (!any || json || events).then_some(Accepts { events: events || !any })
}

/// Which request is answered, and in which forms.
#[derive(Debug)]
pub(super) struct Answering {
    pub id: Id,
    pub accepts: Accepts,
}

/// The next frame of a reply, under way. It is kept, not begun anew, when something else happens meanwhile: a frame
/// whose outcome is being recorded must not be lost.
pub(super) type Next = Pin<Box<dyn Future<Output = (Reply, Option<Frame>)> + Send>>;

/// Begins to wait for the next frame.
pub(super) fn next(mut reply: Reply) -> Next {
    Box::pin(async move {
        let frame = reply.next().await;
        (reply, frame)
    })
}

/// A reply to a stateless agent, and all that must live as long as it does. Dropping it cancels the call.
struct Pending {
    next: Option<Next>,
    _slots: Slots,
}

/// What comes next.
pub(super) enum Step {
    Frame(Frame),
    /// At the end.
    Over,
    /// Cancelled by the agent.
    Cancelled,
    /// The credential is good no more.
    Revoked,
}

impl Pending {
    /// Can be cancelled without losing a frame.
    async fn step(&mut self, gone: &mut Gone) -> Step {
        step(&mut self.next, gone, std::future::pending()).await
    }
}

/// The next step of a call, unless something ends it first: then it is dropped here and now, its outcome is recorded as
/// cancelled, and the backend told.
pub(super) async fn step(
    waiting: &mut Option<Next>,
    gone: &mut Gone,
    cancelled: impl Future<Output = ()>,
) -> Step {
    let Some(under_way) = waiting.as_mut() else { return Step::Over };
    let ended = tokio::select! {
        biased;
        () = gone.revoked() => Step::Revoked,
        () = cancelled => Step::Cancelled,
        (reply, frame) = under_way => {
            *waiting = frame.as_ref().is_some_and(|f| !f.is_last()).then(|| next(reply));
            return frame.map_or(Step::Over, Step::Frame);
        }
    };
    *waiting = None;
    ended
}

/// Waits until a credential is no longer good.
pub(super) struct Gone {
    edge: Arc<Edge>,
    /// Whose it is.
    pub who: Authenticated,
    /// Tells of changes of the store since before it was checked.
    pub changes: watch::Receiver<u64>,
}

impl Gone {
    /// `changes` is from before `who` was checked, so that nothing happens unseen in between.
    pub(super) fn new(edge: &Arc<Edge>, who: Authenticated, changes: watch::Receiver<u64>) -> Self {
        Self { changes, edge: edge.clone(), who }
    }

    pub(super) async fn revoked(&mut self) {
        // Expiry tells nobody, so it is waited for; both ends are checked by the store.
        let left = self.who.expires_us - self.edge.gateway.clock().now_us();
        let expiry = tokio::time::sleep(Duration::from_micros(u64::try_from(left).unwrap_or(0)));
        tokio::pin!(expiry);
        loop {
            tokio::select! {
                changed = self.changes.changed() => if changed.is_err() {
                    return std::future::pending().await;
                },
                () = &mut expiry => return,
            }
            if !self.edge.tokens.still_valid(&self.who) {
                return;
            }
        }
    }
}

/// Turns a reply into a response.
pub(super) async fn respond(
    edge: &Arc<Edge>,
    reply: Reply,
    answering: Answering,
    gone: Gone,
    running: Option<Running>,
    slots: Slots,
) -> Response {
    match running {
        Some(running) => in_session(edge, reply, answering, gone, (running, slots)).await,
        None => stateless(edge, reply, answering, gone, slots).await,
    }
}

async fn stateless(
    edge: &Arc<Edge>,
    reply: Reply,
    answering: Answering,
    mut gone: Gone,
    slots: Slots,
) -> Response {
    let Answering { id, accepts } = answering;
    let legacy = reply.edition().era() == Era::Legacy;
    let mut pending = Pending { next: Some(next(reply)), _slots: slots };
    if !accepts.events {
        loop {
            match pending.step(&mut gone).await {
                Step::Frame(frame) if frame.is_last() => return last(&frame, &id, legacy),
                Step::Frame(_) => {}
                ended => return over(&ended, &gone, &id),
            }
        }
    }
    let first = tokio::select! {
        step = pending.step(&mut gone) => Some(step),
        () = tokio::time::sleep(PATIENCE) => None,
    };
    match first {
        Some(Step::Frame(frame)) if frame.is_last() => last(&frame, &id, legacy),
        Some(Step::Frame(frame)) => {
            let first = event(&envelope(&frame, &id));
            events(edge, pending, gone, (id, first))
        }
        Some(ended) => over(&ended, &gone, &id),
        None => events(edge, pending, gone, (id, Bytes::from_static(b":\n\n"))),
    }
}

/// In the session era a lost connection is no cancellation: the call goes on by itself, and what it says is kept for an
/// agent that comes back.
async fn in_session(
    edge: &Arc<Edge>,
    reply: Reply,
    answering: Answering,
    mut gone: Gone,
    held: (Running, Slots),
) -> Response {
    let Answering { id, accepts } = answering;
    let session = held.0.session().clone();
    let mut call = Kept { next: Some(next(reply)), held, edge: edge.clone() };
    let first = loop {
        let step = tokio::select! {
            step = call.step(&mut gone) => Some(step),
            () = tokio::time::sleep(PATIENCE), if accepts.events => None,
        };
        match step {
            Some(Step::Frame(frame)) if frame.is_last() => return last(&frame, &id, true),
            Some(Step::Frame(frame)) if accepts.events => break Some(frame),
            Some(Step::Frame(_)) => {}
            Some(ended) => return over(&ended, &gone, &id),
            None => break None,
        }
    };
    let stream = session.open_stream();
    if session.edition >= Edition::V2025_11_25 {
        stream.prime();
    }
    if let Some(frame) = first {
        say(&session, &stream, frame, &id);
    }
    let told = stream.clone();
    edge.tracker.spawn(async move {
        while let Step::Frame(frame) = call.step(&mut gone).await {
            let ends = frame.is_last();
            say(call.held.0.session(), &told, frame, &id);
            if ends {
                break;
            }
            if timeout(call.edge.unread, told.room()).await.is_err() {
                // Dropped here and now: its outcome is recorded as cancelled.
                drop(call.next.take());
                break;
            }
        }
        told.end();
    });
    follow(&session, &stream, 0)
}

/// A call of a session, which outlives its connection.
struct Kept {
    next: Option<Next>,
    held: (Running, Slots),
    edge: Arc<Edge>,
}

impl Kept {
    /// Can be cancelled without losing a frame.
    async fn step(&mut self, gone: &mut Gone) -> Step {
        let cancelled = self.held.0.cancel.clone();
        step(&mut self.next, gone, cancelled.cancelled_owned()).await
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // The connection was lost before there was a stream: the recorded outcome is to be the true one.
        if let Some(next_frame) = self.next.take() {
            self.edge.tracker.spawn(async move {
                let (mut reply, mut frame) = next_frame.await;
                while frame.is_some_and(|f| !f.is_last()) {
                    frame = reply.next().await;
                }
            });
        }
    }
}

/// Puts a frame on a stream. A question gets an id that nobody can guess, and its answer a place to go to.
fn say(session: &Arc<Session>, stream: &Stream, frame: Frame, id: &Id) {
    stream.push(&message(session, frame, id));
}

/// The message of a frame within a session.
pub(super) fn message(session: &Arc<Session>, frame: Frame, id: &Id) -> String {
    match frame {
        Frame::Question { ask, params, answer } => {
            let asked = session.ask(answer);
            format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"{}\",\"params\":{}}}",
                asked.raw(),
                ask.as_str(),
                params.value()
            )
        }
        frame => envelope(&frame, id),
    }
}

/// A connection that reads a stream of the session from an event on.
pub(super) fn follow(session: &Arc<Session>, stream: &Arc<Stream>, from: u64) -> Response {
    let reading = (stream.reader(from), session.clone());
    let events = unfold(reading, |(mut reader, session)| async move {
        let bytes = tokio::select! {
            read = reader.next() => match read {
                Read::Event(bytes) => bytes,
                Read::End => return None,
            },
            () = session.ended.cancelled() => return None,
            () = tokio::time::sleep(KEEP_ALIVE) => Bytes::from_static(b":\n\n"),
        };
        Some((Ok::<_, Infallible>(bytes), (reader, session)))
    });
    stream_response(Body::from_stream(events))
}

fn last(frame: &Frame, id: &Id, legacy: bool) -> Response {
    json(status(frame, legacy), envelope(frame, id))
}

/// The answer to a request that has no frame: `ping`, or one that was ended before its first.
fn over(ended: &Step, gone: &Gone, id: &Id) -> Response {
    match ended {
        Step::Cancelled => Rejection::Cancelled.response(Some(id.raw())),
        Step::Revoked => gone.edge.revoked(&gone.who).response(Some(id.raw())),
        Step::Over | Step::Frame(_) => {
            json(StatusCode::OK, format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{{}}}}", id.raw()))
        }
    }
}

fn events(edge: &Arc<Edge>, pending: Pending, gone: Gone, (id, first): (Id, Bytes)) -> Response {
    let frames = unfold((pending, gone, id, Some(first)), |(mut pending, mut gone, id, first)| async move {
        if let Some(first) = first {
            return Some((first, (pending, gone, id, None)));
        }
        let bytes = tokio::select! {
            step = pending.step(&mut gone) => match step {
                Step::Frame(frame) => event(&envelope(&frame, &id)),
                Step::Over | Step::Cancelled | Step::Revoked => return None,
            },
            () = tokio::time::sleep(KEEP_ALIVE) => Bytes::from_static(b":\n\n"),
        };
        Some((bytes, (pending, gone, id, None)))
    });
    stream_response(unread::body(frames, &edge.tracker, edge.unread))
}

/// A response that is a stream of events.
pub(super) fn stream_response(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// One event (WHATWG HTML §9.2). JSON that was checked has no raw line breaks inside strings, but may have
/// them between tokens.
pub(super) fn event(message: &str) -> Bytes {
    let mut out = String::with_capacity(message.len() + 16);
    data_lines(message, &mut out);
    out.into()
}

/// A message as the data of an event, which it ends.
pub(super) fn data_lines(message: &str, out: &mut String) {
    for line in message.lines() {
        out.push_str("data: ");
        out.push_str(line);
        out.push('\n');
    }
    out.push('\n');
}

/// The JSON-RPC message of a frame, under the agent's own id.
pub(super) fn envelope(frame: &Frame, id: &Id) -> String {
    match frame {
        Frame::Notification { method, params } => {
            format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\",\"params\":{}}}", params.value())
        }
        // Only sessions have questions, and `message` has put them.
        Frame::Question { ask, params, .. } => {
            format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{}\",\"params\":{}}}", ask.as_str(), params.value())
        }
        Frame::Result(result, receipt) => {
            let result = with_receipt(result.value(), receipt.as_deref());
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{result}}}", id.raw())
        }
        Frame::Error(error) => {
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"error\":{}}}", id.raw(), error.value())
        }
        Frame::Refused(refusal, reference) => {
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"error\":{}}}", id.raw(), refusal.error(*reference))
        }
    }
}

/// A result with the receipt of its record in `_meta`, which every revision allows there.
fn with_receipt<'a>(result: &'a str, receipt: Option<&str>) -> Cow<'a, str> {
    // An empty result says that there is nothing to say (`EmptyResult`), and some clients insist on that.
    let spliced = receipt.filter(|_| result != "{}").and_then(|receipt| {
        let given = Object::parse(result)?;
        let meta = Edit::of(given.get("_meta").unwrap_or("{}"))?.set(meta::RECEIPT, receipt).finish();
        Some(Edit::of(result)?.set("_meta", meta).finish())
    });
    spliced.map_or(Cow::Borrowed(result), Cow::Owned)
}

fn status(frame: &Frame, legacy: bool) -> StatusCode {
    match frame {
        Frame::Refused(refusal, _) => StatusCode::from_u16(refusal.text().status).unwrap_or(StatusCode::OK),
        // A backend that does not know a method which we do: the stateless era says so in the status.
        Frame::Error(error) if !legacy && code(error.value()) == Some(codes::METHOD_NOT_FOUND) => {
            StatusCode::NOT_FOUND
        }
        Frame::Error(error) if !legacy && code(error.value()) == Some(codes::MISSING_CAPABILITY) => {
            StatusCode::BAD_REQUEST
        }
        _ => StatusCode::OK,
    }
}

fn code(error: &str) -> Option<i64> {
    Object::parse(error)?.get("code")?.parse().ok()
}

/// A JSON response.
pub(super) fn json(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A fixed JSON response.
pub(super) fn plain(status: StatusCode, body: &'static str) -> Response {
    json(status, body.to_owned())
}
