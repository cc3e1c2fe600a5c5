//! One question, one answer.

use std::sync::Arc;

use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression};

use serde_json::{Value, json};

use super::actions::uid;
use super::annotations::Mode;
use super::arguments;
use super::callers::Known;
use super::circumstances::{Unbuildable, reading, request, session, text, texts};
use super::decide::{Verdict, evaluate};
use super::entities;
use super::hierarchy::with_ancestors;
use super::load::Policies;
use super::question::{AdminAction, Asked, Item, Question, Reading};
use super::settle::{Settled, settle};
use super::slices::Slice;
use super::stamp::{Denial, DenialKind, Misfit, Permit, PolicyError, Reasons};
use super::world::{Deed, Server, Tool};
use crate::identity::Caller;

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

/// A question in Cedar's terms.
pub(super) struct Case<'c> {
    pub(super) slice: &'c Slice,
    action: EntityUid,
    resource: EntityUid,
    pub(super) entities: Arc<Entities>,
    /// What the context has besides `request`.
    context: Vec<(String, RestrictedExpression)>,
}

impl Policies {
    /// Decides one call.
    ///
    /// # Errors
    /// A [`Denial`], if a `forbid` matches or fails, if no `permit` matches, if what is asked about is not
    /// known, or if an argument does not fit its declared type.
    pub fn authorize(&self, caller: &Caller, question: &Question<'_>) -> Result<Permit, Denial> {
        match self.settled(caller, question) {
            Ok((settled, isolated)) => self.answer(question, settled, isolated),
            Err(fault) => Err(self.refuse(question, fault)),
        }
    }

    /// What counts, and whether the question crosses the border of a tenant.
    fn settled(&self, caller: &Caller, question: &Question<'_>) -> Result<(Settled, bool), Fault> {
        if let Asked::ReturnResult { what, .. } = question.asked
            && let Some(permits) = self.always_returns(what)
        {
            let verdict = Verdict { permits: permits.clone(), ..Verdict::default() };
            return Ok((Settled { verdict, ..Settled::default() }, false));
        }
        let known = self.callers.known(&self.world, caller)?;
        let case = self.case(&known, question)?;
        let (slice, entities) = (case.slice, Arc::clone(&case.entities));
        let isolated = self.observing && self.crosses(caller, &case);
        let request = self.lean_request(&known, question, case)?;
        let verdict = evaluate(&slice.permits, &slice.forbids, &request, &entities);
        Ok((settle(slice, verdict), isolated))
    }

    /// A request that holds what the policies of its slice look at, and no more: most of a decision's cost is to
    /// build, check and drop what nobody reads. It is not checked against the schema, since it is made here by it; a
    /// policy that missed something would err, and an error permits nothing and forbids.
    fn lean_request(&self, known: &Known, question: &Question<'_>, case: Case<'_>) -> Result<Request, Fault> {
        let reads = &case.slice.reads;
        let mut context = case.context;
        context.retain(|(name, _)| reads.wants(name));
        if reads.wants("request") {
            let common = request(&known.agent, question.circumstances, &self.zone, reads)?;
            context.push(("request".to_owned(), common));
        }
        let context = Context::from_pairs(context).map_err(|_| Fault::Unbuildable)?;
        Request::new(known.principal.clone(), case.action, case.resource, context, None)
            .map_err(|_| Fault::Unbuildable)
    }

    /// The permits that let a result out whatever it is, if that is known at load.
    fn always_returns(&self, what: Item<'_>) -> Option<&Vec<String>> {
        let deed = match what {
            Item::Tool(name) => &self.world.tools.get(name)?.result,
            Item::Prompt(name) => &self.world.prompts.get(name)?.result,
            Item::Resource { server, .. } => &self.world.servers.get(server)?.result,
            Item::Server(id) => &self.world.servers.get(id)?.extension.result,
            Item::Template { .. } => return None,
        };
        deed.slice.always.as_ref()
    }

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

    /// Whether what is asked about belongs to another tenant.
    fn crosses(&self, caller: &Caller, case: &Case<'_>) -> bool {
        let tenant = uid(&self.world.types.tenant, &caller.tenant);
        !case.entities.is_ancestor_of(&tenant, &case.resource)
    }

    /// Labels of a tool: what a session that has read its results is tainted with.
    pub fn labels(&self, tool: &str) -> &[String] {
        self.world.tools.get(tool).map_or(&[], |tool| &tool.labels)
    }

