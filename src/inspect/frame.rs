//! One open object or array on the way to a value.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use super::Limits;
use super::lexer::{Escapes, Lexer, Quoted, Token};
use super::pass::{Edit, apply};
use super::place::Name;
use super::pointer::Alive;
use super::shifts::unescape;
use super::words::holds_mask;

/// Keys whose value is named by a sibling or by the key above.
pub(super) const VALUE_NAMES: &[&str] =
    &["value", "val", "answer", "plaintext", "stringValue", "secretString"];
/// Keys whose string says what a sibling is.
const LABEL_NAMES: &[&str] = &[
    "type",
    "name",
    "label",
    "field",
    "key",
    "kind",
    "title",
    "variable",
    "env",
    "header",
    "property",
    "column",
    "attribute",
    "question",
];
/// Keys under which blocks hold their text.
const TEXT_NAMES: &[&str] =
    &["text", "content", "value", "data", "chunk", "part", "delta", "body", "message", "line"];
/// Keys whose strings are the titles of columns.
const COLUMN_NAMES: &[&str] =
    &["columns", "headers", "header", "fields", "cols", "column_names", "columnNames"];
/// Bytes of an object that are searched for labels.
const LABEL_REACH: usize = 4_096;

/// State of one open container.
#[derive(Debug)]
pub(super) struct Frame {
    /// Offset of an object's brace; `None` for an array.
    object: Option<usize>,
    index: usize,
    key: Option<Quoted>,
    /// The key as it comes out, if it held a finding.
    masked: Option<String>,
    pub alive: Alive,
    /// The present key has the name of a secret in it.
    pub names_secret: bool,
    /// The present key is one whose value is named elsewhere.
    pub value_like: bool,
    /// What the present key speaks of.
    name: OnceCell<Arc<Name>>,
    labels: OnceCell<Vec<Arc<Name>>>,
    /// The names above its members, and labels.
    above: OnceCell<Arc<[Arc<Name>]>>,
    titles: OnceCell<Vec<String>>,
    /// Offset of an array's bracket.
    array: usize,
    /// Strings in a row that may be parts of one.
    pub pieces: Vec<Piece>,
    /// Keys of this object that no masked key may repeat.
    taken: Option<HashSet<String>>,
}

impl Frame {
    pub fn object(start: usize, alive: Alive) -> Self {
        Self { object: Some(start), ..Self::array(start, alive) }
    }

    pub fn array(start: usize, alive: Alive) -> Self {
        Self {
            object: None,
            index: 0,
            key: None,
            masked: None,
            alive,
            names_secret: false,
            value_like: false,
            name: OnceCell::new(),
            labels: OnceCell::new(),
            above: OnceCell::new(),
            titles: OnceCell::new(),
            array: start,
            pieces: Vec::new(),
            taken: None,
        }
    }

    pub fn is_object(&self) -> bool {
        self.object.is_some()
    }

    /// Counts one more value and gives its index.
    pub fn next_index(&mut self) -> usize {
        self.index += 1;
        self.index - 1
    }

    pub fn take_key(&mut self, key: Quoted, value_like: bool, names_secret: bool) {
        self.forget_key();
        self.key = Some(key);
        self.value_like = value_like;
        self.names_secret = names_secret;
    }

    pub fn forget_key(&mut self) {
        self.key = None;
        self.masked = None;
        self.name = OnceCell::new();
        self.value_like = false;
        self.names_secret = false;
    }

    /// Gives the masked form of the present key a name that its object does not have yet.
    pub fn mask_key(&mut self, key: &str, edits: &mut [Edit], (text, limits): (&str, &Limits)) {
        let start = self.object.unwrap_or_default();
        let taken = self.taken.get_or_insert_with(|| masks_among_keys(text, start, limits));
        let mut masked = apply(key, edits);
        let label = edits.last().map(|edit| edit.with.clone()).unwrap_or_default();
        let mut number = 2usize;
        while taken.contains(&masked) {
            if let Some(last) = edits.last_mut() {
                last.with = format!("{}_{number}]", label.trim_end_matches(']'));
            }
            masked = apply(key, edits);
            number += 1;
        }
        taken.insert(masked.clone());
        self.masked = Some(masked);
        self.name = OnceCell::new();
    }

