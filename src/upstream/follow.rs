//! Which resources and tasks of a backend somebody follows: counted, so that the backend has one subscription however
//! many agents follow the same.

use super::peer::Wanted;
use super::{Error, Upstream};
use crate::policy::Permit;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// How long a follower waits until the backend knows. It follows all the same, once the backend is there.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most different resources and tasks of one backend that are followed.
const MOST: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Resource(String),
    Task(String),
}

/// What is wanted, and what the backend has been told.
#[derive(Debug)]
pub(super) struct Following {
    wanted: watch::Sender<BTreeMap<Thing, usize>>,
    applied: watch::Sender<Wanted>,
}

impl Default for Following {
    fn default() -> Self {
        Self { wanted: watch::channel(BTreeMap::new()).0, applied: watch::channel(Wanted::default()).0 }
    }
}

impl Following {
    fn all(&self) -> Wanted {
        let mut all = Wanted::default();
        for thing in self.wanted.borrow().keys() {
            match thing {
                Thing::Resource(uri) => all.uris.insert(uri.clone()),
                Thing::Task(id) => all.tasks.insert(id.clone()),
            };
        }
        all
    }

    /// Waits until something else is wanted than `followed`, and returns that.
    pub(super) async fn changed(&self, followed: &Wanted) -> Wanted {
        let mut changes = self.wanted.subscribe();
        loop {
            let all = self.all();
            if all != *followed {
                return all;
            }
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// The backend has been told.
    pub(super) fn applied(&self, followed: &Wanted) {
        self.applied.send_replace(followed.clone());
    }
}

/// One follower of one resource or task. Dropping it ends the following.
#[derive(Debug)]
pub struct Follower {
    upstream: Arc<Upstream>,
    thing: Thing,
}

impl Upstream {
    /// Follows a resource by the backend's own URI. `_permit` is what policy said to it.
    ///
    /// # Errors
    /// Too many are followed.
    pub async fn follow_resource(self: &Arc<Self>, uri: &str, _permit: &Permit) -> Result<Follower, Error> {
        self.follow(Thing::Resource(uri.to_owned())).await
    }

    /// Follows a task by the backend's own id. `_permit` is what policy said to it.
    ///
    /// # Errors
    /// Too many are followed.
    pub async fn follow_task(self: &Arc<Self>, id: &str, _permit: &Permit) -> Result<Follower, Error> {
        self.follow(Thing::Task(id.to_owned())).await
    }

    async fn follow(self: &Arc<Self>, thing: Thing) -> Result<Follower, Error> {
        let mut full = false;
        self.following.wanted.send_modify(|wanted| {
            full = wanted.len() >= MOST && !wanted.contains_key(&thing);
            if !full {
                *wanted.entry(thing.clone()).or_default() += 1;
            }
        });
        if full {
            return Err(Error::Busy);
        }
        let follower = Follower { upstream: self.clone(), thing };
        let mut applied = self.following.applied.subscribe();
        let told = applied.wait_for(|told| match &follower.thing {
            Thing::Resource(uri) => told.uris.contains(uri),
            Thing::Task(id) => told.tasks.contains(id),
        });
        let _ = timeout(PATIENCE, told).await;
        Ok(follower)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.upstream.following.wanted.send_modify(|wanted| {
            if let Some(count) = wanted.get_mut(&self.thing) {
                *count -= 1;
                if *count == 0 {
                    wanted.remove(&self.thing);
                }
            }
        });
    }
}
