//! A tenant sees its own only: what belongs to another looks like what does not exist.

use super::policies;
use crate::harness::{Gate, Site, Token, binary};
use serde_json::{Value, json};

struct Two {
    gate: Gate,
    /// An employee and two auditors of each tenant.
    acme: [Token; 3],
    globex: [Token; 3],
}

fn two(more: &str) -> Two {
    let binary = serde_json::to_string(binary()).unwrap();
    let servers = format!(
        "  one: {{ command: {binary}, args: [demo-server, ops], trust: 80, tenant: acme }}\n\
         \x20 two: {{ command: {binary}, args: [demo-server, ops], trust: 80, tenant: globex }}\n"
    );
    let site = Site::new(
        &servers,
        "auditApi: { listen: \"127.0.0.1:0\", operatorTenant: acme }",
        &format!("{}{more}", policies()),
    );
    let of = |tenant: &str| {
        [
            site.token_of(tenant, "alice", "employee"),
            site.token_of(tenant, "anna", "auditor"),
            site.token_of(tenant, "ben", "auditor"),
        ]
    };
    let (acme, globex) = (of("acme"), of("globex"));
    Two { gate: site.start(), acme, globex }
}

#[tokio::test]
async fn records_calls_payloads_and_exports_of_another_tenant_do_not_exist() {
    let Two { gate, acme, globex } = two("");
    let theirs =
        super::called(&gate, &acme[0], "one_echo", json!({"text": "write to ada@acme.example.com"})).await;
    let own = super::called(&gate, &globex[0], "two_echo", json!({"text": "hello"})).await;
    let records = gate.site.records();
    let seq = |call: &str, kind: &str| {
        records.iter().find(|r| r["call"] == call && r["kind"] == kind).unwrap()["seq"].as_u64().unwrap()
    };
    let foreign = &globex[1];
    for path in [
        format!("/records/{}", seq(&theirs, "call.intent")),
        // An outcome does not name its tenant again.
        format!("/records/{}", seq(&theirs, "call.outcome")),
        format!("/records/{}/payload", seq(&theirs, "call.intent")),
        format!("/calls/{theirs}"),
        // The gateway's own records belong to the operator's tenant.
        "/records/0".into(),
    ] {
        let hidden = gate.audit(foreign, "GET", &path, None).await;
        assert_eq!(hidden.status, 404, "{path}: {}", hidden.body);
        assert_eq!(gate.audit(&acme[1], "GET", &path, None).await.status, 200, "{path}");
        let named = gate.audit(foreign, "GET", &format!("{path}?tenant=acme"), None).await;
        assert_eq!(named.status, 403, "{path}: {}", named.body);
    }
    let listed = gate.audit(foreign, "GET", "/records?limit=1000&order=asc", None).await.json();
    for hit in listed["hits"].as_array().unwrap() {
        let record = &hit["record"];
        assert!(record["call"] == json!(own) || record["actor"]["tenant"] == "globex", "{record}");
    }
    assert!(listed["hits"].as_array().unwrap().iter().any(|hit| hit["record"]["kind"] == "call.outcome"));
    let export = |form: &str, select: Value| Some(json!({"form": form, "select": select}));
    let last = seq(&own, "call.outcome");
    for form in ["bundle", "ndjson"] {
        let range = gate
            .audit(foreign, "POST", "/exports", export(form, json!({"range": {"first": 0, "last": last}})))
            .await;
        assert_eq!(
            (range.status, range.json()["type"].as_str().unwrap()),
            (403, "urn:sealgate:problem:foreign")
        );
        for select in [json!({"calls": [theirs]}), json!({"seqs": [seq(&theirs, "call.intent")]})] {
            assert_eq!(gate.audit(foreign, "POST", "/exports", export(form, select)).await.status, 404);
        }
        let mine = gate.audit(foreign, "POST", "/exports", export(form, json!({"calls": [own]}))).await;
        assert_eq!(mine.status, 200);
    }
    let all = gate.audit(foreign, "GET", "/search?limit=500&mode=scan", None).await.json();
    for hit in all["hits"].as_array().unwrap() {
        let record = &hit["record"];
        assert!(record["call"] == json!(own) || record["actor"]["tenant"] == "globex", "{record}");
    }
    let tenants = json!({"mode": "scan", "aggregations": {"t": {"terms": {"field": "tenant"}}}});
    let counted = gate.audit(foreign, "POST", "/aggregate", Some(tenants)).await.json();
    let counted = counted["aggregations"]["t"]["terms"]["buckets"].as_array().unwrap().clone();
    assert!(counted.len() == 1 && counted[0]["value"] == "globex", "{counted:?}");
    let genesis = "/search?q=kind:log.genesis&mode=scan";
    assert_eq!(gate.audit(foreign, "GET", genesis, None).await.json()["total"]["value"], 0);
    assert_eq!(gate.audit(&acme[1], "GET", genesis, None).await.json()["total"]["value"], 1);
    let queried = json!({"form": "ndjson", "select": {"query": format!("call:{theirs}")}});
    assert_eq!(gate.audit(foreign, "POST", "/exports", Some(queried)).await.body, "");
    let entries = gate.audit(foreign, "GET", "/tile/entries/000.p/8", None).await;
    assert_eq!(entries.status, 403, "{}", entries.body);
    let ask = Some(json!({"value": "ada@acme.example.com"}));
    assert_eq!(gate.audit(foreign, "POST", "/hash", ask.clone()).await.json()["seen"], false);
    assert_eq!(gate.audit(&acme[1], "POST", "/hash", ask).await.json()["seen"], true);
}

