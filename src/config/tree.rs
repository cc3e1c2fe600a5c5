//! A parsed file: values that know where they stand.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::Problem;
use super::env::{Env, expand};

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// Index into [`Sources`].
    pub(super) file: usize,
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A value with its place. `id` is unique in a tree.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) id: usize,
    pub(super) at: Position,
    pub(super) value: Value,
}

#[derive(Clone)]
pub(super) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// `text` is what the file says, so that `1.10` or `yes` stay what they are where text is wanted.
#[derive(Clone)]
pub(super) struct Scalar {
    pub(super) text: String,
    pub(super) kind: Kind,
    /// Whether a variable went into it: then it may be a secret, and no message repeats it.
    pub(super) expanded: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Whole(i128),
    Fraction(f64),
    Text,
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_at: Position,
    pub(super) node: Node,
}

impl Node {
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            Value::Scalar(_) | Value::List(_) => &[],
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The node's place, in this file.
    pub(super) fn at_file(&self, file: usize) -> Position {
        Position { file, ..self.at }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.kind == Kind::Null)
    }

    /// What the value is, in words.
    pub(super) fn described(&self) -> &'static str {
        match &self.value {
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
            Value::Scalar(scalar) => match scalar.kind {
                Kind::Null => "nothing",
                Kind::Bool(_) => "true or false",
                Kind::Whole(_) | Kind::Fraction(_) => "a number",
                Kind::Text => "text",
            },
        }
    }

    /// Follows `path` as far as it leads: the last node found and the place to name for it.
    pub(super) fn locate(&self, path: &[&str]) -> (&Node, Position) {
        let (mut node, mut at) = (self, self.at);
        for step in path {
            let found = match &node.value {
                Value::List(items) => {
                    step.parse::<usize>().ok().and_then(|i| items.get(i)).map(|item| (item, item.at))
                }
                Value::Map(_) => node.get(step).map(|entry| match &entry.node.value {
                    Value::Scalar(_) => (&entry.node, entry.node.at),
                    Value::List(_) | Value::Map(_) => (&entry.node, entry.key_at),
                }),
                Value::Scalar(_) => None,
            };
            match found {
                Some(next) => (node, at) = next,
                None => break,
            }
        }
        (node, at)
    }

    /// Gives each node its own id and file, and expands variables in text.
    pub(super) fn settle(
        &mut self,
        file: usize,
        env: &Env,
        report: &mut dyn FnMut(Position, String, String),
    ) {
        self.at.file = file;
        match &mut self.value {
            Value::Scalar(scalar) if scalar.kind == Kind::Text => match expand(&scalar.text, env) {
                Ok(None) => {}
                Ok(Some(text)) => {
                    scalar.text = text;
                    scalar.expanded = true;
                }
                Err(error) => report(self.at, error.to_string(), error.help()),
            },
            Value::Scalar(_) => {}
            Value::List(items) => items.iter_mut().for_each(|item| item.settle(file, env, report)),
            Value::Map(entries) => {
                for entry in entries {
                    entry.key_at.file = file;
                    entry.node.settle(file, env, report);
                }
            }
        }
    }

    /// Numbers the nodes from `next` on.
    pub(super) fn number(&mut self, next: &mut usize) {
        self.id = *next;
        *next += 1;
        match &mut self.value {
            Value::Scalar(_) => {}
            Value::List(items) => items.iter_mut().for_each(|item| item.number(next)),
            Value::Map(entries) => entries.iter_mut().for_each(|entry| entry.node.number(next)),
        }
    }
}

/// The files that were read, in order; a [`Position`] refers to them.
#[derive(Default)]
pub(super) struct Sources(pub(super) Vec<PathBuf>);

