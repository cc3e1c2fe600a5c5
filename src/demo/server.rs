//! One client's conversation: envelope, era, methods, running calls.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::card::Answer;
use super::journal::Journal;
use super::protocol::{self, Fault, Revision};
use super::service::{Outcome, Service, Target};
use super::{Era, Error, Options};

/// The severities of RFC 5424, least first, as MCP names them.
const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// A call that is still running; it resolves to what is to be sent when it ends.
pub(super) type Job = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// The end of a [`Job`].
pub(super) struct Ended {
    key: String,
    answer: Option<Value>,
}

/// What one line of input leads to.
#[derive(Default)]
pub(super) struct Step {
    /// To be sent now, in this order.
    pub(super) messages: Vec<Value>,
    /// To be run beside the next lines.
    pub(super) jobs: Vec<Job>,
}

/// A request whose envelope, era and `_meta` are known to be right.
struct Request<'a> {
    id: &'a Value,
    method: &'a str,
    params: &'a Value,
    revision: Revision,
}

/// A client that listens to changes, in 2026-07-28.
struct Listener {
    key: String,
    id: Value,
    resources: bool,
}

/// The state of one conversation.
pub(super) struct Server {
    era: Era,
    service: Service,
    info: Value,
    session: Option<Revision>,
    log_level: Option<usize>,
    running: HashMap<String, CancellationToken>,
    listeners: Vec<Listener>,
    journal: Option<Journal>,
    outgoing: mpsc::Sender<Value>,
}

impl Server {
    pub(super) fn new(options: &Options, outgoing: mpsc::Sender<Value>) -> Result<Self, Error> {
        let service = Service::new(options.profile)?;
        Ok(Self {
            era: options.era,
            info: service.info(),
            service,
            session: None,
            log_level: None,
            running: HashMap::new(),
            listeners: Vec::new(),
            journal: options.journal.as_deref().map(Journal::open).transpose()?,
            outgoing,
        })
    }

    /// Takes in one line.
    pub(super) fn receive(&mut self, line: &[u8]) -> Step {
        match serde_json::from_slice::<Value>(line) {
            Ok(Value::Array(batch)) if self.session == Some(Revision::March2025) && !batch.is_empty() => {
                self.batch(&batch)
            }
            Ok(message @ Value::Object(_)) => self.message(&message),
            Ok(_) => self.refuse(
                &Value::Null,
                Fault::new(protocol::INVALID_REQUEST, "send one JSON-RPC object a line"),
            ),
            Err(_) => self.refuse(&Value::Null, Fault::new(protocol::PARSE_ERROR, "this line is not JSON")),
        }
    }

    /// Takes in the end of a job.
    pub(super) fn ended(&mut self, ended: Ended) -> Vec<Value> {
        self.running.remove(&ended.key);
        ended.answer.into_iter().collect()
    }

    /// A batch of 2025-03-26: the answers that are ready go out in one array, those of jobs one by one.
    fn batch(&mut self, batch: &[Value]) -> Step {
        let mut step = Step::default();
        let mut answers = Vec::new();
        for message in batch {
            let mut part = self.message(message);
            step.jobs.append(&mut part.jobs);
            for message in part.messages {
                let place = if message.get("method").is_some() { &mut step.messages } else { &mut answers };
                place.push(message);
            }
        }
        if !answers.is_empty() {
            step.messages.push(Value::Array(answers));
        }
        step
    }

    fn message(&mut self, message: &Value) -> Step {
        let id = message.get("id");
        let Some(method) = message.get("method").and_then(Value::as_str) else {
            if message.get("result").is_some() || message.get("error").is_some() {
                return Step::default(); // We never ask the client for anything, so no answer of it is ours.
            }
            let fault = Fault::new(protocol::INVALID_REQUEST, "a request needs a `method`");
            return self.refuse(id.unwrap_or(&Value::Null), fault);
        };
        let empty = json!({});
        let params = message.get("params").unwrap_or(&empty);
        let Some(id) = id else {
            self.notified(method, params);
            return Step::default();
        };
        if !(id.is_string() || id.is_number()) {
            return self
                .refuse(&Value::Null, Fault::new(protocol::INVALID_REQUEST, "`id` is a string or a number"));
        }
        match self.revision_of(method, params) {
            Ok(revision) => self.request(&Request { id, method, params, revision }),
            Err(fault) => self.refuse(id, fault),
        }
    }

    fn refuse(&self, id: &Value, fault: Fault) -> Step {
        let revision = self.session.unwrap_or(Revision::November2025);
        Step { messages: vec![fault.response(id, revision)], ..Step::default() }
    }

    fn notified(&mut self, method: &str, params: &Value) {
        if method != "notifications/cancelled" {
            return;
        }
        if let Some(id) = params.get("requestId") {
            let key = id.to_string();
            self.listeners.retain(|listener| listener.key != key);
            if let Some(call) = self.running.get(&key) {
                call.cancel();
            }
        }
    }

