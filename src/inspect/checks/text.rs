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
    const PARTS: &[&str] = &[
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
        "xxxx",
        "****",
        "....",
        "example_",
        "my_secret",
        "insert_",
        "replace_",
    ];
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
    let lower = value.to_ascii_lowercase();
    let starts = |marks: &[&str]| marks.iter().any(|mark| lower.starts_with(mark));
    let name_only =
        value.starts_with('$') && value.bytes().skip(1).all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    WHOLE.contains(&lower.as_str())
        || PARTS.iter().any(|part| lower.contains(part))
        || lower.ends_with("example")
        || starts(CALLS)
        || starts(&["${", "{{", "<", "%{", "$(", "#{", "@@", "*"])
        || name_only
        || (lower.contains('(') && lower.ends_with(')'))
        || all_the_same(value)
        || crate::inspect::words::holds_mask(value)
}

fn all_the_same(value: &str) -> bool {
    let mut bytes = value.bytes();
    bytes.next().is_some_and(|first| bytes.all(|byte| byte == first))
}

/// Whether a value is a path or an address rather than a secret.
pub(in crate::inspect) fn location(value: &str) -> bool {
    value.contains("://")
        || ["/", "./", "../", "~/"].iter().any(|start| value.starts_with(start)) && value.len() < 40
}
