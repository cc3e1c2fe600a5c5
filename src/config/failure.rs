//! One value that does not fit, as serde tells it, with its place.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use super::suggest;
use super::tree::Position;

/// Why a value does not fit. Messages never repeat the value: it may be a secret that slipped into the wrong
/// line.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) cause: Cause,
    /// The innermost node, filled in on the way out.
    pub(super) node: Option<usize>,
    pub(super) at: Option<Position>,
    /// Whether a variable went into the value.
    pub(super) hide_value: bool,
    /// Whether it only follows from a problem that is reported already.
    pub(super) already_told: bool,
}

#[derive(Debug)]
pub(super) enum Cause {
    Missing(&'static str),
    Variant { given: String, known: &'static [&'static str] },
    Value(String),
}

impl Failure {
    fn new(cause: Cause) -> Self {
        Self { cause, node: None, at: None, hide_value: false, already_told: false }
    }

    pub(super) fn value(message: String) -> Self {
        Self::new(Cause::Value(message))
    }

    pub(super) fn message(&self) -> String {
        match &self.cause {
            Cause::Missing(field) => format!("`{field}` is missing"),
            Cause::Variant { given, .. } if !self.hide_value => format!("`{given}` is not known here"),
            Cause::Variant { .. } => "the value is not known here".into(),
            Cause::Value(message) => message.clone(),
        }
    }

    pub(super) fn help(&self) -> Option<String> {
        match &self.cause {
            Cause::Variant { given, known } => Some(match suggest::nearest(given, known) {
                Some(name) if !self.hide_value => format!("did you mean `{name}`?"),
                _ => format!("write one of {}", suggest::listed(known)),
            }),
            Cause::Missing(_) | Cause::Value(_) => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for Failure {}

impl Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::value(message.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::value(format!("expected {expected}"))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match found {
            Unexpected::Unsigned(_) | Unexpected::Signed(_) => {
                Self::value("the number is out of range".into())
            }
            _ => Self::value(format!("expected {expected}")),
        }
    }

    fn unknown_variant(given: &str, known: &'static [&'static str]) -> Self {
        Self::new(Cause::Variant { given: given.chars().take(64).collect(), known })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Cause::Missing(field))
    }
}
