//! Tests of policies in the words of MCP: who asks for what, and what must come of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::asking::{Asking, ServerAsk};
use super::load::Policies;
use super::model::{PromptModel, ServerModel, ToolModel};
use super::question::{AdminAction, Asked, Circumstances, Item, Level, Question, Reading};
use super::settle::Shadow;
use super::stamp::{Denial, Permit};
use crate::identity::{Caller, Claims, PrincipalKind};

/// The call that rows are about.
const CALL: Uuid = Uuid::from_u128(7);
/// When rows take place unless they say so: Monday, 24 November 2025, 16:00 UTC.
const MOMENT_US: i64 = 1_764_000_000_000_000;

const DAY_US: i64 = 86_400_000_000;

/// Servers and their tools, for tests without a gateway.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    servers: BTreeMap<String, Server>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Server {
    tenant: String,
    environment: String,
    trust: i64,
    third_party: bool,
    groups: Vec<String>,
    tools: BTreeMap<String, Tool>,
    prompts: Vec<String>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            tenant: "acme".to_owned(),
            environment: "demo".to_owned(),
            trust: 2,
            third_party: false,
            groups: Vec::new(),
            tools: BTreeMap::new(),
            prompts: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Tool {
    read_only: bool,
    destructive: bool,
    idempotent: bool,
    open_world: bool,
    pinned: bool,
    labels: Vec<String>,
    groups: Vec<String>,
    input: Option<Value>,
}

impl Catalog {
    /// The servers as policies see them.
    pub fn models(&self) -> Vec<ServerModel> {
        self.servers.iter().map(|(id, server)| model(id, server)).collect()
    }
}

fn model(id: &str, server: &Server) -> ServerModel {
    let tool = |(name, tool): (&String, &Tool)| ToolModel {
        name: format!("{id}_{name}"),
        own_name: name.clone(),
        input_schema: tool.input.clone(),
        read_only: tool.read_only,
        destructive: tool.destructive,
        idempotent: tool.idempotent,
        open_world: tool.open_world,
        pinned: tool.pinned,
        labels: tool.labels.clone(),
        groups: tool.groups.clone(),
    };
    let prompt = |name: &String| PromptModel { name: format!("{id}_{name}"), own_name: name.clone() };
    ServerModel {
        id: id.to_owned(),
        tenant: server.tenant.clone(),
        environment: server.environment.clone(),
        trust: server.trust,
        third_party: server.third_party,
        groups: server.groups.clone(),
        discovered: true,
        tools: server.tools.iter().map(tool).collect(),
        prompts: server.prompts.iter().map(prompt).collect(),
    }
}

/// A file of rows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Who there is.
    pub people: BTreeMap<String, Person>,
    /// What is expected.
    pub rows: Vec<Row>,
}

/// A person or workload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Person {
    /// `service_account`; a person if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Roles.
    pub roles: Vec<String>,
    /// Teams.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
    /// Tenant; `acme` if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The software; `some-agent` if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Whether somebody vouched for that software.
    pub approved: bool,
    /// Claims.
    #[serde(skip_serializing_if = "Claims::is_empty")]
    pub claims: Claims,
}

/// One expectation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Row {
    /// Who asks.
    pub who: String,
    /// A tool to call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Its arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Value>,
    /// What inspection finds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
    /// A tool whose task is followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follow: Option<String>,
    /// A server that asks the agent of `who` for what `ask` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// `elicit`, `sample` or `list_roots`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask: Option<String>,
    /// A server whose resource is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<String>,
    /// A server whose resource is subscribed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscribe: Option<String>,
    /// The resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// A server whose method `method` of an extension is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// The method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A prompt to get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// A prompt whose argument is completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete: Option<String>,
    /// A tool whose result goes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_of: Option<String>,
    /// An administrative action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<String>,
    /// The tenant that it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Records that it may show at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Days of the log that it asks for, up to now; all of them if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// How much it shows: `hashes`, `records` or `payloads`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// A tool for which a token is opened, in `argument`, which stands for a `kind`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<String>,
    /// The JSON pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argument: Option<String>,
    /// The type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// A tool whose call is to be approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approve: Option<String>,
    /// A tool that a list shows or hides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// A server that is shown or hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_server: Option<String>,
    /// When, as RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// From which address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<std::net::IpAddr>,
    /// Calls of the session before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<i64>,
    /// Labels that the session has read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub taint: Vec<String>,
    /// Tools that the session has called.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub called: Vec<String>,
    /// `allow`, `forbidden`, `no_permit`, `erred`, `unknown`, `invalid_arguments`, `shown` or `hidden`.
    pub expect: String,
    /// Exactly the policies that decide.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
    /// Exactly the obligations, if any are named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obligations: Option<Value>,
    /// Exactly the shadow policies that would flip the decision, if any are named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flips: Option<Vec<String>>,
}

