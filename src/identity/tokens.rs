//! Makes, checks and revokes tokens.
//!
//! The whole table is in memory. Before each check SQLite is asked (a few microseconds) whether another
//! process changed the file, so that a revocation on the command line holds from the next request on.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::claims;
use super::store::{Stamp, State, Store, TokenRecord};
use super::token::{self, Hash};
use super::{Caller, Claims, Error, PrincipalKind, Refused, SharedCaller, Ttl};
use crate::clock::Clock;

/// How often open streams learn of a change at the latest.
const POLL: Duration = Duration::from_millis(200);
/// Longest name of a principal, an agent, a role, a team or a tenant, in bytes.
const NAME_BYTES: usize = 256;
/// Most roles, and most teams, of a token.
const NAMES: usize = 64;
/// `tok_` and this many base-62 digits.
const ID_DIGITS: usize = 12;
/// `tok_` and three digits: less could hit the wrong token by a slip.
const SHORTEST_PREFIX: usize = 7;

/// The credential of a caller who is named, not proven. Ids of tokens begin with `tok_`.
const LOCAL: &str = "local";

/// What a new token stands for.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Person or workload.
    pub kind: PrincipalKind,
    /// Stable id of the principal.
    pub id: String,
    /// The software that will use it.
    pub agent: String,
    /// Whether an administrator vouches for that software.
    pub agent_approved: bool,
    /// Roles.
    pub roles: Vec<String>,
    /// Teams.
    pub teams: Vec<String>,
    /// Tenant.
    pub tenant: String,
    /// Claims.
    pub claims: Claims,
    /// How long it lives.
    pub ttl: Ttl,
    /// Who makes it.
    pub created_by: String,
}

/// A caller whose token was good when it was checked.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// Who calls.
    pub caller: SharedCaller,
    /// From when on the token is refused, in microseconds since the Unix epoch.
    pub expires_us: i64,
    /// Public id of the token.
    pub credential: Arc<str>,
}

/// The tokens of a data folder. Cloning is cheap; all clones share one connection.
#[derive(Clone)]
pub struct Tokens {
    inner: Arc<Inner>,
}

struct Inner {
    opened: Mutex<Opened>,
    table: ArcSwap<Table>,
    changes: watch::Sender<u64>,
    clock: Clock,
}

struct Opened {
    store: Store,
    seen: i64,
    /// The file as it was when `seen` was read, if it had settled: asking SQLite costs ten times as much as looking.
    unchanged: Option<Stamp>,
}

/// Looked up by hash: that the comparison takes longer the more of a hash agrees tells an attacker nothing,
/// since they cannot choose the hash of a guess. So constant time is not needed.
#[derive(Default)]
struct Table {
    by_hash: HashMap<Hash, Arc<Entry>>,
    by_id: HashMap<Arc<str>, Arc<Entry>>,
}

struct Entry {
    caller: SharedCaller,
    credential: Arc<str>,
    record: TokenRecord,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    /// Whether the data folder has a store of tokens.
    pub fn exist(dir: &Path) -> bool {
        super::store::path(dir).exists()
    }

    /// Opens (or makes) `tokens.db` in the data folder.
    pub fn open(dir: &Path, clock: Clock) -> Result<Self, Error> {
        let store = Store::open(dir)?;
        let seen = store.version()?;
        let table = ArcSwap::from_pointee(Table::read(&store)?);
        let opened = Mutex::new(Opened { store, seen, unchanged: None });
        Ok(Self { inner: Arc::new(Inner { opened, table, changes: watch::Sender::new(0), clock }) })
    }

