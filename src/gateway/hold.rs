//! A call that a person must approve, where its agent can open a URL: it is asked to take the call to somebody who may
//! (MCP, "URL Mode Elicitation"), and the call waits for the decision. What was decided is judged once more with all
//! else, so that a wait opens no way of its own.

use super::held::Held;
use super::journal::{self, About};
use super::judge::Judgement;
use super::reply::{Frame, Reply, Said};
use super::state::{self, Resume};
use super::{Call, Gateway, Refusal, Rules};
use crate::approval::{self, State};
use crate::audit::Role;
use crate::identity::SharedCaller;
use crate::inspect::{Direction, Filtered, Subject};
use crate::mcp::{Ask, Edit, Era, Object, quote};
use crate::route::Target;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};
use uuid::Uuid;

/// The key of the question in `inputRequests`.
pub(super) const KEY: &str = "approval";
/// Most times that a stateless agent is asked about one call.
const ROUNDS: usize = 10;
/// How often a waiting call shows that it waits.
const NOTICE: Duration = Duration::from_secs(5);
/// Most calls of one principal that wait.
const PER_PRINCIPAL: usize = 16;
/// Most calls that wait.
const MOST: usize = 1024;
/// Frames that are said before anybody takes them.
const FRAMES: usize = 4;

/// How agents are asked to take a call to somebody who may approve it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    /// The address of the administrative listener as approvers see it, without a slash at its end.
    pub url: String,
    /// Longest time that a call waits for a decision.
    pub wait: Duration,
}

/// Who waits: so many calls of each principal.
#[derive(Debug, Default)]
pub(super) struct Places(Arc<Mutex<HashMap<String, usize>>>);

/// One call's place; free again when it is dropped.
struct Place {
    places: Arc<Mutex<HashMap<String, usize>>>,
    principal: String,
}

impl Places {
    fn take(&self, principal: String) -> Option<Place> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.values().sum::<usize>() >= MOST {
            return None;
        }
        let own = taken.entry(principal.clone()).or_default();
        if *own >= PER_PRINCIPAL {
            return None;
        }
        *own += 1;
        drop(taken);
        Some(Place { places: self.0.clone(), principal })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.principal) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.principal);
            }
        }
    }
}

/// Whether a retry says that the agent has opened the URL.
pub(super) fn accepted(params: &str) -> bool {
    let given = Object::parse(params).and_then(|params| params.object("inputResponses"));
    given.and_then(|given| given.get(KEY).map(accepts)).unwrap_or(false)
}

fn accepts(answer: &str) -> bool {
    Object::parse(answer).is_some_and(|answer| answer.str("action").as_deref() == Some("accept"))
}

/// How a wait ended, as its record says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Approved,
    Rejected,
    /// Its time is over, or the same call has used the approval elsewhere.
    Expired,
    /// Nobody has decided so far.
    Undecided,
    /// The agent did not take the question to anybody.
    Declined,
    /// The agent did not answer.
    Unanswered,
    /// The store cannot be read.
    Unavailable,
    /// The agent is gone.
    Cancelled,
}

impl Ended {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Undecided => "undecided",
            Self::Declined => "declined",
            Self::Unanswered => "unanswered",
            Self::Unavailable => "unavailable",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A refused call that may still go on.
pub(super) struct Hold {
    gateway: Arc<Gateway>,
    rules: Arc<Rules>,
    caller: SharedCaller,
    call: Call,
    server: String,
    /// What it is about, as a person reads it.
    what: String,
    reference: Uuid,
    asking: Asking,
    /// How often a stateless agent has been asked; it has accepted the last time.
    rounds: usize,
    /// Where the call waits in the approver's time; absent for a question that nobody waits for.
    place: Option<Place>,
    since: Instant,
    /// The end of the wait is owed to the log.
    due: bool,
}

impl Hold {
    /// A hold, if this is a call that waits for approval and whose agent can be asked.
    pub(super) fn of(
        gateway: &Arc<Gateway>,
        rules: &Arc<Rules>,
        caller: &SharedCaller,
        judgement: &Judgement,
    ) -> Option<Self> {
        let Err(Refusal::ApprovalRequired(reference)) = &judgement.ruling else { return None };
        let (duties, call) = (&gateway.duties, &judgement.call);
        let asking = duties.asking().filter(|_| call.abilities.url && call.method.may_need_input())?;
        let rounds = match &judgement.resume {
            None | Some(Resume::Again) => 0,
            Some(Resume::Approval { rounds, .. }) => *rounds,
            // What a backend has begun goes on with its own state: it cannot carry ours beside it.
            Some(Resume::Relay { .. } | Resume::Parked { .. }) => return None,
        };
        let found = judgement.found.as_ref()?;
        let what = match &found.target {
            Target::Tool(name) => format!("the tool {name}"),
            Target::Prompt(name) => format!("the prompt {name}"),
            Target::Resource { uri, .. } => format!("reading {uri}"),
            Target::Extension { .. } => return None,
        };
        let waits = rounds > 0 || call.edition.era() == Era::Legacy;
        let place = if waits { Some(duties.places().take(state::principal(caller))?) } else { None };
        Some(Self {
            gateway: gateway.clone(),
            rules: rules.clone(),
            caller: caller.clone(),
            call: call.clone(),
            server: found.server.clone(),
            what,
            reference: *reference,
            asking: asking.clone(),
            rounds,
            place,
            since: Instant::now(),
            due: false,
        })
    }

