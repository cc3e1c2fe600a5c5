//! Arguments that are paths: decoded until nothing changes, then walked.

use unicode_normalization::UnicodeNormalization as _;

/// Rounds of decoding.
const ROUNDS: usize = 4;

/// Files that hold secrets, as parts of a path in lower case.
const SECRET: [&str; 30] = [
    "/etc/passwd",
    "/etc/shadow",
    "/etc/sudoers",
    "/etc/gshadow",
    "/etc/ssh/",
    "/etc/kubernetes",
    "/proc/",
    "/sys/",
    "/dev/",
    "/.ssh",
    "/.aws",
    "/.env",
    "/.git-credentials",
    "/.netrc",
    "/.pgpass",
    "/.kube",
    "/.docker/config",
    "/.gnupg",
    "/.npmrc",
    "/.pypirc",
    "/id_rsa",
    "/id_ed25519",
    "/id_ecdsa",
    "/.bash_history",
    "/.zsh_history",
    "/windows/system32",
    "/windows/win.ini",
    "/boot.ini",
    "/var/run/secrets",
    "/run/secrets",
];

/// How sure it is that a text is a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sure<'r> {
    /// It is declared as one, perhaps below a folder.
    Declared(Option<&'r str>),
    /// It only looks like one.
    Guessed,
}

/// Why a path must not be used, or `None`.
pub(super) fn judge(text: &str, sure: Sure<'_>) -> Option<&'static str> {
    let path = decoded(text);
    let declared = matches!(sure, Sure::Declared(_));
    if path.contains('\0') || declared && path.chars().any(char::is_control) {
        return Some("a path with control characters");
    }
    let path = path.trim();
    let lower = path.to_ascii_lowercase();
    if declared && (lower.starts_with("file:") || lower.starts_with("//") || lower.starts_with("\\\\")) {
        return Some("a path that leaves this machine or names a scheme");
    }
    let path = path.strip_prefix("file://").unwrap_or(path);
    if declared && path.starts_with('~') {
        return Some("a path into a home folder");
    }
    if secret(&lower) {
        return Some("a path to secrets");
    }
    let absolute = path.starts_with('/') || drive(path);
    let walked = walk(path);
    let Sure::Declared(root) = sure else {
        return (walked.escapes && (walked.ups >= 2 || absolute)).then_some("a path that leaves its folder");
    };
    match root {
        _ if walked.odd => Some("a path with segments of dots"),
        Some(root) if absolute => {
            let root = walk(root).kept;
            let below = !drive(path) && walked.kept.len() >= root.len() && walked.kept.starts_with(&root);
            (!below).then_some("a path outside of its folder")
        }
        // A relative path is taken from the root.
        _ if walked.escapes => Some("a path that leaves its folder"),
        None if absolute && walked.ups > 0 => Some("an absolute path with `..`"),
        _ => None,
    }
}

/// Whether a path names secrets once its `..` are resolved.
fn secret(lower: &str) -> bool {
    let resolved = format!("/{}", walk(lower.strip_prefix("file://").unwrap_or(lower)).kept.join("/"));
    let after_drive = resolved.split_once(":/").map_or(resolved.as_str(), |(_, rest)| rest);
    let hit = |path: &str| {
        SECRET.iter().any(|secret| match secret.strip_suffix('/') {
            // System folders count at the root only.
            Some(folder) => path.starts_with(secret) || path == folder,
            None if secret.starts_with("/etc")
                || secret.starts_with("/var")
                || secret.starts_with("/run") =>
            {
                path.starts_with(secret)
            }
            None => path.match_indices(secret).any(|(at, _)| {
                let after = path.get(at + secret.len()..).unwrap_or_default();
                after.is_empty()
                    || after.starts_with(['/', '.'])
                        && !after.starts_with(".example")
                        && !after.starts_with(".sample")
                        && !after.starts_with(".template")
                    || !secret.starts_with("/.")
            }),
        })
    };
    hit(&resolved) || hit(&format!("/{after_drive}"))
}

struct Walked {
    /// Segments that remain.
    kept: Vec<String>,
    /// Whether it climbs above where it begins.
    escapes: bool,
    /// Number of `..`.
    ups: usize,
    /// `....//` and the like: `..` for whoever strips `../` once.
    odd: bool,
}

fn walk(path: &str) -> Walked {
    let mut walked = Walked { kept: Vec::new(), escapes: false, ups: 0, odd: false };
    for segment in path.split(['/', '\\']) {
        // `..;x` is `..` to some servers, `.. ` to others.
        let name = segment.split(';').next().unwrap_or_default().trim_end_matches(' ');
        match name {
            "" | "." => {}
            ".." => {
                walked.ups += 1;
                walked.escapes |= walked.kept.pop().is_none();
            }
            dots if dots.len() > 2 && dots.bytes().all(|byte| byte == b'.') => {
                walked.odd = true;
                walked.kept.push(dots.to_owned());
            }
            name => walked.kept.push(name.to_owned()),
        }
    }
    walked
}

fn drive(path: &str) -> bool {
    let mut letters = path.chars();
    letters.next().is_some_and(|letter| letter.is_ascii_alphabetic())
        && letters.next() == Some(':')
        && letters.next().is_none_or(|letter| matches!(letter, '/' | '\\'))
}

/// The path without codes, look-alikes and hidden characters.
fn decoded(text: &str) -> String {
    let mut path = text.to_owned();
    for _ in 0..ROUNDS {
        let next = plain(&uncoded(&path));
        if next == path {
            break;
        }
        path = next;
    }
    path
}

fn plain(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let alike = |letter: char| match letter {
        '\u{2044}' | '\u{2215}' | '\u{29F8}' | '\u{2571}' => '/',
        '\u{29F5}' | '\u{29F9}' | '\u{2216}' | '\u{FE68}' => '\\',
        other => other,
    };
    let hidden = |letter: &char| !matches!(letter, '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}' | '\u{AD}');
    text.nfkc().map(alike).filter(hidden).collect()
}

/// One round of `%2e`, `%u002e`, `\u002e`, `\x2e`, overlong UTF-8 included.
fn uncoded(text: &str) -> String {
    if !text.contains('%') && !text.contains("\\u") && !text.contains("\\x") {
        return text.to_owned();
    }
    let mut bytes: Vec<u8> = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let hex = |from: usize, to: usize| {
            rest.get(from..to).and_then(|digits| u32::from_str_radix(digits, 16).ok())
        };
        let wide = rest.starts_with("%u") || rest.starts_with("%U") || rest.starts_with("\\u");
        let (code, length) = match letter {
            '%' | '\\' if wide => (hex(2, 6), 6),
            '%' => (hex(1, 3), 3),
            '\\' if rest.starts_with("\\x") => (hex(2, 4), 4),
            _ => (None, 0),
        };
        let mut buffer = [0; 4];
        match (code, wide) {
            (Some(code), true) => {
                let letter = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                bytes.extend_from_slice(letter.encode_utf8(&mut buffer).as_bytes());
            }
            (Some(code), false) => bytes.push(u8::try_from(code).unwrap_or(b'?')),
            (None, _) => bytes.extend_from_slice(letter.encode_utf8(&mut buffer).as_bytes()),
        }
        let taken = if code.is_some() { length } else { letter.len_utf8() };
        rest = rest.get(taken..).unwrap_or_default();
    }
    shortened(&bytes)
}

