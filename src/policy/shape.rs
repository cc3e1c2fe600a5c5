//! The Cedar type of an argument, between JSON Schema on one side and Cedar's schema on the other.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

/// What one value becomes in Cedar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// `Bool`
    Bool,
    /// `Long`
    Long,
    /// `String`; enumerations too, so that policies compare with plain text.
    Text,
    /// `decimal`: only numbers with at most four decimal places fit, the others are lost, never rounded.
    Decimal,
    /// `datetime`, from RFC 3339.
    Datetime,
    /// `ipaddr`
    Ip,
    /// `Set<…>`, with `<name>_count: Long` beside it.
    Set(Box<Shape>),
    /// A record of declared properties.
    Record(RecordShape),
    /// `Set<String>` of `key=value`, for an object with free keys.
    Pairs,
    /// An array whose items have no type: nothing but `<name>_count`.
    CountOnly,
}

/// The declared properties of an object, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct RecordShape {
    pub(super) fields: IndexMap<String, Field>,
}

/// One declared property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) shape: Shape,
    /// The value must be there and must not be null.
    pub(super) required: bool,
    /// Name of the attribute that counts the items, unless a property has that name already.
    pub(super) count: Option<String>,
}

impl Shape {
    /// Whether a valid value may still have no exact counterpart, so that the attribute cannot be required.
    fn may_lose(&self) -> bool {
        match self {
            Self::Decimal => true,
            Self::Set(items) => items.may_lose(),
            Self::Bool
            | Self::Long
            | Self::Text
            | Self::Datetime
            | Self::Ip
            | Self::Record(_)
            | Self::Pairs
            | Self::CountOnly => false,
        }
    }

    /// Some JSON value of this shape.
    fn sample(&self) -> Value {
        match self {
            Self::Bool => json!(false),
            Self::Long | Self::Decimal => json!(0),
            Self::Text => json!(""),
            Self::Datetime => json!("1970-01-01T00:00:00Z"),
            Self::Ip => json!("127.0.0.1"),
            Self::Set(_) | Self::CountOnly => json!([]),
            Self::Record(record) => record.sample(),
            Self::Pairs => json!({}),
        }
    }

    /// The type in Cedar's JSON schema format.
    fn to_cedar(&self) -> Value {
        match self {
            Self::Bool => json!({"type": "Boolean"}),
            Self::Long => json!({"type": "Long"}),
            Self::Text => json!({"type": "String"}),
            Self::Decimal => json!({"type": "Extension", "name": "decimal"}),
            Self::Datetime => json!({"type": "Extension", "name": "datetime"}),
            Self::Ip => json!({"type": "Extension", "name": "ipaddr"}),
            Self::Set(items) => json!({"type": "Set", "element": items.to_cedar()}),
            Self::Record(record) => record.to_cedar(),
            Self::Pairs | Self::CountOnly => json!({"type": "Set", "element": {"type": "String"}}),
        }
    }
}

impl RecordShape {
    /// Some JSON object of this shape.
    pub(super) fn sample(&self) -> Value {
        let required = self.fields.iter().filter(|(_, field)| field.required);
        let members: Map<String, Value> =
            required.map(|(name, field)| (name.clone(), field.shape.sample())).collect();
        Value::Object(members)
    }

    /// The record type in Cedar's JSON schema format. It goes in as data, so no name needs quoting.
    pub(super) fn to_cedar(&self) -> Value {
        let mut attributes = Map::new();
        for (name, field) in &self.fields {
            if field.shape != Shape::CountOnly {
                let mut attribute = field.shape.to_cedar();
                if let Value::Object(members) = &mut attribute {
                    let required = field.required && !field.shape.may_lose();
                    members.insert("required".to_owned(), Value::Bool(required));
                }
                attributes.insert(name.clone(), attribute);
            }
            if let Some(count) = &field.count {
                attributes.insert(count.clone(), json!({"type": "Long", "required": field.required}));
            }
        }
        json!({"type": "Record", "attributes": attributes})
    }
}
