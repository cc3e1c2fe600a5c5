//! How does a local agent speak over standard input and output? To a gateway of its own, or to one elsewhere.

mod exchange;
mod lines;
mod local;
mod remote;

pub use local::serve;
pub use remote::{Remote, Unreachable};
