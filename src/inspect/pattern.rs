//! A regular expression that takes no memory until it is needed: of hundreds, a process meets a few.

use std::sync::OnceLock;

use regex::bytes::{Captures, Regex, RegexBuilder};

/// Bytes that one pattern may take when it is compiled.
const BYTES: usize = 4 << 20;

/// A pattern over bytes with ASCII classes: word characters of other scripts are boundaries, and tables stay small.
pub(super) struct Pattern {
    written: Box<str>,
    any_case: bool,
    compiled: OnceLock<Option<Box<Regex>>>,
}

impl Pattern {
    /// Compiles at once, so that what is wrong with it comes out.
    pub fn new(written: String) -> Result<Self, regex::Error> {
        let pattern = Self::later(written, false);
        let compiled = pattern.compile()?;
        Ok(Self { compiled: OnceLock::from(Some(compiled)), ..pattern })
    }

    /// Compiles when it is needed first; only for patterns that a test has compiled.
    pub fn later(written: String, any_case: bool) -> Self {
        Self { written: written.into(), any_case, compiled: OnceLock::new() }
    }

    /// Gives its memory back until it is needed again.
    pub fn rest(&mut self) {
        self.compiled = OnceLock::new();
    }

    /// Whether it fits somewhere. What does not compile fits everything, so that nothing passes for its sake.
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        self.compiled().is_none_or(|compiled| compiled.is_match(bytes))
    }

    /// The first place that it fits, and its groups.
    pub fn captures<'b>(&self, bytes: &'b [u8]) -> Option<Captures<'b>> {
        self.compiled()?.captures(bytes)
    }

    fn compiled(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| self.compile().ok()).as_deref()
    }

    fn compile(&self) -> Result<Box<Regex>, regex::Error> {
        let mut builder = RegexBuilder::new(&self.written);
        builder.unicode(false).case_insensitive(self.any_case).size_limit(BYTES).build().map(Box::new)
    }
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Pattern").field(&self.written).finish()
    }
}
