//! What servers say of their tools, prompts, resources and of themselves.

use std::borrow::Cow;

use regex::Regex;
use serde_json::Value;

use super::config::Hold;
use super::hidden::{self, Hidden};
use super::score::{Aims, score};
use super::{DefinitionRules, Judged, Sanitizer, encoded, fold, names};

/// Longest string of a definition that is looked at; more is refused.
const LONGEST: usize = 256 << 10;
/// White space that pushes text out of sight: lines, and blanks on one line.
const LINES: usize = 40;
const BLANKS: usize = 200;

impl Sanitizer {
    /// Judges one definition: a tool, prompt, resource or template, as raw JSON.
    pub fn definition(&self, json: &str, rules: &DefinitionRules) -> Judged {
        let Ok(value) = serde_json::from_str::<Value>(json) else {
            let mut judged = Judged::default();
            judged.add(self.reason("MALFORMED", "not valid JSON", "block", (String::new(), "")));
            return judged;
        };
        let mut look = Look { sanitizer: self, rules, judged: Judged::default(), aims: Aims::default() };
        look.walk("", &value, "");
        look.combined();
        if value.get("inputSchema").is_some()
            && let Some(name) = value.get("name").and_then(Value::as_str)
            && !names::is_plain_name(name)
        {
            look.sign("NAME", "a name beyond `[A-Za-z0-9_.-]{1,128}`", rules.names, ("/name", name));
        }
        look.judged
    }

    /// Judges text that a server tells models directly, such as its instructions.
    pub fn prose(&self, pointer: &str, text: &str, rules: &DefinitionRules) -> Judged {
        let mut look = Look { sanitizer: self, rules, judged: Judged::default(), aims: Aims::default() };
        look.text(pointer, text);
        look.combined();
        look.judged
    }
}

struct Look<'s> {
    sanitizer: &'s Sanitizer,
    rules: &'s DefinitionRules,
    judged: Judged,
    aims: Aims,
}

