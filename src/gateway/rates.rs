//! How often: one bucket for each policy, principal and tool. Buckets outlive a reload of the policies.

use crate::policy::Rate;
use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Buckets of one policy before those that are full again are thrown away.
const MANY: usize = 10_000;
/// Different limits kept; policies that are gone leave theirs behind until then.
const LIMITS: usize = 1_000;

type Key = (String, String);
type Limiter = RateLimiter<Key, HashMapStateStore<Key>, MonotonicClock, NoOpMiddleware<std::time::Instant>>;

/// All buckets. The time is the machine's monotonic one: setting the clock changes nothing.
#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<HashMap<Rate, Arc<Limiter>>>);

impl Rates {
    /// Takes one token from each bucket.
    ///
    /// # Errors
    /// How long to wait for the first that is empty.
    pub(super) fn take(&self, rates: &BTreeSet<Rate>, principal: &str, name: &str) -> Result<(), Duration> {
        for rate in rates {
            let limiter = self.limiter(rate);
            let key = (principal.to_owned(), name.to_owned());
            let taken = limiter.check_key(&key).map_err(|no| no.wait_time_from(MonotonicClock.now()));
            if limiter.len() > MANY {
                limiter.retain_recent();
            }
            taken?;
        }
        Ok(())
    }

    fn limiter(&self, rate: &Rate) -> Arc<Limiter> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = all.get(rate) {
            return Arc::clone(found);
        }
        if all.len() >= LIMITS {
            all.clear();
        }
        let each = rate.period / rate.count.get();
        let quota = Quota::with_period(each.max(Duration::from_nanos(1)))
            .map_or_else(|| Quota::per_second(rate.count), |quota| quota.allow_burst(rate.count));
        let fresh = Arc::new(Limiter::new(quota, HashMapStateStore::default(), MonotonicClock));
        all.insert(rate.clone(), Arc::clone(&fresh));
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    #[test]
    fn each_principal_and_tool_has_a_bucket_of_its_own() {
        let rate = |policy: &str| Rate {
            policy: policy.into(),
            count: NonZeroU32::new(2).unwrap(),
            period: Duration::from_hours(1),
        };
        let rates = Rates::default();
        let one: BTreeSet<Rate> = [rate("a")].into();
        assert!(rates.take(&one, "erin", "t").is_ok());
        assert!(rates.take(&one, "erin", "t").is_ok());
        let wait = rates.take(&one, "erin", "t").unwrap_err();
        assert!(wait > Duration::from_mins(1) && wait <= Duration::from_mins(30), "{wait:?}");
        assert!(rates.take(&one, "emil", "t").is_ok());
        assert!(rates.take(&one, "erin", "u").is_ok());
        let both: BTreeSet<Rate> = [rate("a"), rate("b")].into();
        assert!(rates.take(&both, "erin", "t").is_err());
        assert!(rates.take(&both, "emil", "t").is_ok());
    }
}
