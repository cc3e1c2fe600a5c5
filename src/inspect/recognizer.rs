//! The section `inspect.recognizer`: a service that finds what patterns do not, names and addresses in prose.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::{Direction, Error};
use crate::secret::Secret;

/// A service outside of the gateway that finds names and addresses in prose, over HTTP in the format of Presidio's
/// analyzer (`POST /analyze` with a list of texts). What the detectors find is masked before it is asked. The gateway
/// does not start, and takes up no change of the section `inspect`, if it finds nothing in `selfTest`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
#[schemars(rename = "InspectRecognizer")]
pub struct Recognizer {
    /// Where texts are sent: `http://127.0.0.1:5002/analyze`. It sees the words of agents and servers.
    pub url: String,
    /// Headers of each request.
    pub headers: BTreeMap<String, Secret>,
    /// The language that it is told, as ISO 639-1.
    pub language: String,
    /// Its entities that count, and the detector's type that each is treated as.
    pub entities: BTreeMap<String, String>,
    /// Findings with a lower score do not count.
    pub min_score: Score,
    /// The only direction in which it is asked. Left out: both.
    pub direction: Option<Direction>,
    /// Milliseconds within which it must have answered for all texts of one message.
    #[schemars(range(min = 1, max = 60_000))]
    pub timeout_ms: u32,
    /// Requests to it at once; others wait within their time.
    #[schemars(range(min = 1, max = 1_000))]
    pub concurrency: u32,
    /// Bytes of all texts of one message; more is treated as a failure.
    #[schemars(range(min = 1, max = 8_388_608))]
    pub max_bytes: u32,
    /// What becomes of a message for which it fails.
    pub on_failure: OnFailure,
    /// When it is not asked any more for a while.
    pub breaker: Breaker,
    /// A text in which it must find one of the entities: tried at each start, by `sealgate check`, and by a reload that
    /// changes the section `inspect`.
    pub self_test: String,
}

impl Default for Recognizer {
    fn default() -> Self {
        let entity = |of: &str, kind: &str| (of.to_owned(), kind.to_owned());
        Self {
            url: String::new(),
            headers: BTreeMap::new(),
            language: "en".into(),
            entities: [entity("PERSON", "person"), entity("LOCATION", "address")].into(),
            min_score: Score(50),
            direction: None,
            timeout_ms: 1_000,
            concurrency: 8,
            max_bytes: 1 << 20,
            on_failure: OnFailure::Refuse,
            breaker: Breaker::default(),
            self_test: "My name is John Smith and I live in Chicago, Illinois.".into(),
        }
    }
}

/// What becomes of a message for which the recogniser fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "InspectRecognizerFailure")]
pub enum OnFailure {
    /// It is refused.
    #[default]
    Refuse,
    /// It passes with what the detectors find; its record says `unrecognized`.
    Pass,
}

/// After how many failures in a row the recogniser is left alone, and for how long. Meanwhile each message fails at
/// once; then one tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
#[schemars(rename = "InspectRecognizerBreaker")]
pub struct Breaker {
    /// Failures in a row.
    #[schemars(range(min = 1, max = 1_000))]
    pub failures: u32,
    /// Milliseconds of rest.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub rest_ms: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 5, rest_ms: 10_000 }
    }
}

/// How certain a finding is, in hundredths; written from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score(u8);

impl Score {
    /// The score of that number; none if it is not from 0 to 1.
    pub fn of(number: f64) -> Option<Self> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 100")]
        (0.0..=1.0).contains(&number).then(|| Self((number * 100.0).round() as u8))
    }

    /// From 0 to 1.
    pub fn get(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        Self::of(number).ok_or_else(|| serde::de::Error::custom("must be from 0 to 1"))
    }
}

impl JsonSchema for Score {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "InspectRecognizerScore".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "maximum": 1 })
    }
}

impl Recognizer {
    /// The first setting that cannot be meant.
    pub(super) fn check(&self) -> Result<(), Error> {
        let bounds = [
            ("timeoutMs", self.timeout_ms, 60_000),
            ("concurrency", self.concurrency, 1_000),
            ("maxBytes", self.max_bytes, 8 << 20),
            ("breaker.failures", self.breaker.failures, 1_000),
            ("breaker.restMs", self.breaker.rest_ms, 3_600_000),
        ];
        if let Some((name, _, most)) = bounds.iter().find(|(_, value, most)| !(1..=*most).contains(value)) {
            return Err(Error::Recognizer { name, problem: format!("must be from 1 to {most}") });
        }
        let wrong = |name, problem: &str| Err(Error::Recognizer { name, problem: problem.to_owned() });
        if !self.url.starts_with("http://") && !self.url.starts_with("https://") {
            return wrong(
                "url",
                "must be an `http://` or `https://` URL, such as `http://127.0.0.1:5002/analyze`",
            );
        }
        if self.entities.is_empty() {
            return wrong("entities", "must name at least one entity, such as `{ PERSON: person }`");
        }
        if self.language.is_empty() {
            return wrong("language", "must be a language, such as `en`");
        }
        if self.self_test.trim().is_empty() {
            return wrong("selfTest", "must be a text in which the service finds one of the entities");
        }
        Ok(())
    }
}
