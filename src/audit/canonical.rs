//! The canonical form of records (`audit/FORMAT.md`, a subset of RFC 8785), checked in one pass over the bytes.
//!
//! No spaces; object keys of ASCII, sorted, each once; whole numbers that a double holds exactly; in strings only the
//! shortest escapes, and only where JSON asks for one. So a value has one spelling, and no two parsers can disagree.

use std::borrow::Cow;

/// Deepest nesting of objects and arrays.
const DEPTH: u32 = 127;
/// The largest number, in digits and as a value.
const SAFE: u64 = (1 << 53) - 1;

/// Whether bytes are one canonical record. `member` hears the name and the text of each member of it.
pub(super) fn record<'t>(bytes: &'t [u8], member: &mut dyn FnMut(&'t str, &'t str)) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut scan = Scan { text, at: 0 };
    text.starts_with('{') && scan.object(1, Some(member)).is_some() && scan.at == text.len()
}

/// Whether a text is one canonical value.
pub(super) fn is_value(text: &str) -> bool {
    let mut scan = Scan { text, at: 0 };
    scan.value(0).is_some() && scan.at == text.len()
}

struct Scan<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scan<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, expected: u8) -> Option<()> {
        (self.peek()? == expected).then(|| self.at += 1)
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let rest = self.text.as_bytes().get(self.at..)?;
        rest.starts_with(word.as_bytes()).then(|| self.at += word.len())
    }

    fn value(&mut self, depth: u32) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b'{' => self.object(depth + 1, None),
            b'[' => self.array(depth + 1),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number(),
        }
    }

    fn array(&mut self, depth: u32) -> Option<()> {
        self.take(b'[')?;
        if self.take(b']').is_some() {
            return (depth <= DEPTH).then_some(());
        }
        loop {
            if depth > DEPTH {
                return None;
            }
            self.value(depth)?;
            match self.peek()? {
                b',' => self.at += 1,
                _ => return self.take(b']'),
            }
        }
    }

    fn object(&mut self, depth: u32, mut member: Option<&mut dyn FnMut(&'t str, &'t str)>) -> Option<()> {
        if depth > DEPTH {
            return None;
        }
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            return Some(());
        }
        let mut before: Option<Cow<'t, str>> = None;
        loop {
            let (raw, escaped) = self.string()?;
            let key = if escaped { Cow::Owned(unescaped(raw)?) } else { Cow::Borrowed(raw) };
            if !key.is_ascii() || before.as_ref().is_some_and(|before| *before >= key) {
                return None;
            }
            self.take(b':')?;
            let from = self.at;
            self.value(depth)?;
            if let Some(member) = &mut member {
                member(raw, self.text.get(from..self.at)?);
            }
            before = Some(key);
            match self.peek()? {
                b',' => self.at += 1,
                _ => return self.take(b'}'),
            }
        }
    }

    /// A string: what is between its quotes, and whether that holds escapes.
    fn string(&mut self) -> Option<(&'t str, bool)> {
        self.take(b'"')?;
        let from = self.at;
        let mut escaped = false;
        loop {
            match self.peek()? {
                b'"' => {
                    let raw = self.text.get(from..self.at)?;
                    self.at += 1;
                    return Some((raw, escaped));
                }
                b'\\' => {
                    escaped = true;
                    self.at += 1;
                    self.escape()?;
                }
                0..=0x1f => return None,
                _ => self.at += 1,
            }
        }
    }

    /// The shortest escape of a character that needs one.
    fn escape(&mut self) -> Option<()> {
        let letter = self.peek()?;
        self.at += 1;
        if letter != b'u' {
            return matches!(letter, b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't').then_some(());
        }
        let digits = self.text.as_bytes().get(self.at..self.at + 4)?;
        self.at += 4;
        let [b'0', b'0', high @ (b'0' | b'1'), low @ (b'0'..=b'9' | b'a'..=b'f')] = digits else {
            return None;
        };
        // Those have a letter of their own: backspace, tab, line feed, form feed, carriage return.
        let has_letter = *high == b'0' && matches!(low, b'8' | b'9' | b'a' | b'c' | b'd');
        (!has_letter).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        let negative = self.take(b'-').is_some();
        let from = self.at;
        let mut value: u64 = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
            self.at += 1;
        }
        let digits = self.text.as_bytes().get(from..self.at)?;
        let spelled = match digits {
            [] => false,
            [b'0'] => !negative,
            [first, ..] => *first != b'0',
        };
        (spelled && value <= SAFE).then_some(())
    }
}

