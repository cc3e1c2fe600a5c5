//! Who vouched for this call?
//!
//! Calls that a policy with `@require_approval` holds back, and what people said about them: a small SQLite file
//! that the gateway and the command line share. An approval is bound to a keyed digest of the call, is good for
//! one use and a limited time, and never comes from whoever asked. The gateway records what is said here; whether
//! an approver may approve is decided by policy, before a vote is written and again when it is used.

mod store;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hmac;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use self::store::Store;
pub use self::store::{Asker, Held, State, Vote};
use crate::clock::Clock;
use crate::identity::Caller;

/// Most calls that wait at once; one more is refused.
const MAX_PENDING: u64 = 10_000;

/// Why approvals cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder or file cannot be used.
    #[error("approvals `{path}`: {source}")]
    File {
        /// Which one.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// SQLite failed.
    #[error("approvals: {0}")]
    Store(#[from] rusqlite::Error),
    /// A row does not read back.
    #[error("approval `{0}` in the store is damaged")]
    Damaged(String),
    /// Nothing has that reference.
    #[error("no call waits under `{0}`: `sealgate approval list` shows those that do")]
    Unknown(String),
    /// It was decided or used, or has expired.
    #[error("the call is {0} already")]
    Settled(&'static str),
    /// The approver is whoever asked.
    #[error("nobody approves a call of their own")]
    OwnCall,
    /// The approver belongs to another tenant.
    #[error("the call belongs to another tenant")]
    ForeignTenant,
    /// The approver has none of the roles that are asked for.
    #[error("the call needs one of the roles {0}")]
    NoRole(String),
    /// Too many calls wait.
    #[error("too many calls wait for approval")]
    Full,
}

/// What makes a call that call: an approval is for exactly these.
#[derive(Debug, Clone, Copy)]
pub struct Fingerprint<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// The method.
    pub method: &'a str,
    /// Id of the server.
    pub server: &'a str,
    /// What it is done to.
    pub name: &'a str,
    /// The arguments in canonical form, as they came.
    pub arguments: &'a str,
}

/// What people see of a call that waits.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The call whose record is the reference.
    pub call: Uuid,
    /// What it is.
    pub fingerprint: Fingerprint<'a>,
    /// `tool`, `resource` or `prompt`.
    pub target: &'static str,
    /// The parameters after redaction.
    pub shown: &'a str,
    /// Roles of which each must approve.
    pub roles: &'a BTreeSet<String>,
    /// Policies that ask for it.
    pub policies: &'a [String],
    /// How long it waits, and how long it is good, in microseconds.
    pub ttl_us: i64,
}

/// What is known about a call that needs approval.
#[derive(Debug, Clone)]
pub enum Standing {
    /// Approved; to be used at once.
    Approved(Box<Held>),
    /// It waits under this reference.
    Waits(Uuid),
    /// It was rejected.
    Rejected(Uuid),
}

/// The approvals of one gateway.
#[derive(Debug)]
pub struct Approvals {
    store: Mutex<Store>,
    key: hmac::Key,
    clock: Clock,
    /// The latest time seen.
    latest: AtomicI64,
    /// Woken by a vote of this process.
    voted: Notify,
    /// Counts the times at which those who wait should look again.
    told: watch::Sender<u64>,
}

