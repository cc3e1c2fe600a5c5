//! `sealgate policy`: check, format, test, explain, replay, compare, as a security team uses it.

use crate::harness::{Gate, Site, Token, demo_servers};
use serde_json::{Value, json};
use std::process::Output;

const POLICY: &str = "@id(\"read\")\npermit (principal in Role::\"employee\", action == Action::\"crm_search_customers\", resource)\n\
     unless { context.args has limit && context.args.limit > 20 };\n\
     @id(\"echo\")\npermit (principal, action == Action::\"ops_echo\", resource);\n\
     @id(\"no-secret-word\")\n@shadow\nforbid (principal, action == Action::\"ops_echo\", resource)\n\
     when { context.args.text like \"*secret*\" };\n\
     @id(\"back\")\npermit (principal, action == Action::\"ReturnResult\", resource);\n";

fn stdout(out: &Output) -> Value {
    let text = String::from_utf8_lossy(&out.stdout);
    serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("not JSON: {text}\n{}", String::from_utf8_lossy(&out.stderr)))
}

async fn search(gate: &Gate, token: &Token, query: &str, limit: u64) {
    gate.call(token, "crm_search_customers", json!({"query": query, "limit": limit})).await;
}

/// A site whose log holds a few calls, and the gateway stopped.
async fn recorded() -> Gate {
    let site = Site::new(&demo_servers(), "", POLICY);
    let (alice, bob) = (site.token("alice", "employee"), site.token("bob", "guest"));
    let mut gate = site.start();
    for limit in [1, 10, 15, 20, 30] {
        search(&gate, &alice, "ada", limit).await;
    }
    search(&gate, &bob, "ada", 1).await;
    for text in ["hello", "a secret", "mail jane@example.com"] {
        gate.call(&alice, "ops_echo", json!({"text": text})).await;
    }
    gate.call(&alice, "no_such_tool", json!({})).await;
    gate.kill();
    gate
}

fn policy(site: &Site, arguments: &[&str]) -> Output {
    let mut all = vec!["policy"];
    all.extend(arguments);
    site.sealgate(&all)
}

#[tokio::test]
async fn replay_finds_exactly_what_flips_and_says_what_cannot_be_told() {
    let gate = recorded().await;
    let site = &gate.site;
    let same = policy(site, &["replay", "--candidate", "policies", "--data-dir", "data", "-o", "json"]);
    assert!(same.status.success(), "{}", String::from_utf8_lossy(&same.stderr));
    let same = stdout(&same);
    assert_eq!(
        (&same["decided"], &same["undetermined"], &same["flips"]),
        (&json!(9), &json!(0), &json!([])),
        "{same:#}"
    );
    assert_eq!(same["not_policy"], json!({"denied": 1}));
    // The shadow policy looks at the text: where it was redacted, nobody can tell.
    site.write("candidate/test.cedar", &POLICY.replace("limit > 20", "limit > 10").replace("@shadow\n", ""));
    let out = policy(site, &["replay", "--candidate", "candidate", "--data-dir", "data", "-o", "json"]);
    assert_eq!(out.status.code(), Some(1));
    let report = stdout(&out);
    assert_eq!((&report["decided"], &report["undetermined"]), (&json!(8), &json!(1)), "{report:#}");
    let why = report["undetermined_reasons"].as_object().unwrap().keys().next().unwrap();
    assert!(why.contains("`text` was redacted"), "{why}");
    let flips = report["flips"].as_array().unwrap();
    let told: Vec<(&str, &str, &Value)> = flips
        .iter()
        .map(|flip| {
            (flip["change"].as_str().unwrap(), flip["name"].as_str().unwrap(), &flip["candidate"]["policies"])
        })
        .collect();
    assert_eq!(
        told,
        [
            ("newly_denied", "crm_search_customers", &json!([])),
            ("newly_denied", "crm_search_customers", &json!([])),
            ("newly_denied", "ops_echo", &json!(["no-secret-word"])),
        ]
    );
    assert_eq!(report["groups"][0]["count"], 2);
    // A candidate that does not load says why.
    site.write(
        "candidate/test.cedar",
        "@id(\"x\") permit (principal, action == Action::\"crm_serch\", resource);",
    );
    let out = policy(site, &["replay", "--candidate", "candidate", "--data-dir", "data", "-o", "json"]);
    assert_eq!(out.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&out.stderr).contains("candidate/test.cedar:1:"));
}

