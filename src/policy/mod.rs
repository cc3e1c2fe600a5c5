//! May they do it?
//!
//! Cedar decides. [`Policies::load`] reads a folder of policies, types every tool's arguments from its input
//! schema, validates strictly, and slices the policies by action and resource; [`Policies::authorize`] answers
//! a [`Question`] with a [`Permit`], which only this stage can make, or a [`Denial`].
//!
//! Three rules go beyond Cedar's own. A `forbid` that fails to evaluate denies (Cedar would skip it). An
//! argument that does not fit its declared type denies before any policy runs. And a value that Cedar's types
//! cannot hold exactly denies if a policy would have read it.

mod actions;
mod alike;
mod annotations;
mod arguments;
mod asking;
mod authorize;
mod bundle;
mod callers;
mod case;
mod changes;
mod circumstances;
mod claims;
mod config;
mod decide;
mod desk;
mod digests;
mod entities;
mod explain;
mod folder;
mod generate;
mod hierarchy;
mod listing;
mod load;
mod model;
mod obligations;
mod problem;
mod question;
mod reads;
mod recorded;
mod replay;
mod returned;
mod schema;
mod seen;
mod selftest;
mod settle;
mod shape;
mod slices;
mod stamp;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod validate;
mod view;
mod world;

pub use arguments::canonical;
pub use asking::{Asking, ServerAsk};
pub use bundle::{Manifest, SignError, sign};
pub use changes::Changes;
pub use config::{Bundle, Config, Enforcement, Receiver};
pub use desk::formatted;
pub use digests::Digests;
pub use explain::{Explanation, Near, Placed, Stop};
pub use folder::shipped;
pub use load::Policies;
pub use model::{PromptModel, ServerModel, ToolModel};
pub use obligations::{Abilities, Capture, Obligations, Rate, RedactMode};
pub use problem::Problem;
pub use question::{AdminAction, Asked, Circumstances, Item, Level, Question, Reading};
pub use recorded::{Decision, Recorded, RecordedAuthz, RecordedShadow, ShadowTally, Tally};
pub use replay::{Answer, Flip, Group, Replay, Report};
pub use returned::{Decided, RecordedReturn, Returned};
pub use settle::Shadow;
pub use stamp::{Denial, DenialKind, Misfit, Permit, PolicyError};
pub use store::{Archive, Parts, PolicyFiles, Store, StoreError, Surroundings};
pub use table::{Catalog, Person, Played, Row, RowError, Table};
