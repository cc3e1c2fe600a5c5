//! A regular expression that takes no memory until it is needed: of hundreds, a process meets a few.

use std::ops::Range;
use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};

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

    /// The first place that it fits, or that of its group.
    pub fn span(&self, bytes: &[u8]) -> Option<Range<usize>> {
        let compiled = self.compiled()?;
        if compiled.captures_len() == 1 {
            return compiled.find(bytes).map(|found| found.range());
        }
        // Most windows fit not; groups take memory.
        let captures = compiled.is_match(bytes).then(|| compiled.captures(bytes)).flatten()?;
        captures.get(1).or_else(|| captures.get(0)).map(|group| group.range())
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