    /// Asks, and waits.
    pub(super) fn begin(mut self) -> Reply {
        let edition = self.call.edition;
        self.due = self.place.is_some();
        let (sender, frames) = mpsc::channel(FRAMES);
        let wait = async move {
            match self.go(&sender).await {
                Ok(reply) => reply,
                Err(refusal) => Reply::ready(edition, Frame::Refused(refusal, self.call.id)),
            }
        };
        Reply::held(edition, Held::new(Box::pin(wait), frames))
    }

    async fn go(&mut self, frames: &mpsc::Sender<Frame>) -> Result<Reply, Refusal> {
        let elicitation = match (self.call.edition.era(), self.rounds) {
            (Era::Modern, 0) => return self.input_required().await,
            (Era::Modern, _) => None,
            (Era::Legacy, _) => {
                let elicitation = Uuid::new_v4();
                if let Err(ended) = self.ask(elicitation, frames).await? {
                    self.record(ended, None).await?;
                    return Err(self.refusal(ended));
                }
                Some(elicitation)
            }
        };
        let ended = self.decision(frames).await;
        let next = (ended == Ended::Approved).then(|| self.gateway.call_id());
        self.record(ended, next).await?;
        if let (Some(elicitation), Ended::Approved | Ended::Rejected) = (elicitation, ended) {
            let params = format!("{{\"elicitationId\":\"{elicitation}\"}}");
            self.say(frames, "notifications/elicitation/complete", params, "/elicitationId").await?;
        }
        match next {
            Some(next) => Ok(self.again(next).await),
            None if ended == Ended::Undecided && self.asks_again() => self.input_required().await,
            None => Err(self.refusal(ended)),
        }
    }

    fn asks_again(&self) -> bool {
        let stopping = self.gateway.closing().is_cancelled();
        self.call.edition.era() == Era::Modern && self.rounds < ROUNDS && !stopping
    }

    fn refusal(&self, ended: Ended) -> Refusal {
        match ended {
            Ended::Rejected => Refusal::ApprovalRejected(self.reference),
            Ended::Expired => Refusal::ApprovalExpired(self.reference),
            Ended::Declined => Refusal::ApprovalDeclined(self.reference),
            Ended::Unavailable => Refusal::Unhonoured("approval"),
            Ended::Approved | Ended::Undecided | Ended::Unanswered | Ended::Cancelled => {
                Refusal::ApprovalRequired(self.reference)
            }
        }
    }

    /// The parameters of the question. The elicitation's id is a word of the session era.
    fn question(&self, elicitation: Option<Uuid>) -> String {
        let url = quote(&format!("{}/approvals/{}", self.asking.url, self.reference));
        let message = quote(&format!(
            "Somebody else must approve this call first: {} on the server {}. Give them this page; it shows what is \
             asked for. You cannot approve it yourself.",
            self.what, self.server
        ));
        let id = elicitation.map(|id| format!("\"elicitationId\":\"{id}\",")).unwrap_or_default();
        format!("{{\"mode\":\"url\",{id}\"url\":{url},\"message\":{message}}}")
    }

