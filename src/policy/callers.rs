//! What is kept for each caller, so that their next question costs less.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cedar_policy::{Context, Entities, Entity, EntityUid};
use jiff::tz::TimeZone;

use super::alike::{About, Likeness, Standing};
use super::circumstances::{Unbuildable, request};
use super::decide::Verdict;
use super::entities;
use super::question::Circumstances;
use super::reads::Reads;
use super::seen::Seen;
use super::slices::Slice;
use super::world::World;
use crate::identity::Caller;

/// Callers kept; one more empties the store, and it fills again.
const MAX_CALLERS: usize = 256;
/// Entity stores kept for one caller; lists do not fill them.
const MAX_STORES: usize = 64;
/// Kinds of clients kept for one caller.
const MAX_CLIENTS: usize = 4;
/// List answers kept for one caller and client.
const MAX_ANSWERS: usize = 4096;
/// Verdicts kept for one caller.
const MAX_VERDICTS: usize = 256;

/// Every caller seen lately, by credential.
#[derive(Debug, Default)]
pub(super) struct Callers {
    known: Mutex<HashMap<String, Arc<Known>>>,
}

/// One caller as Cedar sees them.
#[derive(Debug)]
pub(super) struct Known {
    caller: Caller,
    pub(super) principal: EntityUid,
    pub(super) agent: EntityUid,
    /// Principal, agent, and roles and groups inside others.
    entities: Vec<Entity>,
    /// The entities of a question, by tool or prompt.
    stores: Mutex<HashMap<EntityUid, Arc<Entities>>>,
    lists: Mutex<Vec<List>>,
    /// Which views of each slice are about this caller, by the slice's number.
    about: Mutex<HashMap<usize, About>>,
    standing: Standing,
    verdicts: Mutex<HashMap<Seen, Verdict>>,
}

/// What one kind of client may list.
#[derive(Debug)]
struct List {
    client: Client,
    /// The context that every view is judged in.
    context: Context,
    answers: HashMap<(EntityUid, Listed), bool>,
    /// The same, for tools that are alike.
    alike: HashMap<Likeness, bool>,
}

/// The circumstances that a list depends on.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Client {
    name: String,
    version: String,
    protocol: String,
    transport: String,
}

/// As what a thing is listed: a template and a resource can have one URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Listed {
    /// Itself.
    Itself,
    /// A template of resources.
    Template,
}

impl Callers {
    /// The caller, built anew if anything about them has changed.
    pub(super) fn known(&self, world: &World, caller: &Caller) -> Result<Arc<Known>, Unbuildable> {
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = known.get(&caller.credential)
                && found.caller == *caller
            {
                return Ok(Arc::clone(found));
            }
        }
        let fresh = Arc::new(Known::new(world, caller)?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_CALLERS {
            known.clear();
        }
        known.insert(caller.credential.clone(), Arc::clone(&fresh));
        Ok(fresh)
    }
}

impl Known {
    fn new(world: &World, caller: &Caller) -> Result<Self, Unbuildable> {
        let principal = entities::principal(&world.types, &world.hierarchy, caller)?;
        let agent = entities::agent(&world.types, &world.hierarchy, caller).map_err(|_| Unbuildable)?;
        let (principal_uid, agent_uid) = (principal.uid(), agent.uid());
        let standing = Standing::of(&principal);
        let mut all = vec![principal, agent];
        all.extend(world.nested.iter().cloned());
        Ok(Self {
            caller: caller.clone(),
            principal: principal_uid,
            agent: agent_uid,
            entities: all,
            stores: Mutex::default(),
            lists: Mutex::default(),
            about: Mutex::default(),
            standing,
            verdicts: Mutex::default(),
        })
    }

    /// The entities of a question about something that lasts: a tool or a prompt.
    pub(super) fn kept(&self, about: &EntityUid, more: &[Entity]) -> Result<Arc<Entities>, Unbuildable> {
        if let Some(found) = self.stores.lock().unwrap_or_else(PoisonError::into_inner).get(about) {
            return Ok(Arc::clone(found));
        }
        let store = self.store(more)?;
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        if stores.len() >= MAX_STORES {
            stores.clear();
        }
        stores.insert(about.clone(), Arc::clone(&store));
        Ok(store)
    }

