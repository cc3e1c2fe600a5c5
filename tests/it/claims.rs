//! What a token claims of its holder becomes roles and attributes that policies see, and is in the records.

use crate::harness::{Site, Token, demo_servers};
use serde_json::{Value, json};

const MAPPING: &str = "claims:\n  roles: [groups]\n  attributes:\n    department: { type: string }\n    \
    clearance: { claim: sec_level, type: long }\n";

const POLICIES: &str = r#"
@id("finance") permit (principal, action in Action::"Mcp", resource in Server::"crm")
when { principal has department && principal.department == "finance" && principal has clearance && principal.clearance >= 2 };
@id("on-call") permit (principal in Role::"on-call", action in Action::"Mcp", resource in Server::"ops");
"#;

fn site() -> Site {
    let settings = "policies: { folder: ./policies, entities: ./entities }";
    let site = Site::with_settings(&demo_servers(), settings, POLICIES);
    site.write("entities/claims.yaml", MAPPING);
    site
}

fn token(site: &Site, user: &str, claims: &[&str]) -> Token {
    let mut arguments = vec!["token", "create", "--config", "sealgate.yaml", "--user", user, "-o", "json"];
    for claim in claims {
        arguments.extend(["--claim", claim]);
    }
    let out = site.sealgate(&arguments);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let made: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let text = |key: &str| made[key].as_str().expect("a text").to_owned();
    Token { value: text("token"), id: text("id") }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_decide_and_are_decided_again_from_the_records() {
    let site = site();
    let people = [
        ("fay", vec!["department=finance", "sec_level=2"]),
        ("max", vec!["department=finance", "sec_level=1"]),
        ("sam", vec!["department=sales", "sec_level=3", "groups=[\"staff\",\"on-call\"]"]),
        ("typo", vec!["department=finance", "sec_level=\"9\""]),
        ("bare", vec![]),
    ];
    let tokens: Vec<Token> = people.iter().map(|(user, claims)| token(&site, user, claims)).collect();
    let gate = site.start();
    gate.until(|page| page["backends"].as_array().is_some_and(|all| all.iter().all(|b| b["state"] == "up")))
        .await;
    for ((user, _), token) in people.iter().zip(&tokens) {
        let looked = gate.call(token, "crm_get_customer", json!({"id": "c-001"})).await;
        assert_eq!(looked.code().is_none(), *user == "fay", "{user}: {}", looked.body);
        let echoed = gate.call(token, "ops_echo", json!({"text": "hi"})).await;
        assert_eq!(echoed.code().is_none(), *user == "sam", "{user}: {}", echoed.body);
    }
    let records = gate.site.records();
    let of =
        |user: &str| records.iter().find(|r| r["actor"]["id"] == user).unwrap_or_else(|| panic!("{user}"));
    assert_eq!(of("fay")["actor"]["claims"], json!({"department": "finance", "sec_level": 2}));
    assert_eq!(of("bare")["actor"]["claims"], Value::Null);
    // Nobody knows who that is, so nothing is permitted.
    assert_eq!(of("typo")["authz"]["reason"], "erred");

    let replay = |candidate: &str| {
        let out = gate.site.sealgate(&[
            "policy",
            "replay",
            "--candidate",
            candidate,
            "--data-dir",
            "data",
            "-o",
            "json",
        ]);
        serde_json::from_slice::<Value>(&out.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stderr)))
    };
    let same = replay("policies");
    assert_eq!(
        (&same["undetermined"], same["flips"].as_array().map(Vec::len)),
        (&json!(0), Some(0)),
        "{same}"
    );
    gate.site.write("candidate/test.cedar", &POLICIES.replace(">= 2", ">= 3"));
    let other = replay("candidate");
    assert_eq!(other["newly_denied"], 1, "{other}");
    let explained = gate.site.sealgate(&[
        "policy",
        "explain",
        "--config",
        "sealgate.yaml",
        "--tool",
        "crm_get_customer",
        "--args",
        "{\"id\":\"c-001\"}",
        "--user",
        "eva",
        "--claim",
        "department=finance",
        "--claim",
        "sec_level=5",
        "-o",
        "json",
    ]);
    let explained: Value = serde_json::from_slice(&explained.stdout).expect("JSON");
    assert_eq!(explained["decision"], "allow", "{explained}");
}

#[test]
fn what_no_policy_can_use_is_refused_before_the_start() {
    let site = site();
    let check = || {
        let out = site.sealgate(&["check", "--config", "sealgate.yaml"]);
        (
            out.status.success(),
            String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr),
        )
    };
    let (good, said) = check();
    assert!(good, "{said}");
    let mapped = [
        ("claims:\n  attributes:\n    tenant: { type: string }\n", "cannot be an attribute"),
        ("claims:\n  attributes:\n    department: { type: text }\n", "expected form"),
        ("claims:\n  groups: [x]\n", "expected form"),
        ("claims:\n  attributes:\n    clearance: { type: long }\n", "impossible"),
        (
            "claims:\n  attributes:\n    department: { type: long }\n    clearance: { type: long }\n",
            "Long and String",
        ),
    ];
    for (mapping, wanted) in mapped {
        site.write("entities/claims.yaml", mapping);
        let (good, said) = check();
        assert!(!good && said.contains(wanted), "{mapping}: {said}");
    }
    site.write("entities/claims.yaml", MAPPING);
    site.write("entities/more.yaml", "claims:\n  attributes:\n    department: { type: strings }\n");
    let (good, said) = check();
    assert!(!good && said.contains("mapped twice"), "{said}");
    let long = format!("x={}", "y".repeat(300));
    for claim in ["department", "=x", long.as_str()] {
        let out =
            site.sealgate(&["token", "create", "--config", "sealgate.yaml", "--user", "u", "--claim", claim]);
        assert!(!out.status.success(), "{claim}");
    }
}
