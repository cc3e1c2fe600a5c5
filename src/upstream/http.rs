//! The Streamable HTTP transport towards a backend, both eras.

use super::inbox::Inbox;
use super::link::{Surroundings, Unasked};
use super::outgoing::{Outgoing, refusal_of};
use super::question::{Back, Question};
use super::resume::Resume;
use super::sse::SseParser;
use super::{Error, Inbound};
use crate::mcp::{Ask, Edition, Era, Id, JsonLimits, Message, Outcome, check};
use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, StatusCode};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Most notifications on one answer; an endless stream ends as garbage.
const MAX_EVENTS: usize = 100_000;

/// One logical connection: an URL, its headers and, in the legacy era, a session.
#[derive(Debug)]
pub(super) struct HttpLink {
    client: reqwest::Client,
    url: reqwest::Url,
    headers: HeaderMap,
    session: Arc<OnceLock<HeaderValue>>,
    next: AtomicU64,
    limit: usize,
    around: Surroundings,
    /// The endpoint could not be reached: the connection, as far as there is one, has to be made anew.
    lost: AtomicBool,
}

impl HttpLink {
    pub(super) fn new(
        url: url::Url,
        given: &[(String, String)],
        limit: usize,
        around: &Surroundings,
    ) -> Result<Self, Error> {
        let mut headers = given_headers(given)?;
        headers.insert(ACCEPT, BOTH);
        headers.insert(CONTENT_TYPE, JSON);
        Ok(Self {
            client: around.http.clone(),
            url,
            headers,
            session: Arc::default(),
            next: AtomicU64::new(1),
            limit,
            around: around.clone(),
            lost: AtomicBool::new(false),
        })
    }

    pub(super) fn next_id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) async fn request(
        self: &Arc<Self>,
        out: &Outgoing,
        edition: Edition,
    ) -> Result<HttpBody, Error> {
        self.send(self.next_id(), out, edition).await
    }

    pub(super) async fn send(
        self: &Arc<Self>,
        id: u64,
        out: &Outgoing,
        edition: Edition,
    ) -> Result<HttpBody, Error> {
        let mut headers = self.hop_headers(edition, out.method != "initialize");
        if edition.era() == Era::Modern {
            headers.insert(METHOD, HeaderValue::from_static(out.method));
            if let Some(name) = out.name_header()
                && let Ok(value) = HeaderValue::try_from(name)
            {
                headers.insert(NAME, value);
            }
            for (name, value) in &out.mirrored {
                if let (Ok(name), Ok(value)) =
                    (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()))
                {
                    headers.insert(name, value);
                }
            }
        }
        // Dropped before the answer is there, it calls the request off.
        let waiting = self.session.get().map(|_| Waiting { link: self.clone(), id, edition, over: false });
        let response = self.post(headers, out.request(id)).await?;
        if out.method == "initialize"
            && let Some(session) = response.headers().get(SESSION)
        {
            let _ = self.session.set(session.clone());
        }
        let in_session = self.session.get().is_some();
        // Only sessions have streams that can be taken up again (up to 2025-11-25, "Resumability and Redelivery").
        let resume = in_session.then(|| self.resume(edition));
        match HttpBody::of(id, response, (self, edition), resume).await {
            Ok(body) => Ok(HttpBody { waiting, ..body }),
            Err(why) => {
                if let Some(waiting) = waiting {
                    waiting.end();
                }
                Err(why)
            }
        }
    }

    pub(super) async fn post_notification(&self, text: String, edition: Edition) -> Result<(), Error> {
        let response = self.post(self.hop_headers(edition, true), text).await?;
        let status = response.status();
        if status.is_success() { Ok(()) } else { Err(Error::Status(status.as_u16())) }
    }

    /// The same, with nobody waiting for it.
    pub(super) fn post_detached(self: Arc<Self>, text: String, edition: Edition) {
        let tracker = self.around.tracker.clone();
        tracker.spawn(async move {
            let _ = self.post_notification(text, edition).await;
        });
    }

    /// The standalone stream of a legacy session, for what the server says unasked; `None` if it has none.
    pub(super) async fn listen(self: &Arc<Self>, edition: Edition) -> Option<HttpBody> {
        let headers = self.hop_headers(edition, true);
        let response = self.client.get(self.url.clone()).headers(headers).send().await.ok()?;
        let is_stream = response.status().is_success() && media_type(&response) == Some("text/event-stream");
        is_stream.then(|| HttpBody::streaming(0, response, (self, edition), Some(self.resume(edition))))
    }

    fn resume(&self, edition: Edition) -> Resume {
        Resume::new(self.client.clone(), self.url.clone(), self.hop_headers(edition, true))
    }

    /// Ends a legacy session. A server may refuse; then it times out there.
    pub(super) async fn end_session(&self, edition: Edition) {
        if self.session.get().is_some() {
            let headers = self.hop_headers(edition, true);
            let _ = self.client.delete(self.url.clone()).headers(headers).send().await;
        }
    }

    fn hop_headers(&self, edition: Edition, negotiated: bool) -> HeaderMap {
        let mut headers = self.headers.clone();
        if negotiated {
            headers.insert(VERSION, HeaderValue::from_static(edition.as_str()));
            if let Some(session) = self.session.get() {
                headers.insert(SESSION, session.clone());
            }
        }
        headers
    }

    async fn post(&self, headers: HeaderMap, body: String) -> Result<Response, Error> {
        let request = self.client.post(self.url.clone()).headers(headers).body(body);
        request.send().await.map_err(|e| self.noted(network(&e)))
    }

    /// Notes that nobody is there any more, and tells whoever keeps the backend connected.
    fn noted(&self, error: Error) -> Error {
        if matches!(error, Error::Unreachable(_)) {
            self.lose();
        }
        error
    }

    /// The connection is no good any more.
    pub(super) fn lose(&self) {
        if !self.lost.swap(true, Ordering::AcqRel) {
            let _ = self.around.unasked.try_send(Unasked::Closed);
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }
}

