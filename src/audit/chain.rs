//! One SHA-256 a record: it is the chain link and the leaf of the Merkle tree (RFC 6962 §2.1).

use aws_lc_rs::digest::{Context, SHA256};
use std::fmt::Write as _;

/// A leaf hash.
pub type Leaf = [u8; 32];

/// The link of the first record.
pub(super) const NO_LINK: Leaf = [0; 32];

/// `SHA-256(0x00 ‖ record)`.
pub(super) fn leaf(record: &[u8]) -> Leaf {
    hash(&[&[0], record])
}

fn node(left: &Leaf, right: &Leaf) -> Leaf {
    hash(&[&[1], left, right])
}

fn hash(parts: &[&[u8]]) -> Leaf {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// Lower-case hexadecimal.
pub(super) fn hex(leaf: &Leaf) -> String {
    let mut out = String::with_capacity(64);
    for byte in leaf {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// The Merkle tree hash of a growing list, in logarithmic memory.
#[derive(Debug, Clone, Default)]
pub struct Root {
    /// Roots of full subtrees, largest first, each with its height.
    peaks: Vec<(u32, Leaf)>,
}

impl Root {
    /// Adds a leaf.
    pub fn push(&mut self, leaf: Leaf) {
        let mut height = 0;
        let mut right = leaf;
        while let Some((_, left)) = self.peaks.pop_if(|(h, _)| *h == height) {
            right = node(&left, &right);
            height += 1;
        }
        self.peaks.push((height, right));
    }

    /// The tree hash of all leaves so far; of none, the hash of nothing.
    pub fn hash(&self) -> Leaf {
        let mut peaks = self.peaks.iter().rev();
        let Some((_, last)) = peaks.next() else { return hash(&[]) };
        peaks.fold(*last, |right, (_, left)| node(left, &right))
    }
}
