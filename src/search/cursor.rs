//! Cursors: where a page ended, sealed, so that nobody can make one, and good for one reader and one query only.

use super::Error;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};
use aws_lc_rs::rand::{SystemRandom, generate};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The file of the key, in the data folder.
const FILE: &str = "search.key";
const LABEL: &[u8] = b"sealgate/search/cursor/v1\n";
/// Three numbers of eight bytes.
const BODY: usize = 24;
const TAG: usize = 32;

/// Where a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    /// When the first page was asked for: `-24h` means the same on all pages.
    pub now_us: i64,
    /// Records that are searched: those with smaller numbers.
    pub snapshot: u64,
    /// The last record of the page.
    pub last: u64,
}

/// The key that seals cursors.
pub(super) struct Sealer(Key);

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// Reads the key of a data folder, or makes it.
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let failed = |source| Error::File { path: path.clone(), source };
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let key: [u8; 32] = generate(&SystemRandom::new()).map_err(|_| Error::Random)?.expose();
                match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                    Ok(mut file) => file.write_all(&key).and_then(|()| file.sync_all()).map_err(failed)?,
                    // Somebody else was quicker, or it cannot be kept: then these cursors are good for this process.
                    Err(_) => {
                        return Ok(Self(Key::new(HMAC_SHA256, &fs::read(&path).unwrap_or(key.to_vec()))));
                    }
                }
                key.to_vec()
            }
            Err(e) => return Err(failed(e)),
        };
        if bytes.len() != 32 {
            return Err(failed(std::io::Error::other("it does not hold 32 bytes")));
        }
        Ok(Self(Key::new(HMAC_SHA256, &bytes)))
    }

    /// The cursor as text, bound to what it is for.
    pub(super) fn seal(&self, cursor: Cursor, bound: &str) -> String {
        let mut bytes = body(cursor);
        bytes.extend_from_slice(sign(&self.0, &signed(&bytes, bound)).as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a text says before anybody knows whether it is genuine: when its first page was asked for.
    pub(super) fn peek_now(text: &str) -> Result<i64, Error> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::Cursor)?;
        let now = bytes.first_chunk::<8>().ok_or(Error::Cursor)?;
        Ok(i64::from_be_bytes(*now))
    }

    /// The cursor of a text, if it was sealed here for this.
    pub(super) fn open_cursor(&self, text: &str, bound: &str) -> Result<Cursor, Error> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::Cursor)?;
        let (body, tag) = bytes.split_at_checked(BODY).ok_or(Error::Cursor)?;
        if tag.len() != TAG {
            return Err(Error::Cursor);
        }
        verify(&self.0, &signed(body, bound), tag).map_err(|_| Error::Cursor)?;
        let (now, rest) = body.split_first_chunk::<8>().ok_or(Error::Cursor)?;
        let (snapshot, rest) = rest.split_first_chunk::<8>().ok_or(Error::Cursor)?;
        let last = rest.first_chunk::<8>().ok_or(Error::Cursor)?;
        Ok(Cursor {
            now_us: i64::from_be_bytes(*now),
            snapshot: u64::from_be_bytes(*snapshot),
            last: u64::from_be_bytes(*last),
        })
    }
}

fn body(cursor: Cursor) -> Vec<u8> {
    let mut bytes = cursor.now_us.to_be_bytes().to_vec();
    bytes.extend_from_slice(&cursor.snapshot.to_be_bytes());
    bytes.extend_from_slice(&cursor.last.to_be_bytes());
    bytes
}

fn signed(body: &[u8], bound: &str) -> Vec<u8> {
    [LABEL, body, bound.as_bytes()].concat()
}