/// The headers of the configuration. Their values may be credentials.
pub(super) fn given_headers(given: &[(String, String)]) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let name = HeaderName::try_from(name.as_str())
            .map_err(|_| Error::Unusable(format!("`{name}` is not a header name")))?;
        let mut value = HeaderValue::try_from(value.as_str()).map_err(|_| {
            Error::Unusable(format!("the value of header `{name}` has other than visible ASCII"))
        })?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

pub(super) fn network(error: &reqwest::Error) -> Error {
    // `without_url` texts still name hosts; the kind is enough to act on.
    if error.is_timeout() {
        Error::Timeout
    } else if error.is_connect() {
        Error::Unreachable("connection refused or name not resolved".into())
    } else {
        Error::Closed
    }
}

pub(super) fn media_type(response: &Response) -> Option<&str> {
    let value = response.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    value.split(';').next().map(str::trim)
}

#[derive(Debug)]
enum Source {
    Ready(Option<Inbound>),
    Events { response: Box<Response>, parser: SseParser, seen: usize, resume: Option<Box<Resume>> },
}

/// The body of one HTTP response: a single message, or a stream of events.
#[derive(Debug)]
pub(super) struct HttpBody {
    id: u64,
    link: Arc<HttpLink>,
    edition: Edition,
    source: Source,
    waiting: Option<Waiting>,
}

/// A request of a session whose answer is not there yet. There a lost connection is no cancellation, so dropping
/// this says it in words (MCP 2025-11-25, Cancellation).
#[derive(Debug)]
struct Waiting {
    link: Arc<HttpLink>,
    id: u64,
    edition: Edition,
    over: bool,
}

impl Waiting {
    fn end(mut self) {
        self.over = true;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.over {
            let text = format!(
                "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{}}}}}",
                self.id
            );
            self.link.clone().post_detached(text, self.edition);
        }
    }
}

impl HttpBody {
    fn streaming(
        id: u64,
        response: Response,
        (link, edition): (&Arc<HttpLink>, Edition),
        resume: Option<Resume>,
    ) -> Self {
        let (response, resume) = (Box::new(response), resume.map(Box::new));
        let source = Source::Events { response, parser: SseParser::new(link.limit), seen: 0, resume };
        Self { id, link: link.clone(), edition, source, waiting: None }
    }

    async fn of(
        id: u64,
        response: Response,
        (link, edition): (&Arc<HttpLink>, Edition),
        resume: Option<Resume>,
    ) -> Result<Self, Error> {
        let limit = link.limit;
        let status = response.status();
        let in_session = resume.is_some();
        match media_type(&response) {
            Some("text/event-stream") if status.is_success() => {
                Ok(Self::streaming(id, response, (link, edition), resume))
            }
            // The specification answers requests with 200, 400 or 404 and a JSON-RPC body.
            Some("application/json") => {
                let bytes = collect(response, limit).await?;
                match one_response(&bytes, id, limit) {
                    Ok(inbound) => {
                        let source = Source::Ready(Some(inbound));
                        Ok(Self { id, link: link.clone(), edition, source, waiting: None })
                    }
                    Err(_) if !status.is_success() => Err(refused(status, in_session)),
                    Err(e) => Err(e),
                }
            }
            _ if !status.is_success() => Err(refused(status, in_session)),
            _ => Err(Error::Garbage("neither JSON nor an event stream".into())),
        }
    }

    pub(super) async fn next(&mut self) -> Result<Inbound, Error> {
        let frame = self.frame().await;
        if matches!(frame, Ok(Inbound::Result(_) | Inbound::Error(_)) | Err(_))
            && let Some(waiting) = self.waiting.take()
        {
            waiting.end();
        }
        frame
    }

