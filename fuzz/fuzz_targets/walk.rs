#![no_main]
//! The walk: pointers name what is there, and what is not a finding stays as it is.

use libfuzzer_sys::fuzz_target;
use sealgate::inspect::{Config, Direction, Inspector, Route, Shape};
use serde_json::Value;
use std::sync::LazyLock;

static INSPECTOR: LazyLock<Inspector> =
    LazyLock::new(|| Inspector::new(&Config::default(), &[7; 32]).expect("the default configuration"));

fuzz_target!(|json: &str| {
    let Ok(value) = serde_json::from_str::<Value>(json) else { return };
    let all = (Direction::Response, Route::default());
    let Ok(examined) = INSPECTOR.examine(json, Shape::Json, all) else { return };
    let after: Value = serde_json::from_str(&examined.output).expect("what comes out is JSON");
    if examined.spots.is_empty() {
        assert_eq!(examined.output, json, "changed without a finding");
        return;
    }
    for spot in &examined.spots {
        let pointer = spot.pointer.as_deref().expect("JSON has pointers");
        assert!(value.pointer(pointer).is_some(), "{pointer} is nowhere");
    }
    assert_eq!(std::mem::discriminant(&value), std::mem::discriminant(&after));
});
