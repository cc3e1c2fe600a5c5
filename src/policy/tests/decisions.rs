//! What is allowed, what is denied, and what the answer says.

use serde_json::{Value, json};

use super::super::selftest;
use super::{
    Asked, CALL, Denial, Permit, Policies, READING, ask, build, call, caller, circumstances, policies,
    server, servers, tool,
};
use crate::policy::{DenialKind, Item, Question};

const ALL: &str = r#"@id("all") permit (principal, action, resource);"#;

fn kind(answer: Result<Permit, Denial>) -> Option<DenialKind> {
    answer.err().map(|denial| denial.kind())
}

fn n(value: i64) -> Value {
    json!({"n": value})
}

#[test]
fn nothing_is_permitted_by_no_policies() {
    let none = policies("");
    assert_eq!(kind(call(&none, "s_write", &n(1))), Some(DenialKind::NoPermit));
    assert_eq!(kind(call(&none, "s_any", &json!({}))), Some(DenialKind::NoPermit));
    let person = caller(&["employee"]);
    for asked in [
        Asked::ReadResource { server: "s", uri: "x://y" },
        Asked::SubscribeResource { server: "s", uri: "x://y" },
        Asked::GetPrompt { prompt: "s_greet", args: &[] },
        Asked::Complete { of: Item::Prompt("s_greet") },
        Asked::Complete { of: Item::Template { server: "s", uri: "x://{y}" } },
        Asked::ReturnResult { what: Item::Tool("s_write"), bytes: 1, is_error: false },
        Asked::ReturnResult { what: Item::Resource { server: "s", uri: "x://y" }, bytes: 1, is_error: true },
    ] {
        assert_eq!(kind(ask(&none, &person, asked)), Some(DenialKind::NoPermit), "{asked:?}");
    }
}