#[tokio::test]
async fn what_came_back_is_decided_again_too() {
    let back = "@id(\"back\")\npermit (principal, action == Action::\"ReturnResult\", resource);\n";
    assert!(POLICY.ends_with(back));
    let watched = "@id(\"large\")\n@shadow\nforbid (principal, action == Action::\"ReturnResult\", resource) \
                   when { context.bytes > 10 };\n\
                   @id(\"mail\")\nforbid (principal, action == Action::\"ReturnResult\", resource == Tool::\"ops_echo\") \
                   when { context.findings.contains(\"email\") };\n";
    let site = Site::new(&demo_servers(), "", &format!("{POLICY}{watched}"));
    let alice = site.token("alice", "employee");
    let mut gate = site.start();
    search(&gate, &alice, "ada", 1).await;
    gate.call(&alice, "ops_echo", json!({"text": "hello"})).await;
    gate.kill();
    let site = &gate.site;
    let outcomes: Vec<Value> = site.records().into_iter().filter(|r| r["kind"] == "call.outcome").collect();
    let said = &outcomes[0]["returned"];
    assert_eq!((&said["decision"], &said["policies"]), (&json!("allow"), &json!(["back"])), "{said}");
    assert_eq!(said["shadow"], json!([{"flips": true, "policy": "large"}]));
    assert!(said["bytes"].as_u64().unwrap() > 10);
    let replay = |candidate: &str| {
        stdout(&policy(site, &["replay", "--candidate", candidate, "--data-dir", "data", "-o", "json"]))
    };
    let same = replay("policies");
    assert_eq!((&same["results_decided"], &same["flips"]), (&json!(2), &json!([])), "{same:#}");
    // The results of one tool are not let out any more; of the other the call itself is refused, so nothing comes back.
    let without = POLICY.replace("limit > 20", "limit > 0").replace(back, "");
    site.write("candidate/test.cedar", &without);
    let report = replay("candidate");
    let told: Vec<(&Value, &Value)> =
        report["flips"].as_array().unwrap().iter().map(|flip| (&flip["decides"], &flip["name"])).collect();
    assert_eq!(
        told,
        [(&json!("call"), &json!("crm_search_customers")), (&json!("result"), &json!("ops_echo"))],
        "{report:#}"
    );
    assert_eq!((&report["newly_denied"], &report["results_decided"]), (&json!(2), &json!(1)));
    // A call of which one folder refuses the call and the other the result differs in both.
    let echo = "@id(\"echo\")\npermit (principal, action == Action::\"ops_echo\", resource);\n";
    site.write("other/test.cedar", &without.replace(echo, ""));
    let diff = stdout(&policy(site, &["diff", "candidate", "other", "--data-dir", "data", "-o", "json"]));
    let told: Vec<(&Value, &Value)> =
        diff["history"]["flips"].as_array().unwrap().iter().map(|f| (&f["decides"], &f["change"])).collect();
    let expected = [(&json!("call"), &json!("newly_denied")), (&json!("result"), &json!("newly_allowed"))];
    assert_eq!(told, expected, "{diff:#}");
    // Findings in results are told apart.
    site.write("candidate/test.cedar", &format!("{POLICY}{}", watched.replace("\"email\"", "\"person\"")));
    assert_eq!(replay("candidate")["flips"], json!([]));
    let shadow = stdout(&policy(site, &["shadow", "--config", "sealgate.yaml", "-o", "json"]));
    assert_eq!(shadow["shadow"]["large"]["would_deny"], 2, "{shadow}");
    let coverage = stdout(&policy(site, &["coverage", "--config", "sealgate.yaml", "-o", "json"]));
    assert!(!coverage["never_matched"].as_array().unwrap().contains(&json!("back")), "{coverage}");
}

