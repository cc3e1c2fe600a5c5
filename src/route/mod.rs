//! Where does a call go? One catalog of all backends, its names, and the way back from a name to its owner.

mod catalog;
mod cursor;
mod names;
mod resolve;
#[cfg(test)]
mod tests;
mod uris;

pub use catalog::{Catalog, Entry, Source};
pub use cursor::CursorKey;
pub use names::exposed_name;
pub use resolve::{Found, Front, Resolved, Target};
pub use uris::{expose_uris, exposed_uri, split_uri};