    fn written_key<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(key) = self.key else { return Cow::Borrowed("") };
        decoded(text, key)
    }

    /// The segment that leads to the present value, as it is written.
    pub fn segment<'t>(&self, text: &'t str, index: usize) -> Cow<'t, str> {
        if self.is_object() { self.written_key(text) } else { Cow::Owned(index.to_string()) }
    }

    /// The same for people to see: a masked key stays masked.
    pub fn shown_segment<'t>(&'t self, text: &'t str) -> Cow<'t, str> {
        match &self.masked {
            Some(masked) => Cow::Borrowed(masked),
            None => self.segment(text, self.index.saturating_sub(1)),
        }
    }

    /// The same as it is written, whatever it holds.
    pub fn exact_segment<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.segment(text, self.index.saturating_sub(1))
    }

    /// The present key as far as it is no finding.
    pub fn shown_key<'t>(&'t self, text: &'t str) -> Cow<'t, str> {
        match &self.masked {
            Some(masked) => Cow::Borrowed(masked),
            None => self.written_key(text),
        }
    }

    /// Whether the present key is one under which blocks hold their text.
    pub fn holds_text(&self, text: &str) -> bool {
        let key = self.written_key(text);
        TEXT_NAMES.iter().any(|name| key.eq_ignore_ascii_case(name))
    }

    /// What the present key speaks of, as far as it is no finding, found once.
    pub fn name(&self, text: &str, name: impl FnOnce(&str) -> Arc<Name>) -> Arc<Name> {
        self.name.get_or_init(|| name(&self.shown_key(text))).clone()
    }

    /// The names above the members of this object, and labels, found once.
    pub fn above(&self, find: impl FnOnce() -> Arc<[Arc<Name>]>) -> Arc<[Arc<Name>]> {
        self.above.get_or_init(find).clone()
    }

    /// What the labels of this object say, found once.
    pub fn labels(&self, text: &str, limits: &Limits, name: impl Fn(&str) -> Arc<Name>) -> &[Arc<Name>] {
        let Some(start) = self.object else { return &[] };
        self.labels.get_or_init(|| labels(text, start, limits).iter().map(|label| name(label)).collect())
    }

    /// The strings of the first row of this array of rows, found once.
    pub fn first_row(&self, text: &str, limits: &Limits) -> &[String] {
        self.titles.get_or_init(|| first_row(text, self.array, limits))
    }

    /// The column titles that this object gives for its rows, found once.
    pub fn columns(&self, text: &str, limits: &Limits) -> &[String] {
        let Some(start) = self.object else { return &[] };
        self.titles.get_or_init(|| columns(text, start, limits))
    }

    /// The present key as it is written.
    pub fn present_key(&self) -> Option<Quoted> {
        self.key
    }

    /// The place in this array of the value that is read at present.
    pub fn present(&self) -> usize {
        self.index.saturating_sub(1)
    }
}

/// A string that may be a part of one that was cut.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub quoted: Quoted,
    /// Its place in the array, unless members of one object are the pieces.
    pub index: Option<usize>,
    /// The key under which it stands there.
    pub key: Option<Quoted>,
    /// Edits of the walk when the piece had been looked at by itself.
    pub edits: Range<usize>,
}

impl Piece {
    /// The pointer of the string, below what holds the pieces at `pointer`.
    pub fn pointer(&self, text: &str, pointer: &str, push: fn(&mut String, &str)) -> String {
        let mut pointer = pointer.to_owned();
        if let Some(index) = self.index {
            push(&mut pointer, &index.to_string());
        }
        if let Some(key) = self.key {
            push(&mut pointer, &decoded(text, key));
        }
        pointer
    }
}

/// Strings of an array that begins after the lexer's position.
fn strings(text: &str, lexer: &mut Lexer<'_>, depth: usize, start: usize) -> Vec<String> {
    let mut found = Vec::new();
    while let Ok(Some(token)) = lexer.next() {
        if lexer.depth() < depth || lexer.at() - start > LABEL_REACH || found.len() >= 64 {
            break;
        }
        match token {
            Token::Text(title) if lexer.depth() == depth => found.push(decoded(text, title).into_owned()),
            _ => return Vec::new(),
        }
    }
    found
}

fn first_row(text: &str, start: usize, limits: &Limits) -> Vec<String> {
    let mut lexer = Lexer::from(text, start, limits);
    match (lexer.next(), lexer.next()) {
        (Ok(Some(Token::ArrayStart(_))), Ok(Some(Token::ArrayStart(_)))) => {
            strings(text, &mut lexer, 2, start)
        }
        _ => Vec::new(),
    }
}

fn columns(text: &str, start: usize, limits: &Limits) -> Vec<String> {
    let mut lexer = Lexer::from(text, start, limits);
    let mut is_title = false;
    while let Ok(Some(token)) = lexer.next() {
        if lexer.depth() == 0 || lexer.at() - start > LABEL_REACH {
            break;
        }
        match token {
            Token::Key(key) if lexer.depth() == 1 => {
                let raw = text.get(key.start..key.end).unwrap_or_default();
                is_title = COLUMN_NAMES.iter().any(|name| raw.eq_ignore_ascii_case(name));
            }
            Token::ArrayStart(_) if lexer.depth() == 2 && is_title => {
                return strings(text, &mut lexer, 2, start);
            }
            _ => {}
        }
    }
    Vec::new()
}

fn decoded(text: &str, quoted: Quoted) -> Cow<'_, str> {
    let raw = text.get(quoted.start..quoted.end).unwrap_or_default();
    if quoted.escapes == Escapes::None { Cow::Borrowed(raw) } else { Cow::Owned(unescape(raw).0) }
}

fn labels(text: &str, start: usize, limits: &Limits) -> Vec<String> {
    let mut found = Vec::new();
    let mut lexer = Lexer::from(text, start, limits);
    let mut is_label = false;
    while let Ok(Some(token)) = lexer.next() {
        if lexer.depth() == 0 || lexer.at() - start > LABEL_REACH || found.len() >= 8 {
            break;
        }
        match token {
            Token::Key(key) if lexer.depth() == 1 => {
                let raw = text.get(key.start..key.end).unwrap_or_default();
                is_label = LABEL_NAMES.iter().any(|name| raw.eq_ignore_ascii_case(name));
            }
            Token::Text(label) if lexer.depth() == 1 && is_label && label.end - label.start <= 64 => {
                found.push(decoded(text, label).into_owned());
            }
            _ => {}
        }
    }
    found
}

/// The keys of the object at `start` that look as if they had been masked before.
fn masks_among_keys(text: &str, start: usize, limits: &Limits) -> HashSet<String> {
    let mut keys = HashSet::new();
    let mut lexer = Lexer::from(text, start, limits);
    while let Ok(Some(token)) = lexer.next() {
        if lexer.depth() == 0 {
            break;
        }
        if let Token::Key(key) = token
            && lexer.depth() == 1
        {
            let key = decoded(text, key);
            if holds_mask(&key) {
                keys.insert(key.into_owned());
            }
        }
    }
    keys
}
