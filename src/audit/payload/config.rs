//! Settings of payloads.

use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What of arguments and results is kept, encrypted, beside the log; always after redaction.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Payloads")]
pub struct Config {
    /// What is kept.
    pub capture: Capture,
    /// Largest text that is kept, in bytes; of a longer one the record holds the length.
    pub max_bytes: usize,
    /// How long it is kept.
    pub retention: Retention,
    /// Role that both approvers of an erasure, and whoever sets or lifts a hold, must have.
    pub approver_role: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            capture: Capture::default(),
            max_bytes: 16 << 10,
            retention: Retention::default(),
            approver_role: "auditor".into(),
        }
    }
}

/// How much is kept of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Capture")]
pub enum Capture {
    /// Records only: no arguments, no results.
    Metadata,
    /// Arguments.
    Request,
    /// Arguments and results.
    #[default]
    RequestResponse,
}

/// How long payloads are kept. Records themselves are never deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Retention")]
pub struct Retention {
    /// A regulation whose shortest time no setting may undercut.
    pub profile: Profile,
    /// Days that payloads are kept; absent: for ever.
    pub days: Option<u32>,
    /// The same by server id.
    pub servers: BTreeMap<String, u32>,
}

/// A shortest time of retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RetentionProfile")]
pub enum Profile {
    /// None.
    #[default]
    None,
    /// PCI DSS 10.5.1: twelve months.
    Pci,
    /// HIPAA 164.316(b)(2): six years.
    Hipaa,
    /// Sarbanes-Oxley: seven years.
    Sox,
    /// EU AI Act, articles 19 and 26(6): six months.
    EuAiAct,
}

impl Profile {
    /// Least days.
    pub fn floor(self) -> u32 {
        match self {
            Self::None => 0,
            Self::EuAiAct => 184,
            Self::Pci => 366,
            Self::Hipaa => 2192,
            Self::Sox => 2557,
        }
    }
}

impl Retention {
    /// What is wrong with the settings, in words.
    pub fn problem(&self) -> Option<String> {
        let floor = self.profile.floor();
        let all = self.days.iter().map(|days| ("days".to_owned(), *days));
        let all = all.chain(self.servers.iter().map(|(id, days)| (format!("servers.{id}"), *days)));
        let short = all.into_iter().find(|(_, days)| *days < floor.max(1));
        short.map(|(name, days)| {
            format!("`{name}` is {days} days, the profile asks for at least {}", floor.max(1))
        })
    }
}
