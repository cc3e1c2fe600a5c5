//! Random trees over random corpora.

use super::corpus::{Corpus, Fact, Said};
use super::{Error, searcher, seqs};
use proptest::prelude::*;
use proptest::test_runner::{Config as Effort, TestRunner};
use sealgate::search::{
    AggregateRequest, Aggregation, Field, Interval, Mode, Query, Request, Scope, Searcher, catch_up,
};
use std::collections::BTreeMap;

const WORDS: [&str; 6] = ["alpha", "beta", "gamma", "Drop", "TABLE", "x1"];
const ACTORS: [&str; 4] = ["alice", "bob", "Agent-17", "u:é ü"];
const TOOLS: [&str; 5] = ["crm_find", "crm_delete", "mail.send", "db", "a\"b\\c"];
const SERVERS: [&str; 3] = ["crm", "mail", ""];
const STATUSES: [&str; 3] = ["ok", "timeout", "tool_error"];
const KEYWORDS: [&str; 8] = ["actor", "tool", "server", "status", "decision", "finding", "role", "kind"];
const NUMBERS: [&str; 4] = ["latency", "bytes", "redacted", "seq"];

/// What is asked, apart from the code that answers.
#[derive(Debug, Clone)]
enum Ask {
    All(Vec<Ask>),
    Any(Vec<Ask>),
    Not(Box<Ask>),
    Is(&'static str, String),
    Like(&'static str, String),
    Has(&'static str),
    Within(&'static str, Option<i64>, Option<i64>),
    Phrase(Vec<String>),
    Prefix(String),
}

impl Ask {
    fn text(&self) -> String {
        let join = |asks: &[Ask], between: &str| {
            let parts: Vec<String> = asks.iter().map(Self::text).collect();
            format!("({})", parts.join(between))
        };
        let unit = |field: &str| if field == "latency" { "us" } else { "" };
        match self {
            Self::All(asks) => join(asks, " "),
            Self::Any(asks) => join(asks, " OR "),
            Self::Not(ask) => format!("-{}", ask.text()),
            Self::Is(field, value) => {
                format!("{field}:\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
            }
            Self::Like(field, form) => format!("{field}:{form}"),
            Self::Has(field) => format!("{field}:*"),
            Self::Within(field, Some(from), Some(to)) => format!("{field}:{from}{0}..{to}{0}", unit(field)),
            Self::Within(field, Some(from), None) => format!("{field}:>={from}{}", unit(field)),
            Self::Within(field, None, Some(to)) => format!("{field}:<={to}{}", unit(field)),
            Self::Within(field, None, None) => format!("{field}:*"),
            Self::Phrase(words) => format!("\"{}\"", words.join(", ")),
            Self::Prefix(prefix) => format!("{prefix}*"),
        }
    }

    fn holds(&self, fact: &Fact) -> bool {
        let values =
            |field: &'static str| fact.words.iter().filter(move |(of, _)| *of == field).map(|(_, v)| v);
        let number = |field: &str| fact.numbers.iter().find(|(of, _)| *of == field).map(|(_, n)| *n);
        match self {
            Self::All(asks) => asks.iter().all(|ask| ask.holds(fact)),
            Self::Any(asks) => asks.iter().any(|ask| ask.holds(fact)),
            Self::Not(ask) => !ask.holds(fact),
            Self::Is(field, wanted) => values(field).any(|value| value == wanted),
            Self::Like(field, form) => {
                let form = regex::escape(form).replace("\\*", ".*");
                let form = regex::Regex::new(&format!("^(?s:{form})$")).unwrap();
                values(field).any(|value| form.is_match(value))
            }
            Self::Has(field) => values(field).next().is_some(),
            Self::Within(field, from, to) => number(field)
                .is_some_and(|n| from.is_none_or(|from| n >= from) && to.is_none_or(|to| n <= to)),
            Self::Phrase(wanted) => {
                let wanted: Vec<String> = wanted.iter().map(|word| word.to_lowercase()).collect();
                fact.texts.iter().any(|text| split(text).windows(wanted.len()).any(|window| window == wanted))
            }
            Self::Prefix(prefix) => fact
                .texts
                .iter()
                .any(|text| split(text).iter().any(|word| word.starts_with(&prefix.to_lowercase()))),
        }
    }
}

fn split(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect()
}

fn one_of(values: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(values).prop_map(str::to_owned)
}

fn keyword() -> impl Strategy<Value = (&'static str, String)> {
    prop::sample::select(KEYWORDS.as_slice()).prop_flat_map(|field| {
        let values: &'static [&'static str] = match field {
            "actor" => &ACTORS,
            "tool" => &TOOLS,
            "server" => &["crm", "mail", "none"],
            "status" => &STATUSES,
            "decision" => &["allow", "deny"],
            "finding" => &["EMAIL", "IBAN", "NONE"],
            "role" => &["analyst", "staff", "admin"],
            _ => &["call.intent", "call.outcome", "call.denied"],
        };
        (Just(field), one_of(values))
    })
}

fn tree() -> impl Strategy<Value = Ask> {
    let form =
        prop::sample::select(&["crm*", "*d*", "*", "c*_*e", "*.send", "Agent*", "call.*", "a*", "**b*"][..]);
    let bound = prop::option::of(prop_oneof![0_i64..5, 0_i64..60, Just(1_000_000_i64)]);
    let leaf = prop_oneof![
        4 => keyword().prop_map(|(field, value)| Ask::Is(field, value)),
        2 => (prop::sample::select(KEYWORDS.as_slice()), form)
            .prop_map(|(field, form)| Ask::Like(field, form.to_owned())),
        1 => prop::sample::select(KEYWORDS.as_slice()).prop_map(Ask::Has),
        2 => (prop::sample::select(NUMBERS.as_slice()), bound.clone(), bound)
            .prop_map(|(field, a, b)| match (a, b) {
                (Some(a), Some(b)) => Ask::Within(field, Some(a.min(b)), Some(a.max(b))),
                (a, b) => Ask::Within(field, a, b),
            }),
        2 => prop::collection::vec(one_of(&WORDS), 1..4).prop_map(Ask::Phrase),
        1 => prop::sample::select(&["al", "DR", "x", "q", "nothing"][..])
            .prop_map(|prefix| Ask::Prefix(prefix.to_owned())),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Ask::All),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Ask::Any),
            inner.prop_map(|ask| Ask::Not(Box::new(ask))),
        ]
    })
}

