//! One SHA-256 a record: it is the chain link and the leaf of the Merkle tree (RFC 6962 §2.1).

use aws_lc_rs::digest::{Context, SHA256};

/// A leaf hash, or the hash of a node above.
pub type Leaf = [u8; 32];

/// The link of the first record.
pub(super) const NO_LINK: Leaf = [0; 32];

/// `SHA-256(0x00 ‖ record)`: the hash of a record, from its exact bytes.
pub fn leaf(record: &[u8]) -> Leaf {
    hash(&[&[0], record])
}

pub(super) fn node(left: &Leaf, right: &Leaf) -> Leaf {
    hash(&[&[1], left, right])
}

/// SHA-256 of the parts, one after the other.
pub(super) fn hash(parts: &[&[u8]]) -> Leaf {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// SHA-256 of bytes that are no record.
pub fn sha256(bytes: &[u8]) -> Leaf {
    hash(&[bytes])
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

/// A hash from 64 lower-case hexadecimal digits.
pub fn parse_hex(text: &str) -> Option<Leaf> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let mut out = [0; 32];
    let pairs = text.as_bytes().as_chunks::<2>().0;
    if text.len() != 64 {
        return None;
    }
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(out)
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
        self.push_subtree(0, leaf);
    }

    /// Adds a full subtree of `2^height` leaves. All subtrees before it are at least as high.
    pub(super) fn push_subtree(&mut self, mut height: u32, root: Leaf) {
        let mut right = root;
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
