//! Taking up a stream again that a server of the session era has let go (MCP 2025-11-25, "Resumability and
//! Redelivery").

use super::Error;
use super::http::media_type;
use super::sse::SseParser;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, StatusCode};
use std::time::Duration;

const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");
/// The pause where the server names none.
const PAUSE: Duration = Duration::from_secs(1);
/// The shortest pause, so that a server that keeps hanging up costs little.
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest pause that a server can ask for; the call's own limit may end it before.
const LONGEST: Duration = Duration::from_mins(1);
/// Most attempts in a row that fail.
const ATTEMPTS: u32 = 3;

/// How to ask for the rest of a stream.
#[derive(Debug)]
pub(super) struct Resume {
    client: reqwest::Client,
    url: reqwest::Url,
    headers: HeaderMap,
}

impl Resume {
    pub(super) fn new(client: reqwest::Client, url: reqwest::Url, mut headers: HeaderMap) -> Self {
        headers.remove(CONTENT_TYPE);
        Self { client, url, headers }
    }

    /// Waits as long as the server wishes, then connects again and leaves out what has been read.
    ///
    /// # Errors
    /// The stream is lost for good.
    pub(super) async fn again(&mut self, parser: &mut SseParser) -> Result<Response, Error> {
        parser.restart();
        let mut headers = self.headers.clone();
        if let Some(id) = parser.last_id() {
            headers.insert(LAST_EVENT, HeaderValue::try_from(id).map_err(|_| Error::Closed)?);
        }
        for _ in 0..ATTEMPTS {
            tokio::time::sleep(parser.retry().unwrap_or(PAUSE).clamp(SHORTEST, LONGEST)).await;
            let sent = self.client.get(self.url.clone()).headers(headers.clone()).send().await;
            let Ok(response) = sent else { continue };
            match response.status() {
                status if status.is_success() && media_type(&response) == Some("text/event-stream") => {
                    return Ok(response);
                }
                StatusCode::TOO_MANY_REQUESTS => {}
                status if status.is_server_error() => {}
                // It has no such stream (any more).
                _ => return Err(Error::Closed),
            }
        }
        Err(Error::Closed)
    }
}
