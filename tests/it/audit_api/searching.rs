//! Search, counts and exports by query: as the command line answers, within what the reader may see, and recorded.

use super::gate;
use crate::harness::{Gate, Token};
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

/// One part of an export: status, bytes, and the cursors of this part and the next.
async fn part(gate: &Gate, token: &Token, body: &Value) -> (u16, Vec<u8>, Option<String>, Option<String>) {
    let url = format!("{}/exports", gate.auditors);
    let request = gate.http.post(url).bearer_auth(&token.value).header("content-type", "application/json");
    let answer = request.body(body.to_string()).send().await.unwrap();
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (this, next) = (header("sealgate-cursor"), header("sealgate-next"));
    (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec(), this, next)
}

#[tokio::test]
async fn an_export_in_parts_is_the_whole_also_where_one_broke_off_and_the_log_grew() {
    let (gate, people) = gate("auditApi: { listen: \"127.0.0.1:0\", exportSize: 3 }");
    let call = async |n: usize| {
        gate.call(&people.employee, "ops_echo", json!({"text": format!("line {n}\nof two")})).await;
    };
    for n in 0..4 {
        call(n).await;
    }
    let query = "kind:call.*";
    // What was recorded a moment ago is in it, although the index may be behind.
    let at_once = part(&gate, &people.auditor, &json!({"form": "ndjson", "select": {"query": query}})).await;
    assert_eq!(String::from_utf8(at_once.1).unwrap().lines().count(), 3);
    let wait = format!("/search?q={query}&consistency=wait");
    assert_eq!(gate.audit(&people.auditor, "GET", &wait, None).await.json()["total"]["value"], 8);
    let data = gate.site.data();
    for form in ["ndjson", "csv", "ocsf"] {
        let wanted = |cursor: Option<&str>, after: Option<u64>| {
            let mut body = json!({"form": form, "select": {"query": query}});
            if let Some(cursor) = cursor {
                body["cursor"] = json!(cursor);
            }
            if let Some(after) = after {
                body["after"] = json!(after);
            }
            body
        };
        // What it is in one, up to the newest call of now.
        let out = gate.site.sealgate(&[
            "audit",
            "export",
            query,
            "--format",
            form,
            "--scan",
            "--data-dir",
            data.to_str().unwrap(),
        ]);
        assert!(out.status.success(), "{out:?}");
        let (mut all, mut next, mut parts) = (Vec::new(), None::<String>, 0);
        loop {
            let (status, bytes, this, rest) =
                part(&gate, &people.auditor, &wanted(next.as_deref(), None)).await;
            assert_eq!(status, 200, "{}", String::from_utf8_lossy(&bytes));
            // The log grows between two parts, and the index follows.
            call(99).await;
            if parts == 1 {
                // This one broke off after its first line: the rest is asked for anew.
                let line = if form == "csv" {
                    bytes.windows(2).position(|w| w == b"\r\n").map_or(0, |at| at + 2)
                } else {
                    0
                };
                let line = if line == 0 { bytes.iter().position(|b| *b == b'\n').unwrap() + 1 } else { line };
                let first: u64 = seq_of(form, &bytes[..line]);
                let again = wanted(this.as_deref(), Some(first));
                let (status, more, _, after_it) = part(&gate, &people.auditor, &again).await;
                assert_eq!((status, &bytes[line..]), (200, &more[..bytes.len() - line]), "{form}");
                assert!(after_it.is_none() || after_it != rest, "a part that begins later ends later");
            }
            all.extend(bytes);
            parts += 1;
            match rest {
                Some(rest) => next = Some(rest),
                None => break,
            }
        }
        assert!(parts >= 3, "{parts}");
        assert_eq!(String::from_utf8_lossy(&all), String::from_utf8_lossy(&out.stdout), "{form}");
        // A cursor is good for its reader, form and query alone, and as it was given.
        let (_, _, this, _) = part(&gate, &people.auditor, &wanted(None, None)).await;
        let this = this.unwrap();
        let mut other_query = wanted(Some(&this), None);
        other_query["select"]["query"] = json!("kind:call.intent");
        let mut other_form = wanted(Some(&this), None);
        other_form["form"] = json!(if form == "csv" { "ocsf" } else { "csv" });
        let changed = format!("{}{}", if this.starts_with('A') { "B" } else { "A" }, &this[1..]);
        for (who, body) in [
            (&people.auditor, other_query),
            (&people.auditor, other_form),
            (&people.auditor, wanted(Some(&changed), None)),
            (&people.auditor, wanted(Some("?"), None)),
            (&people.auditor, wanted(None, Some(3))),
            (&people.second, wanted(Some(&this), None)),
        ] {
            let (status, bytes, ..) = part(&gate, who, &body).await;
            assert_eq!(status, 400, "{body}: {}", String::from_utf8_lossy(&bytes));
        }
        call(100).await;
        assert_eq!(gate.audit(&people.auditor, "GET", &wait, None).await.status, 200);
    }
    let bundle = json!({"form": "bundle", "select": {"query": query}, "cursor": "x"});
    assert_eq!(part(&gate, &people.auditor, &bundle).await.0, 400);
    let records = gate.site.records();
    let last = records.iter().rev().find(|record| record["export"]["selection"] == "query").unwrap();
    assert!(last["export"]["from"].is_u64() && last["export"]["records"] == 3, "{last}");
}

/// The number of the record of one line.
fn seq_of(form: &str, line: &[u8]) -> u64 {
    let text = std::str::from_utf8(line).unwrap().trim_end();
    match form {
        "csv" => text.split(',').next().unwrap().trim_matches('"').parse().unwrap(),
        "ndjson" => serde_json::from_str::<Value>(text).unwrap()["seq"].as_u64().unwrap(),
        _ => {
            let event: Value = serde_json::from_str(text).unwrap();
            let record: Value = serde_json::from_str(event["raw_data"].as_str().unwrap()).unwrap();
            record["seq"].as_u64().unwrap()
        }
    }
}
