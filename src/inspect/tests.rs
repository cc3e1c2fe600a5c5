//! The rules as the files write them, and what must hold for any text.

use super::rules;
use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

fn inspector() -> &'static Inspector {
    static INSPECTOR: std::sync::OnceLock<Inspector> = std::sync::OnceLock::new();
    INSPECTOR.get_or_init(|| Inspector::new(&Config::default(), &[7; 32]).unwrap())
}

fn subject(exempt: &'static [&'static str]) -> Subject<'static> {
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
                       "ssn": "536-22-8726"});
    let filter = |server| {
        let route = Route { server, tool: None };
        inspector.filter_for(value.to_string(), &subject(&[]), route)
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
    let plain: Value = serde_json::from_str(lax.value()).unwrap();
    assert_eq!((&plain["to"], &plain["ssn"]), (&value["to"], &json!("")));
    assert!(lax.findings().iter().any(|one| one.operator == "allow"), "what stays is recorded");
    assert!(matches!(filter(Some("strict")), Err(Blocked::Forbidden { .. })));
}

#[test]
fn settings_that_let_everything_pass_are_said_aloud() {
    let warnings = |config: Config| Inspector::new(&config, &[7; 32]).unwrap().warnings();
    assert!(warnings(Config::default()).is_empty());
    let lax = Config { operators: vec![over(Some("lax"), &[], Operator::Allow)], ..Config::default() };
    assert!(warnings(lax)[0].contains("`lax`"));
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

/// Texts with something to find in them, or nearly.
fn hot_text() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just("a.b@example.com".to_owned()),
        Just("4111 1111 1111 1111".to_owned()),
        Just("DE89370400440532013000".to_owned()),
        Just("536-22-8726".to_owned()),
        Just(format!("ghp_{}", "Ab3".repeat(12))),
        Just("password=hunter2!".to_owned()),
        Just("https://u:p4ss@h.example/x".to_owned()),
        Just("card".to_owned()),
        Just("ssn".to_owned()),
        "[0-9]{1,19}",
        "[ .,:;=@\"'{}\\[\\]\\\\/%-]{1,3}",
        "[a-z]{1,8}",
        "\\PC{0,4}",
        Just("\u{200b}".to_owned()),
        Just("%40".to_owned()),
        Just("\\u0040".to_owned()),
    ];
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

fn hot_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        hot_text().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        hot_text().prop_map(|text| Value::from(json!({"note": text}).to_string())),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(hot_text(), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn twice_is_once(value in hot_json()) {
        let inspector = inspector();
        if let Ok(first) = inspector.filter(value.to_string(), &subject(&[])) {
            let again = inspector.filter(first.value().clone(), &subject(&[])).unwrap();
            prop_assert_eq!(again.value(), first.value());
            prop_assert!(again.findings().is_empty(), "{:?}", again.findings());
        }
    }

    #[test]
    fn what_comes_out_is_json_and_without_findings_the_same_bytes(value in hot_json()) {
        let text = value.to_string();
        if let Ok(out) = inspector().filter(text.clone(), &subject(&[])) {
            prop_assert!(serde_json::from_str::<Value>(out.value()).is_ok(), "{}", out.value());
            prop_assert!(!out.findings().is_empty() || *out.value() == text);
        }
    }

    #[test]
    fn any_bytes_are_either_filtered_or_refused(text in prop_oneof![any::<String>(), hot_text()]) {
        let inspector = inspector();
        let _ = inspector.filter(text.clone(), &subject(&["/name", ""]));
        let once = inspector.redact_text(&text).into_owned();
        prop_assert_eq!(inspector.redact_text(&once), once.as_str());
    }
}

/// Processor time of this thread in nanoseconds: what else the machine does does not count.
fn spent() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn four_times_the_text_takes_about_four_times_the_work() {
    let pieces = [
        "1",
        "1 1 ",
        "12-",
        "@",
        "a@",
        "A1",
        "AB12 ",
        "eyJ",
        "://a:",
        "sk-T3BlbkFJ",
        "password=",
        "-----BEGIN ",
        "password: \"",
        "\" + \"",
        "<b>",
        "**",
        "4,1,",
        "31 ",
        "\\u0041",
        "%41",
        "&#65;",
        "=41",
        "\u{200b}4",
        "QUFB",
        "card 41",
        "DE89",
        "[at]",
        "::",
        "1.1.",
        "H4sI",
        "ssn\n",
        "|a|b|\n",
        "a,b\n",
        "\"value\": ",
        "{\"a\":",
        "[",
        "\u{430}a",
    ];
    let inspector = inspector();
    let cost = |text: &str| {
        let once = || {
            let before = spent();
            // A refusal for its cost is an end, too.
            let _ = inspector.redact_text(text);
            spent() - before
        };
        (0..3).map(|_| once()).min().unwrap()
    };
    for piece in pieces {
        let small = piece.repeat((16 << 10) / piece.len());
        let (one, four) = (cost(&small), cost(&small.repeat(4)));
        // Quadratic work would be sixteen times as much.
        assert!(four < one * 10 + 20_000_000, "{piece:?}: {one} ns for 16 KiB, {four} ns for 64 KiB");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn places_of_findings_are_exact(before in "[a-zà-ü 文\u{1F600}\n\"\\\\]{0,24}", after in "[a-zà-ü 文\n\"]{0,24}") {
        let planted = "ana.lima@example.org";
        let text = format!("{before} {planted} {after}");
        let all = (super::Direction::Response, super::Route::default());
        let plain = inspector().examine(&text, super::Shape::Unknown, all).unwrap();
        prop_assert!(plain.spots.iter().any(|spot| text.get(spot.source.clone()) == Some(planted)));
        let json = json!({"a/b": [{"note": text}]}).to_string();
        let walked = inspector().examine(&json, super::Shape::Json, all).unwrap();
        let found = walked.spots.iter().any(|spot| {
            spot.pointer.as_deref() == Some("/a~1b/0/note")
                && text.get(spot.local.clone()) == Some(planted)
                && json.get(spot.source.clone()) == Some(planted)
        });
        prop_assert!(found, "{:?}", walked.spots);
    }

    #[test]
    fn everything_but_the_finding_stays(left in "[a-z ]{0,20}", right in "[a-z ]{0,20}", number in any::<i32>()) {
        let value = json!({"left": left, "n": number, "t": [true, null, 1.5], "x": format!("{left} ana@example.org {right}")});
        let out = inspector().filter(value.to_string(), &subject(&[])).unwrap();
        let out: Value = serde_json::from_str(out.value()).unwrap();
        prop_assert_eq!(&out["left"], &value["left"]);
        prop_assert_eq!(&out["n"], &value["n"]);
        prop_assert_eq!(&out["t"], &value["t"]);
        prop_assert_eq!(&out["x"], &json!(format!("{left} [EMAIL] {right}")));
    }
}
