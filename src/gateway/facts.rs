//! What a session has done and read so far: facts that policy may ask for. Bounded, and forgotten when idle.

use super::Call;
use crate::identity::Caller;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

/// Sessions remembered at most; one more forgets the one that has been idle longest.
const SESSIONS: usize = 10_000;
/// Labels of one session, and tools of one session. A session that would exceed them keeps what it has: taint is
/// never taken away.
const LABELS: usize = 64;
/// Longest label, in bytes.
const LABEL_BYTES: usize = 64;
/// A session that does nothing for this long is forgotten, in microseconds.
const IDLE_US: i64 = 30 * 60 * 1_000_000;

/// What is known of one session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// When it began, in microseconds since the Unix epoch.
    pub started_us: i64,
    /// Calls before this one.
    pub calls: i64,
    /// Labels of the tools whose results it has read, and kinds of findings in them.
    pub taint: Vec<String>,
    /// Tools that it has called.
    pub tools: Vec<String>,
}

#[derive(Debug, Default)]
struct Session {
    started_us: i64,
    seen_us: i64,
    calls: i64,
    taint: BTreeSet<String>,
    tools: BTreeSet<String>,
}

/// All sessions. Revisions without sessions have one for each principal and agent.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Session>>);

/// The session of a call.
pub(super) fn key(caller: &Caller, call: &Call) -> String {
    let session = &call.session.id;
    let (kind, tenant, id, agent) = (caller.kind.entity_type(), &caller.tenant, &caller.id, &caller.agent);
    format!("{kind}\n{tenant}\n{id}\n{agent}\n{session}")
}

impl Sessions {
    /// What a session has done until now.
    pub(super) fn past(&self, key: &str, now_us: i64) -> Past {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let live = all.get(key).filter(|session| now_us.saturating_sub(session.seen_us) < IDLE_US);
        live.map_or_else(
            || Past { started_us: now_us, ..Past::default() },
            |session| Past {
                started_us: session.started_us,
                calls: session.calls,
                taint: session.taint.iter().cloned().collect(),
                tools: session.tools.iter().cloned().collect(),
            },
        )
    }

    /// Notes a call that is about to be made.
    pub(super) fn called(&self, key: &str, tool: Option<&str>, now_us: i64) {
        self.change(key, now_us, |session| {
            session.calls = session.calls.saturating_add(1);
            add(&mut session.tools, tool);
        });
    }

    /// Notes what a session has read.
    pub(super) fn read<'l>(&self, key: &str, labels: impl IntoIterator<Item = &'l str>, now_us: i64) {
        self.change(key, now_us, |session| add(&mut session.taint, labels));
    }

    fn change(&self, key: &str, now_us: i64, change: impl FnOnce(&mut Session)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = all.get(key).is_some_and(|session| now_us.saturating_sub(session.seen_us) >= IDLE_US);
        if idle {
            all.remove(key);
        } else if all.len() >= SESSIONS && !all.contains_key(key) {
            let oldest = all.iter().min_by_key(|(_, session)| session.seen_us).map(|(key, _)| key.clone());
            oldest.and_then(|oldest| all.remove(&oldest));
        }
        let session =
            all.entry(key.to_owned()).or_insert_with(|| Session { started_us: now_us, ..Session::default() });
        session.seen_us = session.seen_us.max(now_us);
        change(session);
    }
}

fn add<'l>(set: &mut BTreeSet<String>, words: impl IntoIterator<Item = &'l str>) {
    for word in words {
        if set.len() < LABELS && word.len() <= LABEL_BYTES && !set.contains(word) {
            set.insert(word.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_remembers_within_bounds_and_forgets_when_idle() {
        let sessions = Sessions::default();
        sessions.called("s", Some("crm_get"), 1);
        sessions.read("s", ["confidential", "email"], 2);
        sessions.called("s", Some("mail_send"), 3);
        let past = sessions.past("s", 4);
        assert_eq!((past.calls, past.started_us), (2, 1));
        assert_eq!(past.taint, ["confidential", "email"]);
        assert_eq!(past.tools, ["crm_get", "mail_send"]);
        let many: Vec<String> = (0..500).map(|n| format!("label{n}")).collect();
        sessions.read("s", many.iter().map(String::as_str), 5);
        let past = sessions.past("s", 6);
        assert_eq!(past.taint.len(), LABELS);
        assert!(past.taint.contains(&"confidential".to_owned()), "taint is never taken away");
        assert_eq!(sessions.past("s", 6 + IDLE_US), Past { started_us: 6 + IDLE_US, ..Past::default() });
        assert_eq!(sessions.past("other", 7), Past { started_us: 7, ..Past::default() });
    }

    #[test]
    fn a_clock_that_steps_back_forgets_nothing() {
        let sessions = Sessions::default();
        sessions.read("s", ["confidential"], 10 * IDLE_US);
        assert_eq!(sessions.past("s", 1).taint, ["confidential"]);
        sessions.called("s", None, 1);
        assert_eq!(sessions.past("s", 10 * IDLE_US + 1).taint, ["confidential"]);
    }
}
