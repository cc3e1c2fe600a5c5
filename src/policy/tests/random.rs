//! What holds for any policies, callers and arguments.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::{Value, json};

use super::{CALL, Policies, ask, build, caller, circumstances, server, servers, tool};
use crate::policy::{Asked, Circumstances, DenialKind, Item, Question};

/// Conditions on the tool `s_write`, each valid on its own.
const CONDITIONS: [&str; 16] = [
    r#"principal in Role::"a""#,
    r#"principal in Role::"b""#,
    "resource.readOnly",
    "resource.pinned",
    r#"resource in Server::"s""#,
    "context.request.agent.approved",
    r#"context.request.client.name == "client""#,
    "context.request.hour >= 12",
    r#"context.request.now > datetime("2025-01-01")"#,
    "context.session.calls > 2",
    r#"context.findings.contains("email")"#,
    "context.args.n > 1",
    "context.args.n * 4611686018427387904 > 0",
    r#"(context.args has s && context.args.s like "a*")"#,
    "(context.args has flag && context.args.flag)",
    "(context.args has to_count && context.args.to_count > 1)",
];

fn condition() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(CONDITIONS.to_vec()).prop_map(str::to_owned);
    leaf.prop_recursive(3, 8, 2, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            inner.clone().prop_map(|one| format!("!({one})")),
            pair.clone().prop_map(|(one, two)| format!("({one} && {two})")),
            pair.prop_map(|(one, two)| format!("({one} || {two})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(one, two, three)| format!("(if {one} then {two} else {three})")),
        ]
    })
}

fn policy() -> impl Strategy<Value = String> {
    let effect = prop::sample::select(vec!["permit", "permit", "forbid"]);
    let principal = prop::sample::select(vec!["principal", r#"principal in Role::"a""#, "principal is User"]);
    let resource = prop::sample::select(vec![
        "resource",
        r#"resource == Tool::"s_write""#,
        r#"resource in Server::"s""#,
    ]);
    let clause = (prop::sample::select(vec!["when", "unless"]), condition())
        .prop_map(|(word, condition)| format!("{word} {{ {condition} }}"));
    (effect, principal, resource, prop::collection::vec(clause, 0..3)).prop_map(
        |(effect, principal, resource, clauses)| {
            format!("{effect} ({principal}, action == Action::\"s_write\", {resource}) {}", clauses.join(" "))
        },
    )
}

fn policy_set() -> impl Strategy<Value = String> {
    prop::collection::vec(policy(), 1..5).prop_map(|all| {
        let named = all.iter().enumerate().map(|(index, text)| format!("@id(\"p{index}\")\n{text};\n"));
        named.collect()
    })
}

fn arguments() -> impl Strategy<Value = String> {
    let s = prop::option::of(prop::sample::select(vec!["abc", "xyz"]));
    (0..4i64, s, prop::option::of(any::<bool>()), prop::option::of(0..3usize)).prop_map(|(n, s, flag, to)| {
        let mut args = json!({"n": n});
        if let Some(s) = s {
            args["s"] = json!(s);
        }
        if let Some(flag) = flag {
            args["flag"] = json!(flag);
        }
        if let Some(to) = to {
            args["to"] = json!(vec!["x"; to]);
        }
        args.to_string()
    })
}

fn moment() -> impl Strategy<Value = Circumstances> {
    (0..24i64, 0..5i64, any::<bool>()).prop_map(|(hours, calls, same_client)| {
        let mut now = circumstances();
        now.now_us += hours * 3_600_000_000;
        now.session_calls = calls;
        if !same_client {
            now.client_name = "other".to_owned();
        }
        now
    })
}

fn roles() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(vec!["a", "b"], 0..=2)
}

fn findings() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(vec!["email", "iban"], 0..=2)
}

/// A set that the validator refuses, for a condition that can never be true, proves nothing here.
fn valid(text: &str) -> Option<Policies> {
    match build(text, &servers()) {
        Ok(policies) => Some(policies),
        Err(problems) => {
            let impossible = |problem: &crate::policy::Problem| problem.message.contains("impossible");
            assert!(problems.iter().all(impossible), "{text}\n{problems:#?}");
            None
        }
    }
}

/// Any JSON Schema, as far as servers think of one.
fn schema() -> impl Strategy<Value = Value> {
    let kinds = vec!["string", "integer", "number", "boolean", "null", "object", "array", "nonsense"];
    let leaf = prop_oneof![
        prop::sample::select(kinds).prop_map(|kind| json!({"type": kind})),
        prop::sample::select(vec!["date-time", "date", "ipv4", "ipv6", "email"])
            .prop_map(|format| json!({"type": "string", "format": format})),
        Just(json!({"enum": ["a", "b"]})),
        Just(json!({"const": 1})),
        Just(json!({"$ref": "#"})),
        Just(json!({"$ref": "#/properties/a"})),
        Just(json!(true)),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let name = prop::sample::select(vec!["a", "b", "b_count", "if", "x-y", "", "\"", "__entity"]);
        let properties = prop::collection::btree_map(name, inner.clone(), 0..4);
        prop_oneof![
            inner.clone().prop_map(|items| json!({"type": "array", "items": items})),
            inner.clone().prop_map(|values| json!({"type": "object", "additionalProperties": values})),
            prop::collection::vec(inner, 0..3).prop_map(|choices| json!({"anyOf": choices})),
            properties.prop_map(
                |properties| json!({"type": "object", "properties": properties, "required": ["a"]})
            ),
        ]
    })
}

