//! May this result go back? The second decision, and the obligations of both.

use super::owed::Owed;
use super::{Refusal, duties, tokens};
use crate::inspect::Filtered;
use crate::policy::{Asked, Capture, Item, Obligations, Question, Returned};
use crate::route::Target;
use std::sync::Arc;

impl Owed {
    /// Keeps what tokens in a last frame stand for. Structured content with them must still be what the tool declares.
    pub(super) async fn kept(&self, result: &Filtered<String>) -> Result<(), Refusal> {
        if result.minted().is_empty() {
            return Ok(());
        }
        let check = self.rules.checks.of(self.facts.target.as_ref(), &self.facts.server);
        if !check.declares(result.value()) {
            let why = "a token does not fit the output schema of the tool: choose another operator";
            return Err(Refusal::Blocked(why.into()));
        }
        let facts = &self.facts;
        let scope = self.rules.inspector.token_scope(&facts.owner.whose(), facts.call);
        let whose = (scope, self.caller.id.clone(), facts.call);
        tokens::keep(self.rules.vaulted.as_ref(), whose, result.minted()).await
    }

    /// The second decision: whether this result may go back.
    pub(super) fn may_return(
        &mut self,
        result: &Filtered<String>,
        is_error: bool,
    ) -> Result<Option<Arc<Obligations>>, Refusal> {
        let facts = &self.facts;
        let what = match &facts.target {
            Some(Target::Tool(tool)) => Item::Tool(tool),
            Some(Target::Prompt(prompt)) => Item::Prompt(prompt),
            Some(Target::Resource { server, uri }) => Item::Resource { server, uri },
            Some(Target::Extension { server, .. }) => Item::Server(server),
            None => return Err(Refusal::Internal),
        };
        let mut kinds: Vec<&str> = result.findings().iter().map(|f| f.kind).collect();
        kinds.extend_from_slice(&self.tally.signs);
        kinds.sort_unstable();
        kinds.dedup();
        let bytes = result.value().len() as u64;
        let question = Question {
            call: facts.call,
            asked: Asked::ReturnResult { what, bytes, is_error },
            circumstances: &facts.circumstances,
            findings: &kinds,
        };
        let decided = self.rules.policies.authorize(&self.caller, &question);
        self.tally.returned = Some(Returned::new((bytes, is_error), &kinds, decided.as_ref()));
        match decided {
            Ok(permit) => Ok(permit.obligations().cloned()),
            Err(_) => Err(Refusal::Blocked("policy does not let this result out".into())),
        }
    }

    /// The obligations of the call and of its result: size, what must not pass, what is recorded; and what the
    /// session now knows.
    pub(super) fn honour(
        &mut self,
        of_result: Option<&Obligations>,
        result: &Filtered<String>,
    ) -> Result<(), Refusal> {
        let facts = &self.facts;
        let signs = self.tally.signs.clone();
        let kinds = || result.findings().iter().map(|finding| finding.kind).chain(signs.iter().copied());
        for wanted in [facts.wanted.as_deref(), of_result].into_iter().flatten() {
            duties::within(wanted, result.value().len(), result.findings())?;
            if wanted.audit == Some(Capture::RequestResponse) {
                self.tally.keep_response = true;
            }
        }
        let labels = match &facts.target {
            Some(Target::Tool(tool)) => self.rules.policies.labels(tool),
            _ => &[],
        };
        let labels = labels.iter().map(String::as_str).chain(kinds());
        self.gateway.duties().coming_back(&facts.session, labels, facts.circumstances.now_us);
        Ok(())
    }
}
