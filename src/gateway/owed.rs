//! The outcome that a call owes to the log from before its intent is written.

use super::judge::{Cleared, Judgement, Parking, Ruling};
use super::listen::{self, Followed, Listening};
use super::reply::{Frame, Reply};
use super::running::{Running, Work};
use super::wanted::Owner;
use super::{Gateway, Refusal, Rules, Trace, journal, lists, watch};
use crate::audit::{Body, Role, Unrecorded};
use crate::identity::SharedCaller;
use crate::inspect::{Direction, Filtered, Finding, Subject};
use crate::mcp::{Abilities, Edition, Method};
use crate::policy::{Capture, Obligations, Returned};
use crate::route::{Front, Target, exposed_uri};
use crate::upstream::{self, ClearedCall, LogLevel};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument as _, Span};
use uuid::Uuid;

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
    /// Not finished: the agent was asked for input, and may come back with it.
    InputRequired,
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
            Self::InputRequired => "input_required",
        }
    }
}

/// What a running call has come to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub frames: u64,
    pub bytes: u64,
    pub findings: Vec<Finding>,
    /// Types of the signs in the result, for the second decision.
    pub signs: Vec<&'static str>,
    /// What was decided about the result.
    pub returned: Option<Returned>,
    /// Whether policy wants the result to be kept.
    pub keep_response: bool,
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
    pub(super) answered: Option<Instant>,
    pub(super) tally: Tally,
    due: bool,
    span: Span,
    backend: Span,
}

