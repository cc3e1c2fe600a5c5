use super::*;
use proptest::prelude::*;

fn ok(text: &str) -> bool {
    check(text.as_bytes(), &JsonLimits::default()).is_ok()
}

#[test]
fn strict_json_is_accepted_and_everything_else_is_not() {
    for good in
        ["{}", "[]", "0", "-0.5e+3", "\"\\u00e9\\ud83d\\ude00\"", " {\"a\":[1,{\"b\":null}]} ", "true"]
    {
        assert!(ok(good), "{good}");
    }
    for bad in [
        "",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "01",
        "1.",
        "+1",
        ".5",
        "NaN",
        "tru",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"a\nb\"",
        "{} {}",
        "[1 2]",
        "{\"a\" 1}",
        "\u{feff}{}",
        "{\"a\":1]",
        "'a'",
    ] {
        assert!(!ok(bad), "{bad}");
    }
}

#[test]
fn duplicate_keys_are_found_in_every_spelling() {
    for bad in ["{\"a\":1,\"a\":2}", "{\"name\":1,\"na\\u006de\":2}", "{\"x\":{\"b\":1,\"c\":2,\"b\":3}}"] {
        assert!(matches!(check(bad.as_bytes(), &JsonLimits::default()), Err(JsonError::DuplicateKey(_))));
    }
    let many: Vec<String> = (0..200).map(|i| format!("\"k{i}\":{i}")).collect();
    assert!(ok(&format!("{{{}}}", many.join(","))));
    assert!(!ok(&format!("{{{},\"k7\":0}}", many.join(","))));
}

#[test]
fn limits_are_kept() {
    let limits = JsonLimits { bytes: 100, depth: 3, members: 2, number: 5 };
    assert_eq!(check(b"[[[[]]]]", &limits), Err(JsonError::TooDeep(3)));
    assert_eq!(check(b"{\"a\":1,\"b\":1,\"c\":1}", &limits), Err(JsonError::TooManyMembers(2)));
    assert_eq!(check(b"123456", &limits), Err(JsonError::LongNumber(5)));
    assert!(matches!(check(&[b' '; 101], &limits), Err(JsonError::TooLarge { .. })));
}

#[test]
fn an_edit_changes_only_what_it_names() {
    let text = r#"{ "a" : 1.0 , "b":{"x": [1,2 ]},"c":"\u00e9" }"#;
    let edited = Edit::of(text).unwrap().set("b", "2").set("d", "true").finish();
    assert_eq!(edited, r#"{"a" : 1.0,"b":2,"c":"\u00e9","d":true}"#);
    assert_eq!(Edit::of("{}").unwrap().set("a", "1").finish(), r#"{"a":1}"#);
    assert_eq!(Edit::of(r#"{"a":1,"b":2}"#).unwrap().remove("a").finish(), r#"{"b":2}"#);
}

#[test]
fn strings_are_rewritten_at_their_paths_only() {
    let text = r#"{"content":[{"type":"resource_link","uri":"a://1"},{"text":"a://1"}],"uri":"a://2"}"#;
    let out = rewrite_strings(text, &[&["content", "*", "uri"]], &mut |uri| Some(format!("s+{uri}")));
    assert_eq!(
        out,
        r#"{"content":[{"type":"resource_link","uri":"s+a://1"},{"text":"a://1"}],"uri":"a://2"}"#
    );
}

#[test]
fn envelopes_are_read_strictly() {
    let request = r#"{"jsonrpc":"2.0","id":"7","method":"ping"}"#;
    assert!(matches!(Message::parse(request), Ok(Message::Request { .. })));
    for (bad, why) in [
        ("[]", MessageError::Batch),
        ("3", MessageError::NotAnObject),
        (r#"{"id":1,"method":"ping"}"#, MessageError::Version),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, MessageError::Id),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, MessageError::Id),
        (r#"{"jsonrpc":"2.0","id":1,"method":5}"#, MessageError::Method),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, MessageError::Params),
        (r#"{"jsonrpc":"2.0","id":1}"#, MessageError::Shape),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, MessageError::Shape),
    ] {
        assert_eq!(Message::parse(bad), Err(why), "{bad}");
    }
}

#[test]
fn header_values_survive_the_round_trip() {
    for value in ["plain", " edge ", "ümlaut", "=?base64?x?=", ""] {
        let header = encode_header_value(value).into_owned();
        assert!(header.is_ascii());
        assert_eq!(decode_header_value(&header).unwrap(), value);
    }
    assert_eq!(decode_header_value("=?base64?***?="), None);
    assert_eq!(decode_header_value("=?base64?x").unwrap(), "=?base64?x", "half a sentinel is a literal");
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            proptest::collection::hash_map(any::<String>(), inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(text) = check(&bytes, &JsonLimits::default()) {
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
            let _ = Message::parse(text);
        }
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let _ = Object::parse(text);
            let _ = array_items(text);
        }
    }

    #[test]
    fn near_json_is_judged_as_serde_does(text in "[\\[\\]{}:,\"a1 .e+-]{0,24}") {
        let ours = check(text.as_bytes(), &JsonLimits::default());
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        if !matches!(ours, Err(JsonError::DuplicateKey(_))) {
            prop_assert_eq!(ours.is_ok(), theirs, "{}", text);
        }
    }

    #[test]
    fn unknown_members_keep_their_bytes(value in json(), key in "[a-z]{1,6}") {
        let raw = value.to_string();
        let text = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{{\"x-{key}\":{raw},\"name\":\"n\"}}}}");
        prop_assert!(check(text.as_bytes(), &JsonLimits::default()).is_ok());
        let Ok(Message::Request { params: Some(params), .. }) = Message::parse(&text) else { panic!("not read") };
        let edited = Edit::of(params).unwrap().set("name", "\"m\"").finish();
        prop_assert_eq!(edited, format!("{{\"x-{key}\":{raw},\"name\":\"m\"}}"));
    }
}
