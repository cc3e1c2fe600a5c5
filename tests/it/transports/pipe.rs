//! An agent's end of a connection that carries whole messages: WebSocket, HTTP+SSE, standard input and output.

use crate::harness::{Gate, Site, Token, binary};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};

/// How long a message may take: bounds a test that fails, decides nothing else.
const WAIT: Duration = Duration::from_secs(30);

pub type Socket = WebSocketStream<TcpStream>;

pub enum Pipe {
    Socket(Box<Socket>),
    Events(Box<Events>),
    Process { stdin: Option<ChildStdin>, lines: Box<Lines<BufReader<ChildStdout>>>, child: Box<Child> },
}

/// An open HTTP+SSE stream.
pub struct Events {
    pub posts: String,
    http: reqwest::Client,
    token: String,
    response: reqwest::Response,
    buffer: String,
}

/// Opens a WebSocket with these headers.
pub async fn socket(gate: &Gate, path: &str, headers: &[(&str, &str)]) -> Result<Socket, tungstenite::Error> {
    let url = gate.endpoint.replace("http://", "ws://").replace("/mcp", path);
    let address = url.trim_start_matches("ws://").split('/').next().expect("an address");
    let mut request = url.as_str().into_client_request().expect("a URL");
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().expect("a name");
        request.headers_mut().insert(name, value.parse().expect("a value"));
    }
    let stream = TcpStream::connect(address).await.expect("a connection");
    tokio_tungstenite::client_async(request, stream).await.map(|(socket, _)| socket)
}

/// Headers of an agent.
pub fn bearer(token: &Token) -> String {
    format!("Bearer {}", token.value)
}

impl Pipe {
    pub async fn socket(gate: &Gate, token: &Token) -> Self {
        let headers = [("authorization", &*bearer(token)), ("sec-websocket-protocol", "mcp")];
        Self::Socket(Box::new(socket(gate, "/mcp", &headers).await.expect("a WebSocket")))
    }

    pub async fn events(gate: &Gate, token: &Token) -> Self {
        let url = gate.endpoint.replace("/mcp", "/sse");
        let request = gate.http.get(&url).bearer_auth(&token.value).header("accept", "text/event-stream");
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        let mut events = Events {
            posts: String::new(),
            http: gate.http.clone(),
            token: token.value.clone(),
            response,
            buffer: String::new(),
        };
        let (name, data) = events.event().await.expect("an event");
        assert_eq!(name, "endpoint");
        events.posts = url::Url::parse(&url).unwrap().join(&data).unwrap().to_string();
        Self::Events(Box::new(events))
    }

    /// `sealgate stdio` with these arguments.
    pub fn process(site: &Site, arguments: &[&str]) -> Self {
        let mut child = Command::new(binary())
            .arg("stdio")
            .args(arguments)
            .current_dir(site.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(site.path().join("stdio.log")).expect("a log"))
            .kill_on_drop(true)
            .spawn()
            .expect("sealgate starts");
        let stdin = child.stdin.take();
        let lines = Box::new(BufReader::new(child.stdout.take().expect("standard output")).lines());
        Self::Process { stdin, lines, child: Box::new(child) }
    }

    pub async fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    pub async fn send_text(&mut self, text: &str) {
        match self {
            Self::Socket(socket) => socket.send(Message::text(text)).await.expect("sent"),
            Self::Events(events) => assert_eq!(events.post(text).await, 202),
            Self::Process { stdin, .. } => {
                let stdin = stdin.as_mut().expect("an open input");
                stdin.write_all(format!("{text}\n").as_bytes()).await.expect("written");
            }
        }
    }

    /// The next message; `None` when the connection has ended.
    pub async fn receive(&mut self) -> Option<Value> {
        let received = async {
            match self {
                Self::Socket(socket) => loop {
                    match socket.next().await {
                        Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                        _ => return None,
                    }
                },
                Self::Events(events) => events.event().await.map(|(_, data)| data),
                Self::Process { lines, .. } => lines.next_line().await.expect("a line"),
            }
        };
        let text = tokio::time::timeout(WAIT, received).await.expect("a message in time")?;
        Some(serde_json::from_str(&text).expect("JSON"))
    }

    /// All messages up to and with the one that answers `id`.
    pub async fn answers(&mut self, id: &Value) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let message =
                self.receive().await.unwrap_or_else(|| panic!("the connection ended after {all:?}"));
            let last = message["id"] == *id && message.get("method").is_none();
            all.push(message);
            if last {
                return all;
            }
        }
    }

    /// Asks and returns the answer.
    pub async fn ask(&mut self, id: u64, method: &str, params: Value) -> Value {
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        self.answers(&json!(id)).await.pop().expect("an answer")
    }

    /// Opens a session.
    pub async fn initialize(&mut self, version: &str, capabilities: Value) -> Value {
        let params = json!({"protocolVersion": version, "capabilities": capabilities, "clientInfo": {"name": "t", "version": "1"}});
        let answer = self.ask(0, "initialize", params).await;
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        answer
    }

    /// Closes the near end of a process and waits for its exit.
    pub async fn finish(self) -> (Vec<Value>, std::process::ExitStatus) {
        let Self::Process { stdin, mut lines, mut child } = self else { panic!("not a process") };
        drop(stdin);
        let mut said = Vec::new();
        let ending = async {
            while let Some(line) = lines.next_line().await.expect("a line") {
                said.push(serde_json::from_str(&line).expect("JSON"));
            }
            child.wait().await.expect("an end")
        };
        let status = tokio::time::timeout(WAIT, ending).await.expect("it ends");
        (said, status)
    }
}

impl Events {
    pub async fn post(&self, text: &str) -> u16 {
        let request = self.http.post(&self.posts).bearer_auth(&self.token);
        let request = request.header("content-type", "application/json").body(text.to_owned());
        request.send().await.expect("an answer").status().as_u16()
    }

    /// Name and data of the next event.
    async fn event(&mut self) -> Option<(String, String)> {
        loop {
            if let Some(end) = self.buffer.find("\n\n") {
                let event: String = self.buffer.drain(..end + 2).collect();
                let field = |name: &str| {
                    let lines = event.lines().filter_map(move |line| line.strip_prefix(name));
                    lines.map(str::trim).collect::<Vec<_>>().join("\n")
                };
                if !field("data:").is_empty() {
                    return Some((field("event:"), field("data:")));
                }
                continue;
            }
            match self.response.chunk().await {
                Ok(Some(bytes)) => self.buffer.push_str(std::str::from_utf8(&bytes).expect("UTF-8")),
                _ => return None,
            }
        }
    }
}

/// Parameters of a stateless request.
pub fn modern(mut params: Value) -> Value {
    let mut meta = params.get("_meta").cloned().unwrap_or_else(|| json!({}));
    meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    meta["io.modelcontextprotocol/clientInfo"] = json!({"name": "t", "version": "1"});
    meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
    params["_meta"] = meta;
    params
}