    /// Which revision a request is in: by its `_meta` if it has one, else by the session.
    fn revision_of(&self, method: &str, params: &Value) -> Result<Revision, Fault> {
        let named = protocol::named_version(params);
        match (self.era, named, method) {
            (Era::Modern, named, "initialize") => {
                let asked = params.get("protocolVersion").and_then(Value::as_str);
                Err(Fault::unsupported_version(self.era, asked.or(named).unwrap_or_default()))
            }
            (Era::Legacy, _, "server/discover") => {
                Err(Fault::new(protocol::METHOD_NOT_FOUND, "unknown method `server/discover`"))
            }
            (Era::Modern, None, _) | (Era::Dual, None, "server/discover") => {
                Err(Fault::invalid_params(format!("`_meta` lacks `{}`", protocol::META_VERSION)))
            }
            (Era::Modern | Era::Dual, Some("2026-07-28"), _) => {
                protocol::check_meta(params).map(|()| Revision::July2026)
            }
            (Era::Modern, Some(other), _) => Err(Fault::unsupported_version(self.era, other)),
            (Era::Dual, Some(other), _) if self.session.is_none_or(|session| session.name() != other) => {
                Err(Fault::unsupported_version(self.era, other))
            }
            (_, _, "initialize" | "ping") => Ok(self.session.unwrap_or(Revision::November2025)),
            _ => self.session.ok_or_else(|| Fault::new(protocol::INVALID_REQUEST, "send `initialize` first")),
        }
    }

    fn request(&mut self, request: &Request<'_>) -> Step {
        let params = request.params;
        let answer = match (request.method, request.revision.is_modern()) {
            ("tools/call", _) => return self.call(request),
            ("subscriptions/listen", true) => return self.listen(request),
            ("initialize", false) => {
                let asked = params.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
                let revision = Revision::negotiate(asked);
                self.session = Some(revision);
                Ok(self.greeting("protocolVersion", revision.name().into()))
            }
            ("server/discover", true) => {
                Ok(self.greeting("supportedVersions", protocol::supported(self.era).into()))
            }
            ("ping", false) => Ok(json!({})),
            ("logging/setLevel", false) => self.set_level(params),
            ("tools/list", _) => protocol::page("tools", self.service.tools(), params),
            ("prompts/list", _) => protocol::page("prompts", self.service.prompts(), params),
            ("resources/list", _) => protocol::page("resources", self.service.resources(), params),
            ("resources/templates/list", _) => {
                protocol::page("resourceTemplates", self.service.templates(), params)
            }
            ("prompts/get", _) => {
                named(params, "name").and_then(|name| self.service.prompt(name, arguments(params)))
            }
            ("resources/read", _) => named(params, "uri").and_then(|uri| self.service.read(uri)),
            ("completion/complete", _) => self.complete(params),
            (unknown, _) => {
                Err(Fault::new(protocol::METHOD_NOT_FOUND, format!("unknown method `{unknown}`")))
            }
        };
        Step { messages: vec![self.answer(request, answer)], ..Step::default() }
    }

    fn answer(&self, request: &Request<'_>, answer: Result<Value, Fault>) -> Value {
        match answer {
            Ok(result) => {
                let result = protocol::finish(request.method, result, request.revision, &self.info);
                json!({"jsonrpc": "2.0", "id": request.id, "result": result})
            }
            Err(fault) => fault.response(request.id, request.revision),
        }
    }

    /// What `initialize` and `server/discover` have in common, with the member in which they differ.
    fn greeting(&self, member: &str, versions: Value) -> Value {
        let mut greeting = Map::new();
        greeting.insert(member.to_owned(), versions);
        let changes = json!({"listChanged": true});
        let capabilities = json!({
            "tools": changes, "prompts": changes, "resources": changes, "completions": {}, "logging": {},
        });
        greeting.insert("capabilities".to_owned(), capabilities);
        greeting.insert("instructions".to_owned(), self.service.instructions().into());
        if member == "protocolVersion" {
            greeting.insert("serverInfo".to_owned(), self.info.clone());
        }
        Value::Object(greeting)
    }

    fn set_level(&mut self, params: &Value) -> Result<Value, Fault> {
        let level = named(params, "level")?;
        self.log_level =
            Some(rank(level).ok_or_else(|| Fault::invalid_params(format!("unknown level `{level}`")))?);
        Ok(json!({}))
    }

    fn complete(&self, params: &Value) -> Result<Value, Fault> {
        let at = |pointer: &str| params.pointer(pointer).and_then(Value::as_str);
        let lacking = || Fault::invalid_params("`ref` and `argument` with `name` and `value` are needed");
        let (argument, typed) = at("/argument/name").zip(at("/argument/value")).ok_or_else(lacking)?;
        let target = match at("/ref/type") {
            Some("ref/prompt") => Target::Prompt(at("/ref/name").ok_or_else(lacking)?, argument),
            Some("ref/resource") => Target::Template(at("/ref/uri").ok_or_else(lacking)?, argument),
            _ => return Err(lacking()),
        };
        let values = self.service.complete(target, typed)?;
        Ok(json!({"completion": {"total": values.len(), "hasMore": false, "values": values}}))
    }

