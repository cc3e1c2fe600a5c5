//! What `sealgate check` and `/readyz` say about backends.

use super::HeldTool;
use crate::upstream::{Health, Listing};
use serde::Serialize;

/// What a trial run found.
#[derive(Debug, Clone, Serialize)]
pub struct Trial {
    /// Tools that are held back until a person has looked at them.
    pub held: Vec<HeldTool>,
    /// Each backend: up with its counts, or why not.
    pub backends: Vec<BackendReport>,
    /// What a person should look at.
    pub notes: Vec<String>,
}

/// One backend in a report.
#[derive(Debug, Clone, Serialize)]
pub struct BackendReport {
    /// The server's id.
    pub server: String,
    /// `up`, `starting` or `down`.
    pub state: &'static str,
    /// Why it is down.
    pub reason: Option<String>,
    /// The revision that it speaks.
    pub protocol: Option<&'static str>,
    /// Tools.
    pub tools: usize,
    /// Prompts.
    pub prompts: usize,
    /// Resources and templates.
    pub resources: usize,
}

impl BackendReport {
    pub(super) fn new(server: &str, health: Health, listing: Option<&Listing>) -> Self {
        let (state, reason) = match health {
            Health::Up => ("up", None),
            Health::Starting => ("starting", None),
            Health::Down(why) => ("down", Some(why.to_string())),
        };
        Self {
            server: server.to_owned(),
            state,
            reason,
            protocol: listing.map(|l| l.edition.as_str()),
            tools: listing.map_or(0, |l| l.tools.len()),
            prompts: listing.map_or(0, |l| l.prompts.len()),
            resources: listing.map_or(0, |l| l.resources.len() + l.templates.len()),
        }
    }
}
