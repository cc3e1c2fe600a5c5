//! What is accepted from disk, and what is refused with which words.

use std::fs;
use std::path::Path;

use super::super::hierarchy::Hierarchy;
use super::{build, call, servers};
use crate::policy::{Config, Policies, Problem};

fn config(folder: &Path) -> Config {
    Config { folder: folder.to_owned(), ..Config::default() }
}

fn refused(text: &str) -> Vec<Problem> {
    build(text, &servers()).err().unwrap_or_else(|| panic!("accepted: {text}"))
}

/// A text, the line of the mistake, and what is said about it.
const MISTAKES: [(&str, usize, &str, &str); 17] = [
    ("permit (principal, action, resource)\n\n;;", 3, "unexpected token", ""),
    ("\n@id(\"a\") permit (principal, action);", 2, "", ""),
    ("// c\npermit (principal, action, resource);", 2, "has no `@id`", "@id("),
    ("@id permit (principal, action, resource);", 1, "cannot be the id", "letters"),
    ("@id(\"a b\") permit (principal, action, resource);", 1, "cannot be the id", "letters"),
    (
        "@id(\"a\") permit (principal, action, resource);\n@id(\"a\") permit (principal, action, resource);",
        2,
        "another policy has the id `a`",
        "test.cedar:1:1",
    ),
    (
        "@id(\"a\")\npermit (principal, action == Action::\"s_wirte\", resource);",
        2,
        "there is no action `s_wirte`",
        "did you mean `Action::\"s_write\"`?",
    ),
    (
        "@id(\"a\") permit (principal, action == Action::\"s_write\", resource)\nwhen { context.args.m == 1 };",
        2,
        "attribute `args.m`",
        "did you mean `n`",
    ),
    (
        "@id(\"a\") permit (principal, action == Action::\"s_write\", resource)\nwhen { context.args.s == \"x\" };",
        2,
        "unable to guarantee safety",
        "",
    ),
    (
        "@id(\"a\") permit (principal, action == Action::\"s_write\", resource)\nwhen { context.args.n == \"x\" };",
        2,
        "",
        "",
    ),
    (
        "@id(\"a\") permit (principal is Server, action == Action::\"s_write\", resource);",
        1,
        "unable to find an applicable action",
        "",
    ),
    (
        "@id(\"a\") permit (principal, action == Action::\"s_write\", resource) when { resource.readOnly && false };",
        1,
        "impossible",
        "",
    ),
    (
        "@id(\"a\") permit (principal, action == Action::\"CallTool\", resource);",
        1,
        "it is a group",
        "action in",
    ),
    ("@id(\"a\") permit (principal, action == Action::\"s_*\", resource);", 1, "it is a group", "action in"),
    (
        "@id(\"a\") permit (principal == ?principal, action, resource);",
        1,
        "templates are not supported",
        "write",
    ),
    ("@id(\"a\") @severity(\"bad\") permit (principal, action, resource);", 1, "not a severity", "critical"),
    (
        "@id(\"a\") @severty(\"low\") permit (principal, action, resource);",
        1,
        "`@severty`",
        "did you mean `@severity`",
    ),
];

#[test]
fn each_mistake_is_reported_with_its_place_and_a_remedy() {
    for (text, line, message, help) in MISTAKES {
        let problems = refused(text);
        let found = problems.iter().any(|problem| {
            problem.file == "test.cedar"
                && problem.line == line
                && problem.message.contains(message)
                && problem.help.as_deref().unwrap_or_default().contains(help)
        });
        assert!(found, "{text}\n{problems:#?}");
    }
}

/// Annotations that cannot be honoured as they stand, and what is said.
const UNMET: [(&str, &str); 28] = [
    ("@redact(\"emial\") permit", "nothing looks for `emial`"),
    ("@redact(\"\") permit", "is not a value of `@redact`"),
    ("@redact(\"email\") @redact_mode(\"tokenise\") permit", "does not redact by `tokenise`"),
    ("@redact(\"email\") @redact_mode(\"tokenize\") permit", "`tokenize` is not a value of `@redact_mode`"),
    ("@redact(\"private_key\") @redact_mode(\"mask\") permit", "`private_key` cannot be redacted by `mask`"),
    ("@redact(\"email\") @redact_mode(\"maks\") permit", "is not a value of `@redact_mode`"),
    ("@redact_mode(\"mask\") permit", "without `@redact`"),
    ("@rate_limit(\"30\") permit", "is not a value of `@rate_limit`"),
    ("@rate_limit(\"0/m\") permit", "is not a value of `@rate_limit`"),
    ("@rate_limit(\"3/w\") permit", "is not a value of `@rate_limit`"),
    ("@max_bytes(\"0\") permit", "is not a value of `@max_bytes`"),
    ("@audit(\"full\") permit", "is not a value of `@audit`"),
    ("@require_approval(\"lead\") permit", "is not a value of `@require_approval`"),
    ("@require_approval(\"principal\") permit", "is not a value of `@require_approval`"),
    ("@approval_ttl(\"15m\") permit", "without `@require_approval`"),
    ("@require_approval(\"Role::lead\") @approval_ttl(\"8d\") permit", "is not a value of `@approval_ttl`"),
    ("@require_justification(\"yes\") permit", "takes no value"),
    ("@notify(\"secosp\") permit", "nobody is called `secosp`"),
    ("@shadow(\"no\") permit", "takes no value"),
    ("@oblige permit", "does nothing"),
    ("@oblige @shadow @max_bytes(\"9\") permit", "exclude each other"),
    ("@oblige forbid", "on a forbid"),
    ("@redact(\"email\") forbid", "would never be honoured"),
    ("@reply(\"r\") permit", "is never told"),
    ("@reply(\"\") forbid", "is not a text for a client"),
    ("@rate_limt(\"3/m\") permit", "`@rate_limt`"),
    ("@rate_key(\"agent\") permit", "`@rate_key`"),
    ("@log_level(\"full\") permit", "`@log_level`"),
];

