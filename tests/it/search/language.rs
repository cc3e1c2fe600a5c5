//! The query language: how it is read, printed and refused.

use super::{NOV_2026, Scope, ask, found, refused, searcher, small};
use sealgate::search::{Consistency, Error, Misread, Query, Request};

fn read(q: &str) -> String {
    Query::parse(q, NOV_2026).unwrap().to_string()
}

fn wrong(q: &str) -> Misread {
    Query::parse(q, NOV_2026).unwrap_err()
}

#[test]
fn a_query_is_read_in_one_way_and_printed() {
    for (typed, understood) in [
        ("", ""),
        ("actor:alice", "actor:alice"),
        ("user:alice tool:crm_*", "actor:alice tool:crm_*"),
        ("actor:alice AND tool:crm_*", "actor:alice tool:crm_*"),
        ("a OR b c", "(\"a\" OR (\"b\" \"c\"))"),
        ("-server:mail NOT status:timeout", "-server:mail -status:timeout"),
        ("(decision:deny OR redacted:>0) \"drop  Table!\"", "(decision:deny OR redacted:>=1) \"drop table\""),
        ("pass*", "pass*"),
        ("latency:>2s", "latency:>=2000001us"),
        ("latency:250ms..2s", "latency:250000us..2000000us"),
        ("bytes:<=10kb", "bytes:<=10000"),
        ("seq:7", "seq:7"),
        ("seq:7..", "seq:>=7"),
        ("created:2026-11-18", "created:2026-11-18T00:00:00.000000Z..2026-11-18T23:59:59.999999Z"),
        ("created:2026-11", "created:2026-11-01T00:00:00.000000Z..2026-11-30T23:59:59.999999Z"),
        ("created:>2026-11-18", "created:>=2026-11-19T00:00:00.000000Z"),
        ("created:>=2026-11-18T01:02:03+02:00", "created:>=2026-11-17T23:02:03.000000Z"),
        ("created:-24h..", "created:>=2026-11-17T11:06:40.000000Z"),
        ("tool:in(a, \"b c\", d*)", "(tool:a OR tool:\"b c\" OR tool:d*)"),
        ("tool:\"in(a*)\"", "tool:\"in(a*)\""),
        ("server:*", "server:*"),
        ("status:ok,", "status:ok,"),
    ] {
        if typed == "status:ok," {
            assert_eq!(wrong(typed).suggestion.unwrap(), "did you mean `ok`?");
            continue;
        }
        assert_eq!(read(typed), understood, "{typed}");
        assert_eq!(read(understood), understood, "{typed}: printed is read as it was");
    }
    assert_eq!(
        Query::parse("actor:alice \"my secret\" pass*", 0).unwrap().without_words(),
        "actor:alice \"…\" \"…\""
    );
}

#[test]
fn what_cannot_be_read_is_refused_at_its_place_with_a_word_of_help() {
    for (typed, at, length, what, help) in [
        ("actr:alice", 0, 4, "there is no field `actr`", "did you mean `actor`?"),
        ("é tol:x", 2, 3, "there is no field `tol`", "did you mean `tool`?"),
        ("http://x", 0, 4, "there is no field `http`", "for the words, write `\"http://x\"`"),
        ("decision:denied", 9, 6, "`decision` is never `denied`", "it is one of allow, deny"),
        ("kind:call.outcom", 5, 11, "`kind` is never `call.outcom`", "did you mean `call.outcome`?"),
        (
            "latency:>2",
            9,
            1,
            "`2` is no value of `latency`",
            "write a time with its unit, such as 250ms or 2s",
        ),
        ("tool:>3", 5, 2, "`tool` is not compared by size", "write `tool:VALUE`"),
        ("a or b", 2, 2, "`or` can be read in two ways", "write `OR`, or `\"or\"` for the word"),
        ("tool:", 5, 0, "a value is missing", "write `tool:VALUE`, or `tool:*` for any"),
        ("tool:in(a b)", 10, 1, "a comma or `)` is expected", "write `tool:in(a, b)`"),
    ] {
        let misread = wrong(typed);
        let told = (misread.at, misread.length, misread.what.as_str(), misread.suggestion.as_deref());
        assert_eq!(told, (at, length, what, Some(help)), "{typed}");
    }
    for (typed, at, what) in [
        ("a OR", 2, "`OR` needs something on both sides"),
        ("OR a", 0, "`OR` needs something on both sides"),
        ("a AND OR b", 2, "`AND` needs something on both sides"),
        ("(a", 0, "this parenthesis is not closed"),
        ("a)", 1, "nothing opened this parenthesis"),
        ("()", 0, "nothing stands between the parentheses"),
        ("\"a", 0, "this quotation mark is not closed"),
        ("-", 0, "nothing follows the negation"),
        ("!?", 0, "no letter and no digit to look for"),
        ("a-b*", 0, "`*` stands at the end of one word"),
        ("seq:9..3", 4, "the range ends before it begins"),
    ] {
        let misread = wrong(typed);
        assert_eq!((misread.at, misread.what.as_str()), (at, what), "{typed}");
    }
    assert!(wrong(&"(".repeat(50)).what.contains("nested"));
    assert!(wrong(&"a ".repeat(300)).what.contains("terms"));
    assert!(wrong(&"a".repeat(5000)).what.contains("bytes"));
}

