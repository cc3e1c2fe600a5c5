//! JSON pointers (RFC 6901): those of findings, and those that are exempt.

/// Characters of one segment that a finding's pointer keeps.
const SEGMENT: usize = 64;

/// Appends one segment, escaped and cut to a bounded length.
pub(super) fn push_segment(pointer: &mut String, segment: &str) {
    push_letters(pointer, segment, SEGMENT);
    if segment.chars().nth(SEGMENT).is_some() {
        pointer.push('…');
    }
}

/// Appends one segment, escaped.
pub(super) fn push_whole_segment(pointer: &mut String, segment: &str) {
    push_letters(pointer, segment, usize::MAX);
}

fn push_letters(pointer: &mut String, segment: &str, most: usize) {
    pointer.push('/');
    for letter in segment.chars().take(most) {
        match letter {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            _ => pointer.push(letter),
        }
    }
}

/// Whether a pointer is that of the pattern, or below it; `*` stands for any one segment.
pub(super) fn fits(pattern: &[String], pointer: &str) -> bool {
    let mut segments = pointer.split('/').skip(1);
    pattern.iter().all(|wanted| segments.next().is_some_and(|segment| wanted == "*" || wanted == segment))
}

/// Pointers whose values are neither scanned nor changed.
#[derive(Debug, Default)]
pub(super) struct Exempt {
    patterns: Vec<Vec<String>>,
}

/// Which patterns still fit on the way down, one bit each.
pub(super) type Alive = u64;

impl Exempt {
    /// Reads pointers; `*` stands for any one segment. Beyond 64 pointers the rest is scanned like all else.
    pub fn new(pointers: &[&str]) -> Self {
        let segments = |pointer: &&str| {
            pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect()
        };
        Self { patterns: pointers.iter().take(64).map(segments).collect() }
    }

    pub fn all(&self) -> Alive {
        self.bits(|_| true)
    }

    fn bits(&self, fits: impl Fn(&[String]) -> bool) -> Alive {
        self.patterns
            .iter()
            .enumerate()
            .filter(|(_, pattern)| fits(pattern))
            .fold(0, |bits, (bit, _)| bits | 1 << bit)
    }

    /// Those of `alive` that fit one segment further down, at `depth` segments before it.
    pub fn enter(&self, alive: Alive, depth: usize, segment: &str) -> Alive {
        alive
            & self.bits(|pattern| pattern.get(depth).is_some_and(|wanted| wanted == "*" || wanted == segment))
    }

    /// Whether one of `alive` ends after `depth` segments.
    pub fn ends(&self, alive: Alive, depth: usize) -> bool {
        alive != 0 && alive & self.bits(|pattern| pattern.len() == depth) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_segment_by_segment() {
        let exempt = Exempt::new(&["/a/*/c~1d", "/x"]);
        let after = ["a", "any", "c/d"]
            .iter()
            .enumerate()
            .fold(exempt.all(), |alive, (depth, segment)| exempt.enter(alive, depth, segment));
        assert!(exempt.ends(after, 3));
        assert!(!exempt.ends(exempt.enter(exempt.all(), 0, "a"), 1));
        assert!(exempt.ends(exempt.enter(exempt.all(), 0, "x"), 1));
    }
}
