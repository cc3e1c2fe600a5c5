//! What lists take from tools that are alike must be what they would say of each alone.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::json;
use std::fmt::Write as _;

use super::{build, caller, circumstances, server, tool};
use crate::policy::{Item, Policies, ServerModel, ToolModel};

/// Two servers of one kind and one of another, each with tools that are alike but for their names, and others.
fn servers() -> Vec<ServerModel> {
    let of = |id: &str| -> Vec<ToolModel> {
        let named = |name: &str| tool(&format!("{id}_{name}"), json!({"type": "object"}));
        let mut tools = vec![named("one"), named("two"), named("read"), named("other"), named("grouped")];
        for tool in &mut tools {
            match tool.own_name.as_str() {
                "read" => tool.read_only = true,
                "other" => tool.labels = vec!["secret".to_owned()],
                "grouped" => tool.groups = vec!["more".to_owned()],
                _ => {}
            }
        }
        tools
    };
    let mut outer = server("o", of("o"));
    outer.trust = 0;
    outer.groups = vec!["outside".to_owned()];
    vec![server("s", of("s")), server("t", of("t")), outer]
}

/// Conditions that tell tools apart, each in its way, and some that do not.
const CONDITIONS: [&str; 20] = [
    r#"principal in Role::"a""#,
    "resource.readOnly",
    "resource.pinned",
    r#"resource.labels.contains("secret")"#,
    r#"resource.name == "one""#,
    r#"resource.name like "t*""#,
    r#"resource == Tool::"t_two""#,
    r#"resource in Tool::"s_one""#,
    r#"[Tool::"o_one", Tool::"s_two"].contains(resource)"#,
    r#"resource in [ToolGroup::"more", ToolGroup::"none"]"#,
    r#"resource in [Server::"t", Server::"o"]"#,
    r#"resource in ToolGroup::"tools""#,
    r#"resource in Server::"s""#,
    r#"resource is Tool in Server::"o""#,
    r#"resource.server == Server::"t""#,
    r#"resource.server in ServerGroup::"outside""#,
    "resource.server.trust > 1",
    "resource in principal.tenant",
    r#"action == Action::"s_two""#,
    r#"action in [Action::"o_two", Action::"t_read"]"#,
];

fn policy() -> impl Strategy<Value = String> {
    let effect = prop::sample::select(vec!["permit", "permit", "forbid"]);
    let principal = prop::sample::select(vec![
        "principal",
        r#"principal in Role::"a""#,
        r#"principal == User::"erin""#,
        r#"principal is User in Role::"b""#,
        "principal is ServiceAccount",
    ]);
    let action = prop::sample::select(vec![
        r#"action in Action::"CallTool""#,
        r#"action == Action::"s_one""#,
        r#"action == Action::"Discover""#,
        "action",
    ]);
    let resource =
        prop::sample::select(vec!["resource", r#"resource == Tool::"t_one""#, r#"resource in Server::"s""#]);
    let clause = (prop::sample::select(vec!["when", "unless"]), prop::sample::select(CONDITIONS.to_vec()))
        .prop_map(|(word, condition)| format!("{word} {{ resource is Tool && ({condition}) }}"));
    (effect, principal, action, resource, prop::collection::vec(clause, 0..3)).prop_map(
        |(effect, principal, action, resource, clauses)| {
            format!("{effect} ({principal}, {action}, {resource}) {}", clauses.join(" "))
        },
    )
}

/// What is listed, if each tool is asked for by somebody of whom nothing is known.
fn alone(policies: &Policies, roles: &[&str], tool: &str) -> bool {
    let mut caller = caller(roles);
    caller.credential = format!("fresh for {tool}");
    policies.may_list(&caller, &circumstances(), Item::Tool(tool))
}

#[test]
fn a_list_says_of_each_tool_what_it_would_say_of_it_alone() {
    let mut runner = TestRunner::deterministic();
    let cases = (prop::collection::vec(policy(), 1..5), prop::sample::subsequence(vec!["a", "b"], 0..=2));
    let (mut compared, mut shown) = (0, 0);
    while compared < 4_000 {
        let (policies, roles) = cases.new_tree(&mut runner).unwrap().current();
        let mut text = String::new();
        for (index, policy) in policies.iter().enumerate() {
            let _ = writeln!(text, "@id(\"p{index}\") {policy};");
        }
        // What can never be true is refused; it proves nothing here.
        let Ok(policies) = build(&text, &servers()) else { continue };
        let caller = caller(&roles);
        for tool in servers().iter().flat_map(|server| &server.tools) {
            let listed = policies.may_list(&caller, &circumstances(), Item::Tool(&tool.name));
            assert_eq!(listed, alone(&policies, &roles, &tool.name), "{} of\n{text}", tool.name);
            compared += 1;
            shown += usize::from(listed);
        }
    }
    // Otherwise this would have shown little.
    assert!(shown > 400 && shown < 3_600, "{shown}");
}

#[test]
fn the_conditions_are_valid_and_tell_tools_apart() {
    for condition in CONDITIONS {
        let text = format!(
            "@id(\"p\") permit (principal, action in Action::\"CallTool\", resource) when {{ {condition} }};"
        );
        assert!(build(&text, &servers()).is_ok(), "{condition}: {:#?}", build(&text, &servers()).err());
    }
}
