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
        let four = |four: &[u8; 4]| u64::from(u32::from_le_bytes(*four));
        // The last bytes are read with some before them, which have been counted already.
        let tail = match (bytes.last_chunk(), bytes.first_chunk().zip(bytes.last_chunk()), bytes) {
            (Some(last), ..) => {
                bytes.as_chunks::<8>().0.iter().for_each(|chunk| self.mix(u64::from_le_bytes(*chunk)));
                u64::from_le_bytes(*last)
            }
            (None, Some((first, last)), _) => four(first) | four(last) << 32,
            (None, None, [first, .., last]) => {
                let middle = bytes.get(1).copied().unwrap_or_default();
                u64::from(*first) | u64::from(middle) << 8 | u64::from(*last) << 16
            }
            (None, None, [one]) => u64::from(*one),
            (None, None, []) => 0,
        };
        self.mix(tail ^ (bytes.len() as u64) << 56);
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
