//! Names of tools: which are plain, and which look like another.

use unicode_normalization::UnicodeNormalization as _;
use unicode_security::skeleton as uts39;

/// Whether a name is one that models and people read alike: `[A-Za-z0-9_.-]{1,128}` (MCP, tool names).
pub fn is_plain_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=128).contains(&name.len()) && name.bytes().all(plain)
}

/// What a name looks like: NFKC, lower case, without `-_.` and blanks, then the skeleton of UTS #39. Names with equal
/// skeletons can be taken for one another.
pub fn skeleton(name: &str) -> String {
    let folded: String = name
        .nfkc()
        .flat_map(char::to_lowercase)
        .filter(|letter| !matches!(letter, '-' | '_' | '.' | ' '))
        .collect();
    uts39(&folded).flat_map(char::to_lowercase).collect()
}

/// Whether two names that differ can be taken for one another.
pub fn confusable(one: &str, other: &str) -> bool {
    one != other && skeleton(one) == skeleton(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_are_found() {
        for (one, other) in [
            ("send_email", "sendEmail"),
            ("send_email", "send-email"),
            ("read_file", "read_fi1e"),
            ("search", "ѕеаrсh"),
            ("list", "ｌｉｓｔ"),
            ("get_O", "get_0"),
        ] {
            assert!(confusable(one, other), "{one} {other}");
        }
        for (one, other) in [("read_file", "read_files"), ("a", "a"), ("get_user", "set_user")] {
            assert!(!confusable(one, other), "{one} {other}");
        }
        assert!(is_plain_name("git_log.v2-x") && !is_plain_name("") && !is_plain_name("a b"));
    }
}
