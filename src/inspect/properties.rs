//! What holds for any text: inspecting twice is inspecting once, places are exact, the work is linear.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{inspector, subject};

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
        (0..2).map(|_| once()).min().unwrap()
    };
    for piece in pieces {
        // Long enough that what is done for each byte outweighs what is done once.
        let mut text = piece.repeat((4 << 10) / piece.len());
        let mut one = cost(&text);
        while one < 15_000_000 && text.len() < 1 << 20 {
            text = text.repeat(4);
            one = cost(&text);
        }
        let four = cost(&text.repeat(4));
        // Quadratic work would be sixteen times as much.
        assert!(
            four < one * 9 + 20_000_000,
            "{piece:?}: {one} ns for {} bytes, {four} ns for four times",
            text.len()
        );
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
