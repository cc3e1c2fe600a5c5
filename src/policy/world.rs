//! Everything that can be asked about, looked up by name, each with the policies that can matter for it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cedar_policy::entities_errors::EntitiesError;
use cedar_policy::{Entities, Entity, EntityAttrEvaluationError, EntityTypeName, EntityUid, Schema};

use super::actions::{
    APPROVE_CALL, CALL_EXTENSION, COMPLETE, DISCOVER, FOLLOW_TASK, GET_PROMPT, OPEN_TOKEN, READ_RESOURCE,
    RETURN_RESULT, SUBSCRIBE_RESOURCE, Types,
};
use super::alike::{Looks, Numbering};
use super::asking::ServerAsk;
use super::entities;
use super::hierarchy::Hierarchy;
use super::model::ServerModel;
use super::question::AdminAction;
use super::schema::{Schemas, TypedTool};
use super::shape::RecordShape;
use super::slices::{self, Index, Slice, Target};

/// Why the world could not be built.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the action `{0}` is not in the schema")]
    Action(String),
    #[error(transparent)]
    Slices(#[from] slices::Error),
    #[error("an attribute of an entity is not valid: {0}")]
    Attribute(#[from] Box<EntityAttrEvaluationError>),
    #[error("the entities contradict the schema: {0}")]
    Entities(#[from] Box<EntitiesError>),
}

/// Servers, tools and prompts.
#[derive(Debug)]
pub(super) struct World {
    pub(super) types: Types,
    pub(super) hierarchy: Hierarchy,
    pub(super) tools: HashMap<String, Tool>,
    pub(super) prompts: HashMap<String, Prompt>,
    pub(super) servers: HashMap<String, Server>,
    pub(super) admin: HashMap<AdminAction, (Action, Arc<Slice>)>,
    /// Roles and groups inside others.
    pub(super) nested: Vec<Entity>,
}

/// An action with its groups.
#[derive(Debug, Clone)]
pub(super) struct Action {
    pub(super) uid: EntityUid,
    pub(super) entity: Entity,
    /// The action itself, then its groups.
    lineage: Vec<EntityUid>,
}

/// What can be done to one kind of thing: the action, and the policies that can matter.
#[derive(Debug)]
pub(super) struct Deed {
    pub(super) action: EntityUid,
    pub(super) slice: Arc<Slice>,
}

/// One tool.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) uid: EntityUid,
    /// Tool, server and actions.
    pub(super) entities: Vec<Entity>,
    pub(super) looks: Looks,
    pub(super) args: Option<RecordShape>,
    pub(super) labels: Vec<String>,
    pub(super) call: Deed,
    pub(super) follow: Deed,
    pub(super) open: Deed,
    pub(super) result: Deed,
    pub(super) discover: Deed,
    pub(super) approve: Deed,
}

/// One prompt.
#[derive(Debug)]
pub(super) struct Prompt {
    pub(super) uid: EntityUid,
    pub(super) entities: Vec<Entity>,
    pub(super) get: Deed,
    pub(super) complete: Deed,
    pub(super) result: Deed,
    pub(super) discover: Deed,
    pub(super) approve: Deed,
}

/// One server, and what can be done to its resources.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) uid: EntityUid,
    pub(super) ancestors: BTreeSet<EntityUid>,
    entity: Entity,
    /// The server and actions.
    pub(super) entities: Vec<Entity>,
    pub(super) see: Deed,
    /// Methods of extensions: done to the server itself.
    pub(super) extension: Extended,
    pub(super) read: Deed,
    pub(super) subscribe: Deed,
    pub(super) complete: Deed,
    pub(super) result: Deed,
    pub(super) discover: Deed,
    pub(super) approve: Deed,
    /// What the server may ask of agents.
    pub(super) asks: HashMap<ServerAsk, Deed>,
}

/// What can be done with methods of extensions.
#[derive(Debug)]
pub(super) struct Extended {
    pub(super) call: Deed,
    pub(super) result: Deed,
    pub(super) approve: Deed,
}

