//! Records out of the log, hashed again, with what they answer to.

use super::Error;
use super::doc::Doc;
use crate::audit::{Kind, Leaf, Payload, Payloads, Reader};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

/// Calls that are remembered, at most twice as many.
const REMEMBERED: usize = 4096;
/// Members that a call's later records take over from its first.
const INHERITED: [&str; 3] = ["actor", "authz", "mcp"];

/// A record.
#[derive(Debug)]
pub(super) struct Found {
    pub seq: u64,
    pub leaf: Leaf,
    pub record: Vec<u8>,
    pub value: Value,
    /// What it takes over from the record that says who called what, if that is another one.
    pub first: Option<Arc<Value>>,
    pub doc: Doc,
    /// What became of its payload, if it was asked for.
    pub payload: Option<Payload>,
}

/// Whether payloads are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Texts {
    With,
    Without,
}

/// A log with its payloads.
#[derive(Debug)]
pub(super) struct Source {
    reader: Reader,
    payloads: Payloads,
    recent: HashMap<Uuid, Arc<Value>>,
    older: HashMap<Uuid, Arc<Value>>,
}

impl Source {
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        Ok(Self {
            reader: Reader::open(folder)?,
            payloads: Payloads::open(folder)?,
            recent: HashMap::new(),
            older: HashMap::new(),
        })
    }

    /// The newest record's number.
    pub(super) fn head(&self) -> Result<Option<u64>, Error> {
        Ok(self.reader.head()?)
    }

    /// How many records are archived.
    pub(super) fn archived(&self) -> Result<u64, Error> {
        Ok(self.reader.absent()?)
    }

    /// At most `count` records from `from` on, each with the hash that the log holds, each linked to its neighbours.
    pub(super) fn read(&mut self, from: u64, count: u64, texts: Texts) -> Result<Vec<Found>, Error> {
        let whole = self.reader.whole(from, count)?;
        whole.into_iter().map(|(entry, leaf)| self.found(entry.seq, entry.record, leaf, texts)).collect()
    }

    /// One record.
    pub(super) fn one(&mut self, seq: u64, texts: Texts) -> Result<Found, Error> {
        let found = self.read(seq, 1, texts)?.pop();
        if found.is_none() {
            // If it is archived, that says so.
            self.reader.since(seq, 1)?;
        }
        found.filter(|found| found.seq == seq).ok_or(Error::Log(crate::audit::Error::NoRecord(seq)))
    }

    /// The time of a record, or of the next one that is not archived.
    pub(super) fn time_of(&mut self, seq: u64) -> Result<Option<i64>, Error> {
        let entry = self.reader.present(seq, 1)?.pop();
        let value: Option<Value> = entry.and_then(|entry| serde_json::from_slice(&entry.record).ok());
        Ok(value.and_then(|value| value.get("t")?.as_i64()))
    }

    fn found(&mut self, seq: u64, record: Vec<u8>, leaf: Leaf, texts: Texts) -> Result<Found, Error> {
        let value: Value =
            serde_json::from_slice(&record).map_err(|_| Error::Log(crate::audit::Error::Altered(seq)))?;
        if value.get("seq").and_then(Value::as_u64) != Some(seq) {
            return Err(Error::Log(crate::audit::Error::Altered(seq)));
        }
        let first = self.first(&value)?;
        let payload = match texts {
            Texts::With if value.get("payload").is_some() => Some(self.payloads.read(&record)?),
            Texts::With => Some(Payload::None),
            Texts::Without => None,
        };
        let text = payload.as_ref().and_then(|payload| match payload {
            Payload::Text(text) => Some(text.as_str()),
            _ => None,
        });
        let doc = Doc::of(&value, first.as_deref(), text);
        Ok(Found { seq, leaf, record, value, first, doc, payload })
    }

    /// The record that says who called what, of a record that does not.
    fn first(&mut self, value: &Value) -> Result<Option<Arc<Value>>, Error> {
        let Some(call) = value.get("call").and_then(|call| call.as_str()?.parse().ok()) else {
            return Ok(None);
        };
        if opens(value) {
            self.remember(call, inherited(value));
            return Ok(None);
        }
        if let Some(first) = self.recent.get(&call) {
            return Ok(Some(first.clone()));
        }
        let known = self.older.get(&call).cloned();
        let first = match known {
            Some(first) => first,
            None => inherited(&self.opening(call)?),
        };
        self.remember(call, first.clone());
        Ok(Some(first))
    }

    /// Reads the record that opens a call; null if there is none.
    fn opening(&self, call: Uuid) -> Result<Value, Error> {
        for entry in self.reader.by_call(call)? {
            let value: Value = serde_json::from_slice(&entry.record).unwrap_or_default();
            if opens(&value) {
                // Read again with its neighbours: what others inherit is held to the same.
                self.reader.whole(entry.seq, 1)?;
                return Ok(value);
            }
        }
        Ok(Value::Null)
    }

    fn remember(&mut self, call: Uuid, first: Arc<Value>) {
        if self.recent.len() >= REMEMBERED {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(call, first);
    }
}

fn opens(record: &Value) -> bool {
    let kind = record.get("kind").and_then(Value::as_str).and_then(Kind::parse);
    matches!(kind, Some(Kind::CallIntent | Kind::CallDenied | Kind::CallAnswered))
}

fn inherited(record: &Value) -> Arc<Value> {
    let members = INHERITED.iter().filter_map(|name| Some(((*name).to_owned(), record.get(*name)?.clone())));
    Arc::new(Value::Object(members.collect()))
}
