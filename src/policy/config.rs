//! What the operator sets for this stage.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `policy` section of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Policies")]
pub struct Config {
    /// Folder of `.cedar` files. Every one below it counts; an empty folder permits nothing.
    pub folder: PathBuf,
    /// Folder of `.yaml` files that nest roles and put tools, servers and agents into groups.
    pub entities: Option<PathBuf>,
    /// IANA name of the zone in which `request.hour` and `request.weekday` are told.
    pub time_zone: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { folder: PathBuf::from("policies"), entities: None, time_zone: "UTC".to_owned() }
    }
}
