//! What goes back: frames, each filtered, and before the last one the durable outcome.

use super::judge::{Cleared, Judgement, Ruling};
use super::{Gateway, Refusal, Rules, Trace, era, journal, lists, watch};
use crate::audit::Unrecorded;
use crate::identity::SharedCaller;
use crate::inspect::{Direction, Filtered, Finding, Subject};
use crate::mcp::{Edit, Edition, Method, Object};
use crate::policy::Obligations;
use crate::route::{Front, Target, expose_uris};
use crate::upstream::{self, Answer, ClearedCall, Inbound, LogLevel};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument as _, Span};
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
    /// The raw `result`; the last frame.
    Result(Arc<Filtered<String>>),
    /// The raw `error` of a backend; the last frame.
    Error(Filtered<String>),
    /// A refusal and its reference; the last frame.
    Refused(Refusal, Uuid),
}

impl Frame {
    /// Whether nothing follows.
    pub fn is_last(&self) -> bool {
        !matches!(self, Self::Notification { .. })
    }
}

/// How a call ended, as the record says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    ToolError,
    RpcError,
    UpstreamError,
    Timeout,
    Cancelled,
    Blocked,
}

impl Status {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ToolError => "tool_error",
            Self::RpcError => "rpc_error",
            Self::UpstreamError => "upstream_error",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Blocked => "blocked",
        }
    }
}

/// What a running call has come to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub frames: u64,
    pub bytes: u64,
    pub findings: Vec<Finding>,
    /// The result as it goes back, if policy wants it recorded.
    pub response: Option<String>,
}

/// An outcome that is owed to the log from before the intent is written. If the call is abandoned at any
/// point after that, dropping this records it as cancelled.
#[derive(Debug)]
pub(super) struct Owed {
    pub(super) gateway: Arc<Gateway>,
    pub(super) rules: Arc<Rules>,
    pub(super) caller: SharedCaller,
    pub(super) facts: Facts,
    started: Instant,
    sent: Option<Instant>,
    answered: Option<Instant>,
    pub(super) tally: Tally,
    due: bool,
    span: Span,
    backend: Span,
}

#[derive(Debug)]
pub(super) struct Facts {
    pub(super) call: Uuid,
    pub(super) front: Front,
    pub(super) method: Method,
    pub(super) edition: Edition,
    pub(super) progress_token: Option<String>,
    pub(super) log_level: Option<LogLevel>,
    pub(super) target: Option<Target>,
    pub(super) server: String,
    pub(super) circumstances: crate::policy::Circumstances,
    /// What policy asked for when the call was judged: it holds for the result too.
    pub(super) wanted: Option<Arc<Obligations>>,
    /// Whose facts the result belongs to.
    pub(super) session: String,
    pub(super) intent: Option<u64>,
}

impl Owed {
    pub(super) fn outcome_of(
        gateway: &Arc<Gateway>,
        rules: &Arc<Rules>,
        caller: &SharedCaller,
        judgement: &Judgement,
        span: Span,
    ) -> (Self, Trace) {
        let call = &judgement.call;
        let due = matches!(judgement.ruling, Ok(Ruling::Forward(_)));
        let (backend, trace) =
            if due { watch::backend_span(&span, judgement) } else { (Span::none(), Trace::default()) };
        let facts = Facts {
            call: call.id,
            front: call.front.clone(),
            method: call.method,
            edition: call.edition,
            progress_token: call.progress_token.clone(),
            log_level: call.log_level,
            target: judgement.found.as_ref().map(|f| f.target.clone()),
            server: judgement.found.as_ref().map(|f| f.server.clone()).unwrap_or_default(),
            circumstances: super::judge::circumstances(call),
            wanted: judgement.obligations().cloned(),
            session: super::facts::key(caller, call),
            intent: None,
        };
        let owed = Self {
            gateway: gateway.clone(),
            rules: rules.clone(),
            caller: caller.clone(),
            facts,
            started: Instant::now(),
            sent: None,
            answered: None,
            tally: Tally::default(),
            due,
            span,
            backend,
        };
        (owed, trace)
    }

    /// The call's span.
    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// The intent was not written: nothing is owed.
    pub(super) fn forgiven(mut self, why: Unrecorded) -> Refusal {
        self.due = false;
        why.into()
    }

    /// The record of the refusal is all there is.
    pub(super) fn settled(mut self, refusal: Refusal) -> Refusal {
        self.due = false;
        watch::end(&self.span, Some(refusal.text().reason));
        refusal
    }

