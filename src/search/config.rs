//! Settings of search.

use schemars::JsonSchema;
use serde::Deserialize;

/// How the log is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Search")]
pub struct Config {
    /// Whether the gateway keeps an index beside the log.
    pub index: bool,
    /// Whether the index holds the words of payloads, readable for whoever can read the data folder, until they are
    /// erased. Without them they are still found by a scan.
    pub texts: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { index: true, texts: true }
    }
}
