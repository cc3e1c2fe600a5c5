//! A circuit breaker: after failures in a row nobody is asked for a while, then one asks again.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Counts failures in a row.
#[derive(Debug)]
pub(super) struct Breaker {
    most: u32,
    rest: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// Until when nobody asks.
    until: Option<Instant>,
    /// Somebody asks again after a rest.
    trying: bool,
}

/// Leave to ask once. Dropped without a word it counts for nothing, but lets the next one try.
#[derive(Debug)]
pub(super) struct Attempt<'b> {
    breaker: &'b Breaker,
    trial: bool,
}

impl Breaker {
    pub fn new(most: u32, rest: Duration) -> Self {
        Self { most, rest, state: Mutex::default() }
    }

    /// Leave to ask, if nobody has to rest.
    pub fn attempt(&self) -> Option<Attempt<'_>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(until) = state.until else { return Some(Attempt { breaker: self, trial: false }) };
        if state.trying || Instant::now() < until {
            return None;
        }
        state.trying = true;
        Some(Attempt { breaker: self, trial: true })
    }

    /// Whether nobody but the one that tries again may ask.
    pub fn rests(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).until.is_some()
    }
}

impl Attempt<'_> {
    pub fn succeeded(self) {
        *self.breaker.state.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }

    /// Whether a rest begins.
    pub fn failed(self) -> bool {
        let mut state = self.breaker.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures = state.failures.saturating_add(1);
        let rests = self.trial || state.failures >= self.breaker.most;
        let begins = rests && state.until.is_none();
        if rests {
            state.until = Instant::now().checked_add(self.breaker.rest);
        }
        begins
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.trial {
            self.breaker.state.lock().unwrap_or_else(PoisonError::into_inner).trying = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_failures_in_a_row_one_at_a_time_tries_again() {
        let breaker = Breaker::new(2, Duration::ZERO);
        assert!(!breaker.attempt().unwrap().failed());
        breaker.attempt().unwrap().succeeded();
        assert!(!breaker.attempt().unwrap().failed(), "not in a row");
        assert!(breaker.attempt().unwrap().failed() && breaker.rests());
        let first = breaker.attempt().unwrap();
        assert!(breaker.attempt().is_none(), "one at a time");
        drop(first);
        assert!(!breaker.attempt().unwrap().failed() && breaker.rests(), "the rest goes on");
        breaker.attempt().unwrap().succeeded();
        assert!(!breaker.rests());
    }

    #[test]
    fn nobody_asks_during_a_rest() {
        let breaker = Breaker::new(1, Duration::from_hours(1));
        assert!(breaker.attempt().unwrap().failed());
        assert!(breaker.attempt().is_none());
    }
}
