//! A call at its backend: frames come, questions go back and forth, until one frame is the last.

use super::owed::{Owed, Status, status_of};
use super::questions::{Heard, Judged};
use super::reply::{Frame, Said};
use super::rounds::Round;
use super::wanted::{at_least, milder};
use super::{Refusal, era, tasks};
use crate::inspect::{Direction, Filtered, Manner, Operator, Route, Subject, Told};
use crate::mcp::{Ask, Edit, Edition, Era, Method, Object};
use crate::route::{Front, Target, expose_uris};
use crate::upstream::{self, Answer, ClearedCall, Inbound, LogLevel, Question, Upstream};
use futures_util::future::select_all;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

/// What a call at a backend consists of.
#[derive(Debug)]
pub(super) struct Work {
    pub call: ClearedCall,
    pub upstream: Arc<Upstream>,
    pub answer: Answer,
    pub deadline: Instant,
}

/// What happened next.
pub(super) enum Step {
    /// Nothing that the agent sees.
    On,
    /// A frame with more to follow.
    Frame(Frame),
    /// The last frame, and how the call ended.
    Last(Status, Frame),
    /// The last frame for now: the call waits at the backend with its question, under this id.
    Park(Status, Frame, Question, Uuid),
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) owed: Owed,
    pub(super) call: ClearedCall,
    pub(super) upstream: Arc<Upstream>,
    /// What the backend is saying; absent between two rounds.
    pub(super) answer: Option<Answer>,
    /// The revision that the backend speaks.
    pub(super) edition: Edition,
    pub(super) deadline: Instant,
    /// Frames that are ready.
    pub(super) queue: VecDeque<Frame>,
    /// Questions that the agent has not answered yet.
    pub(super) asked: Vec<Outstanding>,
    /// Since when the agent is waited for: that time does not count against the backend.
    waiting: Option<Instant>,
    pub(super) round: Option<Round>,
    pub(super) rounds: usize,
}

/// A question on its way to the agent and back.
#[derive(Debug)]
pub(super) struct Outstanding {
    pub ask: Ask,
    pub whom: For,
    pub answer: oneshot::Receiver<Said>,
}

/// Where its answer goes.
#[derive(Debug)]
pub(super) enum For {
    /// To the session-era backend that asked.
    Backend(Question),
    /// Into the next round, under this key.
    Round(String),
}

enum Event {
    Said(usize, Option<Said>),
    Inbound(Result<Inbound, upstream::Error>),
    Late,
}

impl Running {
    pub(super) fn new(owed: Owed, work: Work) -> Self {
        let Work { call, upstream, answer, deadline } = work;
        Self {
            owed,
            call,
            upstream,
            edition: answer.edition(),
            answer: Some(answer),
            deadline,
            queue: VecDeque::new(),
            asked: Vec::new(),
            waiting: None,
            round: None,
            rounds: 0,
        }
    }

    /// Goes on until something happens. It is waited for to its end, or dropped with the call: what it has taken in is
    /// not handed out twice.
    pub(super) async fn step(&mut self) -> Step {
        if let Some(frame) = self.queue.pop_front() {
            return Step::Frame(frame);
        }
        if self.asked.is_empty()
            && let Some(round) = self.round.take()
        {
            return self.next_round(round).await;
        }
        let until = self.waiting.map_or(self.deadline, |since| since + self.owed.rules.question_timeout);
        let event = tokio::select! {
            biased;
            (index, said) = first_said(&mut self.asked) => Event::Said(index, said),
            inbound = next(&mut self.answer) => Event::Inbound(inbound),
            () = sleep_until(until) => Event::Late,
        };
        match event {
            Event::Said(index, said) => self.heard(index, said).await,
            Event::Inbound(inbound) => {
                self.owed.answered = Some(Instant::now());
                self.inbound(inbound).await
            }
            Event::Late if !self.asked.is_empty() => self.unanswered().await,
            Event::Late => self.last(upstream::Error::Timeout.into()),
        }
    }

