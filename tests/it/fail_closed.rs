//! The matrix of what can break about policy, a test a cell: what held keeps holding, or nothing runs.
//!
//! Other cells stand elsewhere: an evaluation error and an overflow in a forbid (`policy::tests::decisions`), an
//! obligation that cannot be honoured (`policy::tests::loading`), a broken store of approvals (`obligations`), a
//! clock that steps (`gateway::facts`, `gateway::rates`).

use crate::harness::{Gate, Site, Token, demo_servers};
use serde_json::{Value, json};

const POLICY: &str = "@id(\"echo\")\npermit (principal in Role::\"employee\", action == Action::\"ops_echo\", resource);\n\
     @id(\"back\")\npermit (principal, action == Action::\"ReturnResult\", resource);\n";

fn running(settings: &str) -> (Gate, Token) {
    let site = Site::with_settings(&demo_servers(), settings, POLICY);
    site.write("entities/groups.yaml", "roles: { lead: [employee] }\n");
    let token = site.token("alice", "lead");
    (site.start(), token)
}

const PLAIN: &str = "policies: { folder: ./policies, entities: ./entities }";

/// A change that must be rejected: the old rules stay, and every place says why.
async fn rejected(gate: &Gate, token: &Token, why: &str) {
    let ready = gate.until(|ready| !ready["rejected_change"].is_null()).await;
    let text = ready["rejected_change"].as_str().unwrap();
    assert!(text.contains(why), "{text}");
    assert!(gate.page("/metrics").await.body.contains("sealgate_reloads_total{outcome=\"failed\"}"));
    assert!(gate.stderr().contains("the rules in force stay"));
    let status = gate.site.sealgate(&["status", "--url", &format!("http://{}", admin(gate))]);
    let said = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.status.code() == Some(1) && said.contains(why), "{said}");
    holds(gate, token).await;
}

fn admin(gate: &Gate) -> &str {
    gate.admin.trim_start_matches("http://").trim_end_matches('/')
}

async fn holds(gate: &Gate, token: &Token) {
    assert_eq!(gate.call(token, "ops_echo", json!({"text": "hi"})).await.code(), None);
    assert_eq!(gate.call(token, "crm_get_customer", json!({"id": "c-001"})).await.code(), Some(8001));
}

/// And a start with it serves nothing.
fn refuses_to_start(site: &Site) {
    let out = site.sealgate(&["serve", "--config", "sealgate.yaml"]);
    assert_eq!(out.status.code(), Some(3), "{}", String::from_utf8_lossy(&out.stderr));
}

#[tokio::test]
async fn a_folder_that_cannot_be_read() {
    let (mut gate, token) = running(PLAIN);
    std::fs::rename(gate.site.path().join("policies"), gate.site.path().join("away")).unwrap();
    rejected(&gate, &token, "cannot be read").await;
    gate.kill();
    refuses_to_start(&gate.site);
}

#[tokio::test]
async fn a_policy_that_does_not_parse() {
    let (mut gate, token) = running(PLAIN);
    gate.site.write("policies/more.cedar", "permit (principal");
    rejected(&gate, &token, "more.cedar:1:").await;
    gate.kill();
    refuses_to_start(&gate.site);
}

#[tokio::test]
async fn a_warning_of_the_validator() {
    let (mut gate, token) = running(PLAIN);
    let never = "@id(\"never\") permit (principal, action == Action::\"ops_echo\", resource) when { resource.readOnly && false };";
    gate.site.write("policies/more.cedar", never);
    rejected(&gate, &token, "impossible").await;
    gate.kill();
    refuses_to_start(&gate.site);
}

#[tokio::test]
async fn an_obligation_that_nobody_can_meet() {
    let (mut gate, token) = running(PLAIN);
    let text = "@id(\"x\") @oblige @notify(\"nobody\") permit (principal, action, resource);";
    gate.site.write("policies/more.cedar", text);
    rejected(&gate, &token, "nobody is called `nobody`").await;
    gate.kill();
    refuses_to_start(&gate.site);
}

#[tokio::test]
async fn an_entities_file_that_is_gone_or_broken() {
    let (mut gate, token) = running(PLAIN);
    gate.site.write("entities/groups.yaml", "roles: { lead: employee }\n");
    rejected(&gate, &token, "groups.yaml").await;
    // Without the file the role `lead` is inside nothing: what it granted is denied.
    std::fs::remove_file(gate.site.path().join("entities/groups.yaml")).unwrap();
    gate.until(|ready| ready["rejected_change"].is_null()).await;
    assert_eq!(gate.call(&token, "ops_echo", json!({"text": "hi"})).await.code(), Some(8001));
    std::fs::remove_dir(gate.site.path().join("entities")).unwrap();
    gate.until(|ready| !ready["rejected_change"].is_null()).await;
    assert_eq!(gate.call(&token, "ops_echo", json!({"text": "hi"})).await.code(), Some(8001));
    gate.kill();
    refuses_to_start(&gate.site);
}

#[tokio::test]
async fn a_record_of_what_changed_with_the_ids_of_the_policies() {
    let (gate, token) = running(PLAIN);
    let next = POLICY.replace("@id(\"echo\")\n", "@id(\"echo\")\n@doc(\"said anew\")\n");
    let next = format!(
        "{next}@id(\"read\")\npermit (principal, action == Action::\"ops_list_incidents\", resource);\n"
    );
    gate.site.write("policies/test.cedar", &next);
    gate.site.until_recorded("policy.change");
    let mut change = Value::Null;
    for _ in 0..100 {
        let records = gate.site.records();
        if let Some(found) =
            records.iter().rev().find(|r| r["kind"] == "policy.change" && r.get("diff").is_some())
        {
            change = found.clone();
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(change["diff"]["added"], json!(["read"]), "{change:#}");
    assert_eq!(change["diff"]["annotations"], json!(["echo"]));
    assert_ne!(change["before"]["policy_set"], change["after"]["policy_set"]);
    for digest in ["policy_set", "schema", "entities"] {
        for side in ["before", "after"] {
            let digest = change[side][digest].as_str().unwrap().strip_prefix("sha256:").unwrap();
            let kept = gate.site.data().join(format!("policy/sha256/{digest}.json"));
            assert!(kept.is_file(), "the files behind each digest stay retrievable");
        }
    }
    holds(&gate, &token).await;
}
