//! The matrix of what can break about policy, a test a cell: what held keeps holding, or nothing runs.
//!
//! Other cells stand elsewhere: an evaluation error and an overflow in a forbid (`policy::tests::decisions`), an
//! obligation that cannot be honoured (`policy::tests::loading`), a broken store of approvals (`obligations`), a
//! clock that steps under what a session knows (`gateway::facts`). Rates go by a clock that cannot be set.

use crate::harness::{Gate, Site, Token, demo_servers};
use sealgate::approval::{Approvals, Ballot, Fingerprint, Request, Standing};
use sealgate::clock::Clock;
use sealgate::identity::{Caller, PrincipalKind};
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
async fn a_schema_that_drifts_from_under_a_policy() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/poisoned.py");
    let server = format!(
        "  bad: {{ command: python3, args: [\"{script}\", tools.json], cwd: ., startTimeoutMs: 10000 }}\n"
    );
    let tools = |name: &str| {
        let go = json!({"type": "object", "properties": {name: {"type": "integer"}}});
        let tool = |name: &str, schema: &Value| json!({"name": name, "description": "Does it.", "inputSchema": schema});
        json!([tool("go", &go), tool("swap", &json!({"type": "object"}))]).to_string()
    };
    let policies = "@id(\"all\")\npermit (principal, action in Action::\"Mcp\", resource);\n\
        @id(\"few\")\nforbid (principal, action == Action::\"bad_go\", resource)\n\
        when { context.args has n && context.args.n > 3 };\n";
    // What a server says anew is taken at once here, so that nothing but policy stands against it.
    let settings = "policies: { folder: ./policies }\nsanitize: { definitions: { onDrift: off } }";
    let site = Site::with_settings(&server, settings, policies);
    site.write("tools.json", &tools("n"));
    let token = site.token("alice", "employee");
    let mut gate = site.start();
    assert_eq!(gate.call(&token, "bad_go", json!({"n": 3})).await.code(), None);
    assert_eq!(gate.call(&token, "bad_go", json!({"n": 4})).await.code(), Some(8001));
    gate.site.write("tools.json", &tools("many"));
    gate.call(&token, "bad_swap", json!({})).await;
    let ready = gate.until(|ready| !ready["rejected_change"].is_null()).await;
    let why = ready["rejected_change"].as_str().unwrap();
    assert!(why.contains("test.cedar:3:"), "{why}");
    // The forbid that no longer validates is still enforced, and the argument that it cannot see goes nowhere.
    assert_eq!(gate.call(&token, "bad_go", json!({"n": 4})).await.code(), Some(8001));
    gate.kill();
    refuses_to_start(&gate.site);
}

#[test]
fn a_clock_that_is_set_back_brings_no_approval_back() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::held_at(1_000_000);
    let open = || Approvals::open(folder.path(), b"key", clock.clone()).unwrap();
    let caller = |id: &str| Caller {
        kind: PrincipalKind::User,
        id: id.to_owned(),
        agent: String::new(),
        agent_approved: false,
        roles: Vec::new(),
        teams: Vec::new(),
        tenant: "default".to_owned(),
        claims: std::collections::BTreeMap::new(),
        credential: String::new(),
    };
    let (alice, lena, roles) = (caller("alice"), caller("lena"), ["lead".to_owned()].into());
    let standing = |approvals: &Approvals, call: u128| {
        let fingerprint = Fingerprint {
            caller: &alice,
            method: "tools/call",
            server: "ops",
            name: "ops_echo",
            arguments: "{}",
        };
        let call = uuid::Uuid::from_u128(call);
        let request = Request {
            call,
            fingerprint,
            target: "tool",
            shown: "{}",
            roles: &roles,
            policies: &[],
            ttl_us: 100,
        };
        approvals.standing(&request).unwrap()
    };
    let one = uuid::Uuid::from_u128(1);
    let approvals = open();
    assert!(matches!(standing(&approvals, 1), Standing::Waits(it) if it == one));
    let ballot = Ballot { approve: true, covers: roles.clone(), note: "" };
    approvals.vote(&one.to_string(), &lena, ballot).unwrap();
    assert!(matches!(standing(&approvals, 2), Standing::Approved(_)));
    clock.advance_us(200);
    assert!(matches!(standing(&approvals, 3), Standing::Waits(it) if it != one), "it has expired");
    clock.advance_us(-150);
    assert!(matches!(standing(&approvals, 4), Standing::Waits(it) if it != one));
    assert!(!approvals.consume(one, uuid::Uuid::from_u128(4)).unwrap());
    // After a start nothing is known of the time before; what seems to come from the future is no approval.
    clock.advance_us(-100);
    let again = open();
    assert!(matches!(standing(&again, 5), Standing::Waits(it) if it != one));
    assert!(!again.consume(one, uuid::Uuid::from_u128(5)).unwrap());
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
