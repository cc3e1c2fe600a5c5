//! Calls that wait at a session-era backend while a stateless client fetches the input that the backend asked for.

use crate::upstream::{Answer, Question};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;
use uuid::Uuid;

/// Most calls of one principal that wait.
const PER_PRINCIPAL: usize = 16;
/// Most calls that wait.
const MOST: usize = 4096;

/// A call that waits for input. Dropping it cancels it at the backend.
#[derive(Debug)]
pub(super) struct Parked {
    /// Declared first: the backend hears that its question is refused before it hears that the call is off.
    pub question: Question,
    pub answer: Answer,
    pub server: String,
    pub principal: String,
    /// The call that the backend is still working on.
    pub call: Uuid,
    pub until: Instant,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct ParkingLot(Mutex<HashMap<Uuid, Parked>>);

impl ParkingLot {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Parked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one more call of that principal may wait.
    pub(super) fn has_room(&self, principal: &str) -> bool {
        let parked = self.lock();
        parked.len() < MOST && parked.values().filter(|p| p.principal == principal).count() < PER_PRINCIPAL
    }

    pub(super) fn put(&self, id: Uuid, parked: Parked) {
        self.lock().insert(id, parked);
    }

    /// Takes a call out, once, if it is that principal's.
    pub(super) fn take(&self, id: Uuid, principal: &str) -> Option<Parked> {
        let mut parked = self.lock();
        parked.get(&id).filter(|p| p.principal == principal)?;
        parked.remove(&id)
    }

    /// Takes out the calls that nobody came back for in time.
    pub(super) fn lapsed(&self, now: Instant) -> Vec<Parked> {
        let mut parked = self.lock();
        let late: Vec<Uuid> = parked.iter().filter(|(_, p)| p.until <= now).map(|(id, _)| *id).collect();
        late.into_iter().filter_map(|id| parked.remove(&id)).collect()
    }
}
