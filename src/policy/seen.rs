//! Calls that are the same in all that the policies look at have the same verdict, which need not be found again.
//!
//! A verdict is a function of the caller, the action, what is acted on, and the attributes of the context that the
//! policies of the slice read ([`Reads`]). Caller and entities are those of [`super::callers::Known`], which keeps the
//! verdicts; the rest is here. Whatever differs from call to call is not remembered: time, address, session.

use super::callers::Client;
use super::question::Question;
use super::reads::Reads;

/// Longest text of arguments that is kept, in bytes.
const MAX_ARGUMENTS: usize = 512;
/// Most kinds of findings that are kept.
const MAX_FINDINGS: usize = 16;

/// All that a verdict about a caller's call depends on.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Seen {
    tool: String,
    arguments: Option<String>,
    findings: Option<Vec<String>>,
    client: Option<Client>,
}

impl Seen {
    /// The call, if its policies look at nothing that differs each time.
    pub(super) fn of(reads: &Reads, (tool, args): (&str, &str), question: &Question<'_>) -> Option<Self> {
        let Reads { whole, request, time, source_ip, session, findings, args_json, all_args, .. } = reads;
        if *whole || *time || *source_ip || *session || !reads.others.is_empty() {
            return None;
        }
        let looked_at = *args_json || *all_args || !reads.args.is_empty();
        if (looked_at && args.len() > MAX_ARGUMENTS) || question.findings.len() > MAX_FINDINGS {
            return None;
        }
        Some(Self {
            tool: tool.to_owned(),
            arguments: looked_at.then(|| args.to_owned()),
            findings: findings.then(|| question.findings.iter().map(|kind| (*kind).to_owned()).collect()),
            client: request.then(|| Client::of(question.circumstances)),
        })
    }

    /// Whether the arguments are part of it.
    pub(super) fn has_arguments(&self) -> bool {
        self.arguments.is_some()
    }
}
