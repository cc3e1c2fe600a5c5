//! From the parsed tree to typed settings: every problem is found in one go, each with its place.
//!
//! Serde stops at the first error. So a value that does not fit is reported, set aside, and the whole is
//! decoded again without it, until it fits; what was never there falls back to its default meanwhile. An
//! unknown key is reported here, from the field list that a derived `Deserialize` hands over, so that the
//! sections of all stages behave alike.

use std::cell::RefCell;
use std::collections::HashSet;

use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::Problem;
use super::access::{Choice, Entries, Items};
use super::failure::{Cause, Failure};
use super::suggest;
use super::tree::{Entry, Kind, Node, Scalar, Sources, Value};
use crate::secret;

/// A secret's file may hold this much.
const SECRET_BYTES: u64 = 64 * 1024;

/// Decodes one tree.
pub(super) struct Decoder<'a> {
    root: &'a Node,
    sources: &'a Sources,
    problems: RefCell<Vec<Problem>>,
    /// Nodes that did not fit.
    aside: RefCell<HashSet<usize>>,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(root: &'a Node, sources: &'a Sources) -> Self {
        Self { root, sources, problems: RefCell::default(), aside: RefCell::default() }
    }

    /// The settings, or `None` when even the rest does not fit. Ask [`Decoder::into_problems`] afterwards.
    pub(super) fn decode<T: DeserializeOwned>(&self) -> Option<T> {
        loop {
            let failure = match T::deserialize(Place { decoder: self, node: self.root }) {
                Ok(settings) => return Some(settings),
                Err(failure) => failure,
            };
            self.report(&failure);
            // Each round sets one more node aside, so this ends.
            let node = failure.node.unwrap_or(self.root.id);
            if node == self.root.id || !self.aside.borrow_mut().insert(node) {
                return None;
            }
        }
    }

    /// Whether something at or under this node was reported already.
    pub(super) fn is_faulty(&self, node: &Node) -> bool {
        let under = match &node.value {
            Value::Scalar(_) => false,
            Value::List(items) => items.iter().any(|item| self.is_faulty(item)),
            Value::Map(entries) => entries.iter().any(|entry| self.is_faulty(&entry.node)),
        };
        under || self.aside.borrow().contains(&node.id)
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    fn report(&self, failure: &Failure) {
        if !failure.already_told {
            let at = failure.at.unwrap_or(self.root.at);
            self.problems.borrow_mut().push(self.sources.problem(at, failure.message(), failure.help()));
        }
    }

    fn report_unknown_key(&self, entry: &Entry, known: &[&str]) {
        let message = format!("unknown key `{}`", entry.key);
        let help = Some(suggest::advice(&entry.key, known));
        self.problems.borrow_mut().push(self.sources.problem(entry.key_at, message, help));
    }
}

/// A node, about to be decoded.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) decoder: &'a Decoder<'a>,
    pub(super) node: &'a Node,
}

impl<'a> Place<'a> {
    pub(super) fn is_aside(self) -> bool {
        self.decoder.aside.borrow().contains(&self.node.id)
    }

    fn within(self, mut failure: Failure) -> Failure {
        if failure.node.is_none() {
            failure.node = Some(self.node.id);
            failure.at = Some(self.node.at);
            failure.hide_value = matches!(&self.node.value, Value::Scalar(scalar) if scalar.expanded);
            // A key that was set aside is there, so "missing" would be the second report of one mistake.
            failure.already_told = match failure.cause {
                Cause::Missing(field) => self.node.entries().iter().any(|entry| {
                    entry.key == field && Place { decoder: self.decoder, node: &entry.node }.is_aside()
                }),
                Cause::Value(_) | Cause::Variant { .. } => false,
            };
        }
        failure
    }

    pub(super) fn wrong<T>(self, wanted: &str) -> Result<T, Failure> {
        Err(self.within(Failure::value(format!("expected {wanted}, found {}", self.node.described()))))
    }

    fn scalar(self) -> Option<&'a Scalar> {
        match &self.node.value {
            Value::Scalar(scalar) => Some(scalar),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    fn whole(self) -> Result<i128, Failure> {
        let found = self.scalar().and_then(|scalar| match scalar.kind {
            Kind::Whole(value) => Some(value),
            Kind::Text if scalar.expanded => scalar.text.trim().parse().ok(),
            _ => None,
        });
        found.map_or_else(|| self.wrong("a whole number"), Ok)
    }

    fn fraction(self) -> Result<f64, Failure> {
        let found = self.scalar().and_then(|scalar| match scalar.kind {
            Kind::Fraction(_) | Kind::Whole(_) => scalar.text.parse().ok(),
            Kind::Text if scalar.expanded => scalar.text.trim().parse().ok(),
            _ => None,
        });
        found.map_or_else(|| self.wrong("a number"), Ok)
    }

    fn truth(self) -> Result<bool, Failure> {
        let found = self.scalar().and_then(|scalar| match scalar.kind {
            Kind::Bool(value) => Some(value),
            Kind::Text if scalar.expanded => scalar.text.trim().parse().ok(),
            _ => None,
        });
        found.map_or_else(|| self.wrong("`true` or `false`"), Ok)
    }

    /// Text as written; a number or a boolean will do, since `args: [--port, 8080]` is what people write.
    fn text(self) -> Result<&'a str, Failure> {
        match self.scalar().filter(|scalar| scalar.kind != Kind::Null) {
            Some(scalar) => Ok(&scalar.text),
            None => self.wrong("text"),
        }
    }

