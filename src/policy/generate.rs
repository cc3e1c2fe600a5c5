//! From a tool's JSON Schema to the Cedar types of its arguments.
//!
//! A property that Cedar cannot express is left out and listed as lost; it never costs the tool its other
//! properties, nor the server its other tools. Servers are not trusted here: depth, size and references are
//! bounded, and nothing remote is ever followed.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::shape::{Field, RecordShape, Shape};

/// Records nest this deep at most.
const MAX_DEPTH: usize = 6;
/// Schema nodes looked at for one tool.
const MAX_NODES: usize = 512;
/// `$ref`s followed in a row.
const MAX_HOPS: usize = 16;
/// Length of a property's name, in bytes.
const MAX_NAME: usize = 128;
/// Lost paths kept for one tool.
const MAX_LOST: usize = 64;

/// What became of one tool's input schema.
#[derive(Debug, Default)]
pub(super) struct Generated {
    /// The typed arguments; `None` if the schema gives no types, so that policies get `argsJson`.
    pub(super) args: Option<RecordShape>,
    /// Properties that Cedar's types cannot express.
    pub(super) lost: Vec<String>,
}

/// Types the arguments of one tool.
pub(super) fn generate(input_schema: Option<&Value>) -> Generated {
    let Some(root) = input_schema else { return Generated::default() };
    let mut generator = Generator { root, nodes: 0, lost: Vec::new() };
    let args = generator.arguments();
    Generated { args, lost: generator.lost }
}

struct Generator<'s> {
    root: &'s Value,
    nodes: usize,
    lost: Vec<String>,
}

/// A shape, and whether null may stand in its place.
struct Typed {
    shape: Shape,
    nullable: bool,
}

impl From<Shape> for Typed {
    fn from(shape: Shape) -> Self {
        Self { shape, nullable: false }
    }
}

impl<'s> Generator<'s> {
    fn arguments(&mut self) -> Option<RecordShape> {
        let schema = self.resolve(self.root)?;
        if schema.get("type").is_some_and(|kind| kind != "object") {
            return None;
        }
        match schema.get("properties").and_then(Value::as_object) {
            Some(properties) if !properties.is_empty() => Some(self.record(schema, properties, "", 1)),
            // A tool without arguments says `{"type": "object"}`; one that takes anything says so.
            _ => match schema.get("additionalProperties") {
                None | Some(Value::Bool(false)) if schema.get("type").is_some() => {
                    Some(RecordShape::default())
                }
                _ => None,
            },
        }
    }

    fn record(
        &mut self,
        schema: &'s Map<String, Value>,
        properties: &'s Map<String, Value>,
        path: &str,
        depth: usize,
    ) -> RecordShape {
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .map_or_else(Vec::new, |names| names.iter().filter_map(Value::as_str).collect());
        let mut fields = IndexMap::new();
        for (name, property) in properties {
            let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let typed = if name.len() <= MAX_NAME { self.typed(property, &here, depth) } else { None };
            let Some(Typed { shape, nullable }) = typed else {
                self.lose(here);
                continue;
            };
            let is_array = matches!(shape, Shape::Set(_) | Shape::CountOnly);
            let count =
                Some(format!("{name}_count")).filter(|count| is_array && !properties.contains_key(count));
            if shape == Shape::CountOnly {
                self.lose(here);
                if count.is_none() {
                    continue;
                }
            }
            let required = required.contains(&name.as_str()) && !nullable;
            fields.insert(name.clone(), Field { shape, required, count });
        }
        RecordShape { fields }
    }

    fn typed(&mut self, schema: &'s Value, path: &str, depth: usize) -> Option<Typed> {
        let schema = self.resolve(schema)?;
        match schema.get("type") {
            Some(Value::String(kind)) => {
                let mut typed = Typed::from(self.of_type(kind, schema, path, depth)?);
                typed.nullable = lists_null(schema);
                Some(typed)
            }
            Some(Value::Array(kinds)) => {
                let mut others = kinds.iter().filter(|kind| *kind != "null");
                let (Some(Value::String(kind)), None) = (others.next(), others.next()) else { return None };
                let nullable = kinds.iter().any(|kind| kind == "null");
                Some(Typed { shape: self.of_type(kind, schema, path, depth)?, nullable })
            }
            Some(_) => None,
            None => self.untyped(schema, path, depth),
        }
    }

