//! How do agents reach the gateway? Streamable HTTP in both eras, with its checks and its answers.

mod edge;
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

pub use edge::{Edge, Limits, Parts, routes};
pub use guard::Origins;
pub use rejection::Rejection;
pub use serve::{Listener, PeerAddress};
