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
    /// While the log grows, a checkpoint is signed this often, in milliseconds.
    pub checkpoint_ms: u64,
    /// How long a commit waits for more records while several calls run at once, in microseconds; 0: not at all.
    pub commit_delay_us: u64,
    /// Where checkpoints are kept besides the data folder.
    pub anchors: super::anchor::Config,
    /// What of arguments and results is kept beside the log, encrypted.
    pub payloads: super::payload::Config,
    /// What each reply holds under `_meta.io.sealgate/receipt`.
    pub receipts: Receipts,
}

/// What an agent gets as evidence of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Receipts")]
pub enum Receipts {
    /// Nothing.
    None,
    /// Log, sequence number and hash.
    Plain,
    /// The same, signed once a commit.
    #[default]
    Signed,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            queue: 1024,
            admin_space_left_mb: 64,
            max_size_mb: None,
            retry_ms: 500,
            heartbeat_s: 60,
            checkpoint_ms: 1000,
            commit_delay_us: 1000,
            anchors: super::anchor::Config::default(),
            payloads: super::payload::Config::default(),
            receipts: Receipts::default(),
        }
    }
}