/// What came of a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Played {
    /// As in `expect`.
    pub came: String,
    /// Policies that decided.
    pub by: Vec<String>,
    /// Every policy that mattered: decided, granted, obliged or was a shadow.
    pub matched: BTreeSet<String>,
    /// Obligations.
    pub obligations: Value,
    /// Shadow policies that would flip it.
    pub flips: Vec<String>,
}

/// Why a row cannot be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// Nobody is called so.
    #[error("`{0}` is not among the people")]
    Nobody(String),
    /// It asks nothing.
    #[error(
        "it asks nothing: name a `tool`, `follow`, `server` with `ask`, `read`, `subscribe`, `extension` with `method`, `prompt`, `complete`, `result_of`, `open`, `admin`, `approve`, `list` or `list_server`"
    )]
    Nothing,
    /// There is no such action.
    #[error("`{0}` is not an administrative action")]
    Action(String),
    /// There is no such question.
    #[error("`{0}` is not a question: write `elicit`, `sample` or `list_roots`")]
    Ask(String),
    /// The kind of a person.
    #[error("`{0}` is not a kind of person: leave it out, or write `service_account`")]
    Kind(String),
    /// The level.
    #[error("`{0}` is not a level: write `hashes`, `records` or `payloads`")]
    Level(String),
    /// The moment.
    #[error("`{0}` is not a moment: write it as 2026-01-31T09:00:00Z")]
    Moment(String),
}

impl Person {
    /// The caller that this person is.
    ///
    /// # Errors
    /// The kind is none.
    pub fn caller(&self, name: &str) -> Result<Caller, RowError> {
        let kind = match self.kind.as_deref() {
            None | Some("user") => PrincipalKind::User,
            Some("service_account") => PrincipalKind::ServiceAccount,
            Some(other) => return Err(RowError::Kind(other.to_owned())),
        };
        Ok(Caller {
            kind,
            id: name.to_owned(),
            agent: self.agent.clone().unwrap_or_else(|| "some-agent".to_owned()),
            agent_approved: self.approved,
            roles: self.roles.clone(),
            teams: self.teams.clone(),
            tenant: self.tenant.clone().unwrap_or_else(|| "acme".to_owned()),
            claims: self.claims.clone(),
            credential: name.to_owned(),
        })
    }
}

impl Row {
    /// The circumstances that the row describes.
    ///
    /// # Errors
    /// The moment is none.
    pub fn circumstances(&self) -> Result<Circumstances, RowError> {
        let now_us = match &self.at {
            None => MOMENT_US,
            Some(text) => {
                let moment: Result<jiff::Timestamp, _> = text.parse();
                moment.map_err(|_| RowError::Moment(text.clone()))?.as_microsecond()
            }
        };
        Ok(Circumstances {
            client_name: "some-client".to_owned(),
            client_version: "1.0".to_owned(),
            protocol: "2025-11-25".to_owned(),
            transport: "http".to_owned(),
            now_us,
            source_ip: self.from,
            session_id: "s".to_owned(),
            session_started_us: now_us,
            session_calls: self.calls.unwrap_or(0),
            session_taint: self.taint.clone(),
            session_tools: self.called.clone(),
        })
    }

    fn asked<'r>(&'r self, args: &'r str) -> Result<Asked<'r>, RowError> {
        let uri = self.uri.as_deref().unwrap_or_default();
        Ok(match self {
            Self { tool: Some(tool), .. } => Asked::CallTool { tool, args },
            Self { follow: Some(tool), .. } => Asked::FollowTask { tool },
            Self { read: Some(server), .. } => Asked::ReadResource { server, uri },
            Self { subscribe: Some(server), .. } => Asked::SubscribeResource { server, uri },
            Self { extension: Some(server), .. } => {
                Asked::CallExtension { server, method: self.method.as_deref().unwrap_or_default() }
            }
            Self { prompt: Some(prompt), .. } => Asked::GetPrompt { prompt, args: &[] },
            Self { complete: Some(prompt), .. } => Asked::Complete { of: Item::Prompt(prompt) },
            Self { result_of: Some(tool), .. } => {
                Asked::ReturnResult { what: Item::Tool(tool), bytes: 9, is_error: false }
            }
            Self { open: Some(tool), .. } => Asked::OpenToken {
                tool,
                kind: self.kind.as_deref().unwrap_or_default(),
                argument: self.argument.as_deref().unwrap_or_default(),
            },
            Self { approve: Some(tool), .. } => {
                Asked::ApproveCall { what: Item::Tool(tool), requested_by: "somebody-else" }
            }
            Self { admin: Some(name), .. } => {
                let action = AdminAction::ALL.into_iter().find(|action| action.id() == name);
                let action = action.ok_or_else(|| RowError::Action(name.clone()))?;
                let tenant = self.of.as_deref().unwrap_or("acme");
                Asked::Administer { action, tenant, reading: self.reading()? }
            }
            _ => return Err(RowError::Nothing),
        })
    }

