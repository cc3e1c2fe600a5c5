#![no_main]
//! Definitions, results and arguments of any text.

use libfuzzer_sys::fuzz_target;
use sealgate::inspect::sanitize::{Rules, Sanitizer, Semantic, Verdict, canonical, skeleton};
use std::sync::LazyLock;

static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::of(&[]));
static SANITIZER: LazyLock<Sanitizer> =
    LazyLock::new(|| Sanitizer::new(&RULES, &[7; 32]).expect("the default rules"));

fuzz_target!(|text: &str| {
    let semantics = [
        ("/u".to_owned(), Semantic::Url),
        ("/p".to_owned(), Semantic::Path { root: Some("/srv".into()) }),
        ("/i".to_owned(), Semantic::Id),
    ];
    let _ = skeleton(text);
    let wrapped = serde_json::json!({"u": text, "p": text, "i": text, "name": text, "description": text}).to_string();
    for json in [text.to_owned(), wrapped] {
        let _ = SANITIZER.definition(&json, &RULES.definitions);
        let _ = SANITIZER.arguments(&json, &semantics, &RULES.arguments);
        let Ok(once) = SANITIZER.result(json.clone(), &RULES.results) else { continue };
        assert!(once.judged.verdict != Verdict::None || once.json == json || text.contains('\u{1b}'), "changed without a sign");
        let Ok(value) = serde_json::from_str::<serde_json::Value>(&once.json) else { continue };
        assert_eq!(serde_json::from_str::<serde_json::Value>(&canonical(&value)).ok(), Some(value));
        let twice = SANITIZER.result(once.json.clone(), &RULES.results).expect("what came out can go in");
        assert_eq!(twice.json, once.json, "cleaning twice is not cleaning once");
    }
});