    /// Makes a token. Its text is returned here once and kept nowhere.
    pub fn create(&self, new: NewToken) -> Result<(String, TokenRecord), Error> {
        new.check()?;
        let text = token::render(random()?);
        let hash = token::hash(&text).map_err(|_| Error::NoRandomness)?;
        let created_us = self.inner.clock.now_us();
        let record = TokenRecord {
            id: format!("tok_{}", token::base62(random()?.to_vec(), ID_DIGITS)),
            kind: new.kind,
            principal: new.id,
            agent: new.agent,
            agent_approved: new.agent_approved,
            roles: new.roles,
            teams: new.teams,
            tenant: new.tenant,
            claims: new.claims,
            created_us,
            created_by: new.created_by,
            expires_us: created_us.saturating_add(new.ttl.as_us()),
            revoked_us: None,
            revoked_by: None,
        };
        let mut opened = self.lock();
        opened.store.insert(&hash, &record)?;
        self.reload(&mut opened)?;
        Ok((text, record))
    }

    /// All tokens, oldest first.
    pub fn list(&self) -> Result<Vec<TokenRecord>, Error> {
        Ok(self.lock().store.all()?.into_iter().map(|(_, record)| record).collect())
    }

    /// Revokes the token with this id, or the only one whose id begins so, or (after a leak) the token itself.
    /// It is refused from now on, and open streams end. Revoking twice changes nothing.
    pub fn revoke(&self, which: &str, by: &str) -> Result<TokenRecord, Error> {
        let mut opened = self.lock();
        let all = opened.store.all()?;
        let hash = token::hash(which).ok();
        let is_prefix = which.len() >= SHORTEST_PREFIX;
        let found: Vec<&TokenRecord> = all
            .iter()
            .filter(|(known, record)| Some(*known) == hash || (is_prefix && record.id.starts_with(which)))
            .map(|(_, record)| record)
            .collect();
        let exact = found.iter().find(|record| record.id == which).copied();
        let id = match (exact, found.as_slice()) {
            (Some(record), _) => record.id.clone(),
            (None, [record]) => record.id.clone(),
            (None, []) => return Err(Error::NoSuchToken),
            (None, several) => {
                return Err(Error::Ambiguous { prefix: which.to_owned(), count: several.len() });
            }
        };
        opened.store.revoke(&id, self.inner.clock.now_us(), by)?;
        self.reload(&mut opened)?;
        let table = self.inner.table.load();
        table.by_id.get(id.as_str()).map(|entry| entry.record.clone()).ok_or(Error::NoSuchToken)
    }

    /// Checks a bearer token. Fails closed: when the store cannot be asked, nobody is let in.
    pub fn authenticate(&self, bearer: &str) -> Result<Authenticated, Refused> {
        let hash = token::hash(bearer)?;
        self.refresh().map_err(|_| Refused::Unavailable)?;
        let table = self.inner.table.load();
        let entry = table.by_hash.get(&hash).ok_or(Refused::Unknown)?;
        let credential = Arc::clone(&entry.credential);
        match entry.record.state(self.inner.clock.now_us()) {
            State::Active => Ok(Authenticated {
                caller: Arc::clone(&entry.caller),
                expires_us: entry.record.expires_us,
                credential,
            }),
            State::Expired => Err(Refused::Expired { credential }),
            State::Revoked => Err(Refused::Revoked { credential }),
        }
    }

    /// A caller who is named, not proven: for the one who starts the gateway in a process of their own, and could make
    /// a token as well.
    ///
    /// # Errors
    /// Refuses names that no token could have.
    pub fn local(&self, named: &NewToken) -> Result<Authenticated, Error> {
        named.check()?;
        let credential: Arc<str> = LOCAL.into();
        let caller = Caller {
            kind: named.kind,
            id: named.id.clone(),
            agent: named.agent.clone(),
            agent_approved: named.agent_approved,
            roles: named.roles.clone(),
            teams: named.teams.clone(),
            tenant: named.tenant.clone(),
            claims: named.claims.clone(),
            credential: LOCAL.into(),
        };
        Ok(Authenticated { caller: Arc::new(caller), expires_us: i64::MAX, credential })
    }