#[test]
fn a_calls_later_records_are_found_by_who_called_what() {
    let corpus = small();
    let searcher = searcher(corpus.path());
    let seq = |n: usize| corpus.facts[n].seq;
    assert_eq!(found(&searcher, "actor:alice latency:>2s"), [seq(1)]);
    assert_eq!(found(&searcher, "server:crm kind:call.*"), [seq(4), seq(1), seq(0)]);
    assert_eq!(found(&searcher, "\"drop table\""), [seq(0)]);
    assert_eq!(found(&searcher, "drop table kind:call.*"), [seq(4), seq(0)]);
    assert_eq!(found(&searcher, "decision:deny"), [seq(4)]);
    assert_eq!(found(&searcher, "-actor:alice -actor:bob kind:call.*"), [seq(4)]);
    assert_eq!(found(&searcher, "commitment:aa11 redacted:>0"), [seq(2)]);
    assert!(found(&searcher, "actor:Alice").is_empty(), "ids are compared with their case");
}

#[test]
fn facets_times_and_tenants_narrow_an_answer() {
    let corpus = small();
    let searcher = searcher(corpus.path());
    let facets = vec!["decision".to_owned(), "user".to_owned()];
    let answer = searcher
        .search(&Request { facets, limit: Some(1), ..ask("kind:call.*") }, &Scope::default())
        .unwrap();
    let shown = serde_json::to_value(&answer).unwrap();
    assert_eq!(shown["facets"]["decision"][0], serde_json::json!({"value": "allow", "count": 4}));
    assert_eq!(shown["facets"]["actor"].as_array().unwrap().len(), 3);
    assert_eq!(shown["total"], serde_json::json!({"value": 5, "relation": "eq"}));
    assert_eq!(shown["lag"]["records"], 0);
    assert!(shown["next"].is_string() && shown["checkpoint"].as_u64() > Some(0));
    assert_eq!(shown["hits"][0]["integrity"], "ok");
    assert_eq!(shown["hits"][0]["record"]["kind"], "call.denied");

    let other = Scope { tenants: Some(vec!["other".into()]), ..Scope::default() };
    assert_eq!(searcher.search(&ask(""), &other).unwrap().total.value, 0);
    let own = Scope { tenants: Some(vec!["acme".into()]), ..Scope::default() };
    assert_eq!(searcher.search(&ask(""), &own).unwrap().total.value, 5);
    let none = Scope { tenants: Some(Vec::new()), ..Scope::default() };
    assert_eq!(searcher.search(&ask("actor:alice OR -actor:alice"), &none).unwrap().total.value, 0);

    let from = Request { from: Some("2026-11-18T11:10:30Z".into()), ..ask("kind:call.*") };
    assert_eq!(searcher.search(&from, &Scope::default()).unwrap().total.value, 2);
    let to = Request { to: Some("2026-11-18T11:10:30Z".into()), ..ask("kind:call.*") };
    assert_eq!(searcher.search(&to, &Scope::default()).unwrap().total.value, 3);

    let unknown = refused(&searcher, &Request { facets: vec!["tol".into()], ..ask("") });
    assert_eq!(unknown.to_string(), "there is no field `tol`: did you mean `tool`?");
    assert!(unknown.is_askers());
    assert!(matches!(refused(&searcher, &Request { limit: Some(501), ..ask("") }), Error::Limit));
    assert!(matches!(refused(&searcher, &Request { from: Some("soon".into()), ..ask("") }), Error::Time(_)));
    let later = Request { consistency: Consistency::WaitFor(3), ..ask("") };
    assert!(searcher.search(&later, &Scope::default()).is_ok());
}

#[test]
fn the_known_statuses_are_those_of_the_format() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/audit/FORMAT.md")).unwrap();
    let known = sealgate::search::Field::Status.values().known().unwrap();
    assert!(page.contains(&format!("`status`: `{}`", known.join(" "))), "{known:?}");
}
