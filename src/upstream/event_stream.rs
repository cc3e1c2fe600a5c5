//! The deprecated HTTP+SSE transport of 2024-11-05 towards a backend: one stream of events that begins with the
//! address to post to, and posts that are answered on that stream.

use super::http::given_headers;
use super::link::{Surroundings, Unasked};
use super::pipe::{Carrier, Ends, Pipe, Shared, Write, dispatch};
use super::sse::SseParser;
use super::{Error, Target};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// How long a server may take to accept one message. The answer comes on the stream.
const POST_WAIT: Duration = Duration::from_secs(30);
/// Most messages that are being posted at once.
const POSTS: usize = 64;
/// Longest address that the first event may name, in bytes.
const ADDRESS: usize = 4096;

/// One open stream.
struct Stream {
    client: Client,
    headers: HeaderMap,
    url: Url,
    response: Response,
    parser: SseParser,
}

/// Opens the stream. Nothing is known of the server before its first event, so this returns at once; requests
/// wait for it, and fail with the reason if it does not come.
pub(super) fn open(
    target: &Target,
    (url, headers): (&Url, &[(String, String)]),
    around: &Surroundings,
) -> Result<Pipe, Error> {
    let headers = given_headers(headers)?;
    let (pipe, ends) = Pipe::new(target, around, Carrier::EventStream);
    let (client, url, wait) = (around.http.clone(), url.clone(), target.start_timeout);
    around.tracker.spawn(async move {
        let Ends { shared, mut outbox, unasked, stop } = ends;
        let life = async {
            let opening = async {
                let mut stream = Stream::open(client, url, headers, shared.limit()).await?;
                let address = stream.address().await?;
                Ok((stream, address))
            };
            let (stream, address) = match timeout(wait, opening).await.unwrap_or(Err(Error::Timeout)) {
                Ok(opened) => opened,
                Err(why) => return why,
            };
            let (poster, headers) = (stream.client.clone(), stream.headers.clone());
            tokio::select! {
                why = stream.read(&shared, &address) => why,
                why = post_all(&mut outbox, &shared, (&poster, &address, &headers)) => why,
            }
        };
        let why = tokio::select! {
            why = life => why,
            () = stop.cancelled() => Error::Closed,
        };
        shared.close(&why);
        let _ = unasked.try_send(Unasked::Closed);
    });
    Ok(pipe)
}

impl Stream {
    async fn open(client: Client, url: Url, headers: HeaderMap, limit: usize) -> Result<Self, Error> {
        let request = client.get(url.clone()).headers(headers.clone()).header(ACCEPT, EVENTS);
        let response = request.send().await.map_err(|e| super::http::network(&e))?;
        if !response.status().is_success() {
            return Err(Error::Status(response.status().as_u16()));
        }
        if super::http::media_type(&response) != Some("text/event-stream") {
            return Err(Error::Garbage("not an event stream: is it Streamable HTTP (`type: http`)?".into()));
        }
        Ok(Self { client, headers, url, response, parser: SseParser::new(limit) })
    }

    async fn event(&mut self) -> Result<super::SseEvent, Error> {
        loop {
            if let Some(event) = self.parser.next_event()? {
                return Ok(event);
            }
            match self.response.chunk().await {
                Ok(Some(bytes)) => self.parser.push(&bytes),
                Ok(None) => return Err(Error::Closed),
                Err(e) => return Err(super::http::network(&e)),
            }
        }
    }

    /// The first event names where to post.
    async fn address(&mut self) -> Result<Url, Error> {
        let event = self.event().await?;
        if event.name != "endpoint" {
            return Err(Error::Garbage("the stream does not begin with an `endpoint` event".into()));
        }
        address(&self.url, &event.data)
    }