#[test]
fn an_obligation_that_cannot_be_honoured_is_refused() {
    for (text, message) in UNMET {
        let text = format!("@id(\"a\") {text} (principal, action, resource);");
        let problems = refused(&text);
        assert!(problems.iter().any(|problem| problem.message.contains(message)), "{text}\n{problems:#?}");
        assert!(problems.iter().all(|problem| problem.line == 1 && problem.help.is_some()), "{problems:#?}");
    }
    for fine in [
        "@doc(\"d\") @severity(\"low\") @tags(\"t\") @x_owner(\"me\") permit",
        "@severity(\"high\") @reply(\"r\") @notify(\"secops\") forbid",
        "@shadow @rate_limit(\"3/s\") permit",
        "@oblige @redact(\"email, iban\") @redact_mode(\"block\") @audit(\"metadata\") permit",
        "@require_approval(\"Role::lead,Role::\\\"the boss\\\"\") @approval_ttl(\"2h\") @require_justification permit",
    ] {
        let text = format!("@id(\"a\") {fine} (principal, action, resource);");
        assert!(build(&text, &servers()).is_ok(), "{text}");
    }
}

#[test]
fn every_problem_is_told_not_only_the_first() {
    let problems = refused(
        "permit (principal, action, resource);\n@id(\"a\") @redact(\"x\") permit (principal, action, resource);\n\
         @id(\"b\") permit (principal, action == Action::\"nothing\", resource);",
    );
    assert_eq!(problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [1, 2, 3], "{problems:#?}");
}

#[test]
fn a_policy_waits_for_the_tools_that_it_names() {
    let mut models = servers();
    models.push(super::server("late", Vec::new()));
    models[1].discovered = false;
    let text = r#"
        @id("all") permit (principal, action, resource);
        @id("waits") forbid (principal, action == Action::"late_drop", resource) when { context.args.n > 1 };
        @id("waits-too") permit (principal, action in [Action::"late_a", Action::"late_b"], resource);
        @id("part") forbid (principal, action in [Action::"s_write", Action::"late_drop"], resource) when { context.args.n > 1 };
        @id("group") forbid (principal, action in Action::"late_*", resource);
    "#;
    let policies = build(text, &models).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(policies.ids().collect::<Vec<_>>(), ["all", "group", "part"]);
    let told: Vec<String> = policies.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().any(|text| text.contains("`waits` waits") && text.contains("`late_drop`")));
    assert!(told.iter().any(|text| text.contains("a part of `part` waits")));
    assert!(call(&policies, "s_write", &serde_json::json!({"n": 1})).is_ok());
    assert!(call(&policies, "s_write", &serde_json::json!({"n": 2})).is_err(), "the part in force forbids");

    models[1].discovered = true;
    let problems = build(text, &models).err().unwrap();
    assert!(
        problems.iter().all(|problem| problem.message.contains("there is no action `late_")),
        "{problems:#?}"
    );
}

#[test]
fn a_forbid_whose_condition_names_unknown_tools_is_refused() {
    let mut models = servers();
    models.push(super::server("late", Vec::new()));
    models[1].discovered = false;
    let text = |effect: &str| {
        format!("@id(\"a\") {effect} (principal, action, resource) when {{ action == Action::\"late_x\" }};")
    };
    let problems = build(&text("forbid"), &models).err().unwrap();
    assert!(problems[0].message.contains("names tools that are not known yet: `late_x`"), "{problems:?}");
    assert_eq!(build(&text("permit"), &models).unwrap().ids().count(), 0);
}

