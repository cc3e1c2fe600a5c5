//! A question in Cedar's terms: which action, on what, among which policies, and what the context holds.

use std::sync::Arc;

use cedar_policy::{Entities, Entity, EntityUid, RestrictedExpression};

use super::actions::uid;
use super::arguments;
use super::callers::Known;
use super::circumstances::{Unbuildable, reading, session, text, texts};
use super::entities;
use super::load::Policies;
use super::question::{AdminAction, Asked, Item, Question, Reading};
use super::slices::Slice;
use super::stamp::Misfit;
use super::world::{Deed, Server, Tool};

/// Why there is no verdict.
#[derive(Debug)]
pub(super) enum Fault {
    /// There is no such thing.
    Unknown,
    /// An argument does not fit.
    Misfit(Misfit),
    /// The engine could not be asked.
    Unbuildable,
}

impl From<Unbuildable> for Fault {
    fn from(_: Unbuildable) -> Self {
        Self::Unbuildable
    }
}

/// Which of the questions that come after a call.
#[derive(Debug, Clone, Copy)]
enum Side {
    Result,
    Approval,
}

impl Side {
    fn of<'d>(self, result: &'d Deed, approval: &'d Deed) -> &'d Deed {
        match self {
            Self::Result => result,
            Self::Approval => approval,
        }
    }
}

/// A question in Cedar's terms.
pub(super) struct Case<'c> {
    pub(super) slice: &'c Slice,
    pub(super) action: EntityUid,
    pub(super) resource: EntityUid,
    pub(super) entities: Arc<Entities>,
    /// What the context has besides `request`.
    pub(super) context: Vec<(String, RestrictedExpression)>,
}

impl Policies {
    /// A question in Cedar's terms.
    pub(super) fn case(&self, known: &Known, question: &Question<'_>) -> Result<Case<'_>, Fault> {
        match question.asked {
            Asked::CallTool { tool, args } => self.tool_call(known, question, (tool, args)),
            Asked::FollowTask { tool } => {
                let tool = self.world.tools.get(tool).ok_or(Fault::Unknown)?;
                Ok(self.lasting(known, &tool.follow, (&tool.uid, &tool.entities), question)?)
            }
            Asked::ReadResource { server, uri } => {
                self.resource(known, question, (server, uri), |server| &server.read)
            }
            Asked::SubscribeResource { server, uri } => {
                self.resource(known, question, (server, uri), |server| &server.subscribe)
            }
            Asked::GetPrompt { prompt, args } => {
                let prompt = self.world.prompts.get(prompt).ok_or(Fault::Unknown)?;
                let pairs: Vec<String> = args.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let mut case = self.lasting(known, &prompt.get, (&prompt.uid, &prompt.entities), question)?;
                case.context.push(("findings".to_owned(), texts(question.findings.iter().copied())));
                case.context.push(("args".to_owned(), texts(pairs.iter().map(String::as_str))));
                Ok(case)
            }
            Asked::Complete { of } => match of {
                Item::Prompt(prompt) => {
                    let prompt = self.world.prompts.get(prompt).ok_or(Fault::Unknown)?;
                    Ok(self.lasting(known, &prompt.complete, (&prompt.uid, &prompt.entities), question)?)
                }
                Item::Resource { server, uri } | Item::Template { server, uri } => {
                    self.resource(known, question, (server, uri), |server| &server.complete)
                }
                Item::Tool(_) | Item::Server(_) => Err(Fault::Unknown),
            },
            Asked::CallExtension { server, method } => {
                let server = self.world.servers.get(server).ok_or(Fault::Unknown)?;
                let deed = &server.extension.call;
                let mut case = self.lasting(known, deed, (&server.uid, &server.entities), question)?;
                case.context.push(("method".to_owned(), text(method)));
                case.context.push(("findings".to_owned(), texts(question.findings.iter().copied())));
                Ok(case)
            }
            Asked::ReturnResult { what, bytes, is_error } => {
                let mut case = self.about(known, question, what, Side::Result)?;
                case.context.push(("bytes".to_owned(), long(bytes)));
                case.context.push(("isError".to_owned(), RestrictedExpression::new_bool(is_error)));
                case.context.push(("findings".to_owned(), texts(question.findings.iter().copied())));
                Ok(case)
            }
            Asked::OpenToken { tool, kind, argument } => {
                let tool = self.world.tools.get(tool).ok_or(Fault::Unknown)?;
                let mut case = self.lasting(known, &tool.open, (&tool.uid, &tool.entities), question)?;
                case.context.push(("type".to_owned(), text(kind)));
                case.context.push(("argument".to_owned(), text(argument)));
                Ok(case)
            }
            Asked::ApproveCall { what, requested_by } => {
                let mut case = self.about(known, question, what, Side::Approval)?;
                case.context = vec![("requestedBy".to_owned(), text(requested_by))];
                Ok(case)
            }
            Asked::Administer { action, tenant, reading } => self.admin(known, (action, tenant), &reading),
        }
    }

    /// A question about something that a call was for.
    fn about(
        &self,
        known: &Known,
        question: &Question<'_>,
        what: Item<'_>,
        side: Side,
    ) -> Result<Case<'_>, Fault> {
        match what {
            Item::Tool(name) => {
                let tool = self.world.tools.get(name).ok_or(Fault::Unknown)?;
                let deed = side.of(&tool.result, &tool.approve);
                Ok(self.lasting(known, deed, (&tool.uid, &tool.entities), question)?)
            }
            Item::Prompt(name) => {
                let prompt = self.world.prompts.get(name).ok_or(Fault::Unknown)?;
                let deed = side.of(&prompt.result, &prompt.approve);
                Ok(self.lasting(known, deed, (&prompt.uid, &prompt.entities), question)?)
            }
            Item::Resource { server, uri } => self
                .resource(known, question, (server, uri), |server| side.of(&server.result, &server.approve)),
            Item::Server(id) => {
                let server = self.world.servers.get(id).ok_or(Fault::Unknown)?;
                let deed = side.of(&server.extension.result, &server.extension.approve);
                Ok(self.lasting(known, deed, (&server.uid, &server.entities), question)?)
            }
            Item::Template { .. } => Err(Fault::Unknown),
        }
    }

