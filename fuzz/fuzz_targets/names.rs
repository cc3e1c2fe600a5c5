#![no_main]
//! Header values, URIs and cursors: what agents hand back to the gateway.

use libfuzzer_sys::fuzz_target;
use sealgate::mcp::{decode_header_value, encode_header_value};
use sealgate::route::{CursorKey, exposed_uri, split_uri};

fuzz_target!(|text: &str| {
    assert_eq!(decode_header_value(&encode_header_value(text)).as_deref(), Some(text));
    let _ = decode_header_value(text);
    let shown = exposed_uri("a-server", text);
    assert_eq!(split_uri(&shown), Some(("a-server", text.into())));
    let _ = split_uri(text);
    let key = CursorKey::random().expect("random numbers");
    assert_eq!(key.offset("view", text), None, "a cursor that the key did not make");
});
