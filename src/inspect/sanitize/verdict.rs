//! What was judged, and why: types, places and fixed texts, never a value.

use serde::Serialize;

use super::super::Finding;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing to say against it.
    #[default]
    None,
    /// Heuristic signs: it passes, and is recorded.
    Flag,
    /// It does not pass.
    Block,
}

/// One sign, and what is done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The type, such as `HIDDEN_UNICODE`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// JSON pointer (RFC 6901) of the string.
    pub pointer: String,
    /// What it is, in fixed words.
    pub detail: &'static str,
    /// What is done: `flag`, `quarantine`, `block`, `strip` or `defang`.
    pub action: &'static str,
    /// Keyed commitment to the text, as findings carry it.
    #[serde(skip)]
    pub commitment: String,
    /// How often.
    #[serde(skip)]
    pub count: u32,
}

/// The verdict on one definition, result or set of arguments.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Judged {
    /// The worst of all reasons.
    pub verdict: Verdict,
    /// Whether a person has to approve it before it is used.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub quarantine: bool,
    /// Every sign.
    pub reasons: Vec<Reason>,
}

impl Judged {
    /// Takes a sign in; the verdict follows from its action.
    pub(super) fn add(&mut self, reason: Reason) {
        let verdict = if reason.action == "block" { Verdict::Block } else { Verdict::Flag };
        self.verdict = self.verdict.max(verdict);
        self.quarantine |= reason.action == "quarantine";
        let same = self.reasons.iter_mut().find(|known| {
            (known.kind, known.detail, known.action) == (reason.kind, reason.detail, reason.action)
                && known.pointer == reason.pointer
                && known.commitment == reason.commitment
        });
        match same {
            Some(known) => known.count = known.count.saturating_add(reason.count),
            None => self.reasons.push(reason),
        }
    }

    /// Whether it may be used without a person's approval.
    pub fn passes(&self) -> bool {
        self.verdict < Verdict::Block && !self.quarantine
    }

    /// The signs as findings, for records and policies.
    pub fn findings(&self) -> Vec<Finding> {
        self.reasons.iter().map(Reason::finding).collect()
    }

    /// The first sign for which something is refused, in words for an operator.
    pub fn refusal(&self) -> Option<String> {
        let worst = self.reasons.iter().find(|reason| reason.action == "block")?;
        Some(format!("`{}` is refused: {} ({})", worst.pointer, worst.detail, worst.kind))
    }
}

impl Reason {
    /// The sign as a finding.
    pub fn finding(&self) -> Finding {
        Finding {
            commitment: self.commitment.clone(),
            count: self.count,
            decoded: Vec::new(),
            evidence: "sign",
            operator: self.action,
            pointer: self.pointer.clone(),
            kind: self.kind,
        }
    }
}
