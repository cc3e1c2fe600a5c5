//! Lossless edits of JSON text: what is not changed keeps its bytes.
//!
//! All functions here expect text that [`super::check`] has accepted. On other text they return less, or
//! `None`; they never panic.

use std::borrow::Cow;
use std::fmt::Write as _;

/// One member of an object, as spans of the original text.
#[derive(Debug, Clone)]
struct Member<'a> {
    key: Cow<'a, str>,
    /// From the opening quote of the key to the end of the value.
    start: usize,
    value: (usize, usize),
}

/// The members of one JSON object, read without touching their values.
#[derive(Debug, Clone)]
pub struct Object<'a> {
    text: &'a str,
    members: Vec<Member<'a>>,
}

impl<'a> Object<'a> {
    /// Reads the members of `text`, or `None` if it is not an object.
    pub fn parse(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        let mut at = skip_space(bytes, 0);
        if bytes.get(at) != Some(&b'{') {
            return None;
        }
        at = skip_space(bytes, at + 1);
        let mut members = Vec::with_capacity(8);
        while bytes.get(at) == Some(&b'"') {
            let start = at;
            let key_end = skip_string(bytes, at)?;
            let key = string_value(text.get(start..key_end)?)?;
            at = skip_space(bytes, key_end);
            if bytes.get(at) != Some(&b':') {
                return None;
            }
            let from = skip_space(bytes, at + 1);
            let to = skip_value(bytes, from)?;
            members.push(Member { key, start, value: (from, to) });
            at = skip_space(bytes, to);
            if bytes.get(at) != Some(&b',') {
                break;
            }
            at = skip_space(bytes, at + 1);
        }
        (bytes.get(at) == Some(&b'}')).then_some(Self { text, members })
    }

    /// The raw JSON of a member's value.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        let member = self.members.iter().find(|m| m.key == key)?;
        self.text.get(member.value.0..member.value.1)
    }

    /// A member's value if it is a string.
    pub fn str(&self, key: &str) -> Option<Cow<'a, str>> {
        string_value(self.get(key)?)
    }

    /// A member's value if it is an object.
    pub fn object(&self, key: &str) -> Option<Object<'a>> {
        Object::parse(self.get(key)?)
    }

    /// Keys and raw values in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.members.iter().map(|m| (m.key.as_ref(), self.text.get(m.value.0..m.value.1).unwrap_or("null")))
    }

    /// Whether the object has no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

/// An edit of one object's members. Members that are not named keep their bytes and their order.
#[derive(Debug)]
pub struct Edit<'a> {
    object: Object<'a>,
    set: Vec<(&'a str, String)>,
    removed: Vec<&'a str>,
}

impl<'a> Edit<'a> {
    /// Begins an edit of `text`, or `None` if it is not an object.
    pub fn of(text: &'a str) -> Option<Self> {
        Some(Self { object: Object::parse(text)?, set: Vec::new(), removed: Vec::new() })
    }

    /// Sets a member to raw JSON: in its place if it is there, else at the end.
    #[must_use]
    pub fn set(mut self, key: &'a str, raw: impl Into<String>) -> Self {
        self.set.push((key, raw.into()));
        self
    }

    /// Removes a member if it is there.
    #[must_use]
    pub fn remove(mut self, key: &'a str) -> Self {
        self.removed.push(key);
        self
    }

    /// The edited text.
    pub fn finish(self) -> String {
        let text = self.object.text;
        let extra: usize = self.set.iter().map(|(k, v)| k.len() + v.len() + 8).sum();
        let mut out = String::with_capacity(text.len() + extra);
        out.push('{');
        let mut first = true;
        let comma = |out: &mut String, first: &mut bool| {
            if !std::mem::take(first) {
                out.push(',');
            }
        };
        for member in &self.object.members {
            if self.removed.contains(&member.key.as_ref()) {
                continue;
            }
            comma(&mut out, &mut first);
            let replaced = self.set.iter().find(|(k, _)| *k == member.key);
            if let Some((_, raw)) = replaced {
                out.push_str(text.get(member.start..member.value.0).unwrap_or_default());
                out.push_str(raw);
            } else {
                out.push_str(text.get(member.start..member.value.1).unwrap_or_default());
            }
        }
        for (key, raw) in &self.set {
            if self.object.members.iter().any(|m| m.key == *key) {
                continue;
            }
            comma(&mut out, &mut first);
            let _ = write!(out, "{}:{raw}", super::quote(key));
        }
        out.push('}');
        out
    }
}

/// The raw items of a JSON array, or `None` if the text is not an array.
pub fn array_items(text: &str) -> Option<Vec<&str>> {
    let bytes = text.as_bytes();
    let mut at = skip_space(bytes, 0);
    if bytes.get(at) != Some(&b'[') {
        return None;
    }
    at = skip_space(bytes, at + 1);
    let mut items = Vec::new();
    if bytes.get(at) == Some(&b']') {
        return Some(items);
    }
    loop {
        let end = skip_value(bytes, at)?;
        items.push(text.get(at..end)?);
        at = skip_space(bytes, end);
        match bytes.get(at) {
            Some(b',') => at = skip_space(bytes, at + 1),
            Some(b']') => return Some(items),
            _ => return None,
        }
    }
}

/// The value of a JSON string literal.
pub fn string_value(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(raw).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// Rewrites the strings at `paths` (member names; `*` stands for every item of an array) with `change`,
/// which returns `None` to leave a string as it is.
pub fn rewrite_strings<'a>(
    text: &'a str,
    paths: &[&[&str]],
    change: &mut dyn FnMut(&str) -> Option<String>,
) -> Cow<'a, str> {
    let mut edits = Vec::new();
    for path in paths {
        collect(text, 0, path, change, &mut edits);
    }
    if edits.is_empty() {
        return Cow::Borrowed(text);
    }
    edits.sort_by_key(|(from, _, _)| *from);
    let mut out = String::with_capacity(text.len() + edits.len() * 16);
    let mut at = 0;
    for (from, to, new) in edits {
        if from < at {
            continue;
        }
        out.push_str(text.get(at..from).unwrap_or_default());
        out.push_str(&super::quote(&new));
        at = to;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    Cow::Owned(out)
}

fn collect(
    text: &str,
    offset: usize,
    path: &[&str],
    change: &mut dyn FnMut(&str) -> Option<String>,
    edits: &mut Vec<(usize, usize, String)>,
) {
    let place = |part: &str| part.as_ptr() as usize - text.as_ptr() as usize;
    match path.split_first() {
        None => {
            if let Some(new) = string_value(text).and_then(|value| change(&value)) {
                edits.push((offset, offset + text.len(), new));
            }
        }
        Some((&"*", rest)) => {
            for item in array_items(text).unwrap_or_default() {
                collect(item, offset + place(item), rest, change, edits);
            }
        }
        Some((key, rest)) => {
            if let Some(value) = Object::parse(text).and_then(|object| object.get(key)) {
                collect(value, offset + place(value), rest, change, edits);
            }
        }
    }
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

fn skip_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        let found = memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        at += found;
        if bytes.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Skips one value: strings are jumped over, brackets are counted.
fn skip_value(bytes: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut at = start;
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = skip_string(bytes, at)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' if depth > 0 => at += 1,
            b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' => return None,
            _ => {
                while bytes.get(at).is_some_and(|b| {
                    !matches!(
                        b,
                        b',' | b':' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'{' | b'['
                    )
                }) {
                    at += 1;
                }
                if depth == 0 {
                    return Some(at);
                }
            }
        }
    }
}
