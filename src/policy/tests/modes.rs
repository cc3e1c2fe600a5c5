//! Obligations, shadow policies and observe mode.

use serde_json::json;

use super::{READING, ask, call, caller, policies};
use crate::policy::{Asked, Item, Obligations, Policies};

fn obligations(policies: &Policies) -> Obligations {
    let permit = call(policies, "s_write", &json!({"n": 1})).unwrap();
    permit.obligations().map(|wanted| (**wanted).clone()).unwrap_or_default()
}

#[test]
fn obligations_of_all_that_matched_combine_and_oblige_permits_grant_nothing() {
    let found = obligations(&policies(
        r#"@id("a") @rate_limit("2/m") @max_bytes("9") permit (principal, action == Action::"s_write", resource);
           @id("b") @oblige @redact("email") @max_bytes("5") permit (principal, action in Action::"CallTool", resource);
           @id("c") @oblige @notify("secops") permit (principal, action, resource) when { principal in Role::"other" };
           @id("d") permit (principal, action, resource);"#,
    ));
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json, json!({"max_bytes": 5, "rate_limit": ["a: 2/60s"], "redact": {"email": "mask"}}));
    let only = policies(r#"@id("b") @oblige @redact("email") permit (principal, action, resource);"#);
    assert!(call(&only, "s_write", &json!({"n": 1})).is_err());
    let caller = caller(&[]);
    assert!(!only.may_list(&caller, &super::circumstances(), Item::Tool("s_write")));
    let result = Asked::ReturnResult { what: Item::Tool("s_write"), bytes: 1, is_error: false };
    assert!(ask(&only, &caller, result).is_err());
}

#[test]
fn an_oblige_permit_that_fails_denies() {
    let policies = policies(
        r#"@id("a") permit (principal, action, resource);
           @id("b") @oblige @redact("email") permit (principal, action == Action::"s_write", resource)
             when { context.args.n * 4611686018427387904 > 0 };"#,
    );
    assert!(call(&policies, "s_write", &json!({"n": 1})).is_ok());
    let denial = call(&policies, "s_write", &json!({"n": 4})).unwrap_err();
    assert_eq!((denial.kind().as_str(), denial.determining()), ("erred", ["b".to_owned()].as_slice()));
}

#[test]
fn a_shadow_policy_tells_what_it_would_have_flipped_and_decides_nothing() {
    let policies = policies(
        r#"@id("grant") permit (principal, action == Action::"s_write", resource) when { context.args.n < 5 };
           @id("stricter") @shadow forbid (principal, action == Action::"s_write", resource) when { context.args.n == 2 };
           @id("broken") @shadow forbid (principal, action == Action::"s_write", resource)
             when { context.args.n * 4611686018427387904 > 0 };
           @id("wider") @shadow permit (principal, action == Action::"s_write", resource);"#,
    );
    let shadow = |n: i64| match call(&policies, "s_write", &json!({"n": n})) {
        Ok(permit) => (true, json!(permit.shadow())),
        Err(denial) => (false, json!(denial.shadow())),
    };
    assert_eq!(shadow(0), (true, json!([{"flips": false, "policy": "wider"}])));
    assert_eq!(
        shadow(2),
        (
            true,
            json!([
                {"flips": true, "policy": "broken"}, {"flips": true, "policy": "stricter"},
                {"flips": false, "policy": "wider"},
            ])
        )
    );
    let denied = shadow(6);
    assert!(!denied.0);
    assert!(denied.1.as_array().unwrap().contains(&json!({"flips": true, "policy": "wider"})));
}

#[test]
fn a_shadow_permit_lists_nothing_and_a_shadow_forbid_hides_nothing() {
    let policies = policies(
        r#"@id("a") permit (principal, action == Action::"s_write", resource);
           @id("b") @shadow forbid (principal, action == Action::"s_write", resource);
           @id("c") @shadow permit (principal, action == Action::"s_read", resource);"#,
    );
    let shown = |tool| policies.may_list(&caller(&[]), &super::circumstances(), Item::Tool(tool));
    assert!(shown("s_write"));
    assert!(!shown("s_read"));
}