    /// Whether a caller has a role, or one that is inside it.
    pub fn has_role(&self, caller: &Caller, role: &str) -> bool {
        with_ancestors(&caller.roles, &self.world.hierarchy.roles).contains(role)
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

    /// The whole request, checked against the schema.
    pub(super) fn request(
        &self,
        known: &Known,
        question: &Question<'_>,
        case: Case<'_>,
    ) -> Result<Request, Fault> {
        let mut context = case.context;
        let common = request(&known.agent, question.circumstances, &self.zone, &case.slice.reads)?;
        context.push(("request".to_owned(), common));
        let context = Context::from_pairs(context).map_err(|_| Fault::Unbuildable)?;
        let (principal, schema) = (known.principal.clone(), Some(&self.request_schema));
        // Cedar's own text would hold the values.
        Request::new(principal, case.action, case.resource, context, schema).map_err(|_| Fault::Unbuildable)
    }

    /// The `@oblige` permits that match a question.
    pub(super) fn obliging(&self, caller: &Caller, question: &Question<'_>) -> Vec<String> {
        let matched = || {
            let known = self.callers.known(&self.world, caller).ok()?;
            let case = self.case(&known, question).ok()?;
            let (slice, entities) = (case.slice, Arc::clone(&case.entities));
            let request = self.request(&known, question, case).ok()?;
            let obliges = |id: &String| slice.special.get(id).is_some_and(|notes| notes.mode == Mode::Oblige);
            let verdict = evaluate(&slice.permits, &slice.forbids, &request, &entities);
            Some(verdict.permits.into_iter().filter(obliges).collect())
        };
        matched().unwrap_or_default()
    }

    /// A question as Cedar's own tools want it: request and entities, in JSON.
    pub(super) fn in_cedar(&self, caller: &Caller, question: &Question<'_>) -> Option<(Value, Value)> {
        let known = self.callers.known(&self.world, caller).ok()?;
        let case = self.case(&known, question).ok()?;
        let entities = case.entities.to_json_value().ok()?;
        let request = self.request(&known, question, case).ok()?;
        let uid = |uid: Option<&EntityUid>| uid.map(ToString::to_string);
        let context = request.context().and_then(|context| context.to_json_value().ok())?;
        let request = json!({
            "principal": uid(request.principal())?,
            "action": uid(request.action())?,
            "resource": uid(request.resource())?,
            "context": context,
        });
        Some((request, entities))
    }

    /// What Cedar itself says, with all policies in one set.
    #[cfg(test)]
    pub(super) fn by_cedar_alone(
        &self,
        caller: &Caller,
        question: &Question<'_>,
        all: &cedar_policy::PolicySet,
    ) -> Option<cedar_policy::Response> {
        let known = self.callers.known(&self.world, caller).ok()?;
        let case = self.case(&known, question).ok()?;
        let entities = Arc::clone(&case.entities);
        let request = self.request(&known, question, case).ok()?;
        Some(cedar_policy::Authorizer::new().is_authorized(&request, all, &entities))
    }

    fn answer(&self, question: &Question<'_>, settled: Settled, isolated: bool) -> Result<Permit, Denial> {
        let administers = matches!(question.asked, Asked::Administer { .. } | Asked::ApproveCall { .. });
        self.answer_for(question.call, settled, (isolated, self.observing && !isolated && !administers))
    }

    pub(super) fn answer_for(
        &self,
        call: uuid::Uuid,
        settled: Settled,
        (isolated, observing): (bool, bool),
    ) -> Result<Permit, Denial> {
        let provenance = Arc::clone(&self.digests);
        if settled.verdict.allows() && !isolated {
            return Ok(Permit::new(call, settled, provenance));
        }
        let Settled { verdict, notify, shadow, .. } = settled;
        let kind = if !verdict.forbids.is_empty() {
            DenialKind::Forbidden
        } else if !verdict.failed_forbids.is_empty() {
            DenialKind::Erred
        } else {
            DenialKind::NoPermit
        };
        let mut determining = verdict.forbids;
        determining.extend(verdict.failed_forbids.iter().map(|error| error.policy.clone()));
        determining.sort_unstable();
        let mut errors = verdict.failed_forbids;
        errors.extend(verdict.failed_permits);
        let reply = self.reply(&determining);
        let reasons =
            Reasons { determining, satisfied: verdict.permits, errors, misfit: None, reply, shadow, notify };
        let denial = Denial::new(call, kind, reasons, provenance);
        if observing {
            return Ok(Permit::overruling(denial));
        }
        Err(denial)
    }

    /// What the severest of these policies says to a client; the first one's if several are as severe.
    fn reply(&self, ids: &[String]) -> Option<Arc<str>> {
        let notes = ids.iter().rev().filter_map(|id| self.rules.notes.get(id));
        let spoken = notes.filter_map(|notes| Some((notes.severity, notes.reply.as_ref()?)));
        spoken.max_by_key(|(severity, _)| *severity).map(|(_, reply)| Arc::clone(reply))
    }

    fn refuse(&self, question: &Question<'_>, fault: Fault) -> Denial {
        let mut reasons = Reasons::default();
        let kind = match fault {
            Fault::Unknown => DenialKind::Unknown,
            Fault::Misfit(misfit) => {
                reasons.misfit = Some(misfit);
                DenialKind::InvalidArguments
            }
            Fault::Unbuildable => {
                let cause = "the question does not fit the schema";
                reasons.errors.push(PolicyError { policy: String::new(), cause });
                DenialKind::Erred
            }
        };
        Denial::new(question.call, kind, reasons, Arc::clone(&self.digests))
    }
}

/// The context attribute that holds the arguments, and the paths that it does not hold.
fn read_arguments(tool: &Tool, args: &str) -> Result<((String, RestrictedExpression), Vec<String>), Misfit> {
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
