//! The shipped policies, held to their tables: every row, and every policy by the rows that need it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sealgate::identity::{Caller, PrincipalKind};
use sealgate::policy::{
    AdminAction, Asked, Asking, Circumstances, Config, Denial, Item, Level, Permit, Policies, PromptModel,
    Question, Reading, ServerAsk, ServerModel, ToolModel, shipped,
};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalog {
    servers: BTreeMap<String, Server>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Server {
    tenant: String,
    environment: String,
    third_party: bool,
    tools: BTreeMap<String, Tool>,
    prompts: Vec<String>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            tenant: "acme".to_owned(),
            environment: "demo".to_owned(),
            third_party: false,
            tools: BTreeMap::new(),
            prompts: Vec::new(),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Tool {
    read_only: bool,
    destructive: bool,
    open_world: bool,
    input: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenarios {
    people: BTreeMap<String, Person>,
    rows: Vec<Row>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Person {
    kind: Option<String>,
    roles: Vec<String>,
    teams: Vec<String>,
    tenant: Option<String>,
    approved: bool,
}

#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
struct Row {
    who: String,
    /// The server that asks `ask` of the agent of `who`.
    server: Option<String>,
    ask: Option<String>,
    /// The tool whose task is followed.
    follow: Option<String>,
    tool: Option<String>,
    args: Option<Value>,
    findings: Vec<String>,
    read: Option<String>,
    subscribe: Option<String>,
    uri: Option<String>,
    prompt: Option<String>,
    complete: Option<String>,
    result_of: Option<String>,
    admin: Option<String>,
    of: Option<String>,
    /// How much of the log is asked for.
    level: Option<String>,
    rows: Option<u64>,
    list: Option<String>,
    list_server: Option<String>,
    expect: String,
    by: Vec<String>,
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn yaml<T: serde::de::DeserializeOwned>(path: &str) -> T {
    let text = std::fs::read_to_string(root(path)).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn models() -> Vec<ServerModel> {
    let catalog: Catalog = yaml("policies/tests/catalog.yaml");
    let model = |(id, server): (String, Server)| ServerModel {
        tools: server
            .tools
            .into_iter()
            .map(|(name, tool)| ToolModel {
                name: format!("{id}_{name}"),
                own_name: name,
                input_schema: tool.input,
                read_only: tool.read_only,
                destructive: tool.destructive,
                idempotent: false,
                open_world: tool.open_world,
                pinned: false,
                labels: Vec::new(),
                groups: Vec::new(),
            })
            .collect(),
        prompts: server
            .prompts
            .into_iter()
            .map(|name| PromptModel { name: format!("{id}_{name}"), own_name: name })
            .collect(),
        id,
        tenant: server.tenant,
        environment: server.environment,
        trust: 2,
        third_party: server.third_party,
        groups: Vec::new(),
        discovered: true,
    };
    catalog.servers.into_iter().map(model).collect()
}

fn caller(name: &str, person: &Person) -> Caller {
    let kind = match person.kind.as_deref() {
        None => PrincipalKind::User,
        Some("service_account") => PrincipalKind::ServiceAccount,
        Some(other) => panic!("unknown kind of person `{other}`"),
    };
    Caller {
        kind,
        id: name.to_owned(),
        agent: "some-agent".to_owned(),
        agent_approved: person.approved,
        roles: person.roles.clone(),
        teams: person.teams.clone(),
        tenant: person.tenant.clone().unwrap_or_else(|| "acme".to_owned()),
        claims: std::collections::BTreeMap::new(),
        credential: name.to_owned(),
    }
}

fn circumstances() -> Circumstances {
    Circumstances {
        client_name: "some-client".to_owned(),
        client_version: "1.0".to_owned(),
        protocol: "2025-11-25".to_owned(),
        transport: "http".to_owned(),
        now_us: 1_764_000_000_000_000,
        source_ip: None,
        session_id: "s".to_owned(),
        session_started_us: 1_764_000_000_000_000,
        session_calls: 0,
        session_taint: Vec::new(),
        session_tools: Vec::new(),
    }
}

fn reading(row: &Row) -> Reading {
    let level = row.level.as_deref().map_or(Level::Records, |name| Level::named(name).unwrap());
    Reading { from_us: 0, to_us: 1, rows: row.rows.unwrap_or(1), level }
}

fn admin_action(name: &str) -> AdminAction {
    AdminAction::ALL.into_iter().find(|action| action.id() == name).unwrap()
}

/// What became of a row: the expectation that it would have met, and the policies that decided.
fn play(policies: &Policies, people: &BTreeMap<String, Person>, row: &Row) -> (String, Vec<String>) {
    let caller = caller(&row.who, &people[&row.who]);
    let circumstances = circumstances();
    let shown = |item| {
        let shown = policies.may_list(&caller, &circumstances, item);
        ((if shown { "shown" } else { "hidden" }).to_owned(), Vec::new())
    };
    if let Some(tool) = &row.list {
        return shown(Item::Tool(tool));
    }
    if let Some(server) = &row.list_server {
        return shown(Item::Server(server));
    }
    let findings: Vec<&str> = row.findings.iter().map(String::as_str).collect();
    if let (Some(server), Some(ask)) = (&row.server, &row.ask) {
        let ask = match ask.as_str() {
            "elicit" => ServerAsk::Elicit,
            "sample" => ServerAsk::Sample,
            "list_roots" => ServerAsk::ListRoots,
            other => panic!("unknown question `{other}`"),
        };
        let (call, circumstances) = (Uuid::from_u128(7), &circumstances);
        let asking = Asking { call, server, ask, mode: "", circumstances, findings: &findings };
        return answer(policies.may_ask(&caller, &asking));
    }
    let args = row.args.as_ref().map(Value::to_string).unwrap_or_default();
    let uri = row.uri.as_deref().unwrap_or_default();
    let asked = match row {
        Row { tool: Some(tool), .. } => Asked::CallTool { tool, args: &args },
        Row { follow: Some(tool), .. } => Asked::FollowTask { tool },
        Row { read: Some(server), .. } => Asked::ReadResource { server, uri },
        Row { subscribe: Some(server), .. } => Asked::SubscribeResource { server, uri },
        Row { prompt: Some(prompt), .. } => Asked::GetPrompt { prompt, args: &[("tone", "kind")] },
        Row { complete: Some(prompt), .. } => Asked::Complete { of: Item::Prompt(prompt) },
        Row { result_of: Some(tool), .. } => {
            Asked::ReturnResult { what: Item::Tool(tool), bytes: 9, is_error: false }
        }
        Row { admin: Some(action), of: Some(tenant), .. } => {
            Asked::Administer { action: admin_action(action), tenant, reading: reading(row) }
        }
        row => panic!("a row that asks nothing: {row:?}"),
    };
    let question =
        Question { call: Uuid::from_u128(7), asked, circumstances: &circumstances, findings: &findings };
    answer(policies.authorize(&caller, &question))
}

fn answer(answer: Result<Permit, Denial>) -> (String, Vec<String>) {
    match answer {
        Ok(permit) => {
            assert_eq!(permit.call(), Uuid::from_u128(7));
            ("allow".to_owned(), permit.determining().to_vec())
        }
        Err(denial) => (denial.kind().as_str().to_owned(), denial.determining().to_vec()),
    }
}

fn load(folder: &Path) -> Policies {
    let config = Config { folder: folder.to_owned(), ..Config::default() };
    Policies::load(&config, &models(), None).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[test]
fn every_row_of_the_table_comes_out_as_written() {
    let policies = load(&root("policies"));
    assert_eq!(policies.warnings(), []);
    let scenarios: Scenarios = yaml("policies/tests/scenarios.yaml");
    let mut wrong = Vec::new();
    for row in &scenarios.rows {
        let (came, by) = play(&policies, &scenarios.people, row);
        if (came.as_str(), &by) != (row.expect.as_str(), &row.by) {
            wrong.push(format!("{row:?}\n  came out as {came} by {by:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_policy_is_needed_by_some_row() {
    let scenarios: Scenarios = yaml("policies/tests/scenarios.yaml");
    let texts = shipped().map(|(_, text)| text).join("\n");
    let set: cedar_policy::PolicySet = texts.parse().unwrap();
    let all: Vec<(String, String)> = set
        .policies()
        .map(|policy| (policy.annotation("id").unwrap().to_owned(), policy.to_cedar().unwrap()))
        .collect();
    for (without, _) in &all {
        let folder = tempfile::tempdir().unwrap();
        let rest: Vec<&str> =
            all.iter().filter(|(id, _)| id != without).map(|(_, text)| text.as_str()).collect();
        std::fs::write(folder.path().join("rest.cedar"), rest.join("\n")).unwrap();
        let policies = load(folder.path());
        let noticed = scenarios
            .rows
            .iter()
            .any(|row| play(&policies, &scenarios.people, row) != (row.expect.clone(), row.by.clone()));
        assert!(noticed, "no row notices that `{without}` is gone");
    }
}

#[test]
fn the_embedded_policies_are_the_files_in_the_folder() {
    let mut names: Vec<String> = std::fs::read_dir(root("policies"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(name).extension().is_some_and(|end| end == "cedar"))
        .collect();
    names.sort();
    assert_eq!(names, shipped().map(|(name, _)| name.to_owned()));
}

#[test]
fn the_shipped_policies_wait_for_servers_that_are_down() {
    let mut models = models();
    for model in &mut models {
        model.discovered = false;
        model.tools.clear();
        model.prompts.clear();
    }
    let config = Config { folder: root("policies"), ..Config::default() };
    let policies = Policies::load(&config, &models, None).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let waiting: Vec<&str> =
        policies.warnings().iter().map(|warning| warning.message.split('`').nth(1).unwrap()).collect();
    assert!(waiting.contains(&"employee-crm-read"), "{waiting:?}");
    assert!(policies.ids().any(|id| id == "no-secrets-to-the-outside"), "guardrails stay in force");
}

#[test]
fn the_example_groups_load_and_name_only_what_there_is() {
    let config = Config { folder: root("policies"), entities: Some(root("entities")), ..Config::default() };
    let policies = Policies::load(&config, &models(), None).unwrap();
    assert_eq!(policies.warnings(), []);
}

#[test]
fn the_policy_that_the_readme_suggests_is_valid() {
    let readme = std::fs::read_to_string(root("policies/README.md")).unwrap();
    let text = readme.split("```cedar").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("wiki.cedar"), text).unwrap();
    let mut models = models();
    models[0].id = "wiki".to_owned();
    models[0].tools.clear();
    let config = Config { folder: folder.path().to_owned(), ..Config::default() };
    let policies = Policies::load(&config, &models, None).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(policies.ids().collect::<Vec<_>>(), ["employee-wiki-read"]);
}

#[test]
fn the_six_example_scenarios_validate_hold_and_need_every_policy() {
    let run = |arguments: &[&str]| {
        let out = std::process::Command::new(crate::harness::binary())
            .arg("policy")
            .args(arguments)
            .current_dir(root(""))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(out.status.success(), "{said}{}", String::from_utf8_lossy(&out.stderr));
    };
    for folder in ["policies", "examples/policies"] {
        run(&["check", folder]);
        run(&["fmt", folder, "--check"]);
        run(&["test", folder]);
    }
    // Of the shipped ones another test shows it.
    run(&["test", "examples/policies", "--mutate"]);
}