impl Approvals {
    /// Opens or makes the file. `key` binds approvals to calls; without the right one none is found.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn open(folder: &Path, key: &[u8], clock: Clock) -> Result<Self, Error> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let (voted, told) = (Notify::new(), watch::Sender::new(0));
        Ok(Self {
            store: Mutex::new(Store::open(folder)?),
            key,
            clock,
            voted,
            told,
            latest: AtomicI64::new(i64::MIN),
        })
    }

    /// The time, never before one that was seen: a clock that is set back brings nothing back that has expired.
    fn now(&self) -> i64 {
        let now = self.clock.now_us();
        now.max(self.latest.fetch_max(now, Ordering::SeqCst))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Store) -> Result<T, Error>) -> Result<T, Error> {
        work(&mut self.store.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Finds out how a call stands; one that nobody knows begins to wait under its own id. Blocks on the disk.
    ///
    /// # Errors
    /// The store cannot be used, or too many wait.
    pub fn standing(&self, request: &Request<'_>) -> Result<Standing, Error> {
        let digest = self.digest(&request.fingerprint);
        let now = self.now();
        self.with(|store| {
            if let Some(found) = store.latest(&digest, now)? {
                return Ok(match found.state {
                    State::Approved => Standing::Approved(Box::new(found)),
                    State::Rejected => Standing::Rejected(found.reference),
                    State::Pending | State::Used | State::Expired => Standing::Waits(found.reference),
                });
            }
            if store.pending(now)? >= MAX_PENDING {
                return Err(Error::Full);
            }
            store.insert(request, &digest, now)?;
            Ok(Standing::Waits(request.call))
        })
    }

    /// Uses an approval. It is gone when this returns true, and it returns true once. Blocks on the disk.
    ///
    /// # Errors
    /// The store cannot be used.
    pub fn consume(&self, reference: Uuid, by: Uuid) -> Result<bool, Error> {
        let now = self.now();
        self.with(|store| store.consume(reference, by, now))
    }

    /// Calls that wait or were decided, newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn list(&self, all: bool) -> Result<Vec<Held>, Error> {
        let now = self.now();
        self.with(|store| store.list(now, all))
    }

    /// One of them, by its reference or the beginning of it.
    ///
    /// # Errors
    /// There is none, or the store cannot be read.
    pub fn show(&self, reference: &str) -> Result<Held, Error> {
        let now = self.now();
        self.with(|store| store.by_reference(reference, now))
    }

    /// Writes what an approver says. `covers` are the roles among those asked for that the approver has.
    /// Whether policy lets them approve has been asked before.
    ///
    /// # Errors
    /// It is not theirs to say, or too late.
    pub fn vote(&self, reference: &str, approver: &Caller, vote: Ballot<'_>) -> Result<Held, Error> {
        let now = self.now();
        let voted = self.with(|store| {
            let held = store.by_reference(reference, now)?;
            held.may_be_decided_by(approver)?;
            if vote.covers.is_empty() {
                let roles: Vec<&str> = held.roles.iter().map(String::as_str).collect();
                return Err(Error::NoRole(roles.join(", ")));
            }
            store.vote(&held, approver, &vote, now)?;
            store.by_reference(reference, now)
        })?;
        self.voted.notify_one();
        Ok(voted)
    }

    /// Waits for a vote of this process. Those of others are found by looking.
    pub async fn voted(&self) {
        self.voted.notified().await;
    }

    /// Wakes those who wait for a decision: there are new votes, or the store cannot be read.
    pub fn tell(&self) {
        self.told.send_modify(|times| *times = times.wrapping_add(1));
    }

    /// Tells of each time at which a call that waits should look again.
    pub fn told(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }

    /// Votes that the log does not know yet.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn unrecorded(&self) -> Result<Vec<(Held, Vote)>, Error> {
        let now = self.now();
        self.with(|store| store.unrecorded(now))
    }

    /// Notes that a vote is in the log.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn recorded(&self, vote: &Vote) -> Result<(), Error> {
        self.with(|store| store.recorded(vote.id))
    }

    /// A keyed digest: the file alone tells nothing about arguments that could be guessed.
    fn digest(&self, of: &Fingerprint<'_>) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        let caller = of.caller;
        let kind = caller.kind.entity_type();
        for part in
            [kind, &caller.tenant, &caller.id, &caller.agent, of.method, of.server, of.name, of.arguments]
        {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }
}

/// What an approver says.
#[derive(Debug, Clone)]
pub struct Ballot<'a> {
    /// Yes or no.
    pub approve: bool,
    /// Roles among those asked for that the approver has.
    pub covers: BTreeSet<String>,
    /// Why; may be empty.
    pub note: &'a str,
}
