//! Erasure, from whoever writes the log: beside a running gateway, or without one.

use super::store::connect;
use super::{Error, FILE};
use rusqlite::Connection;
use std::path::Path;
use uuid::Uuid;

/// Which values.
#[derive(Debug, Clone, Copy)]
pub enum Selected<'a> {
    /// Those of this caller.
    Subject(&'a str),
    /// Those with one of these commitments, whoever has them, and those that were taken out in one of these calls.
    Found {
        /// The commitments.
        commitments: &'a [String],
        /// The calls.
        calls: &'a [Uuid],
    },
}

/// How many values are selected; one that is selected twice counts twice.
///
/// # Errors
/// The vault cannot be read.
pub fn count(folder: &Path, selected: Selected<'_>) -> Result<u64, Error> {
    let mut all = 0;
    each(folder, selected, |connection, column, key| {
        let sql = format!("SELECT count(*) FROM entry WHERE {column} = ?");
        let found: u64 = connection.prepare_cached(&sql)?.query_row([key], |row| row.get(0))?;
        all += found;
        Ok(())
    })?;
    Ok(all)
}

/// Destroys the values that are selected, and overwrites where they stood.
///
/// # Errors
/// They cannot be destroyed.
pub fn erase(folder: &Path, selected: Selected<'_>) -> Result<(), Error> {
    each(folder, selected, |connection, column, key| {
        connection.prepare_cached(&format!("DELETE FROM entry WHERE {column} = ?"))?.execute([key])?;
        Ok(())
    })
}

fn each(
    folder: &Path,
    selected: Selected<'_>,
    mut work: impl FnMut(&Connection, &'static str, &str) -> Result<(), Error>,
) -> Result<(), Error> {
    let path = folder.join(FILE);
    // Where there is no vault, nothing is kept.
    if !path.exists() {
        return Ok(());
    }
    let connection = connect(&path)?;
    match selected {
        Selected::Subject(subject) => work(&connection, "subject", subject),
        Selected::Found { commitments, calls } => {
            commitments.iter().try_for_each(|commitment| work(&connection, "commitment", commitment))?;
            calls.iter().try_for_each(|call| work(&connection, "call", &call.to_string()))
        }
    }
}
