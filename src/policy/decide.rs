//! Cedar's decision, and ours on top of it.

use cedar_policy::{AuthorizationError, Authorizer, Entities, EvaluationError, PolicySet, Request, Response};

use super::stamp::PolicyError;

/// Every policy that was satisfied, and every one that failed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) permits: Vec<String>,
    pub(super) forbids: Vec<String>,
    pub(super) failed_permits: Vec<PolicyError>,
    pub(super) failed_forbids: Vec<PolicyError>,
}

impl Verdict {
    /// A permit is satisfied, no forbid is, and none failed: Cedar would skip a failing forbid.
    pub(super) fn allows(&self) -> bool {
        !self.permits.is_empty() && self.forbids.is_empty() && self.failed_forbids.is_empty()
    }
}

/// Evaluates permits and forbids apart, so that every satisfied policy is known whatever the decision.
pub(super) fn evaluate(
    permits: &PolicySet,
    forbids: &PolicySet,
    request: &Request,
    entities: &Entities,
) -> Verdict {
    let authorizer = Authorizer::new();
    let (permits, failed_permits) = matched(&authorizer.is_authorized(request, permits, entities));
    let (forbids, failed_forbids) = matched(&authorizer.is_authorized(request, forbids, entities));
    Verdict { permits, forbids, failed_permits, failed_forbids }
}

/// With policies of one effect only, Cedar's reasons are all the satisfied ones.
fn matched(response: &Response) -> (Vec<String>, Vec<PolicyError>) {
    let diagnostics = response.diagnostics();
    let mut satisfied: Vec<String> = diagnostics.reason().map(ToString::to_string).collect();
    satisfied.sort_unstable();
    let mut failed: Vec<PolicyError> = diagnostics
        .errors()
        .map(|AuthorizationError::PolicyEvaluationError(error)| PolicyError {
            policy: error.policy_id().to_string(),
            cause: cause(error.inner()),
        })
        .collect();
    failed.sort_unstable();
    (satisfied, failed)
}

/// The kind of failure. Cedar's own texts hold the values that it failed on.
fn cause(error: &EvaluationError) -> &'static str {
    match error {
        EvaluationError::EntityDoesNotExist(_) => "an entity does not exist",
        EvaluationError::EntityAttrDoesNotExist(_) | EvaluationError::RecordAttrDoesNotExist(_) => {
            "an attribute does not exist"
        }
        EvaluationError::TypeError(_) => "a value has another type",
        EvaluationError::IntegerOverflow(_) => "integer overflow",
        EvaluationError::FailedExtensionFunctionLookup(_)
        | EvaluationError::WrongNumArguments(_)
        | EvaluationError::FailedExtensionFunctionExecution(_) => "a function failed",
        EvaluationError::UnlinkedSlot(_)
        | EvaluationError::NonValue(_)
        | EvaluationError::RecursionLimit(_) => "it could not be evaluated",
    }
}
