//! The HTTP side of the bridge: one exchange a request, and the stream of what is said unasked.

use super::remote::{Asked, DRAIN, LIMIT, Remote, SESSION, error};
use crate::mcp::{Message, Method, Object, Outcome, ParamHeaders, array_items};
use crate::upstream::SseParser;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode};
use std::sync::PoisonError;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long to wait before the stream of what is said unasked is opened again.
const PAUSE: Duration = Duration::from_secs(3);
/// The gateway's own code for a failure on the way; it lies outside the range that JSON-RPC and MCP reserve.
const FAILED: i64 = 8004;

impl Remote {
    /// Sends a request, and hands on all that comes back.
    pub(super) async fn exchange(&self, asked: &Asked, out: &mpsc::Sender<String>) {
        let mut sent = self.post(asked.headers.clone(), asked.body.clone()).await;
        let in_session = asked.headers.contains_key(SESSION);
        if in_session && matches!(&sent, Ok(response) if response.status() == StatusCode::NOT_FOUND) {
            // The gateway has forgotten the session, so nothing ran: the one case for sending again.
            self.renew(asked.headers.get(SESSION)).await;
            sent = self.post(self.hop_headers(&asked.method), asked.body.clone()).await;
        }
        let response = match sent {
            Ok(response) => response,
            Err(why) => return drop(out.send(error(Some(&asked.id), FAILED, why)).await),
        };
        if asked.method == Method::Initialize.as_str() && response.status().is_success() {
            let mut session = self.session();
            session.id = response.headers().get(SESSION).cloned();
            session.opening = Some(asked.body.clone());
        }
        if let Err(why) = self.hand_on(response, asked, out).await {
            let _ = out.send(error(Some(&asked.id), FAILED, &why)).await;
        }
    }

