//! A WebSocket in front (subprotocol `mcp`): the same checks at the handshake, the same limits, one message a text
//! message.

use super::Rejection;
use super::connection::{Connection, Way};
use super::edge::Edge;
use super::serve::PeerAddress;
use super::slots::Slots;
use crate::route::Front;
use axum::extract::FromRequestParts as _;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use futures_util::{SinkExt as _, StreamExt as _};
use http::header::{SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::request::Parts as Head;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, interval, timeout};

/// How often a connection is asked whether it lives.
const PING: Duration = Duration::from_secs(20);
/// A connection that said nothing at all for this long, not even a pong, is dead.
const SILENCE: Duration = Duration::from_mins(1);
/// How long an agent may take to read one message.
const WRITE: Duration = Duration::from_secs(30);

/// Whether a request asks for a WebSocket.
pub(super) fn wanted(head: &Head) -> bool {
    let upgrade = head.headers.get(UPGRADE).and_then(|value| value.to_str().ok());
    head.method == http::Method::GET && upgrade.is_some_and(|name| name.eq_ignore_ascii_case("websocket"))
}

impl Edge {
    /// The checks of any request, then the handshake.
    pub(super) async fn upgrade(
        self: &Arc<Self>,
        mut head: Head,
        front: Front,
    ) -> Result<Response, Rejection> {
        let (who, changes) = self.enter(&head)?;
        let offered = head.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        let offers = offered.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        if !offers.map(str::trim).any(|name| name == "mcp") {
            return Err(Rejection::Subprotocol);
        }
        let place = self.places.stream()?;
        let source = head.extensions.get::<PeerAddress>().map(|peer| peer.0.ip());
        let upgrade = WebSocketUpgrade::from_request_parts(&mut head, &()).await;
        let upgrade = upgrade.map_err(|_| Rejection::Handshake)?;
        let way = Way { front, transport: "websocket", source };
        let (edge, limit) = (self.clone(), self.json.bytes);
        // The library runs it on a task of its own; the token makes a stop wait for it.
        let token = self.tracker.token();
        let upgrade = upgrade.protocols(["mcp"]).max_message_size(limit).max_frame_size(limit);
        Ok(upgrade.on_upgrade(move |socket| async move {
            let connection = Connection::open(&edge, way, who, changes);
            serve(socket, connection, place).await;
            drop(token);
        }))
    }
}

async fn serve(socket: WebSocket, mut connection: Connection, _place: Slots) {
    let (mut sink, mut stream) = socket.split();
    let over = connection.over().clone();
    let mut ping = interval(PING);
    ping.reset();
    let mut heard = Instant::now();
    let why = loop {
        // Read only when nothing waits to be written: whoever does not read is not heard either.
        let message = tokio::select! {
            biased;
            () = over.cancelled() => break close(close_code::POLICY, "the credential, the session or the gateway has ended"),
            message = connection.next() => match message {
                Some(message) => Message::text(message),
                None => break close(close_code::ERROR, ""),
            },
            _ = ping.tick() => {
                if heard.elapsed() > SILENCE {
                    break close(close_code::POLICY, "no sign of life");
                }
                Message::Ping(bytes::Bytes::new())
            }
            read = stream.next() => {
                heard = Instant::now();
                match read {
                    Some(Ok(Message::Text(text))) => {
                        if take(&mut connection, &mut sink, text.as_bytes()).await {
                            continue;
                        }
                        return;
                    }
                    Some(Ok(Message::Binary(_))) => break close(close_code::UNSUPPORTED, "send text messages"),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(_))) | None => return,
                    Some(Err(e)) if too_large(&e) => break close(close_code::SIZE, "the message is too large"),
                    Some(Err(_)) => return,
                }
            }
        };
        if !matches!(timeout(WRITE, sink.send(message)).await, Ok(Ok(()))) {
            return;
        }
    };
    let _ = timeout(WRITE, sink.send(why)).await;
}

/// Takes a message while what has to be said first is written.
async fn take(
    connection: &mut Connection,
    sink: &mut futures_util::stream::SplitSink<WebSocket, Message>,
    text: &[u8],
) -> bool {
    let duplex = connection.duplex.clone();
    let who = duplex.who().clone();
    let taken = duplex.take(&who, text);
    tokio::pin!(taken);
    loop {
        tokio::select! {
            () = &mut taken => return true,
            message = connection.next() => {
                let Some(message) = message else { return false };
                if !matches!(timeout(WRITE, sink.send(Message::text(message))).await, Ok(Ok(()))) {
                    return false;
                }
            }
        }
    }
}

fn close(code: u16, reason: &'static str) -> Message {
    Message::Close(Some(CloseFrame { code, reason: reason.into() }))
}

fn too_large(error: &axum::Error) -> bool {
    let source = std::error::Error::source(error);
    let library = source.and_then(|e| e.downcast_ref::<tokio_tungstenite::tungstenite::Error>());
    matches!(library, Some(tokio_tungstenite::tungstenite::Error::Capacity(_)))
}