    /// The entities of a question about something that comes and goes.
    pub(super) fn store<'e>(
        &self,
        more: impl IntoIterator<Item = &'e Entity>,
    ) -> Result<Arc<Entities>, Unbuildable> {
        let all = self.entities.iter().cloned().chain(more.into_iter().cloned());
        Entities::from_entities(all, None).map(Arc::new).map_err(|_| Unbuildable)
    }

    /// The verdict on a call that is the same in all that the policies look at.
    pub(super) fn verdict(&self, seen: &Seen) -> Option<Verdict> {
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner).get(seen).cloned()
    }

    /// Keeps a verdict for calls like this one.
    pub(super) fn keep_verdict(&self, seen: Seen, verdict: &Verdict) {
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        if verdicts.len() >= MAX_VERDICTS {
            verdicts.clear();
        }
        verdicts.insert(seen, verdict.clone());
    }

    /// The views of a slice that are about this caller. There are as many slices as the policies make.
    pub(super) fn about(&self, slice: &Slice) -> About {
        let mut about = self.about.lock().unwrap_or_else(PoisonError::into_inner);
        about.entry(slice.number).or_insert_with(|| About::of(slice, &self.standing)).clone()
    }

    /// A list answer from before, for this thing or one that is `alike`, or a new one, judged in the context of that
    /// client.
    pub(super) fn listed(
        &self,
        now: &Circumstances,
        about: (&EntityUid, Listed),
        alike: impl FnOnce() -> Option<Likeness>,
        answer: impl FnOnce(Context) -> Result<bool, Unbuildable>,
    ) -> Result<bool, Unbuildable> {
        let key = (about.0.clone(), about.1);
        let (context, alike) = {
            let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
            if !lists.iter().any(|list| list.client.is(now)) {
                if lists.len() >= MAX_CLIENTS {
                    lists.clear();
                }
                lists.push(List::new(&self.agent, now)?);
            }
            let list = lists.iter_mut().find(|list| list.client.is(now));
            let list = list.ok_or(Unbuildable)?;
            if let Some(found) = list.answers.get(&key) {
                return Ok(*found);
            }
            let alike = alike();
            if let Some(found) = alike.as_ref().and_then(|alike| list.alike.get(alike)).copied() {
                list.keep(key, alike, found);
                return Ok(found);
            }
            (list.context.clone(), alike)
        };
        let fresh = answer(context)?;
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = lists.iter_mut().find(|list| list.client.is(now)) {
            list.keep(key, alike, fresh);
        }
        Ok(fresh)
    }
}

impl List {
    fn new(agent: &EntityUid, now: &Circumstances) -> Result<Self, Unbuildable> {
        // Time and address are among what is not known yet, so the zone makes no difference.
        let record = request(agent, now, &TimeZone::UTC, &Reads::default())?;
        let context = Context::from_pairs([("request".to_owned(), record)]).map_err(|_| Unbuildable)?;
        Ok(Self { client: Client::of(now), context, answers: HashMap::new(), alike: HashMap::new() })
    }

    fn keep(&mut self, key: (EntityUid, Listed), alike: Option<Likeness>, answer: bool) {
        if self.answers.len() >= MAX_ANSWERS {
            self.answers.clear();
            self.alike.clear();
        }
        self.answers.insert(key, answer);
        if let Some(alike) = alike {
            self.alike.insert(alike, answer);
        }
    }
}

impl Client {
    pub(super) fn of(now: &Circumstances) -> Self {
        Self {
            name: now.client_name.clone(),
            version: now.client_version.clone(),
            protocol: now.protocol.clone(),
            transport: now.transport.clone(),
        }
    }

    fn is(&self, now: &Circumstances) -> bool {
        self.name == now.client_name
            && self.version == now.client_version
            && self.protocol == now.protocol
            && self.transport == now.transport
    }
}
