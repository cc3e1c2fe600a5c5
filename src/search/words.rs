//! Words of a text: runs of letters and digits in lower case. The index and the scan cut texts with the same code.

use serde_json::Value;
use std::ops::Range;

/// Longest word, in bytes; a longer one is cut, in texts and in queries alike.
const LONGEST: usize = 128;
/// How deep JSON inside strings of JSON is opened.
const NESTED: u32 = 3;

/// Walks over the words of a text.
#[derive(Debug, Clone)]
pub(super) struct Words<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Words<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// Writes the next word into `word`, and returns where it stands.
    pub(super) fn next_into(&mut self, word: &mut String) -> Option<Range<usize>> {
        word.clear();
        let rest = self.text.get(self.at..)?;
        let start = self.at + rest.find(char::is_alphanumeric)?;
        let run = self.text.get(start..)?;
        let end = start + run.find(|c: char| !c.is_alphanumeric()).unwrap_or(run.len());
        for c in self.text.get(start..end)?.chars().flat_map(char::to_lowercase) {
            if word.len() + c.len_utf8() > LONGEST {
                break;
            }
            word.push(c);
        }
        self.at = end;
        Some(start..end)
    }
}

impl Iterator for Words<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut word = String::new();
        self.next_into(&mut word).map(|_| word)
    }
}

/// The texts of a payload: names, strings and numbers of its JSON, each apart; what is no JSON, whole.
pub(super) fn texts(payload: &str) -> Vec<String> {
    let mut found = Vec::new();
    match opened(payload) {
        Some(value) => walk(value, NESTED, &mut found),
        None => found.push(payload.to_owned()),
    }
    found
}

fn opened(text: &str) -> Option<Value> {
    let inner = text.trim_start();
    if inner.starts_with(['{', '[']) { serde_json::from_str(inner).ok() } else { None }
}

/// JSON keeps texts escaped (`\n` would begin the next word): they are taken out of it, also of JSON inside a string.
fn walk(value: Value, nested: u32, found: &mut Vec<String>) {
    match value {
        Value::String(text) => match if nested > 0 { opened(&text) } else { None } {
            Some(inner) => walk(inner, nested - 1, found),
            None => found.push(text),
        },
        Value::Number(number) => found.push(number.to_string()),
        Value::Array(items) => items.into_iter().for_each(|item| walk(item, nested, found)),
        Value::Object(members) => {
            for (name, value) in members {
                found.push(name);
                walk(value, nested, found);
            }
        }
        Value::Bool(_) | Value::Null => {}
    }
}

/// Whether the words stand in the text one after the other.
pub(super) fn holds(text: &str, wanted: &[String]) -> bool {
    let words: Vec<String> = Words::of(text).collect();
    words.windows(wanted.len().max(1)).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::{Words, holds, texts};

    #[test]
    fn words_are_runs_of_letters_and_digits_in_lower_case() {
        let words: Vec<String> = Words::of("DROP  table_x; Größe=7, ΑΒΓ!").collect();
        assert_eq!(words, ["drop", "table", "x", "größe", "7", "αβγ"]);
        assert_eq!(Words::of(&"a".repeat(500)).collect::<Vec<_>>(), ["a".repeat(128)]);
        assert!(Words::of("…!?").next().is_none());
    }

    #[test]
    fn texts_are_taken_out_of_json_also_out_of_json_in_a_string() {
        assert_eq!(texts("{\"a\":\"x\\nDROP\",\"n\":[1,true]}"), ["a", "x\nDROP", "n", "1"]);
        assert_eq!(texts("{\"t\":\"{\\\"q\\\":\\\"a\\\\nb\\\"}\"}"), ["t", "q", "a\nb"]);
        assert_eq!(texts("{ not json"), ["{ not json"]);
    }

    #[test]
    fn a_phrase_is_words_in_a_row() {
        let phrase = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert!(holds("please DROP table now", &phrase(&["drop", "table"])));
        assert!(!holds("drop the table", &phrase(&["drop", "table"])));
    }
}