#[test]
fn every_kind_of_question_can_be_permitted() {
    let all = policies(ALL);
    let person = caller(&[]);
    for asked in [
        Asked::CallTool { tool: "s_write", args: r#"{"n": 1}"# },
        Asked::CallTool { tool: "s_read", args: "" },
        Asked::CallTool { tool: "s_any", args: r#"{"free": [1, {"x": null}]}"# },
        Asked::ReadResource { server: "s", uri: "x://y" },
        Asked::SubscribeResource { server: "s", uri: "x://y" },
        Asked::GetPrompt { prompt: "s_greet", args: &[("name", "Ada")] },
        Asked::Complete { of: Item::Prompt("s_greet") },
        Asked::Complete { of: Item::Resource { server: "s", uri: "x://y" } },
        Asked::ReturnResult { what: Item::Tool("s_write"), bytes: u64::MAX, is_error: false },
        Asked::ReturnResult { what: Item::Prompt("s_greet"), bytes: 1, is_error: false },
        Asked::ReturnResult { what: Item::Resource { server: "s", uri: "x://y" }, bytes: 1, is_error: true },
        Asked::Administer {
            action: crate::policy::AdminAction::SearchAudit,
            tenant: "acme",
            reading: READING,
        },
        Asked::Administer {
            action: crate::policy::AdminAction::ManageTokens,
            tenant: "acme",
            reading: READING,
        },
    ] {
        let permit = ask(&all, &person, asked).unwrap_or_else(|denial| panic!("{asked:?}: {denial:?}"));
        assert_eq!((permit.call(), permit.determining()), (CALL, ["all".to_owned()].as_slice()));
    }
}

#[test]
fn what_is_not_known_is_denied_as_unknown() {
    let all = policies(ALL);
    let person = caller(&[]);
    for asked in [
        Asked::CallTool { tool: "s_nothing", args: "" },
        Asked::CallTool { tool: "s_*", args: "" },
        Asked::CallTool { tool: "CallTool", args: "" },
        Asked::ReadResource { server: "t", uri: "x://y" },
        Asked::GetPrompt { prompt: "greet", args: &[] },
        Asked::Complete { of: Item::Tool("s_write") },
        Asked::ReturnResult { what: Item::Server("t"), bytes: 1, is_error: false },
        Asked::CallExtension { server: "t", method: "a/b" },
        Asked::ReturnResult { what: Item::Tool("gone"), bytes: 1, is_error: false },
    ] {
        assert_eq!(kind(ask(&all, &person, asked)), Some(DenialKind::Unknown), "{asked:?}");
    }
}

#[test]
fn an_answer_names_every_policy_that_was_satisfied() {
    let rules = policies(
        r#"@id("p1") permit (principal, action in Action::"CallTool", resource);
           @id("p2") permit (principal in Role::"employee", action == Action::"s_write", resource);
           @id("p3") permit (principal in Role::"chief", action, resource);
           @id("f1") @reply("too many") forbid (principal, action == Action::"s_write", resource) when { context.args.n > 9 };
           @id("f2") forbid (principal, action == Action::"s_write", resource) when { context.args.n > 99 };"#,
    );
    let permit = call(&rules, "s_write", &n(1)).unwrap();
    assert_eq!(permit.determining(), ["p1", "p2"]);
    assert_eq!(permit.provenance(), rules.digests());
    let denial = call(&rules, "s_write", &n(100)).unwrap_err();
    assert_eq!(denial.kind(), DenialKind::Forbidden);
    assert_eq!(denial.determining(), ["f1", "f2"]);
    assert_eq!(denial.satisfied(), ["p1", "p2"]);
    assert_eq!(denial.reply(), Some("too many"));
    assert_eq!(denial.call(), CALL);
}

#[test]
fn a_forbid_that_fails_denies_where_cedar_would_allow() {
    let rules = policies(
        r#"@id("all") permit (principal, action, resource);
           @id("math") forbid (principal, action == Action::"s_write", resource) when { context.args.n * 2 > 100 };"#,
    );
    assert!(call(&rules, "s_write", &n(1)).is_ok());
    let denial = call(&rules, "s_write", &n(i64::MAX)).unwrap_err();
    assert_eq!(denial.kind(), DenialKind::Erred);
    assert_eq!(denial.determining(), ["math"]);
    assert_eq!(denial.errors().first().unwrap().to_string(), "math: integer overflow");
    assert!(!format!("{denial:?}").contains(&i64::MAX.to_string()), "no value in a denial");

    let circumstances = circumstances();
    let args = n(i64::MAX).to_string();
    let asked = Asked::CallTool { tool: "s_write", args: &args };
    let question = Question { call: CALL, asked, circumstances: &circumstances, findings: &[] };
    let all = cedar_policy::PolicySet::from_policies(rules.rules.policies.values().cloned()).unwrap();
    let cedar = rules.by_cedar_alone(&caller(&[]), &question, &all).unwrap();
    assert_eq!(cedar.decision(), cedar_policy::Decision::Allow);
}

#[test]
fn a_permit_that_fails_grants_nothing_and_spoils_nothing() {
    let rules = policies(
        r#"@id("math") permit (principal, action == Action::"s_write", resource) when { context.args.n * 2 > 0 };
           @id("chief") permit (principal in Role::"chief", action, resource);"#,
    );
    let denial = call(&rules, "s_write", &n(i64::MAX)).unwrap_err();
    assert_eq!((denial.kind(), denial.errors().len()), (DenialKind::NoPermit, 1));
    let args = n(i64::MAX).to_string();
    let permit = ask(&rules, &caller(&["chief"]), Asked::CallTool { tool: "s_write", args: &args }).unwrap();
    assert_eq!((permit.determining(), permit.errors().len()), (["chief".to_owned()].as_slice(), 1));
}

#[test]
fn arguments_that_do_not_fit_are_named_by_path_and_type() {
    let all = policies(ALL);
    let table = [
        ("[]", "", "a JSON object"),
        ("{", "", "a JSON object"),
        (r#"{"n": 1, "n": 2}"#, "", "a JSON object"),
        ("{}", "n", "an integer of 64 bits"),
        (r#"{"n": null}"#, "n", "an integer of 64 bits"),
        (r#"{"n": "4111-canary"}"#, "n", "an integer of 64 bits"),
        (r#"{"n": 1.5}"#, "n", "an integer of 64 bits"),
        (r#"{"n": 9223372036854775808}"#, "n", "an integer of 64 bits"),
        (r#"{"n": 1, "s": 4111}"#, "s", "a string"),
        (r#"{"n": 1, "flag": "true"}"#, "flag", "a boolean"),
        (r#"{"n": 1, "amount": "12"}"#, "amount", "a number with at most 4 decimal places"),
        (r#"{"n": 1, "to": "4111"}"#, "to", "an array"),
        (r#"{"n": 1, "to": [4111]}"#, "to", "a string"),
        (r#"{"n": 1, "to": [null]}"#, "to", "a string"),
        (r#"{"n": 1, "at": "canary"}"#, "at", "a string with an RFC 3339 date and time"),
        (r#"{"n": 1, "who": []}"#, "who", "an object"),
        (r#"{"n": 1, "who": {}}"#, "who.name", "a string"),
        (r#"{"n": 1, "who": {"name": 4111}}"#, "who.name", "a string"),
        (r#"{"n": 1, "who": {"name": "a", "name": "b"}}"#, "who", "an object"),
    ];
    for (args, path, expected) in table {
        let denial = ask(&all, &caller(&[]), Asked::CallTool { tool: "s_write", args }).unwrap_err();
        assert_eq!(denial.kind(), DenialKind::InvalidArguments, "{args}");
        let misfit = denial.misfit().unwrap();
        assert_eq!((misfit.path.as_str(), misfit.expected), (path, expected), "{args}");
        let text = format!("{denial:?} {misfit}");
        assert!(!text.contains("4111") && !text.contains("canary"), "{text}");
    }
    for args in [r#"{"n": 5.0}"#, r#"{"n": 1, "s": null}"#, r#"{"n": 1, "extra": {"deep": [1]}}"#] {
        assert!(ask(&all, &caller(&[]), Asked::CallTool { tool: "s_write", args }).is_ok(), "{args}");
    }
}

#[test]
fn a_number_that_does_not_fit_exactly_is_refused_if_a_policy_looks_at_it() {
    let reading = policies(
        r#"@id("all") permit (principal, action, resource);
           @id("cap") forbid (principal, action == Action::"s_write", resource)
             when { context.args has amount && context.args.amount.greaterThan(decimal("1000.0")) };"#,
    );
    let amount = |text: &str| format!(r#"{{"n": 1, "amount": {text}}}"#);
    let answer = |rules: &Policies, text: &str| {
        kind(ask(rules, &caller(&[]), Asked::CallTool { tool: "s_write", args: &amount(text) }))
    };
    assert_eq!(answer(&reading, "1000.0000"), None);
    assert_eq!(answer(&reading, "1000.0001"), Some(DenialKind::Forbidden));
    assert_eq!(answer(&reading, "1000.00001"), Some(DenialKind::InvalidArguments));
    assert_eq!(answer(&reading, "1e9"), Some(DenialKind::InvalidArguments));

    let telling = policies(
        r#"@id("all") permit (principal, action, resource);
           @id("blind") forbid (principal, action == Action::"s_write", resource)
             when { context.lost.contains("amount") || context.lost.contains("extra") };"#,
    );
    assert_eq!(answer(&telling, "1.5"), None);
    assert_eq!(answer(&telling, "1000.00001"), Some(DenialKind::Forbidden));
    let extra = Asked::CallTool { tool: "s_write", args: r#"{"n": 1, "extra": 1}"# };
    assert_eq!(kind(ask(&telling, &caller(&[]), extra)), Some(DenialKind::Forbidden));
    assert_eq!(answer(&policies(ALL), "1000.00001"), None, "nobody looks");
}

#[test]
fn conditions_see_arguments_circumstances_and_findings() {
    let table = [
        (r"context.args.n == 7", true),
        (r#"context.args has s && context.args.s like "a*""#, true),
        (
            r#"context.args has to && context.args.to.contains("x") && context.args has to_count && context.args.to_count == 3"#,
            true,
        ),
        (r#"context.args has who && context.args.who.name == "Ada""#, true),
        (r"context.args has at && context.args.at < context.request.now", true),
        (r"context.args has flag && context.args.flag", false),
        (r#"context.findings.contains("email")"#, true),
        (r#"context.findings.contains("iban")"#, false),
        (r"context.lost.isEmpty()", true),
        (r"context.request.hour == 17 && context.request.weekday == 1", true),
        (r#"context.request.now == datetime("2025-11-24T16:00:00Z")"#, true),
        (r#"context.request has sourceIp && context.request.sourceIp.isInRange(ip("10.0.0.0/8"))"#, true),
        (r#"context.request.client.name == "client" && context.request.protocol == "2025-11-25""#, true),
        (r#"context.request.agent == Agent::"ide" && context.request.agent.approved"#, true),
        (r#"context.session.calls == 3 && context.session.id == "session""#, true),
        (r#"context.request.now.durationSince(context.session.startedAt) == duration("1m")"#, true),
        (
            r#"principal in Role::"employee" && principal in Team::"support" && principal in principal.tenant"#,
            true,
        ),
        (
            r#"resource in Server::"s" && resource in ServerGroup::"servers" && resource in ToolGroup::"tools""#,
            true,
        ),
        (
            r#"resource.server.environment == "test" && resource.server.trust >= 2 && resource.name == "write""#,
            true,
        ),
        (r#"resource.labels.contains("internal") && resource.pinned && !resource.readOnly"#, true),
        (r#"action in Action::"s_*" && action in Action::"CallTool" && action in Action::"Mcp""#, true),
    ];
    let args = json!({
        "n": 7, "s": "abc", "to": ["x", "y", "x"], "who": {"name": "Ada"}, "at": "2025-11-24T15:00:00Z",
    });
    for (condition, expected) in table {
        let text = format!(
            r#"@id("p") permit (principal, action == Action::"s_write", resource) when {{ {condition} }};"#
        );
        assert_eq!(call(&policies(&text), "s_write", &args).is_ok(), expected, "{condition}");
    }
}

#[test]
fn a_tool_without_types_is_judged_by_canonical_text() {
    let rules = policies(
        r#"@id("p") permit (principal, action == Action::"s_any", resource)
             unless { context.argsJson like "*rm -rf*" };"#,
    );
    let answer = |args: &str| kind(ask(&rules, &caller(&[]), Asked::CallTool { tool: "s_any", args }));
    assert_eq!(answer(r#"{"cmd": "ls"}"#), None);
    assert_eq!(answer(r#"{"cmd": "\u0072m -rf /"}"#), Some(DenialKind::NoPermit));
    assert_eq!(answer("7"), Some(DenialKind::InvalidArguments));
}

#[test]
fn resources_are_judged_by_uri_scheme_and_server() {
    let rules = policies(
        r#"@id("one") permit (principal, action == Action::"ReadResource", resource == Resource::"s+x://one");
           @id("all") permit (principal, action == Action::"ReadResource", resource in Server::"s")
             when { resource.scheme == "file" && resource.uri like "file:///shared/*" };"#,
    );
    let read = |uri| kind(ask(&rules, &caller(&[]), Asked::ReadResource { server: "s", uri }));
    assert_eq!(read("x://one"), None);
    assert_eq!(read("x://two"), Some(DenialKind::NoPermit));
    assert_eq!(read("file:///shared/a"), None);
    assert_eq!(read("FILE:///shared/a"), Some(DenialKind::NoPermit));
    assert_eq!(read("file:///etc/passwd"), Some(DenialKind::NoPermit));
    assert_eq!(read(""), Some(DenialKind::NoPermit));
}

#[test]
fn a_result_that_nothing_can_stop_is_known_at_load() {
    let open = policies(r#"@id("r") permit (principal, action == Action::"ReturnResult", resource);"#);
    assert_eq!(open.world.tools["s_write"].result.slice.always.as_deref(), Some(["r".to_owned()].as_slice()));
    for more in [
        r#"@id("f") forbid (principal, action == Action::"ReturnResult", resource) when { context.bytes > 9 };"#,
        r#"@id("p") permit (principal in Role::"x", action == Action::"ReturnResult", resource);"#,
        r#"@id("p") permit (principal, action == Action::"ReturnResult", resource) when { context.isError };"#,
    ] {
        let text =
            format!(r#"@id("r") permit (principal, action == Action::"ReturnResult", resource); {more}"#);
        assert_eq!(policies(&text).world.tools["s_write"].result.slice.always, None, "{more}");
    }
    assert_eq!(policies("").world.tools["s_write"].result.slice.always, None);
}

#[test]
fn a_caller_who_changed_is_not_taken_for_who_they_were() {
    let rules = policies(r#"@id("p") permit (principal in Role::"chief", action, resource);"#);
    let mut person = caller(&["chief"]);
    let asked = Asked::CallTool { tool: "s_read", args: "" };
    assert!(ask(&rules, &person, asked).is_ok());
    person.roles.clear();
    assert!(ask(&rules, &person, asked).is_err(), "same credential, fewer roles");
}

#[test]
fn the_self_test_passes_on_any_sound_set() {
    for text in ["", ALL, r#"@id("f") forbid (principal, action, resource);"#] {
        selftest::run(&policies(text)).unwrap();
    }
    let empty = build("", &[]).unwrap();
    selftest::run(&empty).unwrap();
    selftest::run(&build(ALL, &[server("s", vec![tool("s_x", json!({}))])]).unwrap()).unwrap();
    assert_eq!(servers().len(), 1);
}

#[test]
fn sets_records_and_free_keys_are_seen_whole_or_told_as_lost() {
    let schema = json!({"type": "object", "properties": {
        "lines": {"type": "array", "items": {
            "type": "object", "properties": {"sku": {"type": "string"}, "n": {"type": "integer"}}, "required": ["sku", "n"],
        }},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "mixed": {"type": "array", "items": {"type": ["string", "integer"]}},
        "prices": {"type": "array", "items": {"type": "number"}},
    }});
    let models = [server("s", vec![tool("s_order", schema)])];
    let table = [
        (r#"context.args has lines && context.args.lines.contains({sku: "a", n: 2})"#, true),
        (r"context.args has lines_count && context.args.lines_count == 2", true),
        (r#"context.args has labels && context.args.labels.contains("team=core")"#, true),
        (r"context.args has mixed_count && context.args.mixed_count == 3", true),
        (r#"context.lost.contains("mixed")"#, true),
    ];
    let args = json!({
        "lines": [{"n": 2, "sku": "a"}, {"sku": "b", "n": 3}], "prices": [1.5], "labels": {"team": "core"}, "mixed": ["a", 1, null],
    });
    for (condition, expected) in table {
        let text = format!(
            r#"@id("p") permit (principal, action == Action::"s_order", resource) when {{ {condition} }};"#
        );
        let rules = build(&text, &models).unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert_eq!(call(&rules, "s_order", &args).is_ok(), expected, "{condition}");
    }
    let reading = r#"@id("p") permit (principal, action == Action::"s_order", resource)
        unless { context.args has prices && context.args.prices.contains(decimal("9.0")) };"#;
    let rules = build(reading, &models).unwrap();
    let inexact = json!({"prices": [1, 1.00001]});
    assert_eq!(kind(call(&rules, "s_order", &inexact)), Some(DenialKind::InvalidArguments));
    let nested = json!({"labels": {"team": {"deep": 1}}});
    assert!(call(&rules, "s_order", &nested).is_ok(), "no policy looks at the labels");
}
