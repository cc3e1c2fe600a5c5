//! The account of what was found: type, place, count and commitment, never a value.

use aws_lc_rs::hmac;
use indexmap::IndexMap;

use super::hasher::Keyed;
use super::pass::Seen;
use super::{Blocked, Finding};

/// Collects findings of one value.
pub(super) struct Ledger<'k> {
    key: &'k hmac::Key,
    limit: usize,
    total: usize,
    counts: IndexMap<Counted, u32, Keyed>,
}

/// What makes findings equal.
#[derive(PartialEq, Eq, Hash)]
struct Counted {
    kind: &'static str,
    operator: &'static str,
    evidence: &'static str,
    pointer: String,
    commitment: String,
    decoded: Vec<&'static str>,
}

impl<'k> Ledger<'k> {
    pub fn new(key: &'k hmac::Key, limit: usize) -> Self {
        Self { key, limit, total: 0, counts: IndexMap::default() }
    }

    pub fn record(
        &mut self,
        kind: &'static str,
        (operator, evidence): (&'static str, &'static str),
        pointer: String,
        seen: &Seen,
    ) -> Result<(), Blocked> {
        self.total += 1;
        if self.total > self.limit {
            return Err(Blocked::TooManyFindings { limit: self.limit });
        }
        let commitment = commitment(self.key, kind, &seen.canonical);
        let counted =
            Counted { kind, operator, evidence, pointer, commitment, decoded: seen.decoded.clone() };
        *self.counts.entry(counted).or_insert(0) += 1;
        Ok(())
    }

    pub fn into_findings(self) -> Vec<Finding> {
        self.counts
            .into_iter()
            .map(|(counted, count)| Finding {
                commitment: counted.commitment,
                count,
                decoded: counted.decoded,
                evidence: counted.evidence,
                operator: counted.operator,
                pointer: counted.pointer,
                kind: counted.kind,
            })
            .collect()
    }
}

/// Hex of the first 16 bytes of HMAC-SHA-256(key, type ‖ 0x00 ‖ canonical value).
pub(super) fn commitment(key: &hmac::Key, kind: &str, canonical: &str) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(kind.as_bytes());
    context.update(&[0]);
    context.update(canonical.as_bytes());
    hex(context.sign().as_ref().get(..16).unwrap_or_default())
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}
