#![no_main]
//! The walk over JSON and every detector.

use libfuzzer_sys::fuzz_target;
use sealgate::inspect::{Config, Direction, Inspector, Subject};
use std::sync::LazyLock;

static INSPECTOR: LazyLock<Inspector> =
    LazyLock::new(|| Inspector::new(&Config::default(), &[7; 32]).expect("the default configuration"));

fuzz_target!(|text: &str| {
    let subject = Subject { call: uuid::Uuid::nil(), direction: Direction::Response, exempt: &[] };
    let line = INSPECTOR.redact_text(text).into_owned();
    assert_eq!(INSPECTOR.redact_text(&line), line, "redacting twice is not redacting once");
    for json in [text.to_owned(), serde_json::Value::from(text).to_string()] {
        let Ok(once) = INSPECTOR.filter(json.clone(), &subject) else { continue };
        assert!(!once.findings().is_empty() || *once.value() == json, "changed without a finding");
        let twice = INSPECTOR.filter(once.value().clone(), &subject).expect("what came out can go in");
        assert!(twice.findings().is_empty(), "{:?} in what came out", twice.findings());
    }
});