#[tokio::test]
async fn what_is_kept_for_a_digest_is_checked_and_a_missing_one_is_undetermined() {
    let gate = recorded().await;
    let site = &gate.site;
    let kept = site.data().join("policy/sha256");
    let replay = || policy(site, &["replay", "--candidate", "policies", "--data-dir", "data", "-o", "json"]);
    assert_eq!(stdout(&replay())["decided"], 9);
    // Without word of what is in force, each record is taken by itself.
    std::fs::remove_file(site.data().join("policy/in-force.json")).unwrap();
    assert_eq!(stdout(&replay())["decided"], 9);
    for file in std::fs::read_dir(&kept).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("crm", "cmr")).unwrap();
    }
    let report = stdout(&replay());
    assert_eq!((&report["decided"], &report["undetermined"]), (&json!(0), &json!(9)));
    assert!(report["undetermined_reasons"].to_string().contains("were changed afterwards"), "{report:#}");
    std::fs::remove_dir_all(&kept).unwrap();
    assert!(stdout(&replay())["undetermined_reasons"].to_string().contains("no files are kept"));
}

#[tokio::test]
async fn diff_coverage_and_shadow_tell_what_history_knows() {
    let gate = recorded().await;
    let site = &gate.site;
    site.write("candidate/test.cedar", &POLICY.replace("limit > 20", "limit > 10"));
    site.write(
        "candidate/tests/rows.yaml",
        "people:\n  erin: {roles: [employee]}\nrows:\n\
         \x20 - {who: erin, tool: crm_search_customers, args: {query: a, limit: 15}, expect: no_permit}\n\
         \x20 - {who: erin, tool: crm_search_customers, args: {query: a, limit: 5}, expect: allow, by: [read]}\n",
    );
    let out = policy(site, &["diff", "policies", "candidate", "--data-dir", "data", "-o", "json"]);
    assert_eq!(out.status.code(), Some(1), "{}", String::from_utf8_lossy(&out.stderr));
    let diff = stdout(&out);
    assert_eq!(diff["changes"]["changed"], json!(["read"]));
    assert_eq!(diff["rows"].as_array().unwrap().len(), 1);
    assert_eq!(diff["history"]["flips"].as_array().unwrap().len(), 2);
    let back = stdout(&policy(site, &["diff", "candidate", "policies", "--data-dir", "data", "-o", "json"]));
    assert_eq!(back["history"]["flips"][0]["change"], "newly_allowed");

    let out = policy(site, &["coverage", "--policies", "policies", "--data-dir", "data", "-o", "json"]);
    let coverage = stdout(&out);
    assert_eq!(coverage["never_matched"], json!([]), "{coverage}");
    assert!(coverage["unnamed_tools"].as_array().unwrap().contains(&json!("crm_delete_customer")));

    let shadow = stdout(&policy(site, &["shadow", "--data-dir", "data", "-o", "json"]));
    let one = &shadow["shadow"]["no-secret-word"];
    assert_eq!((&one["matched"], &one["would_deny"], &one["would_allow"]), (&json!(1), &json!(1), &json!(0)));
}