impl World {
    pub(super) fn new(
        types: Types,
        hierarchy: Hierarchy,
        servers: &[ServerModel],
        schemas: &Schemas,
        index: &mut Index,
    ) -> Result<Self, Error> {
        let actions = actions(&schemas.policies)?;
        let nested = entities::nested(&types, &hierarchy);
        let mut builder =
            Builder { types: &types, hierarchy: &hierarchy, actions, index, numbering: Numbering::default() };
        let mut all = (HashMap::new(), HashMap::new(), HashMap::new());
        for model in servers {
            let server = builder.server(model)?;
            for prompt in &model.prompts {
                all.1.insert(prompt.name.clone(), builder.prompt(prompt, &server)?);
            }
            for tool in schemas.tools.iter().filter(|tool| tool.server == model.id) {
                all.0.insert(tool.model.name.clone(), builder.tool(tool, &server)?);
            }
            all.2.insert(model.id.clone(), server);
        }
        let admin = builder.admin()?;
        let (tools, prompts, servers) = all;
        let world = Self { types, hierarchy, tools, prompts, servers, admin, nested };
        world.check(&schemas.policies)?;
        Ok(world)
    }

    /// Checks every entity against the schema once, so that questions need not.
    fn check(&self, schema: &Schema) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        let tools = self.tools.values().flat_map(|tool| &tool.entities);
        let prompts = self.prompts.values().flat_map(|prompt| &prompt.entities);
        let servers = self.servers.values().flat_map(|server| &server.entities);
        let all = tools.chain(prompts).chain(servers).chain(&self.nested);
        let once =
            all.filter(|entity| entity.uid().type_name() != &self.types.action && seen.insert(entity.uid()));
        Entities::from_entities(once.cloned().collect::<Vec<_>>(), Some(schema)).map_err(Box::new)?;
        Ok(())
    }
}

fn actions(schema: &Schema) -> Result<HashMap<String, Action>, Error> {
    let all = schema.action_entities().map_err(Box::new)?;
    let mut actions = HashMap::new();
    for entity in all.iter() {
        let uid = entity.uid();
        let mut lineage = vec![uid.clone()];
        lineage.extend(all.ancestors(&uid).into_iter().flatten().cloned());
        actions.insert(uid.id().unescaped().to_owned(), Action { uid, entity: entity.clone(), lineage });
    }
    Ok(actions)
}

struct Builder<'b> {
    types: &'b Types,
    hierarchy: &'b Hierarchy,
    actions: HashMap<String, Action>,
    index: &'b mut Index,
    numbering: Numbering,
}

/// What a deed is done to.
struct Thing<'t> {
    kind: &'t EntityTypeName,
    uid: Option<&'t EntityUid>,
    ancestors: &'t BTreeSet<EntityUid>,
}

