//! Where does a call go? One catalog of all backends, its names, and the way back from a name to its owner.

mod catalog;
mod cursor;
mod names;
mod resolve;
mod uris;
#[cfg(test)]
mod tests;

pub use catalog::{Catalog, Entry, Source};
pub use cursor::CursorKey;
pub use names::exposed_name;
pub use resolve::{Front, Found, Resolved, Target};
pub use uris::{exposed_uri, expose_uris, split_uri};
