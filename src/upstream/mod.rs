//! How does a call get there? Transports, eras, sessions and health of the backend servers.

mod cleared;
mod error;
mod event_stream;
mod follow;
mod http;
mod inbox;
mod link;
mod listing;
mod outgoing;
mod peer;
mod pipe;
mod question;
mod resume;
mod server;
mod sse;
mod stdio;
mod target;
mod websocket;

pub use cleared::{ClearedCall, Destination, Unclear};
pub use error::Error;
pub use follow::Follower;
pub use inbox::{Answer, Inbound};
pub use link::News;
pub use listing::Listing;
pub use outgoing::{Hop, LogLevel};
pub use question::{Question, declined};
pub use server::{Event, Health, Upstream};
pub use sse::{SseEvent, SseParser};
pub use target::{Endpoint, EraChoice, SessionMode, Target, Wire};
