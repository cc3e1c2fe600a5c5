//! Addresses of cryptocurrencies by their checksums: Base58Check, bech32 (BIP 173, BIP 350), EIP-55.

use aws_lc_rs::digest::{SHA256, digest};
use sha3::{Digest as _, Keccak256};

/// Whether a word of letters and digits is an address.
pub(super) fn address(word: &[u8]) -> bool {
    match word {
        [b'0', b'x', rest @ ..] => rest.len() == 40 && ethereum(rest),
        _ => {
            ((26..=35).contains(&word.len()) && base58_check(word))
                || ((39..=90).contains(&word.len()) && bech32(word))
        }
    }
}

/// Mixed case is a checksum; all of one case has none.
fn ethereum(hex: &[u8]) -> bool {
    if !hex.iter().all(u8::is_ascii_hexdigit) || hex.iter().all(|byte| *byte == b'0') {
        return false;
    }
    let mixed = hex.iter().any(u8::is_ascii_lowercase) && hex.iter().any(u8::is_ascii_uppercase);
    let hash = Keccak256::digest(hex.to_ascii_lowercase());
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    !mixed
        || hex
            .iter()
            .zip(nibbles)
            .all(|(byte, nibble)| byte.is_ascii_digit() || byte.is_ascii_uppercase() == (nibble >= 8))
}

/// The value of a letter of Base58, by its byte; 255 for all that are none.
const BASE58: [u8; 256] = values(b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz");

#[allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated when it is compiled")]
const fn values(alphabet: &[u8]) -> [u8; 256] {
    let mut values = [255; 256];
    let mut place = 0;
    while place < alphabet.len() {
        values[alphabet[place] as usize] = place as u8;
        place += 1;
    }
    values
}

fn base58_check(word: &[u8]) -> bool {
    let value = |letter: &u8| BASE58.get(usize::from(*letter)).copied().unwrap_or(255);
    // Most words of that length are digests: a zero or an `l` is in them.
    if word.iter().any(|letter| value(letter) == 255) {
        return false;
    }
    // Twenty-five bytes, the last limb first.
    let mut limbs = [0u32; 7];
    for letter in word {
        let mut carry = u64::from(value(letter));
        for limb in &mut limbs {
            carry += u64::from(*limb) * 58;
            *limb = u32::try_from(carry & 0xFFFF_FFFF).unwrap_or(0);
            carry >>= 32;
        }
        if carry > 0 {
            return false;
        }
    }
    let mut number = [0u8; 28];
    for (place, limb) in number.rchunks_exact_mut(4).zip(limbs) {
        place.copy_from_slice(&limb.to_be_bytes());
    }
    let [0, 0, 0, number @ ..] = &number else { return false };
    let (body, check) = number.split_at(21);
    let twice = digest(&SHA256, digest(&SHA256, body).as_ref());
    twice.as_ref().get(..4) == Some(check)
}

fn bech32(word: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let lower = word.to_ascii_lowercase();
    if lower != word && word.to_ascii_uppercase() != word {
        return false;
    }
    let Some(one) = lower.iter().rposition(|byte| *byte == b'1').filter(|one| (1..=10).contains(one)) else {
        return false;
    };
    let (human, data) = lower.split_at(one);
    let mut sum = 1u32;
    let mut step = |value: u8| {
        let top = sum >> 25;
        sum = (sum & 0x01FF_FFFF) << 5 ^ u32::from(value);
        for (bit, generator) in
            [0x3B6A_57B2, 0x2650_8E6D, 0x1EA1_19FA, 0x3D42_33DD, 0x2A14_62B3].iter().enumerate()
        {
            if top >> bit & 1 == 1 {
                sum ^= generator;
            }
        }
    };
    for byte in human {
        step(byte >> 5);
    }
    step(0);
    for byte in human {
        step(byte & 31);
    }
    for byte in data.iter().skip(1) {
        let Some(value) = ALPHABET.iter().position(|known| known == byte) else { return false };
        step(u8::try_from(value).unwrap_or(0));
    }
    sum == 1 || sum == 0x2BC8_30A3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_follow_the_published_vectors() {
        for word in [
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xde709f2102306220921060314715629080e2fb77",
        ] {
            assert!(address(word.as_bytes()), "{word}");
        }
        for word in [
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",
            "0x0000000000000000000000000000000000000000",
            "abcdefghijkmnopqrstuvwxyzABC",
        ] {
            assert!(!address(word.as_bytes()), "{word}");
        }
    }
}