    async fn hand_on(
        &self,
        mut response: Response,
        asked: &Asked,
        out: &mpsc::Sender<String>,
    ) -> Result<(), String> {
        let status = response.status();
        if media_type(&response) == Some("text/event-stream") {
            let mut parser = SseParser::new(LIMIT);
            loop {
                while let Some(event) = parser.next_event().map_err(|e| e.to_string())? {
                    let last = self.note(&event.data, asked);
                    if out.send(event.data).await.is_err() || last {
                        return Ok(());
                    }
                }
                match response.chunk().await {
                    Ok(Some(bytes)) => parser.push(&bytes),
                    _ => return Err("the gateway closed the connection before it answered".into()),
                }
            }
        }
        let body = collect(response).await?;
        match Message::parse(body.trim()) {
            // A gateway that could not tell whose request it was answers without an id.
            Ok(Message::Response { id: None, outcome: Outcome::Error(raw) }) => {
                let id = asked.id.raw();
                let _ = out.send(format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{raw}}}")).await;
                Ok(())
            }
            Ok(Message::Response { .. }) => {
                self.note(&body, asked);
                let _ = out.send(body).await;
                Ok(())
            }
            _ => Err(format!("the gateway answered with HTTP status {}", status.as_u16())),
        }
    }

    /// Keeps what later requests need. Returns whether nothing follows.
    fn note(&self, message: &str, asked: &Asked) -> bool {
        let Ok(Message::Response { id: Some(id), outcome }) = Message::parse(message.trim()) else {
            return false;
        };
        if id != asked.id {
            return false;
        }
        if let Outcome::Result(raw) = outcome
            && let Some(result) = Object::parse(raw)
        {
            if asked.method == Method::Initialize.as_str() {
                let version = result.str("protocolVersion").and_then(|v| HeaderValue::try_from(&*v).ok());
                self.session().version = version;
            }
            if asked.modern && asked.method == Method::ToolsList.as_str() {
                self.learn(&result);
            }
        }
        true
    }

    fn learn(&self, result: &Object<'_>) {
        let tools = result.get("tools").and_then(array_items).unwrap_or_default();
        let mut known = self.mirrored.lock().unwrap_or_else(PoisonError::into_inner);
        for definition in tools {
            let name =
                Object::parse(definition).and_then(|d| d.str("name").map(std::borrow::Cow::into_owned));
            let mirrored = ParamHeaders::of(definition).ok().filter(|mirrored| !mirrored.is_empty());
            match (name, mirrored) {
                (Some(name), Some(mirrored)) => drop(known.insert(name, mirrored)),
                (Some(name), None) => drop(known.remove(&name)),
                (None, _) => {}
            }
        }
    }

    /// Opens a session like the one that the gateway has forgotten.
    async fn renew(&self, forgotten: Option<&HeaderValue>) {
        let _one = self.renewing.lock().await;
        let known = self.session().clone();
        if known.id.as_ref() != forgotten {
            return;
        }
        let Some(opening) = known.opening else { return };
        let Ok(response) = self.post(self.hop_headers(Method::Initialize.as_str()), opening).await else {
            return;
        };
        let id = response.headers().get(SESSION).cloned();
        if response.status().is_success() && collect(response).await.is_ok() {
            self.session().id = id;
            self.post_one_way("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}".into()).await;
        }
    }

    pub(super) async fn batch(&self, body: String, out: &mpsc::Sender<String>) {
        let sent = self.post(self.hop_headers(""), body).await;
        let answered = match sent {
            Ok(response) if response.status() == StatusCode::ACCEPTED => return,
            Ok(response) => collect(response).await,
            Err(why) => Err(why.to_owned()),
        };
        let _ = out.send(answered.unwrap_or_else(|why| error(None, FAILED, &why))).await;
    }

    /// Notifications and answers. A stateless agent has neither over HTTP.
    pub(super) async fn post_one_way(&self, body: String) {
        if self.session().id.is_some() {
            let _ = self.post(self.hop_headers(""), body).await;
        }
    }

    /// What the gateway says unasked, for as long as the session lasts.
    pub(super) async fn listen(&self, out: &mpsc::Sender<String>) {
        loop {
            let mut headers = self.hop_headers("");
            if !headers.contains_key(SESSION) {
                return;
            }
            headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
            match self.http.get(self.url.clone()).headers(headers).send().await {
                Ok(response) if response.status() == StatusCode::METHOD_NOT_ALLOWED => return,
                Ok(mut response) if media_type(&response) == Some("text/event-stream") => {
                    let mut parser = SseParser::new(LIMIT);
                    while let Ok(Some(bytes)) = response.chunk().await {
                        parser.push(&bytes);
                        while let Ok(Some(event)) = parser.next_event() {
                            if out.send(event.data).await.is_err() {
                                return;
                            }
                        }
                    }
                }
                _ => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Ends the session politely.
    pub(super) async fn end(&self) {
        if self.session().id.is_some() {
            let gone = self.http.delete(self.url.clone()).headers(self.hop_headers("")).send();
            let _ = tokio::time::timeout(DRAIN, gone).await;
        }
    }

    async fn post(&self, headers: HeaderMap, body: String) -> Result<Response, &'static str> {
        let sent = self.http.post(self.url.clone()).headers(headers).body(body).send().await;
        sent.map_err(|e| {
            if e.is_connect() {
                "the gateway cannot be reached: is it running at this URL?"
            } else {
                "the gateway closed the connection before it answered"
            }
        })
    }
}

fn media_type(response: &Response) -> Option<&str> {
    response.headers().get(CONTENT_TYPE)?.to_str().ok()?.split(';').next().map(str::trim)
}

async fn collect(mut response: Response) -> Result<String, String> {
    let mut body = Vec::new();
    while let Some(bytes) = response.chunk().await.map_err(|_| "the answer was cut off".to_owned())? {
        body.extend_from_slice(&bytes);
        if body.len() > LIMIT {
            return Err(format!("the answer exceeds {LIMIT} bytes"));
        }
    }
    String::from_utf8(body).map_err(|_| "the answer is not UTF-8".into())
}
