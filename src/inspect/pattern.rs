//! A regular expression that takes no memory until it is needed: of hundreds, a process meets a few.

use std::ops::Range;
use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// Bytes that one pattern may take when it is compiled.
const BYTES: usize = 4 << 20;

/// A pattern over bytes with ASCII classes: word characters of other scripts are boundaries, and tables stay small.
pub(super) struct Pattern {
    written: Box<str>,
    any_case: bool,
    compiled: OnceLock<Option<Box<Regex>>>,
    /// What it says, if that is only how many bytes of which kinds there are.
    alphabet: Option<Box<Alphabet>>,
}

/// So many bytes of some kinds: in place of an automaton with a state for each of a thousand repetitions.
#[derive(Debug)]
struct Alphabet {
    kinds: [bool; 256],
    least: usize,
    most: usize,
}

impl Pattern {
    /// Compiles at once, so that what is wrong with it comes out.
    pub fn new(written: String) -> Result<Self, regex::Error> {
        let pattern = Self::later(written, false);
        let compiled = pattern.compile()?;
        let alphabet = Alphabet::of(&pattern.written).map(Box::new);
        Ok(Self { compiled: OnceLock::from(Some(compiled)), alphabet, ..pattern })
    }

    /// Compiles when it is needed first; only for patterns that a test has compiled.
    pub fn later(written: String, any_case: bool) -> Self {
        Self { written: written.into(), any_case, compiled: OnceLock::new(), alphabet: None }
    }

    /// Gives its memory back until it is needed again.
    pub fn rest(&mut self) {
        self.compiled = OnceLock::new();
    }

    /// Whether it fits somewhere. What does not compile fits everything, so that nothing passes for its sake.
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        if let Some(alphabet) = &self.alphabet {
            return alphabet.spells(bytes);
        }
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

impl Alphabet {
    /// `None` for a pattern that says anything else than `^[…]{n,m}$`.
    fn of(written: &str) -> Option<Self> {
        let hir =
            regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(written).ok()?;
        let HirKind::Concat(parts) = hir.kind() else { return None };
        let [start, repeated, end] = parts.as_slice() else { return None };
        let is = |part: &Hir, look: Look| matches!(part.kind(), HirKind::Look(own) if *own == look);
        let HirKind::Repetition(repetition) = repeated.kind() else { return None };
        let HirKind::Class(Class::Bytes(class)) = repetition.sub.kind() else { return None };
        if !is(start, Look::Start) || !is(end, Look::End) {
            return None;
        }
        let mut kinds = [false; 256];
        for byte in class.ranges().iter().flat_map(|range| range.start()..=range.end()) {
            *kinds.get_mut(usize::from(byte))? = true;
        }
        let size = |count: u32| usize::try_from(count).ok();
        let most = repetition.max.map_or(Some(usize::MAX), size)?;
        Some(Self { kinds, least: size(repetition.min)?, most })
    }

    fn spells(&self, bytes: &[u8]) -> bool {
        (self.least..=self.most).contains(&bytes.len())
            && bytes.iter().all(|byte| self.kinds.get(usize::from(*byte)) == Some(&true))
    }
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Pattern").field(&self.written).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_what_the_expression_says() {
        for (written, known) in [
            (r"^(?:[^\s]{4,8})$", true),
            ("^(?:[A-Za-z0-9]{3})$", true),
            ("^(?:[a-f0-9-]+)$", true),
            ("^(?:[0-9]{3}|[a-f]{4})$", false),
            ("^(?:sk-[0-9]{3})$", false),
            ("[0-9]{3}", false),
        ] {
            let pattern = Pattern::new(written.to_owned()).unwrap();
            assert_eq!(pattern.alphabet.is_some(), known, "{written}");
            let expression = pattern.compile().unwrap();
            for bytes in
                ["", "abc", "Ab3", "a b c", "123", "abcd", "abc\n", "sk-123", "a-\u{e9}b", "123456789"]
            {
                assert_eq!(
                    pattern.is_match(bytes.as_bytes()),
                    expression.is_match(bytes.as_bytes()),
                    "{written} {bytes}"
                );
            }
        }
    }
}
