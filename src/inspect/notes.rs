//! Why something that looks like a value is none: kept only for whoever asks.

use std::cell::RefCell;

use super::engine::Engine;

/// A value that was looked at and let pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// The type that it looks like.
    pub kind: &'static str,
    /// The value: this is for its owner, never for a record.
    pub text: String,
    /// Why it is none.
    pub because: &'static str,
}

/// Why a candidate is let pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The detector is off.
    Off,
    /// Its check digits or issue rules do not hold.
    Check,
    /// Nothing around it speaks of the type.
    Words,
    /// What stands around it says that it is something else.
    Neutral,
}

impl Why {
    fn text(self) -> &'static str {
        match self {
            Self::Off => "the detector is off in this direction",
            Self::Check => "its check digits or issue rules do not hold",
            Self::Words => "nothing around it speaks of the type, and its form alone says too little",
            Self::Neutral => {
                "the words around it say that it is something else, or it is part of something longer"
            }
        }
    }
}

/// All that was let pass, in the order in which it was met.
#[derive(Debug, Default)]
pub(super) struct Notes(RefCell<Vec<(usize, String, Why)>>);

/// Values that are kept at most.
const MOST: usize = 1_000;

impl Notes {
    pub fn add(&self, rule: usize, text: &str, why: Why) {
        let mut notes = self.0.borrow_mut();
        let known = notes.iter().any(|(known, value, _)| *known == rule && value == text);
        if notes.len() < MOST && !known {
            notes.push((rule, text.to_owned(), why));
        }
    }

    pub fn into_passed(self, engine: &Engine) -> Vec<Passed> {
        let passed = |(rule, text, why): (usize, String, Why)| {
            engine.rule(rule).map(|rule| Passed { kind: rule.kind, text, because: why.text() })
        };
        self.0.into_inner().into_iter().filter_map(passed).collect()
    }
}
