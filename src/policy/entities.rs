//! Cedar's entities, built from typed values, with everything that they are in already spelled out.

use std::collections::{BTreeSet, HashMap, HashSet};

use cedar_policy::{Entity, EntityAttrEvaluationError, EntityTypeName, EntityUid, RestrictedExpression};

use super::actions::{Types, uid};
use super::circumstances::Unbuildable;
use super::hierarchy::{Hierarchy, Parents, with_ancestors};
use super::model::{PromptModel, ServerModel, ToolModel};
use crate::identity::{Caller, PrincipalKind};

type Built = Result<Entity, Box<EntityAttrEvaluationError>>;
type BuiltInside = Result<(Entity, Ancestors), Box<EntityAttrEvaluationError>>;
type Ancestors = BTreeSet<EntityUid>;

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn entity<'n>(
    uid: EntityUid,
    attributes: impl IntoIterator<Item = (&'n str, RestrictedExpression)>,
    parents: impl IntoIterator<Item = EntityUid>,
) -> Built {
    let attributes: HashMap<String, RestrictedExpression> =
        attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Entity::new(uid, attributes, parents.into_iter().collect::<HashSet<_>>()).map_err(Box::new)
}

fn uids<'a>(kind: &EntityTypeName, names: impl IntoIterator<Item = &'a str>) -> Vec<EntityUid> {
    names.into_iter().map(|name| uid(kind, name)).collect()
}

/// The principal that a caller is. With a claim of the wrong type it is not known who that is.
pub(super) fn principal(
    types: &Types,
    hierarchy: &Hierarchy,
    caller: &Caller,
) -> Result<Entity, Unbuildable> {
    let kind = match caller.kind {
        PrincipalKind::User => &types.user,
        PrincipalKind::ServiceAccount => &types.service_account,
    };
    let tenant = uid(&types.tenant, &caller.tenant);
    let mapping = &hierarchy.claims;
    let mistyped = |_| Unbuildable;
    let roles = caller.roles.iter().chain(mapping.roles(&caller.claims).map_err(mistyped)?);
    let mut parents = uids(&types.role, with_ancestors(roles, &hierarchy.roles));
    let teams = caller.teams.iter().chain(mapping.teams(&caller.claims).map_err(mistyped)?);
    parents.extend(uids(&types.team, teams.map(String::as_str)));
    parents.push(tenant.clone());
    let mut attributes = mapping.attributes(&caller.claims).map_err(mistyped)?;
    attributes.push(("tenant", RestrictedExpression::new_entity_uid(tenant)));
    entity(uid(kind, &caller.id), attributes, parents).map_err(|_| Unbuildable)
}

/// The software that a caller uses.
pub(super) fn agent(types: &Types, hierarchy: &Hierarchy, caller: &Caller) -> Built {
    let groups = hierarchy.agents.get(&caller.agent).into_iter().flatten();
    let parents = uids(&types.agent_group, with_ancestors(groups, &hierarchy.agent_groups));
    let approved = RestrictedExpression::new_bool(caller.agent_approved);
    entity(uid(&types.agent, &caller.agent), [("approved", approved)], parents)
}

/// A server, and all that it is in.
pub(super) fn server(types: &Types, hierarchy: &Hierarchy, model: &ServerModel) -> BuiltInside {
    let groups = with_ancestors(&model.groups, &hierarchy.server_groups);
    let mut ancestors: Ancestors = uids(&types.server_group, groups).into_iter().collect();
    ancestors.insert(uid(&types.tenant, &model.tenant));
    let attributes = [
        ("environment", text(&model.environment)),
        ("trust", RestrictedExpression::new_long(model.trust)),
        ("thirdParty", RestrictedExpression::new_bool(model.third_party)),
    ];
    let built = entity(uid(&types.server, &model.id), attributes, ancestors.iter().cloned())?;
    Ok((built, ancestors))
}

/// A tool of a server, and all that it is in.
pub(super) fn tool(
    types: &Types,
    hierarchy: &Hierarchy,
    model: &ToolModel,
    server: (&EntityUid, &Ancestors),
) -> BuiltInside {
    let groups = model.groups.iter().chain(hierarchy.tools.get(&model.name).into_iter().flatten());
    let groups = with_ancestors(groups, &hierarchy.tool_groups);
    let mut ancestors = inside(server);
    ancestors.extend(uids(&types.tool_group, groups));
    let labels = model.labels.iter().map(|label| text(label));
    let attributes = [
        ("server", RestrictedExpression::new_entity_uid(server.0.clone())),
        ("name", text(&model.own_name)),
        ("readOnly", RestrictedExpression::new_bool(model.read_only)),
        ("destructive", RestrictedExpression::new_bool(model.destructive)),
        ("idempotent", RestrictedExpression::new_bool(model.idempotent)),
        ("openWorld", RestrictedExpression::new_bool(model.open_world)),
        ("pinned", RestrictedExpression::new_bool(model.pinned)),
        ("labels", RestrictedExpression::new_set(labels)),
    ];
    let built = entity(uid(&types.tool, &model.name), attributes, ancestors.iter().cloned())?;
    Ok((built, ancestors))
}

/// A prompt of a server, and all that it is in.
pub(super) fn prompt(types: &Types, model: &PromptModel, server: (&EntityUid, &Ancestors)) -> BuiltInside {
    let ancestors = inside(server);
    let attributes =
        [("server", RestrictedExpression::new_entity_uid(server.0.clone())), ("name", text(&model.own_name))];
    let built = entity(uid(&types.prompt, &model.name), attributes, ancestors.iter().cloned())?;
    Ok((built, ancestors))
}

/// A resource of a server.
pub(super) fn resource(types: &Types, own_uri: &str, server: (&EntityUid, &Ancestors)) -> Built {
    let id = format!("{}+{own_uri}", server.0.id().unescaped());
    let scheme = own_uri.split_once(':').map_or("", |(scheme, _)| scheme);
    let attributes = [
        ("server", RestrictedExpression::new_entity_uid(server.0.clone())),
        ("uri", text(own_uri)),
        ("scheme", text(&scheme.to_ascii_lowercase())),
    ];
    entity(uid(&types.resource, &id), attributes, inside(server))
}

/// Roles and groups that are inside others, for rules that compare them with each other.
pub(super) fn nested(types: &Types, hierarchy: &Hierarchy) -> Vec<Entity> {
    let mut all = Vec::new();
    let mut add = |kind: &EntityTypeName, parents: &Parents| {
        for (name, above) in parents.iter().filter(|(_, above)| !above.is_empty()) {
            let above = uids(kind, above.iter().map(String::as_str));
            all.push(Entity::new_no_attrs(uid(kind, name), above.into_iter().collect()));
        }
    };
    add(&types.role, &hierarchy.roles);
    add(&types.tool_group, &hierarchy.tool_groups);
    add(&types.server_group, &hierarchy.server_groups);
    add(&types.agent_group, &hierarchy.agent_groups);
    all
}

/// What things of a server are in: the server, and all that it is in.
fn inside((server, above): (&EntityUid, &Ancestors)) -> Ancestors {
    let mut ancestors = above.clone();
    ancestors.insert(server.clone());
    ancestors
}
