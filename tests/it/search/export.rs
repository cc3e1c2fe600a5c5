//! Exports: exact bytes, tables without formulas, events that their schema accepts.

use super::corpus::{Corpus, Said};
use super::{Scope, searcher, small};
use sealgate::audit::{Draft, Kind, Reader, verify_ndjson};
use sealgate::search::export::{Export, Form};
use sealgate::search::{Consistency, Mode, Searcher, catch_up};
use serde_json::Value;

fn exported(searcher: &Searcher, q: &str, form: Form, (mode, from): (Mode, u64)) -> (String, u64) {
    let query = searcher.understand(q).unwrap();
    let snapshot = searcher.snapshot(mode, Consistency::Wait).unwrap();
    let export = Export { query, mode, form, from, snapshot, most: None };
    let mut all = Vec::new();
    let records = searcher
        .export(&export, &Scope::default(), &mut |bytes, _| {
            all.extend_from_slice(bytes);
            Ok(())
        })
        .unwrap();
    (String::from_utf8(all).unwrap(), records.records)
}

#[test]
fn lines_are_the_records_exact_bytes_and_go_on_where_they_broke_off() {
    let corpus = small();
    let searcher = searcher(corpus.path());
    let (whole, records) = exported(&searcher, "", Form::Ndjson, (Mode::Index, 0));
    assert_eq!(whole, exported(&searcher, "", Form::Ndjson, (Mode::Scan, 0)).0);
    let verdict = verify_ndjson(whole.as_bytes()).unwrap();
    assert!(verdict.ok && verdict.records == records, "{verdict}");
    let entries = Reader::open(corpus.path()).unwrap().since(0, 1000).unwrap();
    let lines: Vec<u8> = entries.iter().flat_map(|entry| [entry.record.as_slice(), b"\n"].concat()).collect();
    assert_eq!(whole.as_bytes(), lines);
    for from in 0..=records {
        let (rest, more) = exported(&searcher, "", Form::Ndjson, (Mode::Index, from));
        assert_eq!(more, records - from);
        assert!(whole.ends_with(&rest));
    }
    let (some, records) = exported(&searcher, "actor:alice", Form::Ndjson, (Mode::Index, 0));
    assert_eq!((records, some.lines().count()), (2, 2));
}

#[test]
fn no_cell_is_a_formula() {
    let mut corpus = Corpus::new();
    corpus.denied(&Said::new("=HYPERLINK(\"http://x\",\"y\")", "@crm", "+1", "x"));
    corpus.close();
    catch_up(corpus.path(), None, &mut |_, _| {}).unwrap();
    let (table, _) = exported(&searcher(corpus.path()), "kind:call.denied", Form::Csv, (Mode::Index, 0));
    let mut lines = table.lines();
    assert!(lines.next().unwrap().starts_with("seq,time,kind,call,tenant,actor,"));
    let row = lines.next().unwrap();
    assert!(row.contains("\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\""), "{row}");
    assert!(row.contains("\"'@crm\"") && row.contains("\"'+1\""), "{row}");
}

#[test]
fn events_are_what_the_schema_of_ocsf_says() {
    let schema = include_str!("../fixtures/ocsf/api_activity-1.8.0.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut corpus = small();
    corpus.open();
    // One record of each kind, and one of a call with everything.
    for kind in Kind::ALL {
        corpus.append(Draft::new(*kind).member("by", "anna").member("reason", "a reason"));
    }
    corpus.append(
        Draft::new(Kind::CallDenied)
            .call(uuid::Uuid::now_v7())
            .member(
                "actor",
                &serde_json::json!({"agent": "claude", "credential": "c1", "id": "alice", "roles": ["r"],
                    "teams": ["t"], "tenant": "acme"}),
            )
            .member(
                "authz",
                &serde_json::json!({"decision": "deny", "policies": ["a", "b"], "reason": "forbidden"}),
            )
            .member(
                "mcp",
                &serde_json::json!({"client": "c", "method": "resources/read", "name": "file:///x", "protocol": "2026-07-28",
                    "server": "s", "session": "x", "source": "10.1.2.3"}),
            )
            .member("redact", &serde_json::json!({"findings": [{"count": 2, "type": "EMAIL"}]}))
            .member("trace", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    );
    corpus.close();
    catch_up(corpus.path(), None, &mut |_, _| {}).unwrap();
    let (events, records) = exported(&searcher(corpus.path()), "", Form::Ocsf, (Mode::Index, 0));
    assert_eq!(events.lines().count() as u64, records);
    for line in events.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let wrong: Vec<String> =
            validator.iter_errors(&event).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(wrong.is_empty(), "{wrong:#?}\n{event:#}");
        let raw = event["raw_data"].as_str().unwrap();
        assert_eq!(sealgate::audit::hex(&sealgate::audit::leaf(raw.as_bytes())), event["metadata"]["uid"]);
    }
    let denied: Value = serde_json::from_str(events.lines().nth_back(1).unwrap()).unwrap();
    assert_eq!(denied["class_uid"], 6003);
    assert_eq!(denied["type_uid"], 600_302);
    assert_eq!(denied["action_id"], 2);
    assert_eq!(denied["actor"]["user"]["uid"], "alice");
    assert_eq!(denied["trace"]["uid"], "4bf92f3577b34da6a3ce929d0e0e4736");
    let mut broken = denied;
    broken["actor"] = serde_json::json!({});
    assert!(!validator.is_valid(&broken), "the schema is not one that accepts anything");
}
