//! Encryption of one value, bound to where it stands.

use super::Error;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand::{SystemRandom, generate};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// What a value is bound to.
pub(super) struct Bound<'a> {
    pub scope: &'a str,
    pub token: &'a str,
    pub kind: &'a str,
    pub commitment: &'a str,
    pub number: bool,
}

impl Bound<'_> {
    /// Each part with its length before it, so that no two bindings are the same bytes.
    fn aad(&self) -> Vec<u8> {
        let number = if self.number { "number" } else { "text" };
        let mut aad = b"sealgate/vault/v1\n".to_vec();
        for part in [self.scope, self.token, self.kind, self.commitment, number] {
            aad.extend_from_slice(&(part.len() as u64).to_be_bytes());
            aad.extend_from_slice(part.as_bytes());
        }
        aad
    }
}

/// The key of a vault.
pub(super) struct Key(LessSafeKey);

impl std::fmt::Debug for Key {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Key")
    }
}

impl Key {
    /// Reads the key's file, or makes it where there is none.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::File { path: path.to_owned(), source };
        let bytes = match fs::read(path) {
            Ok(bytes) => {
                if fs::metadata(path).map_err(io)?.permissions().mode() & 0o077 != 0 {
                    return Err(io(std::io::Error::other("others can read it: chmod 600")));
                }
                bytes
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let key: [u8; 32] = generate(&SystemRandom::new()).map_err(|_| Error::Encryption)?.expose();
                let mut file =
                    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
                file.write_all(&key).and_then(|()| file.sync_all()).map_err(io)?;
                key.to_vec()
            }
            Err(e) => return Err(io(e)),
        };
        let key = UnboundKey::new(&AES_256_GCM, &bytes);
        let key = key.map_err(|_| io(std::io::Error::other("it does not hold 32 bytes")))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Nonce, ciphertext and tag of a value.
    pub(super) fn seal(&self, bound: &Bound<'_>, value: &str) -> Result<Vec<u8>, Error> {
        let nonce: [u8; NONCE_LEN] = generate(&SystemRandom::new()).map_err(|_| Error::Encryption)?.expose();
        let mut body = value.as_bytes().to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound.aad()), &mut body)
            .map_err(|_| Error::Encryption)?;
        let mut sealed = nonce.to_vec();
        sealed.append(&mut body);
        Ok(sealed)
    }

    /// The value again, if nothing of it or of what it is bound to was changed.
    pub(super) fn open_sealed(&self, bound: &Bound<'_>, sealed: &[u8]) -> Result<String, Error> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(Error::Damaged)?;
        let mut body = body.to_vec();
        let value = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(bound.aad()), &mut body)
            .map_err(|_| Error::Damaged)?;
        String::from_utf8(value.to_vec()).map_err(|_| Error::Damaged)
    }
}
