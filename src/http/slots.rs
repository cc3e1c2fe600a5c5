//! How many calls may run at once: of all callers, and of each; and how many streams may stay open.

use super::Rejection;
use crate::identity::Caller;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// All places for running calls.
#[derive(Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    principals: Mutex<HashMap<String, Arc<Semaphore>>>,
    per_principal: usize,
    streams: Arc<Semaphore>,
}

/// Places that a running call holds.
#[derive(Debug)]
pub(super) struct Slots {
    _held: Vec<OwnedSemaphorePermit>,
}

impl Slots {
    pub(super) fn none() -> Self {
        Self { _held: Vec::new() }
    }
}

impl Places {
    pub(super) fn new(all: usize, per_principal: usize, streams: usize) -> Self {
        let (all, streams) = (Arc::new(Semaphore::new(all)), Arc::new(Semaphore::new(streams)));
        Self { all, principals: Mutex::default(), per_principal, streams }
    }

    /// A place among all calls and among this principal's; held until the answer is complete.
    pub(super) fn take(&self, caller: &Caller) -> Result<Slots, Rejection> {
        let all = self.all.clone().try_acquire_owned().map_err(|_| Rejection::TooManyCalls)?;
        let key = format!("{}\n{}\n{}", caller.tenant, caller.kind.entity_type(), caller.id);
        let own = {
            let mut principals = self.principals.lock().unwrap_or_else(PoisonError::into_inner);
            principals.entry(key).or_insert_with(|| Arc::new(Semaphore::new(self.per_principal))).clone()
        };
        let own = own.try_acquire_owned().map_err(|_| Rejection::TooManyCalls)?;
        Ok(Slots { _held: vec![all, own] })
    }

    /// A place among the streams that go on for ever; they are no calls under way.
    pub(super) fn stream(&self) -> Result<Slots, Rejection> {
        let stream = self.streams.clone().try_acquire_owned().map_err(|_| Rejection::TooManySessions)?;
        Ok(Slots { _held: vec![stream] })
    }

    /// Forgets principals that run nothing.
    pub(super) fn sweep(&self) {
        let mut principals = self.principals.lock().unwrap_or_else(PoisonError::into_inner);
        principals.retain(|_, places| Arc::strong_count(places) > 1);
    }
}