#[tokio::test]
async fn explain_names_the_conjunct_that_was_false_and_what_would_help() {
    let gate = recorded().await;
    let site = &gate.site;
    let records = site.records();
    let denied = records.iter().find(|r| r["kind"] == "call.denied" && r["actor"]["id"] == "bob").unwrap();
    let call = denied["call"].as_str().unwrap();
    let out = policy(site, &["explain", "--call", call, "--data-dir", "data", "-o", "json"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let why = stdout(&out);
    assert_eq!((&why["decision"], &why["reason"]), (&json!("deny"), &json!("no_permit")));
    let near = &why["near_misses"][0];
    assert_eq!(
        (&near["policy"], &near["file"], &near["line"]),
        (&json!("read"), &json!("test.cedar"), &json!(1))
    );
    assert_eq!(near["stopped_by"][0]["condition"], "principal in Role::\"employee\"");
    assert_eq!(near["stopped_by"][0]["remedy"], "the role `employee` for the caller");

    let call = ["explain", "--policies", "policies", "--data-dir", "data", "--tool", "crm_search_customers"];
    let more = ["--args", "{\"query\":\"x\",\"limit\":30}", "--role", "employee"];
    let out = policy(site, &[&call[..], &more[..]].concat());
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        text.contains("not met: !(") && text.contains("limit") && text.contains("other arguments"),
        "{text}"
    );
}

#[test]
fn check_tells_every_problem_with_its_place_to_people_programs_and_ci() {
    let site = Site::new("", "", POLICY);
    site.write("policies/tests/catalog.yaml", CATALOG);
    let ok = policy(&site, &["check", "policies", "-o", "json"]);
    assert!(ok.status.success(), "{}", String::from_utf8_lossy(&ok.stdout));
    assert_eq!(stdout(&ok)["policies"], 4);
    let bad = "// first\n@id(\"a\")\npermit (principal, action == Action::\"ops_ecko\", resource);\n\
               @id(\"b\") @redcat(\"x\")\npermit (principal, action == Action::\"ops_echo\", resource)\n\
               when { context.args.txt == \"a\" };\n";
    site.write("policies/bad.cedar", bad);
    let out = policy(&site, &["check", "policies", "-o", "json"]);
    assert_eq!(out.status.code(), Some(3));
    let problems = stdout(&out)["problems"].clone();
    let found = |line: u64, help: &str| {
        problems.as_array().unwrap().iter().any(|problem| {
            problem["line"] == line
                && problem["file"] == "policies/bad.cedar"
                && problem["help"].as_str().unwrap_or_default().contains(help)
        })
    };
    assert!(found(3, "did you mean `Action::\"ops_echo\"`?"), "{problems:#}");
    assert!(found(4, "did you mean `@redact`?"), "{problems:#}");
    assert!(found(6, "did you mean `text`"), "{problems:#}");
    let out = policy(&site, &["check", "policies", "-o", "github"]);
    assert_eq!(out.status.code(), Some(3));
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.contains("::error file=policies/bad.cedar,line=3,col="), "{text}");
    assert_eq!(policy(&site, &["check", "missing"]).status.code(), Some(3));
}

const CATALOG: &str = "servers:\n\
  \x20 ops: {tools: {echo: {input: {type: object, properties: {text: {type: string}}, required: [text]}}}}\n\
  \x20 crm: {tools: {search_customers: {input: {type: object, properties: {query: {type: string}, limit: {type: integer}}}}}}\n";

