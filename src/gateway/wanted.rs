//! What policy wants of findings, in the words of inspection.

use super::{Call, facts};
use crate::identity::Caller;
use crate::inspect::{Finding, Operator, Whose};
use crate::policy::{Obligations, RedactMode};

/// Whose a value is, as scopes name it.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub tenant: String,
    pub principal: String,
    pub session: String,
}

impl Owner {
    pub(super) fn of(caller: &Caller, call: &Call) -> Self {
        Self {
            tenant: caller.tenant.clone(),
            principal: format!("{}\n{}\n{}", caller.kind.entity_type(), caller.tenant, caller.id),
            session: facts::key(caller, call),
        }
    }

    pub(super) fn whose(&self) -> Whose<'_> {
        Whose { tenant: &self.tenant, principal: &self.principal, session: &self.session }
    }
}

/// The operator of a mode.
pub(super) fn operator(mode: RedactMode) -> Operator {
    match mode {
        RedactMode::Partial => Operator::Partial,
        RedactMode::Tokenise => Operator::Tokenise,
        RedactMode::Surrogate => Operator::Surrogate,
        RedactMode::Pseudonymise => Operator::Pseudonymise,
        RedactMode::Mask => Operator::Mask,
        RedactMode::Drop => Operator::Drop,
        RedactMode::Block => Operator::Block,
    }
}

/// What findings of these kinds become at least. What is to be blocked is refused as a duty, once policy has spoken.
pub(super) fn at_least(wanted: Option<&Obligations>) -> Vec<(&str, Operator)> {
    let kinds = wanted.into_iter().flat_map(|wanted| &wanted.redact);
    let kinds = kinds.filter(|(_, mode)| **mode != RedactMode::Block);
    kinds.map(|(kind, mode)| (kind.as_str(), operator(*mode))).collect()
}

/// Whether something was treated more mildly than policy wants.
pub(super) fn milder(findings: &[Finding], wanted: &[(&str, Operator)]) -> bool {
    let least = |kind: &str| wanted.iter().filter(|(of, _)| *of == kind).map(|(_, operator)| *operator).max();
    findings.iter().any(|finding| Operator::named(finding.operator) < least(finding.kind))
}
