//! The only thing that a backend accepts: a call that bears all three stamps.

use super::Hop;
use crate::audit::{Kind, Receipt};
use crate::inspect::Filtered;
use crate::mcp::{Edition, Method, ParamHeaders};
use crate::policy::Permit;
use std::sync::Arc;
use uuid::Uuid;

/// Where a call goes, in the backend's own words.
#[derive(Clone, PartialEq, Eq)]
pub struct Destination {
    /// The server's id.
    pub server: String,
    /// The method.
    pub method: Method,
    /// Members of the parameters that get another raw value on the way, or none: names and URIs of the backend's own,
    /// and the state of a request that it has not finished.
    pub edits: Vec<(&'static str, Option<String>)>,
    /// The backend's own name of the tool or prompt, or its own URI.
    pub own_name: Option<String>,
    /// The parameters that are mirrored in headers, if there are any.
    pub mirrored: Option<Arc<ParamHeaders>>,
    /// Who calls, for backends with a session per principal.
    pub principal: String,
    /// The revision that the agent speaks.
    pub edition: Edition,
}

/// Shows which members change, never to what: it may be what a token stands for.
impl std::fmt::Debug for Destination {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let edits: Vec<&str> = self.edits.iter().map(|(key, _)| *key).collect();
        out.debug_struct("Destination")
            .field("server", &self.server)
            .field("method", &self.method)
            .field("edits", &edits)
            .finish_non_exhaustive()
    }
}

/// Why a call was not cleared. Each of these is a defect of ours, and the gate stays shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// Stamps of different calls.
    #[error("the stamps belong to different calls")]
    Mixed,
    /// The receipt is not for an intent.
    #[error("the receipt does not cover an intent")]
    NotAnIntent,
}

/// A call that is authorized, filtered and durably recorded.
///
/// Only [`ClearedCall::new`] makes one, and only from the three stamps:
///
/// ```compile_fail
/// let call = sealgate::upstream::ClearedCall { call: uuid::Uuid::nil() };
/// ```
///
/// ```compile_fail
/// fn forge(params: String, to: sealgate::upstream::Destination, hop: sealgate::upstream::Hop) {
///     let _ = sealgate::upstream::ClearedCall::new((), params, (), to, hop);
/// }
/// ```
#[derive(Debug)]
pub struct ClearedCall {
    call: Uuid,
    intent: u64,
    permit: Permit,
    params: Filtered<String>,
    to: Destination,
    hop: Hop,
}

impl ClearedCall {
    /// Joins the three stamps.
    ///
    /// # Errors
    /// Refuses stamps of different calls and receipts of anything but an intent.
    pub fn new(
        permit: Permit,
        params: Filtered<String>,
        receipt: Receipt,
        to: Destination,
        hop: Hop,
    ) -> Result<Self, Unclear> {
        let call = permit.call();
        if params.call() != call || receipt.call() != Some(call) {
            return Err(Unclear::Mixed);
        }
        if receipt.kind() != Kind::CallIntent {
            return Err(Unclear::NotAnIntent);
        }
        Ok(Self { call, intent: receipt.seq(), permit, params, to, hop })
    }

    /// Makes this the next round of a call whose backend asked for input: with the answers, which have been filtered
    /// and recorded, and with the backend's own state.
    ///
    /// # Errors
    /// Refuses answers or receipts of other calls.
    pub fn next_round(
        &mut self,
        answers: &Filtered<String>,
        state: Option<String>,
        receipt: &Receipt,
    ) -> Result<(), Unclear> {
        if answers.call() != self.call || receipt.call() != Some(self.call) {
            return Err(Unclear::Mixed);
        }
        if !matches!(receipt.kind(), Kind::CallReply | Kind::CallQuestionDenied) {
            return Err(Unclear::NotAnIntent);
        }
        self.retry(state);
        self.to.edits.push(("inputResponses", Some(answers.value().clone())));
        Ok(())
    }

    /// Makes this the same request again, with the backend's own state and nothing else new.
    pub fn retry(&mut self, state: Option<String>) {
        self.to.edits.retain(|(key, _)| !matches!(*key, "inputResponses" | "requestState"));
        self.to.edits.push(("requestState", state));
    }

    /// The call's id.
    pub fn call(&self) -> Uuid {
        self.call
    }

    /// The sequence number of the intent's record.
    pub fn intent(&self) -> u64 {
        self.intent
    }

    /// What policy said.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// Where it goes.
    pub fn to(&self) -> &Destination {
        &self.to
    }

    /// What this hop adds.
    pub fn hop(&self) -> &Hop {
        &self.hop
    }

    /// The filtered parameters, raw JSON.
    pub fn params(&self) -> &str {
        self.params.value()
    }
}