#[test]
fn tests_play_rows_find_unneeded_policies_and_export_to_cedar() {
    let site = Site::new("", "", POLICY);
    site.write("policies/tests/catalog.yaml", CATALOG);
    let rows = |more: &str| {
        format!(
            "people:\n  erin: {{roles: [employee]}}\nrows:\n\
             \x20 - {{who: erin, tool: crm_search_customers, args: {{limit: 20}}, expect: allow, by: [read]}}\n\
             \x20 - {{who: erin, tool: ops_echo, args: {{text: a secret}}, expect: allow, by: [echo], flips: [no-secret-word]}}\n{more}"
        )
    };
    site.write("policies/tests/rows.yaml", &rows(""));
    let out = policy(&site, &["test", "policies", "-o", "json"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
    assert_eq!(stdout(&out)["rows"], 2);
    let out = policy(&site, &["test", "policies", "--mutate", "-o", "json"]);
    assert_eq!((out.status.code(), &stdout(&out)["unneeded"]), (Some(1), &json!(["back"])));
    let last = "  - {who: erin, result_of: ops_echo, expect: allow, by: [back]}\n";
    site.write("policies/tests/rows.yaml", &rows(last));
    assert!(policy(&site, &["test", "policies", "--mutate"]).status.success());
    site.write(
        "policies/tests/rows.yaml",
        &rows("  - {who: erin, tool: ops_echo, args: {text: 7}, expect: allow}\n"),
    );
    let out = policy(&site, &["test", "policies", "-o", "json"]);
    assert_eq!(out.status.code(), Some(1));
    let failed = stdout(&out)["failed"][0].clone();
    assert_eq!((&failed["row"], &failed["line"]), (&json!(3), &json!(6)));
    assert!(failed["message"].as_str().unwrap().contains("invalid_arguments"));
    let out = policy(&site, &["test", "policies", "--export-cedar", "cedar.json"]);
    assert!(out.status.success());
    let tests: Value =
        serde_json::from_slice(&std::fs::read(site.path().join("cedar.json")).unwrap()).unwrap();
    let first = &tests[0];
    assert_eq!((&first["decision"], &first["reason"]), (&json!("allow"), &json!(["read"])));
    assert_eq!(first["request"]["action"], "Action::\"crm_search_customers\"");
    let entities = cedar_policy::Entities::from_json_value(first["entities"].clone(), None);
    assert!(entities.is_ok(), "Cedar itself reads them: {entities:?}");
}

#[test]
fn fmt_is_idempotent_and_check_tells_what_it_would_change() {
    let site = Site::new("", "", "@id(\"a\") permit(principal,action,resource)when{true&&resource has x};");
    assert_eq!(policy(&site, &["fmt", "policies", "--check"]).status.code(), Some(1));
    let out = policy(&site, &["fmt", "policies", "-o", "json"]);
    assert_eq!(stdout(&out)["changed"], json!(["policies/test.cedar"]));
    assert!(policy(&site, &["fmt", "policies", "--check"]).status.success());
    site.write("policies/test.cedar", "permit(");
    assert_eq!(policy(&site, &["fmt", "policies"]).status.code(), Some(3));
}

#[test]
fn every_template_makes_a_policy_that_loads() {
    let site = Site::new("", "", "");
    site.write("policies/tests/catalog.yaml", CATALOG);
    let listed = stdout(&policy(&site, &["new", "-o", "json"]));
    for template in listed["templates"].as_array().unwrap() {
        let name = template["name"].as_str().unwrap();
        let out = policy(
            &site,
            &["new", name, "--tool", "ops_echo", "--server", "ops", "--into", "policies/new.cedar"],
        );
        assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
    }
    let out = policy(&site, &["check", "policies", "-o", "json"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
    assert_eq!(stdout(&out)["policies"], listed["templates"].as_array().unwrap().len());
    assert_eq!(policy(&site, &["new", "tool", "--role", "a\"b"]).status.code(), Some(2));
}

#[tokio::test]
async fn what_observe_mode_saw_becomes_least_privilege_with_tests() {
    let settings = "policies: { folder: ./policies, mode: observe }";
    let site =
        Site::with_settings(&demo_servers(), settings, "@id(\"none\") forbid (principal, action, resource);");
    let (alice, bob) = (site.token("alice", "employee"), site.token("bob", "contractor"));
    let mut gate = site.start();
    search(&gate, &alice, "ada", 3).await;
    gate.call(&alice, "ops_echo", json!({"text": "hi"})).await;
    gate.call(&bob, "ops_echo", json!({"text": "hi"})).await;
    gate.kill();
    let site = &gate.site;
    let records = site.records();
    let outcome = records.iter().find(|record| record["kind"] == "call.outcome").unwrap();
    let said = &outcome["returned"];
    assert_eq!((&said["decision"], &said["would"]), (&json!("allow"), &json!("forbidden")), "{said}");
    let out = policy(site, &["recommend", "--data-dir", "data", "--out", "drafted"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let draft = std::fs::read_to_string(site.path().join("drafted/recommended.cedar")).unwrap();
    assert!(
        draft.contains("principal in Role::\"contractor\"") && !draft.contains("crm_delete_customer"),
        "{draft}"
    );
    let out = policy(site, &["test", "drafted", "--data-dir", "data", "-o", "json"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
    assert_eq!(stdout(&out)["rows"], 3);
    let out = policy(site, &["replay", "--candidate", "drafted", "--data-dir", "data", "-o", "json"]);
    let report = stdout(&out);
    assert_eq!((&report["newly_allowed"], &report["newly_denied"]), (&json!(3), &json!(0)), "{report:#}");
}

#[tokio::test]
async fn the_schema_of_each_server_is_written_and_its_drift_shows_what_breaks() {
    let gate = recorded().await;
    let site = &gate.site;
    let out = policy(site, &["schema", "--data-dir", "data", "--write", "schemas"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(site.path().join("schemas/servers/crm.cedarschema").is_file());
    let compare =
        ["schema", "--data-dir", "data", "--policies", "policies", "--compare", "schemas", "-o", "json"];
    assert!(policy(site, &compare).status.success());
    let catalog = CATALOG.replace("text: {type: string}}, required: [text]", "word: {type: string}}");
    site.write("drifted.yaml", &catalog);
    let compare = [
        "schema",
        "--catalog",
        "drifted.yaml",
        "--policies",
        "policies",
        "--compare",
        "schemas",
        "-o",
        "json",
    ];
    let out = policy(site, &compare);
    assert_eq!(out.status.code(), Some(1));
    let drift = stdout(&out);
    assert!(drift["drifted"].as_array().unwrap().contains(&json!("servers/ops.cedarschema")), "{drift:#}");
    assert!(drift["broken"][0].as_str().unwrap().contains("test.cedar:"), "{drift:#}");
}

#[tokio::test]
async fn a_signed_folder_cannot_be_edited_on_disk_alone() {
    let site = Site::new(&demo_servers(), "", POLICY);
    let key = aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap();
    let der = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&key).unwrap();
    std::fs::write(site.path().join("sign.der"), der.as_ref()).unwrap();
    let sign = |site: &Site| {
        let out = policy(
            site,
            &["sign", "--config", "sealgate.yaml", "--key", "sign.der", "--out", "bundle.json", "-o", "json"],
        );
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        stdout(&out)["publicKey"].as_str().unwrap().to_owned()
    };
    let public = sign(&site);
    let text = std::fs::read_to_string(site.path().join("sealgate.yaml")).unwrap();
    let pinned = format!(
        "policies: {{ folder: ./policies, bundle: {{ file: ./bundle.json, publicKey: \"{public}\" }} }}"
    );
    site.write("sealgate.yaml", &text.replace("policies: { folder: ./policies }", &pinned));
    let token = site.token("alice", "employee");
    let gate = site.start();
    let edited = format!("{POLICY}@id(\"more\")\npermit (principal, action, resource);\n");
    gate.site.write("policies/test.cedar", &edited);
    let ready = gate.until(|ready| !ready["rejected_change"].is_null()).await;
    assert!(ready["rejected_change"].as_str().unwrap().contains("not those that were signed"), "{ready:#}");
    assert_eq!(gate.call(&token, "crm_delete_customer", json!({"id": "x"})).await.code(), Some(8001));
    sign(&gate.site);
    let ready = gate.until(|ready| ready["rejected_change"].is_null()).await;
    assert_eq!(ready["ready"], true);
    let changed = gate.site.records();
    let change = changed.iter().rev().find(|r| r["kind"] == "policy.change").unwrap();
    assert_eq!(change["diff"]["added"], json!(["more"]));
}
