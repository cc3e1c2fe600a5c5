//! Requests for input (MCP 2026-07-28, "Multi Round-Trip Requests"): relayed to stateless agents with the state sealed,
//! answered within the request for agents of the session era, and declined for the agent where policy says so.

use super::owed::Status;
use super::questions::Judged;
use super::reply::Frame;
use super::running::{For, Running, Step};
use super::state::{self, Resume};
use super::{Refusal, era};
use crate::audit::Receipt;
use crate::inspect::{Direction, Filtered, Subject};
use crate::mcp::{Ask, Era, Object, array_items, quote, string_value};
use crate::upstream::{self, Question, declined};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout_at};
use uuid::Uuid;

/// Most rounds that one request is carried through.
const ROUNDS: usize = 10;
/// Most questions at once.
const QUESTIONS: usize = 16;
/// The key of the input that a parked call waits for.
const KEY: &str = "input";
/// How long a backend that asked for nothing but a retry is left alone, times the round.
const PAUSE: Duration = Duration::from_millis(100);

/// The answers to one request for input, as they come.
#[derive(Debug)]
pub(super) struct Round {
    /// The backend's own state, raw.
    state: Option<String>,
    /// Raw answers by key.
    answers: Vec<(String, String)>,
    /// The record of the last of them.
    receipt: Option<Receipt>,
}

/// What a request for input wants: the backend's state, raw, and its questions.
type Wanted = (Option<String>, Vec<(String, Ask, String)>);
/// What is put to the agent, what is answered for it, and the record of the last of the latter.
type Sorted = (Vec<Put>, BTreeMap<String, String>, Option<Receipt>);
/// A question that the agent may hear: its key, what is asked, and the parameters.
type Put = (String, Ask, Filtered<String>);

impl Running {
    /// A backend of the stateless era asks for input.
    pub(super) async fn input_required(&mut self, raw: &str) -> Step {
        self.answer = None;
        self.rounds += 1;
        let (state, entries) = match self.wanted(raw) {
            Ok(wanted) => wanted,
            Err(refusal) => return self.last(refusal),
        };
        let (put, kept, receipt) = match self.judged(entries).await {
            Ok(judged) => judged,
            Err(refusal) => return self.last(refusal),
        };
        let relayed = self.owed.facts.edition.era() == Era::Modern && (!put.is_empty() || kept.is_empty());
        if relayed {
            return self.ask_for(&put, Resume::Relay { inner: state, declined: kept }).await;
        }
        for (key, ask, params) in put {
            self.put(ask, params, For::Round(key));
        }
        self.round = Some(Round { state, answers: kept.into_iter().collect(), receipt });
        Step::On
    }

    /// What a request for input wants: the backend's state, and its questions.
    fn wanted(&self, raw: &str) -> Result<Wanted, Refusal> {
        let garbage = |why: &str| Refusal::from(upstream::Error::Garbage(why.into()));
        if self.edition.era() != Era::Modern || !self.owed.facts.method.may_need_input() {
            return Err(garbage("it asks for input where it may not"));
        }
        if self.rounds > ROUNDS {
            return Err(garbage("it asks for input without end"));
        }
        let object = Object::parse(raw).ok_or_else(|| garbage("a result is not an object"))?;
        let state = object.get("requestState").map(str::to_owned);
        if state.as_deref().is_some_and(|raw| string_value(raw).is_none()) {
            return Err(garbage("`requestState` is not a string"));
        }
        let mut entries = Vec::new();
        for (key, raw) in object.object("inputRequests").iter().flat_map(Object::iter) {
            let request = Object::parse(raw).ok_or_else(|| garbage("a question is not an object"))?;
            let ask = request.str("method").and_then(|name| Ask::parse(&name));
            let ask = ask.ok_or_else(|| garbage("it asks something unknown"))?;
            entries.push((key.to_owned(), ask, request.get("params").unwrap_or("{}").to_owned()));
        }
        if entries.len() > QUESTIONS || (entries.is_empty() && state.is_none()) {
            return Err(garbage("it asks for nothing, or for too much at once"));
        }
        Ok((state, entries))
    }

    /// Judges questions: those that may be put, and the answers to those that are kept from the agent.
    async fn judged(&mut self, entries: Vec<(String, Ask, String)>) -> Result<Sorted, Refusal> {
        let (mut put, mut kept, mut last) = (Vec::new(), BTreeMap::new(), None);
        for (key, ask, params) in entries {
            match self.owed.question(ask, &params).await? {
                Judged::Put(params) => put.push((key, ask, params)),
                Judged::Kept(receipt) => {
                    let answer = declined(ask).ok_or(Refusal::Unanswered(ask.as_str()))?;
                    kept.insert(key, answer.to_owned());
                    last = Some(receipt);
                }
            }
        }
        Ok((put, kept, last))
    }

    /// The result that asks a stateless agent for input.
    async fn ask_for(&mut self, put: &[Put], resume: Resume) -> Step {
        match self.input_result(put, resume).await {
            Ok(result) => Step::Last(Status::InputRequired, Frame::Result(Arc::new(result), None)),
            Err(refusal) => self.last(refusal),
        }
    }

