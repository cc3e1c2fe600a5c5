//! A WebSocket towards a backend (subprotocol `mcp`): one JSON-RPC message a text message.

use super::http::given_headers;
use super::link::{Surroundings, Unasked};
use super::pipe::{Carrier, Ends, Pipe, Shared, Write, dispatch};
use super::{Endpoint, Error, Target};
use crate::tls::ClientTls;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, timeout};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::Url;

const SUBPROTOCOL: HeaderName = HeaderName::from_static("sec-websocket-protocol");
const MCP: HeaderValue = HeaderValue::from_static("mcp");
/// How often a connection is asked whether it lives.
const PING: Duration = Duration::from_secs(20);
/// A connection that said nothing at all for this long, not even a pong, is dead.
const SILENCE: Duration = Duration::from_mins(1);

/// TCP, with TLS or without.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}
type Socket = WebSocketStream<Box<dyn Wire>>;

/// Opens the connection. Requests wait for the handshake, and fail with its reason.
pub(super) fn open(
    target: &Target,
    (url, headers): (&Url, &[(String, String)]),
    around: &Surroundings,
) -> Result<Pipe, Error> {
    let headers = given_headers(headers)?;
    let tls = match &target.endpoint {
        Endpoint::Remote { tls: Some(tls), .. } => tls.clone(),
        _ => ClientTls::default(),
    };
    let (pipe, ends) = Pipe::new(target, around, Carrier::WebSocket);
    let (url, wait) = (url.clone(), target.start_timeout);
    around.tracker.spawn(async move {
        let Ends { shared, mut outbox, unasked, stop } = ends;
        let life = async {
            let opening = connect(&url, headers, &tls, shared.limit());
            let socket = match timeout(wait, opening).await.unwrap_or(Err(Error::Timeout)) {
                Ok(socket) => socket,
                Err(why) => return why,
            };
            let (sink, stream) = socket.split();
            let heard = Heard::new();
            tokio::select! {
                why = read(stream, &shared, &heard) => why,
                why = write(sink, &mut outbox, &heard) => why,
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

async fn connect(url: &Url, headers: HeaderMap, tls: &ClientTls, limit: usize) -> Result<Socket, Error> {
    let unreachable = |_| Error::Unreachable("connection refused or name not resolved".into());
    let host = url.host_str().ok_or_else(|| Error::Unusable("the URL has no host".into()))?;
    let port = url.port_or_known_default().ok_or_else(|| Error::Unusable("the URL has no port".into()))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((bare, port)).await.map_err(unreachable)?;
    let _ = stream.set_nodelay(true);
    let stream: Box<dyn Wire> = if url.scheme() == "wss" {
        let config = tls.config(&[b"http/1.1"]).map_err(|e| Error::Unusable(e.to_string()))?;
        let name = bare.to_owned().try_into();
        let name = name.map_err(|_| Error::Unusable("the URL's host is no server name".into()))?;
        let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        Box::new(connected.map_err(|_| Error::Unreachable("the TLS handshake failed".into()))?)
    } else {
        Box::new(stream)
    };
    let mut request =
        url.as_str().into_client_request().map_err(|_| Error::Unusable("not a WebSocket URL".into()))?;
    request.headers_mut().extend(headers);
    request.headers_mut().insert(SUBPROTOCOL, MCP);
    let bounds = WebSocketConfig::default().max_message_size(Some(limit)).max_frame_size(Some(limit));
    let (socket, _) =
        client_async_with_config(request, stream, Some(bounds)).await.map_err(|e| cause(&e, limit))?;
    Ok(socket)
}

/// When something was last heard, for both halves.
struct Heard {
    start: Instant,
    at_ms: AtomicU64,
}

impl Heard {
    fn new() -> Self {
        Self { start: Instant::now(), at_ms: AtomicU64::new(0) }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn note(&self) {
        self.at_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    fn silence(&self) -> Duration {
        Duration::from_millis(self.now_ms().saturating_sub(self.at_ms.load(Ordering::Relaxed)))
    }
}

async fn read(mut stream: SplitStream<Socket>, shared: &Arc<Shared>, heard: &Heard) -> Error {
    loop {
        let message = match stream.next().await {
            Some(Ok(message)) => message,
            Some(Err(e)) => return cause(&e, shared.limit()),
            None => return Error::Closed,
        };
        heard.note();
        match message {
            Message::Text(text) => {
                if let Err(e) = dispatch(shared, text.as_bytes()) {
                    tracing::warn!(server = shared.server(), "{e}");
                }
            }
            Message::Binary(_) => return Error::Garbage("a binary WebSocket message".into()),
            Message::Close(_) => return Error::Closed,
            // Pings are answered by the library.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

async fn write(
    mut sink: SplitSink<Socket, Message>,
    outbox: &mut mpsc::Receiver<Write>,
    heard: &Heard,
) -> Error {
    let mut ping = interval(PING);
    ping.reset();
    loop {
        let message = tokio::select! {
            write = outbox.recv() => match write {
                Some(write) => Message::text(write.text),
                None => return Error::Closed,
            },
            _ = ping.tick() => {
                if heard.silence() > SILENCE {
                    return Error::Timeout;
                }
                Message::Ping(tungstenite::Bytes::new())
            }
        };
        if sink.send(message).await.is_err() {
            return Error::Closed;
        }
    }
}

fn cause(error: &tungstenite::Error, limit: usize) -> Error {
    match error {
        tungstenite::Error::Capacity(_) => Error::TooLarge(limit),
        tungstenite::Error::Http(response) => Error::Status(response.status().as_u16()),
        tungstenite::Error::Protocol(tungstenite::error::ProtocolError::SecWebSocketSubProtocolError(_)) => {
            Error::Garbage("it does not agree on the WebSocket subprotocol `mcp`".into())
        }
        tungstenite::Error::Protocol(_) | tungstenite::Error::Utf8(_) | tungstenite::Error::HttpFormat(_) => {
            Error::Garbage("not a WebSocket".into())
        }
        _ => Error::Closed,
    }
}
