//! What agents ask: addresses, paths, identifiers and words, by what is declared of an argument or by what it is.

use aho_corasick::AhoCorasick;
use regex::Regex;
use serde_json::Value;

use super::config::Guard;
use super::injection::{Injection, not_a_word, not_an_id};
use super::sanitizer::Error;
use super::strings::{Strings, decode};
use super::{ArgumentRules, Judged, Sanitizer, Semantic, definitions, paths, urls};

/// Longest undeclared string that is looked at as a whole; of longer ones the beginning.
const LONGEST: usize = 64 << 10;

/// Compiled patterns beside phrases and links.
#[derive(Debug)]
pub(super) struct Patterns {
    pub injection: Injection,
    pub unseen: Regex,
    gate: AhoCorasick,
}

impl Patterns {
    pub fn new() -> Result<Self, Error> {
        let leads = [
            "://",
            "//",
            "\\\\",
            "..",
            "%2e",
            "%2f",
            "%u",
            "%c0",
            "/proc",
            "/etc",
            ".ssh",
            ".aws",
            ".env",
            "/sys/",
            "id_rsa",
            "file:",
            ";",
            "|",
            "&&",
            "$(",
            "${",
            "$ifs",
            "`",
            "--",
            "-oproxy",
            "' ",
            "'or",
            "union",
            "sleep",
            "select",
            " or ",
            "waitfor",
            "secrets",
            "\\u",
            "\\n",
            "jar:",
            "\u{ff0e}",
            "win.ini",
            "system32",
            "_history",
            ".netrc",
            ".kube",
            ".gnupg",
            "credentials",
            ">",
        ];
        Ok(Self {
            injection: Injection::new()?,
            unseen: definitions::unseen()?,
            gate: AhoCorasick::builder().ascii_case_insensitive(true).build(leads)?,
        })
    }
}

/// What is declared of one argument.
pub(super) struct Declared<'d> {
    pub pointer: &'d str,
    pub semantic: &'d Semantic,
}

impl Sanitizer {
    /// Judges the arguments of one call as raw JSON, by what is declared of them: JSON pointers (`*` stands for any
    /// one segment) and meanings.
    pub fn arguments(&self, json: &str, semantics: &[(String, Semantic)], rules: &ArgumentRules) -> Judged {
        let mut judged = Judged::default();
        if semantics.is_empty() && !self.patterns.gate.is_match(json) {
            return judged;
        }
        let mut strings = Strings::of(json);
        while let Some(literal) = strings.next() {
            if literal.is_key || literal.raw.is_empty() {
                continue;
            }
            let declared = if semantics.is_empty() {
                None
            } else {
                let pointer = strings.pointer();
                semantics
                    .iter()
                    .map(|(pattern, semantic)| Declared { pointer: pattern, semantic })
                    .find(|declared| fits(declared.pointer, &pointer))
            };
            let text = decode(literal.raw).0;
            match declared {
                Some(declared) => self.declared(&text, declared.semantic, (rules, &strings), &mut judged),
                None if literal.raw.len() < 3 => {}
                None => self.undeclared(&text, (rules, &strings), &mut judged),
            }
        }
        judged
    }

    fn declared(
        &self,
        text: &str,
        semantic: &Semantic,
        at: (&ArgumentRules, &Strings<'_>),
        judged: &mut Judged,
    ) {
        let (rules, strings) = at;
        let (kind, guard, why) = match semantic {
            Semantic::Url => {
                ("SSRF", rules.ssrf, urls::judge(text, urls::Sure::Declared, &rules.allowed_hosts))
            }
            Semantic::Path { root } => (
                "PATH_TRAVERSAL",
                rules.traversal,
                paths::judge(text, paths::Sure::Declared(root.as_deref())),
            ),
            Semantic::Id | Semantic::Token => {
                let kind = if self.patterns.injection.is_sql(text) { "SQL_INJECTION" } else { "INJECTION" };
                (kind, rules.injection, not_an_id(text))
            }
            Semantic::Shell => ("COMMAND_INJECTION", rules.injection, not_a_word(text)),
        };
        if let (Some(why), Some(action)) = (why, guard.action()) {
            judged.add(self.reason(kind, why, action, (strings.pointer(), text)));
        }
    }

    fn undeclared(&self, text: &str, at: (&ArgumentRules, &Strings<'_>), judged: &mut Judged) {
        let (rules, strings) = at;
        let text = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default();
        let one_word = !text.trim().contains(char::is_whitespace)
            || text.trim_start().starts_with("http") && text.len() < 4096;
        let mut sign = |kind: &'static str, why: Option<&'static str>, guard: Guard| {
            if let (Some(why), Some(action)) = (why, guard.action()) {
                judged.add(self.reason(kind, why, action, (strings.pointer(), text)));
            }
        };
        // A whole address is one, whatever is declared of it.
        let address = one_word.then(|| urls::judge(text, urls::Sure::Whole, &rules.allowed_hosts)).flatten();
        match address {
            Some(why) => sign("SSRF", Some(why), rules.ssrf),
            None => sign("SSRF", urls::in_prose(text, &rules.allowed_hosts), rules.undeclared),
        }
        if address.is_none() {
            sign("PATH_TRAVERSAL", traversal(text), rules.undeclared);
        }
        let command = self.patterns.injection.is_command(text).then_some("signs of a command");
        sign("COMMAND_INJECTION", command, rules.undeclared);
        let sql = self.patterns.injection.is_sql(text).then_some("signs of SQL");
        sign("SQL_INJECTION", sql, rules.undeclared);
    }
}

/// Paths inside of a text that nobody has declared.
fn traversal(text: &str) -> Option<&'static str> {
    if text.len() > 4096 {
        return None;
    }
    text.split(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | ',' | '=' | '`'))
        .filter(|word| word.contains(['/', '\\', '%']) || word.contains("..") || word.starts_with(['.', '~']))
        .find_map(|word| paths::judge(word, paths::Sure::Guessed))
}

/// Whether a pointer is of a declared place: segment by segment, `*` for any, and everything below.
fn fits(pattern: &str, pointer: &str) -> bool {
    let mut segments = pointer.split('/').skip(1);
    let pattern = pattern.strip_prefix('/').unwrap_or(pattern);
    pattern.split('/').all(|wanted| segments.next().is_some_and(|found| wanted == "*" || wanted == found))
}

/// What a schema says of its arguments: `format: uri` is an address. Pointers as in [`Sanitizer::arguments`].
pub(super) fn hinted(schema: &Value) -> Vec<(String, Semantic)> {
    let mut found = Vec::new();
    hints(schema, String::new(), 0, &mut found);
    found
}

fn hints(schema: &Value, pointer: String, depth: usize, found: &mut Vec<(String, Semantic)>) {
    if depth > 16 || found.len() >= 256 {
        return;
    }
    let semantic = match schema.get("format").and_then(Value::as_str) {
        Some("uri" | "url" | "iri") => Some(Semantic::Url),
        Some("id") => Some(Semantic::Id),
        _ => None,
    };
    found.extend(semantic.filter(|_| !pointer.is_empty()).map(|semantic| (pointer.clone(), semantic)));
    for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        hints(inner, format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), depth + 1, found);
    }
    if let Some(items) = schema.get("items") {
        hints(items, format!("{pointer}/*"), depth + 1, found);
    }
}
