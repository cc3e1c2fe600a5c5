//! One question, one answer.

use std::sync::Arc;

use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression};

use super::actions::uid;
use super::arguments;
use super::callers::Known;
use super::circumstances::{Unbuildable, request, session, text, texts};
use super::decide::{Verdict, evaluate};
use super::entities;
use super::load::Policies;
use super::question::{AdminAction, Asked, Item, Question};
use super::slices::Slice;
use super::stamp::{Denial, DenialKind, Misfit, Permit, PolicyError, Reasons};
use super::world::{Deed, Server, Tool};
use crate::identity::Caller;

/// Why there is no verdict.
enum Fault {
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
struct Case<'c> {
    slice: &'c Slice,
    action: EntityUid,
    resource: EntityUid,
    entities: Arc<Entities>,
    /// What the context has besides `request`.
    context: Vec<(String, RestrictedExpression)>,
}

type Extra = Vec<(String, RestrictedExpression)>;

impl Policies {
    /// Decides one call.
    ///
    /// # Errors
    /// A [`Denial`], if a `forbid` matches or fails, if no `permit` matches, if what is asked about is not
    /// known, or if an argument does not fit its declared type.
    pub fn authorize(&self, caller: &Caller, question: &Question<'_>) -> Result<Permit, Denial> {
        match self.verdict(caller, question) {
            Ok(verdict) => self.answer(question, verdict),
            Err(fault) => Err(self.refuse(question, fault)),
        }
    }

    fn verdict(&self, caller: &Caller, question: &Question<'_>) -> Result<Verdict, Fault> {
        let known = self.callers.known(&self.world, caller)?;
        let case = match question.asked {
            Asked::CallTool { tool, args } => self.tool_call(&known, question, (tool, args))?,
            Asked::ReadResource { server, uri } => {
                self.resource(&known, question, (server, uri), |server| &server.read)?
            }
            Asked::SubscribeResource { server, uri } => {
                self.resource(&known, question, (server, uri), |server| &server.subscribe)?
            }
            Asked::GetPrompt { prompt, args } => {
                let prompt = self.world.prompts.get(prompt).ok_or(Fault::Unknown)?;
                let pairs: Vec<String> = args.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let mut case = case(&known, &prompt.get, (&prompt.uid, &prompt.entities), question)?;
                case.context.push(("findings".to_owned(), texts(question.findings.iter().copied())));
                case.context.push(("args".to_owned(), texts(pairs.iter().map(String::as_str))));
                case
            }
            Asked::Complete { of } => match of {
                Item::Prompt(prompt) => {
                    let prompt = self.world.prompts.get(prompt).ok_or(Fault::Unknown)?;
                    case(&known, &prompt.complete, (&prompt.uid, &prompt.entities), question)?
                }
                Item::Resource { server, uri } | Item::Template { server, uri } => {
                    self.resource(&known, question, (server, uri), |server| &server.complete)?
                }
                Item::Tool(_) | Item::Server(_) => return Err(Fault::Unknown),
            },
            Asked::ReturnResult { what, bytes, is_error } => {
                let result = ("bytes".to_owned(), long(bytes));
                let error = ("isError".to_owned(), RestrictedExpression::new_bool(is_error));
                return self.result(&known, question, what, vec![result, error]);
            }
            Asked::Administer { action, tenant } => self.admin(&known, question, (action, tenant))?,
        };
        self.judge(&known, question, case)
    }