    /// The call waits at the backend from now on; it comes back with a retry, or lapses.
    pub(super) fn park(self, id: Uuid, question: Question) {
        let Self { owed, call, answer, .. } = self;
        let Some(answer) = answer else { return };
        let parked = super::parked::Parked {
            question,
            answer,
            server: owed.facts.server.clone(),
            principal: call.to().principal.clone(),
            call: owed.facts.call,
            until: Instant::now() + owed.rules.question_timeout,
        };
        owed.gateway.parked.put(id, parked);
    }

    pub(super) fn last(&self, refusal: Refusal) -> Step {
        Step::Last(status_of(&refusal), Frame::Refused(refusal, self.owed.facts.call))
    }

    async fn inbound(&mut self, inbound: Result<Inbound, upstream::Error>) -> Step {
        match inbound {
            Ok(Inbound::Notification { method, params }) => match self.notification(&method, params).await {
                Some(frame) => Step::Frame(frame),
                None => Step::On,
            },
            Ok(Inbound::Question(question)) => self.question(question).await,
            Ok(Inbound::Result(raw)) if era::asks_for_input(&raw) => self.input_required(&raw).await,
            Ok(Inbound::Result(raw)) => self.result(raw).await,
            Ok(Inbound::Error(raw)) => self.error(raw).await,
            Err(why) => self.last(why.into()),
        }
    }

    /// A question of a session-era backend.
    async fn question(&mut self, question: Question) -> Step {
        let params = match self.owed.question(question.ask(), question.params()).await {
            Ok(Judged::Put(params)) => params,
            Ok(Judged::Kept(_)) => {
                return match question.decline().await {
                    Ok(()) => Step::On,
                    Err(why) => self.last(why.into()),
                };
            }
            Err(refusal) => return self.last(refusal),
        };
        match self.owed.facts.edition.era() {
            Era::Legacy => {
                self.put(question.ask(), params, For::Backend(question));
                Step::On
            }
            Era::Modern => self.parking(question, params).await,
        }
    }

    /// Puts a question to an agent of the session era, on the stream of its own request.
    pub(super) fn put(&mut self, ask: Ask, params: Filtered<String>, whom: For) {
        let (answer, receiver) = oneshot::channel();
        self.queue.push_back(Frame::Question { ask, params, answer });
        self.asked.push(Outstanding { ask, whom, answer: receiver });
        self.waiting.get_or_insert_with(Instant::now);
    }

    async fn heard(&mut self, index: usize, said: Option<Said>) -> Step {
        let Outstanding { ask, whom, .. } = self.asked.swap_remove(index);
        self.waited();
        // Nobody is there any more: for the backend that is a refusal.
        let said = said.unwrap_or_else(|| Said::Error("{\"code\":-1}".into()));
        let heard = match self.owed.heard(ask, said).await {
            Ok(heard) => heard,
            Err(refusal) => return self.last(refusal),
        };
        let told = match (whom, heard) {
            (For::Backend(question), Heard::Result(result, receipt)) => {
                question.answer(&result, &receipt).await.map_err(Refusal::from)
            }
            (For::Backend(question), Heard::Error(code, _)) => {
                question.fail(code, "the client answered with an error").await.map_err(Refusal::from)
            }
            (For::Round(key), Heard::Result(result, receipt)) => {
                self.answered(key, result.into_value(), receipt);
                Ok(())
            }
            (For::Round(key), Heard::Error(_, receipt)) => self.cancelled(key, ask, receipt),
        };
        told.map_or_else(|refusal| self.last(refusal), |()| Step::On)
    }

    /// The agent took too long over all that it was asked.
    async fn unanswered(&mut self) -> Step {
        for Outstanding { ask, whom, .. } in std::mem::take(&mut self.asked) {
            let told = match (self.owed.keep(ask, "timeout", None).await, whom) {
                (Err(refusal), _) => Err(refusal),
                (Ok(_), For::Backend(question)) => question.decline().await.map_err(Refusal::from),
                (Ok(Judged::Kept(receipt)), For::Round(key)) => self.cancelled(key, ask, receipt),
                (Ok(Judged::Put(_)), For::Round(_)) => Err(Refusal::Internal),
            };
            if let Err(refusal) = told {
                return self.last(refusal);
            }
        }
        self.waited();
        Step::On
    }

    /// The backend's clock goes on once nobody is waited for.
    fn waited(&mut self) {
        if self.asked.is_empty()
            && let Some(since) = self.waiting.take()
        {
            self.deadline += since.elapsed();
        }
    }

