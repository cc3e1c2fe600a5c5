//! All prefixes and names of all rules in one automaton, and where they stand in a text.

use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, MatchKind, StartKind};

use super::Error;

/// Parts of a text that are read side by side: each step waits for the one before it, but not for other parts.
const LANES: usize = 4;
/// Bytes of a text that is worth the parts.
const LONG: usize = 384;
/// Bytes that are read before what was met in them is told.
const BLOCK: usize = 16 << 10;

/// A deterministic automaton that tells every hit, overlapping ones too: none can hide behind another.
pub(super) struct Prefixes {
    automaton: DFA,
    start: StateID,
    /// Bytes of the longest pattern, less one: what two parts must share so that no pattern is in neither.
    shared: usize,
}

/// A pattern that stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    pub start: usize,
    pub end: usize,
    /// Its place in the list of patterns.
    pub pattern: usize,
}

/// Memory for one text, kept for the next: for each part where patterns end, and which.
#[derive(Debug, Clone, Default)]
pub(super) struct Stops([Vec<(usize, StateID)>; LANES]);

impl Prefixes {
    /// Small letters and capitals count as the same.
    pub fn new(patterns: &[String]) -> Result<Self, Error> {
        let built = DFA::builder()
            .match_kind(MatchKind::Standard)
            .start_kind(StartKind::Unanchored)
            .ascii_case_insensitive(true)
            .prefilter(false)
            .build(patterns);
        let automaton = built.map_err(|source| Error::Automaton { source: source.into() })?;
        let start = automaton
            .start_state(Anchored::No)
            .map_err(|source| Error::Automaton { source: source.into() })?;
        let shared = patterns.iter().map(String::len).max().unwrap_or(1).saturating_sub(1);
        Ok(Self { automaton, start, shared })
    }

    /// Calls with every hit, in the order of their ends.
    pub fn each(&self, bytes: &[u8], stops: &mut Stops, mut hit: impl FnMut(Hit)) {
        let mut from = 0;
        while from < bytes.len() {
            let to = bytes.len().min(from + BLOCK);
            self.read(bytes, (from, to), stops);
            for &(end, state) in stops.0.iter().flatten() {
                for index in 0..self.automaton.match_len(state) {
                    let pattern = self.automaton.match_pattern(state, index);
                    let start = end - self.automaton.pattern_len(pattern);
                    hit(Hit { start, end, pattern: pattern.as_usize() });
                }
            }
            from = to;
        }
    }

    /// Notes the patterns that end in `from..to`, behind its first byte.
    fn read(&self, bytes: &[u8], (from, to): (usize, usize), Stops(stops): &mut Stops) {
        stops.iter_mut().for_each(Vec::clear);
        let mut at = [from; LANES];
        let mut states = [self.before(bytes, from); LANES];
        if to - from >= LONG {
            let length = (to - from) / LANES;
            at = std::array::from_fn(|lane| from + lane * length);
            states = at.map(|start| self.before(bytes, start));
            let part = |lane: usize| {
                at.get(lane).and_then(|start| bytes.get(*start..start + length)).unwrap_or_default()
            };
            let (a, b, c, d) = (part(0), part(1), part(2), part(3));
            for (read, ((a, b), (c, d))) in (1..).zip(a.iter().zip(b).zip(c.iter().zip(d))) {
                let [one, two, three, four] = states;
                states = [self.next(one, *a), self.next(two, *b), self.next(three, *c), self.next(four, *d)];
                if states.iter().fold(false, |any, state| any | self.automaton.is_match(*state)) {
                    for ((stops, start), state) in stops.iter_mut().zip(at).zip(states) {
                        self.note(state, start + read, stops);
                    }
                }
            }
            at = at.map(|start| start + length);
        }
        // Of a text in parts the last one goes on to the end; of a short one the only one.
        let [.., mut state] = states;
        let ([.., stops], [.., at]) = (stops, at);
        for (end, byte) in (at + 1..).zip(bytes.get(at..to).unwrap_or_default()) {
            state = self.next(state, *byte);
            self.note(state, end, stops);
        }
    }

    /// The state at `at`, as far as what ends behind it may have begun before.
    fn before(&self, bytes: &[u8], at: usize) -> StateID {
        let head = bytes.get(at.saturating_sub(self.shared)..at).unwrap_or_default();
        head.iter().fold(self.start, |state, byte| self.next(state, *byte))
    }

    fn next(&self, state: StateID, byte: u8) -> StateID {
        self.automaton.next_state(Anchored::No, state, byte)
    }

    fn note(&self, state: StateID, end: usize, stops: &mut Vec<(usize, StateID)>) {
        if self.automaton.is_match(state) {
            stops.push((end, state));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_read_in_parts_without_a_hit_more_or_less() {
        let patterns = ["ab", "b", "abc", "xyzxyzxyz", "@"].map(str::to_owned);
        let prefixes = Prefixes::new(&patterns).unwrap();
        let plain =
            aho_corasick::AhoCorasick::builder().ascii_case_insensitive(true).build(&patterns).unwrap();
        let mut text = String::new();
        let mut seed = 7u32;
        while text.len() < BLOCK * 2 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.push_str(["a", "B", "c", "ab", "xyzxyzxyz", "Xyz", "-", "@"][seed as usize >> 29]);
            if text.len() < 40 || text.len() > LONG - 20 && (seed >> 8).is_multiple_of(64) {
                let mut hits = Vec::new();
                prefixes.each(text.as_bytes(), &mut Stops::default(), |hit| hits.push(hit));
                let expected: Vec<Hit> = plain
                    .find_overlapping_iter(&text)
                    .map(|hit| Hit { start: hit.start(), end: hit.end(), pattern: hit.pattern().as_usize() })
                    .collect();
                assert_eq!(hits, expected, "{}", text.len());
            }
        }
    }
}