impl Builder<'_> {
    fn action(&self, id: &str) -> Result<Action, Error> {
        self.actions.get(id).cloned().ok_or_else(|| Error::Action(id.to_owned()))
    }

    /// A deed; its action joins the entities.
    fn deed(&mut self, id: &str, thing: &Thing<'_>, entities: &mut Vec<Entity>) -> Result<Deed, Error> {
        let action = self.action(id)?;
        let target = Target {
            actions: &action.lineage,
            kind: thing.kind,
            resource: thing.uid,
            ancestors: Some(thing.ancestors),
        };
        let slice = self.index.slice(&target)?;
        entities.push(action.entity);
        Ok(Deed { action: action.uid, slice })
    }

    fn server(&mut self, model: &ServerModel) -> Result<Server, Error> {
        let (entity, ancestors) = entities::server(self.types, self.hierarchy, model)?;
        let uid = entity.uid();
        let mut inside = ancestors.clone();
        inside.insert(uid.clone());
        let mut entities = vec![entity.clone()];
        let itself = Thing { kind: &self.types.server, uid: Some(&uid), ancestors: &ancestors };
        let see = self.deed(DISCOVER, &itself, &mut entities)?;
        let extension = Extended {
            call: self.deed(CALL_EXTENSION, &itself, &mut entities)?,
            // Their actions join the entities below.
            result: self.deed(RETURN_RESULT, &itself, &mut Vec::new())?,
            approve: self.deed(APPROVE_CALL, &itself, &mut Vec::new())?,
        };
        let resource = Thing { kind: &self.types.resource, uid: None, ancestors: &inside };
        let mut asks = HashMap::new();
        for ask in ServerAsk::ALL {
            let action = self.action(ask.action())?;
            let kind = &self.types.agent;
            let target = Target { actions: &action.lineage, kind, resource: None, ancestors: None };
            let slice = self.index.slice(&target)?;
            entities.push(action.entity);
            asks.insert(ask, Deed { action: action.uid, slice });
        }
        Ok(Server {
            asks,
            see,
            extension,
            read: self.deed(READ_RESOURCE, &resource, &mut entities)?,
            subscribe: self.deed(SUBSCRIBE_RESOURCE, &resource, &mut entities)?,
            complete: self.deed(COMPLETE, &resource, &mut entities)?,
            result: self.deed(RETURN_RESULT, &resource, &mut entities)?,
            approve: self.deed(APPROVE_CALL, &resource, &mut entities)?,
            // `Discover` joined the entities with `see`.
            discover: self.deed(DISCOVER, &resource, &mut Vec::new())?,
            uid,
            ancestors,
            entity,
            entities,
        })
    }

    fn tool(&mut self, tool: &TypedTool, server: &Server) -> Result<Tool, Error> {
        let (entity, ancestors) =
            entities::tool(self.types, self.hierarchy, &tool.model, (&server.uid, &server.ancestors))?;
        let uid = entity.uid();
        let looks = self.numbering.looks(&entity, &server.entity);
        let mut entities = vec![entity, server.entity.clone()];
        let thing = Thing { kind: &self.types.tool, uid: Some(&uid), ancestors: &ancestors };
        Ok(Tool {
            call: self.deed(&tool.model.name, &thing, &mut entities)?,
            follow: self.deed(FOLLOW_TASK, &thing, &mut entities)?,
            open: self.deed(OPEN_TOKEN, &thing, &mut entities)?,
            result: self.deed(RETURN_RESULT, &thing, &mut entities)?,
            discover: self.deed(DISCOVER, &thing, &mut entities)?,
            approve: self.deed(APPROVE_CALL, &thing, &mut entities)?,
            looks,
            args: tool.generated.args.clone(),
            labels: tool.model.labels.clone(),
            uid: uid.clone(),
            entities,
        })
    }

    fn prompt(&mut self, model: &super::PromptModel, server: &Server) -> Result<Prompt, Error> {
        let (entity, ancestors) = entities::prompt(self.types, model, (&server.uid, &server.ancestors))?;
        let uid = entity.uid();
        let mut entities = vec![entity, server.entity.clone()];
        let thing = Thing { kind: &self.types.prompt, uid: Some(&uid), ancestors: &ancestors };
        Ok(Prompt {
            get: self.deed(GET_PROMPT, &thing, &mut entities)?,
            complete: self.deed(COMPLETE, &thing, &mut entities)?,
            result: self.deed(RETURN_RESULT, &thing, &mut entities)?,
            discover: self.deed(DISCOVER, &thing, &mut entities)?,
            approve: self.deed(APPROVE_CALL, &thing, &mut entities)?,
            uid: uid.clone(),
            entities,
        })
    }

    fn admin(&mut self) -> Result<HashMap<AdminAction, (Action, Arc<Slice>)>, Error> {
        let mut all = HashMap::new();
        for deed in AdminAction::ALL {
            let action = self.action(deed.id())?;
            let kind = if deed.on_log() { &self.types.audit_log } else { &self.types.gateway };
            let target = Target { actions: &action.lineage, kind, resource: None, ancestors: None };
            let slice = self.index.slice(&target)?;
            all.insert(deed, (action, slice));
        }
        Ok(all)
    }
}
