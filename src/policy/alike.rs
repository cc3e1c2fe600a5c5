//! Which tools a list need not judge twice: those that no policy about this caller can tell apart.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cedar_policy::pst::{Clause, Template, Var};
use cedar_policy::{Entity, EntityTypeName, EntityUid, PrincipalConstraint};

use super::reads::{Use, each_entity, each_path};
use super::slices::Slice;

/// By what the conditions of a policy tell tools apart. Its scope is not their business: slices are cut by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Apart {
    /// By what they and their servers are like.
    #[default]
    Looks,
    /// By their servers too.
    Servers,
    /// By which tool it is.
    Tools,
}

impl Apart {
    pub(super) fn of(policy: &Template) -> Self {
        let mut apart = Self::Looks;
        for Clause::When(expr) | Clause::Unless(expr) in policy.clauses() {
            each_path(expr, &mut |var, path, used| {
                apart = apart.max(match (var, path) {
                    (Var::Action, _) | (Var::Resource, ["name", ..]) => Self::Tools,
                    (Var::Resource, []) if used == Use::Value => Self::Tools,
                    (Var::Resource, ["server"]) if used == Use::Value => Self::Servers,
                    (Var::Principal | Var::Context | Var::Resource, _) => Self::Looks,
                });
            });
            // Whatever is equal to it, or in it, is that one.
            each_entity(expr, &mut |entity| {
                apart = apart.max(match entity.ty.to_string().as_str() {
                    "Tool" | "Action" => Self::Tools,
                    "Server" => Self::Servers,
                    _ => Self::Looks,
                });
            });
        }
        apart
    }
}

/// A view for lists, as far as it matters whom it is about.
#[derive(Debug)]
pub(super) struct Viewed {
    /// Which policy it is of, the same in every slice.
    pub(super) rule: usize,
    pub(super) principal: PrincipalConstraint,
    pub(super) apart: Apart,
}

/// Whom a view can be about: a principal and all that it is in.
#[derive(Debug)]
pub(super) struct Standing {
    uid: EntityUid,
    above: HashSet<EntityUid>,
}

impl Standing {
    pub(super) fn of(principal: &Entity) -> Self {
        let (uid, _, above) = principal.clone().into_inner();
        Self { uid, above }
    }

    fn satisfies(&self, scope: &PrincipalConstraint) -> bool {
        let within = |entity: &EntityUid| *entity == self.uid || self.above.contains(entity);
        let is = |kind: &EntityTypeName| kind == self.uid.type_name();
        match scope {
            PrincipalConstraint::Any => true,
            PrincipalConstraint::Eq(entity) => *entity == self.uid,
            PrincipalConstraint::In(entity) => within(entity),
            PrincipalConstraint::Is(kind) => is(kind),
            PrincipalConstraint::IsIn(kind, entity) => is(kind) && within(entity),
        }
    }
}

/// The views of a slice that are about one caller.
#[derive(Debug, Clone)]
pub(super) struct About {
    rules: Arc<[usize]>,
    apart: Apart,
}

impl About {
    pub(super) fn of(slice: &Slice, caller: &Standing) -> Self {
        let mut apart = Apart::default();
        let mut rules = Vec::new();
        for view in slice.viewed.iter().filter(|view| caller.satisfies(&view.principal)) {
            rules.push(view.rule);
            apart = apart.max(view.apart);
        }
        Self { rules: rules.into(), apart }
    }
}

/// What a tool is like, as numbers that are equal for tools that are alike.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looks {
    itself: usize,
    with_server: usize,
}

/// All that the answer of a list depends on, for one caller and client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Likeness {
    used: Arc<[usize]>,
    found: Arc<[usize]>,
    look: usize,
}

impl Likeness {
    /// `None` where policies tell each tool from every other.
    pub(super) fn of(used: &About, found: &About, looks: Looks) -> Option<Self> {
        let look = match used.apart.max(found.apart) {
            Apart::Looks => looks.itself,
            Apart::Servers => looks.with_server,
            Apart::Tools => return None,
        };
        Some(Self { used: used.rules.clone(), found: found.rules.clone(), look })
    }
}

/// Gives tools that are alike the same numbers.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    seen: HashMap<Vec<String>, usize>,
}

impl Numbering {
    pub(super) fn looks(&mut self, tool: &Entity, server: &Entity) -> Looks {
        let server_uid = server.uid();
        let mut look = parts(tool, &["name", "server"], &server_uid);
        look.push("of".to_owned());
        look.extend(parts(server, &[], &server_uid));
        let itself = self.number(look.clone());
        look.push(server_uid.to_string());
        Looks { itself, with_server: self.number(look) }
    }

    fn number(&mut self, look: Vec<String>) -> usize {
        let next = self.seen.len();
        *self.seen.entry(look).or_insert(next)
    }
}

/// Attributes and groups in order, without those that name the thing or its server.
fn parts(entity: &Entity, names: &[&str], server: &EntityUid) -> Vec<String> {
    let attributes = entity.attrs().filter(|(name, _)| !names.contains(name));
    let attributes = attributes.map(|(name, value)| format!("{name}={value:?}"));
    let (_, _, above) = entity.clone().into_inner();
    let above = above.iter().filter(|group| *group != server).map(ToString::to_string);
    let mut parts: Vec<String> = attributes.chain(above).collect();
    parts.sort_unstable();
    parts
}
