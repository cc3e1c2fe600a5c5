//! Inclusion and consistency (RFC 6962 §2.1.1, §2.1.2), as plain functions.
//!
//! Proving asks a function for the roots of full subtrees: `(level, index)` is the root over the leaves
//! `index · 2^level … (index + 1) · 2^level − 1`. Verifying needs nothing but the proof.

use crate::audit::chain::{Leaf, node};

/// Longest proof that is looked at: a tree has fewer than 2^63 leaves.
pub const MOST: usize = 63;

/// Where the roots of full subtrees come from.
pub type Nodes<'a, E> = &'a mut dyn FnMut(u32, u64) -> Result<Leaf, E>;

/// The largest power of two that is smaller than `n`; `n` is at least 2.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// The tree hash over the leaves `from … to − 1`. `from` is a multiple of the next power of two, as the
/// recursion of RFC 6962 makes it.
fn range<E>(nodes: Nodes<'_, E>, from: u64, to: u64) -> Result<Leaf, E> {
    let width = to - from;
    if width.is_power_of_two() {
        let level = width.trailing_zeros();
        return nodes(level, from >> level);
    }
    let middle = from + split(width);
    let left = range(nodes, from, middle)?;
    Ok(node(&left, &range(nodes, middle, to)?))
}

/// The tree hash over the first `size` leaves; of none, the hash of nothing.
///
/// # Errors
/// What `nodes` returns.
pub fn root<E>(nodes: Nodes<'_, E>, size: u64) -> Result<Leaf, E> {
    if size == 0 { Ok(crate::audit::chain::hash(&[])) } else { range(nodes, 0, size) }
}

/// The proof that leaf `index` is in the tree of `size` leaves; `index < size`.
///
/// # Errors
/// What `nodes` returns.
pub fn inclusion<E>(nodes: Nodes<'_, E>, index: u64, size: u64) -> Result<Vec<Leaf>, E> {
    let (mut from, mut to) = (0, size);
    let mut siblings = Vec::new();
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            siblings.push((middle, to));
            to = middle;
        } else {
            siblings.push((from, middle));
            from = middle;
        }
    }
    siblings.reverse();
    siblings.into_iter().map(|(from, to)| range(nodes, from, to)).collect()
}

/// The proof that the tree of `old` leaves is the beginning of the tree of `new`; `old <= new`. Empty if
/// `old` is 0 or `new`.
///
/// # Errors
/// What `nodes` returns.
pub fn consistency<E>(nodes: Nodes<'_, E>, old: u64, new: u64) -> Result<Vec<Leaf>, E> {
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let (mut from, mut to) = (0, new);
    let mut parts = Vec::new();
    // Whether the old tree's root is a subtree that the verifier knows.
    let mut known = true;
    while old != to {
        let middle = from + split(to - from);
        if old <= middle {
            parts.push((middle, to));
            to = middle;
        } else {
            parts.push((from, middle));
            from = middle;
            known = false;
        }
    }
    if !known {
        parts.push((from, to));
    }
    parts.reverse();
    parts.into_iter().map(|(from, to)| range(nodes, from, to)).collect()
}

/// Whether `proof` shows that `leaf` is at `index` of the tree of `size` leaves with this root
/// (RFC 9162 §2.1.3.2).
pub fn includes(root: &Leaf, size: u64, index: u64, leaf: &Leaf, proof: &[Leaf]) -> bool {
    if index >= size || proof.len() > MOST {
        return false;
    }
    let (mut place, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            hash = node(sibling, &hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// A tree's size and its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Leaves.
    pub size: u64,
    /// Tree hash over all of them.
    pub root: Leaf,
}

/// Whether `proof` shows that the tree `old` is the beginning of the tree `new` (RFC 9162 §2.1.4.2).
pub fn extends(old: &Head, new: &Head, proof: &[Leaf]) -> bool {
    if old.size > new.size || proof.len() > MOST + 1 {
        return false;
    }
    if old.size == new.size {
        return proof.is_empty() && old.root == new.root;
    }
    if old.size == 0 {
        return proof.is_empty() && old.root == crate::audit::chain::hash(&[]);
    }
    let (mut place, mut last) = (old.size - 1, new.size - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    let mut rest = proof.iter();
    // A full old tree is a subtree of the new one: its root is the first part, and is not sent.
    let first = if place == 0 { Some(&old.root) } else { rest.next() };
    let Some(first) = first else { return false };
    let (mut was, mut is) = (*first, *first);
    for part in rest {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            was = node(part, &was);
            is = node(part, &is);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            is = node(&is, part);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && was == old.root && is == new.root
}