/// UTF-8, with overlong forms of ASCII as the letters that careless decoders read.
fn shortened(bytes: &[u8]) -> String {
    let mut out: Vec<u8> = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let next = |ahead: usize| bytes.get(at + ahead).copied();
        match (byte, next(1), next(2)) {
            (0xC0 | 0xC1, Some(low), _) => {
                out.push((byte & 1) << 6 | low & 0x3F);
                at += 2;
            }
            (0xE0, Some(0x80 | 0x81), Some(low)) => {
                out.push((next(1).unwrap_or(0) & 1) << 6 | low & 0x3F);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_out_of_a_folder_are_found() {
        let declared = Sure::Declared(None);
        for text in [
            "../etc/passwd",
            "a/../../b",
            "..\\..\\windows\\win.ini",
            "%2e%2e%2fsecret",
            "%252e%252e%252fsecret",
            "..%c0%af..%c0%afx",
            "%c0%ae%c0%ae/x",
            "..%u2215x",
            "..／..／x",
            "．．/x",
            "..∕x",
            "....//....//x",
            "..;/x",
            ".. /x",
            "/data/../../etc/x",
            "~/.ssh/id_rsa",
            "/etc/passwd",
            "/proc/self/environ",
            "a\0.png",
            "a%00.png",
            "file:///etc/hosts",
            "\\\\host\\share",
            "C:\\..\\x",
            "x/.env",
            "\\u002e\\u002e/x",
            "%uff0e%uff0e/x",
            "..\u{200B}/x",
            "%25252e%25252e%25252fx",
            "/a/b/.aws/credentials",
            "/var/www/../../etc/passwd",
        ] {
            assert!(judge(text, declared).is_some(), "{text:?}");
        }
        let below = Sure::Declared(Some("/srv/data"));
        for text in ["/srv/data/../x", "/srv/database/x", "/srv", "../x", "/srv/data/%2e%2e/x", "C:\\x", "/"]
        {
            assert!(judge(text, below).is_some(), "{text:?}");
        }
        for text in ["/srv/data", "/srv/data/a/b.txt", "a/../b", "src/../README.md", "/srv/data/./a"] {
            assert_eq!(judge(text, below), None, "{text:?}");
        }
        for text in [
            "src/../README.md",
            "a/b/c.txt",
            "/home/me/project/file.rs",
            "..foo/bar..",
            "version 1..2",
            "C:/Users/me/a.txt",
            ".environment",
            "a/.env.example",
            "/home/me/device/x",
            "100%/done",
            "a b/c d.txt",
        ] {
            assert_eq!(judge(text, declared), None, "{text:?}");
        }
        for text in ["src/../README.md", "../sibling/file.rs", "see ../docs"] {
            assert_eq!(judge(text, Sure::Guessed), None, "{text:?}");
        }
        for text in ["../../../../etc/hosts", "/etc/passwd", "..%2f..%2f..%2fx"] {
            assert!(judge(text, Sure::Guessed).is_some(), "{text:?}");
        }
    }
}
