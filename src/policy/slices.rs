//! Which policies can matter for which action on which resource, worked out at load.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use cedar_policy::pst::PstConstructionError;
use cedar_policy::{
    ActionConstraint, Effect, EntityTypeName, EntityUid, Policy, PolicySet, PolicySetError,
    PrincipalConstraint, ResourceConstraint,
};

use super::alike::{Apart, Viewed};
use super::annotations::{Mode, Notes};
use super::reads::Reads;
use super::view::{Unknown, view};

/// The policies for one action on one resource, or on the resources of one server.
#[derive(Debug, Default)]
pub(super) struct Slice {
    pub(super) permits: PolicySet,
    pub(super) forbids: PolicySet,
    /// Its number among all slices.
    pub(super) number: usize,
    /// The views for lists.
    pub(super) listed: Pair,
    /// Whom these are about.
    pub(super) viewed: Vec<Viewed>,
    /// The views for resource templates.
    pub(super) templates: Pair,
    /// What the policies look at.
    pub(super) reads: Reads,
    /// What those look at that count: all but the shadow policies.
    pub(super) decides: Reads,
    /// The ids of its permits, if they are satisfied whatever is asked and nothing forbids.
    pub(super) always: Option<Vec<String>>,
    /// Policies that do more than decide, or do not decide at all; mostly none.
    pub(super) special: BTreeMap<String, Notes>,
}

/// Permits and forbids.
#[derive(Debug, Default)]
pub(super) struct Pair {
    pub(super) permits: PolicySet,
    pub(super) forbids: PolicySet,
}

/// What a slice is for.
#[derive(Debug, Clone)]
pub(super) struct Target<'a> {
    /// The action and its groups.
    pub(super) actions: &'a [EntityUid],
    /// The type of the resource.
    pub(super) kind: &'a EntityTypeName,
    /// The resource, if it is known at load.
    pub(super) resource: Option<&'a EntityUid>,
    /// All that the resource is in, if that is known at load.
    pub(super) ancestors: Option<&'a BTreeSet<EntityUid>>,
}

