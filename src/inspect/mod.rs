//! What may be in it?
//!
//! Every string, number and object key of a JSON value is looked at, in both directions, and what must not pass
//! gives way to a mask. The stage knows nothing of MCP or of any other stage: JSON text in, JSON text and findings
//! out, stamped as [`Filtered`]. What cannot be inspected within the limits is refused as [`Blocked`].
//!
//! The way of a value: [`Inspector::filter`] → `walk` (tokens of `lexer`, names of `frame`) → `pass` (one text)
//! → `engine` (leads, rules, validators) → `overlap` → edits of the original bytes.

mod bytes;
mod candidate;
mod cells;
mod checks;
mod claims;
mod classes;
mod codes;
mod config;
mod context;
mod crypto;
mod custom;
mod cuts;
mod dates;
mod decode;
mod digits;
mod engine;
mod error;
mod examined;
mod filtered;
mod follow;
mod found;
mod frame;
mod hasher;
mod html;
mod inspector;
mod joined;
mod ledger;
mod lexer;
mod loose;
mod manner;
mod named;
mod net;
mod normalise;
mod notes;
mod numbers;
mod operators;
mod overlap;
mod pass;
mod pattern;
mod phone;
mod phrases;
mod place;
mod pointer;
mod prefixes;
#[cfg(test)]
mod properties;
mod recognizer;
mod rules;
mod sample;
pub mod sanitize;
mod scanners;
mod seam;
mod selection;
mod selftest;
mod settings;
mod shapes;
mod shifts;
mod spelled;
mod statements;
mod surroundings;
mod tables;
#[cfg(test)]
mod tests;
mod told;
mod trace;
#[cfg(test)]
mod traffic;
mod walk;
mod words;

pub use config::{Config, Flow, Limits, Operator, Override, Pseudonyms, Reach, Scope, Tokens, Unknown};
pub use error::{Blocked, Error};
pub use examined::{Examined, Shape, Spot};
pub use filtered::{Direction, Filtered, Finding, Route, Subject};
pub use inspector::Inspector;
pub use manner::{Manner, Minted, Whose};
pub use notes::Passed;
pub use recognizer::{Breaker, OnFailure, Recognizer, Score};
pub use told::{Entity, Texts, Told};