    async fn read(mut self, shared: &Arc<Shared>, posts: &Url) -> Error {
        loop {
            let event = match self.event().await {
                Ok(event) => event,
                Err(why) => return why,
            };
            match event.name.as_str() {
                "message" => {
                    if let Err(e) = dispatch(shared, event.data.as_bytes()) {
                        tracing::warn!(server = shared.server(), "{e}");
                    }
                }
                // A second address could take credentials elsewhere in the middle of a session.
                "endpoint" if address(&self.url, &event.data).as_ref() != Ok(posts) => {
                    return Error::Garbage("its `endpoint` changed within one stream".into());
                }
                _ => {}
            }
        }
    }
}

/// Resolves the address of the first event. Our headers go there, so it must be on the same origin.
fn address(stream: &Url, said: &str) -> Result<Url, Error> {
    if said.len() > ADDRESS {
        return Err(Error::Garbage("its `endpoint` event is too long".into()));
    }
    let address = stream.join(said.trim()).map_err(|_| Error::Garbage("its `endpoint` is no URL".into()))?;
    if address.origin() != stream.origin() {
        return Err(Error::Garbage("its `endpoint` event points to another origin".into()));
    }
    if !address.username().is_empty() || address.password().is_some() {
        return Err(Error::Garbage("its `endpoint` event holds credentials".into()));
    }
    Ok(address)
}

/// Posts what is to be sent. Requests may overtake each other; a notification is let through before what follows
/// it, since `notifications/initialized` opens the way for all else.
async fn post_all(
    outbox: &mut mpsc::Receiver<Write>,
    shared: &Arc<Shared>,
    to: (&Client, &Url, &HeaderMap),
) -> Error {
    let mut posts = FuturesUnordered::new();
    loop {
        tokio::select! {
            write = outbox.recv(), if posts.len() < POSTS => {
                let Some(write) = write else { return Error::Closed };
                if write.id.is_some() {
                    posts.push(post(write, to));
                } else if let (_, Err(why @ Error::SessionExpired)) = post(write, to).await {
                    return why;
                }
            }
            Some((id, done)) = posts.next(), if !posts.is_empty() => match (id, done) {
                // The server has forgotten the stream: nothing on it will ever be answered.
                (_, Err(why @ Error::SessionExpired)) => return why,
                (Some(id), Err(why)) => shared.fail(id, why),
                _ => {}
            },
        }
    }
}

async fn post(
    write: Write,
    (client, address, headers): (&Client, &Url, &HeaderMap),
) -> (Option<u64>, Result<(), Error>) {
    let request = client.post(address.clone()).headers(headers.clone()).header(CONTENT_TYPE, JSON);
    let sent = timeout(POST_WAIT, request.body(write.text).send()).await;
    let done = match sent {
        Err(_) => Err(Error::Timeout),
        Ok(Err(e)) => Err(super::http::network(&e)),
        Ok(Ok(response)) if response.status().is_success() => Ok(()),
        Ok(Ok(response)) if matches!(response.status(), StatusCode::NOT_FOUND | StatusCode::GONE) => {
            Err(Error::SessionExpired)
        }
        Ok(Ok(response)) => Err(Error::Status(response.status().as_u16())),
    };
    (write.id, done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_elsewhere_is_refused() {
        let stream = Url::parse("https://mcp.example/v1/sse").unwrap();
        let at = |said| address(&stream, said).map(|url| url.to_string());
        assert_eq!(at("/messages?id=1").unwrap(), "https://mcp.example/messages?id=1");
        assert_eq!(at("messages?id=1").unwrap(), "https://mcp.example/v1/messages?id=1");
        assert_eq!(at("https://mcp.example:443/m").unwrap(), "https://mcp.example/m");
        for elsewhere in [
            "https://evil.example/messages",
            "//evil.example/messages",
            "http://mcp.example/messages",
            "https://mcp.example:8443/messages",
            "https://user@mcp.example/messages",
            "file:///messages",
            "https://mcp.example.evil.example/",
        ] {
            assert!(matches!(at(elsewhere), Err(Error::Garbage(_))), "{elsewhere}");
        }
    }
}
