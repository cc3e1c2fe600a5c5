//! One request: who asks, what policy says, and what its record will tell.

use super::problem::Problem;
use crate::audit::{Draft, Kind};
use crate::gateway::{Actor, Gateway, Rules};
use crate::identity::{Authenticated, Caller};
use crate::policy::{AdminAction, Asked, Circumstances, Denial, Level, Permit, Question, Reading};
use serde::Serialize;
use serde_json::{Map, Value};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

/// Longest text of a parameter that a record keeps, in characters.
const TEXT: usize = 512;

/// Where a request came from and where it goes.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub method: &'static str,
    /// The path as the document writes it; empty if there is no such path.
    pub path: String,
    pub source: Option<IpAddr>,
    /// The kind of its record, unless it turns out to be another.
    pub kind: Kind,
}

/// A request whose caller is known.
#[derive(Debug)]
pub(super) struct Visit {
    pub id: Uuid,
    pub who: Authenticated,
    /// The rules of the moment at which it came.
    pub rules: Arc<Rules>,
    pub now_us: i64,
    target: Target,
    gateway: Arc<Gateway>,
    trail: Mutex<Trail>,
}

/// What its record tells.
#[derive(Debug, Default)]
struct Trail {
    kind: Option<Kind>,
    authz: Option<Authz>,
    params: Map<String, Value>,
    rows: Option<u64>,
    more: Vec<(&'static str, Value)>,
}

/// Members are in the order of their names.
#[derive(Debug, Clone, Serialize)]
struct Authz {
    action: &'static str,
    decision: &'static str,
    entities: String,
    errors: Vec<String>,
    policies: Vec<String>,
    policy_set: String,
    reason: &'static str,
    satisfied: Vec<String>,
    schema: String,
    tenant: String,
}

#[derive(Serialize)]
struct RequestMember<'a> {
    method: &'a str,
    #[serde(skip_serializing_if = "Map::is_empty")]
    params: &'a Map<String, Value>,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<IpAddr>,
}

#[derive(Serialize)]
struct AnswerMember {
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    status: u16,
}

impl Visit {
    pub(super) fn new(gateway: Arc<Gateway>, who: Authenticated, target: Target) -> Self {
        let now_us = gateway.clock().now_us();
        Self {
            id: Uuid::now_v7(),
            who,
            rules: gateway.rules(),
            now_us,
            target,
            gateway,
            trail: Mutex::default(),
        }
    }

    pub(super) fn caller(&self) -> &Caller {
        &self.who.caller
    }

    /// The caller as orders and holds name them.
    pub(super) fn person(&self) -> String {
        let caller = self.caller();
        format!("{}:{}:{}", caller.kind.entity_type(), caller.tenant, caller.id)
    }

    /// Whose log is meant: the one that is named, else the caller's own.
    pub(super) fn tenant(&self, named: Option<&str>) -> String {
        named.unwrap_or(&self.caller().tenant).to_owned()
    }

    /// A reading of all times.
    pub(super) fn reading(&self, rows: u64, level: Level) -> Reading {
        Reading { from_us: 0, to_us: self.now_us, rows, level }
    }

    /// Asks policy, and notes its answer for the record.
    pub(super) fn may(&self, action: AdminAction, tenant: &str, reading: Reading) -> Result<(), Problem> {
        self.asked(action.id(), tenant, Asked::Administer { action, tenant, reading })
    }

    /// Asks policy about the gateway itself, and notes its answer for the record.
    pub(super) fn may_administer(&self, action: AdminAction) -> Result<(), Problem> {
        self.may(action, &self.tenant(None), self.reading(0, Level::Hashes))
    }

    /// Asks policy about something else, and notes its answer for the record.
    pub(super) fn may_do(&self, action: &'static str, asked: Asked<'_>) -> Result<(), Problem> {
        self.asked(action, &self.tenant(None), asked)
    }

