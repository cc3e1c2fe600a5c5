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
    /// Whether denials hold, or are only recorded while policies are being rolled out.
    pub mode: Enforcement,
    /// Only a folder that this signed bundle describes is accepted.
    pub bundle: Option<Bundle>,
    /// Who is told when a policy with `@notify("name")` matches, by name.
    pub notify: std::collections::BTreeMap<String, Receiver>,
}

/// Whether decisions hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PolicyMode")]
pub enum Enforcement {
    /// Denials hold.
    #[default]
    Enforce,
    /// Denials are recorded as what would have happened; only the isolation of tenants holds. For roll-out.
    Observe,
}

/// A manifest of the policy and entities files, signed with Ed25519.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "PolicyBundle")]
pub struct Bundle {
    /// The manifest that `sealgate policy sign` writes; relative to this file.
    pub file: PathBuf,
    /// The public key, 64 hexadecimal digits.
    pub public_key: String,
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "PolicyReceiver")]
pub struct Receiver {
    /// Where notices are posted.
    pub url: String,
    /// File with the key that signs them (Standard Webhooks, HMAC-SHA-256), at least 24 bytes; relative to this
    /// file.
    pub secret_file: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            folder: PathBuf::from("policies"),
            entities: None,
            time_zone: "UTC".to_owned(),
            mode: Enforcement::Enforce,
            bundle: None,
            notify: std::collections::BTreeMap::new(),
        }
    }
}
