//! A line on standard error while a long input is read, if someone is watching.

use std::io::{IsTerminal as _, Write as _};

/// Bytes between two updates.
const EVERY: usize = 4 << 20;

/// Counts inputs and bytes.
pub(super) struct Progress {
    shown: bool,
    inputs: usize,
    bytes: usize,
    next: usize,
}

impl Progress {
    pub fn new() -> Self {
        Self { shown: std::io::stderr().is_terminal(), inputs: 0, bytes: 0, next: EVERY }
    }

    pub fn step(&mut self, bytes: usize) {
        self.inputs += 1;
        self.bytes += bytes;
        if self.shown && self.bytes >= self.next {
            self.next = self.bytes + EVERY;
            let _ = write!(std::io::stderr(), "\r{} inputs, {} MiB", self.inputs, self.bytes >> 20);
        }
    }

    pub fn end(&self) {
        if self.shown && self.next > EVERY {
            let _ = writeln!(std::io::stderr());
        }
    }
}
