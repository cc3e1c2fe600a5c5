//! The account of what was found: type, place, count and commitment, never a value.

use aws_lc_rs::hmac;
use indexmap::IndexMap;

use super::{Blocked, Finding};

/// Collects findings of one value.
pub(super) struct Ledger<'k> {
    key: &'k hmac::Key,
    operator: &'static str,
    limit: usize,
    total: usize,
    /// (type, pointer, commitment) to count.
    counts: IndexMap<(&'static str, String, String), u32>,
}

impl<'k> Ledger<'k> {
    pub fn new(key: &'k hmac::Key, operator: &'static str, limit: usize) -> Self {
        Self { key, operator, limit, total: 0, counts: IndexMap::new() }
    }

    /// What is done with findings.
    pub fn operator(&self) -> &'static str {
        self.operator
    }

    pub fn record(&mut self, kind: &'static str, pointer: String, canonical: &str) -> Result<(), Blocked> {
        self.total += 1;
        if self.total > self.limit {
            return Err(Blocked::TooManyFindings { limit: self.limit });
        }
        let commitment = commitment(self.key, kind, canonical);
        *self.counts.entry((kind, pointer, commitment)).or_insert(0) += 1;
        Ok(())
    }

    pub fn into_findings(self) -> Vec<Finding> {
        let operator = self.operator;
        self.counts
            .into_iter()
            .map(|((kind, pointer, commitment), count)| Finding {
                commitment,
                count,
                operator,
                pointer,
                kind,
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
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