    fn filter(&self, text: String, exempt: &[&str]) -> Result<Filtered<String>, Refusal> {
        let subject = Subject { call: self.call.id, direction: Direction::Response, exempt };
        let filtered = self.rules.inspector.filter(text, &subject);
        filtered.map_err(Refusal::from)
    }

    fn about(&self) -> About<'_> {
        About { call: self.call.id, server: &self.server, ask: Ask::Elicit }
    }

    /// Records the question: durable before anybody hears it.
    async fn recorded(&self, params: &Filtered<String>) -> Result<(), Refusal> {
        let whose = (self.caller.id.as_str(), self.server.as_str());
        let said = self.gateway.log.captured(Role::Request, whose, params.value(), None);
        let draft = journal::approval_question(&self.rules, &self.about(), self.reference, params);
        self.gateway.log.append(draft.payload(Some(said))).await?;
        Ok(())
    }

    /// Asks an agent of the session era, on the stream of its own request.
    async fn ask(&self, id: Uuid, frames: &mpsc::Sender<Frame>) -> Result<Result<(), Ended>, Refusal> {
        let held = match self.look().await {
            Ok(held) => held,
            Err(ended) => return Ok(Err(ended)),
        };
        let params = self.filter(self.question(Some(id)), &["/elicitationId", "/url"])?;
        self.recorded(&params).await?;
        let (answer, said) = oneshot::channel();
        let question = Frame::Question { ask: Ask::Elicit, params, answer };
        frames.send(question).await.map_err(|_| Refusal::Internal)?;
        let until = Instant::now() + self.rules.question_timeout.min(self.left(&held));
        let said = tokio::select! {
            said = timeout_at(until, said) => said,
            () = self.gateway.closing().cancelled() => return Ok(Err(Ended::Unanswered)),
        };
        let Ok(Ok(said)) = said else { return Ok(Err(Ended::Unanswered)) };
        let (draft, accepted) = match said {
            Said::Result(raw) => {
                let subject = Subject { call: self.call.id, direction: Direction::Request, exempt: &[] };
                let accepted = accepts(&raw);
                let filtered = self.rules.filter(raw, &subject).await;
                let filtered = filtered.map_err(Refusal::from)?;
                let whose = (self.caller.id.as_str(), self.server.as_str());
                let said = self.gateway.log.captured(Role::Response, whose, filtered.value(), None);
                (journal::reply(&self.rules, &self.about(), &filtered).payload(Some(said)), accepted)
            }
            Said::Error(raw) => {
                let code = Object::parse(&raw).and_then(|e| e.get("code").and_then(|c| c.parse().ok()));
                (journal::reply_error(&self.about(), code.unwrap_or(-1)), false)
            }
        };
        self.gateway.log.append(draft).await?;
        Ok(if accepted { Ok(()) } else { Err(Ended::Declined) })
    }

    /// The result that asks a stateless agent: it comes back when the URL was opened.
    async fn input_required(&self) -> Result<Reply, Refusal> {
        let params = self.filter(self.question(None), &["/url"])?;
        self.recorded(&params).await?;
        let now = self.gateway.clock.now_us();
        let life = i64::try_from(self.rules.question_timeout.as_micros()).unwrap_or(i64::MAX / 2);
        let resume = Resume::Approval { reference: self.reference, rounds: self.rounds + 1 };
        let sealed = state::seal(
            &self.gateway.seals,
            &self.caller,
            (self.call.method.as_str(), &self.call.params),
            (&self.server, resume),
            (now, now.saturating_add(life)),
        );
        let sealed = sealed.ok_or(Refusal::Internal)?;
        let (params, ask) = (params.value(), Ask::Elicit.as_str());
        let text = format!(
            "{{\"resultType\":\"input_required\",\"inputRequests\":{{\"{KEY}\":{{\"method\":\"{ask}\",\
             \"params\":{params}}}}},\"requestState\":{sealed}}}"
        );
        let result = self.filter(text, &["/requestState", "/inputRequests/approval/params/url"])?;
        Ok(Reply::ready(self.call.edition, Frame::Result(Arc::new(result), None)))
    }

    /// How the approval stands. Blocks no async thread.
    async fn look(&self) -> Result<approval::Held, Ended> {
        let (approvals, reference) = (self.gateway.duties.approvals().clone(), self.reference.to_string());
        let looked = tokio::task::spawn_blocking(move || approvals.show(&reference)).await;
        match looked {
            Ok(Ok(held)) => Ok(held),
            Ok(Err(error)) => {
                tracing::error!("an approval cannot be looked up: {error}");
                Err(Ended::Unavailable)
            }
            Err(_) => Err(Ended::Unavailable),
        }
    }

