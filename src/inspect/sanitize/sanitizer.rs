//! The one entry: compiled once, shared by all calls.

use std::fmt;

use aws_lc_rs::hmac;

use super::super::ledger::commitment;
use super::arguments::Patterns;
use super::links::Links;
use super::phrases::{Phrases, Set};
use super::verdict::Reason;
use super::{Judged, Misfit, Rules, selftest};

/// The sanitizer cannot be built, or does not do what it is there for. Nothing is served without one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A pattern of ours does not compile.
    #[error("a pattern of the sanitizer is not valid")]
    Pattern(#[from] Box<regex::Error>),
    /// The automaton over all leads cannot be built.
    #[error("the automaton of the sanitizer cannot be built")]
    Automaton(#[from] aho_corasick::BuildError),
    /// A planted sample passed.
    #[error("self-test failed: {sample} passed the setting `sanitize.{setting}`")]
    SelfTest {
        /// What was planted.
        sample: &'static str,
        /// The setting that is to blame.
        setting: &'static str,
    },
}

/// Judges definitions, results and arguments.
pub struct Sanitizer {
    pub(super) phrases: Phrases,
    pub(super) brief: Phrases,
    pub(super) links: Links,
    pub(super) patterns: Patterns,
    key: hmac::Key,
}

impl Sanitizer {
    /// Compiles everything, and sends planted samples through `rules`: what is on must not let them pass.
    ///
    /// # Errors
    /// A sample passes, or a pattern of ours is broken.
    pub fn new(rules: &Rules, commitment_key: &[u8]) -> Result<Self, Error> {
        let mut sanitizer = Self {
            phrases: Phrases::new(Set::Definitions)?,
            brief: Phrases::new(Set::Results)?,
            links: Links::new()?,
            patterns: Patterns::new()?,
            key: hmac::Key::new(hmac::HMAC_SHA256, commitment_key),
        };
        sanitizer.test(rules)?;
        sanitizer.phrases.rest();
        sanitizer.brief.rest();
        Ok(sanitizer)
    }

    /// Sends planted samples through these rules, as at the start.
    ///
    /// # Errors
    /// A sample passes.
    pub fn test(&self, rules: &Rules) -> Result<(), Error> {
        selftest::run(self, rules)
    }

    /// Takes misfits with a schema in as signs.
    pub fn add_misfits(&self, judged: &mut Judged, misfits: &[Misfit], action: &'static str) {
        for misfit in misfits {
            let place = (misfit.pointer.clone(), misfit.keyword.as_str());
            judged.add(self.reason("SCHEMA", "it does not fit its schema", action, place));
        }
    }

    /// Takes in that a tool can be taken for another server's.
    pub fn add_lookalike(&self, judged: &mut Judged, name: &str, rules: &Rules) {
        if let Some(action) = rules.definitions.names.action() {
            let place = ("/name".to_owned(), name);
            judged.add(self.reason("CONFUSABLE", "it looks like another server's tool", action, place));
        }
    }

    pub(super) fn reason(
        &self,
        kind: &'static str,
        detail: &'static str,
        action: &'static str,
        (pointer, value): (String, &str),
    ) -> Reason {
        Reason { kind, pointer, detail, action, commitment: commitment(&self.key, kind, value), count: 1 }
    }
}

impl fmt::Debug for Sanitizer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Sanitizer").field("phrases", &self.phrases).finish_non_exhaustive()
    }
}