    pub(super) async fn filter(&mut self, raw: String, exempt: &[&str]) -> Result<Filtered<String>, Refusal> {
        let raw = self.owed.cleaned(raw)?;
        let told = self.told(&raw, exempt).await;
        self.inspected(raw, exempt, (&[], false), &told)
    }

    /// What a recogniser says of what goes to the agent.
    async fn told(&self, raw: &str, exempt: &[&str]) -> Told {
        let subject = Subject { call: self.owed.facts.call, direction: Direction::Response, exempt };
        self.owed.rules.told(raw, &subject).await
    }

    /// The last frame: filtered, judged again, and filtered once more where policy then wants a stricter operator.
    async fn released(
        &mut self,
        raw: String,
        exempt: &[&str],
        is_error: bool,
    ) -> Result<Filtered<String>, Refusal> {
        let raw = self.owed.cleaned(raw)?;
        let told = self.told(&raw, exempt).await;
        let before = self.owed.tally.findings.len();
        let mut filtered = self.inspected(raw.clone(), exempt, (&[], true), &told)?;
        let more = self.owed.may_return(&filtered, is_error)?;
        let wanted = at_least(more.as_deref());
        if milder(filtered.findings(), &wanted) {
            self.owed.tally.findings.truncate(before);
            self.owed.tally.frames -= 1;
            self.owed.tally.bytes -= raw.len() as u64;
            filtered = self.inspected(raw, exempt, (&wanted, true), &told)?;
        }
        self.owed.honour(more.as_deref(), &filtered)?;
        Ok(filtered)
    }

    /// Inspects what has been cleaned: as the settings say, as the call's policies want, and `more`. With `tokens`, what they
    /// stand for is kept before the frame goes out.
    fn inspected(
        &mut self,
        raw: String,
        exempt: &[&str],
        (more, tokens): (&[(&str, Operator)], bool),
        told: &Told,
    ) -> Result<Filtered<String>, Refusal> {
        let subject = Subject { call: self.owed.facts.call, direction: Direction::Response, exempt };
        self.owed.tally.bytes += raw.len() as u64;
        let (facts, catalog) = (&self.owed.facts, &self.owed.rules.catalog);
        let entry = match &facts.target {
            Some(Target::Tool(name)) => catalog.tools.get(name),
            Some(Target::Prompt(name)) => catalog.prompts.get(name),
            Some(Target::Resource { .. } | Target::Extension { .. }) | None => None,
        };
        let route = Route {
            server: Some(&facts.server),
            tool: entry.map(|entry| entry.own.as_str()),
            principal: Some(&self.owed.caller.id),
        };
        let mut at_least = at_least(facts.wanted.as_deref());
        at_least.extend(more);
        let tokens = tokens && self.owed.rules.vaulted.is_some();
        let manner =
            Manner { route, whose: facts.owner.whose(), at_least: &at_least, tokens, told: Some(told) };
        let filtered = self.owed.rules.inspector.filter_as(raw, &subject, &manner).map_err(Refusal::from)?;
        self.owed.tally.frames += 1;
        self.owed.tally.findings.extend_from_slice(filtered.findings());
        Ok(filtered)
    }

    /// A notification that the agent asked for; all others end here.
    async fn notification(&mut self, method: &str, params: String) -> Option<Frame> {
        let facts = &self.owed.facts;
        let (method, params) = match method {
            "notifications/progress" => {
                let token = facts.progress_token.clone()?;
                ("notifications/progress", Edit::of(&params)?.set("progressToken", token).finish())
            }
            "notifications/message" => {
                let wanted = match (facts.log_level, facts.edition.era()) {
                    (Some(level), _) => level,
                    // The stateless revision has no default: what was not asked for is not sent.
                    (None, Era::Modern) => return None,
                    (None, Era::Legacy) => LogLevel::Debug,
                };
                let level = Object::parse(&params)?.str("level").as_deref().and_then(LogLevel::parse)?;
                if level < wanted {
                    return None;
                }
                ("notifications/message", params)
            }
            "notifications/elicitation/complete"
                if facts.abilities.url && facts.edition.era() == Era::Legacy =>
            {
                ("notifications/elicitation/complete", params)
            }
            _ => return None,
        };
        let params = self.filter(params, &["/progressToken", "/elicitationId"]).await.ok()?;
        Some(Frame::Notification { method, params })
    }

