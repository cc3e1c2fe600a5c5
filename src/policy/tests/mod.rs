//! A small world to decide about, and what holds in it.

mod alike;
mod decisions;
mod generator;
mod lists;
mod loading;
mod modes;
mod random;
mod remembered;

use jiff::tz::{Offset, TimeZone};
use serde_json::{Value, json};
use uuid::Uuid;

use super::folder::Source;
use super::hierarchy::Hierarchy;
use super::load::Makings;
use super::{
    Abilities, Asked, Circumstances, Denial, Level, Permit, Policies, Problem, PromptModel, Question,
    Reading, RedactMode, ServerModel, ToolModel,
};
use crate::identity::{Caller, Claims, PrincipalKind};

/// The id of every call in these tests.
const CALL: Uuid = Uuid::from_u128(7);
/// What questions to the log ask for.
const READING: Reading = Reading { from_us: 0, to_us: 1, rows: 1, level: Level::Records };

fn tool(name: &str, input_schema: Value) -> ToolModel {
    ToolModel {
        name: name.to_owned(),
        own_name: name.split_once('_').unwrap().1.to_owned(),
        input_schema: Some(input_schema),
        read_only: false,
        destructive: false,
        idempotent: false,
        open_world: false,
        pinned: true,
        labels: vec!["internal".to_owned()],
        groups: vec!["tools".to_owned()],
    }
}

fn server(id: &str, tools: Vec<ToolModel>) -> ServerModel {
    ServerModel {
        id: id.to_owned(),
        tenant: "acme".to_owned(),
        environment: "test".to_owned(),
        trust: 2,
        third_party: false,
        groups: vec!["servers".to_owned()],
        discovered: true,
        tools,
        prompts: vec![PromptModel { name: format!("{id}_greet"), own_name: "greet".to_owned() }],
    }
}

/// Server `s` with one tool of each sort.
fn servers() -> Vec<ServerModel> {
    let typed = json!({
        "type": "object",
        "properties": {
            "n": {"type": "integer"},
            "s": {"type": "string"},
            "amount": {"type": "number"},
            "flag": {"type": "boolean"},
            "to": {"type": "array", "items": {"type": "string"}},
            "at": {"type": "string", "format": "date-time"},
            "who": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
        },
        "required": ["n"],
    });
    let mut read = tool("s_read", json!({"type": "object", "properties": {"s": {"type": "string"}}}));
    read.read_only = true;
    vec![server("s", vec![tool("s_write", typed), read, tool("s_any", json!({"anyOf": []}))])]
}

fn caller(roles: &[&str]) -> Caller {
    Caller {
        kind: PrincipalKind::User,
        id: "erin".to_owned(),
        agent: "ide".to_owned(),
        agent_approved: true,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        teams: vec!["support".to_owned()],
        tenant: "acme".to_owned(),
        claims: Claims::new(),
        credential: format!("erin {roles:?}"),
    }
}

/// Monday, 24 November 2025, 16:00 UTC.
fn circumstances() -> Circumstances {
    Circumstances {
        client_name: "client".to_owned(),
        client_version: "1".to_owned(),
        protocol: "2025-11-25".to_owned(),
        transport: "http".to_owned(),
        now_us: 1_764_000_000_000_000,
        source_ip: Some([10, 0, 0, 7].into()),
        session_id: "session".to_owned(),
        session_started_us: 1_764_000_000_000_000 - 60_000_000,
        session_calls: 3,
        session_taint: Vec::new(),
        session_tools: Vec::new(),
    }
}

fn source(text: &str) -> Source {
    Source { path: "test.cedar".to_owned(), name: "test.cedar".to_owned(), text: text.to_owned() }
}

fn abilities() -> Abilities {
    Abilities {
        detectors: ["email".to_owned(), "iban".to_owned(), "private_key".to_owned()].into(),
        modes: [RedactMode::Mask, RedactMode::Block].into(),
        unfit: [("private_key".to_owned(), RedactMode::Mask)].into(),
        receivers: ["secops".to_owned()].into(),
        approvals: true,
    }
}

fn build(text: &str, servers: &[ServerModel]) -> Result<Policies, Vec<Problem>> {
    let berlin_in_winter = TimeZone::fixed(Offset::constant(1));
    let makings =
        Makings { sources: vec![source(text)], hierarchy: Hierarchy::default(), zone: berlin_in_winter };
    Policies::build(makings, servers, Some(&abilities()))
}

fn policies(text: &str) -> Policies {
    build(text, &servers()).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn ask(policies: &Policies, caller: &Caller, asked: Asked<'_>) -> Result<Permit, Denial> {
    let circumstances = circumstances();
    policies.authorize(
        caller,
        &Question { call: CALL, asked, circumstances: &circumstances, findings: &["email"] },
    )
}

fn call(policies: &Policies, tool: &str, args: &Value) -> Result<Permit, Denial> {
    ask(policies, &caller(&["employee"]), Asked::CallTool { tool, args: &args.to_string() })
}