    /// What is left of the approval's own time.
    fn left(&self, held: &approval::Held) -> Duration {
        let left = held.expires_us.saturating_sub(self.gateway.clock.now_us());
        Duration::from_micros(u64::try_from(left).unwrap_or(0))
    }

    /// Waits for the decision, and shows that it waits to whoever wants to know.
    async fn decision(&self, frames: &mpsc::Sender<Frame>) -> Ended {
        // Before the first look: what is decided after it is told.
        let mut told = self.gateway.duties.approvals().told();
        let limit = Instant::now() + self.asking.wait.min(self.rules.call_timeout);
        let mut notice = Instant::now();
        loop {
            told.borrow_and_update();
            let held = match self.look().await {
                Ok(held) => held,
                Err(ended) => return ended,
            };
            match held.state {
                State::Approved => return Ended::Approved,
                State::Rejected => return Ended::Rejected,
                State::Used | State::Expired => return Ended::Expired,
                State::Pending => {}
            }
            let now = Instant::now();
            if now >= limit || self.gateway.closing().is_cancelled() {
                return Ended::Undecided;
            }
            let until = limit.min(now + self.left(&held));
            loop {
                if Instant::now() >= notice {
                    self.progress(frames, limit).await;
                    notice = Instant::now() + NOTICE;
                }
                tokio::select! {
                    changed = told.changed() => {
                        if changed.is_err() {
                            return Ended::Unavailable;
                        }
                        break;
                    }
                    () = self.gateway.closing().cancelled() => break,
                    () = sleep_until(until) => break,
                    () = sleep_until(notice) => {}
                }
            }
        }
    }

    /// One sign of life: the seconds that are left, below zero, since the backend's own progress begins at zero and the
    /// values of one token may only grow.
    async fn progress(&self, frames: &mpsc::Sender<Frame>, limit: Instant) {
        let Some(token) = &self.call.progress_token else { return };
        let left = limit.saturating_duration_since(Instant::now()).as_secs().saturating_add(1);
        let params = format!(
            "{{\"progressToken\":{token},\"progress\":-{left},\"message\":\"waiting for somebody to approve the call\"}}"
        );
        // What cannot be said is no reason to stop waiting.
        let _ = self.say(frames, "notifications/progress", params, "/progressToken").await;
    }

    async fn say(
        &self,
        frames: &mpsc::Sender<Frame>,
        method: &'static str,
        params: String,
        exempt: &str,
    ) -> Result<(), Refusal> {
        let params = self.filter(params, &[exempt])?;
        let frame = Frame::Notification { method, params };
        frames.send(frame).await.map_err(|_| Refusal::Internal)
    }

    /// Records how the wait ended. What cannot be recorded does not go on.
    async fn record(&mut self, ended: Ended, next: Option<Uuid>) -> Result<(), Refusal> {
        let draft = self.end(ended, next);
        // From here on the record is in the queue, whether or not anyone waits for it.
        self.due = false;
        self.place = None;
        self.gateway.log.append(draft).await?;
        Ok(())
    }

    fn end(&self, ended: Ended, next: Option<Uuid>) -> crate::audit::Draft {
        let waited = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX >> 11);
        journal::waited(&self.about(), (self.reference, next), ended, waited)
    }

    /// The call is judged again as a call of now, and uses the approval.
    async fn again(&self, id: Uuid) -> Reply {
        let params = Edit::of(&self.call.params).map(|edit| {
            // Its own state has done its work.
            edit.remove("requestState").remove("inputResponses").finish()
        });
        let edition = self.call.edition;
        let Some(params) = params else {
            return Reply::ready(edition, Frame::Refused(Refusal::Internal, id));
        };
        let call = Call { id, params, ..self.call.clone() };
        match Box::pin(self.gateway.serve_again(&self.caller, call, Some(self.reference))).await {
            Ok(reply) => reply,
            Err(refusal) => Reply::ready(edition, Frame::Refused(refusal, id)),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.due {
            self.gateway.log.append_detached(self.end(Ended::Cancelled, None));
        }
    }
}