    fn tool_call(
        &self,
        known: &Known,
        question: &Question<'_>,
        (name, args): (&str, &str),
    ) -> Result<Case<'_>, Fault> {
        let tool = self.world.tools.get(name).ok_or(Fault::Unknown)?;
        let (attribute, lost) = read_arguments(tool, args).map_err(Fault::Misfit)?;
        let mut case = case(known, &tool.call, (&tool.uid, &tool.entities), question)?;
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
            context: vec![session_of(question, &deed.slice)?],
        })
    }

    pub(super) fn resource_entity(&self, server: &Server, uri: &str) -> Result<Entity, Unbuildable> {
        entities::resource(&self.world.types, uri, (&server.uid, &server.ancestors)).map_err(|_| Unbuildable)
    }

    fn result(
        &self,
        known: &Known,
        question: &Question<'_>,
        what: Item<'_>,
        mut extra: Extra,
    ) -> Result<Verdict, Fault> {
        let mut case = match what {
            Item::Tool(name) => {
                let tool = self.world.tools.get(name).ok_or(Fault::Unknown)?;
                if let Some(permits) = &tool.result.slice.always {
                    return Ok(Verdict { permits: permits.clone(), ..Verdict::default() });
                }
                case(known, &tool.result, (&tool.uid, &tool.entities), question)?
            }
            Item::Prompt(name) => {
                let prompt = self.world.prompts.get(name).ok_or(Fault::Unknown)?;
                if let Some(permits) = &prompt.result.slice.always {
                    return Ok(Verdict { permits: permits.clone(), ..Verdict::default() });
                }
                case(known, &prompt.result, (&prompt.uid, &prompt.entities), question)?
            }
            Item::Resource { server, uri } => {
                let found = self.world.servers.get(server).ok_or(Fault::Unknown)?;
                if let Some(permits) = &found.result.slice.always {
                    return Ok(Verdict { permits: permits.clone(), ..Verdict::default() });
                }
                self.resource(known, question, (server, uri), |server| &server.result)?
            }
            Item::Template { .. } | Item::Server(_) => return Err(Fault::Unknown),
        };
        extra.push(("findings".to_owned(), texts(question.findings.iter().copied())));
        case.context.append(&mut extra);
        self.judge(known, question, case)
    }

    fn admin(
        &self,
        known: &Known,
        _question: &Question<'_>,
        (deed, tenant): (AdminAction, &str),
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
            context: Vec::new(),
        })
    }

    fn judge(&self, known: &Known, question: &Question<'_>, case: Case<'_>) -> Result<Verdict, Fault> {
        let (slice, entities) = (case.slice, Arc::clone(&case.entities));
        let request = self.request(known, question, case)?;
        Ok(evaluate(&slice.permits, &slice.forbids, &request, &entities))
    }

    fn request(&self, known: &Known, question: &Question<'_>, case: Case<'_>) -> Result<Request, Fault> {
        let mut context = case.context;
        let common = request(&known.agent, question.circumstances, &self.zone, &case.slice.reads)?;
        context.push(("request".to_owned(), common));
        let context = Context::from_pairs(context).map_err(|_| Fault::Unbuildable)?;
        let (principal, schema) = (known.principal.clone(), Some(&self.request_schema));
        // Cedar's own text would hold the values.
        Request::new(principal, case.action, case.resource, context, schema).map_err(|_| Fault::Unbuildable)
    }

    /// What Cedar itself says about a tool call, with all policies in one set.
    #[cfg(test)]
    pub(super) fn by_cedar_alone(
        &self,
        caller: &Caller,
        question: &Question<'_>,
        call: (&str, &str),
    ) -> Option<cedar_policy::Response> {
        let known = self.callers.known(&self.world, caller).ok()?;
        let case = self.tool_call(&known, question, call).ok()?;
        let entities = Arc::clone(&case.entities);
        let request = self.request(&known, question, case).ok()?;
        let all = cedar_policy::PolicySet::from_policies(self.rules.policies.values().cloned()).ok()?;
        Some(cedar_policy::Authorizer::new().is_authorized(&request, &all, &entities))
    }

    fn answer(&self, question: &Question<'_>, verdict: Verdict) -> Result<Permit, Denial> {
        let provenance = Arc::clone(&self.digests);
        if verdict.allows() {
            return Ok(Permit::new(question.call, verdict.permits, verdict.failed_permits, provenance));
        }
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
        let reply = determining.iter().find_map(|id| self.replies.get(id)).cloned();
        let reasons = Reasons { determining, satisfied: verdict.permits, errors, misfit: None, reply };
        Err(Denial::new(question.call, kind, reasons, provenance))
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

/// A question about something that lasts, its context still without what is particular to the action.
fn case<'c>(
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
        context: vec![session_of(question, &deed.slice)?],
    })
}

fn session_of(question: &Question<'_>, slice: &Slice) -> Result<(String, RestrictedExpression), Unbuildable> {
    Ok(("session".to_owned(), session(question.circumstances, &slice.reads)?))
}

fn long(value: u64) -> RestrictedExpression {
    RestrictedExpression::new_long(i64::try_from(value).unwrap_or(i64::MAX))
}
