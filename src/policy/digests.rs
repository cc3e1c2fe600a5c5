//! Fingerprints of what decides, so that a record leads back to it.

use aws_lc_rs::digest::{Context, SHA256};

/// Digests of everything that a decision depends on besides the question, each `sha256:` and 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests {
    /// The policy files.
    pub policy_set: String,
    /// The base schema and what was generated from the tools.
    pub schema: String,
    /// Servers, tools, prompts, groups and the time zone.
    pub entities: String,
}

/// The digest of named parts. The order in which they are given makes no difference.
///
/// It is SHA-256 over, for each part sorted by name: the length of the name (8 bytes, big endian), the name,
/// the length of the content, the content.
pub(super) fn of<'a>(parts: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> String {
    let mut parts: Vec<_> = parts.into_iter().collect();
    parts.sort_unstable();
    let mut hash = Context::new(&SHA256);
    for (name, content) in parts {
        for bytes in [name.as_bytes(), content] {
            hash.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(bytes);
        }
    }
    let mut text = String::from("sha256:");
    for byte in hash.finish().as_ref() {
        for nibble in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(nibble), 16));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn the_order_of_parts_makes_no_difference_and_their_borders_do() {
        let one = of([("a", b"x".as_slice()), ("b", b"y")]);
        assert_eq!(one, of([("b", b"y".as_slice()), ("a", b"x")]));
        assert_ne!(one, of([("a", b"xb".as_slice()), ("", b"y")]));
        assert_eq!(one.len(), "sha256:".len() + 64);
    }
}