    async fn input_result(&mut self, put: &[Put], resume: Resume) -> Result<Filtered<String>, Refusal> {
        let owed = &self.owed;
        let now = owed.gateway.clock().now_us();
        let life = i64::try_from(owed.rules.question_timeout.as_micros()).unwrap_or(i64::MAX / 2);
        let request = (owed.facts.method.as_str(), self.call.params());
        let server = owed.facts.server.as_str();
        let sealed = state::seal(
            &owed.gateway.seals,
            &owed.caller,
            request,
            (server, resume),
            (now, now.saturating_add(life)),
        )
        .ok_or(Refusal::Internal)?;
        let mut text = "{\"resultType\":\"input_required\"".to_owned();
        if !put.is_empty() {
            text.push_str(",\"inputRequests\":{");
            for (index, (key, ask, params)) in put.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                let (key, method, params) = (quote(key), ask.as_str(), params.value());
                let _ = write!(text, "{comma}{key}:{{\"method\":\"{method}\",\"params\":{params}}}");
            }
            text.push('}');
        }
        let _ = write!(text, ",\"requestState\":{sealed}}}");
        self.filter(text, &["/requestState"]).await
    }

    /// The agent gave an answer for the round.
    pub(super) fn answered(&mut self, key: String, raw: String, receipt: Receipt) {
        if let Some(round) = &mut self.round {
            round.answers.push((key, raw));
            round.receipt = Some(receipt);
        }
    }

    /// The agent gave none: the backend hears a cancellation, where the protocol has one.
    pub(super) fn cancelled(&mut self, key: String, ask: Ask, receipt: Receipt) -> Result<(), Refusal> {
        let raw = match ask {
            Ask::Elicit => "{\"action\":\"cancel\"}",
            Ask::Sample | Ask::ListRoots => return Err(Refusal::Unanswered(ask.as_str())),
        };
        self.answered(key, raw.to_owned(), receipt);
        Ok(())
    }

    /// Sends the request again, with the answers.
    pub(super) async fn next_round(&mut self, round: Round) -> Step {
        let Round { state, answers, receipt } = round;
        if let Some(receipt) = receipt {
            let members: Vec<String> =
                answers.iter().map(|(key, raw)| format!("{}:{raw}", quote(key))).collect();
            let subject = Subject { call: self.owed.facts.call, direction: Direction::Request, exempt: &[] };
            let answers = format!("{{{}}}", members.join(","));
            let filtered = self.owed.rules.filter(answers, &subject).await;
            let joined = match filtered {
                Ok(filtered) => {
                    self.call.next_round(&filtered, state, &receipt).map_err(|_| Refusal::Internal)
                }
                Err(blocked) => Err(blocked.into()),
            };
            if let Err(refusal) = joined {
                return self.last(refusal);
            }
        } else {
            self.call.retry(state);
            sleep(PAUSE * u32::try_from(self.rounds).unwrap_or(1)).await;
        }
        let sent = timeout_at(self.deadline, self.upstream.send(&self.call)).await;
        match sent.unwrap_or(Err(upstream::Error::Timeout)) {
            Ok(answer) => {
                self.answer = Some(answer);
                Step::On
            }
            Err(why) => self.last(why.into()),
        }
    }

    /// A session-era backend asks a stateless agent: the call stays there, and the agent comes back with the input.
    pub(super) async fn parking(&mut self, question: Question, params: Filtered<String>) -> Step {
        if !self.owed.gateway.parked.has_room(&self.call.to().principal) {
            return self.last(Refusal::TooManyParked);
        }
        let id = Uuid::new_v4();
        let put = [(KEY.to_owned(), question.ask(), params)];
        match self.input_result(&put, Resume::Parked { id, key: KEY.to_owned() }).await {
            Ok(result) => {
                Step::Park(Status::InputRequired, Frame::Result(Arc::new(result), None), question, id)
            }
            Err(refusal) => self.last(refusal),
        }
    }

    /// A session-era backend wants a person to visit a URL first (`-32042`): for a stateless agent that is a request for
    /// input after which the request is made anew.
    pub(super) async fn url_required(&mut self, raw: &str) -> Step {
        if !self.owed.facts.abilities.url {
            return self.last(Refusal::MissingCapability("{\"elicitation\":{\"url\":{}}}"));
        }
        let entries = match elicitations(raw) {
            Some(entries) if !entries.is_empty() && entries.len() <= QUESTIONS => entries,
            _ => return self.last(upstream::Error::Garbage("it names no URL to visit".into()).into()),
        };
        match self.judged(entries).await {
            Ok((put, kept, _)) if kept.is_empty() => self.ask_for(&put, Resume::Again).await,
            Ok(_) => self.last(Refusal::Unanswered(Ask::Elicit.as_str())),
            Err(refusal) => self.last(refusal),
        }
    }

    /// A task that is followed may ask for input too: what policy keeps from the agent ends the request.
    pub(super) async fn questions_of_task(&mut self, raw: &str) -> Result<(), Refusal> {
        if !self.owed.facts.method.follows_task() || !era::has_input_requests(raw) {
            return Ok(());
        }
        let object = Object::parse(raw);
        for (_, raw) in object.and_then(|o| o.object("inputRequests")).iter().flat_map(Object::iter) {
            let request = Object::parse(raw);
            let ask = request.as_ref().and_then(|r| r.str("method")).and_then(|name| Ask::parse(&name));
            let params = request.as_ref().and_then(|r| r.get("params")).unwrap_or("{}");
            let ask = ask.ok_or_else(|| upstream::Error::Garbage("it asks something unknown".into()))?;
            if let Judged::Kept(_) = self.owed.question(ask, params).await? {
                return Err(Refusal::Unanswered(ask.as_str()));
            }
        }
        Ok(())
    }
}

/// The URLs of a `-32042` error as questions of the stateless era, which knows no `elicitationId`.
fn elicitations(raw: &str) -> Option<Vec<(String, Ask, String)>> {
    let data = Object::parse(raw)?.object("data")?;
    let items = array_items(data.get("elicitations")?)?;
    let mut entries = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let edit = crate::mcp::Edit::of(item)?.remove("elicitationId").set("mode", "\"url\"");
        entries.push((format!("url-{index}"), Ask::Elicit, edit.finish()));
    }
    Some(entries)
}
