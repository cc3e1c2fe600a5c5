//! What must not be told to a model is taken out of every frame, and recorded.

use super::Refusal;
use super::owed::Owed;
use crate::inspect::sanitize::Judged;

impl Owed {
    /// Takes out what a model must not be told. What was found is in the tally and stays for the second decision.
    pub(super) fn cleaned(&mut self, raw: String) -> Result<String, Refusal> {
        let rules = &self.rules;
        let check = rules.checks.of(self.facts.target.as_ref(), &self.facts.server).clone();
        let cleaned = rules.sanitizer.result(raw, &check.rules.results);
        let (result, judged) = match cleaned {
            Ok(cleaned) => (Ok(cleaned.json), cleaned.judged),
            Err(judged) => (Err(Refusal::Blocked(judged.refusal().unwrap_or_default())), judged),
        };
        self.signed(&judged);
        result
    }

    fn signed(&mut self, judged: &Judged) {
        self.tally.signs.extend(judged.reasons.iter().map(|reason| reason.kind));
        self.tally.findings.extend(judged.findings());
    }

    /// Holds structured content against the tool's own schema: the server's word, before anything is masked.
    pub(super) fn structured(&mut self, result: &str) -> Result<(), Refusal> {
        let rules = &self.rules;
        let check = rules.checks.of(self.facts.target.as_ref(), &self.facts.server);
        let judged = check.structured(&rules.sanitizer, result);
        self.signed(&judged);
        judged.refusal().map_or(Ok(()), |why| Err(Refusal::Blocked(why)))
    }
}