    /// Whether a token that was good is still good: for streams and sessions that stay open.
    pub fn still_valid(&self, authenticated: &Authenticated) -> bool {
        if *authenticated.credential == *LOCAL {
            return true;
        }
        if self.refresh().is_err() {
            return false;
        }
        let table = self.inner.table.load();
        let entry = table.by_id.get(&authenticated.credential);
        entry.is_some_and(|entry| entry.record.state(self.inner.clock.now_us()) == State::Active)
    }

    /// A number that grows with every change of the table. Expiry is no change: wait for it with a timer.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// Starts the task that tells [`Tokens::changes`] what other processes did, within 200 ms.
    pub fn run(&self, tracker: &TaskTracker, cancel: CancellationToken) {
        let tokens = self.clone();
        tracker.spawn(async move {
            let mut ticks = tokio::time::interval(POLL);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut failing = false;
            loop {
                tokio::select! {
                    () = cancel.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                let result = tokens.refresh();
                if let (Err(error), false) = (&result, failing) {
                    tracing::error!(%error, "tokens cannot be checked, so nobody is let in");
                }
                failing = result.is_err();
            }
        });
    }

    /// Reads the table again if another connection changed the file.
    fn refresh(&self) -> Result<(), Error> {
        let mut opened = self.lock();
        // Before the question: what is written after it changes the next stamp.
        let stamp = opened.store.stamp();
        if stamp.is_some() && stamp == opened.unchanged {
            return Ok(());
        }
        let now_us = self.inner.clock.now_us();
        let version = opened.store.version()?;
        if version != opened.seen {
            self.reload(&mut opened)?;
            // Only now: a table that could not be read must be tried again.
            opened.seen = version;
        }
        opened.unchanged = stamp.filter(|stamp| stamp.settled(now_us));
        Ok(())
    }

    fn reload(&self, opened: &mut Opened) -> Result<(), Error> {
        self.inner.table.store(Arc::new(Table::read(&opened.store)?));
        self.inner.changes.send_modify(|changes| *changes += 1);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Opened> {
        self.inner.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn read(store: &Store) -> Result<Self, Error> {
        let mut table = Self::default();
        for (hash, record) in store.all()? {
            let entry = Arc::new(Entry::new(record));
            table.by_id.insert(Arc::clone(&entry.credential), Arc::clone(&entry));
            table.by_hash.insert(hash, entry);
        }
        Ok(table)
    }
}

impl Entry {
    fn new(record: TokenRecord) -> Self {
        let caller = Caller {
            kind: record.kind,
            id: record.principal.clone(),
            agent: record.agent.clone(),
            agent_approved: record.agent_approved,
            roles: record.roles.clone(),
            teams: record.teams.clone(),
            tenant: record.tenant.clone(),
            claims: record.claims.clone(),
            credential: record.id.clone(),
        };
        Self { caller: Arc::new(caller), credential: Arc::from(record.id.as_str()), record }
    }
}

impl NewToken {
    fn check(&self) -> Result<(), Error> {
        name("user", &self.id)?;
        name("agent", &self.agent)?;
        name("tenant", &self.tenant)?;
        name("created_by", &self.created_by)?;
        for (field, names) in [("role", &self.roles), ("team", &self.teams)] {
            if names.len() > NAMES {
                return Err(Error::Field { field, why: "occurs more than 64 times" });
            }
            names.iter().try_for_each(|text| name(field, text))?;
        }
        claims::check(&self.claims)
    }
}

fn name(field: &'static str, text: &str) -> Result<(), Error> {
    if text.trim().is_empty() {
        return Err(Error::Field { field, why: "is empty: name it" });
    }
    if text.len() > NAME_BYTES {
        return Err(Error::Field { field, why: "is longer than 256 bytes" });
    }
    if text.chars().any(char::is_control) {
        return Err(Error::Field { field, why: "holds control characters" });
    }
    Ok(())
}

fn random() -> Result<[u8; 32], Error> {
    let mut bits = [0; 32];
    aws_lc_rs::rand::fill(&mut bits).map_err(|_| Error::NoRandomness)?;
    Ok(bits)
}
