//! What lists show.

use serde_json::json;

use super::{caller, circumstances, policies};
use crate::policy::{Item, Policies};

const WRITE: Item<'_> = Item::Tool("s_write");

fn shown(policies: &Policies, item: Item<'_>) -> bool {
    policies.may_list(&caller(&["employee"]), &circumstances(), item)
}

#[test]
fn what_arguments_could_open_is_shown_and_what_none_could_is_not() {
    let table = [
        (r"permit (principal, action, resource)", true),
        (r#"permit (principal in Role::"employee", action, resource)"#, true),
        (r#"permit (principal in Role::"chief", action, resource)"#, false),
        (r#"permit (principal, action == Action::"s_read", resource)"#, false),
        (r#"permit (principal, action == Action::"s_write", resource) when { context.args.n > 9 }"#, true),
        (
            r#"permit (principal, action == Action::"s_write", resource)
               when { context.args.n > 9 && principal in Role::"chief" }"#,
            false,
        ),
        (
            r#"permit (principal, action == Action::"s_write", resource)
               when { context.args.n > 9 || principal in Role::"chief" }"#,
            true,
        ),
        (
            r#"permit (principal, action == Action::"s_write", resource)
               unless { context.args.n > 9 || principal in Role::"employee" }"#,
            false,
        ),
        (
            r#"permit (principal, action == Action::"s_write", resource)
               unless { context.args.n > 9 && principal in Role::"employee" }"#,
            true,
        ),
        (
            r#"permit (principal, action == Action::"s_write", resource)
               when { if context.args.n > 9 then resource.readOnly else resource.pinned }"#,
            true,
        ),
        (
            r#"permit (principal, action == Action::"s_write", resource)
               when { if context.args.n > 9 then resource.readOnly else !resource.pinned }"#,
            false,
        ),
        (
            r#"permit (principal, action in Action::"CallTool", resource) when { context.request.hour > 30 }"#,
            true,
        ),
        (
            r#"permit (principal, action in Action::"CallTool", resource) when { context.session.calls > 99 }"#,
            true,
        ),
        (
            r#"permit (principal, action in Action::"CallTool", resource) when { context.findings.contains("x") }"#,
            true,
        ),
        (
            r#"permit (principal, action in Action::"CallTool", resource)
               when { context.request.client.name == "other" }"#,
            false,
        ),
    ];
    for (text, expected) in table {
        let rules = policies(&format!("@id(\"p\") {text};"));
        assert_eq!(shown(&rules, WRITE), expected, "{text}");
    }
}

#[test]
fn only_a_forbid_that_nothing_can_lift_hides() {
    let table = [
        (r"forbid (principal, action, resource)", false),
        (r#"forbid (principal, action == Action::"s_write", resource) when { context.args.n > 9 }"#, true),
        (r#"forbid (principal, action == Action::"s_write", resource) unless { context.args.n > 9 }"#, true),
        (
            r#"forbid (principal, action == Action::"s_write", resource)
               when { context.args.n > 9 || principal in Role::"employee" }"#,
            false,
        ),
        (
            r#"forbid (principal, action == Action::"s_write", resource)
               when { principal in Role::"employee" } unless { context.findings.isEmpty() }"#,
            true,
        ),
        (
            r#"forbid (principal, action in Action::"CallTool", resource) when { context.request.hour < 8 }"#,
            true,
        ),
        (
            r#"forbid (principal, action == Action::"Discover", resource) when { !resource has nothing }"#,
            false,
        ),
        (r#"forbid (principal, action == Action::"Discover", resource == Tool::"s_read")"#, true),
    ];
    for (text, expected) in table {
        let text = text.replace("!resource has nothing", "resource is Tool && resource.pinned");
        let rules = policies(&format!(
            "@id(\"all\") permit (principal, action in Action::\"CallTool\", resource); @id(\"f\") {text};"
        ));
        assert_eq!(shown(&rules, WRITE), expected, "{text}");
    }
}

#[test]
fn a_template_is_shown_if_some_resource_of_it_could_be_read() {
    let template = Item::Template { server: "s", uri: "x://{id}" };
    let table = [
        (r#"permit (principal, action == Action::"ReadResource", resource == Resource::"s+x://7")"#, true),
        (
            r#"permit (principal, action == Action::"ReadResource", resource) when { resource.uri like "x://9*" }"#,
            true,
        ),
        (
            r#"permit (principal, action == Action::"ReadResource", resource) when { resource.scheme == "x" }"#,
            true,
        ),
        (
            r#"permit (principal, action == Action::"ReadResource", resource) when { resource.scheme == "y" }"#,
            false,
        ),
        (r#"permit (principal, action == Action::"ReadResource", resource in Server::"s")"#, true),
        (r#"permit (principal, action == Action::"ReadResource", resource in Server::"t")"#, false),
        (
            r#"permit (principal, action == Action::"ReadResource", resource)
               when { resource in [Resource::"s+x://6", Resource::"s+x://7"] }"#,
            true,
        ),
        (
            r#"permit (principal, action == Action::"ReadResource", resource) when { resource in Server::"t" }"#,
            false,
        ),
    ];
    for (text, expected) in table {
        let rules = policies(&format!("@id(\"p\") {text};"));
        assert_eq!(shown(&rules, template), expected, "{text}");
    }
    let rules = policies(
        r#"@id("p") permit (principal, action == Action::"ReadResource", resource);
           @id("f") forbid (principal, action == Action::"ReadResource", resource == Resource::"s+x://7");
           @id("g") forbid (principal, action == Action::"ReadResource", resource) when { resource.uri like "x://8*" };"#,
    );
    assert!(shown(&rules, template));
    assert!(!shown(&rules, Item::Resource { server: "s", uri: "x://7" }));
    assert!(!shown(&rules, Item::Resource { server: "s", uri: "x://88" }));
    assert!(shown(&rules, Item::Resource { server: "s", uri: "x://9" }));
}

#[test]
fn prompts_and_servers_are_listed_by_their_own_policies() {
    let rules = policies(
        r#"@id("p") permit (principal, action == Action::"GetPrompt", resource) when { context.args.contains("a=b") };
           @id("d") permit (principal, action == Action::"Discover", resource is Server);"#,
    );
    assert!(shown(&rules, Item::Prompt("s_greet")));
    assert!(shown(&rules, Item::Server("s")));
    assert!(!shown(&rules, Item::Server("t")));
    assert!(!shown(&rules, Item::Prompt("t_greet")));
    assert!(!shown(&rules, Item::Tool("t_x")));
    assert!(!shown(&rules, WRITE));
    let none = policies("");
    assert!(!shown(&none, Item::Server("s")));
}

#[test]
fn a_kept_answer_is_given_to_the_same_caller_and_client_only() {
    let rules = policies(
        r#"@id("p") permit (principal in Role::"employee", action in Action::"CallTool", resource)
             when { context.request.client.name == "client" };"#,
    );
    let (person, stranger) = (caller(&["employee"]), caller(&[]));
    let mut other = circumstances();
    other.client_name = "other".to_owned();
    for _ in 0..2 {
        assert!(rules.may_list(&person, &circumstances(), WRITE));
        assert!(!rules.may_list(&person, &other, WRITE));
        assert!(!rules.may_list(&stranger, &circumstances(), WRITE));
    }
    let mut demoted = person.clone();
    demoted.roles.clear();
    assert!(!rules.may_list(&demoted, &circumstances(), WRITE));
}

#[test]
fn a_tool_that_can_be_called_is_shown_even_if_its_view_fails() {
    let rules = policies(
        r#"@id("p") permit (principal, action == Action::"s_write", resource)
             when { context.args.n < 0 && resource.server.trust * 9223372036854775807 > 0 || context.args.n > 0 };
           @id("f") forbid (principal, action == Action::"s_write", resource)
             when { context.args.n < 0 && resource.server.trust * 9223372036854775807 > 0 };"#,
    );
    assert!(super::call(&rules, "s_write", &json!({"n": 1})).is_ok());
    assert!(shown(&rules, WRITE));
}
