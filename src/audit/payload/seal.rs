//! Encryption of one payload: a data key of its own, wrapped by the key of its subject and month.
//!
//! AES-256-GCM is not key-committing, so the record commits to the key beside the ciphertext. There is no hash
//! of the plain text anywhere.

use crate::audit::chain::{Leaf, hash};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand::{SystemRandom, generate};
use uuid::Uuid;

const BODY: &str = "sealgate/payload/v1/body\n";
const CIPHERTEXT: &[u8] = b"sealgate/payload/v1/ct\n";
const COMMITMENT: &[u8] = b"sealgate/payload/v1/kc\n";
const WRAP: &[u8] = b"sealgate/payload/v1/dek\n";

/// A key of 256 bits.
pub(super) type Key = [u8; 32];
/// Length of a nonce.
const NONCE: usize = 12;

/// The system failed to encrypt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("encryption failed")]
pub struct Failed;

/// Which side of a call a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Its arguments.
    Request,
    /// Its result.
    Response,
}

impl Role {
    /// The name in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

/// What a payload is bound to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound<'a> {
    pub origin: &'a str,
    pub call: Uuid,
    pub role: &'a str,
}

impl Bound<'_> {
    fn aad(&self) -> Vec<u8> {
        format!("{BODY}{}\n{}\n{}", self.origin, self.call, self.role).into_bytes()
    }
}

/// An encrypted payload, and what the record says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::audit) struct Sealed {
    pub ct: Leaf,
    pub kc: Leaf,
    pub nonce: [u8; NONCE],
    pub body: Vec<u8>,
    /// The data key, wrapped: nonce, then ciphertext and tag.
    pub wrapped: Vec<u8>,
    /// The wrapping key's number.
    pub kek: i64,
    pub class: String,
}

/// A random key.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Failed>
where
    [u8; N]: aws_lc_rs::rand::RandomlyConstructable,
{
    generate(&SystemRandom::new()).map(aws_lc_rs::rand::Random::expose).map_err(|_| Failed)
}

fn cipher(key: &Key) -> Result<LessSafeKey, Failed> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).map_err(|_| Failed)
}

/// Encrypts a key under another: nonce, ciphertext, tag.
pub(super) fn wrap(outer: &Key, inner: &Key, aad: &[u8]) -> Result<Vec<u8>, Failed> {
    wrap_with(random()?, outer, inner, aad)
}

fn wrap_with(nonce: [u8; NONCE], outer: &Key, inner: &Key, aad: &[u8]) -> Result<Vec<u8>, Failed> {
    let mut sealed = inner.to_vec();
    cipher(outer)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed)
        .map_err(|_| Failed)?;
    let mut out = nonce.to_vec();
    out.append(&mut sealed);
    Ok(out)
}

/// The reverse of [`wrap`].
pub(super) fn unwrap(outer: &Key, wrapped: &[u8], aad: &[u8]) -> Result<Key, Failed> {
    let (nonce, sealed) = wrapped.split_first_chunk::<NONCE>().ok_or(Failed)?;
    let mut sealed = sealed.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let key = cipher(outer)?.open_in_place(nonce, Aad::from(aad), &mut sealed).map_err(|_| Failed)?;
    Key::try_from(&*key).map_err(|_| Failed)
}

/// Encrypts a text under the key `kek` with that number.
pub(super) fn seal(
    bound: &Bound<'_>,
    text: &str,
    (number, kek): (i64, &Key),
    class: &str,
) -> Result<Sealed, Failed> {
    // One visit to the random generator instead of three: it costs more than the bytes.
    let fresh: [u8; 32 + 2 * NONCE] = random()?;
    let (dek, nonces) = fresh.split_first_chunk::<32>().ok_or(Failed)?;
    let (nonce, of_wrap) = nonces.split_first_chunk::<NONCE>().ok_or(Failed)?;
    let (dek, nonce, of_wrap) = (*dek, *nonce, of_wrap.first_chunk::<NONCE>().copied().ok_or(Failed)?);
    let mut body = Vec::with_capacity(text.len() + 16);
    body.extend_from_slice(text.as_bytes());
    cipher(&dek)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound.aad()), &mut body)
        .map_err(|_| Failed)?;
    Ok(Sealed {
        ct: ciphertext(&nonce, &body),
        kc: commitment(&dek),
        nonce,
        body,
        wrapped: wrap_with(of_wrap, kek, &dek, WRAP)?,
        kek: number,
        class: class.to_owned(),
    })
}

/// What a record says of a ciphertext.
pub(super) fn ciphertext(nonce: &[u8], body: &[u8]) -> Leaf {
    hash(&[CIPHERTEXT, nonce, body])
}

fn commitment(dek: &Key) -> Leaf {
    hash(&[COMMITMENT, dek])
}

/// Decrypts a payload, if data key and ciphertext are those that the record names.
pub(super) fn open(
    bound: &Bound<'_>,
    (nonce, body, wrapped): (&[u8], &[u8], &[u8]),
    kek: &Key,
    kc: &Leaf,
) -> Result<String, Failed> {
    let dek = unwrap(kek, wrapped, WRAP)?;
    if commitment(&dek) != *kc {
        return Err(Failed);
    }
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Failed)?;
    let mut body = body.to_vec();
    let text = cipher(&dek)?.open_in_place(nonce, Aad::from(bound.aad()), &mut body).map_err(|_| Failed)?;
    String::from_utf8(text.to_vec()).map_err(|_| Failed)
}
