//! A demo server behind HTTP+SSE and behind a WebSocket, which can be told to misbehave.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use std::collections::HashMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// What the server does wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Nothing,
    /// The `endpoint` event names this.
    Endpoint(&'static str),
    /// The stream begins with a message.
    NoEndpoint,
    /// A second `endpoint` event, elsewhere, comes with the first call.
    MovesAway,
    /// The stream ends when a tool is called.
    HangsUp,
    /// A call is answered with this many bytes.
    Huge(usize),
    /// Posts are answered with this status once a tool is called.
    Refuses(u16),
    /// It takes no more messages once a tool is called, and says nothing.
    Stops,
    /// The WebSocket does not agree on the subprotocol.
    NoSubprotocol,
    /// A call is answered with a binary message.
    Binary,
    /// A call is answered with what is no JSON, and then properly.
    GarbageFirst,
}

/// A running server. What arrives is told, in order.
pub struct Backend {
    pub address: String,
    pub arrived: mpsc::UnboundedReceiver<String>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Host {
    fault: Fault,
    told: mpsc::UnboundedSender<String>,
    pipes: Mutex<HashMap<String, mpsc::UnboundedSender<String>>>,
}

impl Backend {
    pub async fn start(fault: Fault) -> Self {
        let (told, arrived) = mpsc::unbounded_channel();
        let host = Arc::new(Host { fault, told, pipes: Mutex::default() });
        let routes = Router::new()
            .route("/sse", get(stream))
            .route("/messages", post(message))
            .route("/ws", any(socket))
            .with_state(host);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { address, arrived, serving }
    }

    /// Waits for a message that holds `words`.
    pub async fn receives(&mut self, words: &str) -> String {
        let wait = async {
            loop {
                let message = self.arrived.recv().await.expect("the server runs");
                if message.contains(words) {
                    return message;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the message arrives")
    }
}

fn demo() -> Child {
    Command::new(crate::harness::binary())
        .args(["demo-server", "ops"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Starts a demo server: messages go in at one end, its answers come out at the other.
fn pipe(host: &Arc<Host>) -> (mpsc::UnboundedSender<String>, mpsc::UnboundedReceiver<String>) {
    let mut child = demo();
    let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (input, mut to_write) = mpsc::unbounded_channel::<String>();
    let (output, answers) = mpsc::unbounded_channel();
    let told = host.told.clone();
    tokio::spawn(async move {
        let _child = child;
        let mut lines = BufReader::new(stdout).lines();
        loop {
            tokio::select! {
                line = lines.next_line() => match line {
                    Ok(Some(line)) => if output.send(line).is_err() { return },
                    _ => return,
                },
                message = to_write.recv() => {
                    let Some(message) = message else { return };
                    let _ = told.send(message.clone());
                    let _ = stdin.write_all(format!("{message}\n").as_bytes()).await;
                }
                () = output.closed() => return,
            }
        }
    });
    (input, answers)
}

fn is_call(message: &str) -> bool {
    message.contains("\"tools/call\"")
}

fn event(name: &str, data: &str) -> Bytes {
    format!("event: {name}\r\ndata: {data}\r\n\r\n").into()
}

async fn stream(State(host): State<Arc<Host>>, headers: HeaderMap) -> Response {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let (input, mut answers) = pipe(&host);
    host.pipes.lock().unwrap().insert(id.clone(), input);
    let _ = host.told.send(format!("GET with {:?}", headers.get("authorization")));
    let (events, bytes) = mpsc::unbounded_channel::<Result<Bytes, std::io::Error>>();
    let first = match host.fault {
        Fault::Endpoint(said) => event("endpoint", said),
        Fault::NoEndpoint => event("message", "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}"),
        _ => event("endpoint", &format!("/messages?id={id}")),
    };
    events.send(Ok(first)).unwrap();
    tokio::spawn(async move {
        let mut asked = 0;
        while let Some(answer) = answers.recv().await {
            asked += usize::from(answer.contains("\"content\""));
            let called = asked > 0;
            let sent = match host.fault {
                Fault::MovesAway if called => {
                    events.send(Ok(event("endpoint", "http://127.0.0.1:1/messages")))
                }
                Fault::HangsUp if called => return,
                Fault::Huge(bytes) if called => events.send(Ok("data: x".repeat(bytes / 7).into())),
                Fault::GarbageFirst if called => {
                    let _ = events.send(Ok(event("message", "not JSON")));
                    events.send(Ok(event("message", &answer)))
                }
                _ => events.send(Ok(event("message", &answer))),
            };
            if sent.is_err() {
                return;
            }
        }
    });
    let body = Body::from_stream(tokio_stream::wrappers::UnboundedReceiverStream::new(bytes));
    ([("content-type", "text/event-stream")], body).into_response()
}

async fn message(
    State(host): State<Arc<Host>>,
    Query(query): Query<HashMap<String, String>>,
    body: String,
) -> StatusCode {
    if is_call(&body) {
        match host.fault {
            Fault::Refuses(status) => return StatusCode::from_u16(status).unwrap(),
            Fault::Stops => std::future::pending().await,
            _ => {}
        }
    }
    let pipe = host.pipes.lock().unwrap().get(&query["id"]).cloned();
    match pipe.map(|pipe| pipe.send(body)) {
        Some(Ok(())) => StatusCode::ACCEPTED,
        _ => StatusCode::NOT_FOUND,
    }
}

async fn socket(State(host): State<Arc<Host>>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    let _ = host.told.send(format!("upgrade with {:?}", headers.get("authorization")));
    let upgrade = if host.fault == Fault::NoSubprotocol { upgrade } else { upgrade.protocols(["mcp"]) };
    upgrade.on_upgrade(move |socket| serve_socket(host, socket))
}

async fn serve_socket(host: Arc<Host>, mut socket: WebSocket) {
    let (input, mut answers) = pipe(&host);
    loop {
        tokio::select! {
            answer = answers.recv() => {
                let Some(answer) = answer else { return };
                let called = answer.contains("\"content\"");
                let message = match host.fault {
                    Fault::HangsUp if called => return,
                    Fault::Huge(bytes) if called => Message::text("x".repeat(bytes)),
                    Fault::Binary if called => Message::binary(answer),
                    Fault::GarbageFirst if called => {
                        let _ = socket.send(Message::text("not JSON")).await;
                        Message::text(answer)
                    }
                    _ => Message::text(answer),
                };
                if socket.send(message).await.is_err() {
                    return;
                }
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    if is_call(&text) && host.fault == Fault::Stops {
                        std::future::pending::<()>().await;
                    }
                    let _ = input.send(text.to_string());
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return,
            }
        }
    }
}