impl Sources {
    /// The folder that relative paths in a file start from.
    pub(super) fn folder(&self, at: Position) -> &Path {
        let parent = self.0.get(at.file).and_then(|file| file.parent());
        parent.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    pub(super) fn problem(&self, at: Position, message: String, help: Option<String>) -> Problem {
        let file = self.0.get(at.file).cloned().unwrap_or_default();
        Problem { file, line: at.line, column: at.column, message, help }
    }
}

/// Parses YAML (and so JSON). `file` is the index that positions will carry.
pub(super) fn parse(text: &str, file: usize, sources: &Sources) -> Result<Node, Problem> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        reject_unsupported_tags: true,
    };
    let parsed: Result<Option<Raw>, _> = serde_saphyr::from_str_with_options(text, options);
    let start = Position { file, line: 1, column: 1 };
    match parsed {
        Ok(Some(raw)) => Ok(raw.into_node(text)),
        Ok(None) => Ok(Node { id: 0, at: start, value: Value::Map(Vec::new()) }),
        Err(error) => {
            let at = error.location().map_or(start, |at| position(&at, file));
            Err(sources.problem(at, syntax_message(&error), None))
        }
    }
}

fn position(at: &serde_saphyr::Location, file: usize) -> Position {
    let whole = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    Position { file, line: whole(at.line()), column: whole(at.column()) }
}

/// The parser's message without the place, which the problem has in fields of its own, and without advice
/// about the parser's Rust interface.
fn syntax_message(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let first = text.lines().next().unwrap_or_default();
    let cut = |text: &'_ str, mark: &str| text.split_once(mark).map_or(text.len(), |(kept, _)| kept.len());
    let end = [" at line ", ", set ", "; use "].iter().map(|mark| cut(first, mark)).min();
    let message = end.and_then(|end| first.get(..end)).unwrap_or(first);
    message.trim_end_matches([',', ' ']).to_owned()
}

/// What serde hands over, before the source text is put beside it.
struct Raw(Spanned<RawValue>);

enum RawValue {
    Scalar(Kind, Option<String>),
    List(Vec<Raw>),
    Map(Vec<(Spanned<String>, Raw)>),
}

impl Raw {
    fn into_node(self, source: &str) -> Node {
        let at = position(&self.0.referenced, 0);
        let span = self.0.defined.span();
        let value = match self.0.value {
            RawValue::Scalar(kind, text) => {
                let written = || written(source, &span).trim().to_owned();
                Value::Scalar(Scalar { text: text.unwrap_or_else(written), kind, expanded: false })
            }
            RawValue::List(items) => {
                Value::List(items.into_iter().map(|item| item.into_node(source)).collect())
            }
            RawValue::Map(entries) => Value::Map(
                entries
                    .into_iter()
                    .map(|(key, item)| {
                        let key_at = position(&key.referenced, 0);
                        Entry { key: key.value, key_at, node: item.into_node(source) }
                    })
                    .collect(),
            ),
        };
        Node { id: 0, at, value }
    }
}

fn written<'t>(source: &'t str, span: &serde_saphyr::Span) -> &'t str {
    let bounds = span.byte_offset().zip(span.byte_len());
    let range = bounds.and_then(|(start, length)| {
        let start = usize::try_from(start).ok()?;
        Some(start..start.checked_add(usize::try_from(length).ok()?)?)
    });
    range.and_then(|range| source.get(range)).unwrap_or_default()
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Raw)
    }
}

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = RawValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<RawValue, E> {
        Ok(RawValue::Scalar(Kind::Null, None))
    }

    fn visit_none<E: Error>(self) -> Result<RawValue, E> {
        self.visit_unit()
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<RawValue, E> {
        Ok(RawValue::Scalar(Kind::Bool(value), None))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<RawValue, E> {
        self.visit_i128(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<RawValue, E> {
        self.visit_i128(value.into())
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<RawValue, E> {
        Ok(RawValue::Scalar(Kind::Whole(value), None))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<RawValue, E> {
        Ok(RawValue::Scalar(Kind::Fraction(value), None))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<RawValue, E> {
        Ok(RawValue::Scalar(Kind::Text, Some(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RawValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(RawValue::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawValue, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(RawValue::Map(entries))
    }
}
