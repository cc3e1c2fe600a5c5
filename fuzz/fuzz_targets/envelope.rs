#![no_main]
//! The strict JSON check, the JSON-RPC envelope and lossless edits.

use libfuzzer_sys::fuzz_target;
use sealgate::mcp::{Edit, JsonLimits, Message, Object, array_items, check, rewrite_strings};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = check(bytes, &JsonLimits::default()) else { return };
    assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "passed what is not JSON");
    let _ = Message::parse(text);
    let _ = array_items(text);
    let _ = rewrite_strings(text, &[&["contents", "*", "uri"]], &mut |uri| Some(format!("x+{uri}")));
    if let (Some(object), Some(edit)) = (Object::parse(text), Edit::of(text)) {
        let edited = edit.set("added by a hop", "1").finish();
        let after = Object::parse(&edited).expect("an edit keeps an object an object");
        for (key, raw) in object.iter().filter(|(key, _)| *key != "added by a hop") {
            assert_eq!(after.get(key), Some(raw), "an edit changed another member");
        }
    }
});
