//! Search, counts and exports by query: as the command line answers, within what the reader may see, and recorded.

use super::gate;
use serde_json::{Value, json};

#[tokio::test]
async fn a_search_finds_pages_and_counts_and_its_record_keeps_no_words() {
    let (gate, people) = gate("");
    for n in 0..5 {
        gate.call(&people.employee, "ops_echo", json!({"text": format!("remember the lighthouse {n}")}))
            .await;
    }
    super::called(&gate, &people.employee, "crm_get_customer", json!({"id": "c-001"})).await;
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!(
            "/search?q=kind:call.intent tool:ops_*&limit=2&consistency=wait&facets=tool,actor{cursor}"
        );
        let page = gate.audit(&people.auditor, "GET", &path, None).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let page = page.json();
        assert_eq!((&page["total"]["value"], &page["lag"]["records"].is_u64()), (&json!(5), &true), "{page}");
        assert_eq!(page["facets"]["tool"][0], json!({"value": "ops_echo", "count": 5}));
        for hit in page["hits"].as_array().unwrap() {
            assert_eq!(
                (&hit["integrity"], &hit["record"]["mcp"]["name"]),
                (&json!("ok"), &json!("ops_echo"))
            );
            seen.push(hit["seq"].as_u64().unwrap());
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(seen.len() == 5 && seen.windows(2).all(|pair| pair[0] > pair[1]), "{seen:?}");
    // A cursor is good for its reader and its query alone.
    let stolen = format!("/search?q=kind:call.intent tool:ops_*&limit=2{cursor}");
    for who in [&people.second, &people.auditor] {
        let other = stolen
            .replace("tool:ops_*", if who.id == people.auditor.id { "tool:crm_*" } else { "tool:ops_*" });
        let refused = gate.audit(who, "GET", &other, None).await;
        assert_eq!(
            (refused.status, refused.json()["type"].as_str().unwrap()),
            (400, "urn:sealgate:problem:query")
        );
    }
    let wanted = json!({"q": "kind:call.intent", "consistency": "wait", "aggregations": {
        "by": {"terms": {"field": "tool"}}, "hours": {"date_histogram": {"interval": "hour"}},
        "slow": {"percentiles": {"field": "latency"}}, "people": {"cardinality": {"field": "actor"}}}});
    let counted = gate.audit(&people.auditor, "POST", "/aggregate", Some(wanted)).await;
    assert_eq!(counted.status, 200, "{}", counted.body);
    let counted = counted.json();
    assert_eq!(
        (&counted["total"]["value"], &counted["aggregations"]["people"]["cardinality"]["value"]),
        (&json!(6), &json!(1))
    );
    // Words are looked for in what was said, which is more than records: policy hears that.
    let words = gate
        .audit(&people.auditor, "GET", "/search?q=\"the lighthouse\" kind:call.intent&consistency=wait", None)
        .await;
    assert_eq!(words.status, 200, "{}", words.body);
    let records = gate.site.records();
    let record = records.iter().rev().find(|r| r["request"]["path"] == "/audit/v1/search").unwrap();
    assert_eq!((&record["kind"], &record["answer"]["status"]), (&json!("audit.query"), &json!(200)));
    assert!(record["request"]["params"]["q"].as_str().unwrap().contains("kind:call.intent"), "{record}");
    assert!(!record.to_string().contains("lighthouse"), "{record}");
}

#[tokio::test]
async fn a_query_that_cannot_be_read_says_where_and_what_was_meant() {
    let (gate, people) = gate("");
    let ask = async |q: &str| gate.audit(&people.auditor, "GET", &format!("/search?q={q}"), None).await;
    let field = ask("kind:call.intent actr:alice").await;
    assert_eq!(field.status, 400, "{}", field.body);
    let field = field.json();
    assert_eq!(
        (&field["type"], &field["position"]),
        (&json!("urn:sealgate:problem:query"), &json!(17)),
        "{field}"
    );
    assert!(field["suggestion"].as_str().unwrap().contains("actor"), "{field}");
    let value = ask("latency:>ada.lovelace@customers.example.com").await;
    assert_eq!(value.status, 400);
    assert!(!value.body.contains("lovelace"), "{}", value.body);
    for path in [
        "/search?limit=0",
        "/search?limit=501",
        "/search?cursor=x",
        "/search?facets=latency",
        "/search?from=never",
        "/search?mode=guess",
        "/search?consistency=perhaps",
        "/search?facets=nothing",
    ] {
        let refused = gate.audit(&people.auditor, "GET", path, None).await;
        assert_eq!(refused.status, 400, "{path}: {}", refused.body);
    }
    for aggregations in
        [json!({}), json!({"n": {"terms": {"field": "seq"}}}), json!({"n": {"cardinality": {"field": "zz"}}})]
    {
        let refused = gate
            .audit(&people.auditor, "POST", "/aggregate", Some(json!({"aggregations": aggregations})))
            .await;
        assert_eq!(refused.status, 400, "{}", refused.body);
    }
}

#[tokio::test]
async fn what_a_query_finds_is_exported_in_each_form_and_recorded() {
    let (gate, people) = gate("");
    let call = super::called(&gate, &people.employee, "ops_echo", json!({"text": "hi"})).await;
    let wait = format!("/search?q=call:{call}&consistency=wait");
    assert_eq!(gate.audit(&people.auditor, "GET", &wait, None).await.json()["total"]["value"], 2);
    for (form, kind) in [
        ("ndjson", "application/x-ndjson"),
        ("csv", "text/csv"),
        ("ocsf", "application/x-ndjson"),
        ("bundle", "application/x-tar"),
    ] {
        let body = json!({"form": form, "select": {"query": format!("call:{call}")}});
        let url = format!("{}/exports", gate.auditors);
        let request =
            gate.http.post(url).bearer_auth(&people.auditor.value).header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{form}");
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with(kind), "{form}");
        let bytes = answer.bytes().await.unwrap();
        if form == "ndjson" {
            let lines: Vec<Value> =
                bytes.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
            assert_eq!((lines.len(), &lines[1]["kind"]), (2, &json!("call.outcome")));
        }
        let records = gate.site.records();
        let record = records.iter().rev().find(|record| record["kind"] == "audit.export").unwrap();
        assert_eq!(
            (&record["export"]["form"], &record["export"]["records"]),
            (&json!(form), &json!(2)),
            "{record}"
        );
    }
    let nothing = json!({"form": "bundle", "select": {"query": "actor:nobody-at-all"}});
    assert_eq!(gate.audit(&people.auditor, "POST", "/exports", Some(nothing)).await.status, 404);
    let seqs = json!({"form": "csv", "select": {"seqs": [1]}});
    assert_eq!(gate.audit(&people.auditor, "POST", "/exports", Some(seqs)).await.status, 400);
}