/// Any JSON, mostly with the names and values that the schemas above speak of.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        any::<f64>().prop_map(|value| json!(value)),
        Just(json!(1.5)),
        prop::sample::select(vec![
            "a",
            "2026-11-24T10:00:00Z",
            "2026-11-24",
            "10.0.0.1",
            "::1",
            "9999-12-31T23:59:59Z"
        ])
        .prop_map(|value| json!(value)),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let name =
            prop::sample::select(vec!["a", "b", "b_count", "if", "x-y", "", "\"", "__entity", "other"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| json!(items)),
            prop::collection::btree_map(name, inner, 0..4).prop_map(|members| json!(members)),
        ]
    })
}

/// Ours is Cedar's own decision on the joined set, but where a forbid fails: there ours denies.
#[test]
fn cedar_decides_the_same_on_ten_thousand_requests_unless_a_forbid_fails() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let calls = prop::collection::vec((arguments(), moment(), roles(), findings()), 128);
    let (mut asked_in_all, mut allowed_in_all, mut failed) = (0, 0, 0);
    while asked_in_all < 10_000 {
        let text = policy_set().new_tree(&mut runner).unwrap().current();
        let Some(policies) = valid(&text) else { continue };
        let all = cedar_policy::PolicySet::from_policies(policies.rules.policies.values().cloned()).unwrap();
        for (args, now, roles, findings) in calls.new_tree(&mut runner).unwrap().current() {
            let caller = caller(&roles);
            let asked = Asked::CallTool { tool: "s_write", args: &args };
            let question = Question { call: CALL, asked, circumstances: &now, findings: &findings };
            let cedar = policies.by_cedar_alone(&caller, &question, &all).unwrap();
            let allowed = cedar.decision() == cedar_policy::Decision::Allow;
            match policies.authorize(&caller, &question) {
                Ok(_) => assert!(allowed, "{text}\n{args}"),
                Err(denial) if denial.kind() == DenialKind::Erred => {
                    let failing = cedar.diagnostics().errors().map(|error| {
                        let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
                        error.policy_id().clone()
                    });
                    let forbid = |id: &cedar_policy::PolicyId| {
                        all.policy(id).unwrap().effect() == cedar_policy::Effect::Forbid
                    };
                    assert!(failing.filter(forbid).count() > 0, "{text}\n{args}");
                    failed += 1;
                }
                Err(denial) => assert!(!allowed, "{text}\n{args}\n{denial:?}"),
            }
            asked_in_all += 1;
            allowed_in_all += usize::from(allowed);
        }
    }
    // Otherwise this would have shown little.
    assert!(allowed_in_all > 1_000 && allowed_in_all < 9_000 && failed > 0, "{allowed_in_all} {failed}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_list_shows_what_some_call_could_do_and_hides_what_none_could(
        text in policy_set(),
        calls in prop::collection::vec((arguments(), moment(), findings()), 12),
        roles in roles(),
    ) {
        let Some(policies) = valid(&text) else { return Ok(()) };
        let caller = caller(&roles);
        let mut answers = Vec::new();
        for (args, now, findings) in &calls {
            let asked = Asked::CallTool { tool: "s_write", args };
            let question = Question { call: CALL, asked, circumstances: now, findings };
            let allowed = policies.authorize(&caller, &question).is_ok();
            let listed = policies.may_list(&caller, now, Item::Tool("s_write"));
            prop_assert!(listed || !allowed, "hidden, but callable with {args}\n{text}");
            answers.push((listed, allowed));
        }
        let depends = ["args", "findings", "session", "hour", "now"].iter().any(|word| text.contains(word));
        if !depends {
            prop_assert!(answers.iter().all(|(listed, allowed)| listed == allowed), "{text}");
        }
    }

    #[test]
    fn any_schema_loads_and_what_its_types_accept_cedar_accepts(
        properties in prop::collection::btree_map(prop::sample::select(vec!["a", "b", "b_count"]), schema(), 0..4),
        calls in prop::collection::vec(value(), 12),
    ) {
        let input = json!({"type": "object", "properties": properties, "required": ["a"]});
        let models = [server("s", vec![tool("s_x", input.clone())])];
        let policies = build("@id(\"p\") permit (principal, action, resource);", &models).unwrap();
        for args in calls {
            let text = args.to_string();
            match ask(&policies, &caller(&[]), Asked::CallTool { tool: "s_x", args: &text }) {
                Ok(_) => prop_assert!(args.is_object()),
                Err(denial) => prop_assert_eq!(denial.kind(), DenialKind::InvalidArguments, "{} {}", input, text),
            }
        }
    }
}