    fn reading(&self) -> Result<Reading, RowError> {
        let now = self.circumstances()?.now_us;
        let level = match &self.level {
            Some(name) => Level::named(name).ok_or_else(|| RowError::Level(name.clone()))?,
            None => Level::Records,
        };
        let from_us = self.days.map_or(0, |days| now.saturating_sub(i64::from(days) * DAY_US));
        Ok(Reading { from_us, to_us: now, rows: self.rows.unwrap_or(1), level })
    }

    /// Whether what came is what the row expects.
    pub fn holds(&self, played: &Played) -> bool {
        let same =
            |wanted: &Option<Value>| wanted.as_ref().is_none_or(|wanted| *wanted == played.obligations);
        self.expect == played.came
            && self.by == played.by
            && same(&self.obligations)
            && self.flips.as_ref().is_none_or(|flips| *flips == played.flips)
    }
}

impl Table {
    /// Plays one row.
    ///
    /// # Errors
    /// The row does not make sense.
    pub fn play(&self, policies: &Policies, row: &Row) -> Result<Played, RowError> {
        let person = self.people.get(&row.who).ok_or_else(|| RowError::Nobody(row.who.clone()))?;
        let (caller, circumstances) = (person.caller(&row.who)?, row.circumstances()?);
        let shown = match row {
            Row { list: Some(tool), .. } => Some(Item::Tool(tool)),
            Row { list_server: Some(server), .. } => Some(Item::Server(server)),
            _ => None,
        };
        if let Some(item) = shown {
            let shown = policies.may_list(&caller, &circumstances, item);
            return Ok(Played::new(if shown { "shown" } else { "hidden" }, &[]));
        }
        let args = row.args.as_ref().map(Value::to_string).unwrap_or_default();
        let findings: Vec<&str> = row.findings.iter().map(String::as_str).collect();
        let (mut played, shadow) = if let (Some(server), Some(ask)) = (&row.server, &row.ask) {
            let ask = ServerAsk::named(ask).ok_or_else(|| RowError::Ask(ask.clone()))?;
            let circumstances = &circumstances;
            let asking = Asking { call: CALL, server, ask, mode: "", circumstances, findings: &findings };
            Played::of(policies.may_ask(&caller, &asking))
        } else {
            let asked = row.asked(&args)?;
            let question = Question { call: CALL, asked, circumstances: &circumstances, findings: &findings };
            let answer = policies.authorize(&caller, &question);
            let allowed = answer.is_ok();
            let (mut played, shadow) = Played::of(answer);
            if allowed {
                played.matched.extend(policies.obliging(&caller, &question));
            }
            (played, shadow)
        };
        played.matched.extend(shadow.iter().map(|shadow| shadow.policy.clone()));
        played.flips = shadow.into_iter().filter(|shadow| shadow.flips).map(|shadow| shadow.policy).collect();
        Ok(played)
    }

    /// The rows as tests for `cedar run-tests`. Rows about lists have no counterpart there.
    pub fn to_cedar(&self, policies: &Policies) -> Value {
        let tests = self.rows.iter().enumerate().filter_map(|(index, row)| {
            let person = self.people.get(&row.who)?;
            let (caller, circumstances) = (person.caller(&row.who).ok()?, row.circumstances().ok()?);
            let args = row.args.as_ref().map(Value::to_string).unwrap_or_default();
            let findings: Vec<&str> = row.findings.iter().map(String::as_str).collect();
            let asked = row.asked(&args).ok()?;
            let question = Question { call: CALL, asked, circumstances: &circumstances, findings: &findings };
            let (request, entities) = policies.in_cedar(&caller, &question)?;
            let decision = if row.expect == "allow" { "allow" } else { "deny" };
            let errors = usize::from(row.expect == "erred");
            Some(json!({
                "name": format!("row {}: {} {}", index + 1, row.who, row.expect),
                "request": request,
                "entities": entities,
                "decision": decision,
                "reason": if row.expect == "erred" { Vec::new() } else { row.by.clone() },
                "num_errors": errors,
            }))
        });
        Value::Array(tests.collect())
    }
}

impl Played {
    /// What an answer came to, and the shadow policies that matched.
    fn of(answer: Result<Permit, Denial>) -> (Self, Vec<Shadow>) {
        match answer {
            Ok(permit) => {
                let mut played = Self::new("allow", permit.determining());
                if let Some(wanted) = permit.obligations() {
                    played.obligations = serde_json::to_value(&**wanted).unwrap_or_default();
                }
                (played, permit.shadow().to_vec())
            }
            Err(denial) => {
                let mut played = Self::new(denial.kind().as_str(), denial.determining());
                played.matched.extend(denial.satisfied().iter().cloned());
                (played, denial.shadow().to_vec())
            }
        }
    }

    fn new(came: &str, by: &[String]) -> Self {
        Self {
            came: came.to_owned(),
            by: by.to_vec(),
            matched: by.iter().cloned().collect(),
            obligations: json!({}),
            flips: Vec::new(),
        }
    }
}