    fn items(self) -> Result<&'a [Node], Failure> {
        match &self.node.value {
            Value::List(items) => Ok(items),
            Value::Scalar(scalar) if scalar.kind == Kind::Null => Ok(&[]),
            Value::Scalar(_) | Value::Map(_) => self.wrong("a list"),
        }
    }

    fn entries(self) -> Result<Vec<&'a Entry>, Failure> {
        match &self.node.value {
            Value::Map(entries) => Ok(entries
                .iter()
                .filter(|entry| !Place { decoder: self.decoder, node: &entry.node }.is_aside())
                .collect()),
            Value::Scalar(scalar) if scalar.kind == Kind::Null => Ok(Vec::new()),
            Value::Scalar(_) | Value::List(_) => self.wrong("a mapping"),
        }
    }

    fn read_secret(self) -> Result<String, Failure> {
        let Value::Map(entries) = &self.node.value else {
            return self.text().map(str::to_owned);
        };
        let [Entry { key, node, .. }] = entries.as_slice() else {
            return self.wrong("text, or `{ file: path }`");
        };
        if key != "file" {
            return self.wrong("text, or `{ file: path }`");
        }
        let named = Place { decoder: self.decoder, node };
        let path = self.decoder.sources.folder(node.at).join(named.text()?);
        read_secret_file(&path)
            .map_err(|why| named.within(Failure::value(format!("secret file `{}`: {why}", path.display()))))
    }
}

fn read_secret_file(path: &std::path::Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > SECRET_BYTES {
        return Err(format!("larger than {SECRET_BYTES} bytes"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let value = text.trim_end_matches(['\n', '\r']);
    if value.is_empty() { Err("is empty".into()) } else { Ok(value.to_owned()) }
}

macro_rules! numbers {
    ($($method:ident => $read:ident, $visit:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            visitor.$visit(self.$read()?).map_err(|failure: Failure| self.within(failure))
        }
    )*};
}

macro_rules! whole_numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            let value = self.whole()?;
            let visited = match (u64::try_from(value), i64::try_from(value)) {
                (Ok(value), _) => visitor.visit_u64(value),
                (_, Ok(value)) => visitor.visit_i64(value),
                _ => Err(Failure::value("the number is out of range".into())),
            };
            visited.map_err(|failure| self.within(failure))
        }
    )*};
}

impl<'de> Deserializer<'de> for Place<'_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.node.value {
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
            Value::Scalar(scalar) => match scalar.kind {
                Kind::Null => visitor.visit_unit().map_err(|failure: Failure| self.within(failure)),
                Kind::Bool(_) => self.deserialize_bool(visitor),
                Kind::Whole(_) => self.deserialize_i64(visitor),
                Kind::Fraction(_) => self.deserialize_f64(visitor),
                Kind::Text => self.deserialize_str(visitor),
            },
        }
    }

    numbers! { deserialize_bool => truth, visit_bool; deserialize_f32 => fraction, visit_f64; deserialize_f64 => fraction, visit_f64; deserialize_str => text, visit_str; deserialize_string => text, visit_str; deserialize_char => text, visit_str; }
    whole_numbers! { deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        if name != secret::NEWTYPE {
            return visitor.visit_newtype_struct(self);
        }
        visitor.visit_string(self.read_secret()?).map_err(|failure: Failure| self.within(failure))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let mut items = self.items()?.iter();
        visitor
            .visit_seq(Items { decoder: self.decoder, items: &mut items })
            .map_err(|failure| self.within(failure))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let entries = Entries { decoder: self.decoder, rest: self.entries()?.into_iter(), current: None };
        visitor.visit_map(entries).map_err(|failure| self.within(failure))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let (known, unknown): (Vec<_>, Vec<_>) =
            self.entries()?.into_iter().partition(|entry| fields.contains(&entry.key.as_str()));
        for entry in unknown {
            self.decoder.report_unknown_key(entry, fields);
            self.decoder.aside.borrow_mut().insert(entry.node.id);
        }
        let entries = Entries { decoder: self.decoder, rest: known.into_iter(), current: None };
        visitor.visit_map(entries).map_err(|failure| self.within(failure))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let choice = match &self.node.value {
            Value::Scalar(scalar) if scalar.kind != Kind::Null => Choice { name: &scalar.text, inside: None },
            Value::Map(entries) => match entries.as_slice() {
                [Entry { key, node, .. }] => {
                    Choice { name: key, inside: Some(Place { decoder: self.decoder, node }) }
                }
                _ => return self.wrong(&format!("one of {}", suggest::listed(variants))),
            },
            Value::Scalar(_) | Value::List(_) => {
                return self.wrong(&format!("one of {}", suggest::listed(variants)));
            }
        };
        visitor.visit_enum(choice).map_err(|failure| self.within(failure))
    }

    forward_to_deserialize_any! { bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any }
}
