//! Places in a text where something may be, and what is there.

use std::cell::{Cell, LazyCell};

use super::Blocked;
use super::classes::Classes;
use super::normalise::Hints;
use super::place::Place;
use super::prefixes::{Hit, Stops};

/// Places in a text where something may be.
#[derive(Debug, Clone, Default)]
pub(super) struct Leads {
    pub words: Vec<Lead>,
    pub digits: Vec<usize>,
    /// Starts of runs that may be encoded text.
    pub runs: Vec<usize>,
    /// What else was met.
    pub signs: Signs,
    /// Memory for the automaton, and for what the bytes are.
    pub stops: Stops,
    pub classes: Classes,
}

/// What patterns say without leading to a place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Signs(u8);

impl Signs {
    /// A character may be written as a code.
    pub const CODED: Self = Self(1);
    /// Text may be quoted-printable.
    pub const QUOTED: Self = Self(2);
    /// A string may be put together of several.
    pub const JOINED: Self = Self(4);
    /// Markup may stand inside of a word.
    pub const TAGGED: Self = Self(8);
    /// The name of a secret.
    pub const NAME: Self = Self(16);
    /// Banks are spoken of.
    pub const BANK: Self = Self(32);
    /// A string may go on in the next line.
    pub const LINED: Self = Self(64);

    pub fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Takes back what has been said.
    pub fn forget(&mut self, other: Self) {
        self.0 &= !other.0;
    }

    pub fn hold(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether they call for a closer look: at a decoded view, or at words that look like nothing.
    pub fn call(self) -> bool {
        self.hold(Self(15 | 32 | 64))
    }

    /// What only a decoded view of the text would show.
    pub fn hints(self) -> Hints {
        Hints {
            coded: self.hold(Self::CODED),
            quoted: self.hold(Self::QUOTED),
            joined: self.hold(Self(Self::JOINED.0 | Self::LINED.0)),
            tagged: self.hold(Self::TAGGED),
        }
    }
}

/// A prefix or name of a rule.
pub(super) type Lead = Hit;

/// A value that a rule found, by byte offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub start: usize,
    pub end: usize,
    pub rule: usize,
    pub evidence: Evidence,
    /// Which of two overlapping findings counts: the higher one.
    pub score: u32,
}

/// What speaks most for a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Evidence {
    /// Somebody outside says so.
    Recognizer,
    /// Only its key.
    Key,
    /// A shape, and words around it.
    Context,
    /// How it begins or is built.
    Prefix,
    /// A check that few values pass.
    Validator,
}

impl Evidence {
    /// The name as it stands in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Recognizer => "recognizer",
            Self::Key => "key",
            Self::Context => "context",
            Self::Prefix => "prefix",
            Self::Validator => "validator",
        }
    }
}

impl Found {
    pub fn new(rule: usize, (start, end): (usize, usize), evidence: Evidence, score: u32) -> Self {
        Self { start, end, rule, evidence, score }
    }
}

impl Leads {
    /// Whether there is nothing to look closer at.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.digits.is_empty() && self.runs.is_empty() && !self.signs.call()
    }

    /// Forgets everything but its memory.
    pub fn clear(&mut self) {
        self.words.clear();
        self.digits.clear();
        self.runs.clear();
        self.signs = Signs::default();
    }
}

/// The context of a text, built only if a rule asks for it.
pub(super) type Around<'a> = LazyCell<Place, Box<dyn FnOnce() -> Place + 'a>>;

/// What a scan may still cost, in bytes that windows without a finding have covered.
#[derive(Debug)]
pub(super) struct Effort(Cell<usize>);

impl Effort {
    /// Enough for any text that people or programs write; only a text made of false starts uses it up.
    pub fn for_bytes(bytes: usize) -> Self {
        Self(Cell::new((1 << 20) + bytes.saturating_mul(64)))
    }

    pub fn spend(&self, bytes: usize) -> Result<(), Blocked> {
        let left = self.0.get().checked_sub(bytes).ok_or(Blocked::TooCostly)?;
        self.0.set(left);
        Ok(())
    }
}
