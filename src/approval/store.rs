//! The file `approvals.db`.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Ballot, Error, Request};
use crate::identity::{Caller, Claims, PrincipalKind};

const FILE: &str = "approvals.db";
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest text of parameters that is kept for approvers, in bytes.
const MAX_SHOWN: usize = 64 * 1024;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS held (
    reference  TEXT PRIMARY KEY,
    digest     BLOB NOT NULL CHECK (length(digest) = 32),
    asker      TEXT NOT NULL,
    method     TEXT NOT NULL,
    target     TEXT NOT NULL,
    server     TEXT NOT NULL,
    name       TEXT NOT NULL,
    shown      TEXT NOT NULL,
    roles      TEXT NOT NULL,
    policies   TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL,
    used_by    TEXT,
    used_us    INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS held_digest ON held (digest, created_us);
CREATE TABLE IF NOT EXISTS vote (
    id        INTEGER PRIMARY KEY,
    reference TEXT NOT NULL REFERENCES held,
    approver  TEXT NOT NULL,
    approve   INTEGER NOT NULL CHECK (approve IN (0, 1)),
    covers    TEXT NOT NULL,
    note      TEXT NOT NULL,
    at_us     INTEGER NOT NULL,
    recorded  INTEGER NOT NULL DEFAULT 0
) STRICT;";

/// A person or workload on one side of an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// The software.
    pub agent: String,
    /// Whether an administrator vouched for that software.
    pub approved: bool,
    /// Public id of the credential.
    pub credential: String,
    /// Stable id.
    pub id: String,
    /// `User` or `ServiceAccount`.
    pub kind: String,
    /// Roles.
    pub roles: Vec<String>,
    /// Teams.
    pub teams: Vec<String>,
    /// Tenant.
    pub tenant: String,
    /// Claims.
    #[serde(default, skip_serializing_if = "Claims::is_empty")]
    pub claims: Claims,
}

impl Asker {
    /// The side that a caller is on.
    pub fn of(caller: &Caller) -> Self {
        Self {
            agent: caller.agent.clone(),
            approved: caller.agent_approved,
            credential: caller.credential.clone(),
            id: caller.id.clone(),
            kind: caller.kind.entity_type().to_owned(),
            roles: caller.roles.clone(),
            teams: caller.teams.clone(),
            tenant: caller.tenant.clone(),
            claims: caller.claims.clone(),
        }
    }

    /// The caller, for asking policy again.
    pub fn caller(&self) -> Caller {
        Caller {
            kind: if self.kind == "User" { PrincipalKind::User } else { PrincipalKind::ServiceAccount },
            id: self.id.clone(),
            agent: self.agent.clone(),
            agent_approved: self.approved,
            roles: self.roles.clone(),
            teams: self.teams.clone(),
            tenant: self.tenant.clone(),
            claims: self.claims.clone(),
            credential: self.credential.clone(),
        }
    }

    fn is(&self, caller: &Caller) -> bool {
        self.kind == caller.kind.entity_type() && self.id == caller.id && self.tenant == caller.tenant
    }
}

/// How a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Somebody still has to say something.
    Pending,
    /// Everybody asked has approved.
    Approved,
    /// Somebody has rejected it.
    Rejected,
    /// The approval was used.
    Used,
    /// Its time is over.
    Expired,
}

impl State {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Used => "used",
            Self::Expired => "expired",
        }
    }
}

/// What one approver said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Vote {
    #[serde(skip)]
    pub(super) id: i64,
    /// Who.
    pub approver: Asker,
    /// Yes or no.
    pub approve: bool,
    /// Roles that they speak for.
    pub covers: BTreeSet<String>,
    /// Why.
    pub note: String,
    /// When, in microseconds since the Unix epoch.
    pub at_us: i64,
    #[serde(skip)]
    pub(super) recorded: bool,
}

/// A call that was held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Id of the call that was refused.
    pub reference: Uuid,
    /// How it stands.
    pub state: State,
    /// Who asked.
    pub requester: Asker,
    /// The method.
    pub method: String,
    /// `tool`, `resource` or `prompt`.
    pub target: String,
    /// The server.
    pub server: String,
    /// What it is done to.
    pub name: String,
    /// The parameters after redaction.
    pub params: String,
    /// Roles of which each must approve.
    pub roles: BTreeSet<String>,
    /// Policies that ask for it.
    pub policies: Vec<String>,
    /// When it was asked for, in microseconds since the Unix epoch.
    pub created_us: i64,
    /// From when on it is not good any more.
    pub expires_us: i64,
    /// What was said.
    pub votes: Vec<Vote>,
}

