#![no_main]
//! Decoder and normaliser: whatever a value is wrapped in, places map back, and what is known to be seen through is.

use libfuzzer_sys::fuzz_target;
use sealgate::inspect::{Config, Direction, Inspector, Route, Shape};
use std::sync::LazyLock;

static INSPECTOR: LazyLock<Inspector> =
    LazyLock::new(|| Inspector::new(&Config::default(), &[7; 32]).expect("the default configuration"));

fuzz_target!(|input: (u8, &str)| {
    let (style, text) = input;
    let bytes = text.as_bytes();
    let wrapped = match style % 8 {
        0 => bytes.iter().map(|byte| format!("%{byte:02X}")).collect::<String>(),
        1 => bytes.iter().map(|byte| format!("{byte:02x} ")).collect(),
        2 => text.chars().map(|letter| format!("&#{};", u32::from(letter))).collect(),
        3 => text.chars().map(|letter| format!("\\u{{{:x}}}", u32::from(letter))).collect(),
        4 => bytes.iter().map(|byte| format!("={byte:02X}")).collect(),
        5 => text.chars().map(|letter| format!("{letter}\u{200b}")).collect(),
        6 => bytes.iter().map(|byte| format!("{byte}, ")).collect(),
        _ => text.to_owned(),
    };
    let all = (Direction::Response, Route::default());
    let Ok(examined) = INSPECTOR.examine(&wrapped, Shape::Unknown, all) else { return };
    for spot in examined.spots {
        assert!(wrapped.get(spot.source.clone()).is_some(), "{:?} is no place of the text", spot.source);
    }
});