    /// The effect. Nothing here returns before the outcome is owed or written.
    pub(super) async fn answer(mut self, cleared: Cleared) -> Reply {
        match cleared {
            Cleared::Own(call) => {
                let frame = match lists::answer(&self.gateway.cursors, &self.rules, &self.caller, &call) {
                    Ok(result) => Frame::Result(result),
                    Err(refusal) => Frame::Refused(refusal, call.id),
                };
                self.due = false;
                let took = self.started.elapsed();
                self.gateway.metrics().record_call(call.method.as_str(), None, None, took.as_secs_f64());
                Reply { edition: call.edition, source: Source::Ready(Some(frame)) }
            }
            Cleared::Forward(call) => self.forward(*call).await,
        }
    }

    async fn forward(mut self, call: ClearedCall) -> Reply {
        self.facts.intent = Some(call.intent());
        let edition = self.facts.edition;
        let upstream = self.rules.upstreams.get(&call.to().server).cloned();
        let limit = upstream.as_ref().map_or(Duration::ZERO, |u| u.target().call_timeout);
        let deadline = self.started + self.rules.call_timeout.min(limit);
        self.sent = Some(Instant::now());
        let sent = match upstream {
            None => Err(upstream::Error::Down("it is not configured any more".into())),
            Some(upstream) => timeout_at(deadline, upstream.send(&call).instrument(self.backend.clone()))
                .await
                .unwrap_or(Err(upstream::Error::Timeout)),
        };
        let source = match sent {
            Ok(answer) => Source::Backend(Box::new(Open {
                answer,
                deadline,
                owed: self,
                server: call.to().server.clone(),
            })),
            Err(why) => {
                let frame = Frame::Refused(why.clone().into(), self.facts.call);
                Source::Ready(Some(self.seal(status_of(&why), frame).await))
            }
        };
        Reply { edition, source }
    }

    /// Records the outcome, then hands out the last frame. If the record fails, so does the call.
    async fn seal(&mut self, status: Status, frame: Frame) -> Frame {
        let answered = *self.answered.get_or_insert_with(Instant::now);
        watch::end(&self.backend, watch::error_type(status));
        self.backend = Span::none();
        let draft = journal::outcome(&self.record(status));
        let recording = watch::stage_span(&self.span, "record outcome");
        // From here on the record is in the queue, whether or not anyone waits for it.
        self.due = false;
        let recorded = self.gateway.log.append(draft).instrument(recording).await;
        watch::end(&self.span, watch::error_type(status));
        for finding in &self.tally.findings {
            self.gateway.metrics.found(finding.kind, u64::from(finding.count));
        }
        let finished = watch::Finished {
            method: self.facts.method,
            target: self.facts.target.as_ref(),
            server: &self.facts.server,
            status,
            total: self.started.elapsed(),
            backend: self.sent.map(|sent| answered.duration_since(sent)).unwrap_or_default(),
        };
        watch::finished(&self.gateway.metrics, &finished);
        match recorded {
            Ok(_) => frame,
            Err(why) => Frame::Refused(why.into(), self.facts.call),
        }
    }

    fn record(&self, status: Status) -> journal::Outcome<'_> {
        journal::Outcome {
            call: self.facts.call,
            intent: self.facts.intent,
            status,
            latency: self.started.elapsed(),
            tally: &self.tally,
            ruleset: self.rules.inspector.ruleset_digest(),
            capture_bytes: self.rules.capture_bytes,
        }
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if self.due {
            self.gateway.log.append_detached(journal::outcome(&self.record(Status::Cancelled)));
        }
    }
}

fn status_of(why: &upstream::Error) -> Status {
    match why {
        upstream::Error::Timeout => Status::Timeout,
        _ => Status::UpstreamError,
    }
}

#[derive(Debug)]
struct Open {
    answer: Answer,
    deadline: Instant,
    server: String,
    owed: Owed,
}

#[derive(Debug)]
enum Source {
    Ready(Option<Frame>),
    Backend(Box<Open>),
    Done,
}

/// The frames of one answer. Dropping it before the last frame cancels the call and records that.
#[derive(Debug)]
pub struct Reply {
    edition: Edition,
    source: Source,
}

impl Reply {
    /// An answer without content, for `ping`.
    pub(super) fn empty(edition: Edition) -> Self {
        Self { edition, source: Source::Done }
    }

