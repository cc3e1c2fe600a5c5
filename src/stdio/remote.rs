//! A running gateway, reached over Streamable HTTP in the era that the agent speaks.

use super::lines::{Line, Lines, write};
use crate::mcp::{Era, Id, JsonLimits, Message, Method, Object, ParamHeaders};
use crate::mcp::{check, codes, encode_header_value, meta, quote};
use crate::secret::Secret;
use crate::tls::ClientTls;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// Largest message in either direction, in bytes.
pub(super) const LIMIT: usize = 16 << 20;
/// Most requests under way; further lines wait.
const REQUESTS: usize = 256;
/// Messages that wait for a slow agent; the gateway's answers wait behind them.
const WAITING: usize = 64;
/// How long what is under way may take after the agent has closed its end.
pub(super) const DRAIN: Duration = Duration::from_secs(2);

/// Why there is no bridge.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// The certificates cannot be used.
    #[error("the certificates cannot be used")]
    Tls(#[from] crate::tls::Error),
    /// The token is no token.
    #[error("the token holds other than visible ASCII")]
    Token,
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be built")]
    Client(#[from] reqwest::Error),
}

/// A gateway elsewhere.
#[derive(Debug)]
pub struct Remote {
    pub(super) http: Client,
    pub(super) url: Url,
    headers: HeaderMap,
    session: Mutex<Session>,
    running: Mutex<HashMap<Id, CancellationToken>>,
    /// Tools whose parameters are mirrored in headers, as they were listed.
    pub(super) mirrored: Mutex<HashMap<String, ParamHeaders>>,
    pub(super) renewing: tokio::sync::Mutex<()>,
}

/// The session of an agent that began with `initialize`.
#[derive(Debug, Clone, Default)]
pub(super) struct Session {
    pub id: Option<HeaderValue>,
    pub version: Option<HeaderValue>,
    /// The message that opened it, to open another when the gateway has forgotten it.
    pub opening: Option<String>,
}

/// One request on its way.
pub(super) struct Asked {
    pub id: Id,
    pub method: String,
    pub modern: bool,
    pub headers: HeaderMap,
    pub body: String,
}

impl Remote {
    /// A gateway at `url`, to which `token` is shown.
    ///
    /// # Errors
    /// Returns what cannot be used.
    pub fn new(url: Url, token: Option<&Secret>, tls: &ClientTls) -> Result<Self, Unreachable> {
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            let bearer = format!("Bearer {}", token.expose());
            let mut value = HeaderValue::try_from(bearer).map_err(|_| Unreachable::Token)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let http = Client::builder()
            .tls_backend_preconfigured(tls.config(&[b"h2", b"http/1.1"])?)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(30))
            .connect_timeout(Duration::from_secs(10))
            .build()?;
        Ok(Self {
            http,
            url,
            headers,
            session: Mutex::default(),
            running: Mutex::default(),
            mirrored: Mutex::default(),
            renewing: tokio::sync::Mutex::default(),
        })
    }

    /// Carries messages both ways until the input ends.
    pub async fn carry(
        self,
        input: impl AsyncRead + Unpin,
        output: impl AsyncWrite + Unpin + Send + 'static,
    ) {
        let remote = Arc::new(self);
        let (out, messages) = mpsc::channel(WAITING);
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let written = CancellationToken::new();
        let writes_end = written.clone().drop_guard();
        let (mut output, mut messages) = (output, messages);
        tracker.spawn(async move {
            write(&mut output, &mut messages).await;
            drop(writes_end);
        });
        let requests = TaskTracker::new();
        let places = Arc::new(Semaphore::new(REQUESTS));
        let mut lines = Lines::new(input, LIMIT);
        loop {
            let line = tokio::select! {
                line = lines.next() => line,
                () = written.cancelled() => break,
            };
            match line {
                Ok(Some(Line::Text(line))) => {
                    let Ok(place) = places.clone().acquire_owned().await else { break };
                    if let Some(asked) = remote.take(&line, &out, (&tracker, &stop)).await {
                        let (remote, out) = (remote.clone(), out.clone());
                        let cancel = stop.child_token();
                        remote.running().insert(asked.id.clone(), cancel.clone());
                        requests.spawn(async move {
                            tokio::select! {
                                () = remote.exchange(&asked, &out) => {}
                                // Dropping the answer's stream is how a stateless request is cancelled.
                                () = cancel.cancelled() => {}
                            }
                            remote.running().remove(&asked.id);
                            drop(place);
                        });
                    }
                }
                Ok(Some(Line::TooLong)) => {
                    let why = format!("the message exceeds {LIMIT} bytes");
                    let _ = out.send(error(None, codes::INVALID_REQUEST, &why)).await;
                }
                Ok(None) | Err(_) => break,
            }
        }
        // Who closes its end has asked all it wanted, and may still read.
        requests.close();
        let _ = tokio::time::timeout(DRAIN, requests.wait()).await;
        stop.cancel();
        remote.end().await;
        drop(out);
        tracker.close();
        let _ = tokio::time::timeout(DRAIN, tracker.wait()).await;
    }

    pub(super) fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Id, CancellationToken>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handles one message. What opens the way for what follows is waited for; other requests are returned.
    async fn take(
        self: &Arc<Self>,
        line: &[u8],
        out: &mpsc::Sender<String>,
        (tracker, stop): (&TaskTracker, &CancellationToken),
    ) -> Option<Asked> {
        let limits = JsonLimits { bytes: LIMIT, ..JsonLimits::default() };
        let text = match check(line, &limits) {
            Ok(text) => text.trim().to_owned(),
            Err(e) => {
                let code = if e.is_policy() { codes::INVALID_REQUEST } else { codes::PARSE };
                let _ = out.send(error(None, code, &e.to_string())).await;
                return None;
            }
        };
        match Message::parse(&text) {
            Ok(Message::Request { id, method, params }) => {
                let asked = self.asked(id, &method, params.unwrap_or("{}"), text.clone());
                if method != Method::Initialize.as_str() {
                    return Some(asked);
                }
                self.exchange(&asked, out).await;
            }
            Ok(Message::Notification { method, params }) => {
                if method == "notifications/cancelled" && self.cancel(params) {
                    return None;
                }
                self.post_one_way(text.clone()).await;
                if method == "notifications/initialized" {
                    let (remote, out, stop) = (self.clone(), out.clone(), stop.clone());
                    tracker.spawn(async move {
                        tokio::select! {
                            () = remote.listen(&out) => {}
                            () = stop.cancelled() => {}
                        }
                    });
                }
            }
            Ok(Message::Response { .. }) => self.post_one_way(text.clone()).await,
            // The gateway knows what the session agreed on.
            Err(crate::mcp::MessageError::Batch) => self.batch(text.clone(), out).await,
            Err(e) => drop(out.send(error(None, codes::INVALID_REQUEST, &e.to_string())).await),
        }
        None
    }

    fn asked(&self, id: Id, method: &str, params: &str, body: String) -> Asked {
        let params = Object::parse(params);
        let version = params
            .as_ref()
            .and_then(|p| p.object("_meta"))
            .and_then(|m| m.str(meta::PROTOCOL_VERSION).map(std::borrow::Cow::into_owned));
        let modern = version.is_some();
        let mut headers = self.hop_headers(method);
        if let Some(version) = version {
            headers.remove(SESSION);
            set(&mut headers, VERSION, &version);
            set(&mut headers, METHOD, method);
            let key = Method::parse(method, Era::Modern).and_then(Method::target_param);
            let name = key.and_then(|key| params.as_ref().and_then(|p| p.str(key)));
            if let Some(name) = &name {
                set(&mut headers, NAME, &encode_header_value(name));
            }
            if method == Method::ToolsCall.as_str() {
                let mirrored = self.mirrored.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(mirrored) = name.as_deref().and_then(|name| mirrored.get(name)) {
                    let arguments = params.as_ref().and_then(|p| p.get("arguments")).unwrap_or("{}");
                    for (header, value) in mirrored.headers(arguments) {
                        if let Ok(header) = HeaderName::try_from(header) {
                            set(&mut headers, header, &value);
                        }
                    }
                }
            }
        }
        Asked { id, method: method.to_owned(), modern, headers, body }
    }

    pub(super) fn hop_headers(&self, method: &str) -> HeaderMap {
        let mut headers = self.headers.clone();
        if method != Method::Initialize.as_str() {
            let session = self.session();
            if let Some(id) = &session.id {
                headers.insert(SESSION, id.clone());
            }
            if let Some(version) = &session.version {
                headers.insert(VERSION, version.clone());
            }
        }
        headers
    }

    /// Cancels a stateless request by leaving its stream. In a session the gateway is told instead.
    fn cancel(&self, params: Option<&str>) -> bool {
        if self.session().id.is_some() {
            return false;
        }
        let id = params.and_then(Object::parse).and_then(|p| p.get("requestId")).and_then(Id::from_raw);
        if let Some(cancel) = id.and_then(|id| self.running().remove(&id)) {
            cancel.cancel();
        }
        true
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

pub(super) fn error(id: Option<&Id>, code: i64, message: &str) -> String {
    let (id, message) = (id.map_or("null", Id::raw), quote(message));
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{\"code\":{code},\"message\":{message}}}}}")
}
