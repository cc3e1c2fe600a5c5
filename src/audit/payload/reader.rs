//! Reading payloads back, for whoever may read the data folder and its keys.

use super::erase::{self, Selector};
use super::keyring::{self, Keyring};
use super::seal::{self, Bound};
use super::shelf::{Gone, Shelf};
use crate::audit::chain::parse_hex;
use crate::audit::{Error, Hold, Reader};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// What became of a record's payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// The text, exactly as it was sealed.
    Text(String),
    /// The record names none.
    None,
    /// It was erased: keys or ciphertext are destroyed.
    Erased,
    /// Its time was over.
    Expired,
    /// It is not there: it was newer than the last checkpoint when the power went, or somebody took it away.
    Missing,
    /// What is there is not what the record names.
    Altered,
}

impl Payload {
    /// One word for it.
    pub fn state(&self) -> &'static str {
        match self {
            Self::Text(_) => "ok",
            Self::None => "none",
            Self::Erased => "erased",
            Self::Expired => "expired",
            Self::Missing => "missing",
            Self::Altered => "altered",
        }
    }
}

/// A view of the payloads of a log.
#[derive(Debug)]
pub struct Payloads {
    shelf: Option<Shelf>,
    keyring: Option<Keyring>,
}

impl Payloads {
    /// Opens the payloads in `folder`.
    ///
    /// # Errors
    /// Keys or payloads cannot be read.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let there = folder.join(keyring::MASTER).exists() && folder.join(keyring::FILE).exists();
        let keyring = there.then(|| Keyring::open(folder)).transpose()?;
        Ok(Self { shelf: Shelf::open_readonly(folder)?, keyring })
    }

    /// The payload that a record names, from the record's exact bytes. Reading content is itself to be recorded, by
    /// whoever reads on somebody's behalf.
    ///
    /// # Errors
    /// Keys or payloads cannot be read.
    pub fn read(&self, record: &[u8]) -> Result<Payload, Error> {
        let record: Value = serde_json::from_slice(record).unwrap_or_default();
        let Some(named) = record.get("payload") else { return Ok(Payload::None) };
        let text = |value: &Value, key: &str| value.get(key).and_then(|v| v.as_str().map(str::to_owned));
        let (Some(seq), Some(origin), Some(call), Some(role), Some(ct), Some(kc)) = (
            record.get("seq").and_then(Value::as_u64),
            text(&record, "log"),
            text(&record, "call").and_then(|call| call.parse().ok()),
            text(named, "role"),
            text(named, "ct").and_then(|ct| parse_hex(&ct)),
            text(named, "kc").and_then(|kc| parse_hex(&kc)),
        ) else {
            return Ok(Payload::Altered);
        };
        let Some(stored) = self.shelf.as_ref().map(|shelf| shelf.get(seq)).transpose()?.flatten() else {
            return Ok(Payload::Missing);
        };
        match stored.gone {
            Some(Gone::Erased) => return Ok(Payload::Erased),
            Some(Gone::Expired) => return Ok(Payload::Expired),
            None => {}
        }
        if stored.ct != ct || seal::ciphertext(&stored.nonce, &stored.body) != ct {
            return Ok(Payload::Altered);
        }
        let kek = self.keyring.as_ref().map(|keyring| keyring.by_number(stored.kek)).transpose()?.flatten();
        let Some(kek) = kek else { return Ok(Payload::Erased) };
        let bound = Bound { origin: &origin, call, role: &role };
        let opened = seal::open(&bound, (&stored.nonce, &stored.body, &stored.wrapped), &kek, &kc);
        Ok(opened.map_or(Payload::Altered, Payload::Text))
    }

    /// Sequence numbers of the records whose payloads are selected and still there.
    ///
    /// # Errors
    /// Keys, payloads or records cannot be read.
    pub fn selected(&self, selector: &Selector, reader: &Reader) -> Result<BTreeSet<u64>, Error> {
        match (&self.keyring, &self.shelf) {
            (Some(keyring), Some(shelf)) => erase::select(selector, keyring, shelf, reader),
            _ => Ok(BTreeSet::new()),
        }
    }

    /// The holds in force.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn holds(&self) -> Result<Vec<Hold>, Error> {
        self.keyring.as_ref().map_or(Ok(Vec::new()), Keyring::holds)
    }
}
