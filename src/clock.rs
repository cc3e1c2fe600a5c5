//! The only source of time, so that tests can hold it still.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A clock that every stage shares. Cloning is cheap and keeps the same time.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    held: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self { held: None }
    }

    /// A clock that stands at `start_us` (microseconds since the Unix epoch) until it is moved.
    pub fn held_at(start_us: i64) -> Self {
        Self { held: Some(Arc::new(AtomicI64::new(start_us))) }
    }

    /// Moves a held clock by `by_us` microseconds, forwards or backwards. A system clock stays as it is.
    pub fn advance_us(&self, by_us: i64) {
        if let Some(held) = &self.held {
            held.fetch_add(by_us, Ordering::SeqCst);
        }
    }

    /// Microseconds since the Unix epoch.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    pub fn now_us(&self) -> i64 {
        match &self.held {
            Some(held) => held.load(Ordering::SeqCst),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX)),
        }
    }
}
