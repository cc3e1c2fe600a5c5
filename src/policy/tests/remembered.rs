//! Verdicts that are remembered, and what keeps them from fitting other calls.

use super::{Asked, CALL, Policies, caller, circumstances, policies};
use crate::policy::{Circumstances, DenialKind, Question};

#[test]
fn a_remembered_verdict_is_not_given_to_a_call_that_differs_in_what_policies_look_at() {
    let rules = policies(
        r#"@id("few") permit (principal, action == Action::"s_write", resource) when { context.args.n < 10 };
           @id("keys") forbid (principal, action == Action::"s_write", resource)
               when { context.findings.contains("aws_key") };
           @id("old") forbid (principal, action == Action::"s_write", resource)
               when { context.request.client.name == "old" };"#,
    );
    let new = circumstances();
    let old = Circumstances { client_name: "old".into(), ..circumstances() };
    let later = Circumstances { now_us: 1, session_calls: 9, ..circumstances() };
    let asks = |rules: &Policies, n: i64, now: &Circumstances, findings: &[&str], roles: &[&str]| {
        let args = format!("{{\"n\":{n}}}");
        let asked = Asked::CallTool { tool: "s_write", args: &args };
        let question = Question { call: CALL, asked, circumstances: now, findings };
        rules.authorize(&caller(roles), &question).is_ok()
    };
    // Twice each, mixed: the second round is answered from memory, which must tell all of them apart.
    for _ in 0..2 {
        assert!(asks(&rules, 1, &new, &[], &[]));
        assert!(asks(&rules, 1, &later, &[], &[]));
        assert!(!asks(&rules, 10, &new, &[], &[]));
        assert!(!asks(&rules, 1, &new, &["aws_key"], &[]));
        assert!(asks(&rules, 1, &new, &["email"], &[]));
        assert!(!asks(&rules, 1, &old, &[], &[]));
    }
    let chiefs = policies(r#"@id("chief") permit (principal in Role::"chief", action, resource);"#);
    for _ in 0..2 {
        assert!(asks(&chiefs, 1, &new, &[], &["chief"]));
        assert!(!asks(&chiefs, 1, &new, &[], &[]));
        let question = |args| Question {
            call: CALL,
            asked: Asked::CallTool { tool: "s_write", args },
            circumstances: &new,
            findings: &[],
        };
        // No policy looks at the arguments, and they must fit all the same.
        let denial = chiefs.authorize(&caller(&["chief"]), &question("{\"n\":\"one\"}")).unwrap_err();
        assert_eq!(denial.kind(), DenialKind::InvalidArguments);
    }
}

#[test]
fn what_differs_with_time_and_session_is_never_remembered() {
    let rules = policies(
        r#"@id("first") permit (principal, action == Action::"s_write", resource) when { context.session.calls < 1 };
           @id("early") permit (principal, action == Action::"s_write", resource)
               when { context.request.now < datetime("1970-01-02") };"#,
    );
    let asks = |calls, now_us| {
        let now = Circumstances { session_calls: calls, now_us, ..circumstances() };
        let asked = Asked::CallTool { tool: "s_write", args: "{\"n\":1}" };
        rules
            .authorize(&caller(&[]), &Question { call: CALL, asked, circumstances: &now, findings: &[] })
            .is_ok()
    };
    let late = 10 * 86_400_000_000;
    for _ in 0..2 {
        assert!(asks(0, late));
        assert!(!asks(1, late));
        assert!(asks(1, 0));
    }
}
