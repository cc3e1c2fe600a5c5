//! What a caller is shown.

use cedar_policy::{Context, Entity, EntityUid, Request};

use super::alike::{Likeness, Looks};
use super::callers::{Known, Listed};
use super::circumstances::Unbuildable;
use super::decide::evaluate;
use super::load::Policies;
use super::question::{Circumstances, Item};
use super::slices::Pair;
use super::world::Deed;
use crate::identity::Caller;

/// What is listed, and what it takes to judge it.
struct Entry<'e> {
    resource: EntityUid,
    listed: Listed,
    entities: &'e [Entity],
    /// The resource itself, if it was made for the question.
    made: Option<Entity>,
    /// What is done with it once it is found.
    used: Option<&'e Deed>,
    /// Its being found.
    found: &'e Deed,
    /// What a tool is like.
    looks: Option<Looks>,
}

impl Policies {
    /// Whether a list that goes to this caller shows an item.
    ///
    /// It does if some arguments, findings, moment and session exist with which the policies could allow its
    /// use, and nothing forbids `Discover`. A server is shown if `Discover` is permitted on it. The answer
    /// depends on the caller and on which client they use only.
    pub fn may_list(&self, caller: &Caller, circumstances: &Circumstances, item: Item<'_>) -> bool {
        self.listed(caller, circumstances, item).unwrap_or(false)
    }

    fn listed(
        &self,
        caller: &Caller,
        circumstances: &Circumstances,
        item: Item<'_>,
    ) -> Result<bool, Unbuildable> {
        let known = self.callers.known(&self.world, caller)?;
        match self.entry(item)? {
            Some(entry) => {
                let about = (&entry.resource, entry.listed);
                let alike = || {
                    let views = |deed: &Deed| known.about(&deed.slice);
                    Likeness::of(&views(entry.used?), &views(entry.found), entry.looks?)
                };
                known.listed(circumstances, about, alike, |context| shows(&known, &context, &entry))
            }
            None => Ok(false),
        }
    }

    /// Looks the item up; `None` if there is no such thing.
    fn entry(&self, item: Item<'_>) -> Result<Option<Entry<'_>>, Unbuildable> {
        let lasting = match item {
            Item::Tool(name) => {
                self.world.tools.get(name).map(|tool| {
                    (&tool.uid, &tool.entities, Some(&tool.call), &tool.discover, Some(tool.looks))
                })
            }
            Item::Prompt(name) => self
                .world
                .prompts
                .get(name)
                .map(|prompt| (&prompt.uid, &prompt.entities, Some(&prompt.get), &prompt.discover, None)),
            Item::Server(id) => self
                .world
                .servers
                .get(id)
                .map(|server| (&server.uid, &server.entities, None, &server.see, None)),
            Item::Resource { server, uri } => return self.resource_entry((server, uri), Listed::Itself),
            Item::Template { server, uri } => return self.resource_entry((server, uri), Listed::Template),
        };
        Ok(lasting.map(|(resource, entities, used, found, looks)| Entry {
            resource: resource.clone(),
            listed: Listed::Itself,
            entities,
            made: None,
            used,
            found,
            looks,
        }))
    }

    fn resource_entry(
        &self,
        (server, uri): (&str, &str),
        listed: Listed,
    ) -> Result<Option<Entry<'_>>, Unbuildable> {
        let Some(server) = self.world.servers.get(server) else { return Ok(None) };
        let resource = self.resource_entity(server, uri)?;
        Ok(Some(Entry {
            resource: resource.uid(),
            listed,
            entities: &server.entities,
            made: Some(resource),
            used: Some(&server.read),
            found: &server.discover,
            looks: None,
        }))
    }
}

fn shows(known: &Known, context: &Context, entry: &Entry<'_>) -> Result<bool, Unbuildable> {
    let used = entry.used.unwrap_or(entry.found);
    if views(used, entry.listed).permits.is_empty() {
        return Ok(false);
    }
    // Other actions on it make the store dearer, and nothing asks for them.
    let others = |entity: &&Entity| {
        let uid = entity.uid();
        uid.type_name() == used.action.type_name() && uid != used.action && uid != entry.found.action
    };
    let entities = known.store(entry.entities.iter().filter(|e| !others(e)).chain(&entry.made))?;
    let ask = |deed: &Deed| {
        let (principal, action) = (known.principal.clone(), deed.action.clone());
        let request = Request::new(principal, action, entry.resource.clone(), context.clone(), None)
            .map_err(|_| Unbuildable)?;
        let Pair { permits, forbids } = views(deed, entry.listed);
        Ok(evaluate(permits, forbids, &request, &entities))
    };
    let use_of_it = ask(used)?;
    // A view can fail where the policy would not: its guard may be among what is not known yet.
    // To show too much is safe, to hide a callable tool is not.
    let usable = !use_of_it.permits.is_empty() || !use_of_it.failed_permits.is_empty();
    if !usable || !use_of_it.forbids.is_empty() {
        return Ok(false);
    }
    if entry.used.is_none() || views(entry.found, entry.listed).forbids.is_empty() {
        return Ok(true);
    }
    Ok(ask(entry.found)?.forbids.is_empty())
}

fn views(deed: &Deed, listed: Listed) -> &Pair {
    match listed {
        Listed::Itself => &deed.slice.listed,
        Listed::Template => &deed.slice.templates,
    }
}
