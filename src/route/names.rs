//! Names that agents see: `{server}_{name}`, safe for every known client, at most 64 characters.

use aws_lc_rs::digest::{SHA256, digest};
use std::fmt::Write as _;

/// Longest name that all clients accept.
const LONGEST: usize = 64;
/// Hexadecimal digits of the hash that keeps shortened names apart.
const HASH: usize = 8;

/// The name under which the tool or prompt `own` of `server` is shown.
///
/// A name that has other characters than `[A-Za-z0-9_-]`, or is too long, is cleaned, cut and given a hash
/// of the original, so that it stays the same over restarts and distinct from its neighbours.
pub fn exposed_name(server: &str, own: &str) -> String {
    let plain = format!("{server}_{own}");
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if plain.len() <= LONGEST && plain.chars().all(fits) && !own.is_empty() {
        return plain;
    }
    let mut name: String =
        plain.chars().map(|c| if fits(c) { c } else { '_' }).take(LONGEST - HASH - 1).collect();
    name.push('_');
    let hash = digest(&SHA256, format!("{server}\0{own}").as_bytes());
    for byte in hash.as_ref().iter().take(HASH / 2) {
        let _ = write!(name, "{byte:02x}");
    }
    name
}