    /// The revision that the agent speaks.
    pub fn edition(&self) -> Edition {
        self.edition
    }

    /// The next frame; `None` after the last.
    pub async fn next(&mut self) -> Option<Frame> {
        let open = match &mut self.source {
            Source::Ready(frame) => return frame.take(),
            Source::Done => return None,
            Source::Backend(open) => open,
        };
        loop {
            let inbound = timeout_at(open.deadline, open.answer.next()).await;
            open.owed.answered = Some(Instant::now());
            let step = match inbound.unwrap_or(Err(upstream::Error::Timeout)) {
                Ok(Inbound::Notification { method, params }) => match open.notification(&method, params) {
                    Some(frame) => return Some(frame),
                    None => continue,
                },
                Ok(Inbound::Result(raw)) => open.result(raw),
                Ok(Inbound::Error(raw)) => open.error(raw),
                Err(why) => (status_of(&why), Frame::Refused(why.into(), open.owed.facts.call)),
            };
            let frame = open.owed.seal(step.0, step.1).await;
            self.source = Source::Done;
            return Some(frame);
        }
    }
}

impl Open {
    fn filter(&mut self, raw: String, exempt: &[&str]) -> Result<Filtered<String>, Refusal> {
        let subject = Subject { call: self.owed.facts.call, direction: Direction::Response, exempt };
        self.owed.tally.bytes += raw.len() as u64;
        let filtered = self
            .owed
            .rules
            .inspector
            .filter(raw, &subject)
            .map_err(|blocked| Refusal::Blocked(blocked.to_string()))?;
        self.owed.tally.frames += 1;
        self.owed.tally.findings.extend_from_slice(filtered.findings());
        Ok(filtered)
    }

    /// A notification that the agent asked for; all others end here.
    fn notification(&mut self, method: &str, params: String) -> Option<Frame> {
        let (method, params) = match method {
            "notifications/progress" => {
                let token = self.owed.facts.progress_token.clone()?;
                ("notifications/progress", Edit::of(&params)?.set("progressToken", token).finish())
            }
            "notifications/message" => {
                let wanted = match (self.owed.facts.log_level, self.owed.facts.edition.era()) {
                    (Some(level), _) => level,
                    // The stateless revision has no default: what was not asked for is not sent.
                    (None, crate::mcp::Era::Modern) => return None,
                    (None, crate::mcp::Era::Legacy) => LogLevel::Debug,
                };
                let level = Object::parse(&params)?.str("level").as_deref().and_then(LogLevel::parse)?;
                if level < wanted {
                    return None;
                }
                ("notifications/message", params)
            }
            _ => return None,
        };
        let params = self.filter(params, &["/progressToken"]).ok()?;
        Some(Frame::Notification { method, params })
    }

    fn result(&mut self, raw: String) -> (Status, Frame) {
        match self.judged_result(raw) {
            Ok((status, filtered)) => (status, Frame::Result(Arc::new(filtered))),
            Err(refusal) => {
                let status = match refusal {
                    Refusal::Blocked(_) | Refusal::Denied | Refusal::TooLarge(_) => Status::Blocked,
                    _ => Status::UpstreamError,
                };
                (status, Frame::Refused(refusal, self.owed.facts.call))
            }
        }
    }

    fn judged_result(&mut self, raw: String) -> Result<(Status, Filtered<String>), Refusal> {
        let facts = &self.owed.facts;
        let mut text = era::result(raw, facts.method, self.answer.edition(), facts.edition)?;
        if facts.front == Front::All
            && let std::borrow::Cow::Owned(shown) = expose_uris(facts.method, &self.server, &text)
        {
            text = shown;
        }
        let is_error = facts.method == Method::ToolsCall
            && Object::parse(&text).is_some_and(|r| r.get("isError") == Some("true"));
        let filtered = self.filter(text, &[])?;
        self.owed.release(&filtered, is_error)?;
        Ok((if is_error { Status::ToolError } else { Status::Ok }, filtered))
    }

    fn error(&mut self, raw: String) -> (Status, Frame) {
        let facts = &self.owed.facts;
        let filtered =
            era::error(raw, facts.method, facts.edition).and_then(|raw| self.filter(raw, &["/code"]));
        match filtered {
            Ok(error) => (Status::RpcError, Frame::Error(error)),
            Err(refusal) => (Status::UpstreamError, Frame::Refused(refusal, self.owed.facts.call)),
        }
    }
}
