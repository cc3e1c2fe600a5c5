//! Handles that the gateway gives out: sealed, so that nobody can read, alter or forge them.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const NONCE: usize = 12;
const DAY_US: i64 = 86_400_000_000;
/// Longest handle that is looked at, in characters.
const LONGEST: usize = 64 << 10;

/// What a handle is for: one made for one purpose opens for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// `requestState` of an unfinished request.
    State,
    /// `taskId`.
    Task,
}

impl Purpose {
    fn label(self) -> &'static str {
        match self {
            Self::State => "sealgate request state v1",
            Self::Task => "sealgate task v1",
        }
    }

    /// For how many days a handle can be opened. What it holds may expire earlier.
    fn days(self) -> u32 {
        match self {
            Self::State => 1,
            Self::Task => 400,
        }
    }
}

/// The keys of all handles: one a purpose and day, derived from one secret.
pub struct Seals {
    secret: Prk,
}

impl std::fmt::Debug for Seals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seals").finish_non_exhaustive()
    }
}

struct KeyLength;

impl KeyType for KeyLength {
    fn len(&self) -> usize {
        32
    }
}

impl Seals {
    /// Keys from 32 random bytes that outlive a restart.
    pub fn new(secret: &[u8]) -> Self {
        Self { secret: Salt::new(HKDF_SHA256, b"sealgate handles").extract(secret) }
    }

    fn key(&self, purpose: Purpose, day: u32) -> Option<RandomizedNonceKey> {
        let day = day.to_be_bytes();
        let info = [purpose.label().as_bytes(), &day];
        let mut key = [0; 32];
        self.secret.expand(&info, KeyLength).ok()?.fill(&mut key).ok()?;
        RandomizedNonceKey::new(&AES_256_GCM, &key).ok()
    }

    /// A handle that holds `plain`.
    pub(super) fn seal(&self, purpose: Purpose, now_us: i64, plain: Vec<u8>) -> Option<String> {
        let day = day_of(now_us);
        let mut sealed = plain;
        let aad = Aad::from(purpose.label().as_bytes());
        let nonce = self.key(purpose, day)?.seal_in_place_append_tag(aad, &mut sealed).ok()?;
        let mut out = day.to_be_bytes().to_vec();
        out.extend_from_slice(nonce.as_ref());
        out.extend_from_slice(&sealed);
        Some(URL_SAFE_NO_PAD.encode(out))
    }

    /// What a handle holds, or `None` if it is not ours, was altered, or is too old.
    pub(super) fn open(&self, purpose: Purpose, now_us: i64, handle: &str) -> Option<Vec<u8>> {
        if handle.len() > LONGEST {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(handle).ok()?;
        let (day, rest) = bytes.split_first_chunk::<4>()?;
        let day = u32::from_be_bytes(*day);
        let today = day_of(now_us);
        if day > today || today - day > purpose.days() {
            return None;
        }
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>()?;
        let mut sealed = sealed.to_vec();
        let aad = Aad::from(purpose.label().as_bytes());
        let plain = self.key(purpose, day)?.open_in_place(Nonce::from(nonce), aad, &mut sealed).ok()?;
        Some(plain.to_vec())
    }
}

fn day_of(now_us: i64) -> u32 {
    u32::try_from(now_us / DAY_US).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000_000_000;

    #[test]
    fn a_handle_opens_for_its_purpose_in_its_time_only() {
        let seals = Seals::new(&[7; 32]);
        let handle = seals.seal(Purpose::State, NOW, b"inner".to_vec()).unwrap();
        assert_eq!(seals.open(Purpose::State, NOW, &handle).unwrap(), b"inner");
        assert_eq!(seals.open(Purpose::State, NOW + DAY_US, &handle).unwrap(), b"inner");
        assert!(seals.open(Purpose::State, NOW + 2 * DAY_US, &handle).is_none());
        assert!(seals.open(Purpose::State, NOW - DAY_US, &handle).is_none());
        assert!(seals.open(Purpose::Task, NOW, &handle).is_none());
        assert!(Seals::new(&[8; 32]).open(Purpose::State, NOW, &handle).is_none());
        assert_ne!(handle, seals.seal(Purpose::State, NOW, b"inner".to_vec()).unwrap());
    }

    #[test]
    fn any_altered_byte_is_noticed() {
        let seals = Seals::new(&[7; 32]);
        let handle = seals.seal(Purpose::State, NOW, b"inner".to_vec()).unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&handle).unwrap();
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert!(seals.open(Purpose::State, NOW, &URL_SAFE_NO_PAD.encode(altered)).is_none(), "{at}");
        }
        for cut in 0..handle.len() {
            assert!(seals.open(Purpose::State, NOW, handle.get(..cut).unwrap()).is_none());
        }
    }
}
