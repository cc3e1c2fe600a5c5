//! A quick hash for short words: which of a few thousand names it is.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Makes quick hashes for names of our own: nobody outside chooses what is kept in such a table.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Quick;

/// Eight bytes at a time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mixed(u64);

/// Makes the same hashes for names that anybody may choose: nobody can tell which collide.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keyed(u64);

impl Default for Keyed {
    fn default() -> Self {
        Self(RandomState::new().hash_one(PRIME))
    }
}

impl BuildHasher for Keyed {
    type Hasher = Mixed;

    fn build_hasher(&self) -> Mixed {
        Mixed(self.0)
    }
}

const PRIME: u64 = 0x9E37_79B9_7F4A_7C15;

impl BuildHasher for Quick {
    type Hasher = Mixed;

    fn build_hasher(&self) -> Mixed {
        Mixed(0)
    }
}

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        let (chunks, rest) = bytes.as_chunks::<8>();
        for chunk in chunks {
            self.mix(u64::from_le_bytes(*chunk));
        }
        let tail = rest.iter().rev().fold(0u64, |tail, byte| tail << 8 | u64::from(*byte));
        self.mix(tail | (rest.len() as u64) << 56);
    }

    fn write_u8(&mut self, byte: u8) {
        self.mix(u64::from(byte));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Mixed {
    fn mix(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(PRIME);
        self.0 = mixed ^ mixed >> 29;
    }
}
