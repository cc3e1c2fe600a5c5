//! What a server may ask of the agent that called it: the server is the principal, the agent the resource.

use std::sync::Arc;

use cedar_policy::{Context, Request, RestrictedExpression};
use uuid::Uuid;

use super::circumstances::{Unbuildable, request, text, texts};
use super::decide::evaluate;
use super::load::Policies;
use super::question::Circumstances;
use super::settle::{Settled, settle};
use super::stamp::{Denial, DenialKind, Permit, Reasons};
use crate::identity::Caller;

/// A kind of question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServerAsk {
    /// Input of a person (`Elicit`).
    Elicit,
    /// A completion by the agent's model (`Sample`).
    Sample,
    /// The agent's roots (`ListRoots`).
    ListRoots,
}

impl ServerAsk {
    pub(super) const ALL: [Self; 3] = [Self::Elicit, Self::Sample, Self::ListRoots];

    /// The question as a table of tests names it: `elicit`, `sample`, `list_roots`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "elicit" => Some(Self::Elicit),
            "sample" => Some(Self::Sample),
            "list_roots" => Some(Self::ListRoots),
            _ => None,
        }
    }

    pub(super) fn action(self) -> &'static str {
        match self {
            Self::Elicit => "Elicit",
            Self::Sample => "Sample",
            Self::ListRoots => "ListRoots",
        }
    }
}

/// One question of a server, asked during a call.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// The call.
    pub call: Uuid,
    /// The server's id.
    pub server: &'a str,
    /// What it asks.
    pub ask: ServerAsk,
    /// `form` or `url` for an elicitation, else empty.
    pub mode: &'a str,
    /// How and when the call was made.
    pub circumstances: &'a Circumstances,
    /// Kinds of findings in the question.
    pub findings: &'a [&'a str],
}

impl Policies {
    /// Decides whether a server may put a question to the agent of `caller`.
    ///
    /// # Errors
    /// A [`Denial`], under the same rules as a call.
    pub fn may_ask(&self, caller: &Caller, asking: &Asking<'_>) -> Result<Permit, Denial> {
        let provenance = Arc::clone(&self.digests);
        match self.asked(caller, asking) {
            Ok(Some(settled)) => self.answer_for(asking.call, settled, (false, self.observing)),
            Ok(None) => Err(Denial::new(asking.call, DenialKind::Unknown, Reasons::default(), provenance)),
            Err(Unbuildable) => {
                Err(Denial::new(asking.call, DenialKind::Erred, Reasons::default(), provenance))
            }
        }
    }

    fn asked(&self, caller: &Caller, asking: &Asking<'_>) -> Result<Option<Settled>, Unbuildable> {
        let Some(server) = self.world.servers.get(asking.server) else { return Ok(None) };
        let Some(deed) = server.asks.get(&asking.ask) else { return Ok(None) };
        let known = self.callers.known(&self.world, caller)?;
        let entities = known.store(&server.entities)?;
        let common = request(&known.agent, asking.circumstances, &self.zone, &deed.slice.reads)?;
        let context: Vec<(String, RestrictedExpression)> = vec![
            ("findings".to_owned(), texts(asking.findings.iter().copied())),
            ("mode".to_owned(), text(asking.mode)),
            ("request".to_owned(), common),
        ];
        let context = Context::from_pairs(context).map_err(|_| Unbuildable)?;
        let (principal, resource) = (server.uid.clone(), known.agent.clone());
        let schema = Some(&self.request_schema);
        let request = Request::new(principal, deed.action.clone(), resource, context, schema)
            .map_err(|_| Unbuildable)?;
        let verdict = evaluate(&deed.slice.permits, &deed.slice.forbids, &request, &entities);
        Ok(Some(settle(&deed.slice, verdict)))
    }
}
