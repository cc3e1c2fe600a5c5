//! Whose record is it? The tenant of whoever acted, or of the call that it belongs to.

use super::{Entry, Error, Reader};
use serde::Deserialize;
use std::collections::HashMap;
use uuid::Uuid;

/// Calls remembered at most; one more forgets them all.
const CALLS: usize = 10_000;

/// Finds the tenants of records. An outcome does not name its tenant again: its intent does.
#[derive(Debug)]
pub struct Owners<'r> {
    reader: &'r Reader,
    calls: HashMap<Uuid, Option<String>>,
}

#[derive(Deserialize)]
struct Peek {
    #[serde(default)]
    actor: Option<Actor>,
    #[serde(default)]
    call: Option<Uuid>,
}

#[derive(Deserialize)]
struct Actor {
    #[serde(default)]
    tenant: Option<String>,
}

impl Peek {
    fn of(record: &[u8]) -> Option<Self> {
        serde_json::from_slice(record).ok()
    }

    fn tenant(self) -> Option<String> {
        self.actor.and_then(|actor| actor.tenant)
    }
}

impl<'r> Owners<'r> {
    /// Looks things up in this log.
    pub fn new(reader: &'r Reader) -> Self {
        Self { reader, calls: HashMap::new() }
    }

    /// The tenant that a record belongs to; `None`: to the gateway itself.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn of(&mut self, entry: &Entry) -> Result<Option<String>, Error> {
        let Some(record) = Peek::of(&entry.record) else { return Ok(None) };
        let call = record.call;
        if let Some(tenant) = record.tenant() {
            return Ok(Some(tenant));
        }
        let Some(call) = call else { return Ok(None) };
        if let Some(known) = self.calls.get(&call) {
            return Ok(known.clone());
        }
        let of_call = self.reader.by_call(call)?;
        let tenant = of_call.iter().find_map(|other| Peek::of(&other.record).and_then(Peek::tenant));
        if self.calls.len() >= CALLS {
            self.calls.clear();
        }
        self.calls.insert(call, tenant.clone());
        Ok(tenant)
    }
}
