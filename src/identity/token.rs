//! The text of a token: `sgt_`, 43 base-62 digits of 256 random bits, 6 base-62 digits of checksum.
//!
//! The prefix lets secret scanners find a token that leaked; the checksum (CRC-32 of the 43 digits, as GitHub's
//! tokens have it) tells a mistyped or made-up one from a real one without a look into the store.

use aws_lc_rs::digest::{SHA256, digest};

use super::Refused;

/// What every token begins with.
pub const PREFIX: &str = "sgt_";

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^43 > 2^256.
const BODY: usize = 43;
/// 62^6 > 2^32.
const CHECKSUM: usize = 6;
const LENGTH: usize = PREFIX.len() + BODY + CHECKSUM;

/// SHA-256 of a token's text: what is stored and looked up.
pub(super) type Hash = [u8; 32];

/// The text of the token with these random bits.
pub(super) fn render(bits: [u8; 32]) -> String {
    let body = base62(bits.to_vec(), BODY);
    let checksum = checksum(&body);
    format!("{PREFIX}{body}{checksum}")
}

/// Checks a token's form and checksum and hashes it.
pub(super) fn hash(token: &str) -> Result<Hash, Refused> {
    let rest = token.strip_prefix(PREFIX).ok_or(Refused::Malformed)?;
    if token.len() != LENGTH || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Refused::Malformed);
    }
    let (body, given) = rest.split_at_checked(BODY).ok_or(Refused::Malformed)?;
    if checksum(body) != given {
        return Err(Refused::BadChecksum);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    Ok(hash)
}

fn checksum(body: &str) -> String {
    base62(crc32(body.as_bytes()).to_be_bytes().to_vec(), CHECKSUM)
}

/// The big-endian number in base 62, padded with zeros to `width`.
pub(super) fn base62(mut number: Vec<u8>, width: usize) -> String {
    let mut digits = Vec::with_capacity(width);
    for _ in 0..width {
        let mut remainder: u16 = 0;
        for byte in &mut number {
            let value = (remainder << 8) | u16::from(*byte);
            // Below 62 * 256 / 62, so it fits.
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            remainder = value % 62;
        }
        digits.push(DIGITS.get(usize::from(remainder)).copied().unwrap_or(b'0'));
    }
    digits.iter().rev().map(|digit| char::from(*digit)).collect()
}

/// CRC-32 (ISO-HDLC, as in gzip), bit by bit: 43 bytes do not need a table.
fn crc32(bytes: &[u8]) -> u32 {
    let crc =
        bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 }
            })
        });
    !crc
}

#[cfg(test)]
#[allow(clippy::string_slice, reason = "tokens are ASCII")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_checksum_is_crc_32() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(base62(vec![0, 0], 3), "000");
        assert_eq!(base62(vec![0xff, 0xff, 0xff, 0xff], 6), "4gfFC3");
    }

    #[test]
    fn the_largest_number_fits() {
        assert_eq!(render([0xff; 32]).len(), LENGTH);
        assert_ne!(render([0xff; 32]), render([0xfe; 32]));
    }

    proptest! {
        #[test]
        fn every_token_has_the_form_and_is_accepted(bits: [u8; 32]) {
            let token = render(bits);
            prop_assert_eq!(token.len(), 53);
            prop_assert!(token.starts_with(PREFIX));
            prop_assert!(token[4..].chars().all(|c| c.is_ascii_alphanumeric()));
            prop_assert!(hash(&token).is_ok());
        }

        #[test]
        fn different_bits_make_different_tokens(left: [u8; 32], right: [u8; 32]) {
            prop_assert_eq!(left == right, render(left) == render(right));
        }

        #[test]
        fn any_single_changed_character_is_noticed(bits: [u8; 32], place in 0_usize..53, with in "[ -~]") {
            let mut token = render(bits);
            prop_assume!(token[place..=place] != with);
            token.replace_range(place..=place, &with);
            prop_assert!(matches!(hash(&token), Err(Refused::Malformed | Refused::BadChecksum)));
        }

        #[test]
        fn arbitrary_text_never_panics_and_is_refused(text in ".{0,80}") {
            prop_assert!(hash(&text).is_err());
            let prefixed = [PREFIX, &text].concat();
            prop_assert!(hash(&prefixed).is_err());
        }
    }
}
