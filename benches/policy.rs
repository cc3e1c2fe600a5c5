//! What does a decision cost? `cargo bench --bench policy`, on an idle core; see `docs/performance.md`.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench")]

use sealgate::identity::{Caller, PrincipalKind};
use sealgate::policy::{Asked, Circumstances, Config, Item, Policies, Question, ServerModel, ToolModel};
use serde_json::json;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Tools of one server.
const EACH: usize = 20;

fn servers(tools: usize) -> Vec<ServerModel> {
    let schema = json!({"type": "object", "properties": {
        "id": {"type": "string"}, "limit": {"type": "integer"}, "dry": {"type": "boolean"},
        "to": {"type": "array", "items": {"type": "string"}},
    }, "required": ["id"]});
    let tool = |server: usize, index: usize| ToolModel {
        name: format!("s{server}_t{index}"),
        own_name: format!("t{index}"),
        input_schema: Some(schema.clone()),
        read_only: index.is_multiple_of(2),
        destructive: index.is_multiple_of(5),
        idempotent: false,
        open_world: index.is_multiple_of(3),
        pinned: true,
        labels: vec!["internal".to_owned()],
        groups: vec![],
    };
    (0..tools.div_ceil(EACH))
        .map(|server| ServerModel {
            id: format!("s{server}"),
            tenant: "acme".to_owned(),
            environment: "test".to_owned(),
            trust: 2,
            third_party: false,
            groups: vec![],
            discovered: true,
            tools: (0..EACH.min(tools - server * EACH)).map(|index| tool(server, index)).collect(),
            prompts: vec![],
        })
        .collect()
}

/// Eight general rules, the others each about one tool, spread over all.
fn policies(count: usize, tools: usize) -> String {
    let mut text = String::from(
        r#"@id("tenant") forbid (principal is User, action in Action::"CallTool", resource) unless { resource in principal.tenant };
@id("secrets") forbid (principal, action in Action::"CallTool", resource) when { resource.openWorld && context.findings.contains("private_key") };
@id("agents") forbid (principal, action in Action::"CallTool", resource) when { !resource.readOnly } unless { context.request.agent.approved };
@id("audit") forbid (principal in Role::"auditor", action in Action::"CallTool", resource);
@id("read") permit (principal in Role::"employee", action in Action::"CallTool", resource) when { resource.readOnly && resource.pinned };
@id("back") permit (principal, action == Action::"ReturnResult", resource);
@id("see") permit (principal, action == Action::"Discover", resource is Server);
@id("trust") forbid (principal, action in Action::"CallTool", resource) when { resource.server.trust < 1 };
"#,
    );
    for index in 8..count {
        let tool = (index * 7) % tools;
        let (server, tool) = (tool / EACH, tool % EACH);
        let effect = if index.is_multiple_of(4) { "forbid" } else { "permit" };
        let _ = writeln!(
            text,
            "@id(\"p{index}\") {effect} (principal in Role::\"r{}\", action == Action::\"s{server}_t{tool}\", resource) \
             when {{ context.args has limit && context.args.limit > {index} }};",
            index % 10
        );
    }
    text
}

fn caller() -> Caller {
    Caller {
        kind: PrincipalKind::User,
        id: "erin".to_owned(),
        agent: "ide".to_owned(),
        agent_approved: true,
        roles: vec!["employee".to_owned(), "r1".to_owned()],
        teams: vec!["support".to_owned()],
        tenant: "acme".to_owned(),
        claims: std::collections::BTreeMap::new(),
        credential: "c".to_owned(),
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn main() {
    println!("policies  tools  load ms  decision µs (median)  list of all tools ms (first)  (again)");
    for tools in [20, 200, 1000] {
        for count in [10, 100, 1000] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("p.cedar"), policies(count, tools)).unwrap();
            let config = Config { folder: folder.path().to_owned(), ..Config::default() };
            let models = servers(tools);
            let begun = Instant::now();
            let loaded = Policies::load(&config, &models, None).unwrap();
            let load = begun.elapsed();
            let (caller, now) =
                (caller(), Circumstances { now_us: 1_764_000_000_000_000, ..Circumstances::default() });
            let names: Vec<String> =
                models.iter().flat_map(|server| &server.tools).map(|tool| tool.name.clone()).collect();
            // Tools that are called again and again: what a caller needs for them is kept.
            let busy: Vec<&String> = names.iter().step_by((names.len() / 16).max(1)).take(16).collect();
            let mut times = Vec::new();
            for round in 0..2_000_usize {
                let Some(tool) = busy.get(round % busy.len()) else { break };
                let asked =
                    Asked::CallTool { tool, args: "{\"id\":\"c-001\",\"limit\":10,\"to\":[\"a\",\"b\"]}" };
                let question =
                    Question { call: Uuid::nil(), asked, circumstances: &now, findings: &["email"] };
                let begun = Instant::now();
                let _ = black_box(loaded.authorize(&caller, &question));
                times.push(begun.elapsed());
            }
            let list = || {
                let begun = Instant::now();
                for name in &names {
                    black_box(loaded.may_list(&caller, &now, Item::Tool(name)));
                }
                begun.elapsed()
            };
            let (first, again) = (list(), list());
            println!(
                "{count:>8} {tools:>6} {:>8.0} {:>21.1} {:>29.2} {:>8.2}",
                load.as_secs_f64() * 1e3,
                micros(median(&mut times)),
                first.as_secs_f64() * 1e3,
                again.as_secs_f64() * 1e3
            );
        }
    }
}
