//! Settings of the log.

use schemars::JsonSchema;
use serde::Deserialize;

/// How the log is kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Audit")]
pub struct Config {
    /// Records that may wait for the disk; more are refused.
    pub queue: usize,
    /// Free space on the file system below which new calls are refused, in MiB; outcomes still go in.
    pub admin_space_left_mb: u64,
    /// Largest size of the store, in MiB; absent: as large as the disk.
    pub max_size_mb: Option<u64>,
    /// Pause between attempts to recover after a failure, in milliseconds.
    pub retry_ms: u64,
    /// A heartbeat is written after this much silence, in seconds.
    pub heartbeat_s: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { queue: 1024, admin_space_left_mb: 64, max_size_mb: None, retry_ms: 500, heartbeat_s: 60 }
    }
}