#[tokio::test]
async fn nobody_holds_or_erases_what_is_another_tenants() {
    let Two { gate, acme, globex } = two("");
    let theirs = super::called(&gate, &acme[0], "one_echo", json!({"text": "hi"})).await;
    super::called(&gate, &globex[0], "two_echo", json!({"text": "hi"})).await;
    // Both tenants have an alice: to erase by name would erase both.
    for selector in [json!({"calls": [theirs]}), json!({"subject": "alice"})] {
        for path in ["/holds", "/erasures"] {
            let body = json!({"selector": selector, "reason": "x"});
            let refused = gate.audit(&globex[1], "POST", path, Some(body)).await;
            assert_eq!(
                (refused.status, refused.json()["type"].as_str().unwrap()),
                (403, "urn:sealgate:problem:foreign")
            );
        }
    }
    let body = json!({"selector": {"calls": [theirs]}, "reason": "a lawsuit"});
    let hold = gate.audit(&acme[1], "POST", "/holds", Some(body.clone())).await.json();
    let path = format!("/holds/{}", hold["hold"].as_str().unwrap());
    assert_eq!(gate.audit(&globex[1], "DELETE", &path, None).await.status, 404);
    assert_eq!(gate.audit(&globex[1], "GET", "/holds", None).await.json()["holds"], json!([]));
    let asked = gate.audit(&acme[1], "POST", "/erasures", Some(body)).await.json();
    let path = format!("/erasures/{}", asked["id"].as_str().unwrap());
    assert_eq!(gate.audit(&globex[2], "POST", &format!("{path}/approve"), None).await.status, 404);
    assert_eq!(gate.audit(&globex[2], "DELETE", &path, None).await.status, 404);
    assert_eq!(gate.audit(&globex[2], "GET", "/erasures", None).await.json()["erasures"], json!([]));
}

#[tokio::test]
async fn policy_can_open_another_tenants_log_and_bound_what_is_read() {
    let more = "@id(\"group-audit\")\npermit (principal == User::\"anna\", action == Action::\"ReadRecord\", resource == AuditLog::\"acme\");\n\
                @id(\"few\")\nforbid (principal, action == Action::\"ReadRecord\", resource) when { context.reading.rows > 50 };\n\
                @id(\"no-hashes\")\nforbid (principal, action == Action::\"VerifyAudit\", resource) unless { context.reading.level == \"hashes\" };\n";
    let Two { gate, acme, globex } = two(more);
    super::called(&gate, &acme[0], "one_echo", json!({"text": "hi"})).await;
    let opened = gate.audit(&globex[1], "GET", "/records?tenant=acme&kind=call.intent&limit=50", None).await;
    assert_eq!(opened.json()["hits"].as_array().map(Vec::len), Some(1), "{}", opened.body);
    assert_eq!(gate.audit(&globex[2], "GET", "/records?tenant=acme&limit=50", None).await.status, 403);
    assert_eq!(gate.audit(&acme[1], "GET", "/records?limit=51", None).await.status, 403);
    assert_eq!(gate.audit(&acme[1], "GET", "/records?limit=50", None).await.status, 200);
    assert_eq!(gate.audit(&acme[1], "GET", "/status", None).await.status, 200);
}