/// A string's content, from between its quotes.
pub(super) fn unescaped(raw: &str) -> Option<String> {
    serde_json::from_str(&format!("\"{raw}\"")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    /// The same by parsing and printing again.
    fn by_printing(text: &str) -> bool {
        let Ok(value) = serde_json::from_str::<Value>(text) else { return false };
        sorted_and_whole(&value) && serde_json::to_string(&value).is_ok_and(|again| again == text)
    }

    fn sorted_and_whole(value: &Value) -> bool {
        match value {
            Value::Number(n) => {
                n.as_u64().is_some_and(|n| n <= SAFE) || n.as_i64().is_some_and(|n| n.unsigned_abs() <= SAFE)
            }
            Value::Array(items) => items.iter().all(sorted_and_whole),
            Value::Object(members) => {
                let sorted = members.keys().zip(members.keys().skip(1)).all(|(a, b)| a < b);
                sorted && members.iter().all(|(key, value)| key.is_ascii() && sorted_and_whole(value))
            }
            _ => true,
        }
    }

    /// Values as they may be, printed with their keys sorted.
    fn canonical() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-(1_i64 << 53)..=(1 << 53)).prop_map(Value::from),
            "\\PC{0,6}|[\\x00-\\x24\\\\\"\u{2028}é]{0,6}".prop_map(Value::from),
        ];
        let value = leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c\"\\\\\\x01\\x1fé]{0,3}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        });
        value.prop_map(|value| value.to_string())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn one_pass_says_the_same_as_parsing_and_printing(
            text in canonical(),
            at in any::<prop::sample::Index>(),
            with in "[\\x00-\\x7f]{0,2}|é|\\\\u001f|\\\\u000[0-9a-fA-F]",
        ) {
            prop_assert_eq!(is_value(&text), by_printing(&text), "{}", text);
            // And after any edit.
            let chars: Vec<char> = text.chars().collect();
            let place = at.index(chars.len() + 1);
            let (before, after) = chars.split_at(place);
            for after in [after, after.get(1..).unwrap_or_default()] {
                let ends = [before, after].map(|part| part.iter().collect::<String>());
                let edited = ends.join(&with);
                prop_assert_eq!(is_value(&edited), by_printing(&edited), "{}", edited);
            }
        }
    }

    #[test]
    fn what_has_another_spelling_is_not_canonical() {
        for text in [
            "",
            " 1",
            "1 ",
            "01",
            "-0",
            "-",
            "1.0",
            "1e3",
            "9007199254740992",
            "18446744073709551616",
            "nul",
            "\"",
            "\"\\/\"",
            "\"\\u0041\"",
            "\"\\u001F\"",
            "\"\\u000a\"",
            "\"\n\"",
            "[1,]",
            "[,1]",
            "{\"a\":1,\"a\":1}",
            "{\"b\":1,\"a\":1}",
            "{\"é\":1}",
            "{\"a\" :1}",
            "{\"a\":1}}",
            "[1 ,2]",
        ] {
            assert!(!is_value(text), "{text}");
        }
        for text in [
            "0",
            "-1",
            "9007199254740991",
            "\"\\u001f\\n\\\"\u{2028}\"",
            "[]",
            "{}",
            "{\"\":0,\"\\u0001\":1,\"a\":{}}",
        ] {
            assert!(is_value(text), "{text}");
        }
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for depth in [1, 126, 127, 128, 129, 5_000] {
            assert_eq!(is_value(&nested(depth)), by_printing(&nested(depth)), "{depth}");
        }
    }

    #[test]
    fn the_members_of_a_record_are_told_with_their_texts() {
        let mut told = Vec::new();
        assert!(record(br#"{"a":{"b":[1,"x"]},"c":"d"}"#, &mut |name, text| told.push((name, text))));
        assert_eq!(told, [("a", r#"{"b":[1,"x"]}"#), ("c", r#""d""#)]);
        assert!(!record(b"[1]", &mut |_, _| ()));
        assert!(!record(b"{\"a\":\"\xff\"}", &mut |_, _| ()));
    }
}
