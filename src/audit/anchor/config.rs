//! Settings of anchors.

use crate::secret::Secret;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// Where checkpoints are kept that nobody can take back from here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Anchors")]
pub struct Config {
    /// Least time between two anchored checkpoints, in seconds.
    pub every_s: u64,
    /// A file that each anchored checkpoint is added to, relative to the data folder; best on another machine or
    /// device. `null` switches it off.
    pub file: Option<PathBuf>,
    /// A bucket or folder.
    pub object_store: Option<ObjectStore>,
    /// Witnesses that cosign (C2SP tlog-witness).
    pub witnesses: Vec<Witness>,
}

impl Default for Config {
    fn default() -> Self {
        Self { every_s: 10, file: Some("anchors.ndjson".into()), object_store: None, witnesses: Vec::new() }
    }
}

/// A bucket or folder where each checkpoint becomes an object that is never overwritten.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "AnchorObjectStore")]
pub struct ObjectStore {
    /// `s3://bucket/prefix`, or `file:///folder`.
    pub url: String,
    /// Endpoint of an S3 service other than Amazon's.
    pub endpoint: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Access key id.
    pub access_key_id: Option<String>,
    /// Secret access key.
    pub secret_access_key: Option<Secret>,
    /// Whether the endpoint may be spoken to without TLS.
    pub allow_http: bool,
}

/// A witness.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "AnchorWitness")]
pub struct Witness {
    /// Its submission prefix: `/add-checkpoint` is added.
    pub url: String,
    /// Its verification key: `name+id+base64`, of signature type 4.
    pub vkey: String,
}