#[test]
fn a_folder_is_read_with_all_below_it_but_what_is_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::create_dir(folder.path().join(".old")).unwrap();
    write("a.cedar", "@id(\"a\") permit (principal, action, resource);");
    write("sub/b.CEDAR", "@id(\"b\") forbid (principal, action == Action::\"s_read\", resource);");
    write(".old/c.cedar", "nonsense");
    write(".a.cedar.swp", "nonsense");
    write("notes.md", "nonsense");
    let policies = Policies::load(&config(folder.path()), &servers(), None).unwrap();
    assert_eq!(policies.ids().collect::<Vec<_>>(), ["a", "b"]);
    write("a.cedar", "@id(\"a\") permit (principal, action, resource); // a comment");
    let again = Policies::load(&config(folder.path()), &servers(), None).unwrap();
    assert_ne!(policies.digests().policy_set, again.digests().policy_set);
    assert_eq!(policies.digests().schema, again.digests().schema);
    assert_eq!(policies.digests().entities, again.digests().entities);
    let fewer = Policies::load(
        &config(folder.path()),
        &[super::server("s", vec![servers()[0].tools[1].clone()])],
        None,
    );
    let fewer = fewer.unwrap();
    assert_ne!(fewer.digests().schema, again.digests().schema);
    assert_ne!(fewer.digests().entities, again.digests().entities);
}

#[test]
fn an_empty_folder_permits_nothing_and_a_missing_one_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let policies = Policies::load(&config(folder.path()), &servers(), None).unwrap();
    assert!(policies.warnings()[0].message.contains("everything is denied"));
    assert!(call(&policies, "s_read", &serde_json::json!({})).is_err());

    let problems = Policies::load(&config(&folder.path().join("missing")), &servers(), None).unwrap_err();
    assert!(problems[0].message.contains("cannot be read"), "{problems:?}");
    fs::write(folder.path().join("x.cedar"), [0xff, 0xfe]).unwrap();
    let problems = Policies::load(&config(folder.path()), &servers(), None).unwrap_err();
    assert!(problems[0].file.ends_with("x.cedar") && problems[0].message.contains("cannot be read"));
}

#[test]
fn a_broken_link_among_the_policies_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("x.cedar")).unwrap();
    assert!(Policies::load(&config(folder.path()), &servers(), None).is_err());
}

#[test]
fn a_zone_that_nobody_knows_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { time_zone: "Mars/Olympus".to_owned(), ..config(folder.path()) };
    let problems = Policies::load(&config, &servers(), None).unwrap_err();
    assert!(problems[0].message.contains("Mars/Olympus"));
}

#[test]
fn groups_nest_and_circles_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let read = |text: &str| {
        fs::write(folder.path().join("groups.yaml"), text).unwrap();
        Hierarchy::read(Some(folder.path()))
    };
    let nested = read("roles: {on-call: [engineer], engineer: [employee]}").unwrap();
    assert_eq!(nested.roles["on-call"].iter().collect::<Vec<_>>(), ["employee", "engineer"]);
    assert!(read("roles: {a: [b], b: [c], c: [a]}").unwrap_err()[0].message.contains("inside itself"));
    assert!(read("tool_groups: {a: [a]}").unwrap_err()[0].message.contains("inside itself"));
    let problems = read("roles:\n  a: [b]\nusers: {}\n").unwrap_err();
    assert_eq!(problems[0].line, 3, "{problems:?}");
    assert!(Hierarchy::read(Some(&folder.path().join("missing"))).is_err());
}

#[test]
fn nested_groups_count_in_decisions() {
    let policies = tempfile::tempdir().unwrap();
    let entities = tempfile::tempdir().unwrap();
    fs::write(
        policies.path().join("p.cedar"),
        "@id(\"p\") permit (principal in Role::\"employee\", action in Action::\"CallTool\", \
         resource in ToolGroup::\"outer\") when { context.request.agent in AgentGroup::\"ides\" };",
    )
    .unwrap();
    fs::write(
        entities.path().join("groups.yaml"),
        "roles: {engineer: [employee]}\ntools: {s_read: [inner], gone_x: [inner]}\n\
         tool_groups: {inner: [outer]}\nagents: {ide: [ides]}\n",
    )
    .unwrap();
    let config = Config { entities: Some(entities.path().to_owned()), ..config(policies.path()) };
    let policies = Policies::load(&config, &servers(), None).unwrap();
    assert!(policies.warnings()[0].message.contains("`gone_x`"));
    let ask = |role: &str, tool: &str| {
        let asked = crate::policy::Asked::CallTool { tool, args: "" };
        super::ask(&policies, &super::caller(&[role]), asked).is_ok()
    };
    assert!(ask("engineer", "s_read"));
    assert!(!ask("intern", "s_read"));
    assert!(!ask("engineer", "s_any"));
}

#[test]
fn a_tool_listed_twice_is_told_and_the_first_one_counts() {
    let mut models = servers();
    let mut twin = models[0].tools[1].clone();
    twin.read_only = false;
    models[0].tools.push(twin);
    let policies = build(
        "@id(\"p\") permit (principal, action == Action::\"s_read\", resource) when { resource.readOnly };",
        &models,
    )
    .unwrap();
    assert!(policies.warnings()[0].message.contains("listed twice"));
    assert!(call(&policies, "s_read", &serde_json::json!({})).is_ok());
}
