//! The one handle on payloads that the log holds: encrypts on the way in, erases and holds on order.

use super::Config;
use super::config::Capture;
use super::erase::{self, Erasure, Hold, Selector};
use super::keyring::Keyring;
use super::seal::{self, Bound, Key, Role, Sealed};
use super::shelf::{Gone, Shelf};
use crate::audit::{Error, Reader};
use crate::clock::Clock;
use crate::vault::Selected;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// Keys that are kept at hand; beyond that the cache begins anew.
const CACHED: usize = 10_000;
const DAY_US: i64 = 86_400_000_000;

/// Year and month, in UTC.
type Month = (i16, i8);

/// A text that belongs to a record, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Which side of the call.
    pub role: Role,
    /// Whose: the caller's id. All its keys of a month are one.
    pub subject: String,
    /// Of which class, for retention: the server's id.
    pub class: String,
    /// The length of the text, in bytes.
    pub len: usize,
    /// The text, after redaction; empty if it is too long to be kept.
    pub text: String,
}

/// Keys and payloads of one log.
#[derive(Debug)]
pub(in crate::audit) struct Vault {
    folder: PathBuf,
    origin: String,
    clock: Clock,
    config: Config,
    /// Locked before the shelf, where both are needed.
    keys: Mutex<Keys>,
    /// Not under the lock of the keys: a sync must not keep callers waiting.
    shelf: Mutex<Shelf>,
}

#[derive(Debug)]
struct Keys {
    keyring: Keyring,
    /// By subject: the month, and the key of that month.
    cache: HashMap<String, (Month, (i64, Key))>,
}

/// What was found when something was to be erased.
#[derive(Debug)]
pub(in crate::audit) enum Found {
    /// These, and nothing keeps them.
    Free(BTreeSet<u64>),
    /// This hold keeps some of them.
    Held(Hold),
}

