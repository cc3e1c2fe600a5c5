//! The rules as the files write them, and what must hold for any text.

use super::rules;
use super::*;
use serde_json::{Value, json};
use uuid::Uuid;

pub(super) fn inspector() -> &'static Inspector {
    static INSPECTOR: std::sync::OnceLock<Inspector> = std::sync::OnceLock::new();
    INSPECTOR.get_or_init(|| Inspector::new(&Config::default(), &[7; 32]).unwrap())
}

pub(super) fn subject(exempt: &'static [&'static str]) -> Subject<'static> {
    Subject { call: Uuid::nil(), direction: Direction::Response, exempt }
}

/// What comes out, and the findings as `type pointer`.
fn filter(inspector: &Inspector, value: &Value) -> (Value, Vec<String>) {
    let filtered = inspector.filter(value.to_string(), &subject(&[])).unwrap();
    let found = filtered.findings().iter().map(|one| format!("{} {}", one.kind, one.pointer)).collect();
    (serde_json::from_str(filtered.value()).unwrap(), found)
}

fn masked(value: &Value) -> Value {
    filter(inspector(), value).0
}

#[test]
fn every_rule_finds_its_samples_and_nothing_in_its_counterexamples() {
    let mut wrong = Vec::new();
    for rule in rules::load().unwrap() {
        let alone = match Inspector::new(
            &Config { only: Some(vec![rule.kind.to_owned()]), ..Config::default() },
            &[7; 32],
        ) {
            Ok(alone) => alone,
            Err(e) => {
                wrong.push(e.to_string());
                continue;
            }
        };
        let key = rule.sample_key();
        for sample in &rule.samples {
            let (value, found) = filter(&alone, &json!({&key: sample.text}));
            if value.to_string().contains(&sample.secret) || found != [format!("{} /{key}", rule.kind)] {
                wrong.push(format!("{}: {} under {key}: {found:?}", rule.kind, sample.text));
            }
        }
        // A named rule is told where to look; the others look everywhere.
        let place = if matches!(rule.how, rules::How::Named(_)) { key.as_str() } else { "remark" };
        for never in &rule.never {
            let value = json!({place: never});
            if filter(&alone, &value) != (value, vec![]) {
                wrong.push(format!("{} in {never}", rule.kind));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn values_are_found_wherever_json_can_hold_them() {
    let mail = "ana.lima@example.com";
    let inner = json!({"to": [mail]}).to_string();
    let twice = json!({"inner": inner}).to_string();
    for (value, pointer) in [
        (json!(mail), ""),
        (json!({"a/b": {"c~d": mail}}), "/a~1b/c~0d"),
        (json!([1, [mail]]), "/1/0"),
        (json!({"text": inner}), "/text#/to/0"),
        (json!({"text": twice}), "/text#/inner#/to/0"),
        (json!({"text": format!("to {mail}, then on")}), "/text"),
    ] {
        let (out, found) = filter(inspector(), &value);
        assert!(!out.to_string().contains("ana.lima"), "{out}");
        assert_eq!(found, [format!("email {pointer}")]);
    }
    let (out, found) = filter(inspector(), &json!({mail: 1, "b": 2}));
    assert_eq!((out, found), (json!({"[EMAIL]": 1, "b": 2}), vec!["email /[EMAIL]".to_owned()]));
    assert_eq!(masked(&json!({"card": 4_111_111_111_111_111_u64})), json!({"card": "[CREDIT_CARD]"}));
}

#[test]
fn keys_that_become_equal_stay_apart() {
    let out = masked(&json!({"a@example.com": 1, "b@example.com": 2}));
    assert_eq!(out.as_object().unwrap().len(), 2, "{out}");
    assert!(!out.to_string().contains('@'), "{out}");
}

#[test]
fn names_and_labels_give_a_value_away() {
    for value in [
        json!({"password": "correcthorse"}),
        json!({"db": {"adminPassword": "tr0ub4dor"}}),
        json!({"name": "DB_PASSWORD", "value": "tr0ub4dor&3"}),
        json!({"ssn": "536228726"}),
        json!({"note": "her social security number is 536 22 8726"}),
    ] {
        assert_ne!(masked(&value), value);
    }
    for value in [json!({"order": "536228726"}), json!({"passwordPolicy": "strong and long"})] {
        assert_eq!(masked(&value), value);
    }
}

#[test]
fn disguises_do_not_help() {
    for text in [
        "ana.lima\u{200b}@example.com",
        "ana.lima%40example.com",
        "４１１１ １１１１ １１１１ １１１１",
        "4111\u{a0}1111\u{a0}1111\u{a0}1111",
        "\\u0061na.lima@example.com",
    ] {
        let out = masked(&json!({"t": text}));
        assert!(out["t"].as_str().unwrap().contains('['), "{text}: {out}");
    }
    let escaped = r#"{"t":"\u0061na.lima\u0040example.com"}"#.to_owned();
    let out = inspector().filter(escaped, &subject(&[])).unwrap();
    assert_eq!(out.value(), r#"{"t":"[EMAIL]"}"#);
}

#[test]
fn what_is_exempt_stays() {
    let text = json!({"name": "a@example.com", "arguments": {"name": "a@example.com"}}).to_string();
    let out = inspector().filter(text, &subject(&["/name"])).unwrap();
    assert_eq!(out.findings().len(), 1);
    assert!(out.value().contains(r#""name":"a@example.com""#) && out.value().contains("[EMAIL]"));
}

#[test]
fn equal_values_have_equal_commitments_under_one_key_only() {
    let commitments = |key: u8, text: &str| -> Vec<String> {
        let inspector = Inspector::new(&Config::default(), &[key; 32]).unwrap();
        let out = inspector.filter(json!([text]).to_string(), &subject(&[])).unwrap();
        out.findings().iter().map(|one| one.commitment.clone()).collect()
    };
    assert_eq!(commitments(1, "a@example.com"), commitments(1, "write to A@Example.com"));
    assert_ne!(commitments(1, "a@example.com"), commitments(2, "a@example.com"));
    assert_ne!(commitments(1, "a@example.com"), commitments(1, "b@example.com"));
}

#[test]
fn what_cannot_be_inspected_is_refused() {
    let limits = Limits {
        bytes: 4_000,
        depth: 5,
        keys: 4,
        string_bytes: 1_000,
        number_bytes: 20,
        findings: 3,
        nesting: 1,
    };
    let inspector = Inspector::new(&Config { limits, ..Config::default() }, &[7; 32]).unwrap();
    let nested = |text: &str| json!({"t": text}).to_string();
    let cases = [
        (json!(vec!["x".repeat(500); 9]).to_string(), "TooLarge"),
        ("[[[[[[1]]]]]]".to_owned(), "TooDeep"),
        (json!({"a":1,"b":2,"c":3,"d":4,"e":5}).to_string(), "TooManyKeys"),
        (json!("x".repeat(2_000)).to_string(), "StringTooLong"),
        (format!("[{}]", "1".repeat(40)), "NumberTooLong"),
        (json!(["a@b.com", "c@d.com", "e@f.com", "g@h.com"]).to_string(), "TooManyFindings"),
        (nested(&nested(&nested("[\"a@b.com\"]"))), "NestedTooDeep"),
        ("{\"a\":".to_owned(), "InvalidJson"),
        (String::new(), "InvalidJson"),
    ];
    for (text, expected) in cases {
        let blocked = inspector.filter(text.clone(), &subject(&[])).expect_err(&text);
        assert!(format!("{blocked:?}").starts_with(expected), "{text}: {blocked:?}");
    }
}

#[test]
fn settings_that_would_do_nothing_are_errors() {
    let build = |config: Config| Inspector::new(&config, &[7; 32]).map(|_| ()).unwrap_err().to_string();
    let typo = Config { disable: vec!["emial".into()], ..Config::default() };
    assert!(build(typo).contains("`email`"));
    let nothing = Config { only: Some(vec![]), ..Config::default() };
    assert!(build(nothing).contains("no detector"), "nothing on must not pass as on");
    let zero = Config { limits: Limits { findings: 0, ..Limits::default() }, ..Config::default() };
    assert!(build(zero).contains("findings"));
    assert!(Inspector::new(&Config::default(), b"short").is_err());
}

fn over(server: Option<&str>, types: &[&str], operator: Operator) -> Override {
    Override {
        types: (!types.is_empty()).then(|| types.iter().map(ToString::to_string).collect()),
        direction: None,
        servers: server.map(|server| vec![server.to_owned()]),
        tools: None,
        principals: None,
        operator,
    }
}

#[test]
fn operators_are_chosen_by_type_and_server_and_the_strictest_counts() {
    let config = Config {
        operators: vec![
            over(None, &["email"], Operator::Pseudonymise),
            over(None, &["credit_card"], Operator::Surrogate),
            over(None, &["us_ssn"], Operator::Partial),
            over(Some("lax"), &[], Operator::Allow),
            over(Some("lax"), &["us_ssn"], Operator::Drop),
            over(Some("strict"), &[], Operator::Block),
        ],
        ..Config::default()
    };
    let inspector = Inspector::new(&config, &[7; 32]).unwrap();
    let value = json!({"to": "Ana@example.com", "cc": "ana@example.com", "card": 4_111_111_111_111_111_u64,
                       "ssn": "536-22-8726", "phone": "+49 30 901820"});
    let filter = |server| {
        let route = Route { server, ..Route::default() };
        inspector.filter_as(value.to_string(), &subject(&[]), &Manner { route, ..Manner::default() })
    };
    let out = filter(None).unwrap();
    let plain: Value = serde_json::from_str(out.value()).unwrap();
    assert_eq!(plain["to"], plain["cc"], "equal values have equal names");
    assert!(plain["to"].as_str().unwrap().starts_with("[EMAIL_"), "{plain}");
    assert!(plain["card"].is_u64() && plain["card"] != value["card"], "{plain}");
    assert_eq!(plain["ssn"], "****8726");
    let again = inspector.filter(out.value().clone(), &subject(&[])).unwrap();
    assert_eq!(again.value(), out.value(), "twice is once");
    let lax = filter(Some("lax")).unwrap();
    let of_lax: Value = serde_json::from_str(lax.value()).unwrap();
    assert_eq!((&of_lax["phone"], &of_lax["ssn"]), (&value["phone"], &json!("")));
    assert_eq!(
        of_lax["to"], plain["to"],
        "what an entry says for all servers is not undone by one for this server"
    );
    assert!(lax.findings().iter().any(|one| one.operator == "allow"), "what stays is recorded");
    assert!(matches!(filter(Some("strict")), Err(Blocked::Forbidden { .. })));
}

#[test]
fn pseudonyms_join_inside_their_scope_and_not_across() {
    let name = |scope, whose: Whose<'_>, call: u128| {
        let config = Config {
            response: Flow { operator: Operator::Pseudonymise, ..Flow::default() },
            pseudonyms: Pseudonyms { scope },
            ..Config::default()
        };
        let subject = Subject { call: Uuid::from_u128(call), ..subject(&[]) };
        let manner = Manner { whose, ..Manner::default() };
        let inspector = Inspector::new(&config, &[7; 32]).unwrap();
        inspector.filter_as(json!(["ana@example.com"]).to_string(), &subject, &manner).unwrap().into_value()
    };
    let whose = |tenant, principal, session| Whose { tenant, principal, session };
    let ana = whose("acme", "ana", "s1");
    // What stays the same inside of the scope, and what differs across it.
    for (scope, inside, across) in [
        (Scope::Message, (ana, 1), (ana, 2)),
        (Scope::Session, (ana, 2), (whose("acme", "ana", "s2"), 1)),
        (Scope::Principal, (whose("acme", "ana", "s2"), 2), (whose("acme", "ben", "s1"), 1)),
        (Scope::Tenant, (whose("acme", "ben", "s2"), 2), (whose("other", "ana", "s1"), 1)),
    ] {
        let first = name(scope, ana, 1);
        assert!(first.contains("[EMAIL_"), "{first}");
        assert_eq!(first, name(scope, inside.0, inside.1), "{scope:?}");
        assert_ne!(first, name(scope, across.0, across.1), "{scope:?}");
    }
    assert_eq!(name(Scope::Gateway, ana, 1), name(Scope::Gateway, whose("other", "x", "y"), 2));
}

#[test]
fn what_policy_asks_for_counts_if_it_is_stricter_and_principals_have_operators_of_their_own() {
    let mut of_ben = over(None, &["email"], Operator::Partial);
    of_ben.principals = Some(vec!["ben".into()]);
    let inspector =
        Inspector::new(&Config { operators: vec![of_ben], ..Config::default() }, &[7; 32]).unwrap();
    let filter = |principal, at_least| {
        let manner = Manner { route: Route { principal, ..Route::default() }, at_least, ..Manner::default() };
        inspector
            .filter_as(json!("ana@example.com").to_string(), &subject(&[]), &manner)
            .unwrap()
            .into_value()
    };
    assert_eq!(filter(Some("ana"), &[]), "\"[EMAIL]\"");
    assert_eq!(filter(Some("ben"), &[]), "\"a***@***.com\"");
    assert_eq!(filter(Some("ben"), &[("email", Operator::Drop)]), "\"\"");
    assert_eq!(filter(Some("ana"), &[("email", Operator::Partial)]), "\"[EMAIL]\"", "milder is not taken");
    assert_eq!(filter(Some("ben"), &[("us_ssn", Operator::Drop)]), "\"a***@***.com\"", "another type");
}

#[test]
fn an_operator_that_cannot_be_honoured_is_refused_at_the_start() {
    let error = |config: Config| Inspector::new(&config, &[7; 32]).unwrap_err().to_string();
    let with = |types: &[&str], operator| Config {
        operators: vec![over(None, types, operator)],
        ..Config::default()
    };
    assert!(
        error(with(&["private_key"], Operator::Partial))
            .contains("`private_key` cannot be treated by `partial`")
    );
    assert!(
        error(with(&["person"], Operator::Surrogate)).contains("`person` cannot be treated by `surrogate`")
    );
    assert!(error(with(&["email"], Operator::Tokenise)).contains("needs `inspect.vault`"));
    let vault = Some(Tokens { max_entries: 0, ..Tokens::default() });
    assert!(error(Config { vault, ..Config::default() }).contains("`inspect.vault.maxEntries`"));
}

#[test]
fn a_surrogate_keeps_nothing_of_its_value() {
    let operators = vec![over(None, &[], Operator::Surrogate)];
    let config = Config { operators, enable: vec!["person".into()], ..Config::default() };
    let inspector = Inspector::new(&config, &[7; 32]).unwrap();
    let value = json!({"full_name": "Ana Lopez", "swift": "DEUTDEFF500", "iban": "GB82WEST12345698765432",
                       "btc": "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"});
    let (out, found) = filter(&inspector, &value);
    assert!(found.len() >= 3, "{found:?}");
    for word in ["Ana", "Lopez", "DEUTDEFF", "WEST", "eP5QGefi"] {
        assert!(!out.to_string().contains(word), "{word}: {out}");
    }
    assert_eq!(filter(&inspector, &out).0, out, "twice is once");
}

#[test]
fn settings_that_let_everything_pass_are_said_aloud() {
    let warnings = |config: Config| Inspector::new(&config, &[7; 32]).unwrap().warnings();
    assert!(warnings(Config::default()).is_empty());
    let lax = Config { operators: vec![over(Some("lax"), &[], Operator::Allow)], ..Config::default() };
    let said = warnings(lax);
    assert_eq!(said.len(), 2, "both directions: {said:?}");
    assert!(said[0].contains("FINDINGS PASS in requests of server `lax`"), "{said:?}");
    // It counts what comes of the settings, not how they are written.
    let each: Vec<&str> = inspector().detectors().collect();
    let one_by_one =
        Config { operators: vec![over(Some("lax"), &each, Operator::Allow)], ..Config::default() };
    assert!(warnings(one_by_one)[0].contains("server `lax`"));
    let stricter = vec![over(Some("lax"), &[], Operator::Allow), over(None, &["email"], Operator::Mask)];
    let said = warnings(Config { operators: stricter, ..Config::default() });
    assert!(said.is_empty(), "what holds for all holds for `lax`: {said:?}");
    let kept = vec![over(Some("lax"), &[], Operator::Allow), over(Some("lax"), &["email"], Operator::Mask)];
    assert!(warnings(Config { operators: kept, ..Config::default() }).is_empty(), "one type is held back");
    let all = inspector().detectors().map(str::to_owned).collect();
    let off = Config { request: Flow { disable: all, ..Flow::default() }, ..Config::default() };
    assert!(warnings(off)[0].contains("NOTHING IS LOOKED FOR in requests"));
}

#[test]
fn rules_of_ones_own_are_found_and_bad_ones_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let build = |rules: &str| {
        let file = folder.path().join("own.yaml");
        std::fs::write(&file, format!("version: 1\nrules:\n{rules}")).unwrap();
        Inspector::new(&Config { rules: vec![file], ..Config::default() }, &[7; 32])
    };
    let token = |name: &str, start: &str, pattern: &str| {
        format!(
            "  - type: {name}\n    rank: secret\n    token: {{starts: ['{start}'], pattern: '{pattern}', max: 60}}\n    \
                 samples: ['<<{start}{{digits:20}}>>']\n"
        )
    };
    let inspector = build(&token("acme_key", "acme_live_", "acme_live_[0-9]{20}")).unwrap();
    let text = json!("use acme_live_12345678901234567890 now").to_string();
    let out = inspector.filter(text, &subject(&[])).unwrap();
    assert_eq!(out.value(), r#""use [ACME_KEY] now""#);
    assert_ne!(inspector.ruleset_digest(), self::inspector().ruleset_digest());
    for (rules, problem) in [
        (token("email", "acme_live_", "acme_live_[0-9]{20}"), "the name is one of ours"),
        (token("acme", "e_", "e_[0-9]{20}"), "fewer than three letters"),
        (token("acme", "number", "number[0-9]{20}"), "almost every text"),
        (token("acme", "acme_live_", "[0-9]*"), "fits nothing at all"),
        (token("acme", "acme_live_", "acme_live_[a-z]{20}"), "self-test failed: a value of rule `acme`"),
        (token("acme", "acme_live_", "acme_(["), "not valid"),
    ] {
        let error = build(&rules).unwrap_err().to_string();
        assert!(error.contains(problem), "{problem}: {error}");
    }
}

#[test]
fn every_operator_holds_back_every_sample() {
    for operator in
        [Operator::Partial, Operator::Surrogate, Operator::Pseudonymise, Operator::Drop, Operator::Block]
    {
        let flow = Flow { operator, ..Flow::default() };
        let everything = Config { request: flow.clone(), response: flow, ..Config::default() };
        let built = Inspector::new(&everything, &[7; 32]).map(|_| ());
        assert!(built.is_ok(), "{operator:?}: {}", built.unwrap_err());
    }
}
