//! Page cursors of our own: authenticated, and void when the list that they point into has changed.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use aws_lc_rs::rand::{SystemRandom, generate};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const TAG: usize = 16;

/// Makes and checks cursors. Each process has a key of its own: a cursor does not outlive it.
#[derive(Debug)]
pub struct CursorKey(Key);

impl CursorKey {
    /// A key from the system's random source, or `None` if that fails.
    pub fn random() -> Option<Self> {
        let bytes: [u8; 32] = generate(&SystemRandom::new()).ok()?.expose();
        Some(Self(Key::new(HMAC_SHA256, &bytes)))
    }

    /// A cursor to `offset` in the list that `view` stands for.
    pub fn cursor(&self, view: &str, offset: usize) -> String {
        let tag = sign(&self.0, format!("{view}\n{offset}").as_bytes());
        let mut bytes = offset.to_string().into_bytes();
        bytes.push(b'.');
        bytes.extend_from_slice(tag.as_ref().get(..TAG).unwrap_or_default());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The offset that a cursor points to, if we made it for this very view.
    pub fn offset(&self, view: &str, cursor: &str) -> Option<usize> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let dot = memchr::memchr(b'.', &bytes)?;
        let offset: usize = std::str::from_utf8(bytes.get(..dot)?).ok()?.parse().ok()?;
        let ours = self.cursor(view, offset);
        verify_slices_are_equal(ours.as_bytes(), cursor.as_bytes()).ok().map(|()| offset)
    }
}