impl Vault {
    pub(in crate::audit) fn open(
        folder: &Path,
        origin: &str,
        config: &Config,
        clock: Clock,
    ) -> Result<Self, Error> {
        if let Some(problem) = config.retention.problem() {
            return Err(Error::Retention(problem));
        }
        let keys = Keys { keyring: Keyring::open(folder)?, cache: HashMap::new() };
        Ok(Self {
            folder: folder.to_owned(),
            origin: origin.to_owned(),
            clock,
            config: config.clone(),
            keys: Mutex::new(keys),
            shelf: Mutex::new(Shelf::open(folder)?),
        })
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anything of that side of a call is kept.
    pub(in crate::audit) fn keeps(&self, role: Role) -> bool {
        match role {
            Role::Request => self.config.capture >= Capture::Request,
            Role::Response => self.config.capture >= Capture::RequestResponse,
        }
    }

    pub(in crate::audit) fn largest(&self) -> usize {
        self.config.max_bytes
    }

    /// Encrypts a text for its record.
    pub(in crate::audit) fn seal(&self, call: Uuid, body: &Body) -> Result<Sealed, Error> {
        let kek = self.key(&body.subject)?;
        let bound = Bound { origin: &self.origin, call, role: body.role.as_str() };
        Ok(seal::seal(&bound, &body.text, (kek.0, &kek.1), &body.class)?)
    }

    fn key(&self, subject: &str) -> Result<(i64, Key), Error> {
        let now = jiff::Timestamp::from_microsecond(self.clock.now_us()).unwrap_or_default();
        let today = jiff::tz::Offset::UTC.to_datetime(now);
        let month = (today.year(), today.month());
        let mut keys = self.keys();
        if let Some((of, key)) = keys.cache.get(subject)
            && *of == month
        {
            return Ok(*key);
        }
        let key = keys.keyring.key(subject, &format!("{:04}-{:02}", month.0, month.1))?;
        if keys.cache.len() >= CACHED {
            keys.cache.clear();
        }
        keys.cache.insert(subject.to_owned(), (month, key));
        Ok(key)
    }

    /// Makes all payloads durable that were written so far.
    pub(in crate::audit) fn sync(&self) -> Result<(), Error> {
        self.shelf().sync()
    }

    pub(in crate::audit) fn find(&self, selector: &Selector) -> Result<Found, Error> {
        let reader = Reader::open(&self.folder)?;
        let (keys, shelf) = (self.keys(), self.shelf());
        let seqs = erase::select(selector, &keys.keyring, &shelf, &reader)?;
        let held = erase::held(&seqs, &keys.keyring, &shelf, &reader)?;
        Ok(held.map_or(Found::Free(seqs), Found::Held))
    }

    /// How many values that tokens stand for are selected.
    pub(in crate::audit) fn tokens(&self, selector: &Selector) -> Result<u64, Error> {
        tokens(&self.folder, selector, |selected| Ok(crate::vault::count(&self.folder, selected)?))
    }

    /// Remembers an erasure until [`Vault::destroy`] has done it.
    pub(in crate::audit) fn begin(&self, erasure: &Erasure) -> Result<i64, Error> {
        let text = serde_json::to_string(erasure).map_err(|_| Error::Unclosed)?;
        self.keys().keyring.begin(&text)
    }

    /// Forgets an erasure that came to nothing.
    pub(in crate::audit) fn abandon(&self, id: i64) -> Result<(), Error> {
        self.keys().keyring.done(id)
    }

    pub(in crate::audit) fn destroy(
        &self,
        id: i64,
        selector: &Selector,
        seqs: &BTreeSet<u64>,
    ) -> Result<(), Error> {
        let (mut keys, mut shelf) = (self.keys(), self.shelf());
        keys.cache.clear();
        erase::destroy(selector, seqs, &keys.keyring, &mut shelf)?;
        tokens(&self.folder, selector, |selected| Ok(crate::vault::erase(&self.folder, selected)?))?;
        keys.keyring.done(id)
    }

    /// Erasures that a crash interrupted.
    pub(in crate::audit) fn pending(&self) -> Result<Vec<(i64, Erasure)>, Error> {
        let pending = self.keys().keyring.pending()?;
        let parse = |(id, text): (i64, String)| Some((id, serde_json::from_str(&text).ok()?));
        Ok(pending.into_iter().filter_map(parse).collect())
    }

    pub(in crate::audit) fn holds(&self) -> Result<Vec<Hold>, Error> {
        self.keys().keyring.holds()
    }

    pub(in crate::audit) fn set_hold(&self, hold: &Hold) -> Result<(), Error> {
        self.keys().keyring.set_hold(hold)
    }

    pub(in crate::audit) fn lift_hold(&self, id: &str) -> Result<bool, Error> {
        self.keys().keyring.lift_hold(id)
    }

    /// What is over its time and not held.
    pub(in crate::audit) fn expired(&self) -> Result<BTreeSet<u64>, Error> {
        let retention = &self.config.retention;
        let before = |days: u32| self.clock.now_us() - i64::from(days) * DAY_US;
        let reader = Reader::open(&self.folder)?;
        let (keys, shelf) = (self.keys(), self.shelf());
        let mut seqs = BTreeSet::new();
        for (server, days) in &retention.servers {
            seqs.extend(shelf.older(before(*days), Ok(server))?);
        }
        if let Some(days) = retention.days {
            let others: Vec<String> = retention.servers.keys().cloned().collect();
            seqs.extend(shelf.older(before(days), Err(&others))?);
        }
        if seqs.is_empty() {
            return Ok(seqs);
        }
        for hold in keys.keyring.holds()? {
            for kept in erase::select(&hold.selector, &keys.keyring, &shelf, &reader)? {
                seqs.remove(&kept);
            }
        }
        Ok(seqs)
    }

    /// Takes away what is over its time.
    pub(in crate::audit) fn expire(&self, seqs: &BTreeSet<u64>) -> Result<(), Error> {
        let seqs: Vec<u64> = seqs.iter().copied().collect();
        let mut shelf = self.shelf();
        shelf.forget(&seqs, Gone::Expired)?;
        shelf.settle()
    }
}

/// Does something to the values of the vault that are selected: by their owner, or by the commitments in records.
fn tokens<T>(
    folder: &Path,
    selector: &Selector,
    work: impl FnOnce(Selected<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let (commitments, calls) = match selector {
        Selector::Subject(subject) => return work(Selected::Subject(subject)),
        Selector::Commitment(commitment) => (vec![commitment.clone()], [].as_slice()),
        Selector::Calls(calls) => (erase::commitments(calls, &Reader::open(folder)?)?, calls.as_slice()),
    };
    work(Selected::Found { commitments: &commitments, calls })
}