#[test]
fn observing_enforces_the_isolation_of_tenants_and_nothing_else() {
    let mut policies = policies(
        r#"@id("stop") @severity("low") forbid (principal, action == Action::"s_write", resource) when { context.args.n == 1 };"#,
    );
    policies.observing = true;
    for n in [1, 2] {
        let permit = call(&policies, "s_write", &json!({"n": n})).unwrap();
        let kind = permit.overruled().unwrap().kind().as_str();
        assert_eq!(kind, if n == 1 { "forbidden" } else { "no_permit" });
        assert!(permit.obligations().is_none());
    }
    let mut stranger = caller(&["employee"]);
    stranger.tenant = "globex".to_owned();
    stranger.credential = "globex".to_owned();
    let asked = Asked::CallTool { tool: "s_write", args: r#"{"n":1}"# };
    assert!(ask(&policies, &stranger, asked).is_err());
    let admin = Asked::Administer {
        action: crate::policy::AdminAction::SearchAudit,
        tenant: "acme",
        reading: READING,
    };
    assert!(ask(&policies, &caller(&[]), admin).is_err());
    assert_eq!(
        ask(&policies, &caller(&[]), Asked::CallTool { tool: "no", args: "" }).unwrap_err().kind().as_str(),
        "unknown"
    );
}

#[test]
fn the_severest_reply_is_told() {
    let policies = policies(
        r#"@id("a") @severity("low") @reply("low") forbid (principal, action, resource);
           @id("b") @severity("critical") @reply("critical") forbid (principal, action, resource);
           @id("c") @severity("critical") forbid (principal, action, resource);
           @id("d") @reply("none") forbid (principal, action, resource);"#,
    );
    assert_eq!(call(&policies, "s_write", &json!({"n": 1})).unwrap_err().reply(), Some("critical"));
}

#[test]
fn what_a_session_has_read_and_called_can_decide() {
    let policies = policies(
        r#"@id("a") permit (principal, action in Action::"CallTool", resource);
           @id("taint") forbid (principal, action == Action::"s_write", resource)
             when { context.session.taint.contains("confidential") };
           @id("order") forbid (principal, action == Action::"s_read", resource)
             unless { context.session.toolsCalled.contains(Tool::"s_write") };"#,
    );
    let ask = |tool: &str, args: &str, taint: &[&str], tools: &[&str]| {
        let mut now = super::circumstances();
        now.session_taint = taint.iter().map(|word| (*word).to_owned()).collect();
        now.session_tools = tools.iter().map(|word| (*word).to_owned()).collect();
        let asked = Asked::CallTool { tool, args };
        let question =
            crate::policy::Question { call: super::CALL, asked, circumstances: &now, findings: &[] };
        policies.authorize(&caller(&[]), &question).is_ok()
    };
    assert!(ask("s_write", r#"{"n":1}"#, &["public"], &[]));
    assert!(!ask("s_write", r#"{"n":1}"#, &["confidential"], &[]));
    assert!(!ask("s_read", "{}", &[], &["s_other"]));
    assert!(ask("s_read", "{}", &[], &["s_write"]));
}

#[test]
fn only_a_permit_of_its_own_opens_tokens() {
    let open = |policies: &Policies, kind, argument| {
        let asked = Asked::OpenToken { tool: "s_write", kind, argument };
        ask(policies, &caller(&[]), asked).is_ok()
    };
    let calls = r#"@id("calls") permit (principal, action in Action::"Mcp", resource);"#;
    assert!(!open(&policies(calls), "email", "/to"));
    let opens = r#"@id("opens") permit (principal, action == Action::"OpenToken", resource == Tool::"s_write")
        when { context.type == "email" && context.argument like "/to*" };"#;
    let policies = policies(&format!("{calls}{opens}"));
    assert!(open(&policies, "email", "/to") && open(&policies, "email", "/to/0"));
    assert!(!open(&policies, "iban", "/to") && !open(&policies, "email", "/text"));
    let unknown = Asked::OpenToken { tool: "s_unknown", kind: "email", argument: "/to" };
    assert!(ask(&policies, &caller(&[]), unknown).is_err());
}
