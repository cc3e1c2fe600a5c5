//! Does a value fit a schema? Compiled once, nothing is ever fetched, patterns run in linear time.

use std::fmt;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use super::Semantic;
use super::arguments::hinted;

/// Largest schema that is compiled, in bytes of JSON.
const LARGEST: usize = 1 << 20;
/// Misfits of one value that are told.
const MISFITS: usize = 8;

/// A schema that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// It is larger than anything that describes arguments.
    #[error("the schema is larger than {LARGEST} bytes")]
    TooLarge,
    /// It is no valid schema, refers elsewhere, or has a pattern that cannot be matched in linear time.
    #[error("the schema cannot be compiled at `{at}`")]
    Invalid {
        /// Where in the schema.
        at: String,
    },
}

/// A compiled schema.
pub struct Schema {
    validator: Validator,
    hints: Vec<(String, Semantic)>,
}

/// Where a value does not fit, without the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// JSON pointer into the value.
    pub pointer: String,
    /// The keyword of the schema, such as `maxLength`.
    pub keyword: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() { "the value" } else { self.pointer.as_str() };
        write!(out, "`{place}` does not fit `{}` of the schema", self.keyword)
    }
}

impl Schema {
    /// Compiles a raw schema. Draft 2020-12 unless it says otherwise (MCP 2026-07-28). References to other documents
    /// are an error: nothing is fetched.
    ///
    /// # Errors
    /// It is too large or cannot be compiled.
    pub fn compile(raw: &str) -> Result<Self, SchemaError> {
        if raw.len() > LARGEST {
            return Err(SchemaError::TooLarge);
        }
        let value: Value =
            serde_json::from_str(raw).map_err(|_| SchemaError::Invalid { at: String::new() })?;
        let validator = jsonschema::options()
            .offline()
            .with_pattern_options(PatternOptions::regex().size_limit(1 << 20).dfa_size_limit(1 << 20))
            .should_validate_formats(false)
            .should_ignore_unknown_formats(true)
            .build(&value)
            .map_err(|error| SchemaError::Invalid { at: error.instance_path().to_string() })?;
        Ok(Self { validator, hints: hinted(&value) })
    }

    /// Where a raw value does not fit; at most eight places.
    pub fn misfits(&self, raw: &str) -> Vec<Misfit> {
        let Ok(value) = serde_json::from_str::<Value>(raw) else {
            return vec![Misfit { pointer: String::new(), keyword: "type".into() }];
        };
        if self.validator.is_valid(&value) {
            return Vec::new();
        }
        // A member that is null counts as one that was not sent, here as in policy: many clients write it so.
        let absent = |error: &jsonschema::ValidationError<'_>| {
            error.instance().is_null() && !error.instance_path().as_str().is_empty()
        };
        let misfits = self.validator.iter_errors(&value).filter(|error| !absent(error)).take(MISFITS);
        misfits
            .map(|error| Misfit {
                pointer: error.instance_path().to_string(),
                keyword: error.schema_path().to_string().rsplit('/').next().unwrap_or_default().to_owned(),
            })
            .collect()
    }

    /// What the schema says its arguments are.
    pub fn hints(&self) -> &[(String, Semantic)] {
        &self.hints
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Schema").field("hints", &self.hints.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_held_to_schemas_and_nothing_is_fetched() {
        let schema = Schema::compile(
            r#"{"type":"object","properties":{"n":{"type":"integer","minimum":1},"u":{"type":"string","format":"uri"},
                "s":{"type":"string","pattern":"^(a+)+$"}},"required":["n"],"additionalProperties":false}"#,
        )
        .unwrap();
        assert_eq!(schema.misfits(r#"{"n":2,"u":"x","s":"aaaa"}"#), []);
        assert_eq!(
            schema.misfits(r#"{"n":0}"#),
            [Misfit { pointer: "/n".into(), keyword: "minimum".into() }]
        );
        assert_eq!(schema.misfits(r#"{"n":2,"u":null}"#), []);
        assert_eq!(schema.misfits("{}").len(), 1);
        assert!(!schema.misfits(&format!(r#"{{"n":1,"s":"{}!"}}"#, "a".repeat(50_000))).is_empty(), "linear");
        assert_eq!(schema.hints(), [("/u".to_owned(), Semantic::Url)]);
        for bad in [
            r#"{"$ref":"https://e.example/schema.json"}"#,
            r#"{"$ref":"file:///etc/passwd"}"#,
            r#"{"type":"strange"}"#,
            r#"{"pattern":"(?=a)b"}"#,
            "nonsense",
        ] {
            assert!(Schema::compile(bad).is_err(), "{bad}");
        }
    }
}
