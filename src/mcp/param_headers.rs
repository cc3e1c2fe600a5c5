//! Parameters of tools that are mirrored in headers (MCP 2026-07-28, Streamable HTTP, "Custom Headers from Tool
//! Parameters").

use super::splice::{Object, array_items, string_value};
use super::{decode_header_value, encode_header_value};
use std::borrow::Cow;
use std::collections::HashSet;

/// The member of a parameter's schema that asks for a header.
const ANNOTATION: &str = "x-mcp-header";
/// What the names of such headers begin with, in lower case.
pub const PARAM_HEADER: &str = "mcp-param-";
/// Most mirrored parameters of one tool: each costs a header.
const MOST: usize = 32;
/// Longest name: servers bound the size of headers.
const LONGEST: usize = 64;
/// Integers beyond are not exact in JavaScript.
const SAFE: i64 = (1 << 53) - 1;

/// Why a tool's annotations are invalid; such a tool is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParamHeaderError {
    /// Not a token of RFC 9110, or too long.
    #[error("an `x-mcp-header` is no header name of 1 to {LONGEST} characters")]
    Name,
    /// The same header twice, in any case.
    #[error("two parameters have the same `x-mcp-header`")]
    Duplicate,
    /// Not an integer, string or boolean.
    #[error("an `x-mcp-header` stands on a parameter that is no string, integer or boolean")]
    Type,
    /// Not reachable by `properties` alone.
    #[error("an `x-mcp-header` stands where no parameter has its place for certain")]
    Place,
    /// More than can be sent.
    #[error("more than {MOST} parameters have an `x-mcp-header`")]
    TooMany,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Primitive {
    String,
    Integer,
    Boolean,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Mirrored {
    /// The header's whole name, in lower case.
    header: String,
    /// Keys from the arguments down to the value.
    path: Vec<String>,
    kind: Primitive,
}

/// Which parameters of a tool are mirrored, and in which headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParamHeaders(Vec<Mirrored>);

impl ParamHeaders {
    /// Reads the annotations of a raw tool definition. Most tools have none.
    ///
    /// # Errors
    /// Returns the first reason for which the definition is invalid.
    pub fn of(definition: &str) -> Result<Self, ParamHeaderError> {
        // An escaped spelling has a backslash; only then is it worth to look closer.
        if !definition.contains(ANNOTATION) && !definition.contains("\\u") {
            return Ok(Self::default());
        }
        let mut found = Self::default();
        if let Some(schema) = Object::parse(definition).and_then(|tool| tool.object("inputSchema")) {
            found.scan(&schema, Some(&mut Vec::new()))?;
        }
        let mut names = HashSet::new();
        if !found.0.iter().all(|mirrored| names.insert(mirrored.header.as_str())) {
            return Err(ParamHeaderError::Duplicate);
        }
        Ok(found)
    }

    /// Whether no parameter is mirrored.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `path` is where values of this schema stand; absent if no chain of `properties` leads there.
    fn scan(
        &mut self,
        schema: &Object<'_>,
        mut path: Option<&mut Vec<String>>,
    ) -> Result<(), ParamHeaderError> {
        for (key, raw) in schema.iter() {
            match key {
                ANNOTATION => self.annotate(schema, raw, path.as_deref())?,
                "properties" => {
                    for (name, raw) in Object::parse(raw).iter().flat_map(Object::iter) {
                        let Some(inner) = Object::parse(raw) else { continue };
                        match path.as_deref_mut() {
                            None => self.scan(&inner, None)?,
                            Some(path) => {
                                path.push(name.to_owned());
                                self.scan(&inner, Some(path))?;
                                path.pop();
                            }
                        }
                    }
                }
                "patternProperties" | "$defs" | "definitions" | "dependentSchemas" => {
                    for (_, raw) in Object::parse(raw).iter().flat_map(Object::iter) {
                        self.scan_elsewhere(raw)?;
                    }
                }
                // Data, and no schemas.
                "default" | "const" | "enum" | "examples" => {}
                _ => self.scan_elsewhere(raw)?,
            }
        }
        Ok(())
    }

    fn scan_elsewhere(&mut self, raw: &str) -> Result<(), ParamHeaderError> {
        if let Some(schema) = Object::parse(raw) {
            return self.scan(&schema, None);
        }
        for item in array_items(raw).unwrap_or_default() {
            self.scan_elsewhere(item)?;
        }
        Ok(())
    }

    fn annotate(
        &mut self,
        schema: &Object<'_>,
        name: &str,
        path: Option<&Vec<String>>,
    ) -> Result<(), ParamHeaderError> {
        let name = string_value(name).ok_or(ParamHeaderError::Name)?;
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || name.len() > LONGEST || !name.bytes().all(token) {
            return Err(ParamHeaderError::Name);
        }
        let kind = schema.get("type").and_then(primitive).ok_or(ParamHeaderError::Type)?;
        let path = path.filter(|path| !path.is_empty()).ok_or(ParamHeaderError::Place)?;
        if self.0.len() == MOST {
            return Err(ParamHeaderError::TooMany);
        }
        let header = format!("{PARAM_HEADER}{}", name.to_ascii_lowercase());
        self.0.push(Mirrored { header, path: path.clone(), kind });
        Ok(())
    }

    /// The headers of a call with these raw arguments: whole names in lower case, and encoded values.
    pub fn headers(&self, arguments: &str) -> Vec<(String, String)> {
        let value = |mirrored: &Mirrored| {
            let value = mirrored.value(arguments)?;
            Some((mirrored.header.clone(), encode_header_value(&value).into_owned()))
        };
        self.0.iter().filter_map(value).collect()
    }

    /// Compares what the headers of a call say with its raw arguments. `given` holds the headers whose names begin
    /// with [`PARAM_HEADER`], in lower case; a value is absent where it is not visible ASCII.
    ///
    /// # Errors
    /// Returns the name of the first header that is missing, malformed, or differs.
    pub fn check(&self, arguments: &str, given: &[(String, Option<String>)]) -> Result<(), String> {
        for mirrored in &self.0 {
            let mut headers = given.iter().filter(|(name, _)| *name == mirrored.header);
            let agrees = match (headers.next(), headers.next(), mirrored.value(arguments)) {
                (None, _, expected) => expected.is_none(),
                (Some((_, Some(header))), None, Some(expected)) => {
                    decode_header_value(header).is_some_and(|found| mirrored.same(&found, &expected))
                }
                _ => false,
            };
            if !agrees {
                return Err(mirrored.header.clone());
            }
        }
        Ok(())
    }
}

impl Mirrored {
    /// The value's text; absent if there is none, or `null`, or nothing that a header can hold.
    fn value(&self, arguments: &str) -> Option<String> {
        let (last, above) = self.path.split_last()?;
        let mut object = Object::parse(arguments)?;
        for key in above {
            object = object.object(key)?;
        }
        let raw = object.get(last)?;
        match raw.bytes().next()? {
            b'"' => string_value(raw).map(Cow::into_owned),
            b'n' | b'{' | b'[' => None,
            _ if self.kind == Primitive::Integer => {
                Some(integer(raw).map_or_else(|| raw.to_owned(), |n| n.to_string()))
            }
            _ => Some(raw.to_owned()),
        }
    }

    fn same(&self, found: &str, expected: &str) -> bool {
        let numbers = self.kind == Primitive::Integer;
        found == expected || (numbers && integer(found).is_some_and(|n| Some(n) == integer(expected)))
    }
}

/// The one primitive type that a `type` names, `null` beside it or not.
fn primitive(raw: &str) -> Option<Primitive> {
    let one = |raw: &str| match &*string_value(raw)? {
        "string" => Some(Primitive::String),
        "integer" => Some(Primitive::Integer),
        "boolean" => Some(Primitive::Boolean),
        _ => None,
    };
    let Some(items) = array_items(raw) else { return one(raw) };
    let named: Vec<&str> = items.into_iter().filter(|item| *item != "\"null\"").collect();
    match named.as_slice() {
        [only] => one(only),
        _ => None,
    }
}

/// A whole number in any spelling of JSON, if it is exact everywhere.
fn integer(text: &str) -> Option<i64> {
    let plain = text.parse::<i64>().ok();
    let number = plain.or_else(|| {
        let number = text.parse::<f64>().ok().filter(|n| n.fract() == 0.0)?;
        format!("{number:.0}").parse().ok()
    })?;
    (-SAFE..=SAFE).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(properties: &str) -> String {
        format!(r#"{{"name":"t","inputSchema":{{"type":"object","properties":{properties}}}}}"#)
    }

    #[test]
    fn values_are_found_at_their_paths_and_encoded() {
        let definition = tool(
            r#"{"region":{"type":"string","x-mcp-header":"Region"},
                "n":{"type":["integer","null"],"x-mcp-header":"N"},
                "dry":{"type":"boolean","x-mcp-header":"Dry"},
                "where":{"type":"object","properties":{"zone":{"type":"string","x-mcp-header":"Zone"}}},
                "x-mcp-header":{"type":"string","default":{"x-mcp-header":"not a schema"}}}"#,
        );
        let headers = ParamHeaders::of(&definition).unwrap();
        let arguments = r#"{"region":" s\u00fcd","n":42.0,"dry":false,"where":{"zone":"a"},"other":1}"#;
        let sent = headers.headers(arguments);
        let expected = [
            ("mcp-param-region", "=?base64?IHPDvGQ=?="),
            ("mcp-param-n", "42"),
            ("mcp-param-dry", "false"),
            ("mcp-param-zone", "a"),
        ];
        assert_eq!(sent, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let given: Vec<_> = sent.into_iter().map(|(name, value)| (name, Some(value))).collect();
        assert_eq!(headers.check(arguments, &given), Ok(()));
        assert_eq!(headers.headers(r#"{"n":null,"where":3}"#), []);
        assert_eq!(headers.check(r#"{"n":null}"#, &[]), Ok(()));
    }

    #[test]
    fn headers_that_differ_are_found() {
        let headers = ParamHeaders::of(&tool(
            r#"{"n":{"type":"integer","x-mcp-header":"N"},"s":{"type":"string","x-mcp-header":"S"}}"#,
        ))
        .unwrap();
        let given = |name: &str, value: &str| vec![(format!("mcp-param-{name}"), Some(value.to_owned()))];
        assert_eq!(headers.check(r#"{"n":42}"#, &given("n", "42.0")), Ok(()));
        assert_eq!(headers.check(r#"{"s":"Hello"}"#, &given("s", "=?base64?SGVsbG8=?=")), Ok(()));
        assert_eq!(headers.check(r#"{"s":"=?base64?SGVs"}"#, &given("s", "=?base64?SGVs")), Ok(()));
        for (arguments, name, value) in [
            (r#"{"n":42}"#, "n", "43"),
            ("{}", "n", "42"),
            (r#"{"n":42}"#, "other", "42"),
            (r#"{"s":"Hello"}"#, "s", "hello"),
            (r#"{"s":"Hello"}"#, "s", "=?base64?SGVsbG8?="),
            (r#"{"s":"Hello"}"#, "s", "=?base64?SGVs!!!bG8=?="),
        ] {
            assert!(headers.check(arguments, &given(name, value)).is_err(), "{arguments} {name}: {value}");
        }
        let twice = [given("n", "42"), given("n", "42")].concat();
        assert!(headers.check(r#"{"n":42}"#, &twice).is_err());
        assert!(headers.check(r#"{"n":42}"#, &[("mcp-param-n".into(), None)]).is_err());
    }

    #[test]
    fn invalid_annotations_are_refused() {
        use ParamHeaderError::{Duplicate, Name, Place, Type};
        for (properties, why) in [
            (r#"{"a":{"type":"string","x-mcp-header":""}}"#, Name),
            (r#"{"a":{"type":"string","x-mcp-header":"My Region"}}"#, Name),
            (r#"{"a":{"type":"string","x-mcp-header":"R:P"}}"#, Name),
            (r#"{"a":{"type":"string","x-mcp-header":"R\u0001"}}"#, Name),
            (r#"{"a":{"type":"string","x-mcp-header":7}}"#, Name),
            (r#"{"a":{"type":"string","x-mcp-head\u0065r":""}}"#, Name),
            (r#"{"a":{"type":"number","x-mcp-header":"A"}}"#, Type),
            (r#"{"a":{"type":"object","x-mcp-header":"A"}}"#, Type),
            (r#"{"a":{"x-mcp-header":"A"}}"#, Type),
            (r#"{"a":{"type":["string","integer"],"x-mcp-header":"A"}}"#, Type),
            (
                r#"{"a":{"type":"string","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"a"}}"#,
                Duplicate,
            ),
            (r#"{"a":{"type":"array","items":{"type":"string","x-mcp-header":"A"}}}"#, Place),
            (r#"{"a":{"anyOf":[{"type":"string","x-mcp-header":"A"}]}}"#, Place),
            (r#"{"a":{"$defs":{"x":{"properties":{"y":{"type":"string","x-mcp-header":"A"}}}}}}"#, Place),
        ] {
            assert_eq!(ParamHeaders::of(&tool(properties)), Err(why), "{properties}");
        }
    }
}
