//! What exactly was said? Redacted arguments and results, encrypted beside the log, so that they can be erased
//! while every proof stays valid.

mod config;
mod erase;
mod keyring;
mod reader;
pub(super) mod seal;
pub(super) mod shelf;
pub(super) mod vault;

pub use config::{Capture, Config, Profile, Retention};
pub use erase::{Erasure, Hold, Selector};
pub use reader::{Payload, Payloads};
pub use seal::{Failed, Role};
pub use vault::Body;
