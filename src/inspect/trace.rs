//! What the walk keeps for later: where findings lie, and strings that may be parts of one.

use std::cell::LazyCell;
use std::ops::Range;

use super::Blocked;
use super::found::Around;
use super::frame::{Frame, Piece};
use super::lexer::Quoted;
use super::pass::{Edit, Scanned, Sighting};
use super::place::Place;
use super::pointer::{push_segment, push_whole_segment};
use super::seam;
use super::shifts::Shifts;
use super::walk::Walk;

impl Walk<'_, '_, '_> {
    /// Notes where the findings of one string lie, if anyone asks.
    pub fn sight(&mut self, scanned: &Scanned, (start, shifts): (usize, Option<&Shifts>), key: bool) {
        if self.pass.spots.is_none() {
            return;
        }
        let pointer = self.exact_pointer();
        let at = |here: usize| start + shifts.map_or(here, |shifts| shifts.source(here));
        let sightings = scanned.seen.iter().map(|one| Sighting {
            source: at(one.start)..at(one.end),
            pointer: Some(pointer.clone()),
            local: one.start..one.end,
            key,
            rule: one.rule,
            evidence: one.evidence,
            score: one.score,
            decoded: one.decoded.clone(),
        });
        self.pass.spots.get_or_insert_default().extend(sightings);
    }

    /// What was seen in JSON inside a string lies, for this walk, in the string.
    pub fn lift(&mut self, from: usize, start: usize, shifts: Option<&Shifts>) {
        let pointer = self.pass.spots.is_some().then(|| self.exact_pointer());
        let at = |here: usize| start + shifts.map_or(here, |shifts| shifts.source(here));
        for sighting in self.pass.spots.iter_mut().flatten().skip(from) {
            sighting.local = sighting.source.clone();
            sighting.source = at(sighting.local.start)..at(sighting.local.end);
            sighting.pointer.clone_from(&pointer);
            sighting.key = false;
        }
    }

    /// The pointer of the present value with whole keys, whatever they hold.
    pub fn exact_pointer(&self) -> String {
        let mut pointer = String::new();
        for frame in &self.frames {
            push_whole_segment(&mut pointer, &frame.exact_segment(self.text));
        }
        pointer
    }

    /// Keeps a string that may be a part of one that was cut: an element of an array, or the text of a block in one.
    pub fn keep_piece(&mut self, quoted: Quoted, edits: Range<usize>) {
        let depth = self.frames.len();
        let (holder, index, key) = match self.frames.as_slice() {
            [.., array, object]
                if object.is_object() && !array.is_object() && object.holds_text(self.text) =>
            {
                (depth - 2, Some(array.present()), object.present_key())
            }
            [.., last] if !last.is_object() => (depth - 1, Some(last.present()), None),
            [.., last] if object_of_parts(last, self.text) => (depth - 1, None, last.present_key()),
            _ => return,
        };
        if let Some(frame) = self.frames.get_mut(holder) {
            frame.pieces.push(Piece { quoted, index, key, edits });
        }
    }

    /// Looks for values that were cut into the pieces of one array.
    pub fn join(&mut self, pieces: &[Piece]) -> Result<(), Blocked> {
        if pieces.len() < 2 {
            return Ok(());
        }
        let around: Around<'_> = LazyCell::new(Box::new(Place::default));
        let cuts = seam::find(self.pass, self.text, pieces, &self.edits, &around)?;
        if cuts.is_empty() {
            return Ok(());
        }
        let (base, push): (String, fn(&mut String, &str)) = if self.pass.spots.is_some() {
            (self.exact_pointer(), push_whole_segment)
        } else {
            (self.pointer(), push_segment)
        };
        for cut in cuts {
            self.seamed = true;
            if self.pass.operators.edits(cut.seen.rule) {
                self.edits.push(Edit {
                    start: cut.source.start,
                    end: cut.source.end,
                    with: cut.seen.with.clone(),
                });
            }
            if let Some(spots) = &mut self.pass.spots {
                spots.push(Sighting {
                    source: cut.source,
                    pointer: pieces.get(cut.piece).map(|piece| piece.pointer(self.text, &base, push)),
                    local: cut.seen.start..cut.seen.end,
                    key: false,
                    rule: cut.seen.rule,
                    evidence: cut.seen.evidence,
                    score: cut.seen.score,
                    decoded: cut.seen.decoded.clone(),
                });
            }
            self.pass.record(&cut.seen, &self.pointer())?;
        }
        Ok(())
    }
}

/// Whether an object's members are numbered parts of one text: `part1`, `part2`.
fn object_of_parts(frame: &Frame, text: &str) -> bool {
    let key = frame.shown_key(text);
    key.len() <= 16
        && key.ends_with(|last: char| last.is_ascii_digit())
        && key.starts_with(char::is_alphabetic)
}
