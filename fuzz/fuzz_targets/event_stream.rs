#![no_main]
//! Server-sent events, cut in two ways.

use libfuzzer_sys::fuzz_target;
use sealgate::upstream::{SseEvent, SseParser};

fn events(chunks: &[&[u8]]) -> Option<Vec<SseEvent>> {
    let mut parser = SseParser::new(1 << 16);
    let mut events = Vec::new();
    for chunk in chunks {
        parser.push(chunk);
        while let Some(event) = parser.next_event().ok()? {
            events.push(event);
        }
    }
    Some(events)
}

fuzz_target!(|input: (u16, &[u8])| {
    let (cut, bytes) = input;
    let (head, tail) = bytes.split_at(usize::from(cut).min(bytes.len()));
    assert_eq!(events(&[bytes]), events(&[head, tail]), "where the bytes are cut changes the events");
});
