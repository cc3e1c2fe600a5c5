//! From what matched to what counts: shadow policies decide nothing, `@oblige` permits grant nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use super::annotations::Mode;
use super::decide::Verdict;
use super::obligations::Obligations;
use super::slices::Slice;

/// A shadow policy that matched. Members are in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shadow {
    /// Whether the decision would have been the other one, had this policy been enforced alone beside the others.
    pub flips: bool,
    /// Its id.
    pub policy: String,
}

/// One question's outcome, each policy counted as it should.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) verdict: Verdict,
    /// What must be done if it is allowed.
    pub(super) obligations: Option<Arc<Obligations>>,
    /// Who is told if it is denied.
    pub(super) notify: BTreeSet<String>,
    pub(super) shadow: Vec<Shadow>,
}

/// Counts each policy by its mode.
pub(super) fn settle(slice: &Slice, verdict: Verdict) -> Settled {
    if slice.special.is_empty() {
        return Settled { verdict, ..Settled::default() };
    }
    let mode = |id: &str| slice.special.get(id).map_or(Mode::Enforced, |notes| notes.mode);
    let (mut obliged, mut shadow_permits, mut shadow_forbids) = (Vec::new(), Vec::new(), Vec::new());
    let mut settled = Settled::default();
    let counted = &mut settled.verdict;
    for id in verdict.permits {
        match mode(&id) {
            Mode::Enforced => counted.permits.push(id),
            Mode::Oblige => obliged.push(id),
            Mode::Shadow => shadow_permits.push(id),
        }
    }
    for id in verdict.forbids {
        match mode(&id) {
            Mode::Enforced | Mode::Oblige => counted.forbids.push(id),
            Mode::Shadow => shadow_forbids.push(id),
        }
    }
    for failed in verdict.failed_permits {
        match mode(&failed.policy) {
            Mode::Enforced => counted.failed_permits.push(failed),
            // An obligation that may hold and cannot be told is one that cannot be honoured.
            Mode::Oblige => counted.failed_forbids.push(failed),
            Mode::Shadow => {}
        }
    }
    for failed in verdict.failed_forbids {
        match mode(&failed.policy) {
            Mode::Enforced | Mode::Oblige => counted.failed_forbids.push(failed),
            // Enforced, it would deny.
            Mode::Shadow => shadow_forbids.push(failed.policy),
        }
    }
    let allowed = counted.allows();
    let undecided =
        counted.permits.is_empty() && counted.forbids.is_empty() && counted.failed_forbids.is_empty();
    settled.obligations = combined(slice, settled.verdict.permits.iter().chain(&obliged)).filter(|_| allowed);
    let forbids = settled.verdict.forbids.iter().filter_map(|id| slice.special.get(id));
    settled.notify = forbids.flat_map(|notes| notes.obligations.notify.iter().cloned()).collect();
    let permits = shadow_permits.into_iter().map(|policy| Shadow { flips: undecided, policy });
    let forbids = shadow_forbids.into_iter().map(|policy| Shadow { flips: allowed, policy });
    settled.shadow = permits.chain(forbids).collect();
    settled.shadow.sort_unstable_by(|one, other| one.policy.cmp(&other.policy));
    settled
}

/// The obligations of all policies that matched; mostly of one, which needs no copy.
fn combined<'i>(slice: &Slice, ids: impl Iterator<Item = &'i String>) -> Option<Arc<Obligations>> {
    let asked = ids.filter_map(|id| slice.special.get(id)).map(|notes| &notes.obligations);
    let mut asked = asked.filter(|asked| !asked.is_empty());
    let first = asked.next()?;
    let Some(second) = asked.next() else { return Some(Arc::clone(first)) };
    let mut all = Obligations::clone(first);
    all.add(second);
    asked.for_each(|more| all.add(more));
    Some(Arc::new(all))
}