    fn asked(&self, action: &'static str, tenant: &str, asked: Asked<'_>) -> Result<(), Problem> {
        let circumstances = Circumstances {
            transport: "http".into(),
            now_us: self.now_us,
            source_ip: self.target.source,
            ..Circumstances::default()
        };
        let question = Question { call: self.id, asked, circumstances: &circumstances, findings: &[] };
        let answer = self.rules.policies.authorize(self.caller(), &question);
        self.trail().authz = Some(Authz::of(action, tenant, &answer));
        answer.map(|_| ()).map_err(|_| Problem::Forbidden(action))
    }

    /// Notes what is asked for: text is redacted and cut.
    pub(super) fn param(&self, name: &str, value: impl Into<Value>) {
        let value = match value.into() {
            Value::String(text) => {
                let clean = self.rules.inspector.redact_text(&text);
                Value::String(clean.chars().take(TEXT).collect())
            }
            Value::Null => return,
            // Records hold no larger integers (`audit/FORMAT.md` §1).
            Value::Number(number) if number.as_u64().is_some_and(|n| n >= 1 << 53) => {
                Value::String(number.to_string())
            }
            other => other,
        };
        let params = &mut self.trail().params;
        params.insert(name.to_owned(), value);
        params.sort_keys();
    }

    /// Notes how many records the answer holds.
    pub(super) fn rows(&self, rows: usize) {
        self.trail().rows = Some(u64::try_from(rows).unwrap_or(u64::MAX >> 11));
    }

    /// Notes that the record is of another kind.
    pub(super) fn kind(&self, kind: Kind) {
        self.trail().kind = Some(kind);
    }

    /// Adds a member to the record, with its objects' members in the order of their names.
    pub(super) fn member(&self, name: &'static str, value: Value) {
        self.trail().more.push((name, value));
    }

    /// Records that something is about to be changed: durable before the change.
    pub(super) async fn begin(&self) -> Result<(), Problem> {
        self.gateway.log().append(self.draft(None)).await?;
        Ok(())
    }

    /// Records how the request was answered.
    pub(super) async fn end(&self, status: u16) -> Result<(), Problem> {
        self.gateway.log().append(self.draft(Some(status))).await?;
        Ok(())
    }

    fn draft(&self, status: Option<u16>) -> Draft {
        let trail = self.trail();
        let mut draft = Draft::new(trail.kind.unwrap_or(self.target.kind))
            .call(self.id)
            .member("actor", &Actor::of(self.caller()))
            .member(
                "request",
                &RequestMember {
                    method: self.target.method,
                    params: &trail.params,
                    path: &self.target.path,
                    source: self.target.source,
                },
            );
        if let Some(authz) = &trail.authz {
            draft = draft.member("authz", authz);
        }
        for (name, value) in &trail.more {
            draft = draft.member(name, value);
        }
        match status {
            Some(status) => draft.member("answer", &AnswerMember { rows: trail.rows, status }),
            None => draft,
        }
    }

    fn trail(&self) -> std::sync::MutexGuard<'_, Trail> {
        self.trail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authz {
    fn of(action: &'static str, tenant: &str, answer: &Result<Permit, Denial>) -> Self {
        let (decision, reason, policies, satisfied, errors, digests) = match answer {
            Ok(permit) => {
                let (ids, satisfied) = (permit.determining(), permit.satisfied());
                ("allow", "policy", ids, satisfied, permit.errors(), permit.provenance())
            }
            Err(denial) => {
                let (ids, satisfied) = (denial.determining(), denial.satisfied());
                ("deny", denial.kind().as_str(), ids, satisfied, denial.errors(), denial.provenance())
            }
        };
        Self {
            action,
            decision,
            entities: digests.entities.clone(),
            errors: errors.iter().map(ToString::to_string).collect(),
            policies: policies.to_vec(),
            policy_set: digests.policy_set.clone(),
            reason,
            satisfied: satisfied.to_vec(),
            schema: digests.schema.clone(),
            tenant: tenant.to_owned(),
        }
    }
}
