//! Values of mirrored headers (MCP 2026-07-28, Streamable HTTP, "Header values").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

const OPEN: &str = "=?base64?";
const CLOSE: &str = "?=";

/// The header form of a value: itself if it is plain ASCII without edge white space, else base64 in a
/// sentinel.
pub fn encode_header_value(value: &str) -> Cow<'_, str> {
    let plain =
        value.bytes().all(|b| (0x20..0x7f).contains(&b)) && value.trim() == value && !value.starts_with(OPEN);
    if plain { Cow::Borrowed(value) } else { Cow::Owned(format!("{OPEN}{}{CLOSE}", STANDARD.encode(value))) }
}

/// The value that a header stands for, or `None` if its sentinel is malformed.
pub fn decode_header_value(header: &str) -> Option<Cow<'_, str>> {
    let inner = header.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE));
    let Some(inner) = inner else { return Some(Cow::Borrowed(header)) };
    let bytes = STANDARD.decode(inner).ok()?;
    String::from_utf8(bytes).ok().map(Cow::Owned)
}