    /// A schema without `type`: what its other words say about the type.
    fn untyped(&mut self, schema: &'s Map<String, Value>, path: &str, depth: usize) -> Option<Typed> {
        if let Some(value) = schema.get("const") {
            return of_value(value).map(Typed::from);
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return of_values(values);
        }
        for word in ["anyOf", "oneOf", "allOf"] {
            if let Some(choices) = schema.get(word).and_then(Value::as_array) {
                if word == "allOf" && choices.len() > 1 {
                    return None;
                }
                return self.one_of(choices, path, depth);
            }
        }
        schema
            .contains_key("properties")
            .then(|| self.of_type("object", schema, path, depth))?
            .map(Typed::from)
    }

    /// Alternatives are typed if they all come to the same type, `null` apart.
    fn one_of(&mut self, choices: &'s [Value], path: &str, depth: usize) -> Option<Typed> {
        let mut found: Option<Typed> = None;
        let mut nullable = false;
        for choice in choices {
            if choice.get("type").is_some_and(|kind| kind == "null") {
                nullable = true;
                continue;
            }
            let next = self.typed(choice, path, depth)?;
            nullable |= next.nullable;
            if found.as_ref().is_some_and(|found| found.shape != next.shape) {
                return None;
            }
            found = Some(next);
        }
        found.map(|typed| Typed { shape: typed.shape, nullable })
    }

    fn of_type(
        &mut self,
        kind: &str,
        schema: &'s Map<String, Value>,
        path: &str,
        depth: usize,
    ) -> Option<Shape> {
        match kind {
            "boolean" => Some(Shape::Bool),
            "integer" => Some(Shape::Long),
            "number" => Some(Shape::Decimal),
            "string" => Some(match schema.get("format").and_then(Value::as_str) {
                Some("date-time" | "date") => Shape::Datetime,
                Some("ipv4" | "ipv6") => Shape::Ip,
                _ => Shape::Text,
            }),
            "array" => {
                let items = schema.get("items").filter(|_| depth < MAX_DEPTH);
                let items = items.and_then(|items| self.typed(items, &format!("{path}[]"), depth + 1));
                Some(match items {
                    Some(Typed { shape, nullable: false }) if shape != Shape::CountOnly => {
                        Shape::Set(Box::new(shape))
                    }
                    _ => Shape::CountOnly,
                })
            }
            "object" if depth < MAX_DEPTH => self.object(schema, path, depth),
            _ => None,
        }
    }

    fn object(&mut self, schema: &'s Map<String, Value>, path: &str, depth: usize) -> Option<Shape> {
        match schema.get("properties").and_then(Value::as_object) {
            Some(properties) if !properties.is_empty() => {
                Some(Shape::Record(self.record(schema, properties, path, depth + 1)))
            }
            _ => {
                let values = self.typed(schema.get("additionalProperties")?, path, depth + 1)?;
                let scalar = matches!(values.shape, Shape::Bool | Shape::Long | Shape::Text | Shape::Decimal);
                scalar.then_some(Shape::Pairs)
            }
        }
    }

    /// Follows local references; counts the node.
    fn resolve(&mut self, schema: &'s Value) -> Option<&'s Map<String, Value>> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return None;
        }
        let mut schema = schema.as_object()?;
        for _ in 0..MAX_HOPS {
            let Some(reference) = schema.get("$ref") else { return Some(schema) };
            let pointer = reference.as_str()?.strip_prefix('#')?;
            schema = self.root.pointer(pointer)?.as_object()?;
        }
        None
    }

    fn lose(&mut self, path: String) {
        if self.lost.len() < MAX_LOST {
            self.lost.push(path);
        }
    }
}

fn lists_null(schema: &Map<String, Value>) -> bool {
    schema.get("enum").and_then(Value::as_array).is_some_and(|values| values.contains(&Value::Null))
        || schema.get("nullable") == Some(&Value::Bool(true))
}

fn of_value(value: &Value) -> Option<Shape> {
    match value {
        Value::Bool(_) => Some(Shape::Bool),
        Value::String(_) => Some(Shape::Text),
        Value::Number(number) => Some(if number.is_i64() { Shape::Long } else { Shape::Decimal }),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn of_values(values: &[Value]) -> Option<Typed> {
    let mut present = values.iter().filter(|value| !value.is_null());
    let shape = of_value(present.next()?)?;
    present
        .all(|value| of_value(value).as_ref() == Some(&shape))
        .then(|| Typed { shape, nullable: values.contains(&Value::Null) })
}