impl Look<'_> {
    fn sign(&mut self, kind: &'static str, detail: &'static str, hold: Hold, (pointer, value): (&str, &str)) {
        if let Some(action) = hold.action() {
            self.judged.add(self.sanitizer.reason(kind, detail, action, (pointer.to_owned(), value)));
        }
    }

    fn walk(&mut self, pointer: &str, value: &Value, key: &str) {
        match value {
            Value::String(text) => {
                self.text(pointer, text);
                if key == "src" || key == "icon" {
                    self.icon(pointer, text);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.walk(&format!("{pointer}/{index}"), item, key);
                }
                // A sentence can be cut into the values of an enumeration.
                let words: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                if words.len() > 1 {
                    self.phrases(pointer, &words.join(" "));
                }
            }
            Value::Object(members) => {
                for (key, item) in members {
                    let inner = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                    self.text(&inner, key);
                    if key == "x-mcp-header" && sensitive_name(pointer) {
                        self.sign(
                            "SECRET_HEADER",
                            "a secret is copied into a header",
                            Hold::Flag,
                            (&inner, ""),
                        );
                    }
                    self.walk(&inner, item, key);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn icon(&mut self, pointer: &str, source: &str) {
        let start = source.trim_start().to_ascii_lowercase();
        let script = ["javascript:", "vbscript:", "data:text/html", "data:image/svg", "file:"];
        if script.iter().any(|scheme| start.starts_with(scheme)) {
            self.sign("SCRIPT_LINK", "an icon that can run scripts", Hold::Flag, (pointer, source));
        }
    }

    fn text(&mut self, pointer: &str, text: &str) {
        if text.len() > LONGEST {
            return self.sign("TOO_LONG", "a string longer than 256 KiB", Hold::Block, (pointer, ""));
        }
        self.hidden(pointer, text);
        if text.len() < 8 {
            return;
        }
        if fold::mixes_scripts(text) {
            self.sign("CONFUSABLE", "words of mixed scripts", self.rules.zero_width, (pointer, text));
        }
        self.concealed(pointer, text);
        self.phrases(pointer, text);
    }

    fn hidden(&mut self, pointer: &str, text: &str) {
        if !hidden::may_hide(text) {
            return;
        }
        let hits = hidden::hits(text);
        let invisible = hits.iter().filter(|hit| hit.what == Hidden::ZeroWidth).count();
        for hit in hits {
            // A byte order mark or a soft hyphen is an oversight; a score of them is a code.
            let certain = hit.what.is_certain() || invisible >= 16;
            let hold = if certain { self.rules.hidden } else { self.rules.zero_width };
            let value = text.get(hit.start..hit.end).unwrap_or_default();
            self.sign("HIDDEN_UNICODE", hit.what.detail(), hold, (pointer, value));
        }
    }

    fn concealed(&mut self, pointer: &str, text: &str) {
        if text.contains("<!--") {
            self.sign("CONCEALED", "a comment", self.rules.concealed, (pointer, text));
        }
        if pushed_away(text) {
            self.sign("CONCEALED", "text behind much white space", self.rules.concealed, (pointer, text));
        }
        if self.sanitizer.patterns.unseen.is_match(text) {
            self.sign("CONCEALED", "text that markup makes invisible", self.rules.concealed, (pointer, text));
        }
        for reading in encoded::readings(text) {
            let read = score(&self.sanitizer.phrases, &fold::plain(&reading.text));
            if reading.opaque || !read.classes.is_empty() {
                self.aims.join(read.aims);
                self.sign("CONCEALED", reading.how, self.rules.concealed, (pointer, text));
            }
        }
    }

    fn phrases(&mut self, pointer: &str, text: &str) {
        let plain = fold::plain(text);
        let judged = score(&self.sanitizer.phrases, &plain);
        self.aims.join(judged.aims);
        for class in judged.classes {
            let hold = match class {
                super::phrases::Class::Markup => self.rules.concealed,
                _ => self.rules.instructions,
            };
            self.sign("INSTRUCTION", class.detail(), hold, (pointer, text));
        }
    }

    /// Two of the three aims in one definition: a person has to look.
    fn combined(&mut self) {
        let instructed = self.judged.reasons.iter().any(|reason| reason.kind == "INSTRUCTION");
        if self.aims.two_of_three() && instructed && self.rules.instructions != Hold::Off {
            let hold = if self.rules.instructions == Hold::Block { Hold::Block } else { Hold::Quarantine };
            self.sign("INSTRUCTION", "commands, secrets and addresses together", hold, ("", ""));
        }
    }
}

/// Whether text follows white space that nobody scrolls through.
fn pushed_away(text: &str) -> bool {
    let (mut lines, mut blanks) = (0, 0);
    for letter in text.trim_end().chars() {
        match letter {
            '\n' | '\r' | '\u{2028}' | '\u{2029}' | '\u{B}' | '\u{C}' => lines += 1,
            ' '
            | '\t'
            | '\u{A0}'
            | '\u{3000}'
            | '\u{2800}'
            | '\u{2000}'..='\u{200A}'
            | '\u{202F}'
            | '\u{205F}' => {
                blanks += 1;
            }
            _ if lines >= LINES || blanks >= BLANKS => return true,
            _ => (lines, blanks) = (0, 0),
        }
    }
    false
}

/// Whether the last name of a pointer sounds like a secret.
fn sensitive_name(pointer: &str) -> bool {
    let name: Cow<'_, str> = pointer.rsplit('/').next().unwrap_or_default().to_ascii_lowercase().into();
    ["password", "passwd", "secret", "token", "api_key", "apikey", "credential", "ssn", "card"]
        .iter()
        .any(|word| name.contains(word))
}

/// Markup that hides what it holds.
pub(super) fn unseen() -> Result<Regex, Box<regex::Error>> {
    let pattern = r#"(?i)(?:display\s{0,3}:\s{0,3}none|visibility\s{0,3}:\s{0,3}hidden|font-size\s{0,3}:\s{0,3}0(?:px|pt|em|;|")|color\s{0,3}:\s{0,3}(?:white|transparent|#fff(?:fff)?)\b|opacity\s{0,3}:\s{0,3}0\b)"#;
    Regex::new(pattern).map_err(Box::new)
}
