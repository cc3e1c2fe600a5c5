//! The file `tokens.db`: hashes of tokens and what they stand for. The tokens themselves are nowhere.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, Row, TransactionBehavior, params};
use serde::Serialize;

use super::token::Hash;
use super::{Claims, Error, PrincipalKind};

const FILE: &str = "tokens.db";
const FORMAT: i64 = 2;

/// Where the store of a data folder is.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

/// How long to wait for another process that writes.
const PATIENCE: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
CREATE TABLE tokens (
    id             TEXT PRIMARY KEY,
    hash           BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    kind           TEXT NOT NULL CHECK (kind IN ('user', 'service')),
    principal      TEXT NOT NULL,
    agent          TEXT NOT NULL,
    agent_approved INTEGER NOT NULL CHECK (agent_approved IN (0, 1)),
    roles          TEXT NOT NULL,
    teams          TEXT NOT NULL,
    tenant         TEXT NOT NULL,
    created_us     INTEGER NOT NULL,
    created_by     TEXT NOT NULL,
    expires_us     INTEGER NOT NULL,
    revoked_us     INTEGER,
    revoked_by     TEXT
) STRICT;
PRAGMA user_version = 1;";

/// Format 2 knows claims.
const CLAIMS: &str = "
ALTER TABLE tokens ADD COLUMN claims TEXT NOT NULL DEFAULT '{}';
PRAGMA user_version = 2;";

/// What is known about a token, but not the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenRecord {
    /// Public id: `tok_…`.
    pub id: String,
    /// `user` or `service`.
    #[serde(serialize_with = "stored_kind_of")]
    pub kind: PrincipalKind,
    /// Whom it stands for.
    pub principal: String,
    /// The software that uses it.
    pub agent: String,
    /// Whether an administrator vouched for that software.
    pub agent_approved: bool,
    /// Roles.
    pub roles: Vec<String>,
    /// Teams.
    pub teams: Vec<String>,
    /// Tenant.
    pub tenant: String,
    /// Claims.
    pub claims: Claims,
    /// When it was made, in microseconds since the Unix epoch.
    pub created_us: i64,
    /// Who made it.
    pub created_by: String,
    /// From when on it is refused.
    pub expires_us: i64,
    /// When it was taken back.
    pub revoked_us: Option<i64>,
    /// Who took it back.
    pub revoked_by: Option<String>,
}

/// Whether a token is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is accepted.
    Active,
    /// Its life is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl TokenRecord {
    /// Whether it is good at this time. Revoked wins over expired.
    pub fn state(&self, now_us: i64) -> State {
        match self.revoked_us {
            Some(_) => State::Revoked,
            None if now_us >= self.expires_us => State::Expired,
            None => State::Active,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn stored_kind_of<S: serde::Serializer>(kind: &PrincipalKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(stored_kind(*kind))
}

fn stored_kind(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::User => "user",
        PrincipalKind::ServiceAccount => "service",
    }
}

/// What the file system says of the write-ahead log: every change of the tokens changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// Whether the last change is so long ago that one more would show: file systems count time in ticks of some
    /// milliseconds.
    pub(super) fn settled(self, now_us: i64) -> bool {
        const TICKS_US: i64 = 50_000;
        let (seconds, nanos) = self.modified;
        seconds.saturating_mul(1_000_000).saturating_add(nanos / 1000 + TICKS_US) < now_us
    }
}

/// One connection to the file.
#[derive(Debug)]
pub(super) struct Store {
    connection: Connection,
    log: PathBuf,
}

