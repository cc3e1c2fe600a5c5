//! Frames to bytes: one JSON body where one frame is all, a stream of events where more come first.

use super::Rejection;
use super::edge::Edge;
use super::sessions::Running;
use super::slots::Slots;
use crate::gateway::{Frame, Reply};
use crate::identity::Authenticated;
use crate::mcp::{Era, Id, Object, codes};
use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream::unfold;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

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

/// A reply, and all that must live as long as it does. In the legacy era a lost connection is no
/// cancellation: what is left is then read to its end, so that the recorded outcome is the true one.
struct Pending {
    reply: Option<Reply>,
    lingers: Option<TaskTracker>,
    running: Option<Running>,
    _slots: Slots,
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let (Some(mut reply), Some(tracker)) = (self.reply.take(), &self.lingers) {
            tracker.spawn(async move { while reply.next().await.is_some() {} });
        }
    }
}

enum Step {
    Frame(Frame),
    /// At the end.
    Over,
    /// Cancelled by the agent.
    Cancelled,
    /// The credential is good no more.
    Revoked,
}

impl Pending {
    async fn next(&mut self, gone: &mut Gone) -> Step {
        let Some(reply) = &mut self.reply else { return Step::Over };
        let cancelled = self.running.as_ref().map(|r| r.cancel.clone()).unwrap_or_default();
        let step = tokio::select! {
            biased;
            () = gone.revoked() => Step::Revoked,
            () = cancelled.cancelled() => Step::Cancelled,
            frame = reply.next() => frame.map_or(Step::Over, Step::Frame),
        };
        if !matches!(&step, Step::Frame(frame) if !frame.is_last()) {
            // Dropped here and now: if it was not the last, the outcome is recorded as cancelled, and the
            // backend told.
            self.reply = None;
        }
        step
    }
}

/// Waits until a credential is no longer good.
pub(super) struct Gone {
    edge: Arc<Edge>,
    /// Whose it is.
    pub who: Authenticated,
    changes: watch::Receiver<u64>,
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
    mut gone: Gone,
    running: Option<Running>,
    slots: Slots,
) -> Response {
    let legacy = reply.edition().era() == Era::Legacy;
    let lingers = legacy.then(|| edge.tracker.clone());
    let mut pending = Pending { reply: Some(reply), lingers, running, _slots: slots };
    let Answering { id, accepts } = answering;
    if !accepts.events {
        return loop {
            match pending.next(&mut gone).await {
                Step::Frame(frame) if frame.is_last() => {
                    break json(status(&frame, legacy), envelope(&frame, &id));
                }
                Step::Frame(_) => {}
                ended => break over(&ended, &gone, &id),
            }
        };
    }
    let first = tokio::select! {
        step = pending.next(&mut gone) => Some(step),
        () = tokio::time::sleep(PATIENCE) => None,
    };
    match first {
        Some(Step::Frame(frame)) if frame.is_last() => json(status(&frame, legacy), envelope(&frame, &id)),
        Some(Step::Frame(frame)) => events(pending, gone, id, event(&envelope(&frame, &Id::number(0)))),
        Some(ended) => over(&ended, &gone, &id),
        None => events(pending, gone, id, Bytes::from_static(b":\n\n")),
    }
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

fn events(pending: Pending, gone: Gone, id: Id, first: Bytes) -> Response {
    let frames = unfold((pending, gone, id, Some(first)), |(mut pending, mut gone, id, first)| async move {
        if let Some(first) = first {
            return Some((Ok::<_, Infallible>(first), (pending, gone, id, None)));
        }
        let bytes = tokio::select! {
            step = pending.next(&mut gone) => match step {
                Step::Frame(frame) => event(&envelope(&frame, &id)),
                Step::Over | Step::Cancelled | Step::Revoked => return None,
            },
            () = tokio::time::sleep(KEEP_ALIVE) => Bytes::from_static(b":\n\n"),
        };
        Some((Ok(bytes), (pending, gone, id, None)))
    });
    stream_response(Body::from_stream(frames))
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
    for line in message.lines() {
        out.push_str("data: ");
        out.push_str(line);
        out.push('\n');
    }
    out.push('\n');
    out.into()
}

/// The JSON-RPC message of a frame, under the agent's own id.
fn envelope(frame: &Frame, id: &Id) -> String {
    match frame {
        Frame::Notification { method, params } => {
            format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\",\"params\":{}}}", params.value())
        }
        Frame::Result(result) => {
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{}}}", id.raw(), result.value())
        }
        Frame::Error(error) => {
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"error\":{}}}", id.raw(), error.value())
        }
        Frame::Refused(refusal, reference) => {
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"error\":{}}}", id.raw(), refusal.error(*reference))
        }
    }
}

fn status(frame: &Frame, legacy: bool) -> StatusCode {
    match frame {
        Frame::Refused(refusal, _) => StatusCode::from_u16(refusal.text().status).unwrap_or(StatusCode::OK),
        // A backend that does not know a method which we do: the stateless era says so in the status.
        Frame::Error(error) if !legacy && is_unknown_method(error.value()) => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    }
}

fn is_unknown_method(error: &str) -> bool {
    let code = Object::parse(error).and_then(|error| error.get("code")).and_then(|code| code.parse().ok());
    code == Some(codes::METHOD_NOT_FOUND)
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
