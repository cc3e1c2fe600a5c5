//! Events of a response, read as they come.

use crate::harness::{Gate, Token};
use futures_util::StreamExt as _;
use serde_json::Value;

/// An open event stream.
pub struct Events {
    body: futures_util::stream::BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    buffer: String,
}

impl Events {
    /// Sends a request to the governed endpoint whose answer must be a stream.
    pub async fn open(gate: &Gate, method: reqwest::Method, headers: &[(&str, &str)], body: String) -> Self {
        let mut request = gate.http.request(method, &gate.endpoint).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        Self { body: response.bytes_stream().boxed(), buffer: String::new() }
    }

    /// The answer to a stateless request.
    pub async fn modern(gate: &Gate, token: &Token, method: &str, params: Value) -> Self {
        let (headers, body) = crate::harness::modern_request(method, params);
        let bearer = format!("Bearer {}", token.value);
        let mut all: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
        all.push(("authorization", &bearer));
        Self::open(gate, reqwest::Method::POST, &all, body.to_string()).await
    }

    /// The standing stream of a session.
    pub async fn standing(gate: &Gate, token: &Token, session: &str) -> Self {
        let bearer = format!("Bearer {}", token.value);
        let headers = [
            ("authorization", bearer.as_str()),
            ("accept", "text/event-stream"),
            ("mcp-session-id", session),
        ];
        Self::open(gate, reqwest::Method::GET, &headers, String::new()).await
    }

    /// The next event that holds a message, with its id.
    pub async fn next(&mut self) -> (String, Value) {
        loop {
            while let Some(end) = self.buffer.find("\n\n") {
                let event: String = self.buffer.drain(..end + 2).collect();
                let line = |name: &str| event.lines().find_map(|l| l.strip_prefix(name)).map(str::to_owned);
                if let Some(data) = line("data: ").filter(|d| !d.is_empty()) {
                    return (line("id: ").unwrap_or_default(), serde_json::from_str(&data).expect("JSON"));
                }
            }
            let bytes = self.body.next().await.expect("more events").expect("bytes");
            self.buffer.push_str(std::str::from_utf8(&bytes).expect("UTF-8"));
        }
    }
}
