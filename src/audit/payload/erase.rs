//! What is to be erased or held, and the rules between the two.

use super::keyring::Keyring;
use super::shelf::{Gone, Shelf};
use crate::audit::{Entry, Error, Reader};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Records that are looked through at once.
const CHUNK: u64 = 2048;

/// Which payloads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selector {
    /// Those of these calls.
    Calls(Vec<Uuid>),
    /// Those of every call in which a value with this commitment was found.
    Commitment(String),
    /// Those of every call that this caller made.
    Subject(String),
}

/// An order to keep payloads, whatever else is ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// Its name.
    pub id: String,
    /// What is held.
    pub selector: Selector,
    /// Why.
    pub reason: String,
    /// Since when, in microseconds since the Unix epoch.
    pub t: i64,
    /// Who set it.
    pub by: String,
}

/// An order to erase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// What.
    pub selector: Selector,
    /// Who approved: two, and not the same.
    pub approvers: Vec<String>,
    /// Why.
    pub reason: String,
}

/// Sequence numbers of the records whose payloads are selected.
pub(super) fn select(
    selector: &Selector,
    keyring: &Keyring,
    shelf: &Shelf,
    reader: &Reader,
) -> Result<BTreeSet<u64>, Error> {
    let calls = match selector {
        Selector::Subject(subject) => {
            return Ok(shelf.under(&keyring.numbers(subject)?)?.into_iter().collect());
        }
        Selector::Calls(calls) => calls.clone(),
        Selector::Commitment(commitment) => calls_with(commitment, reader)?,
    };
    let mut seqs = BTreeSet::new();
    for call in calls {
        for entry in kept(reader.by_call(call))? {
            if shelf.get(entry.seq)?.is_some_and(|stored| stored.gone.is_none()) {
                seqs.insert(entry.seq);
            }
        }
    }
    Ok(seqs)
}

/// The records of a call; none, if it is archived: then nothing of it is left to select.
fn kept(found: Result<Vec<Entry>, Error>) -> Result<Vec<Entry>, Error> {
    match found {
        Err(Error::Archived(_)) => Ok(Vec::new()),
        other => other,
    }
}

/// Calls whose records name a commitment.
fn calls_with(commitment: &str, reader: &Reader) -> Result<Vec<Uuid>, Error> {
    let needle = format!("\"commitment\":\"{commitment}\"");
    let mut calls = BTreeSet::new();
    let mut next = 0;
    loop {
        // A record whose payload is still there is never taken out of the store, nor is any other of its call.
        let entries = reader.present(next, CHUNK)?;
        let Some(last) = entries.last() else { return Ok(calls.into_iter().collect()) };
        next = last.seq + 1;
        for entry in &entries {
            if memchr::memmem::find(&entry.record, needle.as_bytes()).is_some() {
                let record: serde_json::Value = serde_json::from_slice(&entry.record).unwrap_or_default();
                let call: Option<Uuid> = record.get("call").and_then(|call| call.as_str()?.parse().ok());
                calls.extend(call);
            }
        }
    }
}

/// Commitments to what was made a token in these calls.
pub(super) fn commitments(calls: &[Uuid], reader: &Reader) -> Result<Vec<String>, Error> {
    let mut all = BTreeSet::new();
    for call in calls {
        for entry in reader.by_call(*call)? {
            let record: serde_json::Value = serde_json::from_slice(&entry.record).unwrap_or_default();
            let findings = record.pointer("/redact/findings").and_then(serde_json::Value::as_array);
            let tokens = findings.into_iter().flatten().filter(|finding| {
                finding.get("operator").and_then(serde_json::Value::as_str) == Some("tokenise")
            });
            all.extend(tokens.filter_map(|one| Some(one.get("commitment")?.as_str()?.to_owned())));
        }
    }
    Ok(all.into_iter().collect())
}

/// The first hold that keeps one of these.
pub(super) fn held(
    seqs: &BTreeSet<u64>,
    keyring: &Keyring,
    shelf: &Shelf,
    reader: &Reader,
) -> Result<Option<Hold>, Error> {
    for hold in keyring.holds()? {
        if !select(&hold.selector, keyring, shelf, reader)?.is_disjoint(seqs) {
            return Ok(Some(hold));
        }
    }
    Ok(None)
}

/// Destroys keys, ciphertexts, and what is left of both in the files.
pub(super) fn destroy(
    selector: &Selector,
    seqs: &BTreeSet<u64>,
    keyring: &Keyring,
    shelf: &mut Shelf,
) -> Result<(), Error> {
    if let Selector::Subject(subject) = selector {
        keyring.destroy(subject)?;
    }
    let seqs: Vec<u64> = seqs.iter().copied().collect();
    shelf.forget(&seqs, Gone::Erased)?;
    shelf.settle()
}
