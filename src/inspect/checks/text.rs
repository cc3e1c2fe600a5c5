//! Whether a text looks like a secret, or only stands for one.

/// Shannon entropy in bits a byte.
pub(in crate::inspect) fn entropy(text: &str) -> f64 {
    let mut counts = [0u32; 256];
    for &byte in text.as_bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let length = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|&count| f64::from(count) / length)
        .map(|share| -share * share.log2())
        .sum()
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
    WHOLE.iter().any(|whole| value.eq_ignore_ascii_case(whole))
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

/// Parts of values that only stand for one, by their first letter.
fn hints(first: u8) -> &'static [&'static str] {
    match first {
        b'c' | b'C' => &["changeme", "change_me", "change-me"],
        b'p' | b'P' => &["placeholder"],
        b'y' | b'Y' => &["your_", "your-", "yourpass", "yourtoken", "yourkey", "yoursecret"],
        b'r' | b'R' => &["redacted", "replace_"],
        b'x' | b'X' => &["xxxx"],
        b'*' => &["****"],
        b'.' => &["...."],
        b'e' | b'E' => &["example_"],
        b'm' | b'M' => &["my_secret"],
        b'i' | b'I' => &["insert_"],
        _ => &[],
    }
}

/// Whether one of these parts stands anywhere, in letters of either case.
fn holds_hint(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().any(|(at, byte)| {
        hints(*byte).iter().any(|hint| bytes.get(at..).is_some_and(|rest| begins(rest, hint.as_bytes())))
    })
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
