//! Whether a text looks like a secret, or only stands for one.

use std::sync::LazyLock;

use aho_corasick::automaton::Automaton as _;
use aho_corasick::dfa::DFA;
use aho_corasick::{Input, StartKind};

/// Shannon entropy in bits a byte.
pub(in crate::inspect) fn entropy(text: &str) -> f64 {
    let mut counts = [0u32; 256];
    for &byte in text.as_bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let length = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    let mut bits = 0.0;
    // Each letter's share once: most of the table is empty.
    for &byte in text.as_bytes() {
        let count = counts.get_mut(usize::from(byte)).map_or(0, std::mem::take);
        if count > 0 {
            let share = f64::from(count) / length;
            bits -= share * share.log2();
        }
    }
    bits
}

/// Values that only stand for one.
const WHOLE: &[&str] = &[
    "null",
    "none",
    "nil",
    "true",
    "false",
    "undefined",
    "string",
    "password",
    "passwd",
    "pass",
    "secret",
    "token",
    "required",
    "optional",
    "hidden",
    "empty",
    "unset",
    "default",
    "user",
    "username",
    "number",
    "integer",
    "boolean",
    "object",
    "array",
    "credentials",
    "test",
    "todo",
    "n/a",
    "key",
    "value",
    "__u8",
    "__u16",
    "__u32",
    "__u64",
];

/// Letters of the longest of them.
const LONGEST_WHOLE: usize = "credentials".len();

/// Whether a value only stands for a secret: a variable, a hint, a mask.
pub(in crate::inspect) fn placeholder(value: &str) -> bool {
    const CALLS: &[&str] = &[
        "os.environ",
        "process.env",
        "getenv",
        "get_secret",
        "env[",
        "env.",
        "secrets.",
        "vault:",
        "config.",
    ];
    let bytes = value.as_bytes();
    let starts = |marks: &[&str]| marks.iter().any(|mark| begins(bytes, mark.as_bytes()));
    let ends = |mark: &str| {
        let tail = bytes.len().checked_sub(mark.len()).and_then(|from| bytes.get(from..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(mark.as_bytes()))
    };
    let name_only = value.starts_with('$')
        && value
            .bytes()
            .skip(1)
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    (value.len() <= LONGEST_WHOLE && WHOLE.iter().any(|whole| value.eq_ignore_ascii_case(whole)))
        || holds_hint(bytes)
        || ends("example")
        || starts(CALLS)
        || starts(&["${", "{{", "<", "%{", "$(", "#{", "@@", "*"])
        || name_only
        || (value.ends_with(')') && value.contains('('))
        || all_the_same(value)
        || crate::inspect::words::holds_mask(value)
}

fn begins(bytes: &[u8], mark: &[u8]) -> bool {
    bytes.get(..mark.len()).is_some_and(|head| head.eq_ignore_ascii_case(mark))
}

/// Parts of values that only stand for one.
const HINTS: &[&str] = &[
    "changeme",
    "change_me",
    "change-me",
    "placeholder",
    "your_",
    "your-",
    "yourpass",
    "yourtoken",
    "yourkey",
    "yoursecret",
    "redacted",
    "replace_",
    "xxxx",
    "****",
    "....",
    "example_",
    "my_secret",
    "insert_",
];

/// Whether one of these parts stands anywhere, in letters of either case.
fn holds_hint(bytes: &[u8]) -> bool {
    static KNOWN: LazyLock<Option<DFA>> = LazyLock::new(|| {
        DFA::builder().start_kind(StartKind::Unanchored).ascii_case_insensitive(true).build(HINTS).ok()
    });
    let slow =
        || HINTS.iter().any(|hint| bytes.windows(hint.len()).any(|part| begins(part, hint.as_bytes())));
    KNOWN
        .as_ref()
        .map_or_else(slow, |known| known.try_find(&Input::new(bytes)).is_ok_and(|hit| hit.is_some()))
}

fn all_the_same(value: &str) -> bool {
    let mut bytes = value.bytes();
    bytes.next().is_some_and(|first| bytes.all(|byte| byte == first))
}

/// Whether a value is a path or an address rather than a secret.
pub(in crate::inspect) fn location(value: &str) -> bool {
    value.contains("://")
        || value.starts_with("arn:")
        || ["/", "./", "../", "~/"].iter().any(|start| value.starts_with(start)) && value.len() < 40
}
