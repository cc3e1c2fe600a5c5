//! A text with stretches cut or replaced, and the way back. Far from them it is left out: nothing is new there.

use super::shifts::Shifts;

/// Stands for what is left out.
const APART: &str = "\n\n";
/// Nothing is left out.
pub(super) const WHOLE: usize = usize::MAX >> 2;

/// A text that loses stretches.
pub(super) struct Cuts<'t> {
    text: &'t str,
    view: String,
    shifts: Shifts,
    /// What comes before has been taken over or cut.
    pub from: usize,
    /// Bytes on either side of a cut that are kept.
    near: usize,
}

impl<'t> Cuts<'t> {
    pub fn new(text: &'t str, near: usize) -> Self {
        Self { text, view: String::new(), shifts: Shifts::default(), from: 0, near }
    }

    /// Puts a character in the place of a stretch, or nothing. Stretches come in order.
    pub fn cut(&mut self, start: usize, end: usize, with: Option<char>) -> Option<()> {
        if self.view.is_empty() && self.near == WHOLE {
            self.view.reserve(self.text.len());
        }
        if start - self.from > 2 * self.near {
            self.leave_out(start)?;
        } else {
            self.view.push_str(self.text.get(self.from..start)?);
        }
        self.view.extend(with);
        self.from = end;
        self.shifts.keep_step(self.view.len(), end);
        Some(())
    }

    /// Takes over what stands near the last stretch, and near the next one at `start`.
    fn leave_out(&mut self, start: usize) -> Option<()> {
        if self.from > 0 {
            let end = self.text.floor_char_boundary(self.from + self.near);
            self.view.push_str(self.text.get(self.from..end)?);
            self.view.push_str(APART);
        }
        let again = self.text.ceil_char_boundary(start - self.near);
        self.shifts.note(self.view.len(), again);
        self.view.push_str(self.text.get(again..start)?);
        Some(())
    }

    /// The text without what was cut; `None` if nothing was.
    pub fn finish(mut self) -> Option<(String, Shifts)> {
        if self.from == 0 {
            return None;
        }
        let to = self.text.floor_char_boundary(self.text.len().min(self.from + self.near));
        self.view.push_str(self.text.get(self.from..to)?);
        Some((self.view, self.shifts))
    }
}