fn said() -> impl Strategy<Value = (bool, Said)> {
    let text = prop::collection::vec(one_of(&WORDS), 0..6).prop_map(|words| words.join(" "));
    let findings = prop::collection::vec((one_of(&["EMAIL", "IBAN"]), one_of(&["aa", "bb"])), 0..3);
    let latency = prop_oneof![Just(0_i64), 1_i64..60, Just(1_000_000)];
    let parts = (one_of(&ACTORS), one_of(&SERVERS), one_of(&TOOLS), text, findings, latency);
    (any::<bool>(), parts, prop::sample::select(STATUSES.as_slice())).prop_map(|(denied, parts, status)| {
        let (actor, server, tool, text, findings, latency) = parts;
        (denied, Said { actor, server, tool, text, latency, status, findings })
    })
}

/// All pages of an answer.
fn pages(searcher: &Searcher, request: &Request) -> (Vec<u64>, u64) {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let asked = Request { cursor, ..request.clone() };
        let answer = searcher.search(&asked, &Scope::default()).unwrap();
        all.extend(seqs(&answer));
        assert!(all.len() as u64 <= answer.total.value);
        cursor = answer.next;
        if cursor.is_none() {
            return (all, answer.total.value);
        }
    }
}

#[test]
fn any_tree_over_any_corpus_finds_what_the_model_knows() {
    let mut runner = TestRunner::new(Effort { cases: 12, ..Effort::default() });
    let corpora = prop::collection::vec(said(), 0..40);
    let asks = prop::collection::vec((tree(), 1_usize..7), 24);
    runner
        .run(&(corpora, asks), |(calls, asks)| {
            let mut corpus = Corpus::new();
            for (n, (denied, said)) in calls.iter().enumerate() {
                if *denied {
                    corpus.denied(said);
                } else {
                    corpus.call(said);
                }
                if n % 9 == 8 {
                    catch_up(corpus.path(), None, &mut |_, _| {}).unwrap().unwrap();
                }
            }
            corpus.close();
            catch_up(corpus.path(), None, &mut |_, _| {}).unwrap().unwrap();
            let searcher = searcher(corpus.path());
            for (ask, limit) in asks {
                // The log's own records are not in the model.
                let q = format!("kind:call.* {}", ask.text());
                let truth: Vec<u64> =
                    corpus.facts.iter().rev().filter(|fact| ask.holds(fact)).map(|fact| fact.seq).collect();
                for mode in [Mode::Index, Mode::Scan] {
                    let request = Request { q: q.clone(), limit: Some(limit), mode, ..Request::default() };
                    let (all, total) = pages(&searcher, &request);
                    prop_assert_eq!(&all, &truth, "{:?} {}", mode, &q);
                    prop_assert_eq!(total, truth.len() as u64);
                }
                let read = Query::parse(&q, 0).unwrap();
                prop_assert_eq!(&Query::parse(&read.to_string(), 0).unwrap(), &read, "{}", &q);
                prop_assert_eq!(counted(&searcher, &q, Mode::Index)?, counted(&searcher, &q, Mode::Scan)?);
            }
            Ok(())
        })
        .unwrap();
}