/// Why the policies could not be indexed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("a policy could not be taken apart: {0}")]
    Syntax(#[from] PstConstructionError),
    #[error("two policies collide: {0}")]
    Set(#[from] Box<PolicySetError>),
}

/// All policies, ready to be cut.
#[derive(Debug, Default)]
pub(super) struct Index {
    rules: Vec<Rule>,
    cut: HashMap<Vec<usize>, Arc<Slice>>,
}

#[derive(Debug)]
struct Rule {
    policy: Policy,
    notes: Option<Notes>,
    listed: Option<Policy>,
    template: Option<Policy>,
    /// How the view for lists tells tools apart.
    apart: Apart,
    reads: Reads,
    action: ActionConstraint,
    resource: ResourceConstraint,
    /// Neither conditions nor a condition on the principal.
    unconditional: bool,
}

impl Index {
    pub(super) fn new(
        policies: &BTreeMap<String, Policy>,
        notes: &BTreeMap<String, Notes>,
    ) -> Result<Self, Error> {
        let mut rules = Vec::new();
        for (id, policy) in policies {
            let tree = policy.to_pst()?;
            let body = tree.body();
            let listed = view(body, Unknown::Call)?;
            let apart = match &listed {
                Some(view) => Apart::of(view.to_pst()?.body()),
                None => Apart::default(),
            };
            rules.push(Rule {
                listed,
                apart,
                template: view(body, Unknown::CallAndResource)?,
                reads: Reads::of(body),
                action: policy.action_constraint(),
                resource: policy.resource_constraint(),
                unconditional: !policy.has_non_scope_constraint()
                    && policy.principal_constraint() == PrincipalConstraint::Any,
                notes: notes.get(id).cloned(),
                policy: policy.clone(),
            });
        }
        Ok(Self { rules, cut: HashMap::new() })
    }

    /// The slice for a target. Equal slices are shared.
    pub(super) fn slice(&mut self, target: &Target<'_>) -> Result<Arc<Slice>, Error> {
        let chosen: Vec<_> =
            self.rules.iter().enumerate().filter(|(_, rule)| rule.concerns(target)).collect();
        let key: Vec<usize> = chosen.iter().map(|(index, _)| *index).collect();
        if let Some(slice) = self.cut.get(&key) {
            return Ok(Arc::clone(slice));
        }
        let slice = Arc::new(cut(self.cut.len(), &chosen)?);
        self.cut.insert(key, Arc::clone(&slice));
        Ok(slice)
    }
}

impl Rule {
    fn concerns(&self, target: &Target<'_>) -> bool {
        let action = match &self.action {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(action) => target.actions.first() == Some(action),
            ActionConstraint::In(groups) => groups.iter().any(|group| target.actions.contains(group)),
        };
        let is = |entity: &EntityUid| match target.resource {
            Some(resource) => resource == entity,
            None => entity.type_name() == target.kind,
        };
        let within = |entity: &EntityUid| {
            is(entity) || target.ancestors.is_none_or(|ancestors| ancestors.contains(entity))
        };
        action
            && match &self.resource {
                ResourceConstraint::Any => true,
                ResourceConstraint::Eq(entity) => is(entity),
                ResourceConstraint::In(entity) => within(entity),
                ResourceConstraint::Is(kind) => kind == target.kind,
                ResourceConstraint::IsIn(kind, entity) => kind == target.kind && within(entity),
            }
    }

    fn enforced(&self) -> bool {
        self.notes.as_ref().is_none_or(|notes| notes.mode == Mode::Enforced)
    }

    /// Whether being in a slice is already being satisfied: the scope leaves no single resource open.
    fn always(&self) -> bool {
        let one = |entity: &EntityUid| entity.type_name().basename() == "Resource";
        self.unconditional
            && match &self.resource {
                ResourceConstraint::Any | ResourceConstraint::Is(_) => true,
                ResourceConstraint::Eq(entity)
                | ResourceConstraint::In(entity)
                | ResourceConstraint::IsIn(_, entity) => !one(entity),
            }
    }
}

fn cut(number: usize, rules: &[(usize, &Rule)]) -> Result<Slice, Error> {
    let mut slice = Slice { number, ..Slice::default() };
    for (index, rule) in rules {
        let (whole, listed, template) = match rule.policy.effect() {
            Effect::Permit => (&mut slice.permits, &mut slice.listed.permits, &mut slice.templates.permits),
            Effect::Forbid => (&mut slice.forbids, &mut slice.listed.forbids, &mut slice.templates.forbids),
        };
        whole.add(rule.policy.clone()).map_err(Box::new)?;
        for (set, view) in [(listed, &rule.listed), (template, &rule.template)] {
            if let Some(view) = view.as_ref().filter(|_| rule.enforced()) {
                set.add(view.clone()).map_err(Box::new)?;
            }
        }
        if rule.listed.is_some() && rule.enforced() {
            let principal = rule.policy.principal_constraint();
            slice.viewed.push(Viewed { rule: *index, principal, apart: rule.apart });
        }
        slice.reads.add(&rule.reads);
        if rule.notes.as_ref().is_none_or(|notes| notes.mode != Mode::Shadow) {
            slice.decides.add(&rule.reads);
        }
        if let Some(notes) = &rule.notes
            && (!rule.enforced() || !notes.obligations.is_empty())
        {
            slice.special.insert(rule.policy.id().to_string(), notes.clone());
        }
    }
    let open = slice.special.is_empty()
        && slice.forbids.is_empty()
        && !rules.is_empty()
        && rules.iter().all(|(_, rule)| rule.always());
    slice.always = open.then(|| {
        let mut ids: Vec<String> = rules.iter().map(|(_, rule)| rule.policy.id().to_string()).collect();
        ids.sort_unstable();
        ids
    });
    Ok(slice)
}
