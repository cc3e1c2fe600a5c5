//! The answer to whoever asks what is in a value of his own: places and types.

use std::ops::Range;

/// How a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As one JSON value.
    Json,
    /// As JSON if it is a JSON object, array or string, else as plain text.
    Unknown,
}

/// What was found, and the text without it.
#[derive(Debug, Clone)]
pub struct Examined {
    /// In the order in which they stand.
    pub spots: Vec<Spot>,
    /// The text after all operators.
    pub output: String,
}

/// Where one finding lies. Pointers show keys as they are: this is for the owner of the value, never for a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Bytes of the whole text, as it is written.
    pub source: Range<usize>,
    /// JSON pointer (RFC 6901) of the string, number or member; `None` in plain text.
    pub pointer: Option<String>,
    /// Bytes of the string at the pointer, as it is meant (without escapes), or of the number as it is written.
    pub local: Range<usize>,
    /// It lies in the name of the member, not in its value.
    pub key: bool,
    /// The type, such as `us_ssn`.
    pub kind: &'static str,
    /// What is done with it, such as `mask`.
    pub operator: &'static str,
    /// What speaks most for it: `validator`, `prefix`, `context` or `key`.
    pub evidence: &'static str,
    /// Hundredths.
    pub confidence: u32,
    /// Encodings that had to be undone to see it, the outermost first.
    pub decoded: Vec<&'static str>,
}
