//! What differs between two sets of policies, policy by policy.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::Policy;
use serde::Serialize;

use super::load::Policies;

/// Ids of policies that differ. Members are in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// They are new.
    pub added: Vec<String>,
    /// They decide as before; their annotations differ.
    pub annotations: Vec<String>,
    /// Their scope or conditions differ.
    pub changed: Vec<String>,
    /// They mean the same; only their text differs.
    pub formatting: Vec<String>,
    /// They are gone.
    pub removed: Vec<String>,
}

/// Most ids that a record of a change names of each kind.
const MOST: usize = 200;

impl Changes {
    /// From one set to another.
    pub fn between(before: &Policies, after: &Policies) -> Self {
        let (before, after) = (&before.rules.policies, &after.rules.policies);
        let mut changes = Self::default();
        for (id, new) in after {
            match before.get(id) {
                None => changes.added.push(id.clone()),
                Some(old) if meaning(old) != meaning(new) => changes.changed.push(id.clone()),
                Some(old) if notes(old) != notes(new) => changes.annotations.push(id.clone()),
                Some(old) if old.to_cedar() != new.to_cedar() => changes.formatting.push(id.clone()),
                Some(_) => {}
            }
        }
        changes.removed = before.keys().filter(|id| !after.contains_key(*id)).cloned().collect();
        changes
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// At most as many ids as fit into a record.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        for ids in [
            &mut self.added,
            &mut self.annotations,
            &mut self.changed,
            &mut self.formatting,
            &mut self.removed,
        ] {
            ids.truncate(MOST);
        }
        self
    }

    /// Ids of all policies that differ in more than their text.
    pub fn ids(&self) -> BTreeSet<&str> {
        let all = [&self.added, &self.annotations, &self.changed, &self.removed];
        all.into_iter().flatten().map(String::as_str).collect()
    }
}

/// The policy without id, annotations and layout.
fn meaning(policy: &Policy) -> Option<String> {
    let mut json = policy.to_json().ok()?;
    json.as_object_mut()?.shift_remove("annotations");
    Some(json.to_string())
}

fn notes(policy: &Policy) -> BTreeMap<String, String> {
    policy.annotations().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
