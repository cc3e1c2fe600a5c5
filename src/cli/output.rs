//! Printing for programs.

use super::Done;
use serde::Serialize;
use std::io::Write as _;

/// Prints one JSON document. A closed pipe is no error: the reader has seen enough.
pub(super) fn json(value: &impl Serialize) -> Done {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    print(&text)
}

/// Prints one JSON document on one line.
pub(super) fn json_line(value: &impl Serialize) -> Done {
    let mut text = serde_json::to_string(value)?;
    text.push('\n');
    print(&text)
}

/// Prints text.
pub(super) fn print(text: &str) -> Done {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e.into()),
        _ => Ok(()),
    }
}
