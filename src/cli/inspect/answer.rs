//! One line of output.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::input::{Content, Item};
use crate::inspect::{Examined, Passed, Spot};

/// What is said about one input.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    id: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    spans: Option<Vec<Span>>,
    /// What looked like a value and is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    passed: Option<Vec<Candidate>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Output>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Output {
    Json(Box<RawValue>),
    Text(String),
}

/// Where one finding lies.
#[derive(Debug, Serialize)]
struct Span {
    /// JSON pointer, for JSON inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// It lies in the name of the member at `path`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    key: bool,
    start: usize,
    end: usize,
    #[serde(rename = "type")]
    kind: String,
    rule: &'static str,
    /// Between 0 and 1.
    confidence: f64,
    evidence: &'static str,
    /// Encodings that had to be undone, the outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    decoded: Vec<&'static str>,
    operator: &'static str,
    /// What speaks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<&'static str>,
}

/// A value that was let pass.
#[derive(Debug, Serialize)]
struct Candidate {
    #[serde(rename = "type")]
    kind: String,
    text: String,
    because: &'static str,
}

impl Answer {
    pub fn spans(item: &Item, examined: &Examined) -> Self {
        let json = matches!(item.content, Ok(Content::Json(_)));
        let spans = examined.spots.iter().map(|spot| Span::new(spot, json)).collect();
        Self { spans: Some(spans), ..Self::empty(item.id.clone()) }
    }

    /// With reasons for and against.
    pub fn explained(mut self, passed: Vec<Passed>) -> Self {
        for span in self.spans.iter_mut().flatten() {
            span.because = Some(match span.evidence {
                "validator" => "its form, and a check that few values pass",
                "prefix" => "how it begins or is built",
                "context" => "its form, and words around it that speak of the type",
                _ => "the name of its key, label or column",
            });
        }
        let candidate = |one: Passed| Candidate {
            kind: one.kind.to_ascii_uppercase(),
            text: one.text,
            because: one.because,
        };
        self.passed = Some(passed.into_iter().map(candidate).collect());
        self
    }

    pub fn output(item: &Item, examined: Examined) -> Self {
        let output = match &item.content {
            Ok(Content::Json(_)) => match RawValue::from_string(examined.output) {
                Ok(value) => Output::Json(value),
                Err(e) => return Self::error(item.id.clone(), format!("the output is not JSON: {e}")),
            },
            Ok(Content::Text(_)) | Err(_) => Output::Text(examined.output),
        };
        Self { output: Some(output), ..Self::empty(item.id.clone()) }
    }

    pub fn error(id: Value, problem: String) -> Self {
        Self { error: Some(problem), ..Self::empty(id) }
    }

    pub fn found(&self) -> bool {
        self.spans.as_ref().is_some_and(|spans| !spans.is_empty())
    }

    pub fn failed(&self) -> bool {
        self.error.is_some()
    }

    fn empty(id: Value) -> Self {
        Self { id, spans: None, passed: None, output: None, error: None }
    }
}

impl Span {
    fn new(spot: &Spot, json: bool) -> Self {
        let place = if json { &spot.local } else { &spot.source };
        Self {
            path: spot.pointer.clone().filter(|_| json),
            key: spot.key,
            start: place.start,
            end: place.end,
            kind: spot.kind.to_ascii_uppercase(),
            rule: spot.kind,
            confidence: f64::from(spot.confidence) / 100.0,
            evidence: spot.evidence,
            decoded: spot.decoded.clone(),
            operator: spot.operator,
            because: None,
        }
    }
}
