//! What a backend asks of the agent is a call like any other, the other way round: inspected, judged under the actions
//! `Elicit`, `Sample` and `ListRoots` with the server as principal, and recorded before anybody hears it.

use super::owed::Owed;
use super::reply::Said;
use super::{Refusal, journal};
use crate::audit::{Body, Receipt, Role};
use crate::inspect::{Direction, Filtered, Finding, Subject};
use crate::mcp::{Ask, Edit, Object, quote, rewrite_strings};
use crate::policy::{Asking, ServerAsk};
use crate::route::{Front, exposed_uri};

/// What becomes of a question.
pub(super) enum Judged {
    /// The agent may be asked this.
    Put(Filtered<String>),
    /// The agent is not asked; that is recorded.
    Kept(Receipt),
}

/// What an agent answered, fit for the backend.
pub(super) enum Heard {
    /// A result, and the receipt of its record.
    Result(Filtered<String>, Receipt),
    /// An error, with its code.
    Error(i64, Receipt),
}

impl Owed {
    /// Judges one question of the backend. `params` are raw, in the backend's words.
    ///
    /// # Errors
    /// It cannot be inspected or recorded: the call ends here.
    pub(super) async fn question(&self, ask: Ask, params: &str) -> Result<Judged, Refusal> {
        if !self.facts.abilities.can_answer(ask, params) {
            return self.keep(ask, "not_declared", None).await;
        }
        let subject = Subject { call: self.facts.call, direction: Direction::Response, exempt: &[] };
        let shown = self.shown(ask, params).ok_or_else(malformed)?;
        // A question reaches a model or a person like a result does.
        let check = self.rules.checks.of(self.facts.target.as_ref(), &self.facts.server);
        let cleaned = match self.rules.sanitizer.result(shown, &check.rules.results) {
            Ok(cleaned) => cleaned,
            Err(judged) => return self.keep_because(ask, ("blocked", &judged.findings()), None).await,
        };
        let mut found = cleaned.judged.findings();
        let Ok(filtered) = self.rules.filter(cleaned.json, &subject).await else {
            return self.keep_because(ask, ("blocked", &found), None).await;
        };
        found.extend_from_slice(filtered.findings());
        let mut kinds: Vec<&str> = found.iter().map(|one| one.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let object = Object::parse(filtered.value());
        let mode = object.as_ref().and_then(|o| o.str("mode"));
        let mode = if ask == Ask::Elicit { mode.as_deref().unwrap_or("form") } else { "" };
        let asking = Asking {
            call: self.facts.call,
            server: &self.facts.server,
            ask: match ask {
                Ask::Elicit => ServerAsk::Elicit,
                Ask::Sample => ServerAsk::Sample,
                Ask::ListRoots => ServerAsk::ListRoots,
            },
            mode,
            circumstances: &self.facts.circumstances,
            findings: &kinds,
        };
        match self.rules.policies.may_ask(&self.caller, &asking) {
            Ok(permit) => {
                let about = journal::About { call: self.facts.call, server: &self.facts.server, ask };
                let said = self.said(Role::Request, filtered.value());
                let draft = journal::question(&self.rules, &about, &permit, &found).payload(Some(said));
                self.gateway.log.append(draft).await?;
                Ok(Judged::Put(filtered))
            }
            Err(denial) => self.keep_because(ask, ("denied", &found), Some(&denial)).await,
        }
    }

    fn said(&self, role: Role, text: &str) -> Body {
        self.gateway.log.captured(role, (&self.caller.id, &self.facts.server), text, None)
    }

    /// Records that the agent is not asked.
    pub(super) async fn keep(
        &self,
        ask: Ask,
        reason: &'static str,
        denial: Option<&crate::policy::Denial>,
    ) -> Result<Judged, Refusal> {
        self.keep_because(ask, (reason, &[]), denial).await
    }

    /// The same, with what was found in the question.
    async fn keep_because(
        &self,
        ask: Ask,
        why: (&'static str, &[Finding]),
        denial: Option<&crate::policy::Denial>,
    ) -> Result<Judged, Refusal> {
        let about = journal::About { call: self.facts.call, server: &self.facts.server, ask };
        let receipt = self.gateway.log.append(journal::kept(&self.rules, &about, why, denial)).await?;
        Ok(Judged::Kept(receipt))
    }

    /// Inspects and records what the agent answered.
    ///
    /// # Errors
    /// It cannot be inspected or recorded, so the backend does not hear it.
    pub(super) async fn heard(&mut self, ask: Ask, said: Said) -> Result<Heard, Refusal> {
        let about = journal::About { call: self.facts.call, server: &self.facts.server, ask };
        match said {
            Said::Result(raw) => {
                let subject = Subject { call: self.facts.call, direction: Direction::Request, exempt: &[] };
                Object::parse(&raw).ok_or_else(malformed)?;
                let filtered = self.rules.filter(raw, &subject).await;
                let filtered = filtered.map_err(Refusal::from)?;
                let said = self.said(Role::Response, filtered.value());
                let draft = journal::reply(&self.rules, &about, &filtered).payload(Some(said));
                let receipt = self.gateway.log.append(draft).await?;
                self.tally.findings.extend_from_slice(filtered.findings());
                Ok(Heard::Result(filtered, receipt))
            }
            Said::Error(raw) => {
                let code = Object::parse(&raw).and_then(|e| e.get("code").and_then(|c| c.parse().ok()));
                let code = code.unwrap_or(-1);
                let receipt = self.gateway.log.append(journal::reply_error(&about, code)).await?;
                Ok(Heard::Error(code, receipt))
            }
        }
    }

    /// The question as the agent sees it: URIs with their server, and the name of who asks.
    fn shown(&self, ask: Ask, params: &str) -> Option<String> {
        let server = self.facts.server.as_str();
        let object = Object::parse(params)?;
        let mut members: Vec<String> = Vec::new();
        for (key, raw) in object.object("_meta").iter().flat_map(Object::iter) {
            if !key.starts_with(crate::mcp::meta::PREFIX) && key != "progressToken" {
                members.push(format!("{}:{raw}", quote(key)));
            }
        }
        members.push(format!("\"sealgate/server\":{}", quote(server)));
        let edit = Edit::of(params)?.set("_meta", format!("{{{}}}", members.join(",")));
        if self.facts.front != Front::All {
            return Some(edit.finish());
        }
        match ask {
            Ask::Elicit => {
                let message = object.str("message")?;
                Some(edit.set("message", quote(&format!("[{server}] {message}"))).finish())
            }
            Ask::Sample => {
                const PATHS: &[&[&str]] = &[
                    &["messages", "*", "content", "uri"],
                    &["messages", "*", "content", "resource", "uri"],
                    &["messages", "*", "content", "*", "uri"],
                    &["messages", "*", "content", "*", "resource", "uri"],
                ];
                let text = edit.finish();
                Some(rewrite_strings(&text, PATHS, &mut |uri| Some(exposed_uri(server, uri))).into_owned())
            }
            Ask::ListRoots => Some(edit.finish()),
        }
    }
}

fn malformed() -> Refusal {
    crate::upstream::Error::Garbage("a question or its answer is not an object".into()).into()
}
