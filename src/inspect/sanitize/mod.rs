//! What must a model not be told, and a server not be asked?
//!
//! Three kinds of text are judged: *definitions* (what a server says of its tools), *results* (what a tool answers)
//! and *arguments* (what an agent asks). Deterministic signs are blocked or cleaned, heuristic ones flagged; each can
//! be set per server and tool. Pure functions on JSON text: verdict, reasons, and for results the cleaned text. What
//! is not touched keeps its bytes.

mod arguments;
mod canonical;
mod config;
mod definitions;
mod encoded;
mod fold;
mod hidden;
mod hosts;
mod injection;
mod links;
mod names;
mod paths;
mod phrases;
mod results;
mod sanitizer;
mod schema;
mod score;
mod selftest;
mod strings;
#[cfg(test)]
mod tests;
mod urls;
mod verdict;

/// Types of all signs.
pub const KINDS: [&str; 16] = [
    "HIDDEN_UNICODE",
    "CONFUSABLE",
    "CONCEALED",
    "INSTRUCTION",
    "NAME",
    "MALFORMED",
    "TOO_LONG",
    "SECRET_HEADER",
    "SCRIPT_LINK",
    "EXFIL_LINK",
    "SSRF",
    "PATH_TRAVERSAL",
    "SQL_INJECTION",
    "COMMAND_INJECTION",
    "INJECTION",
    "SCHEMA",
];

pub use canonical::{canonical, definition_digest};
pub use config::{
    ArgumentRules, ArgumentSettings, Config, DefinitionRules, DefinitionSettings, Guard, Hold, OnNew,
    ResultRules, ResultSettings, Rules, Semantic, Wash,
};
pub use hidden::visible;
pub use names::{confusable, is_plain_name, skeleton};
pub use results::Cleaned;
pub use sanitizer::{Error, Sanitizer};
pub use schema::{Misfit, Schema, SchemaError};
pub use verdict::{Judged, Reason, Verdict};