    async fn frame(&mut self) -> Result<Inbound, Error> {
        match &mut self.source {
            Source::Ready(inbound) => inbound.take().ok_or(Error::Closed),
            Source::Events { response, parser, seen, resume } => loop {
                while let Some(event) = parser.next_event()? {
                    *seen += 1;
                    if *seen > MAX_EVENTS && self.id != 0 {
                        return Err(Error::Garbage("an endless stream of events".into()));
                    }
                    if let Some(inbound) = one_event(&event.data, self.id, (&self.link, self.edition))? {
                        return Ok(inbound);
                    }
                }
                let lost = match response.chunk().await {
                    Ok(Some(bytes)) => {
                        parser.push(&bytes);
                        continue;
                    }
                    Ok(None) => Error::Closed,
                    Err(e) => network(&e),
                };
                // A request's stream is taken up again only from an event on; our own standing one in any case.
                match resume.as_mut().filter(|_| self.id == 0 || parser.last_id().is_some()) {
                    None => return Err(lost),
                    Some(resume) => **response = resume.again(parser).await?,
                }
            },
        }
    }
}

fn refused(status: StatusCode, in_session: bool) -> Error {
    if status == StatusCode::NOT_FOUND && in_session {
        Error::SessionExpired
    } else {
        Error::Status(status.as_u16())
    }
}

async fn collect(mut response: Response, limit: usize) -> Result<Bytes, Error> {
    let mut first = None;
    let mut rest = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| network(&e))? {
        if first.is_none() && rest.is_empty() {
            first = Some(chunk);
            continue;
        }
        if let Some(first) = first.take() {
            rest.extend_from_slice(&first);
        }
        rest.extend_from_slice(&chunk);
        if rest.len() > limit {
            return Err(Error::TooLarge(limit));
        }
    }
    let all = first.unwrap_or_else(|| Bytes::from(rest));
    if all.len() > limit { Err(Error::TooLarge(limit)) } else { Ok(all) }
}

fn read(bytes: &[u8], limit: usize) -> Result<&str, Error> {
    let limits = JsonLimits { bytes: limit, ..JsonLimits::default() };
    check(bytes, &limits).map_err(|e| Error::Garbage(e.to_string()))
}

fn one_response(bytes: &[u8], expected: u64, limit: usize) -> Result<Inbound, Error> {
    match Message::parse(read(bytes, limit)?.trim()).map_err(|e| Error::Garbage(e.to_string()))? {
        Message::Response { id, outcome } => inbound(id.as_ref(), outcome, expected),
        _ => Err(Error::Garbage("not a response".into())),
    }
}

fn one_event(
    event: &str,
    expected: u64,
    (link, edition): (&Arc<HttpLink>, Edition),
) -> Result<Option<Inbound>, Error> {
    match Message::parse(read(event.as_bytes(), link.limit)?.trim())
        .map_err(|e| Error::Garbage(e.to_string()))?
    {
        Message::Response { id, outcome } => inbound(id.as_ref(), outcome, expected).map(Some),
        Message::Notification { method, params } => {
            Ok(Some(Inbound::Notification { method, params: params.unwrap_or("{}").to_owned() }))
        }
        Message::Request { id, method, params } => Ok(asked(id, &method, params, (link, edition))),
    }
}

/// A question on the stream of a call, so that it is known whom it concerns. Anything else is refused.
fn asked(
    id: Id,
    method: &str,
    params: Option<&str>,
    (link, edition): (&Arc<HttpLink>, Edition),
) -> Option<Inbound> {
    if edition.era() == Era::Legacy
        && let Some(ask) = Ask::parse(method)
    {
        let back = Back::Http { link: link.clone(), id, edition };
        return Some(Inbound::Question(Question::new(ask, params.unwrap_or("{}").to_owned(), back)));
    }
    link.clone().post_detached(refusal_of(&id, method), edition);
    None
}

fn inbound(id: Option<&Id>, outcome: Outcome<'_>, expected: u64) -> Result<Inbound, Error> {
    match (id.map(Id::as_u64), outcome) {
        (Some(Some(found)), Outcome::Result(raw)) if found == expected => Ok(Inbound::Result(raw.to_owned())),
        // A server that could not read the request answers without its id.
        (Some(Some(found)), Outcome::Error(raw)) if found == expected => Ok(Inbound::Error(raw.to_owned())),
        (None, Outcome::Error(raw)) => Ok(Inbound::Error(raw.to_owned())),
        _ => Err(Error::Garbage("the answer has another id".into())),
    }
}

impl From<HttpBody> for Inbox {
    fn from(body: HttpBody) -> Self {
        Self::Http(Box::new(body))
    }
}
