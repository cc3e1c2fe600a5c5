//! Methods that the gateway does not know: refused, unless the configuration lets one through and policy permits it.

use crate::harness::{Gate, PERMIT_ALL, Site, Token, hostile_server};
use serde_json::{Value, json};

const METHOD: &str = "com.example/echo";

fn servers(settings: &str) -> String {
    hostile_server().replacen("{ ", &format!("{{ {settings}"), 1)
}

fn started(settings: &str, policies: &str) -> (Gate, Token) {
    let site = Site::new(&servers(settings), "", policies);
    let token = site.token("alice", "employee");
    (site.start(), token)
}

async fn result(gate: &Gate, token: &Token, path: &str) -> Result<Value, i64> {
    let answer = gate.modern_at(path, token, METHOD, json!({"word": "hello"})).await;
    answer.code().map_or_else(|| Ok(answer.message()["result"].clone()), Err)
}

#[tokio::test]
async fn what_no_setting_names_is_refused_whatever_policy_says() {
    let (gate, token) = started("", PERMIT_ALL);
    // Another test of this process may have declared the name: to this gateway it is a method that nobody has.
    for path in ["/mcp", "/servers/bad/mcp"] {
        assert_eq!(result(&gate, &token, path).await, Err(-32601));
    }
}

#[tokio::test]
async fn what_is_let_through_is_judged_filtered_and_recorded() {
    let policies = "@id(\"echo\")\npermit(principal, action == Action::\"CallExtension\", resource == Server::\"bad\")\n\
                    when { context.method == \"com.example/echo\" };\n\
                    @id(\"back\")\npermit(principal, action == Action::\"ReturnResult\", resource == Server::\"bad\");\n";
    let (gate, token) = started("extensionMethods: [com.example/echo, com.example/other], ", policies);
    for path in ["/mcp", "/servers/bad/mcp"] {
        let result = result(&gate, &token, path).await.unwrap();
        assert_eq!(
            (&result["word"], &result["resultType"]),
            (&json!("hello"), &json!("complete")),
            "{result}"
        );
        assert!(!result.to_string().contains("leak@"), "{result}");
    }
    let session = gate.session(&token, "2025-11-25").await;
    let answer = gate.legacy(&token, &session, METHOD, json!({"word": "again"})).await;
    assert_eq!(answer.message()["result"]["word"], "again");
    // Let through, but not permitted.
    let other = gate.modern(&token, "com.example/other", json!({})).await;
    assert_eq!(other.code(), Some(8001));
    let records = gate.site.records();
    let of = |kind: &str, method: &str| {
        records.iter().filter(|r| r["kind"] == kind && r["mcp"]["method"] == method).count()
    };
    assert_eq!(of("call.intent", METHOD), 3);
    assert_eq!(of("call.denied", "com.example/other"), 1);
    assert_eq!(records.iter().filter(|r| r["kind"] == "call.outcome").count(), 3);
}

#[test]
fn the_protocols_own_methods_cannot_be_let_through() {
    let servers = servers("extensionMethods: [tools/run, nonsense], ");
    let site = Site::new(&servers, "", PERMIT_ALL);
    let out = site.sealgate(&["check"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
    assert!(!out.status.success());
    assert!(said.contains("`tools/run` cannot be let through") && said.contains("`nonsense`"), "{said}");
}