    async fn result(&mut self, raw: String) -> Step {
        let judged = match self.questions_of_task(&raw).await {
            Ok(()) => self.judged_result(raw).await,
            Err(refusal) => Err(refusal),
        };
        let kept = match judged {
            Ok((status, filtered)) => self.owed.kept(&filtered).await.map(|()| (status, filtered)),
            Err(refusal) => Err(refusal),
        };
        match kept {
            Ok((status, filtered)) => Step::Last(status, Frame::Result(Arc::new(filtered), None)),
            Err(refusal) => self.last(refusal),
        }
    }

    async fn judged_result(&mut self, raw: String) -> Result<(Status, Filtered<String>), Refusal> {
        let (raw, handle) = self.with_handle(raw)?;
        let facts = &self.owed.facts;
        let mut text = era::result(raw, facts.method, self.edition, facts.edition)?;
        if facts.front == Front::All
            && let std::borrow::Cow::Owned(shown) = expose_uris(facts.method, &facts.server, &text)
        {
            text = shown;
        }
        let is_error = facts.method == Method::ToolsCall
            && Object::parse(&text).is_some_and(|r| r.get("isError") == Some("true"));
        self.owed.tally.signs.clear();
        if !is_error {
            self.owed.structured(&text)?;
        }
        let filtered = self.released(text, if handle { &["/taskId"] } else { &[] }, is_error).await?;
        Ok((if is_error { Status::ToolError } else { Status::Ok }, filtered))
    }

    /// The result with its task's id as the agent may know it, and whether there is one.
    fn with_handle(&self, raw: String) -> Result<(String, bool), Refusal> {
        let facts = &self.owed.facts;
        if let Some(handle) = &facts.task {
            return Ok((tasks::expose(raw, handle), true));
        }
        if facts.method != Method::ToolsCall || !era::is_task(&raw) {
            return Ok((raw, false));
        }
        if !facts.abilities.tasks {
            return Err(upstream::Error::Garbage("a task that nobody asked for".into()).into());
        }
        let own = Object::parse(&raw).and_then(|o| o.str("taskId").map(std::borrow::Cow::into_owned));
        let (Some(own), Some(Target::Tool(tool))) = (own, &facts.target) else {
            return Err(upstream::Error::Garbage("a task without an id".into()).into());
        };
        let now = self.owed.gateway.clock().now_us();
        let parts = (facts.server.as_str(), tool.as_str(), own.as_str());
        let handle = tasks::seal(&self.owed.gateway.seals, &self.owed.caller, parts, now);
        Ok((tasks::expose(raw, &handle.ok_or(Refusal::Internal)?), true))
    }

    async fn error(&mut self, raw: String) -> Step {
        let facts = &self.owed.facts;
        if facts.edition.era() == Era::Modern && era::is_url_required(&raw) {
            return self.url_required(&raw).await;
        }
        // An error is a result like any other: policy may keep it back too.
        let judged = match era::error(raw, facts.method, facts.edition) {
            Ok(raw) => self.released(raw, &["/code"], true).await,
            Err(refusal) => Err(refusal),
        };
        let kept = match judged {
            Ok(error) => self.owed.kept(&error).await.map(|()| error),
            Err(refusal) => Err(refusal),
        };
        match kept {
            Ok(error) => Step::Last(Status::RpcError, Frame::Error(error)),
            Err(refusal) => self.last(refusal),
        }
    }
}

/// The first answer of the agent; never, if nothing was asked.
async fn first_said(asked: &mut [Outstanding]) -> (usize, Option<Said>) {
    if asked.is_empty() {
        return std::future::pending().await;
    }
    let (said, index, _) = select_all(asked.iter_mut().map(|a| &mut a.answer)).await;
    (index, said.ok())
}

async fn next(answer: &mut Option<Answer>) -> Result<Inbound, upstream::Error> {
    match answer {
        Some(answer) => answer.next().await,
        None => std::future::pending().await,
    }
}