impl Store {
    /// Opens or makes the file, readable by its owner alone.
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        let file = |source| Error::File { path: dir.join(FILE).display().to_string(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(file)?;
        let path = dir.join(FILE);
        // SQLite gives its -wal and -shm the mode of the file.
        OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(file)?;
        let mut connection = Connection::open(&path)?;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A revocation that was confirmed must survive a power cut.
        connection.pragma_update(None, "synchronous", "FULL")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match found {
            0 => {
                transaction.execute_batch(SCHEMA)?;
                transaction.execute_batch(CLAIMS)?;
            }
            1 => transaction.execute_batch(CLAIMS)?,
            FORMAT => {}
            _ => return Err(Error::Newer { found, known: FORMAT }),
        }
        transaction.commit()?;
        Ok(Self { connection, log: dir.join(format!("{FILE}-wal")) })
    }

    /// The state of the write-ahead log, if there is one: equal stamps that are [settled](Stamp::settled) mean that
    /// nothing was written in between.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let found = std::fs::metadata(&self.log).ok()?;
        let modified = (found.mtime(), found.mtime_nsec());
        Some(Stamp { inode: found.ino(), length: found.len(), modified })
    }

    /// A number that changes when another connection, of this process or another, changed the file. It does
    /// not change with our own writes.
    pub(super) fn version(&self) -> Result<i64, Error> {
        let mut query = self.connection.prepare_cached("PRAGMA data_version")?;
        Ok(query.query_row([], |row| row.get(0))?)
    }

    /// All tokens, oldest first.
    pub(super) fn all(&self) -> Result<Vec<(Hash, TokenRecord)>, Error> {
        let mut query = self.connection.prepare_cached(
            "SELECT id, hash, kind, principal, agent, agent_approved, roles, teams, tenant, claims,
                    created_us, created_by, expires_us, revoked_us, revoked_by
             FROM tokens ORDER BY created_us, id",
        )?;
        let rows = query.query_map([], |row| Ok(read(row)))?;
        rows.map(|row| row?).collect()
    }

    pub(super) fn insert(&self, hash: &Hash, record: &TokenRecord) -> Result<(), Error> {
        self.connection.execute(
            "INSERT INTO tokens (id, hash, kind, principal, agent, agent_approved, roles, teams, tenant,
                                 created_us, created_by, expires_us, claims)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                record.id,
                hash.as_slice(),
                stored_kind(record.kind),
                record.principal,
                record.agent,
                record.agent_approved,
                list(&record.roles),
                list(&record.teams),
                record.tenant,
                record.created_us,
                record.created_by,
                record.expires_us,
                serde_json::to_string(&record.claims).map_err(|_| Error::Damaged(record.id.clone()))?,
            ],
        )?;
        Ok(())
    }

    /// The first revocation stays; a second one changes nothing.
    pub(super) fn revoke(&self, id: &str, now_us: i64, by: &str) -> Result<(), Error> {
        self.connection.execute(
            "UPDATE tokens SET revoked_us = ?2, revoked_by = ?3 WHERE id = ?1 AND revoked_us IS NULL",
            params![id, now_us, by],
        )?;
        Ok(())
    }
}

fn list(words: &[String]) -> String {
    serde_json::Value::from(words).to_string()
}

fn read(row: &Row<'_>) -> Result<(Hash, TokenRecord), Error> {
    let id: String = row.get("id")?;
    let damaged = || Error::Damaged(id.clone());
    let words = |text: String| serde_json::from_str::<Vec<String>>(&text).map_err(|_| damaged());
    let kind = match row.get::<_, String>("kind")?.as_str() {
        "user" => PrincipalKind::User,
        "service" => PrincipalKind::ServiceAccount,
        _ => return Err(damaged()),
    };
    let hash: Hash = row.get::<_, Vec<u8>>("hash")?.try_into().map_err(|_| damaged())?;
    let record = TokenRecord {
        kind,
        principal: row.get("principal")?,
        agent: row.get("agent")?,
        agent_approved: row.get("agent_approved")?,
        roles: words(row.get("roles")?)?,
        teams: words(row.get("teams")?)?,
        tenant: row.get("tenant")?,
        claims: serde_json::from_str(&row.get::<_, String>("claims")?).map_err(|_| damaged())?,
        created_us: row.get("created_us")?,
        created_by: row.get("created_by")?,
        expires_us: row.get("expires_us")?,
        revoked_us: row.get("revoked_us")?,
        revoked_by: row.get("revoked_by")?,
        id: id.clone(),
    };
    Ok((hash, record))
}
