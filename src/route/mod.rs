//! Where does a call go? One catalog of all backends, its names, and the way back from a name to its owner.

mod catalog;
mod cursor;
mod names;
mod pin_store;
mod pins;
mod resolve;
#[cfg(test)]
mod tests;
mod uris;

pub use catalog::{Admission, Catalog, Entry, Gatekeeper, Offered, Source};
pub use cursor::CursorKey;
pub use names::exposed_name;
pub use pin_store::{PinError, PinStore};
pub use pins::{Book, Change, Held, Listed, OnDrift, Pin, Standing, State, Version, What};
pub use resolve::{Found, Front, Resolved, Target};
pub use uris::{expose_uris, exposed_uri, split_uri};