fn counted(searcher: &Searcher, q: &str, mode: Mode) -> Result<String, TestCaseError> {
    let field = |field| Aggregation::Terms { field, size: Some(3) };
    let aggregations = BTreeMap::from([
        ("tools".to_owned(), field(Field::Tool)),
        ("roles".to_owned(), field(Field::Role)),
        ("actors".to_owned(), Aggregation::Cardinality { field: Field::Actor }),
        (
            "hours".to_owned(),
            Aggregation::DateHistogram { interval: Interval::Hour, by: Some(Field::Decision) },
        ),
        ("weeks".to_owned(), Aggregation::DateHistogram { interval: Interval::Week, by: None }),
        (
            "latency".to_owned(),
            Aggregation::Percentiles { field: Field::Latency, percents: vec![0.0, 50.0, 99.9] },
        ),
    ]);
    let request = AggregateRequest { q: q.to_owned(), aggregations, mode, ..AggregateRequest::default() };
    let counted =
        searcher.aggregate(&request, &Scope::default()).map_err(|e| TestCaseError::fail(e.to_string()))?;
    Ok(serde_json::to_string(&(counted.total.value, counted.aggregations)).unwrap())
}

#[test]
fn counts_are_those_of_the_model() {
    let corpus = super::small();
    let searcher = searcher(corpus.path());
    let request: AggregateRequest = serde_json::from_str(
        r#"{"q": "kind:call.*", "aggregations": {
            "tools": {"terms": {"field": "tool"}},
            "one": {"terms": {"field": "tool", "size": 1}},
            "actors": {"cardinality": {"field": "actor"}},
            "days": {"date_histogram": {"interval": "day", "by": "decision"}},
            "latency": {"percentiles": {"field": "latency", "percents": [50, 100]}}
        }}"#,
    )
    .unwrap();
    let counted = searcher.aggregate(&request, &Scope::default()).unwrap();
    let shown = serde_json::to_value(&counted.aggregations).unwrap();
    let wanted = serde_json::json!({
        "tools": {"terms": {"buckets": [
            {"value": "crm_find", "count": 2}, {"value": "mail_send", "count": 2}, {"value": "crm_delete", "count": 1}
        ], "other": 0}},
        "one": {"terms": {"buckets": [{"value": "crm_find", "count": 2}], "other": 3}},
        "actors": {"cardinality": {"value": 3}},
        "days": {"date_histogram": {"buckets": [{"start": "2026-11-18T00:00:00Z", "count": 5,
            "by": [{"value": "allow", "count": 4}, {"value": "deny", "count": 1}]}]}},
        "latency": {"percentiles": {"values": {"50": 1000, "100": 2_490_368}, "count": 2}},
    });
    assert_eq!(shown, wanted);
}

/// More records than are looked at together, in several segments, over many hours.
#[test]
fn many_records_are_counted_alike_with_and_without_the_index() {
    let mut corpus = Corpus::new();
    for n in 0..260_i64 {
        let actor = format!("user-{}", n * n % 37);
        let tool = TOOLS.get(usize::try_from(n % 5).unwrap()).unwrap();
        let said = Said::new(&actor, "crm", tool, "alpha").taking(n * 7919 % 100_000);
        if n % 9 == 0 {
            corpus.denied(&said);
        } else {
            corpus.call(&said);
        }
        if n % 100 == 99 {
            catch_up(corpus.path(), None, &mut |_, _| {}).unwrap();
        }
    }
    corpus.close();
    catch_up(corpus.path(), None, &mut |_, _| {}).unwrap();
    let searcher = searcher(corpus.path());
    for q in
        ["", "decision:deny", "latency:>50ms", "-actor:user-1*", "seq:<300", "created:>=2026-11-18T03:00:00Z"]
    {
        let by_index = counted(&searcher, q, Mode::Index).unwrap();
        assert_eq!(by_index, counted(&searcher, q, Mode::Scan).unwrap(), "{q}");
        assert!(by_index.len() > 300 || q == "latency:>50ms", "{q}: {by_index}");
    }
}

#[test]
fn what_cannot_be_counted_is_told() {
    let corpus = super::small();
    let searcher = searcher(corpus.path());
    let refused = |aggregation: Aggregation| {
        let aggregations = BTreeMap::from([("a".to_owned(), aggregation)]);
        let request = AggregateRequest { aggregations, ..AggregateRequest::default() };
        searcher.aggregate(&request, &Scope::default()).unwrap_err()
    };
    let countless = refused(Aggregation::Terms { field: Field::Call, size: None });
    assert!(matches!(countless, Error::Countless("call")), "{countless}");
    assert!(matches!(refused(Aggregation::Terms { field: Field::Tool, size: Some(1001) }), Error::Size(_)));
    let words = Aggregation::Percentiles { field: Field::Tool, percents: vec![50.0] };
    assert!(matches!(refused(words), Error::Numberless("tool")));
    let percents = Aggregation::Percentiles { field: Field::Latency, percents: vec![101.0] };
    assert!(matches!(refused(percents), Error::Percents));
}
