//! The one place that changes what is stored: bytes of records go, or come back, all in one transaction.

use super::{Known, known};
use crate::audit::store::{FILE, SCHEMA, is_our_schema, open_readonly, schema_of};
use crate::audit::tree::Prover;
use crate::audit::{Config, Error, Log, OpenError, Order, Outcome};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior, params};
use serde_json::{Map, Value};
use std::path::Path;
use std::time::Duration;

/// The trigger that stands in the way.
const GUARD: &str = "entry_no_update";
/// How long a log that is opened for it may take to record.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the log in `folder` says of its segments, and a connection to read it by.
pub(super) fn read(folder: &Path) -> Result<(Connection, Vec<Known>), Error> {
    let log = open_readonly(folder)?;
    let known = known(&log)?;
    Ok((log, known))
}

/// Records what is about to be done, and returns once a signed checkpoint covers the record.
pub(super) fn record(
    folder: &Path,
    config: &Config,
    kind: &str,
    members: Map<String, Value>,
) -> Result<u64, Error> {
    if Log::is_in_use(folder) {
        return Err(opening(OpenError::Locked(folder.to_owned())));
    }
    let order = Order::Record { kind: kind.to_owned(), members };
    let seq = match Log::order(folder, config, &order, PATIENCE).map_err(opening)? {
        Some(Outcome::Done(value)) => value.get("seq").and_then(Value::as_u64),
        Some(Outcome::Refused(why)) => return Err(opening(OpenError::Unwritable(why))),
        None => None,
    };
    let seq = seq.ok_or_else(|| opening(OpenError::Unwritable("nobody recorded it in time".into())))?;
    let signed = Prover::open(folder)?.checkpoint()?.is_some_and(|signed| signed.size > seq);
    if signed { Ok(seq) } else { Err(Error::NoCheckpoint(seq + 1)) }
}

pub(super) fn opening(why: OpenError) -> Error {
    Error::Opening(Box::new(why))
}

/// The bytes that records get.
pub(super) struct Bytes<'b> {
    pub seq: u64,
    /// None: they go.
    pub record: &'b [u8],
}

/// Changes bytes, or nothing at all if `agrees`, asked in the same transaction, says no. The log must be in nobody's use.
pub(super) fn apply<'b>(
    folder: &Path,
    changes: impl Iterator<Item = Bytes<'b>>,
    agrees: &dyn Fn(&Connection) -> Result<bool, Error>,
) -> Result<bool, Error> {
    let _lock = Log::lock(folder).map_err(opening)?;
    let mut connection = Connection::open(folder.join(FILE))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", true)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !is_our_schema(&schema_of(&transaction)?) {
        return Err(opening(OpenError::Foreign));
    }
    if !agrees(&transaction)? {
        return Ok(false);
    }
    transaction.execute_batch(&format!("DROP TRIGGER {GUARD}"))?;
    {
        let mut update = transaction.prepare("UPDATE entry SET rec = ?2 WHERE seq = ?1")?;
        for Bytes { seq, record } in changes {
            update.execute(params![seq, record])?;
        }
    }
    for (_, guard) in SCHEMA.iter().filter(|(name, _)| *name == GUARD) {
        transaction.execute_batch(guard)?;
    }
    if !is_our_schema(&schema_of(&transaction)?) {
        return Err(opening(OpenError::Foreign));
    }
    transaction.commit()?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(true)
}

/// Gives the room of what went back to the system. Needs as much again for a while; without it, the room is used again.
pub(super) fn shrink(folder: &Path) -> Result<(), Error> {
    let _lock = Log::lock(folder).map_err(opening)?;
    let connection = Connection::open(folder.join(FILE))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch("VACUUM")?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}