    fn tool_call(
        &self,
        known: &Known,
        question: &Question<'_>,
        (name, args): (&str, &str),
    ) -> Result<Case<'_>, Fault> {
        let tool = self.world.tools.get(name).ok_or(Fault::Unknown)?;
        let (attribute, lost) = read_arguments(tool, args).map_err(Fault::Misfit)?;
        let mut case = self.lasting(known, &tool.call, (&tool.uid, &tool.entities), question)?;
        case.context.push(attribute);
        case.context.push(("lost".to_owned(), texts(lost.iter().map(String::as_str))));
        case.context.push(("findings".to_owned(), texts(question.findings.iter().copied())));
        Ok(case)
    }

    fn resource(
        &self,
        known: &Known,
        question: &Question<'_>,
        (server, uri): (&str, &str),
        deed: impl FnOnce(&Server) -> &Deed,
    ) -> Result<Case<'_>, Fault> {
        let server = self.world.servers.get(server).ok_or(Fault::Unknown)?;
        let deed = deed(server);
        let resource = self.resource_entity(server, uri)?;
        Ok(Case {
            slice: &deed.slice,
            action: deed.action.clone(),
            resource: resource.uid(),
            entities: known.store(server.entities.iter().chain([&resource]))?,
            context: vec![self.session_of(question, &deed.slice)?],
        })
    }

    /// A question about something that lasts, its context still without what is particular to the action.
    fn lasting<'c>(
        &self,
        known: &Known,
        deed: &'c Deed,
        (resource, entities): (&EntityUid, &[Entity]),
        question: &Question<'_>,
    ) -> Result<Case<'c>, Unbuildable> {
        Ok(Case {
            slice: &deed.slice,
            action: deed.action.clone(),
            resource: resource.clone(),
            entities: known.kept(resource, entities)?,
            context: vec![self.session_of(question, &deed.slice)?],
        })
    }

    fn session_of(
        &self,
        question: &Question<'_>,
        slice: &Slice,
    ) -> Result<(String, RestrictedExpression), Unbuildable> {
        let facts = session(question.circumstances, &slice.reads, &self.world.types.tool)?;
        Ok(("session".to_owned(), facts))
    }

    pub(super) fn resource_entity(&self, server: &Server, uri: &str) -> Result<Entity, Unbuildable> {
        entities::resource(&self.world.types, uri, (&server.uid, &server.ancestors)).map_err(|_| Unbuildable)
    }

    fn admin(
        &self,
        known: &Known,
        (deed, tenant): (AdminAction, &str),
        asked: &Reading,
    ) -> Result<Case<'_>, Fault> {
        let (action, slice) = self.world.admin.get(&deed).ok_or(Fault::Unknown)?;
        let types = &self.world.types;
        let resource = if deed.on_log() {
            let tenant_uid = uid(&types.tenant, tenant);
            Entity::new_no_attrs(uid(&types.audit_log, tenant), std::iter::once(tenant_uid).collect())
        } else {
            Entity::with_uid(uid(&types.gateway, "main"))
        };
        Ok(Case {
            slice,
            action: action.uid.clone(),
            resource: resource.uid(),
            entities: known.store([&action.entity, &resource])?,
            context: if deed.on_log() { vec![("reading".to_owned(), reading(asked)?)] } else { Vec::new() },
        })
    }
}

/// The context attribute that holds the arguments, and the paths that it does not hold.
pub(super) fn read_arguments(
    tool: &Tool,
    args: &str,
) -> Result<((String, RestrictedExpression), Vec<String>), Misfit> {
    let Some(shape) = &tool.args else {
        return Ok((("argsJson".to_owned(), text(&arguments::canonical(args)?)), Vec::new()));
    };
    let read = arguments::typed(shape, args)?;
    // A rule that looks at this value would see none, and judge as if it had not been sent.
    if let Some(path) = read.inexact.iter().find(|path| tool.call.slice.reads.touches(path)) {
        return Err(Misfit { path: path.join("."), expected: "a value that the policies can read exactly" });
    }
    Ok((("args".to_owned(), read.record), read.lost))
}

fn long(value: u64) -> RestrictedExpression {
    RestrictedExpression::new_long(i64::try_from(value).unwrap_or(i64::MAX))
}