impl Held {
    /// Whether somebody may say something about it, as far as the call itself tells.
    pub(super) fn may_be_decided_by(&self, approver: &Caller) -> Result<(), Error> {
        if self.requester.tenant != approver.tenant {
            return Err(Error::ForeignTenant);
        }
        // The same person through other software is the same person.
        if self.requester.is(approver) || self.requester.id == approver.id {
            return Err(Error::OwnCall);
        }
        match self.state {
            State::Pending => Ok(()),
            state => Err(Error::Settled(state.as_str())),
        }
    }
}

/// One connection to the file.
#[derive(Debug)]
pub(super) struct Store {
    connection: Connection,
}

impl Store {
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let file = |source| Error::File { path: path.display().to_string(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(file)?;
        OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(file)?;
        let connection = Connection::open(&path)?;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A rejection, and the use of an approval, must survive a power cut.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection })
    }

    /// The newest of that digest that is neither used nor expired.
    pub(super) fn latest(&self, digest: &[u8; 32], now: i64) -> Result<Option<Held>, Error> {
        let mut query = self.connection.prepare_cached(
            "SELECT * FROM held WHERE digest = ?1 AND used_us IS NULL AND expires_us > ?2 AND created_us <= ?2
             ORDER BY created_us DESC LIMIT 1",
        )?;
        let row =
            query.query_row(params![digest.as_slice(), now], |row| Ok(self.read(row, now))).optional()?;
        row.transpose()
    }

    pub(super) fn pending(&self, now: i64) -> Result<u64, Error> {
        let mut query = self
            .connection
            .prepare_cached("SELECT count(*) FROM held WHERE used_us IS NULL AND expires_us > ?1")?;
        Ok(query.query_row([now], |row| row.get(0))?)
    }

    pub(super) fn insert(&self, request: &Request<'_>, digest: &[u8; 32], now: i64) -> Result<(), Error> {
        let of = &request.fingerprint;
        let too_large = "\"(larger than approvers are shown; see the record)\"";
        let shown = if request.shown.len() > MAX_SHOWN { too_large } else { request.shown };
        self.connection.execute(
            "INSERT INTO held (reference, digest, asker, method, target, server, name, shown, roles, policies,
                               created_us, expires_us)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            params![
                request.call.to_string(),
                digest.as_slice(),
                json(&Asker::of(of.caller)),
                of.method,
                request.target,
                of.server,
                of.name,
                shown,
                json(request.roles),
                json(request.policies),
                now,
                now.saturating_add(request.ttl_us),
            ],
        )?;
        Ok(())
    }

    pub(super) fn consume(&self, reference: Uuid, by: Uuid, now: i64) -> Result<bool, Error> {
        let changed = self.connection.execute(
            "UPDATE held SET used_by = ?2, used_us = ?3
             WHERE reference = ?1 AND used_us IS NULL AND expires_us > ?3 AND created_us <= ?3",
            params![reference.to_string(), by.to_string(), now],
        )?;
        Ok(changed == 1)
    }

    pub(super) fn list(&self, now: i64, all: bool) -> Result<Vec<Held>, Error> {
        let mut query = self.connection.prepare_cached(
            "SELECT * FROM held WHERE ?1 OR (used_us IS NULL AND expires_us > ?2)
             ORDER BY created_us DESC, reference LIMIT 1000",
        )?;
        let rows = query.query_map(params![all, now], |row| Ok(self.read(row, now)))?;
        rows.map(|row| row?).collect()
    }

    pub(super) fn by_reference(&self, reference: &str, now: i64) -> Result<Held, Error> {
        let unknown = || Error::Unknown(reference.to_owned());
        if reference.len() < 8 || !reference.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
            return Err(unknown());
        }
        let mut query =
            self.connection.prepare_cached("SELECT * FROM held WHERE reference LIKE ?1 || '%' LIMIT 2")?;
        let rows = query.query_map([reference.to_ascii_lowercase()], |row| Ok(self.read(row, now)))?;
        let mut found: Vec<Held> = rows.map(|row| row?).collect::<Result<_, Error>>()?;
        match (found.pop(), found.is_empty()) {
            (Some(one), true) => Ok(one),
            _ => Err(unknown()),
        }
    }

    pub(super) fn vote(
        &mut self,
        held: &Held,
        approver: &Caller,
        ballot: &Ballot<'_>,
        now: i64,
    ) -> Result<(), Error> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let open: bool = transaction.query_row(
            "SELECT used_us IS NULL AND expires_us > ?2 AND created_us <= ?2
                    AND NOT EXISTS (SELECT 1 FROM vote WHERE vote.reference = ?1 AND approve = 0)
             FROM held WHERE reference = ?1",
            params![held.reference.to_string(), now],
            |row| row.get(0),
        )?;
        if !open {
            return Err(Error::Settled("decided"));
        }
        transaction.execute(
            "INSERT INTO vote (reference, approver, approve, covers, note, at_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                held.reference.to_string(),
                json(&Asker::of(approver)),
                ballot.approve,
                json(&ballot.covers),
                ballot.note,
                now
            ],
        )?;
        transaction.commit()?;
        Ok(())
    }

    pub(super) fn unrecorded(&self, now: i64) -> Result<Vec<(Held, Vote)>, Error> {
        let mut query = self.connection.prepare_cached(
            "SELECT * FROM held WHERE reference IN (SELECT reference FROM vote WHERE recorded = 0) LIMIT 100",
        )?;
        let rows = query.query_map([], |row| Ok(self.read(row, now)))?;
        let held: Vec<Held> = rows.map(|row| row?).collect::<Result<_, Error>>()?;
        let pairs = held.into_iter().flat_map(|held| {
            let votes: Vec<Vote> = held.votes.iter().filter(|vote| !vote.recorded).cloned().collect();
            votes.into_iter().map(move |vote| (held.clone(), vote))
        });
        Ok(pairs.collect())
    }

    pub(super) fn recorded(&self, vote: i64) -> Result<(), Error> {
        self.connection.execute("UPDATE vote SET recorded = 1 WHERE id = ?1", [vote])?;
        Ok(())
    }

    fn votes(&self, reference: &str) -> Result<Vec<Vote>, Error> {
        let damaged = || Error::Damaged(reference.to_owned());
        let mut query =
            self.connection.prepare_cached("SELECT * FROM vote WHERE reference = ?1 ORDER BY id")?;
        let rows = query.query_map([reference], |row| {
            let texts: (String, String) = (row.get("approver")?, row.get("covers")?);
            let rest: (i64, bool, String, i64, bool) = (
                row.get("id")?,
                row.get("approve")?,
                row.get("note")?,
                row.get("at_us")?,
                row.get("recorded")?,
            );
            Ok((texts, rest))
        })?;
        let vote = |row: rusqlite::Result<_>| {
            let ((approver, covers), (id, approve, note, at_us, recorded)): ((String, String), _) = row?;
            Ok(Vote {
                id,
                approver: serde_json::from_str(&approver).map_err(|_| damaged())?,
                approve,
                covers: serde_json::from_str(&covers).map_err(|_| damaged())?,
                note,
                at_us,
                recorded,
            })
        };
        rows.map(vote).collect()
    }

    fn read(&self, row: &Row<'_>, now: i64) -> Result<Held, Error> {
        let reference: String = row.get("reference")?;
        let damaged = || Error::Damaged(reference.clone());
        let text = |name: &str| row.get::<_, String>(name);
        let votes = self.votes(&reference)?;
        let roles: BTreeSet<String> = serde_json::from_str(&text("roles")?).map_err(|_| damaged())?;
        let (created_us, expires_us) = (row.get("created_us")?, row.get("expires_us")?);
        let used: Option<i64> = row.get("used_us")?;
        let covered: BTreeSet<&String> =
            votes.iter().filter(|vote| vote.approve).flat_map(|vote| &vote.covers).collect();
        let state = if used.is_some() {
            State::Used
        } else if votes.iter().any(|vote| !vote.approve) {
            State::Rejected
        // A clock that was set back between two starts must not make it good for longer.
        } else if now >= expires_us || now < created_us {
            State::Expired
        } else if !votes.is_empty() && roles.iter().all(|role| covered.contains(role)) {
            State::Approved
        } else {
            State::Pending
        };
        Ok(Held {
            reference: reference.parse().map_err(|_| damaged())?,
            state,
            requester: serde_json::from_str(&text("asker")?).map_err(|_| damaged())?,
            method: text("method")?,
            target: text("target")?,
            server: text("server")?,
            name: text("name")?,
            params: text("shown")?,
            roles,
            policies: serde_json::from_str(&text("policies")?).map_err(|_| damaged())?,
            created_us,
            expires_us,
            votes,
        })
    }
}

fn json(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