/// What the rest of a call's life needs to know of its beginning.
#[derive(Debug)]
pub(super) struct Facts {
    pub call: Uuid,
    pub front: Front,
    pub method: Method,
    pub edition: Edition,
    pub abilities: Abilities,
    pub progress_token: Option<String>,
    pub log_level: Option<LogLevel>,
    pub target: Option<Target>,
    pub server: String,
    /// The handle of the task that is followed.
    pub task: Option<String>,
    pub circumstances: crate::policy::Circumstances,
    /// What policy asked for when the call was judged: it holds for the result too.
    pub wanted: Option<Arc<Obligations>>,
    /// Whose facts the result belongs to.
    pub session: String,
    /// Whose values the result holds.
    pub owner: Owner,
    pub intent: Option<u64>,
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
            abilities: call.abilities.clone(),
            progress_token: call.progress_token.clone(),
            log_level: call.log_level,
            target: judgement.found.as_ref().map(|f| f.target.clone()),
            server: judgement.found.as_ref().map(|f| f.server.clone()).unwrap_or_default(),
            task: super::tasks::handle_of(call),
            circumstances: super::judge::circumstances(call),
            wanted: judgement.obligations().cloned(),
            session: super::facts::key(caller, call),
            owner: Owner::of(caller, call),
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
            Cleared::Own(call, _) if listen::listens(&call) => {
                self.due = false;
                let listening = Listening::begin(&self.gateway, &self.caller, &call).await;
                Reply::listening(call.edition, listening)
            }
            Cleared::Own(call, receipt) => {
                let frame = match lists::answer(&self.gateway.cursors, &self.rules, &self.caller, &call) {
                    Ok(result) => Frame::Result(result, self.gateway.log.evidence(&receipt)),
                    Err(refusal) => Frame::Refused(refusal, call.id),
                };
                self.due = false;
                let took = self.started.elapsed();
                self.gateway.metrics().record_call(call.method.as_str(), None, None, took.as_secs_f64());
                Reply::ready(call.edition, frame)
            }
            Cleared::Forward(call, _) if call.to().method == Method::Subscribe => self.subscribe(&call).await,
            Cleared::Forward(call, parking) => {
                // Not waited for: however silent the backend is, the agent must see that its call is under way.
                let edition = call.to().edition;
                Reply::opening(edition, Box::pin(self.forward(*call, parking)))
            }
        }
    }

    async fn forward(mut self, call: ClearedCall, parking: Option<Parking>) -> Reply {
        self.facts.intent = Some(call.intent());
        let edition = self.facts.edition;
        self.sent = Some(Instant::now());
        let upstream = self.rules.upstreams.get(&call.to().server).cloned();
        let limit = upstream.as_ref().map_or(Duration::ZERO, |u| u.target().call_timeout);
        let deadline = self.started + self.rules.call_timeout.min(limit);
        let begun = match (upstream, parking) {
            (None, _) => Err(upstream::Error::Down("it is not configured any more".into()).into()),
            (Some(upstream), None) => {
                timeout_at(deadline, upstream.send(&call).instrument(self.backend.clone()))
                    .await
                    .unwrap_or(Err(upstream::Error::Timeout))
                    .map(|answer| (answer, upstream))
                    .map_err(Refusal::from)
            }
            (Some(upstream), Some(parking)) => {
                self.unpark(&call, &parking).await.map(|answer| (answer, upstream))
            }
        };
        match begun {
            Ok((answer, upstream)) => {
                Reply::running(edition, Running::new(self, Work { call, upstream, answer, deadline }))
            }
            Err(refusal) => {
                let frame = Frame::Refused(refusal.clone(), self.facts.call);
                Reply::ready(edition, self.seal(status_of(&refusal), frame).await)
            }
        }
    }

    /// An agent of the session era follows a resource: by the one subscription that the backend has for it.
    async fn subscribe(mut self, call: &ClearedCall) -> Reply {
        self.facts.intent = Some(call.intent());
        self.sent = Some(Instant::now());
        let edition = self.facts.edition;
        match self.followed(call).await {
            Ok((result, followed)) => {
                let frame = self.seal(Status::Ok, Frame::Result(Arc::new(result), None)).await;
                Reply::following(edition, frame, Some(followed))
            }
            Err(refusal) => {
                let frame = Frame::Refused(refusal.clone(), self.facts.call);
                Reply::ready(edition, self.seal(status_of(&refusal), frame).await)
            }
        }
    }

    async fn followed(&self, call: &ClearedCall) -> Result<(Filtered<String>, Followed), Refusal> {
        let (server, Some(Target::Resource { uri: own, .. })) = (&self.facts.server, &self.facts.target)
        else {
            return Err(Refusal::Internal);
        };
        let source = self.rules.catalog.source(server);
        if !source.and_then(|s| s.listing.as_ref()).is_some_and(|l| l.subscriptions) {
            return Err(Refusal::InvalidParams("the server of `params.uri` has no subscriptions".into()));
        }
        let upstream = self.rules.upstreams.get(server);
        let upstream = upstream.ok_or(upstream::Error::Down("it is not configured any more".into()))?;
        let follower = upstream.follow_resource(own, call.permit()).await?;
        let shown = match &self.facts.front {
            Front::All => exposed_uri(server, own),
            Front::Server(_) => own.clone(),
        };
        let subject = Subject { call: self.facts.call, direction: Direction::Response, exempt: &[] };
        let result = self.rules.inspector.filter("{}".into(), &subject).map_err(|_| Refusal::Internal)?;
        Ok((result, Followed::new(shown, (server.clone(), own.clone()), follower)))
    }

    /// Brings the input that a parked call waits for.
    async fn unpark(&self, call: &ClearedCall, parking: &Parking) -> Result<upstream::Answer, Refusal> {
        let parked = self.gateway.parked.take(parking.id, &call.to().principal).ok_or(Refusal::BadState)?;
        parked.question.answer_from(call, &parking.key).await?;
        Ok(parked.answer)
    }

    /// Records the outcome, then hands out the last frame. If the record fails, so does the call.
    pub(super) async fn seal(&mut self, status: Status, frame: Frame) -> Frame {
        let answered = *self.answered.get_or_insert_with(Instant::now);
        watch::end(&self.backend, watch::error_type(status));
        self.backend = Span::none();
        let response = match &frame {
            Frame::Result(result, _) => Some(self.captured(result.value())),
            Frame::Error(error) => Some(self.captured(error.value())),
            _ => None,
        };
        let draft = journal::outcome(self.record(status, response));
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
        match (recorded, frame) {
            (Ok(receipt), Frame::Result(result, _)) => {
                Frame::Result(result, self.gateway.log.evidence(&receipt))
            }
            (Ok(_), frame) => frame,
            (Err(why), _) => Frame::Refused(why.into(), self.facts.call),
        }
    }

    /// What goes back, for its record: as policy says, else as the configuration does.
    fn captured(&self, text: &str) -> Body {
        let asked = self.facts.wanted.as_ref().and_then(|wanted| wanted.audit);
        let asked = asked.map(|level| level == Capture::RequestResponse);
        let keep = if self.tally.keep_response { Some(true) } else { asked };
        self.gateway.log.captured(Role::Response, (&self.caller.id, &self.facts.server), text, keep)
    }

    fn record(&self, status: Status, response: Option<Body>) -> journal::Outcome<'_> {
        journal::Outcome {
            call: self.facts.call,
            intent: self.facts.intent,
            status,
            latency: self.started.elapsed(),
            tally: &self.tally,
            ruleset: self.rules.inspector.ruleset_digest(),
            response,
        }
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if self.due {
            self.gateway.log.append_detached(journal::outcome(self.record(Status::Cancelled, None)));
        }
    }
}

/// The status of a call that ends with a refusal.
pub(super) fn status_of(refusal: &Refusal) -> Status {
    match refusal {
        Refusal::Upstream(upstream::Error::Timeout) => Status::Timeout,
        Refusal::Blocked(_) | Refusal::Uninspected(_) | Refusal::Denied | Refusal::TooLarge(_) => {
            Status::Blocked
        }
        Refusal::BadState => Status::RpcError,
        _ => Status::UpstreamError,
    }
}
