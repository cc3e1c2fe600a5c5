//! One question, one answer.

use std::sync::Arc;

use cedar_policy::{Context, EntityUid, Request};

use serde_json::{Value, json};

use super::actions::uid;
use super::annotations::Mode;
use super::callers::Known;
use super::case::{Case, Fault, read_arguments};
use super::circumstances::request;
use super::decide::{Verdict, evaluate};
use super::hierarchy::with_ancestors;
use super::load::Policies;
use super::question::{Asked, Item, Question};
use super::seen::Seen;
use super::settle::{Settled, settle};
use super::slices::Slice;
use super::stamp::{Denial, DenialKind, Permit, PolicyError, Reasons};
use crate::identity::Caller;

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
        let seen = if self.observing { None } else { self.seen(question)? };
        if let Some((seen, slice)) = &seen
            && let Some(verdict) = known.verdict(seen)
        {
            return Ok((settle(slice, verdict), false));
        }
        let case = self.case(&known, question)?;
        let (slice, entities) = (case.slice, Arc::clone(&case.entities));
        let isolated = self.observing && self.crosses(caller, &case);
        let request = self.lean_request(&known, question, case)?;
        let verdict = evaluate(&slice.permits, &slice.forbids, &request, &entities);
        if let Some((seen, _)) = seen {
            known.keep_verdict(seen, &verdict);
        }
        Ok((settle(slice, verdict), isolated))
    }

    /// What the verdict on a call depends on besides the caller, if that is little enough to remember. Arguments that no
    /// policy looks at must fit their types all the same.
    fn seen(&self, question: &Question<'_>) -> Result<Option<(Seen, &Slice)>, Fault> {
        let Asked::CallTool { tool: name, args } = question.asked else { return Ok(None) };
        let tool = self.world.tools.get(name).ok_or(Fault::Unknown)?;
        let slice = &*tool.call.slice;
        let Some(seen) = Seen::of(&slice.reads, (name, args), question) else { return Ok(None) };
        if !seen.has_arguments() {
            read_arguments(tool, args).map_err(Fault::Misfit)?;
        }
        Ok(Some((seen, slice)))
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
        // What is only observed gives nothing away.
        let administers = matches!(
            question.asked,
            Asked::Administer { .. } | Asked::ApproveCall { .. } | Asked::OpenToken { .. }
        );
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
