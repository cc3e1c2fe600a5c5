//! The section `approval`: where people approve calls, and how long a call waits for them.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use url::{Host, Url};

use super::check::Checker;

/// Least and most of `waitMs`.
const WAIT_MS: (u64, u64) = (100, 86_400_000);

/// Calls that wait for a person's approval (`@require_approval`).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Approval")]
pub(super) struct ApprovalEntry {
    /// Address of the administrative listener as approvers see it. With it, that listener serves a page for approvers
    /// below `/approvals/`, and agents that can open URLs are asked to hand it on while their call waits; without it
    /// such calls are refused with a reference.
    url: Option<String>,
    /// Longest time that such a call waits for a decision, in milliseconds. `limits.callTimeoutMs` and the policy's
    /// `@approval_ttl` bound it too.
    #[schemars(range(min = 100, max = 86_400_000))]
    wait_ms: u64,
}

impl Default for ApprovalEntry {
    fn default() -> Self {
        Self { url: None, wait_ms: 120_000 }
    }
}

/// Calls that wait for a person's approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The administrative listener as approvers see it; without it agents are not asked.
    pub url: Option<Url>,
    /// Longest time that a call waits for a decision.
    pub wait: Duration,
}

/// Checks the section; `None` when a problem was reported.
pub(super) fn resolve(entry: &ApprovalEntry, checker: &mut Checker<'_>) -> Option<Approval> {
    let (least, most) = WAIT_MS;
    checker.in_range(&["approval", "waitMs"], entry.wait_ms, least.into(), most.into());
    let url = match &entry.url {
        Some(text) => Some(address(text, checker)?),
        None => None,
    };
    Some(Approval { url, wait: Duration::from_millis(entry.wait_ms) })
}

fn address(text: &str, checker: &mut Checker<'_>) -> Option<Url> {
    let path = ["approval", "url"];
    let url = checker.web_url(&path, text)?;
    if url.query().is_some() {
        checker.wrong(&path, "`url` has a query", "write it without `?…`");
        return None;
    }
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    // Approvers enter their token there.
    if url.scheme() != "https" && !here {
        checker.wrong(
            &path,
            "`url` carries tokens without TLS",
            "write `https://`; `http://` is for loopback only",
        );
        return None;
    }
    Some(url)
}
