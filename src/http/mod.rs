//! How do agents reach the gateway? Streamable HTTP in both eras, HTTP+SSE and WebSocket, with their checks and
//! their answers.

mod batch;
mod connection;
mod duplex;
mod edge;
mod event_stream;
mod guard;
mod legacy;
mod modern;
mod opening;
mod rejection;
mod replay;
mod respond;
mod serve;
mod session_edge;
mod sessions;
mod slots;
mod stream;
mod unread;
mod websocket;

pub use connection::{Connection, Credential, Way};
pub use edge::{Edge, Limits, Parts, routes};
pub use guard::Origins;
pub use rejection::Rejection;
pub use serve::{Listener, PeerAddress};