    fn call(&mut self, request: &Request<'_>) -> Step {
        let name = match named(request.params, "name") {
            Ok(name) if self.service.has_tool(name) => name,
            Ok(name) => {
                let fault = Fault::invalid_params(format!("unknown tool `{name}`"));
                return Step { messages: vec![self.answer(request, Err(fault))], ..Step::default() };
            }
            Err(fault) => {
                return Step { messages: vec![self.answer(request, Err(fault))], ..Step::default() };
            }
        };
        let given = arguments(request.params);
        if let Some(journal) = &mut self.journal {
            let marker = given.get("marker").and_then(Value::as_str);
            if journal.record(name, marker).is_err() {
                let fault = Fault::new(protocol::INTERNAL_ERROR, "the journal cannot be written");
                return Step { messages: vec![self.answer(request, Err(fault))], ..Step::default() };
            }
        }
        let mut messages = self.logged(request, "debug", json!({"tool": name, "arguments": given}));
        let listed = self.service.resources().len();
        match self.service.call(name, given) {
            Outcome::Done(answer) => {
                messages.extend(self.logged(request, "info", json!({"tool": name, "done": true})));
                messages.push(self.answer(request, Ok(answer.into_result())));
                if self.service.resources().len() != listed {
                    messages.extend(self.resources_changed());
                }
                Step { messages, ..Step::default() }
            }
            Outcome::Report { steps, delay } => {
                Step { messages, jobs: vec![self.report(request, steps, delay)] }
            }
        }
    }

    fn report(&mut self, request: &Request<'_>, steps: u32, delay: Duration) -> Job {
        let key = request.id.to_string();
        let cancelled = CancellationToken::new();
        self.running.insert(key.clone(), cancelled.clone());
        let done = Answer::text(format!("All {steps} systems were looked at; nothing is out of order."));
        let answer = self.answer(request, Ok(done.into_result()));
        let token = request.params.pointer("/_meta/progressToken").cloned();
        let outgoing = self.outgoing.clone();
        Box::pin(async move {
            for step in 1..=steps {
                tokio::select! {
                    biased;
                    // A cancelled request gets no answer.
                    () = cancelled.cancelled() => return Ended { key, answer: None },
                    () = tokio::time::sleep(delay) => {}
                }
                let Some(token) = &token else { continue };
                let params = json!({
                    "progressToken": token, "progress": step, "total": steps,
                    "message": format!("system {step} of {steps}"),
                });
                if outgoing.send(notification("notifications/progress", params)).await.is_err() {
                    return Ended { key, answer: None };
                }
            }
            Ended { key, answer: Some(answer) }
        })
    }

    /// A log message, if this client wants messages of this level.
    fn logged(&self, request: &Request<'_>, level: &str, data: Value) -> Vec<Value> {
        let wanted = if request.revision.is_modern() {
            let meta = request.params.get("_meta").and_then(|meta| meta.get(protocol::META_LOG_LEVEL));
            meta.and_then(Value::as_str).and_then(rank)
        } else {
            self.log_level
        };
        if wanted.is_none_or(|wanted| rank(level).is_none_or(|level| level < wanted)) {
            return Vec::new();
        }
        let params = json!({"level": level, "logger": self.service.name(), "data": data});
        vec![notification("notifications/message", params)]
    }

    /// Acknowledges what we can tell about; the request stays open until the client cancels it.
    fn listen(&mut self, request: &Request<'_>) -> Step {
        let asked = |kind: &str| {
            let wanted = request.params.get("notifications").and_then(|kinds| kinds.get(kind));
            wanted.and_then(Value::as_bool).unwrap_or(false)
        };
        let kinds = ["toolsListChanged", "promptsListChanged", "resourcesListChanged"];
        let honoured: Map<String, Value> =
            kinds.into_iter().filter(|kind| asked(kind)).map(|kind| (kind.to_owned(), true.into())).collect();
        let listener = Listener {
            key: request.id.to_string(),
            id: request.id.clone(),
            resources: asked("resourcesListChanged"),
        };
        let params = json!({"_meta": {protocol::META_SUBSCRIPTION: listener.id}, "notifications": honoured});
        self.listeners.push(listener);
        let acknowledged = notification("notifications/subscriptions/acknowledged", params);
        Step { messages: vec![acknowledged], ..Step::default() }
    }

    fn resources_changed(&self) -> Vec<Value> {
        let method = "notifications/resources/list_changed";
        let in_session = self.session.map(|_| json!({"jsonrpc": "2.0", "method": method}));
        let tagged = self.listeners.iter().filter(|listener| listener.resources).map(|listener| {
            notification(method, json!({"_meta": {protocol::META_SUBSCRIPTION: listener.id}}))
        });
        in_session.into_iter().chain(tagged).collect()
    }
}

fn notification(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "method": method, "params": params})
}

fn rank(level: &str) -> Option<usize> {
    LEVELS.iter().position(|known| *known == level)
}

fn arguments(params: &Value) -> Value {
    params.get("arguments").cloned().unwrap_or_else(|| json!({}))
}

fn named<'a>(params: &'a Value, member: &str) -> Result<&'a str, Fault> {
    let value = params.get(member).and_then(Value::as_str);
    value.ok_or_else(|| Fault::invalid_params(format!("`{member}` must be a string")))
}
